//! Logs that do not begin at offset 0, or have gaps.

use super::{finish, good, names};
use crate::check::Findings;
use crate::evidence::{Change, End, Fate, View};
use crate::observer::Observer;
use crate::testing::{History, METADATA, ORDERS, batch, numbers};
use bytes::Bytes;
use engine::fact::Fact;
use engine::metadata::{MetadataRecord, PartitionChange};
use engine::record::{Batch, BatchBuilder, Codec, EndTransactionMarker};
use machine::NodeId;

/// A replica restarts with a log that begins at `start`.
fn starts_at(history: &mut History, id: u16, start: i64) {
    history.crash(id);
    history.node(id, Change::Started);
    let log = history.disks.get_mut(&(id, ORDERS)).unwrap();
    log.retain(|batch| Batch::new(batch).unwrap().next_offset() > start);
    let log_end = history.end(id, ORDERS);
    let fact = Fact::Loaded {
        partition: ORDERS,
        log_start: start,
        log_end,
        high_watermark: log_end,
        clean: false,
        cut_bytes: 0,
    };
    history.fact(id, fact);
}

#[test]
fn records_below_a_higher_log_start_are_not_lost() {
    let mut history = good();
    // Retention has deleted two batches of broker 2, which becomes the leader.
    starts_at(&mut history, 2, 8);
    history.elect(2, 1, &[1, 2, 3], &[]);
    let history = finish(history, 2);
    let names: Vec<_> =
        names(&history).into_iter().filter(|it| *it != "polls-contiguous").collect();
    assert_eq!(names, Vec::<&str>::new());
    let (view, end, _): (View, End, _) = history.run();
    let index = view.partitions.iter().position(|it| it.id == ORDERS).unwrap();
    assert_eq!((view.partitions[index].start, end.finals[index].start), (8, 8));
    assert_eq!(end.finals[index].records.end(), Some(40));
    assert!(view.partitions[index].losses.is_empty());
}

#[test]
fn a_leader_may_have_a_lower_log_start_than_the_previous_one() {
    let mut history = good();
    starts_at(&mut history, 2, 8);
    history.elect(2, 1, &[1, 2, 3], &[]);
    history.elect(1, 2, &[1, 2, 3], &[]);
    let history = finish(history, 1);
    assert_eq!(names(&history), Vec::<&str>::new());
}

#[test]
fn missing_first_batches_without_a_higher_log_start_are_reported() {
    let mut history = finish(good(), 1);
    history.disks.get_mut(&(2, ORDERS)).unwrap().drain(..2);
    assert_eq!(names(&history), ["replicas-equal"]);
}

/// The batch of four records at offset 4 as compaction leaves it, with the records `left`.
fn compacted(left: &[usize], codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new().base_offset(4).leader_epoch(0).codec(codec);
    for (delta, number) in numbers(4..8).into_iter().enumerate() {
        if left.contains(&delta) {
            builder.append_at(delta as i32, 1_000, None, Some(&number.to_be_bytes()), &[]);
        }
    }
    builder.extend_to(3);
    builder.build()
}

#[test]
fn a_batch_is_recognised_after_compaction_has_rewritten_it() {
    let with = |bytes: Bytes, compacts: bool| {
        let mut history = History::new(2);
        history.setup.topics[0].compacted = compacts;
        let mut start = History::new(2);
        start.setup = history.setup;
        start.produce(&numbers(0..4));
        start.produce(&numbers(4..8));
        let mut history = finish(start, 1);
        history.disks.get_mut(&(3, ORDERS)).unwrap()[1] = bytes;
        names(&history)
    };
    for bytes in [compacted(&[1, 3], Codec::None), compacted(&[0, 1, 2, 3], Codec::Gzip)] {
        assert_eq!(with(bytes.clone(), true), Vec::<&str>::new());
        assert_eq!(with(bytes, false), ["replicas-equal"], "nothing rewrites these");
    }
    // Other records at these offsets are another batch.
    assert_eq!(with(batch(4, 0, &numbers(5..9)), true), ["replicas-equal"]);
}

