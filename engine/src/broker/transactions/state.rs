//! The state of a transactional id at its coordinator (`TransactionMetadata`,
//! `TxnTransitMetadata`).

use crate::error::ErrorCode;
use crate::protocol::TransactionState;
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The largest producer epoch that producers use. The one above it is reserved for the coordinator,
/// which can thus always fence a producer.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// The partitions of a transaction: indexes by topic name. Records contain names, and the topic
/// that has the name at the time decides where markers go.
pub(super) type Partitions = BTreeMap<Arc<str>, BTreeSet<i32>>;

/// The state of a transactional id in a record, with what Kafka keeps only in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransactionMetadata {
    pub(super) producer_id: i64,
    /// The producer id in the state before, equal to `producer_id` unless that has just changed;
    /// -1: there was none, or it is not in the log.
    pub(super) previous_producer_id: i64,
    /// The producer id after this transaction, if the epochs of `producer_id` are exhausted; else
    /// -1.
    pub(super) next_producer_id: i64,
    /// The epoch in use; -1: none has been given so far.
    pub(super) producer_epoch: i16,
    /// The epoch that the producer had before, by which a repeated request is recognized; -1: none.
    /// It is not in the log.
    pub(super) last_producer_epoch: i16,
    /// `transaction.timeout.ms`.
    pub(super) timeout_ms: i32,
    pub(super) state: TransactionState,
    /// The partitions of the open transaction; once it is decided, only those whose marker is
    /// missing.
    pub(super) partitions: Partitions,
    /// When the last transaction began, in milliseconds; -1: none since the producer was
    /// initialized.
    pub(super) start_ms: i64,
    /// When the record was made, in milliseconds.
    pub(super) last_update_ms: i64,
    /// The version of the transaction protocol that the producer used last: 0 or 2.
    pub(super) client_version: u16,
}

/// A transactional id at its coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) metadata: TransactionMetadata,
    /// The state in the record that is being written, or that follows when all markers are written.
    pub(super) pending: Option<TransactionState>,
    /// The record of an abort by the coordinator failed, and its epoch is in use all the same.
    pub(super) fence_failed: bool,
}

/// Whether a producer has no epoch left after this one.
pub(super) const fn is_exhausted(epoch: i16) -> bool {
    epoch >= LAST_EPOCH
}

impl TransactionMetadata {
    /// The state of a new transactional id.
    pub(super) fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: Partitions::new(),
            start_ms: -1,
            last_update_ms: now_ms,
            client_version: 0,
        }
    }

    /// The next state, with `state` changed; the caller changes the other fields.
    pub(super) fn to(&self, state: TransactionState) -> Self {
        Self { state, previous_producer_id: self.producer_id, ..self.clone() }
    }

    /// Whether the producer id changes with this record or the one after it.
    pub(super) fn rotates(&self) -> bool {
        self.next_producer_id != NO_PRODUCER_ID
            || ![NO_PRODUCER_ID, self.producer_id].contains(&self.previous_producer_id)
    }

    /// Whether a partition is in the transaction.
    pub(super) fn contains(&self, topic: &str, partition: i32) -> bool {
        self.partitions.get(topic).is_some_and(|indexes| indexes.contains(&partition))
    }
}

impl Entry {
    pub(super) fn new(metadata: TransactionMetadata) -> Self {
        Self { metadata, pending: None, fence_failed: false }
    }

    /// Marks the id as pending, before a record with this state is written.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::UnknownServerError`] if that state cannot follow, or a record is pending;
    /// Kafka's coordinator fails with an exception.
    pub(super) fn begin(&mut self, next: &TransactionMetadata) -> Result<(), ErrorCode> {
        let follows = may_follow(self.metadata.state, next.state);
        if self.pending.is_some() || !follows || next.producer_id < 0 || next.producer_epoch < 0 {
            return Err(ErrorCode::UnknownServerError);
        }
        self.pending = Some(next.state);
        Ok(())
    }

    /// Takes over the state in a committed record.
    pub(super) fn complete(&mut self, next: TransactionMetadata) {
        if next.state.is_prepared() {
            self.fence_failed = false;
        }
        self.metadata = next;
        self.pending = None;
    }

    /// Panics if the state contradicts itself, which no rule can cause.
    pub(super) fn invariants(&self) {
        let TransactionMetadata { state, producer_epoch, partitions, .. } = &self.metadata;
        let in_memory = [TransactionState::Dead, TransactionState::PrepareEpochFence];
        assert!(!in_memory.contains(state), "{state} is never the state of an id");
        assert!(*producer_epoch >= 0 || *state == TransactionState::Empty, "{state} has an epoch");
        let has_partitions = !partitions.is_empty();
        let over = *state == TransactionState::Empty || state.is_complete();
        assert!(!(over && has_partitions), "{state} has no partitions");
    }
}

/// Whether a transactional id may go from one state to another (`validPreviousStates`).
pub(super) fn may_follow(from: TransactionState, to: TransactionState) -> bool {
    use TransactionState as State;
    let is_over = from == State::Empty || from.is_complete();
    match to {
        State::Empty | State::Dead => is_over,
        State::Ongoing => is_over || from == State::Ongoing,
        State::PrepareCommit | State::PrepareEpochFence => from == State::Ongoing,
        State::PrepareAbort => is_over || from == State::Ongoing,
        State::CompleteCommit => from == State::PrepareCommit,
        State::CompleteAbort => from == State::PrepareAbort,
    }
}
