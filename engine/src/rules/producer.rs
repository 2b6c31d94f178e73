//! Where the order and the partition of a producer's records are decided (`BuiltInPartitioner`,
//! `RecordAccumulator`, `Sender`).

/// The partitions of a topic, as a producer knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// All of them.
    pub all: usize,
    /// Those that have a leader at the moment.
    pub with_leader: usize,
}

/// Over how many partitions keys are spread: over all of them. Records without a key may avoid a
/// partition that has no leader; records with a key that did so would lose their order (KIP-480).
pub fn partitions_for_keys(partitions: Partitions) -> usize {
    partitions.all
}

/// Whether nothing else of a partition is sent while one of its batches is in flight: only
/// `max.in.flight.requests.per.connection` of 1 promises order without idempotence. The limit per
/// connection alone does not keep order: after an election the next batch uses another connection
/// (`guaranteeMessageOrder`, KAFKA-3197).
pub fn mutes_partition(max_in_flight: usize) -> bool {
    max_in_flight == 1
}

/// The place of a batch to be retried among the `waiting` batches of its partition: the first,
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

/// The place of such a batch: behind those with smaller sequences. Several batches of a partition can
/// be in flight at two leaders, and come back in any order (`insertInSequenceOrder`).
pub fn place_in_sequence(retry: Retry<'_>) -> usize {
    retry.front.iter().take_while(|other| **other < retry.sequence).count()
}

/// Whether a new batch is sent while it is not known whether an expired one before it was written: no.
/// The leader would refuse it as a gap, or the two would be written in the wrong order (KIP-360).
pub fn sends_behind_unresolved(attempts: u32) -> bool {
    let _ = attempts;
    false
}

/// A batch of an idempotent producer that is given up after a response, or after it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// It could have been sent again by the number of its `retries`.
    pub retries_left: bool,
    /// Some transmission had no definite outcome: it may stand in the log.
    pub maybe_written: bool,
    /// Batches of its partition with smaller sequences have no outcome yet, and would be renumbered
    /// with those behind it. False for a transactional producer, which moves only those behind it.
    pub in_front: bool,
}

/// Whether a batch that is given up has left a gap for certain. Then the producer goes on in a new
/// epoch, and what it has in flight behind the batch begins at 0 there. If the batch may stand in the
/// log, so may those behind it; those in front of it may stand there in any case, and under another epoch
/// they would be stored again. Then it is treated as one that expired while it was sent again: those in
/// front of it get their outcome first, and what becomes of the next one shows whether there is a gap.
/// Kafka 4.1 looks at the retries alone (`Sender.completeBatch`), does not wait for those in front, and
/// takes a batch for missing whose time was over when its last answer failed to come (KAFKA-14034).
pub fn leaves_gap(failure: Failure) -> bool {
    failure.retries_left && !failure.maybe_written && !failure.in_front
}

/// Whether the sequences of a partition outlive a time in which the metadata names no leader: they do,
/// because the leader's memory does. A producer that began at 0 again under the same epoch would have
/// its new batches taken for copies of old ones, and confirmed without being written.
pub fn keeps_sequences(has_leader: bool) -> bool {
    let _ = has_leader;
    true
}
