//! The end of a run: what was read back, and what is on the disks.

use super::batch::NO_RECORD;
use super::disk::{self, DiskLog, Disks};
use super::view::View;
use engine::ids::Offset;
use engine::record;
use machine::NodeId;

/// The end of a run.
#[derive(Clone, Debug)]
pub struct End {
    /// When.
    pub at: u64,
    /// What each partition holds.
    pub finals: Vec<Final>,
    /// What is on the disks.
    pub disks: Vec<DiskLog>,
    /// The controllers that run.
    pub controllers: Vec<ControllerAtEnd>,
    /// What the cluster has not come back to before the deadline, in words.
    pub missing: Vec<String>,
}

/// The live state of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerAtEnd {
    /// Its node.
    pub node: NodeId,
    /// [`engine::metadata::MetadataImage::offset`] of its live image.
    pub offset: Offset,
    /// [`engine::metadata::MetadataImage::digest`] of its live image.
    pub digest: u128,
}

/// What a partition holds in the end.
#[derive(Clone, Debug)]
pub struct Final {
    /// The number of the record at each offset, or [`NO_RECORD`].
    pub numbers: Vec<u64>,
    /// How that is known.
    pub source: Source,
}

/// How it is known what a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A consumer read it back.
    ReadBack,
    /// It is on the disk of the last leader.
    Disk,
    /// The last leader told so.
    Told,
}

impl End {
    pub(super) fn new(
        view: &View,
        at: u64,
        disks: &impl Disks,
        controllers: Vec<ControllerAtEnd>,
        missing: Vec<String>,
    ) -> Self {
        let mut logs = Vec::new();
        for (index, partition) in view.partitions.iter().enumerate() {
            for (replica, it) in partition.replicas.iter().enumerate() {
                let segments = disks.segments(it.node, partition.id, &partition.name);
                if let Some(segments) = segments {
                    let (batches, broken) = disk::read(segments);
                    logs.push(DiskLog { partition: index, replica, batches, broken });
                }
            }
        }
        let finals = (0..view.partitions.len()).map(|index| of(view, index, &logs)).collect();
        Self { at, finals, disks: logs, controllers, missing }
    }
}

/// What a partition holds: the best source there is.
fn of(view: &View, index: usize, logs: &[DiskLog]) -> Final {
    let partition = &view.partitions[index];
    let mut numbers = Vec::new();
    let read_back = view.readers.iter().filter(|r| r.partition == index && r.read_back.is_some());
    if let Some(reader) = read_back.max_by_key(|reader| reader.read_back) {
        for piece in &reader.seen {
            let read = partition.batches.numbers(piece.batch, piece.from, piece.to);
            put(&mut numbers, piece.from, read.iter().copied());
        }
        return Final { numbers, source: Source::ReadBack };
    }
    let of_leader =
        |log: &&DiskLog| log.partition == index && Some(log.replica) == partition.line_leader;
    if let Some(log) = logs.iter().find(of_leader) {
        for batch in &log.batches {
            // The numbers of a batch that cannot be read stay open, and its loss will be found.
            let _ = record::for_each(batch, |record| {
                let number = super::batch::number_of(record.value);
                put(&mut numbers, record.offset, std::iter::once(number));
            });
        }
        return Final { numbers, source: Source::Disk };
    }
    for batch in &partition.line {
        let it = partition.batches.get(*batch);
        let told = partition.batches.numbers(*batch, it.base, it.next);
        put(&mut numbers, it.base, told.iter().copied());
    }
    Final { numbers, source: Source::Told }
}

fn put(numbers: &mut Vec<u64>, from: Offset, read: impl ExactSizeIterator<Item = u64>) {
    let from = from.max(0) as usize;
    let end = from + read.len();
    if numbers.len() < end {
        numbers.resize(end, NO_RECORD);
    }
    for (slot, number) in numbers[from..end].iter_mut().zip(read) {
        *slot = number;
    }
}
