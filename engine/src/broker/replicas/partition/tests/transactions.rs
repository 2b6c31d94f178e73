//! Transactional batches, markers, and the end offset of readers of committed records.

use super::*;
use crate::log::Unverified;
use crate::protocol::{AbortedTransaction, ListedOffset, TxnMarker};

const PID: i64 = 7;

fn data(epoch: i16, sequence: i32, transactional: bool) -> Bytes {
    let mut batch = BatchBuilder::new().producer(PID, epoch, sequence).transactional(transactional);
    batch.append(1_000, None, Some(b"value"), &[]);
    batch.build()
}

/// The versions of the transaction protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

use Version::{One, Two};

impl Replica {
    fn verify(&mut self, version: Version, epoch: i16, sequence: i32) -> Result<u64, ErrorCode> {
        self.verification(version, epoch, sequence).map(|guard| guard.expect("a guard"))
    }

    fn verification(
        &mut self,
        version: Version,
        epoch: i16,
        first_sequence: i32,
    ) -> Result<Option<u64>, ErrorCode> {
        let guard = self.disk.writes.into();
        let bumps_epoch = version == Two;
        let batch = Unverified { producer_id: PID, epoch, first_sequence, bumps_epoch };
        self.with(|p, context, io| p.begin_verification(batch, guard, context, io))
    }

    fn produce(&mut self, batch: &Bytes, guard: Option<u64>) -> Result<Offset, ErrorCode> {
        self.with(|p, context, io| p.append_as_leader(batch, 1, guard, context, io).unwrap())
            .map_err(|refused| refused.error)
            .map(|appended| appended.base_offset)
    }

    /// A verified batch that opens a transaction.
    fn begin(&mut self, epoch: i16, sequence: i32) -> Offset {
        let guard = self.verify(Two, epoch, sequence).unwrap();
        self.produce(&data(epoch, sequence, true), Some(guard)).unwrap()
    }

    fn end(
        &mut self,
        producer_epoch: i16,
        coordinator_epoch: i32,
        committed: bool,
    ) -> Result<Offset, ErrorCode> {
        self.end_of(One, producer_epoch, coordinator_epoch, committed)
    }

    fn end_of(
        &mut self,
        version: Version,
        producer_epoch: i16,
        coordinator_epoch: i32,
        committed: bool,
    ) -> Result<Offset, ErrorCode> {
        let marker = TxnMarker {
            producer_id: PID,
            producer_epoch,
            committed,
            coordinator_epoch,
            own_epoch: version == Two,
            partitions: vec![ID],
        };
        self.with(|p, context, io| p.append_marker(&marker, context, io).unwrap())
            .map_err(|refused| refused.error)
            .map(|appended| appended.base_offset)
    }

    fn read(&mut self, isolation: Isolation, from: Offset) -> FetchedPartition {
        let request = self.request(from);
        self.fetch(Reader::Consumer(isolation), &request).0
    }

    fn latest(&mut self, isolation: Isolation) -> ListedOffset {
        let timestamp = LATEST_TIMESTAMP;
        let request = ListOffset { partition: ID, current_leader_epoch: None, timestamp };
        self.with(|p, context, io| p.list_offset(&request, isolation, false, context, io).unwrap())
    }

    fn stable(&mut self) -> Offset {
        self.read(Isolation::ReadUncommitted, 0).last_stable_offset
    }
}

#[test]
fn a_transaction_is_opened_only_with_the_guard_of_its_verification() {
    let mut leader = Replica::leader(&[1], 1);
    assert_eq!(leader.produce(&data(0, 0, true), None), Err(ErrorCode::InvalidTxnState));
    let guard = leader.verify(One, 0, 0).unwrap();
    let other = Some(guard + 100);
    assert_eq!(leader.produce(&data(0, 0, true), other), Err(ErrorCode::InvalidTxnState));
    assert_eq!(leader.produce(&data(0, 0, true), Some(guard)), Ok(0));
    assert_eq!(leader.verification(One, 0, 1), Ok(None), "the transaction is open");
    assert_eq!(leader.produce(&data(0, 1, true), None), Ok(1));
}

/// Without this a late batch would open a transaction that no marker ends.
#[test]
fn a_marker_between_verification_and_append_invalidates_the_guard() {
    let mut leader = Replica::leader(&[1], 1);
    let guard = leader.verify(One, 0, 0).unwrap();
    assert_eq!(leader.end(0, 5, false), Ok(0));
    assert_eq!(leader.produce(&data(0, 0, true), Some(guard)), Err(ErrorCode::InvalidTxnState));
    let again = leader.verify(One, 0, 0).unwrap();
    assert_ne!(again, guard, "the guard of an earlier verification is not valid");
    assert_eq!(leader.produce(&data(0, 0, true), Some(guard)), Err(ErrorCode::InvalidTxnState));
    assert_eq!(leader.produce(&data(0, 0, true), Some(again)), Ok(1));
}

