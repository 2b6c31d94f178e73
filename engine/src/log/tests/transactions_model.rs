//! Transactions of a log, compared with a replay of its batches: after any operations, the open and
//! aborted transactions and the last stable offset are functions of the batches.

use super::*;
use crate::log::{AbortedTxn, Segment};
use crate::record::EndTransactionMarker;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    Data { producer: i64, transactional: bool, records: i32 },
    End { producer: i64, committed: bool },
    Replicate { back: i64 },
    Truncate { back: i64 },
    Flush,
    CleanRestart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_i64..4, prop::bool::weighted(0.8), 1_i32..4).prop_map(
            |(producer, transactional, records)| Step::Data { producer, transactional, records }
        ),
        5 => (0_i64..4, any::<bool>())
            .prop_map(|(producer, committed)| Step::End { producer, committed }),
        3 => (0_i64..8).prop_map(|back| Step::Replicate { back }),
        2 => (0_i64..20).prop_map(|back| Step::Truncate { back }),
        1 => Just(Step::Flush),
        1 => Just(Step::CleanRestart),
        1 => Just(Step::Crash),
    ]
}

/// The transactions in a list of batches.
#[derive(Default)]
struct Replayed {
    /// First offsets of open transactions, by producer.
    open: BTreeMap<i64, i64>,
    /// First offset and marker of ended transactions.
    ended: Vec<(i64, i64)>,
    aborted: Vec<AbortedTxn>,
    /// The offsets of records of each aborted transaction.
    dead: BTreeMap<(i64, i64), BTreeSet<i64>>,
}

fn replay(batches: &[Bytes]) -> Replayed {
    let mut replayed = Replayed::default();
    let mut records: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for bytes in batches {
        let batch = Batch::new(bytes).expect("a batch");
        let producer_id = batch.producer_id();
        if batch.is_transactional() && !batch.is_control() {
            replayed.open.entry(producer_id).or_insert(batch.base_offset());
            records
                .entry(producer_id)
                .or_default()
                .extend(batch.base_offset()..batch.next_offset());
        } else if batch.is_control()
            && let Some(first_offset) = replayed.open.remove(&producer_id)
        {
            let marker = EndTransactionMarker::of(batch).expect("a marker").expect("a marker");
            let last_offset = batch.base_offset();
            replayed.ended.push((first_offset, last_offset));
            let dead = records.remove(&producer_id).unwrap_or_default();
            if !marker.committed {
                let open = replayed.open.values().copied().min();
                let last_stable_offset = open.unwrap_or(last_offset + 1);
                replayed.dead.insert((producer_id, first_offset), dead);
                replayed.aborted.push(AbortedTxn {
                    producer_id,
                    first_offset,
                    last_offset,
                    last_stable_offset,
                });
            }
        }
    }
    replayed
}

struct Bench {
    log: Log,
    disk: TestDisk,
    batches: Vec<Bytes>,
    /// The largest offset that counted as replicated since the state was last rebuilt.
    replicated: i64,
    /// Some transaction may have ended before the state was rebuilt from a snapshot.
    rebuilt: bool,
}

impl Bench {
    fn append(&mut self, batch: Bytes) {
        let info = self.log.append_as_leader(batch, 0, NOW, &mut self.disk).expect("an append");
        self.batches.push(info.batch);
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Data { producer, transactional, records } => {
                let transactional =
                    transactional || replay(&self.batches).open.contains_key(&producer);
                let mut batch =
                    BatchBuilder::new().producer(producer, 0, 0).transactional(transactional);
                for n in 0..records {
                    batch.append(NOW.0 + i64::from(n), None, Some(b"value"), &[]);
                }
                self.append(batch.build());
            }
            Step::End { producer, committed } => {
                let marker = EndTransactionMarker { committed, coordinator_epoch: 1 };
                self.append(marker.batch(producer, 0, NOW.0));
            }
            Step::Replicate { back } => {
                let to = (self.log.end_offset() - back).max(0);
                self.log.on_replicated(to);
                self.replicated = self.replicated.max(to);
            }
            Step::Truncate { back } => {
                let to = (self.log.end_offset() - back).max(0);
                let cut = self.log.truncate_to(to, &mut self.disk).expect("a cut");
                let kept = |batch: &Bytes| Batch::new(batch).expect("a batch").next_offset() <= to;
                self.batches.retain(kept);
                if cut {
                    (self.replicated, self.rebuilt) = (0, true);
                }
            }
            Step::Flush => self.log.flush(&mut self.disk).expect("a flush"),
            Step::CleanRestart => {
                self.log.close_cleanly(&mut self.disk).expect("a clean shutdown");
                self.disk.lose_unsynced();
                self.reopen(true);
            }
            Step::Crash => self.reopen(false),
        }
    }

    fn reopen(&mut self, clean: bool) {
        let recovery_point = self.log.recovery_point();
        (self.log, _) = open(&mut self.disk, clean, recovery_point);
        (self.replicated, self.rebuilt) = (0, true);
    }

    fn compare(&mut self) {
        self.log.invariants();
        let replayed = replay(&self.batches);
        let undecided = self.log.undecided();
        assert_eq!(undecided.open, replayed.open.values().copied().min());
        let waiting = replayed.ended.iter().filter(|(_, marker)| *marker >= self.replicated);
        let unreplicated = waiting.map(|(first, _)| *first).min();
        if self.rebuilt {
            // Batches in a snapshot count as replicated.
            assert!(
                unreplicated.is_none()
                    || undecided.unreplicated >= unreplicated
                    || undecided.unreplicated.is_none()
            );
        } else {
            assert_eq!(undecided.unreplicated, unreplicated);
        }
        let entries = |segment: &Segment| segment.aborted.entries().to_vec();
        let indexed: Vec<AbortedTxn> = self.log.segments.iter().flat_map(entries).collect();
        assert_eq!(indexed, replayed.aborted);
        self.reads_list_their_aborted_transactions(&replayed);
    }

    /// A read lists every aborted transaction of which it contains records, and none that ended
    /// before it.
    fn reads_list_their_aborted_transactions(&mut self, replayed: &Replayed) {
        for from in 0..self.log.end_offset() {
            for max_bytes in [1, 250, 100_000] {
                let end = self.log.end_offset();
                let read =
                    self.log.read(from, max_bytes, end, true, &mut self.disk).expect("a read");
                let named = self.log.aborted_transactions(from, &read, max_bytes);
                let named: BTreeSet<_> =
                    named.iter().map(|it| (it.producer_id, it.first_offset)).collect();
                let held = |offsets: &BTreeSet<i64>| {
                    offsets.range(from..read.next_offset).next().is_some()
                };
                for (transaction, offsets) in &replayed.dead {
                    assert!(!held(offsets) || named.contains(transaction), "from {from}");
                }
                for entry in &replayed.aborted {
                    let transaction = (entry.producer_id, entry.first_offset);
                    assert!(entry.last_offset >= from || !named.contains(&transaction));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn transactions_are_those_of_a_replay(steps in prop::collection::vec(step(), 1..50)) {
        let mut disk = TestDisk::default();
        let (log, _) = open(&mut disk, false, 0);
        let mut bench = Bench { log, disk, batches: Vec::new(), replicated: 0, rebuilt: false };
        for step in &steps {
            bench.apply(step);
            bench.compare();
        }
    }
}
