//! Transactions at the leader of a partition: which batch may open one, and which marker may end
//! one (`UnifiedLog.analyzeAndValidateProducerState`, `ProducerAppendInfo`; KIP-98, KIP-890).

use crate::error::ErrorCode;

/// A batch of a producer with a transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starting {
    /// The leader has a transaction of the batch's producer and epoch open.
    pub in_transaction: bool,
    /// The batch adds its partition to the transaction (transactions version 2); a producer of
    /// version 1 has asked the coordinator to add it before.
    pub adds_partition: bool,
    /// `transaction.partition.verification.enable`
    pub verifies: bool,
}

/// Whether the coordinator is asked before a batch is appended: only if the batch would open a
/// transaction here. Otherwise a late batch could open a transaction that the coordinator does not
/// know, and no marker would ever end it (KIP-890).
pub fn needs_verification(starting: Starting) -> bool {
    !starting.in_transaction && (starting.adds_partition || starting.verifies)
}

/// The guard of a transactional batch, beside the guard of its producer at the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// The producer's guard at the leader now; `None`: no verification is under way.
    pub registered: Option<u64>,
    /// The guard at the time when the coordinator was asked about the batch; `None`: it was not
    /// asked.
    pub presented: Option<u64>,
    /// The leader has a transaction of the batch's producer and epoch open.
    pub in_transaction: bool,
    /// `transaction.partition.verification.enable`
    pub verifies: bool,
}

/// Whether a transactional batch is part of a transaction that is open at the coordinator: either
/// one is open here, or the coordinator has confirmed it and nothing has ended the verification
/// since. Without verification every batch passes.
pub fn check_guard(guards: Guards) -> Result<(), ErrorCode> {
    let Guards { registered, presented, in_transaction, verifies } = guards;
    let is_verified = presented.is_some() && presented == registered;
    if in_transaction || is_verified || !verifies {
        Ok(())
    } else {
        Err(ErrorCode::InvalidTxnState)
    }
}

/// The first sequence of a batch of a producer whose transaction is being verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstSequence {
    /// The sequence of its first record.
    pub first: i32,
    /// The smallest first sequence of the batches that needed verification in this epoch.
    pub lowest: i32,
    /// The leader has batches of the producer in its state.
    pub has_batches: bool,
    /// The producer begins each transaction in a new epoch, at sequence 0 (version 2).
    pub bumps_epoch: bool,
}

/// Whether a batch may begin a transaction here. A batch with a smaller sequence that needed
/// verification has to be appended first: if its verification failed, it will be sent again. Under
/// version 2 the first batch that the leader has of a producer begins at 0.
pub fn check_first_sequence(sequence: FirstSequence) -> Result<(), ErrorCode> {
    let FirstSequence { first, lowest, has_batches, bumps_epoch } = sequence;
    if (bumps_epoch && first != 0 && !has_batches) || first > lowest {
        return Err(ErrorCode::OutOfOrderSequenceNumber);
    }
    Ok(())
}

/// A batch, and whether its producer has a transaction open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The batch is transactional.
    pub transactional: bool,
    /// A transaction of its producer is open, whatever its epoch.
    pub open: bool,
}

/// Whether a producer may write a batch: while its transaction is open, only transactional ones.
pub fn check_transactional(written: Written) -> Result<(), ErrorCode> {
    if written.open && !written.transactional { Err(ErrorCode::InvalidTxnState) } else { Ok(()) }
}

/// A transactional batch or marker that is appended while a transaction is being verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// A marker, not a batch.
    pub is_marker: bool,
    /// The producer epoch of the batch or marker.
    pub epoch: i16,
    /// The epoch that is being verified.
    pub verified_epoch: i16,
    /// The producer begins each transaction in a new epoch (version 2).
    pub bumps_epoch: bool,
}

/// Whether the batch or marker ends the verification, so that a batch which holds its guard is
/// refused. Under version 2 a marker with the epoch under verification does not: it ends the
/// transaction before.
pub fn ends_verification(ending: Ending) -> bool {
    !(ending.is_marker && ending.bumps_epoch && ending.epoch == ending.verified_epoch)
}

/// A marker, beside the leader's state of its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The producer's epoch in the marker.
    pub producer_epoch: i16,
    /// The producer's latest epoch at the leader; -1: none.
    pub known_producer_epoch: i16,
    /// Every transaction of the producer has an epoch of its own (version 2), and the marker that of the
    /// next one.
    pub own_epoch: bool,
    /// A transaction of the producer is open here.
    pub is_open: bool,
    /// The epoch of the coordinator that sends the marker.
    pub coordinator_epoch: i32,
    /// The epoch of the coordinator that sent the producer's last marker; -1: none.
    pub known_coordinator_epoch: i32,
}

/// Whether a leader writes a marker: not for an epoch that the producer has left, and not from a
/// coordinator that has been replaced (KIP-98). Under version 2 an open transaction has the epoch of the marker
/// that ended the previous one, and a late copy of that marker must not end it (KAFKA-19446). While
/// nothing is open, a copy is the coordinator's second attempt, and is written once more (KAFKA-19999).
pub fn check_marker(marker: Marker) -> Result<(), ErrorCode> {
    let is_of_open =
        marker.own_epoch && marker.is_open && marker.producer_epoch == marker.known_producer_epoch;
    if marker.producer_epoch < marker.known_producer_epoch || is_of_open {
        Err(ErrorCode::InvalidProducerEpoch)
    } else if marker.coordinator_epoch < marker.known_coordinator_epoch {
        Err(ErrorCode::TransactionCoordinatorFenced)
    } else {
        Ok(())
    }
}