/// Under version 2 the marker of a transaction has the epoch of the next one.
#[test]
fn the_marker_of_the_previous_transaction_keeps_the_guard() {
    let mut leader = Replica::leader(&[1], 1);
    leader.begin(0, 0);
    let guard = leader.verify(Two, 1, 0).unwrap();
    assert_eq!(leader.end(1, 5, true), Ok(1));
    assert_eq!(leader.produce(&data(1, 0, true), Some(guard)), Ok(2));
}

#[test]
fn a_copy_needs_no_guard() {
    let mut leader = Replica::leader(&[1], 1);
    let guard = leader.verify(One, 0, 0).unwrap();
    assert_eq!(leader.produce(&data(0, 0, true), Some(guard)), Ok(0));
    assert_eq!(leader.end(0, 5, true), Ok(1));
    assert_eq!(leader.produce(&data(0, 0, true), None), Ok(0), "its transaction is over");
    assert_eq!(leader.partition.log().end_offset(), 2);
}

#[test]
fn an_old_epoch_is_refused_before_any_other_error() {
    let mut leader = Replica::leader(&[1], 1);
    let guard = leader.verify(Two, 0, 0).unwrap();
    assert_eq!(leader.end(1, 5, false), Ok(0));
    assert_eq!(
        leader.verify(Two, 0, 0),
        Err(ErrorCode::InvalidProducerEpoch),
        "before any verification"
    );
    let late = leader.produce(&data(0, 0, true), Some(guard));
    assert_eq!(late, Err(ErrorCode::InvalidProducerEpoch), "KAFKA-19690");
    let mut follower = Replica::new(2, 1);
    assert_eq!(follower.verify(Two, 0, 0), Err(ErrorCode::NotLeaderOrFollower));
}

