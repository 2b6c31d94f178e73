//! Lost disks and corrupted sectors: the batches that they take from replicas, without any action
//! of the processes.

use super::observed::{Change, Moment};
use super::partition::Partition;
use super::replica::Bad;
use super::story::Happening;
use super::view::View;
use engine::ids::{Offset, TopicPartition};
use machine::NodeId;

/// How many bytes a sector has.
const SECTOR: u64 = 512;

/// The batches that one replica lost with its disk or a sector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoil {
    /// When, in nanoseconds.
    pub at: u64,
    /// The node with the disk.
    pub node: NodeId,
    /// The partition, an index of [`View::partitions`].
    pub partition: usize,
    /// Whether the disk was lost or corrupted.
    pub kind: SpoilKind,
    /// The first offset that may be lost. All later ones may be lost as well, since recovery
    /// truncates the log there.
    pub from: Offset,
    /// The offset after the batches that the disk itself has lost; [`Offset::MAX`] if unknown.
    pub to: Offset,
}

/// How a disk lost data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoilKind {
    /// The disk was lost, and replaced by an empty one.
    Lost,
    /// A sector of a segment holds other bytes.
    Corrupted,
}

impl View {
    /// Takes all batches from the replicas whose disk was lost. What their process continues to
    /// report from memory does not count.
    pub(super) fn disk_lost(&mut self, moment: &Moment, emptied: &[String], change: &Change) {
        if let Some(files) = self.bad_files.get_mut(&moment.node) {
            let is_lost = |file: &str| {
                file.rsplit_once('/').is_some_and(|(path, _)| emptied.iter().any(|it| it == path))
            };
            files.retain(|file| !is_lost(file));
        }
        for index in 0..self.partitions.len() {
            let partition = &mut self.partitions[index];
            let Some(replica) = partition.find(moment.node) else { continue };
            if !emptied.iter().any(|path| last_name(path) == partition.name) {
                continue;
            }
            partition.lose_disk(replica);
            partition.story.push(moment, replica, Happening::Node(change.clone()));
            let from = partition.replicas[replica].log_start;
            self.note_spoil(moment, index, SpoilKind::Lost, (from, Offset::MAX));
        }
    }

    /// Takes from a replica the batches in a corrupted sector. Only segments hold records: indexes
    /// and recovery points can be rebuilt from them. A corrupted checkpoint of high watermarks or
    /// leader epochs takes no record by itself, and excuses nothing.
    pub(super) fn sector_corrupted(
        &mut self,
        moment: &Moment,
        (file, at): (&str, u64),
        change: &Change,
    ) {
        self.bad_files.entry(moment.node).or_default().push(file.to_owned());
        let Some((path, name)) = file.rsplit_once('/') else { return };
        let Some(base) = name.strip_suffix(".log").and_then(|base| base.parse().ok()) else {
            return;
        };
        let is_its = |partition: &Partition| {
            partition.name == last_name(path) && partition.find(moment.node).is_some()
        };
        let Some(index) = self.partitions.iter().position(is_its) else { return };
        let partition = &mut self.partitions[index];
        let replica = partition.replica(moment.node);
        // Compaction makes segments smaller than the appended batches.
        let topic = partition.topic.and_then(|topic| self.setup.topics.get(topic));
        let is_compacted = topic.is_some_and(|topic| topic.compacted);
        let mut bad = partition.lose_sector(replica, base, at);
        if is_compacted {
            bad.to = Offset::MAX;
        }
        partition.replicas[replica].bad.push(bad);
        partition.story.push(moment, replica, Happening::Node(change.clone()));
        self.note_spoil(moment, index, SpoilKind::Corrupted, (bad.from, bad.to));
    }

    fn note_spoil(
        &mut self,
        moment: &Moment,
        partition: usize,
        kind: SpoilKind,
        (from, to): (Offset, Offset),
    ) {
        let (at, node) = (moment.at, moment.node);
        self.spoils.push(Spoil { at, node, partition, kind, from, to });
    }

    /// The last loss of a node's replica of a partition, at `offset` or before it.
    pub fn spoil(&self, node: NodeId, partition: usize, offset: Option<Offset>) -> Option<&Spoil> {
        let is_it = |spoil: &&Spoil| {
            (spoil.node, spoil.partition) == (node, partition)
                && offset.is_none_or(|offset| spoil.from <= offset)
        };
        self.spoils.iter().rev().find(is_it)
    }

    /// The first loss of a node's replica of a partition.
    pub fn first_spoil(&self, node: NodeId, partition: usize) -> Option<&Spoil> {
        self.spoils.iter().find(|spoil| (spoil.node, spoil.partition) == (node, partition))
    }

    /// The corruption of the log of the partition's leader, if a part of the log cannot be read:
    /// consumers and new followers get no further there.
    pub fn unreadable(&self, index: usize) -> Option<&Spoil> {
        let partition = &self.partitions[index];
        let leader = &partition.replicas[partition.line_leader?];
        leader.bad_from()?;
        self.spoil(leader.node, index, None)
    }

    /// A loss, in words.
    pub fn spoil_in_words(&self, spoil: &Spoil) -> String {
        let (name, at) = (self.setup.name(spoil.node), self.time(spoil.at));
        match spoil.kind {
            SpoilKind::Lost => format!("a disk of {name} was lost at {at}"),
            SpoilKind::Corrupted => format!(
                "a sector of {} was corrupted on {name} at {at}, at or after offset {}",
                self.partitions[spoil.partition].name, spoil.from
            ),
        }
    }
}

impl Partition {
    fn lose_disk(&mut self, replica: usize) {
        let it = &mut self.replicas[replica];
        it.disk_lost = true;
        it.is_loaded = false;
        it.bad.clear();
        // A broker is exempt until it is registered again. Voters are not: the quorum keeps them as
        // members.
        it.power_lost |= self.id != TopicPartition::METADATA;
        for batch in &it.log {
            let batch = self.batches.get_mut(*batch);
            batch.holders.remove(replica);
            batch.power_lost.insert(replica);
        }
    }

    /// Takes from a replica the batches that lie in a sector of the segment with base offset
    /// `segment`. Returns their offsets: all from the segment onwards if the reports of the replica
    /// do not show which they are.
    fn lose_sector(&mut self, replica: usize, segment: Offset, sector: u64) -> Bad {
        let (mut begins, mut before) = (0, segment);
        let mut bad: Option<Bad> = None;
        for number in &self.replicas[replica].log {
            let batch = self.batches.get_mut(*number);
            if batch.base < segment {
                continue;
            }
            let ends = begins + u64::from(batch.size());
            if begins < sector + SECTOR && ends > sector {
                let new = Bad { after: before, from: batch.base, to: batch.next };
                bad.get_or_insert(new).to = batch.next;
                batch.holders.remove(replica);
                batch.power_lost.insert(replica);
            }
            (begins, before) = (ends, batch.next);
        }
        // If the log starts within the segment, the sizes of earlier batches are not known any
        // more.
        let is_known = self.replicas[replica].log_start <= segment;
        let unknown = Bad { after: segment, from: segment, to: Offset::MAX };
        bad.filter(|_| is_known).unwrap_or(unknown)
    }

    /// Empties the log of a replica whose disk was lost, when its process starts: it has no log to
    /// load.
    pub(super) fn begin_empty(&mut self, replica: usize) {
        if std::mem::take(&mut self.replicas[replica].disk_lost) {
            self.cut(replica, 0, true, &mut Vec::new());
            self.replicas[replica].log_start = 0;
        }
    }
}

/// The last part of a path.
pub(super) fn last_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
