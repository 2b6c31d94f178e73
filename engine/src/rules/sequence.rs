//! Idempotent producers at the leader: which batch is a duplicate, which is the next, and how long
//! a producer is remembered (`ProducerAppendInfo`, `ProducerStateEntry`, `ProducerStateManager`;
//! KIP-98, KIP-360), and where their ids come from (KIP-730).

use crate::error::ErrorCode;
use crate::log::{BatchMeta, Producer};
use crate::record::NO_PRODUCER_EPOCH;

/// A batch of a producer that the leader knows.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The epoch of the batch.
    pub epoch: i16,
    /// The sequence of its first record.
    pub first: i32,
    /// The sequence of its last record.
    pub last: i32,
    /// The leader's state of the producer.
    pub known: &'a Producer,
}

/// The batch in the log of which a batch is a copy: one of the last five of that producer, of the
/// same epoch, with the same first and last sequence. A producer has at most five batches in
/// flight; if the leader remembered fewer, it would refuse a copy of an earlier batch, and the
/// producer would send the records again under another epoch (KAFKA-5494).
pub fn duplicate_of(sent: Sent<'_>) -> Option<BatchMeta> {
    let of_epoch = sent.known.epoch == sent.epoch;
    let is_copy = |batch: &&BatchMeta| {
        batch.first_sequence() == sent.first && batch.last_sequence == sent.last
    };
    sent.known.batches().iter().filter(|_| of_epoch).find(is_copy).copied()
}

/// The epoch of a batch, and that of its producer at the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerEpochs {
    /// The epoch of the batch.
    pub batch: i16,
    /// The latest epoch that the leader has seen; -1: none.
    pub known: i16,
}

/// Refuses a batch of an epoch that its producer has left: batches that were in flight when the
/// producer began a new epoch must not be appended (KIP-360).
pub fn check_producer_epoch(epochs: ProducerEpochs) -> Result<(), ErrorCode> {
    if epochs.batch < epochs.known { Err(ErrorCode::InvalidProducerEpoch) } else { Ok(()) }
}

/// The sequence of a batch, and the leader's state of its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The epoch of the batch.
    pub epoch: i16,
    /// The sequence of its first record.
    pub first: i32,
    /// The latest epoch that the leader has seen; -1: the producer is unknown.
    pub known_epoch: i16,
    /// The last sequence in that epoch; -1: none.
    pub last: i32,
    /// The batch is part of a transaction.
    pub transactional: bool,
}

/// Whether a batch is the next one of its producer. A new epoch begins with sequence 0. In the same
/// epoch a batch follows the last one, and 0 follows the largest sequence (KAFKA-7692); anything
/// else is a gap, or a copy of a batch that is no longer remembered.
///
/// An unknown idempotent producer begins with sequence 0, too. If its batches were deleted, or it
/// was forgotten, it takes the refusal for a gap and begins a new epoch. Kafka accepts any sequence
/// from it (KIP-360). But a producer is also unknown to a new leader while its first batches are
/// still on their way to the previous leader (FL-4). An unknown transactional producer may begin
/// with any sequence: if an earlier batch is refused, its transaction is aborted.
pub fn check_sequence(sequence: Sequence) -> Result<(), ErrorCode> {
    let Sequence { epoch, first, known_epoch, last, transactional } = sequence;
    let next = if last == i32::MAX { 0 } else { last + 1 };
    let expected = if epoch == known_epoch { next } else { 0 };
    let may_begin_anywhere = transactional && known_epoch == NO_PRODUCER_EPOCH;
    if first == expected || may_begin_anywhere {
        Ok(())
    } else {
        Err(ErrorCode::OutOfOrderSequenceNumber)
    }
}

/// Whether a new leader keeps its state of producers, as in Kafka: followers build this state from
/// the batches that they append. A leader without it would treat every copy as a new batch.
pub fn keeps_producers(was_following: bool) -> bool {
    let _ = was_following;
    true
}

/// A producer that has sent nothing for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The time since the timestamp of its last batch or marker, in milliseconds.
    pub silent_ms: i64,
    /// `producer.id.expiration.ms`
    pub expiration_ms: i64,
}

/// Whether a producer is forgotten (KAFKA-9144: markers count like batches).
pub fn is_forgotten(silence: Silence) -> bool {
    silence.silent_ms >= silence.expiration_ms
}

/// The first id of the block that the controller allocates: the first id that its log has not
/// allocated. A controller that treated the block in use as the next one would allocate it again
/// after a failover (KAFKA-13357, KAFKA-15552).
pub fn first_of_block(next_producer_id: i64) -> i64 {
    next_producer_id
}
