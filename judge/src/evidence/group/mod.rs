//! Groups of consumers: what their coordinators wrote and reported, and what their members owned,
//! committed and processed.
//!
//! | file | evidence |
//! |---|---|
//! | `log.rs`, `records.rs` | the bytes of `__consumer_offsets`, and the reports of coordinators |
//! | `consumer.rs` | groups of the consumer protocol by these records |
//! | `members.rs` | the history of the members |
//! | `processing.rs` | which records a group skipped, and which it processed again |
//! | `reflection.rs` | which results of its inputs a pipeline wrote |
//! | `stores.rs` | the stores in which applications keep their own positions |
//!
//! # Promises
//!
//! | promise | check |
//! |---|---|
//! | a generation assigns a partition to one member; another one gets it only after the first has given it up, or has been removed | `group-one-owner` |
//! | a coordinator stores the offsets that members of the present generation commit, and no others | `commits-of-members` |
//! | an acknowledged commit is what the next request shows, unless a later one replaced it | `committed-offsets-kept` |
//! | a committed offset does not go back | `offsets-never-back` |
//! | the state of a coordinator is the replay of its log | `groups-as-replayed` |
//! | a group processes every record, and again only what it had not committed | `group-processes-all` |
//! | each input of a group with a store of its own is in the store exactly once | `in-store-once` |
//!
//! Kafka promises *at least once*, to applications that commit after they have processed. It fences a
//! member that is no longer one when it talks to the coordinator, and nowhere else: such a *zombie* may
//! go on to process what it has been given. Whatever was processed and not committed when a member
//! ends is processed again by the next one. These are permitted, and reported with their cause.
//!
//! How the configuration changes these promises:
//!
//! | configuration | effect |
//! |---|---|
//! | the application commits before it has processed, or lets `enable.auto.commit` do so | what a member had not processed when it ended is skipped |
//! | `auto.offset.reset=latest` | a member without a committed offset goes to the end: what is below is skipped |
//! | `auto.offset.reset=earliest` | a member without a committed offset goes to the start: all is processed again |
//! | `offsets.retention.minutes` | the offsets of a group without members expire |
//! | `min.insync.replicas` of `__consumer_offsets` | crashes that it does not cover lose committed offsets |

mod consumer;
mod log;
mod members;
mod processing;
mod records;
mod reflection;
mod stores;
#[cfg(test)]
mod tests;

pub use consumer::{Current, Replayed, Said};
pub use log::GenerationValue;
pub use members::{Commit, Join, Life, Members, Moved, Processed, Question, Revoked, Shown};
pub(super) use processing::of_groups;
pub use processing::{Again, Processing, Skipped, Time, bounds};
pub(super) use records::OFFSETS_TOPIC;
pub use records::{Complete, Fresh, Group, Groups, Removed, Written, name};
pub use reflection::{Reflected, Reflection};
pub use stores::{Store, StoreClaim, StoreCommit, Stores};
