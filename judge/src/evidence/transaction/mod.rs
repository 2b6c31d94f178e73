//! Transactions: their history at the applications, their records and markers in the logs, and the
//! decisions of their coordinators.
//!
//! | file | evidence |
//! |---|---|
//! | `client.rs` | the history of the applications |
//! | `line.rs` | batches and markers in the line of leaders of a partition |
//! | `state_log.rs`, `coordinator.rs` | the bytes of `__transaction_state` |
//! | `tally.rs` | how much of each transaction is committed at the end |
//!
//! # Promises
//!
//! | outcome at the application | `commitTransaction` called | promise for the records of the transaction |
//! |---|---|---|
//! | committed | yes | each is acknowledged, stays, and is delivered to `read_committed` readers |
//! | aborted | yes, before an error, or no | none is delivered to `read_committed` readers |
//! | given up: fenced, or on purpose | no | the same |
//! | unknown: no response, fenced after the call, killed | yes | all as if committed, or none |
//! | none: killed before the call | no | as if aborted |
//!
//! And for every transaction: while it is open no `read_committed` reader gets past its first
//! record; it ends within `transaction.timeout.ms`, plus the interval of the coordinator's scan and
//! the time to write markers; and it is not committed if its application begins to commit after
//! another one has taken over its transactional id.
//!
//! How the configuration changes these promises:
//!
//! | configuration | effect |
//! |---|---|
//! | `transaction.version` 2 | all hold |
//! | `transaction.version` 1 | a delayed EndTxn request decides the next transaction (KAFKA-17754), which is reported as a violation |
//! | `isolation.level=read_uncommitted` | the reader receives records of open and aborted transactions, which is permitted |
//! | `min.insync.replicas`, `unclean.leader.election.enable` of a topic | crashes that these settings do not cover lose records *and markers*: the consequences are permitted |
//! | `transaction.state.log.min.isr` | likewise for the decisions of the coordinator |
//!
//! Kafka does not promise, and no check requires, that readers see a transaction at one moment in
//! all partitions, that they see it when `commitTransaction` returns (markers are written later),
//! or that records are stored in the order of commits.

mod client;
mod coordinator;
mod line;
mod state_log;
mod tally;
#[cfg(test)]
mod tests;

pub use client::{ClientTransaction, ClientTransactions, Promise, Session};
pub(super) use coordinator::STATE_TOPIC;
pub use coordinator::{Coordinators, EndRequest, Id, Transition};
pub use line::{Fate, LineTransactions};
pub use state_log::{State, StateValue};
pub(super) use tally::tallies;
pub use tally::{Stored, Tally};
