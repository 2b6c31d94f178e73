//! The end of a run: the records that were read back, and the logs on the disks.

use super::batch::HOLE;
use super::disk::{self, DiskLog, Disks};
use super::group::{Processing, of_groups};
use super::halt::FailedDir;
use super::partition::Partition;
use super::reader::{Piece, Reader};
use super::records::Record;
use super::replica_set::ReplicaSet;
use super::runs::Runs;
use super::spoil::Spoil;
use super::story::{Happening, Scene};
use super::transaction::{Fate, Promise, Tally, tallies};
use super::view::View;
use engine::ids::{Offset, TopicPartition};
use engine::record;
use machine::{ClusterId, NodeId};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The end of a run.
#[derive(Clone, Debug)]
pub struct End {
    /// The simulated time, in nanoseconds.
    pub at: u64,
    /// The content of each partition.
    pub finals: Vec<Final>,
    /// The logs on the disks, in order of partition and replica.
    disks: Vec<DiskLog>,
    /// The controllers whose processes are running.
    pub controllers: Vec<ControllerAtEnd>,
    /// The log directory of each replica, by partition and replica, on nodes with an offline
    /// directory.
    dirs: BTreeMap<(usize, usize), String>,
    /// The defects of the healed cluster at the deadline.
    pub missing: Vec<Missing>,
    /// What the logs hold of each transaction, by its index in [`super::ClientTransactions::all`].
    pub tallies: Vec<Tally>,
    /// What each group of consumers processed.
    pub processing: Vec<Processing>,
}

/// Something that a healed cluster lacks at the deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// When the lack was found, in nanoseconds: at the deadline.
    pub at: u64,
    /// The defect in words.
    pub what: String,
    /// The partition concerned; the metadata log if a node lacks metadata. `None`: no partition.
    pub about: Option<(ClusterId, TopicPartition)>,
    /// The group of consumers that has not settled, if it is about one.
    pub group: Option<Arc<str>>,
    /// The transaction because of which it is missing, if one is.
    pub held_by: Option<HeldBy>,
}

/// A transaction that blocks readers or producers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// The partition in which it is open, or that of `__transaction_state` which has its state: an
    /// index of [`View::partitions`].
    pub partition: usize,
    /// Its producer id.
    pub producer_id: i64,
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

/// The content of a partition at the end.
#[derive(Clone, Debug)]
pub struct Final {
    /// The log start offset: records below it were deleted, and are not lost.
    pub start: Offset,
    /// The number of the record at each offset that holds one, or [`super::NO_RECORD`].
    pub records: Runs<u64>,
    /// Where `records` comes from.
    pub source: Source,
}

/// The source of the content of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A consumer read the records back.
    ReadBack,
    /// A disk: that of the last leader, or of an in-sync replica with as long a log if the leader's
    /// disk was lost or corrupted.
    Disk {
        /// The replica, an index of [`super::Partition::replicas`].
        replica: usize,
    },
    /// The reports of the last leader.
    Reported,
}

impl End {
    pub(crate) fn new(
        view: &View,
        at: u64,
        disks: &impl Disks,
        controllers: Vec<ControllerAtEnd>,
        missing: Vec<Missing>,
    ) -> Self {
        let (mut logs, mut dirs) = (Vec::new(), BTreeMap::new());
        for (index, partition) in view.partitions.iter().enumerate() {
            for (replica, it) in partition.replicas.iter().enumerate() {
                let (node, id, name) = (it.node, partition.id, &partition.name);
                let segments = disks.segments(node, id, name);
                // The files in an offline directory are as the failed call left them. No process
                // reads them before the next start.
                let dir = disks.log_dir(node, id, name);
                if let Some(dir) = dir.filter(|_| view.offline_dirs().any(|it| it.is_of(node))) {
                    let is_offline = view.is_offline(node, &dir);
                    dirs.insert((index, replica), dir);
                    if is_offline {
                        continue;
                    }
                }
                if let Some(segments) = segments {
                    let largest = disk::largest(&segments);
                    let is_headless = disk::is_headless(&segments);
                    let (batches, broken) = disk::read(segments);
                    let snapshots = disks.snapshots(node, id, name);
                    let partition = index;
                    logs.push(DiskLog {
                        partition,
                        replica,
                        batches,
                        largest,
                        broken,
                        is_headless,
                        snapshots,
                    });
                }
            }
        }
        let tallies = tallies(view);
        let (finals, processing) = (Vec::new(), Vec::new());
        let mut end =
            Self { at, finals, disks: logs, controllers, dirs, missing, tallies, processing };
        end.finals = (0..view.partitions.len()).map(|index| of(view, index, &end)).collect();
        end.processing = of_groups(view, &end.finals);
        end
    }

    /// Whether a record with the outcome [`super::Outcome::Acked`] has to be readable: it is in no
    /// transaction, or in one that is committed according to the application or the logs.
    pub fn is_promised(&self, view: &View, record: &Record) -> bool {
        let Some(transaction) = view.transactions.get(record.transaction) else { return true };
        let stored = self.tallies.get(record.transaction as usize);
        match transaction.promise() {
            Promise::Committed => true,
            Promise::Aborted => false,
            Promise::Either => stored.is_some_and(|it| it.committed.0 > 0),
        }
    }

    /// The logs on all disks.
    pub fn disks(&self) -> &[DiskLog] {
        &self.disks
    }

    /// The log on the disk of a replica, by the indexes of partition and replica; `None` if there
    /// is none.
    pub fn disk(&self, partition: usize, replica: usize) -> Option<&DiskLog> {
        let key = |log: &DiskLog| (log.partition, log.replica);
        let place = self.disks.binary_search_by_key(&(partition, replica), key).ok()?;
        self.disks.get(place)
    }

