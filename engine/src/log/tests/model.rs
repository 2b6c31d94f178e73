//! The log compared with a list of batches: after any sequence of operations on both, the log
//! contains the batches of the list, and knows the last batch of each producer.

use super::*;
use crate::log::Segment;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Append { records: i32, value: usize, newer_epoch: bool, producer: i64 },
    Replicate { hole: i64, records: i32 },
    Truncate { back: i64 },
    TruncateFully { back: i64 },
    Advance { by: i64 },
    Flush,
    CleanRestart,
    Crash,
    PowerLoss,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1_i32..4, 0_usize..120, prop::bool::weighted(0.1), -1_i64..3).prop_map(
            |(records, value, newer_epoch, producer)| {
                Step::Append { records, value, newer_epoch, producer }
            }
        ),
        4 => (0_i64..5, 1_i32..4).prop_map(|(hole, records)| Step::Replicate { hole, records }),
        2 => (0_i64..30).prop_map(|back| Step::Truncate { back }),
        1 => (-5_i64..20).prop_map(|back| Step::TruncateFully { back }),
        1 => (1_i64..20).prop_map(|by| Step::Advance { by }),
        2 => Just(Step::Flush),
        1 => Just(Step::CleanRestart),
        1 => Just(Step::Crash),
        1 => Just(Step::PowerLoss),
    ]
}

struct Model {
    batches: Vec<Bytes>,
    log_start: i64,
    log_end: i64,
    epoch: i32,
    /// The next sequence of each producer. The log accepts any sequence; a leader checks it before.
    sequence: i32,
}

fn last_offset(batch: &Bytes) -> i64 {
    Batch::new(batch).expect("a batch").last_offset()
}

impl Model {
    fn truncate(&mut self, to: i64) {
        self.batches.retain(|batch| last_offset(batch) < to);
        self.log_end = to;
        self.log_start = self.log_start.min(to);
    }

    /// Sets the list to the state of the log after a restart, whose end is the end of the last
    /// batch, or the base offset of the last segment if it is empty.
    fn settle(&mut self, log: &Log) {
        let surviving = log.end_offset();
        self.batches.retain(|batch| last_offset(batch) < surviving);
        let end = self.batches.last().map_or(surviving, |batch| last_offset(batch) + 1);
        self.log_end = end.max(surviving);
    }
}

struct Bench {
    log: Log,
    disk: TestDisk,
    model: Model,
    flushed: i64,
}

impl Bench {
    fn apply(&mut self, step: &Step) {
        let Self { log, disk, model, flushed } = self;
        match *step {
            Step::Append { records, value, newer_epoch, producer } => {
                model.epoch += i32::from(newer_epoch);
                let (own, sequence) = (model.epoch as i16, model.sequence);
                let mut bytes = batch(records, value);
                if producer >= 0 {
                    bytes = crate::record::stamp_producer(bytes, producer, own, sequence);
                    model.sequence += records;
                }
                let info = log.append_as_leader(bytes, model.epoch, NOW, disk).expect("an append");
                assert_eq!(info.base_offset, model.log_end);
                model.log_end = info.last_offset + 1;
                model.batches.push(info.batch);
            }
            Step::Replicate { hole, records } => {
                let base = model.log_end + hole;
                let bytes = crate::record::stamp(batch(records, 30), base, model.epoch);
                log.append_as_follower(bytes.clone(), disk).expect("a copy");
                model.log_end = base + i64::from(records);
                model.batches.push(bytes);
            }
            Step::Truncate { back } => {
                let to = (model.log_end - back).max(model.log_start);
                log.truncate_to(to, disk).expect("a cut");
                if to < model.log_end {
                    model.truncate(to);
                }
                *flushed = (*flushed).min(to);
            }
            Step::TruncateFully { back } => {
                let to = (model.log_end - back).max(0);
                log.truncate_fully_and_start_at(to, disk).expect("a new start");
                model.batches.clear();
                (model.log_start, model.log_end) = (to, to);
                *flushed = (*flushed).min(to);
            }
            Step::Advance { by } => {
                let to = (model.log_start + by).min(model.log_end);
                log.advance_log_start(to, disk).expect("a new start");
                model.log_start = model.log_start.max(to);
                model.batches.retain(|batch| last_offset(batch) >= model.log_start);
            }
            Step::Flush => {
                log.flush(disk).expect("a flush");
                *flushed = log.end_offset();
                assert_eq!(log.recovery_point(), *flushed);
            }
            Step::CleanRestart => {
                log.close_cleanly(disk).expect("a clean shutdown");
                disk.lose_unsynced();
                self.reopen(true);
                self.flushed = self.log.recovery_point();
            }
            Step::Crash => self.reopen(false),
            Step::PowerLoss => {
                self.disk.lose_unsynced();
                let had = std::mem::take(&mut self.model.batches);
                let flushed: Vec<Bytes> =
                    had.iter().filter(|b| last_offset(b) < self.flushed).cloned().collect();
                self.reopen(false);
                // Not always a prefix: a full segment is fsynced after the next one begins.
                let has = all(&self.log, &mut self.disk);
                assert!(has.starts_with(&flushed), "what was flushed survives");
                assert!(
                    has.iter().all(|batch| had.contains(batch)),
                    "a log contains only batches that were appended"
                );
                self.model.batches = has;
            }
        }
    }

