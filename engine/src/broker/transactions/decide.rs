//! Decisions of the coordinator: from the state of a transactional id and a request to the next
//! record, or to an error. Nothing here changes the state.

use super::state::{Entry, Partitions, TransactionMetadata, is_exhausted};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::protocol::TransactionState;
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use crate::rules::Rulebook;
use crate::rules::transaction::{Claim, Claimed, Ended, Ending, Fence, Instance, Stage};
use std::sync::Arc;

/// The inputs of a decision beside the state and the request.
pub(super) struct Decider<'a> {
    pub(super) rules: &'a Rulebook,
    pub(super) out: &'a mut Outbox,
    /// The wall clock, in milliseconds.
    pub(super) now_ms: i64,
    /// The level of `transaction.version`.
    pub(super) level: u16,
}

/// An InitProducerId request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Init {
    /// The producer id and epoch that the request names.
    pub(super) named: Option<(i64, i16)>,
    pub(super) timeout_ms: i32,
}

/// The decision about an InitProducerId request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Initialized {
    /// Write this record.
    Write(TransactionMetadata),
    /// Abort the open transaction first.
    AbortFirst,
}

/// An EndTxn request.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) commit: bool,
    /// The version of the transaction protocol that the request belongs to: 0 or 2.
    pub(super) client_version: u16,
}

/// The decision about an EndTxn request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Write this record.
    Write(TransactionMetadata),
    /// The transaction has ended that way before: the response has this id and epoch.
    Already { producer_id: i64, producer_epoch: i16 },
}

