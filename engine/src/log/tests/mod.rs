//! Tests of the log as a whole, on a disk in memory.

mod basics;
mod crash;
mod durability;
mod epochs;
mod kafka_files;
mod model;
mod producer_state;
mod transactions;
mod transactions_model;
mod verification;

use super::testdisk::TestDisk;
use super::{Log, LogConfig, LogError, Recovery};
use crate::record::{Batch, BatchBuilder};
use bytes::Bytes;
use machine::Wall;

const DIR: &str = "logs/orders-0";
const NOW: Wall = Wall(1_700_000_000_000);

/// Small enough for a few batches to fill segments and indexes.
fn small() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 150, ..LogConfig::default() }
}

fn batch(records: i32, value: usize) -> Bytes {
    batch_at(NOW.0, records, value)
}

fn batch_at(timestamp: i64, records: i32, value: usize) -> Bytes {
    let mut batch = BatchBuilder::new();
    for n in 0..records {
        batch.append(timestamp + i64::from(n), Some(b"key"), Some(&vec![b'v'; value]), &[]);
    }
    batch.build()
}

fn open(disk: &mut TestDisk, clean: bool, recovery_point: i64) -> (Log, Recovery) {
    open_with(small(), disk, clean, recovery_point)
}

fn open_with(
    config: LogConfig,
    disk: &mut TestDisk,
    clean: bool,
    recovery_point: i64,
) -> (Log, Recovery) {
    Log::open(DIR, &config, disk, clean, recovery_point, NOW).expect("a log opens")
}

/// A fresh log with `batches` batches of two records of 50 bytes in epoch 0.
fn filled(batches: i32) -> (Log, TestDisk) {
    let mut disk = TestDisk::default();
    let (mut log, _) = open(&mut disk, false, 0);
    for _ in 0..batches {
        log.append_as_leader(batch(2, 50), 0, NOW, &mut disk).expect("an append");
    }
    (log, disk)
}

/// The base offsets of all batches, read from start to end.
fn bases(log: &Log, disk: &mut TestDisk) -> Vec<i64> {
    all(log, disk).iter().map(|bytes| Batch::new(bytes).expect("a batch").base_offset()).collect()
}

fn all(log: &Log, disk: &mut TestDisk) -> Vec<Bytes> {
    let mut batches = Vec::new();
    let mut from = log.log_start();
    loop {
        let read = log.read(from, 300, log.end_offset(), true, disk).expect("a read");
        if read.batches.is_empty() {
            return batches;
        }
        from = read.next_offset;
        batches.extend(read.batches);
    }
}
