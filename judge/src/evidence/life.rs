//! The lives of nodes: how they end, what a disk keeps of one, and what is loaded in the next.

use super::disk::{self, Disks};
use super::halt::Halt;
use super::observed::{Change, Fault, FaultKind, Moment};
use super::story::Happening;
use super::view::{Effect, View};
use bytes::Bytes;
use engine::ids::{Offset, TopicPartition};
use engine::record;
use machine::NodeId;

/// What a disk must have kept of a node's last life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All that the process had reported.
    Everything {
        /// Why.
        why: &'static str,
        /// Because it was synced, and not because the host kept it.
        by_sync: bool,
    },
    /// What had been synced.
    Synced,
    /// Nothing in particular: the disk was tampered with, or there was no life before.
    Unknown,
}

impl View {
    /// Whether what a node's disk lacks went with its power, or with the disk.
    fn has_lost(&self, node: NodeId) -> bool {
        let power = matches!(self.endings.get(&node), Some(Change::PowerLost { .. }));
        power || self.spoilt_disk(node).is_some()
    }

    /// The fault that took bytes from a node's disk or changed them, if one did.
    pub fn spoilt_disk(&self, node: NodeId) -> Option<&Fault> {
        let spoils =
            |fault: &Fault| matches!(fault.kind, FaultKind::LostDisk | FaultKind::CorruptDisk);
        let faults = self.faults.iter().map(|(_, fault)| fault);
        faults.rev().find(|it| it.applied && spoils(it) && it.nodes.contains(&node))
    }

    /// How a node's last life ended, and what a disk must have kept of it.
    pub fn kept_of_last_life(&self, node: NodeId) -> Kept {
        let spoilt = |fault: &Fault| {
            let kinds = [FaultKind::FailingDisk, FaultKind::LostDisk, FaultKind::CorruptDisk];
            let full = fault.kind == FaultKind::FullDisk;
            fault.applied && (full || kinds.contains(&fault.kind)) && fault.nodes.contains(&node)
        };
        if self.faults.iter().any(|(_, fault)| spoilt(fault)) {
            return Kept::Unknown;
        }
        match self.endings.get(&node) {
            None => Kept::Unknown,
            Some(Change::PowerLost { .. }) if self.synced_before_power.contains(&node) => {
                let why = "it had been stopped in order before its power was lost";
                Kept::Everything { why, by_sync: true }
            }
            Some(Change::PowerLost { .. }) => Kept::Synced,
            Some(Change::Stopped) => {
                Kept::Everything { why: "it had been stopped in order", by_sync: false }
            }
            Some(_) => {
                Kept::Everything { why: "its host kept what it had written", by_sync: false }
            }
        }
    }

    /// Something became of a node.
    pub(crate) fn on_node(&mut self, moment: &Moment, change: Change) {
        for partition in &mut self.partitions {
            let Some(index) = partition.find(moment.node) else { continue };
            let is_metadata = partition.id == TopicPartition::METADATA;
            let replica = &mut partition.replicas[index];
            // Who starts has still to load its logs.
            replica.is_loaded = false;
            match change {
                Change::Started | Change::Stopped => {}
                Change::Crashed | Change::Halted { .. } => {
                    replica.ended_uncleanly = Some(moment.at)
                }
                Change::PowerLost { .. } => {
                    replica.ended_uncleanly = Some(moment.at);
                    // Voters have synced what they answered for; nothing excuses them.
                    replica.power_lost = !is_metadata;
                }
            }
            partition.story.push(moment, index, Happening::Node(change.clone()));
        }
        if change == Change::Started {
            self.running.insert(moment.node, moment.incarnation);
            self.started.insert(moment.node, moment.at);
            self.out_of_space.remove(&moment.node);
            return;
        }
        self.records.abandon(moment);
        self.started.remove(&moment.node);
        let was_running = self.running.remove(&moment.node).is_some();
        let stopped = matches!(self.endings.get(&moment.node), Some(Change::Stopped));
        if matches!(change, Change::PowerLost { .. }) && !was_running && stopped {
            self.synced_before_power.insert(moment.node);
        } else {
            self.synced_before_power.remove(&moment.node);
        }
        if let Change::Halted { why } = &change {
            let cause = self.cause_of_halt(moment, why);
            self.halts.push(Halt { moment: *moment, why: why.clone(), cause });
        }
        self.endings.insert(moment.node, change);
    }

    pub(super) fn loaded(
        &mut self,
        moment: &Moment,
        index: usize,
        end: Offset,
        high_watermark: Offset,
    ) -> Effect {
        let spoilt = self.spoilt_disk(moment.node).is_some();
        let power = self.has_lost(moment.node);
        let partition = &mut self.partitions[index];
        let replica = partition.replica(moment.node);
        partition.replicas[replica].high_watermark = high_watermark;
        let told = partition.replicas[replica].end;
        // After a power loss even an equal end may be that of an older log: a truncation may not
        // have happened. A crash may have kept an append that was never reported.
        if power || told != end {
            self.reloads.push((*moment, index, end));
        }
        if end < told {
            partition.cut(replica, end, power, &mut Vec::new());
            // The controller cannot know before the broker is registered again.
            partition.replicas[replica].power_lost |= spoilt;
        } else if end > told {
            partition.adopt(replica, end);
        }
        partition.story.push(moment, replica, Happening::Loaded(end));
        Effect::Loaded { partition: index, replica, reported: told, end }
    }

    /// Whether [`View::look_at`] is to be called: a replica came back with something else than it had
    /// reported.
    pub(crate) fn wants_disks(&self) -> bool {
        !self.reloads.is_empty()
    }

    /// Reads the disks of replicas that came back.
    pub(crate) fn look_at(&mut self, disks: &impl Disks) {
        for (moment, partition, end) in std::mem::take(&mut self.reloads) {
            let it = &self.partitions[partition];
            let Some(segments) = disks.segments(moment.node, it.id, &it.name) else { continue };
            let (mut held, _) = disk::read(segments);
            // What was appended since will be reported.
            held.retain(|batch| {
                // Those that are read have offsets that a log can have.
                record::Batch::new(batch).is_ok_and(|batch| batch.next_offset() <= end)
            });
            self.reload(&moment, partition, (&held, end));
        }
    }

    fn reload(&mut self, moment: &Moment, index: usize, held: (&[Bytes], Offset)) {
        let power = self.has_lost(moment.node);
        let partition = &mut self.partitions[index];
        if let Some(replica) = partition.find(moment.node) {
            partition.reload(replica, held, power, moment);
        }
    }
}
