//! Whether a leader appends a batch, by the state of the producer in its log
//! (`UnifiedLog.analyzeAndValidateProducerState`, `ProducerAppendInfo`; KIP-98, KIP-360, KIP-890).

use crate::Outbox;
use crate::error::ErrorCode;
use crate::log::{Admission, Known};
use crate::record::{Batch, NO_PRODUCER_EPOCH, NO_SEQUENCE};
use crate::rules::Rulebook;
use crate::rules::sequence::{ProducerEpochs, Sent, Sequence};
use crate::rules::verification::{Ending, FirstSequence, Guards, Marker, Written};

/// Decides whether batches and markers are appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitter<'a> {
    pub(super) rules: &'a Rulebook,
    /// The guard of the batch's verification, if there was one.
    pub(super) guard: Option<u64>,
    /// `transaction.partition.verification.enable`
    pub(super) verifies: bool,
}

impl Admitter<'_> {
    /// Decides whether a client's batch is appended.
    pub(super) fn batch(self, known: Known<'_>, batch: Batch<'_>, out: &mut Outbox) -> Admission {
        let (epoch, first, last) =
            (batch.producer_epoch(), batch.base_sequence(), batch.last_sequence());
        if let Some(known) = known.producer
            && let Some(duplicate) =
                self.rules.duplicate_of(out, Sent { epoch, first, last, known })
        {
            return Admission::Duplicate(duplicate);
        }
        match self.check(known, batch, out) {
            Ok(()) => {
                Admission::Append { ends_verification: self.ends_verification(known, batch, out) }
            }
            Err(error) => Admission::Refuse(error),
        }
    }

    /// Decides about a batch that the group coordinator writes for a producer: its sequences do not
    /// count (`AppendOrigin.COORDINATOR`).
    pub(super) fn of_coordinator(
        self,
        known: Known<'_>,
        batch: Batch<'_>,
        out: &mut Outbox,
    ) -> Admission {
        match self.check_epoch_and_guard(known, batch, out) {
            Ok(()) => {
                Admission::Append { ends_verification: self.ends_verification(known, batch, out) }
            }
            Err(error) => Admission::Refuse(error),
        }
    }

    fn check_epoch_and_guard(
        self,
        known: Known<'_>,
        batch: Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let Self { rules, guard: presented, verifies } = self;
        let Known { producer, verification } = known;
        let epoch = batch.producer_epoch();
        let known_epoch = producer.map_or(NO_PRODUCER_EPOCH, |producer| producer.epoch);
        // The epoch is checked before the guard, because the error for an old epoch makes the
        // producer begin a new one (KAFKA-19690).
        rules.check_producer_epoch(out, ProducerEpochs { batch: epoch, known: known_epoch })?;
        if batch.is_transactional() {
            let in_transaction = producer.is_some_and(|it| it.is_in_transaction(epoch));
            let registered = verification.map(|verification| verification.guard);
            rules.check_guard(out, Guards { registered, presented, in_transaction, verifies })?;
        }
        Ok(())
    }

    fn check(self, known: Known<'_>, batch: Batch<'_>, out: &mut Outbox) -> Result<(), ErrorCode> {
        self.check_epoch_and_guard(known, batch, out)?;
        let rules = self.rules;
        let Known { producer, verification } = known;
        let (epoch, first) = (batch.producer_epoch(), batch.base_sequence());
        let known_epoch = producer.map_or(NO_PRODUCER_EPOCH, |producer| producer.epoch);
        if let Some(verification) = verification {
            let has_batches = producer.is_some_and(|it| !it.batches().is_empty());
            let (lowest, bumps_epoch) = (verification.lowest_sequence, verification.bumps_epoch);
            let sequence = FirstSequence { first, lowest, has_batches, bumps_epoch };
            rules.check_first_sequence(out, sequence)?;
        }
        let last = producer.map_or(NO_SEQUENCE, |producer| producer.last_sequence());
        let transactional = batch.is_transactional();
        rules.check_sequence(out, Sequence { epoch, first, known_epoch, last, transactional })?;
        let open = producer.is_some_and(|it| it.current_txn_first_offset.is_some());
        let written = Written { transactional, open };
        rules.check_transactional(out, written)
    }

    /// Decides whether a marker from a coordinator with this epoch is appended. `own_epoch`: every
    /// transaction of the producer has an epoch of its own.
    pub(super) fn marker(
        self,
        known: Known<'_>,
        batch: Batch<'_>,
        (coordinator_epoch, own_epoch): (i32, bool),
        out: &mut Outbox,
    ) -> Admission {
        let none = (NO_PRODUCER_EPOCH, crate::log::producers::NO_COORDINATOR_EPOCH);
        let (known_producer_epoch, known_coordinator_epoch) =
            known.producer.map_or(none, |producer| (producer.epoch, producer.coordinator_epoch));
        let marker = Marker {
            producer_epoch: batch.producer_epoch(),
            known_producer_epoch,
            own_epoch,
            is_open: known.producer.is_some_and(|it| it.current_txn_first_offset.is_some()),
            coordinator_epoch,
            known_coordinator_epoch,
        };
        match self.rules.check_marker(out, marker) {
            Ok(()) => {
                Admission::Append { ends_verification: self.ends_verification(known, batch, out) }
            }
            Err(error) => Admission::Refuse(error),
        }
    }

    fn ends_verification(self, known: Known<'_>, batch: Batch<'_>, out: &mut Outbox) -> bool {
        let Some(verification) = known.verification.filter(|_| batch.is_transactional()) else {
            return false;
        };
        let ending = Ending {
            is_marker: batch.is_control(),
            epoch: batch.producer_epoch(),
            verified_epoch: verification.epoch,
            bumps_epoch: verification.bumps_epoch,
        };
        self.rules.ends_verification(out, ending)
    }
}
