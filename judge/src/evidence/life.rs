//! The lives of nodes: how each ends, and which logs the next one loads.

use super::disk::{self, Disks};
use super::halt::Halt;
use super::observed::{Change, Fault, FaultKind, Moment};
use super::replica::Replica;
use super::story::Happening;
use super::view::{Effect, View};
use bytes::Bytes;
use engine::ids::{Offset, TopicPartition};
use engine::record;
use machine::NodeId;

/// A replica whose disk has to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reload {
    moment: Moment,
    partition: usize,
    /// Its log end offset.
    end: Offset,
    /// Batches that it lacks were lost with its power or its disk.
    lost: bool,
}

impl View {
    /// Whether a log that is loaded with this end may have lost batches with its disk since it was
    /// loaded last.
    pub(super) fn is_spoilt(&self, node: NodeId, index: usize, end: Offset) -> bool {
        let partition = &self.partitions[index];
        let replica = partition.find(node).map(|replica| &partition.replicas[replica]);
        let is_cut = |it: &Replica| end < it.end && it.bad_from().is_some_and(|from| from <= end);
        replica.is_some_and(|it| it.disk_lost || is_cut(it))
    }

    /// Whether the last process of a node was shut down cleanly, on a disk that no fault has
    /// affected.
    pub fn was_shut_down_cleanly(&self, node: NodeId) -> bool {
        let ended = matches!(self.endings.get(&node), Some(Change::Stopped));
        let of_disks = [
            FaultKind::FailingDisk,
            FaultKind::LostDisk,
            FaultKind::CorruptDisk,
            FaultKind::FullDisk,
        ];
        let affects = |fault: &Fault| {
            fault.applied && of_disks.contains(&fault.kind) && fault.nodes.contains(&node)
        };
        ended && !self.faults.iter().any(|(_, fault)| affects(fault))
    }

    /// Records that a node started, ended or lost data on its disk.
    pub(crate) fn on_node(&mut self, moment: &Moment, change: Change) {
        match &change {
            Change::DiskLost { emptied, .. } => return self.disk_lost(moment, emptied, &change),
            Change::SectorCorrupted { file, at } => {
                return self.sector_corrupted(moment, (file, *at), &change);
            }
            _ => {}
        }
        let failing = self.suffers(moment.node, &[FaultKind::FailingDisk, FaultKind::FullDisk]);
        for partition in &mut self.partitions {
            let Some(index) = partition.find(moment.node) else { continue };
            let is_metadata = partition.id == TopicPartition::METADATA;
            let replica = &mut partition.replicas[index];
            let has_ended = change != Change::Started;
            replica.disk_failed |= failing && has_ended;
            replica.kept = replica.kept.after(&change, replica.is_loaded);
            replica.may_have_cut &= !replica.is_loaded;
            replica.may_have_cut |= matches!(change, Change::Crashed { cut_short: true });
            // A process that starts has not loaded its logs yet.
            replica.is_loaded = false;
            match change {
                Change::Started
                | Change::Stopped
                | Change::DiskLost { .. }
                | Change::SectorCorrupted { .. } => {}
                Change::Crashed { .. } | Change::Halted { .. } => {
                    replica.ended_uncleanly = Some(moment.at)
                }
                Change::PowerLost { .. } => {
                    replica.ended_uncleanly = Some(moment.at);
                    // Voters sync their log before they respond, so they have no excuse.
                    replica.power_lost = !is_metadata;
                }
            }
            if change == Change::Started {
                partition.begin_empty(index);
            }
            partition.story.push(moment, index, Happening::Node(change.clone()));
        }
        if change == Change::Started {
            self.running.insert(moment.node, moment.incarnation);
            self.started.insert(moment.node, moment.at);
            self.failed_dirs.remove(&moment.node);
            return;
        }
        let cause = match &change {
            Change::Halted { why } => self.cause_of_halt(moment, why),
            _ => None,
        };
        self.records.abandon(moment);
        self.transactions.abandon(moment.node);
        self.members.end(moment, &change);
        self.started.remove(&moment.node);
        self.running.remove(&moment.node);
        if let Change::Halted { why } = &change {
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
        let kept = self.kept(moment.node, index, end);
        let spoilt = self.is_spoilt(moment.node, index, end);
        let lost = spoilt || self.kept_by_host(moment.node, index).power_was_lost();
        self.cut.clear();
        let partition = &mut self.partitions[index];
        let replica = partition.replica(moment.node);
        let it = &mut partition.replicas[replica];
        it.high_watermark = high_watermark;
        it.disk_lost = false;
        it.disk_failed = false;
        let reported = it.end;
        // After a power loss even an equal end may be that of an older log: a truncation may not
        // have happened. A crash may have kept an append that was never reported.
        if lost || reported != end {
            self.reloads.push(Reload { moment: *moment, partition: index, end, lost });
        }
        if end < reported {
            partition.cut(replica, end, lost, &mut self.cut);
            // The controller cannot know of the loss before the broker is registered again.
            partition.replicas[replica].power_lost |= spoilt;
        } else if end > reported {
            partition.adopt(replica, end);
        }
        partition.story.push(moment, replica, Happening::Loaded(end));
        Effect::Loaded { partition: index, replica, reported, end, kept }
    }

    /// Whether [`View::look_at`] has to be called, because a replica may have returned with another
    /// log than it had reported.
    pub(crate) fn wants_disks(&self) -> bool {
        !self.reloads.is_empty()
    }

    /// Reads the disks of replicas that have returned.
    pub(crate) fn look_at(&mut self, disks: &impl Disks) {
        for reload in std::mem::take(&mut self.reloads) {
            let Reload { moment, partition, end, .. } = reload;
            let it = &self.partitions[partition];
            let Some(segments) = disks.segments(moment.node, it.id, &it.name) else { continue };
            let (mut held, _) = disk::read(segments);
            // Batches that were appended in the same step as the load will be reported later.
            held.retain(|batch| {
                // `disk::read` returns only batches whose offsets a log can have.
                record::Batch::new(batch).is_ok_and(|batch| batch.next_offset() <= end)
            });
            self.reload(&reload, &held);
        }
    }

    fn reload(&mut self, reload: &Reload, held: &[Bytes]) {
        let partition = &mut self.partitions[reload.partition];
        if let Some(replica) = partition.find(reload.moment.node) {
            partition.reload(replica, held, reload.lost, &reload.moment);
        }
        if self.partitions[reload.partition].is_state_log {
            self.read_state_log(reload.partition);
        }
        if self.partitions[reload.partition].is_offsets_log {
            self.read_offsets_log(reload.partition);
        }
    }
}
