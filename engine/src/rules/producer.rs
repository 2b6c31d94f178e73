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
