//! Transactions: what their applications did and were told, what logs hold of them, and what their
//! coordinators decided.
//!
//! | file | witness |
//! |---|---|
//! | `client.rs` | the history of the applications |
//! | `line.rs` | batches and markers in the line of leaders of a partition |
//! | `state_log.rs`, `coordinator.rs` | the bytes of `__transaction_state` |
//! | `tally.rs` | in the end: how much of each transaction is committed |
//!
//! # What is promised
//!
//! | the application was told | `commitTransaction` called | promised of the records of the transaction |
//! |---|---|---|
//! | committed | yes | each is acknowledged, stays, and `read_committed` readers are given it |
//! | aborted | yes, before an error, or no | `read_committed` readers are given none |
//! | given up: fenced, or on purpose | no | the same |
//! | nothing certain (*maybe*): no response, fenced after the call, killed | yes | all as if committed, or none |
//! | nothing: killed before the call | no | none |
//!
//! And, of every transaction: while it is open no reader with `read_committed` gets past its first
//! record; it ends within `transaction.timeout.ms`, a scan of the coordinator and the time in which
//! markers are written; nothing that an application begins to commit after another one has taken its
//! transactional id is committed.
//!
//! What holds under which configuration:
//!
//! | configuration | effect |
//! |---|---|
//! | `transaction.version` 2 | all of it |
//! | `transaction.version` 1 | not where a request outlives its transaction: one of EndTxn decides the next transaction (KAFKA-17754), which is found as a violation |
//! | `isolation.level=read_uncommitted` | such a reader is given open and aborted data, which is permitted |
//! | `min.insync.replicas`, `unclean.leader.election.enable` of a topic | as many unclean ends as they allow for take records *and markers*: what follows from that is permitted |
//! | `transaction.state.log.min.isr` | the same of decisions of the coordinator |
//!
//! Kafka does not promise, and nothing here asks, that readers see a transaction at one moment in all
//! partitions, that they see it when `commitTransaction` returns (markers follow), or that data stand in
//! the order of commits.

mod client;
mod coordinator;
mod line;
mod state_log;
mod tally;
#[cfg(test)]
mod tests;

pub use client::{ClientTransaction, ClientTransactions, Promise, Session};
pub(super) use coordinator::STATE_TOPIC;
pub use coordinator::{Coordinators, Id, Transition};
pub use line::{Fate, LineTransactions};
pub use state_log::{State, StateValue};
pub(super) use tally::tallies;
pub use tally::{Stored, Tally};
