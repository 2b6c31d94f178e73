//! What a coordinator knows of a transactional id (`TransactionMetadata`, `TxnTransitMetadata`).

use crate::error::ErrorCode;
use crate::protocol::TransactionState;
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The largest producer epoch that producers use. The one above it is left for the coordinator, which
/// can thus always fence a producer.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// The partitions of a transaction: indexes by topic name. Records have names, and what is known of a
/// topic under its name decides where markers go.
pub(super) type Partitions = BTreeMap<Arc<str>, BTreeSet<i32>>;

/// What a record says of a transactional id, and what Kafka keeps in memory beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransactionMetadata {
    pub(super) producer_id: i64,
    /// The producer id before the last change; -1: there was none.
    pub(super) previous_producer_id: i64,
    /// The producer id after the present transaction, if that exhausts the epochs of this one; -1.
    pub(super) next_producer_id: i64,
    /// -1: none has been given so far.
    pub(super) producer_epoch: i16,
    /// The epoch before the last change, by which repeated requests are recognized; -1. Never written.
    pub(super) last_producer_epoch: i16,
    /// `transaction.timeout.ms`
    pub(super) timeout_ms: i32,
    pub(super) state: TransactionState,
    /// Those without a marker so far.
    pub(super) partitions: Partitions,
    /// When the last transaction began, in milliseconds; -1: there was none.
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
    /// An abort by the coordinator was not written, and its epoch is in use all the same.
    pub(super) fence_failed: bool,
}

/// Whether a producer has no epoch left after this one.
pub(super) const fn is_exhausted(epoch: i16) -> bool {
    epoch >= LAST_EPOCH
}

impl TransactionMetadata {
    /// A transactional id that has just been heard of.
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

    /// The same in another state, for the caller to change further.
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

    /// A record with this state is about to be written.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::UnknownServerError`] if that state cannot follow, as Kafka's coordinator fails with
    /// an exception.
    pub(super) fn begin(&mut self, next: &TransactionMetadata) -> Result<(), ErrorCode> {
        let follows = may_follow(self.metadata.state, next.state);
        if self.pending.is_some() || !follows || next.producer_id < 0 || next.producer_epoch < 0 {
            return Err(ErrorCode::UnknownServerError);
        }
        self.pending = Some(next.state);
        Ok(())
    }

    /// The record is committed.
    pub(super) fn complete(&mut self, next: TransactionMetadata) {
        if next.state.is_prepared() {
            self.fence_failed = false;
        }
        self.metadata = next;
        self.pending = None;
    }

    /// Panics if it contradicts itself, whatever the rules.
    pub(super) fn invariants(&self) {
        let TransactionMetadata { state, producer_epoch, partitions, .. } = &self.metadata;
        let in_memory = [TransactionState::Dead, TransactionState::PrepareEpochFence];
        assert!(!in_memory.contains(state), "{state} is never a state of its own");
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
