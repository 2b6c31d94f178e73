//! Transactional producers at the leader: which batch may open a transaction in a partition, and which
//! marker may end one (`UnifiedLog.analyzeAndValidateProducerState`, `ProducerAppendInfo`; KIP-98,
//! KIP-890).

use crate::error::ErrorCode;

/// A batch of a producer with a transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starting {
    /// The leader has a transaction of the batch's producer and epoch open.
    pub in_transaction: bool,
    /// The batch adds its partition to the transaction (transactions version 2); a producer of version 1
    /// has added it before.
    pub adds_partition: bool,
    /// `transaction.partition.verification.enable`
    pub verifies: bool,
}

/// Whether the coordinator is asked before a batch is appended: if the batch would open a transaction
/// here. Without the question a late batch opens one that the coordinator knows nothing of, so that no
/// marker ever ends it (KIP-890).
pub fn needs_verification(starting: Starting) -> bool {
    !starting.in_transaction && (starting.adds_partition || starting.verifies)
}

/// The guard of a transactional batch beside that of its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// The guard that the leader has now; `None`: a transaction has begun or ended since the question.
    pub registered: Option<u64>,
    /// The guard that the question to the coordinator got; `None`: there was none, as a transaction was
    /// open then.
    pub presented: Option<u64>,
    /// The leader has a transaction of the batch's producer and epoch open.
    pub in_transaction: bool,
    /// `transaction.partition.verification.enable`
    pub verifies: bool,
}

/// Whether a transactional batch is part of a transaction that is open at the coordinator: one is open
/// here, or the coordinator has said so and no marker has come since.
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
    /// The smallest that came to be verified in this epoch.
    pub lowest: i32,
    /// The leader remembers batches of the producer.
    pub has_batches: bool,
    /// The producer begins a new epoch, and at sequence 0, with each transaction (version 2).
    pub bumps_epoch: bool,
}

/// Whether a batch may begin a transaction here: not before one with a smaller sequence that failed to
/// be verified and will be sent again, and under version 2 not with any sequence but 0.
pub fn check_first_sequence(sequence: FirstSequence) -> Result<(), ErrorCode> {
    let FirstSequence { first, lowest, has_batches, bumps_epoch } = sequence;
    if (bumps_epoch && first != 0 && !has_batches) || first > lowest {
        return Err(ErrorCode::OutOfOrderSequenceNumber);
    }
    Ok(())
}

/// A batch beside the transaction of its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The batch is transactional.
    pub transactional: bool,
    /// A transaction of its producer is open, whatever its epoch.
    pub open: bool,
}

/// Whether a producer may write this now: while its transaction is open, nothing outside of it.
pub fn check_transactional(written: Written) -> Result<(), ErrorCode> {
    if written.open && !written.transactional { Err(ErrorCode::InvalidTxnState) } else { Ok(()) }
}

/// A transactional batch or marker that is appended while a transaction is being verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// It is a marker.
    pub is_marker: bool,
    /// Its epoch.
    pub epoch: i16,
    /// The epoch that is being verified.
    pub verified_epoch: i16,
    /// The producer begins a new epoch with each transaction (version 2).
    pub bumps_epoch: bool,
}

/// Whether the verification ends with it, so that a batch which comes back from it is refused. Under
/// version 2 a marker of the epoch that is being verified ends the transaction before it, and changes
/// nothing.
pub fn ends_verification(ending: Ending) -> bool {
    !(ending.is_marker && ending.bumps_epoch && ending.epoch == ending.verified_epoch)
}

/// A marker beside what the leader knows of its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The producer's epoch in the marker.
    pub producer_epoch: i16,
    /// The latest epoch that the leader has seen; -1: none.
    pub known_producer_epoch: i16,
    /// The epoch of the coordinator that sends it.
    pub coordinator_epoch: i32,
    /// The epoch of the coordinator that sent the last one; -1: none.
    pub known_coordinator_epoch: i32,
}

/// Whether a leader writes a marker: not of an epoch that its producer has left, and not of a
/// coordinator that has been replaced (KIP-98).
pub fn check_marker(marker: Marker) -> Result<(), ErrorCode> {
    if marker.producer_epoch < marker.known_producer_epoch {
        Err(ErrorCode::InvalidProducerEpoch)
    } else if marker.coordinator_epoch < marker.known_coordinator_epoch {
        Err(ErrorCode::TransactionCoordinatorFenced)
    } else {
        Ok(())
    }
}