#[test]
fn a_marker_decides_the_outcome_of_the_batches_before_it() {
    let mut history = History::new(2);
    let data = |base: i64, producer: i64, number: usize| {
        let mut builder = BatchBuilder::new()
            .base_offset(base)
            .leader_epoch(0)
            .producer(producer, 0, 0)
            .transactional(true);
        builder.append(1_000, None, Some(&numbers(number..number + 1)[0].to_be_bytes()), &[]);
        builder.build()
    };
    let marker = |base: i64, producer: i64, committed: bool| {
        let marker = EndTransactionMarker { committed, coordinator_epoch: 0 };
        let mut bytes = bytes::BytesMut::from(&marker.batch(producer, 0, 1_000)[..]);
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes.freeze()
    };
    let log = [
        data(0, 7, 0),
        data(1, 8, 1),
        marker(2, 7, true),
        data(3, 7, 2),
        marker(4, 8, false),
        data(5, 8, 3),
        marker(6, 7, false),
    ];
    for batch in log {
        history.append(1, ORDERS, true, 0, batch);
    }
    let (view, ..) = history.run();
    let partition = view.partitions.iter().find(|it| it.id == ORDERS).unwrap();
    let of: Vec<Fate> = partition.line.iter().filter_map(|batch| partition.fate(*batch)).collect();
    use Fate::{Aborted, Committed, Open};
    assert_eq!(of, [Committed, Aborted, Aborted, Open]);
}

/// Controller 101 is the only one, and has loaded a log with this end. In the step that loads the
/// log it becomes the leader, writes the first record of its epoch, and commits that record.
fn leads_alone(history: &mut History, end: i64, epoch: i32) {
    history.load(101, METADATA, end);
    history.at_once(101, Fact::QuorumLeader { epoch, epoch_start: end });
    let batch = metadata(end, epoch, &MetadataRecord::NoOp);
    history.append(101, METADATA, true, epoch, batch);
    let (partition, as_leader, leader_epoch, offset) = (METADATA, true, epoch, end + 1);
    history.fact(101, Fact::HighWatermark { partition, as_leader, leader_epoch, offset });
}

fn metadata(base: i64, epoch: i32, record: &MetadataRecord) -> Bytes {
    let mut builder = BatchBuilder::new().base_offset(base).leader_epoch(epoch);
    builder.append(1_000, None, Some(&record.encode()), &[]);
    builder.build()
}

/// Gives the whole history to the checks, and the disks when they request them.
fn with_disks(history: &History) -> (View, Findings) {
    let mut observer = Observer::new(history.setup.clone());
    for observed in &history.observed {
        observer.on(observed);
        if observer.wants_disks() {
            observer.look_at(history);
        }
    }
    let (view, _, findings) = observer.finish(history.now() + 1, history, Vec::new(), Vec::new());
    (view, findings)
}

#[test]
fn records_appended_in_the_step_that_loads_a_log_are_evidence() {
    let mut history = History::new(2);
    history.setup.controllers = vec![NodeId::new(0, 101)];
    let end = history.end(101, METADATA);
    history.crash(101);
    history.node(101, Change::PowerLost { bytes: 0 });
    history.node(101, Change::Started);
    leads_alone(&mut history, end, 2);

    let (view, findings) = with_disks(&history);
    let partition = view.partitions.iter().find(|it| it.id == METADATA).unwrap();
    let replica = &partition.replicas[partition.find(NodeId::new(0, 101)).unwrap()];
    assert_eq!((replica.end, replica.high_watermark), (end + 1, end + 1));
    let held: Vec<_> = replica.log.iter().map(|batch| partition.batches.get(*batch)).collect();
    assert!(held.windows(2).all(|pair| pair[0].next == pair[1].base), "there is no hole");
    assert_eq!(held.last().map(|batch| (batch.base, batch.next)), Some((end, end + 1)));
    let found: Vec<_> = findings.0.iter().filter(|it| it.check == "replicas-equal").collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The only controller is killed after it has written a record and before it has reported the
/// append. It restarts, and leads with this record in its log.
#[test]
fn a_record_found_on_the_leaders_disk_is_committed_with_later_ones() {
    let mut history = History::new(2);
    history.setup.controllers = vec![NodeId::new(0, 101)];
    let end = history.end(101, METADATA);
    let isr = PartitionChange { isr: Some(vec![1, 2]), ..PartitionChange::of(ORDERS) };
    let unreported = metadata(end, 1, &MetadataRecord::PartitionChange(isr));
    history.disks.get_mut(&(101, METADATA)).unwrap().push(unreported);
    for epoch in [2, 3] {
        history.crash(101);
        history.node(101, Change::Started);
        let end = history.end(101, METADATA);
        leads_alone(&mut history, end, epoch);
    }
    let (view, findings) = with_disks(&history);
    let found: Vec<_> = findings.0.iter().filter(|it| it.check == "quorum-is-safe").collect();
    assert!(found.is_empty(), "{found:?}");
    let partition = |id| view.partitions.iter().find(|it| it.id == id).unwrap();
    assert!(partition(METADATA).losses.is_empty());
    let orders = partition(ORDERS);
    assert_eq!(orders.names(&orders.state().unwrap().isr), "1, 2");
}