    fn reopen(&mut self, clean: bool) {
        let before = self.model.batches.len();
        let flushed = self.model.batches.iter().filter(|b| last_offset(b) < self.flushed).count();
        let (log, _) = Log::open_from(
            DIR,
            &small(),
            &mut self.disk,
            clean,
            self.log.recovery_point(),
            self.model.log_start,
            NOW,
        )
        .expect("a log opens");
        self.log = log;
        self.model.settle(&self.log);
        // A truncation inside a batch leaves a gap at the end, which a restart cannot restore.
        self.flushed = self.flushed.min(self.log.end_offset());
        let after = self.model.batches.len();
        assert!(after >= flushed, "what was flushed survives: {after} of {flushed}");
        assert!(!clean || after == before, "a clean shutdown loses nothing");
    }

    fn compare(&mut self) {
        let Self { log, disk, model, .. } = self;
        log.invariants();
        assert_eq!((log.log_start(), log.end_offset()), (model.log_start, model.log_end));
        assert_eq!(all(log, disk), model.batches);
        for from in model.log_start..=model.log_end {
            let expected = model.batches.iter().find(|batch| last_offset(batch) >= from);
            let read = log.read(from, 1, model.log_end, true, disk).expect("a read");
            assert_eq!(read.batches.first(), expected, "from {from}");
        }
        for segment in &log.segments {
            lookup_equals_scan(segment, disk);
        }
        // The batches of other producers have been deleted; a restart may forget those producers.
        for (id, last) in last_batches(&model.batches) {
            let known = log.producers().get(id).expect("a producer with batches is known");
            let found = known.batches().last().expect("its last batch is known");
            assert_eq!((known.epoch, found.last_sequence, found.last_offset), last);
        }
    }
}

/// Epoch, sequence and offset of the last batch of each producer.
fn last_batches(batches: &[Bytes]) -> BTreeMap<i64, (i16, i32, i64)> {
    let views = batches.iter().map(|bytes| Batch::new(bytes).expect("a batch"));
    let of_producers = views.filter(|view| view.has_producer_id());
    of_producers
        .map(|view| {
            let last = (view.producer_epoch(), view.last_sequence(), view.last_offset());
            (view.producer_id(), last)
        })
        .collect()
}

/// A lookup by index and scan has the result of a scan alone, for every offset of the segment.
fn lookup_equals_scan(segment: &Segment, disk: &mut TestDisk) {
    let mut scanned = Vec::new();
    let mut position = 0;
    while let Some((placed, _)) = segment.batch_at(position, disk).expect("a batch") {
        scanned.push(placed);
        position = placed.position + placed.size;
    }
    let end = scanned.last().map_or(segment.base_offset, |placed| placed.last_offset + 2);
    for offset in segment.base_offset..end {
        let expected = scanned.iter().find(|placed| placed.last_offset >= offset).copied();
        assert_eq!(segment.find(offset, disk).expect("a lookup"), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_log_contains_the_batches_of_the_list(steps in prop::collection::vec(step(), 1..60)) {
        let mut disk = TestDisk::default();
        let (log, _) = open(&mut disk, false, 0);
        let (batches, log_start, log_end) = (Vec::new(), 0, 0);
        let model = Model { batches, log_start, log_end, epoch: 0, sequence: 0 };
        let mut bench = Bench { log, disk, model, flushed: 0 };
        for step in &steps {
            bench.apply(step);
            bench.compare();
        }
    }
}
