//! Verifications of transactions: which batches end them.

use super::*;
use crate::log::{Admission, Known, Led, Unverified};
use crate::record::EndTransactionMarker;

fn unverified(epoch: i16, first_sequence: i32, bumps_epoch: bool) -> Unverified {
    Unverified { producer_id: 1, epoch, first_sequence, bumps_epoch }
}

fn data(producer: i64, epoch: i16) -> Bytes {
    let mut batch = BatchBuilder::new().producer(producer, epoch, 0).transactional(true);
    batch.append(NOW.0, None, Some(b"value"), &[]);
    batch.build()
}

fn marker(epoch: i16) -> Bytes {
    EndTransactionMarker { committed: false, coordinator_epoch: 7 }.batch(1, epoch, NOW.0)
}

/// The guard of producer 1, which a refused append shows.
fn guard(log: &mut Log, disk: &mut TestDisk) -> Option<u64> {
    let mut guard = None;
    let see = |known: Known<'_>, _: Batch<'_>| {
        guard = known.verification.map(|verification| verification.guard);
        Admission::Refuse(crate::error::ErrorCode::InvalidProducerEpoch)
    };
    let led = log.lead(data(1, 0), 0, NOW, see, disk).expect("no append");
    assert!(matches!(led, Led::Refused { .. }));
    guard
}

#[test]
fn a_second_batch_joins_the_verification_under_way() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    assert_eq!(log.begin_verification(unverified(0, 5, false), 11, NOW), 11);
    assert_eq!(log.begin_verification(unverified(0, 2, false), 12, NOW), 11);
    let mut seen = None;
    let see = |known: Known<'_>, _: Batch<'_>| {
        seen = known.verification.copied();
        Admission::Append { ends_verification: false }
    };
    log.lead(data(1, 0), 0, NOW, see, &mut disk).expect("an append");
    let seen = seen.expect("a verification");
    assert_eq!((seen.lowest_sequence, seen.epoch), (2, 0), "the smallest sequence counts");
    assert_eq!(log.begin_verification(unverified(1, 7, false), 13, NOW), 11);
    assert_eq!(log.begin_verification(unverified(0, 0, false), 14, NOW), 11);
}

#[test]
fn a_transactional_batch_or_a_marker_ends_a_verification() {
    for batch in [data(1, 0), marker(0)] {
        let mut disk = TestDisk::default();
        let (mut log, _) = open(&mut disk, false, 0);
        log.begin_verification(unverified(0, 0, false), 11, NOW);
        log.append_as_leader(data(2, 0), 0, NOW, &mut disk).expect("an append");
        assert_eq!(guard(&mut log, &mut disk), Some(11), "another producer ends nothing");
        log.append_as_leader(batch, 0, NOW, &mut disk).expect("an append");
        assert_eq!(guard(&mut log, &mut disk), None);
        assert_eq!(log.begin_verification(unverified(0, 0, false), 12, NOW), 12);
    }
}

#[test]
fn a_marker_of_the_previous_transaction_does_not_end_a_verification() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    log.begin_verification(unverified(3, 0, true), 11, NOW);
    log.append_as_leader(marker(3), 0, NOW, &mut disk).expect("an append");
    assert_eq!(guard(&mut log, &mut disk), Some(11), "transaction n ends with epoch n + 1");
    log.append_as_leader(marker(4), 0, NOW, &mut disk).expect("an append");
    assert_eq!(guard(&mut log, &mut disk), None);
}

#[test]
fn a_replicated_batch_ends_a_verification_too() {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    log.begin_verification(unverified(0, 0, false), 11, NOW);
    log.append_as_follower(crate::record::stamp(marker(0), 0, 0), &mut disk).expect("a copy");
    assert_eq!(guard(&mut log, &mut disk), None, "the next leader ended the transaction");
}

#[test]
fn a_verification_without_a_response_expires() {
    let day = 24 * 3600 * 1000;
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    log.begin_verification(unverified(0, 0, false), 11, NOW);
    log.expire_producers(Wall(NOW.0 + day - 1), |_| false);
    assert_eq!(guard(&mut log, &mut disk), Some(11));
    log.expire_producers(Wall(NOW.0 + day), |_| false);
    assert_eq!(guard(&mut log, &mut disk), None);
}
