//! What a producer does with records and batches, where order and keys depend on it
//! (`BuiltInPartitioner`, `RecordAccumulator`, `Sender`).

/// Over how many of a topic's partitions keys are spread, of which `with_leader` can be written to
/// at the moment: over all of them. Records without key may avoid a partition that has no leader;
/// those of a key that did would leave their order behind (KIP-480).
pub fn partitions_for_keys(all: usize, with_leader: usize) -> usize {
    let _ = with_leader;
    all
}

/// Whether nothing else of a partition is sent while one of its batches is in flight: only
/// `max.in.flight.requests.per.connection` of 1 promises order without idempotence. The limit of
/// the connection alone does not keep it: after an election the next batch goes over another one
/// (`guaranteeMessageOrder`, KAFKA-3197).
pub fn mutes_partition(max_in_flight: usize) -> bool {
    max_in_flight == 1
}

/// Among `waiting` batches of its partition, the place of one that is sent again: the first. They
/// are younger (`RecordAccumulator.reenqueue`).
pub fn place_of_retry(waiting: usize) -> usize {
    let _ = waiting;
    0
}