#[test]
fn a_transaction_begins_with_the_smallest_sequence_that_needed_verification() {
    let tries = |version, sequences: &[i32]| {
        let mut leader = Replica::leader(&[1], 1);
        let mut guard = None;
        for sequence in sequences {
            guard = Some(leader.verify(version, 0, *sequence).unwrap());
        }
        let last = *sequences.last().unwrap();
        leader.produce(&data(0, last, true), guard)
    };
    assert_eq!(tries(One, &[7]), Ok(0), "version 1: nothing was tried before");
    assert_eq!(tries(One, &[0, 7]), Err(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(tries(One, &[7, 0]), Ok(0));
    assert_eq!(tries(Two, &[3]), Err(ErrorCode::OutOfOrderSequenceNumber), "version 2: only 0");
    assert_eq!(tries(Two, &[0]), Ok(0));
}

#[test]
fn while_a_transaction_is_open_only_transactional_batches_are_written() {
    let mut leader = Replica::leader(&[1], 1);
    leader.begin(0, 0);
    assert_eq!(leader.produce(&data(0, 1, false), None), Err(ErrorCode::InvalidTxnState));
    leader.end(0, 5, true).unwrap();
    assert_eq!(leader.produce(&data(0, 1, false), None), Ok(2), "a marker keeps the sequences");
}

#[test]
fn without_verification_a_late_batch_opens_a_hanging_transaction() {
    let mut leader = Replica::leader(&[1], 1);
    leader.context.config.transaction_partition_verification = false;
    assert_eq!(leader.verification(One, 0, 3), Ok(None));
    assert_eq!(leader.produce(&data(0, 3, true), None), Ok(0), "with any first sequence");
    assert_eq!(leader.stable(), 0);
    let guard = leader.verification(Two, 1, 0).unwrap();
    assert!(guard.is_some(), "version 2 adds the partition in any case");
}

#[test]
fn markers_are_refused_by_epoch_then_by_coordinator() {
    let mut leader = Replica::leader(&[1], 1);
    assert_eq!(leader.end(3, -1, false), Ok(0), "of an administrator, for an unknown producer");
    assert_eq!(leader.end(3, 5, true), Ok(1));
    assert_eq!(leader.end(3, 5, true), Ok(2), "a repeat is harmless");
    assert_eq!(leader.end(2, 9, true), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(
        leader.end(2, 4, true),
        Err(ErrorCode::InvalidProducerEpoch),
        "the producer epoch is checked first"
    );
    assert_eq!(leader.end(3, 4, true), Err(ErrorCode::TransactionCoordinatorFenced));
    assert_eq!(leader.end(3, -1, true), Err(ErrorCode::TransactionCoordinatorFenced));
    assert_eq!(leader.end(4, 6, true), Ok(3));
}

/// KAFKA-19446 and KAFKA-19999: a marker of version 2 has the epoch of the next transaction.
#[test]
fn a_late_marker_ends_no_later_transaction_and_a_repeated_one_is_harmless() {
    let mut leader = Replica::leader(&[1], 1);
    leader.begin(0, 0);
    assert_eq!(leader.end_of(Two, 1, 5, true), Ok(1));
    assert_eq!(leader.end_of(Two, 1, 5, true), Ok(2), "its first response was lost");
    leader.begin(1, 0);
    assert_eq!(leader.end_of(Two, 1, 5, true), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(leader.stable(), 3);
    assert_eq!(leader.end_of(Two, 2, 5, false), Ok(4));
}

#[test]
fn a_marker_needs_enough_in_sync_replicas_and_a_leader() {
    let mut leader = Replica::leader(&[1], 2);
    assert_eq!(leader.end(0, 5, true), Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(Replica::new(2, 1).end(0, 5, true), Err(ErrorCode::NotLeaderOrFollower));
}

#[test]
fn a_marker_of_a_new_epoch_resets_the_sequences() {
    let mut leader = Replica::leader(&[1], 1);
    leader.begin(0, 0);
    leader.end(1, 5, true).unwrap();
    let described = leader.partition.describe_producers().unwrap()[0];
    assert_eq!((described.producer_epoch, described.last_sequence), (1, -1));
    assert_eq!((described.coordinator_epoch, described.current_txn_start_offset), (5, -1));
    assert_eq!(leader.verify(Two, 1, 0).map(|_| ()), Ok(()));
    assert_eq!(
        Replica::new(2, 1).partition.describe_producers(),
        Err(ErrorCode::NotLeaderOrFollower)
    );
}

#[test]
fn readers_of_committed_data_stop_at_the_oldest_open_transaction() {
    let mut leader = Replica::leader(&[1], 1);
    leader.append(1).unwrap();
    leader.begin(0, 0);
    leader.append(1).unwrap();
    let committed = leader.read(Isolation::ReadCommitted, 0);
    assert_eq!((committed.last_stable_offset, committed.records.0.len()), (1, 1));
    assert_eq!(committed.aborted_transactions, Some(vec![]));
    let uncommitted = leader.read(Isolation::ReadUncommitted, 0);
    assert_eq!((uncommitted.high_watermark, uncommitted.records.0.len()), (3, 3));
    assert_eq!(uncommitted.aborted_transactions, None);
    let between = leader.read(Isolation::ReadCommitted, 2);
    assert_eq!((between.error, between.records.0.len()), (ErrorCode::None, 0));
    assert_eq!(between.aborted_transactions, Some(vec![]));
    let beyond = leader.read(Isolation::ReadCommitted, 4);
    let out_of_range = (ErrorCode::OffsetOutOfRange, None, -1);
    assert_eq!(
        (beyond.error, beyond.aborted_transactions, beyond.last_stable_offset),
        out_of_range
    );

    leader.end(1, 5, false).unwrap();
    let committed = leader.read(Isolation::ReadCommitted, 0);
    assert_eq!((committed.last_stable_offset, committed.records.0.len()), (4, 4));
    let aborted = AbortedTransaction { producer_id: PID, first_offset: 1 };
    assert_eq!(committed.aborted_transactions, Some(vec![aborted]));
    let at = |leader: &mut Replica, from| {
        leader.read(Isolation::ReadCommitted, from).aborted_transactions.map(|all| all.len())
    };
    assert_eq!([at(&mut leader, 3), at(&mut leader, 4)], [Some(1), Some(0)], "up to the marker");
}

#[test]
fn a_transaction_is_decided_when_its_marker_is_replicated() {
    let mut leader = Replica::leader(&[1, 2], 1);
    leader.begin(0, 0);
    leader.follower_fetch(2, 1);
    leader.end(1, 5, true).unwrap();
    assert_eq!((leader.hw(), leader.stable()), (1, 0));
    leader.follower_fetch(2, 2);
    assert_eq!((leader.hw(), leader.stable()), (2, 2));
}

#[test]
fn the_latest_offset_for_committed_records_is_the_last_stable_offset() {
    let mut leader = Replica::leader(&[1], 1);
    leader.append(1).unwrap();
    leader.begin(0, 0);
    assert_eq!(leader.latest(Isolation::ReadCommitted).offset, 1);
    assert_eq!(leader.latest(Isolation::ReadUncommitted).offset, 2);
    leader.lead(&state(1, &[1], (1, 1)));
    let listed = leader.latest(Isolation::ReadCommitted);
    assert_eq!(
        (listed.error, listed.offset),
        (ErrorCode::None, 1),
        "KIP-207 applies to the high watermark"
    );
}