    /// The offline log directory of a replica, by the indexes of partition and replica, if a cause
    /// explains it. A replica without a log may belong to any offline directory, and is not created
    /// elsewhere meanwhile (KIP-858).
    pub fn offline_dir<'v>(
        &self,
        view: &'v View,
        partition: usize,
        replica: usize,
    ) -> Option<&'v FailedDir> {
        let node = view.partitions[partition].replicas[replica].node;
        let own = self.dirs.get(&(partition, replica));
        let is_its = |dir: &&FailedDir| {
            dir.is_of(node) && dir.cause.is_some() && own.is_none_or(|own| *own == dir.path)
        };
        view.offline_dirs().find(is_its)
    }

    /// The bad sector because of which a partition lacks replicas in sync: every follower that is
    /// out of sync was started with it at the beginning of its last segment, and cannot append.
    pub fn bad_head_of<'v>(&self, view: &'v View, partition: usize) -> Option<&'v Spoil> {
        let it = &view.partitions[partition];
        let out_of_sync = &ReplicaSet::first_of(it.replicas.len()) - &it.state()?.isr;
        let bad = |replica: usize| {
            let own = &it.replicas[replica];
            let spoil = view.spoil(own.node, partition, None)?;
            let is_headless = self.disk(partition, replica).is_some_and(|disk| disk.is_headless);
            let is_loaded = |it: &Scene| {
                let since = it.replica == replica && it.at > spoil.at;
                since && matches!(it.what, Happening::Loaded(_))
            };
            let was_started = it.story.0.iter().any(is_loaded);
            (is_headless && !own.bad.is_empty() && was_started).then_some(spoil)
        };
        let found = out_of_sync.iter().next().and_then(bad)?;
        out_of_sync.iter().all(|replica| bad(replica).is_some()).then_some(found)
    }

    /// An offline log directory, with a cause, that explains why a partition lacks something. A
    /// directory holds up only its own replicas. If the leader is in none, all replicas out of the
    /// ISR have to be in offline directories; otherwise all members of ISR and ELR have to be,
    /// since the controller moves the leadership to any member that is alive (KIP-858).
    pub fn offline_dir_of<'v>(&self, view: &'v View, partition: usize) -> Option<&'v FailedDir> {
        let it = &view.partitions[partition];
        let state = it.state()?;
        let all = ReplicaSet::first_of(it.replicas.len());
        let dir = |replica: usize| self.offline_dir(view, partition, replica);
        let is_led = state.leader.is_some_and(|leader| dir(leader).is_none());
        let held_up = if is_led { &all - &state.isr } else { state.members() };
        let found = held_up.iter().next().and_then(dir)?;
        held_up.iter().all(|replica| dir(replica).is_some()).then_some(found)
    }
}

/// The content of a partition, from the best source available.
fn of(view: &View, index: usize, end: &End) -> Final {
    let partition = &view.partitions[index];
    let (mut records, start) = (Runs::default(), partition.start);
    let readers = partition.readers.iter().map(|reader| &view.readers[*reader]);
    let read_back = readers.filter(|reader| reader.read_back.is_some());
    if let Some(reader) = read_back.max_by_key(|reader| reader.read_back) {
        for piece in pieces(partition, reader).iter() {
            let read = partition.batches.numbers(piece.batch, piece.from, piece.to);
            put(&mut records, piece.from, read);
        }
        return Final { start, records, source: Source::ReadBack };
    }
    let log = whole(partition).and_then(|replica| Some((replica, end.disk(index, replica)?)));
    if let Some((replica, log)) = log {
        for batch in &log.batches {
            // A batch that cannot be read has no numbers, so its records will be found missing.
            let _ = record::for_each(batch, |record| {
                let number = super::batch::number_of(record.value);
                records.put(record.offset, number);
            });
        }
        return Final { start, records, source: Source::Disk { replica } };
    }
    for batch in &partition.line {
        let it = partition.batches.get(*batch);
        let numbers = partition.batches.numbers(*batch, it.base, it.next);
        put(&mut records, it.base, numbers);
    }
    Final { start, records, source: Source::Reported }
}

/// The pieces that a reader received. For a `read_committed` reader also the batches of open and
/// aborted transactions, which it does not receive.
fn pieces<'a>(partition: &Partition, reader: &'a Reader) -> Cow<'a, [Piece]> {
    if !reader.read_committed || !partition.transactions.any() {
        return Cow::Borrowed(&reader.seen);
    }
    let mut pieces = reader.seen.clone();
    for batch in &partition.line {
        if matches!(partition.fate(*batch), Some(Fate::Aborted | Fate::Open)) {
            let it = partition.batches.get(*batch);
            pieces.push(Piece { batch: *batch, from: it.base, to: it.next });
        }
    }
    pieces.sort_by_key(|piece| piece.from);
    Cow::Owned(pieces)
}

/// The last leader, or an in-sync replica with as long a log if the leader's disk was lost or
/// corrupted.
fn whole(partition: &Partition) -> Option<usize> {
    let leader = partition.line_leader?;
    let replicas = &partition.replicas;
    let is_whole = |it: &usize| {
        let own = &replicas[*it];
        own.bad_from().is_none() && !own.disk_lost && own.end == replicas[leader].end
    };
    let in_sync = |it: &usize| partition.state().is_none_or(|state| state.isr.contains(*it));
    let mut others = (0..replicas.len()).filter(in_sync).filter(is_whole);
    Some(if is_whole(&leader) { leader } else { others.next().unwrap_or(leader) })
}

fn put(records: &mut Runs<u64>, from: Offset, numbers: &[u64]) {
    for (offset, number) in (from..).zip(numbers).filter(|(_, number)| **number != HOLE) {
        records.put(offset, *number);
    }
}
