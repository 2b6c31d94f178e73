//! Files written by Kafka: this log writes the same files from the same batches, and loads Kafka's
//! files.

use super::*;
use crate::record::split;
use machine::Disk;
use std::collections::BTreeMap;

/// The files of a partition, by name.
type Files = BTreeMap<&'static str, Vec<u8>>;

const TRANSACTIONS: &str = include_str!("../../../tests/fixtures/kafka-4.1.1-transactions.txt");
const PARTITIONS: &str = include_str!("../../../tests/fixtures/kafka-4.1.1-partitions.txt");
const STATE_1: &[u8] =
    include_bytes!("../../../tests/fixtures/kafka-4.1.1-transaction-state-1.log");
const STATE_2: &[u8] =
    include_bytes!("../../../tests/fixtures/kafka-4.1.1-transaction-state-2.log");

/// The files of a fixture, by partition.
pub(super) fn kafkas(text: &'static str) -> BTreeMap<&'static str, Files> {
    let mut partitions: BTreeMap<_, Files> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let [partition, name, hex] = [(); 3].map(|()| words.next().expect("three words"));
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("hex");
            u8::from_str_radix(pair, 16).expect("hex")
        };
        partitions.entry(partition).or_default().insert(name, pairs.map(byte).collect());
    }
    partitions
}

/// All partitions of the fixtures, each with its configuration.
fn all_of_them() -> Vec<(&'static str, LogConfig, Files)> {
    let small = LogConfig {
        segment_ms: 3000,
        segment_index_bytes: 1024,
        index_interval_bytes: 64,
        ..LogConfig::default()
    };
    let transactions = kafkas(TRANSACTIONS).into_iter();
    let mut all: Vec<_> = transactions.map(|(name, files)| (name, small, files)).collect();
    for (name, mut files) in kafkas(PARTITIONS) {
        let log = match name {
            "v1/__transaction_state-0" => Some(STATE_1),
            "v2/__transaction_state-0" => Some(STATE_2),
            _ => None,
        };
        files.extend(log.map(|bytes| ("00000000000000000000.log", bytes.to_vec())));
        all.push((name, LogConfig::default(), files));
    }
    all
}

fn batches(files: &Files) -> Vec<Bytes> {
    let logs = files.iter().filter(|(name, _)| name.ends_with(".log"));
    let split_log = |bytes: &Vec<u8>| split(Bytes::from(bytes.clone())).expect("batches");
    logs.flat_map(|(_, bytes)| split_log(bytes)).collect()
}

fn replayed(config: &LogConfig, files: &Files, disk: &mut TestDisk) -> Log {
    let (mut log, _) = open_with(*config, disk, false, 0);
    for batch in batches(files) {
        log.append_as_follower(batch, disk).expect("an append");
    }
    log
}

fn file<'a>(disk: &'a TestDisk, name: &str) -> Option<&'a [u8]> {
    disk.content(&format!("{DIR}/{name}"))
}

/// A disk with Kafka's files.
fn given(files: &Files) -> TestDisk {
    let mut disk = TestDisk::default();
    disk.create_dir("logs").expect("a directory");
    disk.create_dir(DIR).expect("a directory");
    for (name, bytes) in files {
        let created = disk.create(&format!("{DIR}/{name}")).expect("a file");
        disk.append(created, Bytes::from(bytes.clone())).expect("an append");
    }
    disk
}

#[test]
fn all_files_are_kafkas_byte_for_byte() {
    let (mut partitions, mut compared) = (0, 0);
    for (partition, config, theirs) in all_of_them() {
        let mut disk = TestDisk::default();
        replayed(&config, &theirs, &mut disk).close_cleanly(&mut disk).expect("a clean shutdown");
        for (name, bytes) in &theirs {
            assert_eq!(file(&disk, name), Some(&bytes[..]), "{partition}/{name}");
            compared += 1;
        }
        // Only segments with aborted transactions have a transaction index.
        let names = disk.paths();
        let indexes = names.iter().filter(|name| name.ends_with(".txnindex")).count();
        let expected = theirs.keys().filter(|name| name.ends_with(".txnindex")).count();
        assert_eq!(indexes, expected, "{partition}");
        partitions += 1;
    }
    assert_eq!((partitions, compared), (14, 125));
}

#[test]
fn kafkas_files_load_and_stay_as_they_are() {
    for (partition, config, theirs) in all_of_them() {
        let mut replay = TestDisk::default();
        let known = replayed(&config, &theirs, &mut replay);
        for clean in [true, false] {
            let mut disk = given(&theirs);
            let end = known.end_offset();
            let recovery_point = if clean { end } else { 0 };
            let (mut log, recovery) = open_with(config, &mut disk, clean, recovery_point);
            assert_eq!(recovery.truncated_bytes, 0, "{partition}");
            assert_eq!(log.end_offset(), end, "{partition}");
            assert_eq!(log.undecided().open, known.undecided().open, "{partition}");
            assert_eq!(all(&log, &mut disk), batches(&theirs), "{partition}");
            for batch in batches(&theirs) {
                let id = Batch::new(&batch).expect("a batch").producer_id();
                // A snapshot contains only the last batch of a producer, so a restart forgets the
                // others.
                let state = |log: &Log| {
                    let it = log.producers().get(id)?;
                    Some((it.epoch, it.next_sequence(), it.current_txn_first_offset))
                };
                assert_eq!(state(&log), state(&known), "{partition}: producer {id}");
            }
            log.close_cleanly(&mut disk).expect("a clean shutdown");
            for (name, bytes) in &theirs {
                assert_eq!(file(&disk, name), Some(&bytes[..]), "{partition}/{name}");
            }
        }
    }
}