impl Decider<'_> {
    /// Decides about InitProducerId. `new_id` is a new producer id, which is needed if the epochs
    /// are exhausted.
    pub(super) fn init(
        &mut self,
        entry: &Entry,
        init: Init,
        new_id: Result<i64, ErrorCode>,
    ) -> Result<Initialized, ErrorCode> {
        let metadata = &entry.metadata;
        let stage = Stage { state: metadata.state, pending: entry.pending.is_some() };
        // A pending record may give the id to another producer, so its outcome comes first.
        if stage.pending {
            self.rules.check_stage(self.out, stage)?;
        }
        if let Some(named) = init.named
            && !is_known(metadata, named)
        {
            return Err(ErrorCode::ProducerFenced);
        }
        self.rules.check_stage(self.out, stage)?;
        if metadata.state == TransactionState::Ongoing {
            return Ok(Initialized::AbortFirst);
        }
        let named = init.named.map(|(_, epoch)| epoch);
        let epoch = metadata.producer_epoch;
        let mut next = metadata.to(TransactionState::Empty);
        next.timeout_ms = init.timeout_ms;
        next.partitions = Partitions::new();
        next.start_ms = -1;
        next.last_update_ms = self.now_ms;
        if is_exhausted(epoch) {
            if named.is_some_and(|named| named != epoch) {
                return Err(ErrorCode::UnknownServerError);
            }
            next.producer_id = new_id?;
            next.producer_epoch = 0;
            next.last_producer_epoch = named.unwrap_or(NO_PRODUCER_EPOCH);
        } else {
            let last_epoch = metadata.last_producer_epoch;
            let instance = Instance { epoch, last_epoch, named };
            let epochs = self.rules.epoch_of_instance(self.out, instance)?;
            next.producer_epoch = epochs.epoch;
            next.last_producer_epoch = epochs.last_epoch;
        }
        Ok(Initialized::Write(next))
    }

    /// Decides about adding partitions; `None`: they are in the transaction already.
    pub(super) fn add(
        &mut self,
        entry: &Entry,
        producer: (i64, i16),
        added: &[(Arc<str>, i32)],
        client_version: u16,
    ) -> Result<Option<TransactionMetadata>, ErrorCode> {
        let metadata = &entry.metadata;
        let stage = Stage { state: metadata.state, pending: entry.pending.is_some() };
        // A pending record may establish the producer id of the request, so its outcome comes
        // first.
        if stage.pending {
            self.rules.check_stage(self.out, stage)?;
        }
        self.rules.check_claim(self.out, claim(metadata, producer))?;
        self.rules.check_stage(self.out, stage)?;
        let is_open = metadata.state == TransactionState::Ongoing;
        if is_open && added.iter().all(|(topic, index)| metadata.contains(topic, *index)) {
            return Ok(None);
        }
        let mut next = metadata.to(TransactionState::Ongoing);
        for (topic, index) in added {
            next.partitions.entry(topic.clone()).or_default().insert(*index);
        }
        if !is_open {
            next.start_ms = self.now_ms;
        }
        next.last_update_ms = self.now_ms;
        next.client_version = client_version;
        Ok(Some(next))
    }

    /// Decides about verifying partitions: whether the transaction may continue. A pending record
    /// is ignored, because the leader checks the append once more.
    pub(super) fn verify(&mut self, entry: &Entry, producer: (i64, i16)) -> Result<(), ErrorCode> {
        let metadata = &entry.metadata;
        self.rules.check_claim(self.out, claim(metadata, producer))?;
        self.rules.check_stage(self.out, Stage { state: metadata.state, pending: false })
    }

    /// Decides about a producer's EndTxn. `new_id` is a new producer id, which is needed if the
    /// epochs are exhausted.
    pub(super) fn end(
        &mut self,
        entry: &Entry,
        end: End,
        new_id: Result<i64, ErrorCode>,
    ) -> Result<Ends, ErrorCode> {
        let metadata = &entry.metadata;
        let own_epoch = self.rules.bumps_epoch_at_end(self.out, end.client_version);
        let claimed = claimed(metadata, (end.producer_id, end.producer_epoch), own_epoch);
        let same_id = metadata.producer_id == end.producer_id || claimed == Claimed::Overflowed;
        let pending = entry.pending.is_some();
        if own_epoch && pending {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if !same_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if !own_epoch && claimed == Claimed::Current && pending {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let ending = Ending { state: metadata.state, commit: end.commit, claimed, own_epoch };
        match self.rules.end_transaction(self.out, ending)? {
            Ended::Already if own_epoch => Ok(Ends::Already {
                producer_id: metadata.producer_id,
                producer_epoch: metadata.producer_epoch,
            }),
            Ended::Already => {
                Ok(Ends::Already { producer_id: NO_PRODUCER_ID, producer_epoch: NO_PRODUCER_EPOCH })
            }
            Ended::Prepare => {
                let exhausted = own_epoch && is_exhausted(metadata.producer_epoch);
                let next_id = if exhausted { new_id? } else { NO_PRODUCER_ID };
                let mut next = self.prepare(metadata, end.commit, own_epoch)?;
                next.next_producer_id = next_id;
                next.client_version = end.client_version;
                Ok(Ends::Write(next))
            }
        }
    }

    /// The record with which the coordinator itself aborts an open transaction. Where transactions
    /// share an epoch, the caller puts the epoch of the record into the entry before it is written.
    pub(super) fn abort(&mut self, entry: &Entry) -> Result<TransactionMetadata, ErrorCode> {
        let metadata = &entry.metadata;
        if metadata.producer_epoch == i16::MAX {
            return Err(ErrorCode::UnknownServerError);
        }
        let own_epoch = self.rules.bumps_epoch_at_end(self.out, self.level);
        let mut next = self.prepare(metadata, false, own_epoch)?;
        if own_epoch {
            next.client_version = self.level;
        } else {
            let fence = Fence { epoch: metadata.producer_epoch, failed_before: entry.fence_failed };
            next.producer_epoch = self.rules.epoch_of_fence(self.out, fence);
            next.last_producer_epoch = NO_PRODUCER_EPOCH;
            next.client_version = 0;
        }
        next.next_producer_id = NO_PRODUCER_ID;
        Ok(next)
    }

    fn prepare(
        &mut self,
        metadata: &TransactionMetadata,
        commit: bool,
        own_epoch: bool,
    ) -> Result<TransactionMetadata, ErrorCode> {
        let state =
            if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort };
        let mut next = metadata.to(state);
        if metadata.state != TransactionState::Ongoing {
            next.start_ms = self.now_ms;
        }
        if own_epoch {
            let bumped = metadata.producer_epoch.checked_add(1);
            next.producer_epoch = bumped.ok_or(ErrorCode::UnknownServerError)?;
            next.last_producer_epoch = metadata.producer_epoch;
        }
        next.last_update_ms = self.now_ms;
        Ok(next)
    }

    /// The record that follows when all markers of a decided transaction are written.
    pub(super) fn complete(&mut self, metadata: &TransactionMetadata) -> TransactionMetadata {
        let state = if metadata.state == TransactionState::PrepareCommit {
            TransactionState::CompleteCommit
        } else {
            TransactionState::CompleteAbort
        };
        let mut next = metadata.to(state);
        let rotates = metadata.next_producer_id != NO_PRODUCER_ID;
        if rotates && self.rules.bumps_epoch_at_end(self.out, metadata.client_version) {
            next.producer_id = metadata.next_producer_id;
            next.producer_epoch = 0;
        }
        next.next_producer_id = NO_PRODUCER_ID;
        next.partitions = Partitions::new();
        next.last_update_ms = self.now_ms;
        next
    }
}

fn claim(metadata: &TransactionMetadata, producer: (i64, i16)) -> Claim {
    Claim {
        known_id: metadata.producer_id,
        known_epoch: metadata.producer_epoch,
        id: producer.0,
        epoch: producer.1,
    }
}

/// Whether a request names the producer id in use, or the last epoch of the previous producer id:
/// then it may repeat a request whose response was lost.
fn is_known(metadata: &TransactionMetadata, (id, epoch): (i64, i16)) -> bool {
    metadata.producer_epoch == NO_PRODUCER_EPOCH
        || id == metadata.producer_id
        || (id == metadata.previous_producer_id && is_exhausted(epoch))
}

/// Relates the epoch of a request to end a transaction to the one in use.
fn claimed(metadata: &TransactionMetadata, (id, epoch): (i64, i16), own_epoch: bool) -> Claimed {
    let known = metadata.producer_epoch;
    if epoch == known && id == metadata.producer_id {
        Claimed::Current
    } else if !own_epoch {
        Claimed::Other
    } else if epoch.checked_add(1) == Some(known) {
        Claimed::Bumped
    } else if id == metadata.previous_producer_id && epoch == i16::MAX - 1 && known == 0 {
        Claimed::Overflowed
    } else {
        Claimed::Other
    }
}
