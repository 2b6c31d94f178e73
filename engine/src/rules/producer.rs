//! Order and partitions of a producer's records (`BuiltInPartitioner`, `RecordAccumulator`,
//! `Sender`).

/// The partitions of a topic, as a producer knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// The number of all partitions.
    pub all: usize,
    /// The number of partitions that have a leader at present.
    pub with_leader: usize,
}

/// The number of partitions over which keys are spread: all of them. Records without a key may
/// avoid a partition that has no leader; records with a key would lose their order (KIP-480).
pub fn partitions_for_keys(partitions: Partitions) -> usize {
    partitions.all
}

/// Whether no other batch of a partition is sent while one is in flight: only
/// `max.in.flight.requests.per.connection` of 1 promises order without idempotence. The limit per
/// connection alone does not keep order: after an election the next batch uses another connection
/// (`guaranteeMessageOrder`, KAFKA-3197).
pub fn mutes_partition(max_in_flight: usize) -> bool {
    max_in_flight == 1
}

/// The position of a batch to be retried among the `waiting` batches of its partition: the first,
/// because the others are younger (`RecordAccumulator.reenqueue`).
pub fn place_of_retry(waiting: usize) -> usize {
    let _ = waiting;
    0
}

/// A batch of an idempotent producer that is to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry<'a> {
    /// The sequence of its first record.
    pub sequence: i32,
    /// The first sequences of the batches at the front of the queue that have been sent before.
    pub front: &'a [i32],
}

/// The position of a batch to be sent again: behind the batches with smaller sequences. Several
/// batches of a partition can be in flight to two leaders, and can fail in any order
/// (`insertInSequenceOrder`).
pub fn place_in_sequence(retry: Retry<'_>) -> usize {
    retry.front.iter().take_while(|other| **other < retry.sequence).count()
}

/// Whether a new batch is sent while it is unknown whether an earlier, expired batch was written:
/// no. The leader would refuse the new batch as a gap, or both would be written in the wrong order
/// (KIP-360).
pub fn sends_behind_unresolved(attempts: u32) -> bool {
    let _ = attempts;
    false
}

/// A batch of an idempotent producer that has failed, with or without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether its `retries` would have allowed another attempt.
    pub retries_left: bool,
    /// Whether some transmission had no definite outcome, so that the batch may be in the log.
    pub maybe_written: bool,
    /// Whether batches of its partition with smaller sequences have no outcome yet, and would be
    /// renumbered with those behind it. False for a transactional producer, which renumbers only
    /// the batches behind it.
    pub in_front: bool,
}

/// Whether a failed batch has certainly left a gap. If so, the producer continues in a new epoch,
/// in which the batches in flight behind the failed one begin at sequence 0. If not, batches that
/// are in the log already would be stored again under the new epoch: those in front of the failed
/// batch, and those behind it if it was written. So the failed batch is treated like one that
/// expired during a retry: the batches in front of it get their outcome first, and the outcome of
/// the next batch shows whether there is a gap. Kafka 4.1 checks the retries alone
/// (`Sender.completeBatch`), does not wait for batches in front, and treats a batch as missing if
/// it expired without its last response (KAFKA-14034).
pub fn leaves_gap(failure: Failure) -> bool {
    failure.retries_left && !failure.maybe_written && !failure.in_front
}

/// Whether a partition keeps its sequences while the metadata has no leader for it: yes, because
/// the replicas keep their state of the producer. If the producer started again at 0 under the same
/// epoch, leaders would treat its new batches as copies of old ones, and confirm them without
/// writing them.
pub fn keeps_sequences(has_leader: bool) -> bool {
    let _ = has_leader;
    true
}
