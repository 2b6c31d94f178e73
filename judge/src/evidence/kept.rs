//! What a disk must have kept of the lives of a replica since it last loaded its log.

use super::observed::Change;
use super::view::View;
use engine::ids::Offset;
use machine::NodeId;

/// What a disk must have kept of all that a replica has reported. Several lives may have ended
/// since: one that ends before it has loaded the log gives nothing back of what the one before lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Nothing in particular: the disk was tampered with, or there was no life before.
    #[default]
    Unknown,
    /// Everything: an orderly stop has synced it.
    Stopped {
        /// Whether the host lost power after that, so that it is there by the sync alone.
        power_lost: bool,
    },
    /// Everything: the process died, and its host kept what it had written.
    Written,
    /// What had been synced when the host lost power.
    Synced,
}

impl Kept {
    /// The same after another end. `was_loaded`: of a life that had loaded the log.
    #[must_use]
    pub(super) fn after(self, change: &Change, was_loaded: bool) -> Self {
        match change {
            Change::Started | Change::DiskLost { .. } | Change::SectorCorrupted { .. } => self,
            Change::PowerLost { .. } => match self {
                Self::Stopped { .. } if !was_loaded => Self::Stopped { power_lost: true },
                _ => Self::Synced,
            },
            // It has added nothing, and has synced nothing of what others added.
            _ if !was_loaded => self,
            Change::Stopped => Self::Stopped { power_lost: false },
            Change::Crashed { .. } | Change::Halted { .. } => Self::Written,
        }
    }

    /// Whether power was lost, so that what was not synced may be gone.
    pub(super) fn power_was_lost(self) -> bool {
        matches!(self, Self::Synced | Self::Stopped { power_lost: true })
    }
}

impl View {
    /// What the disk of a node must have kept of a partition, by index, of which a log with this end
    /// is loaded.
    pub(super) fn kept(&self, node: NodeId, index: usize, end: Offset) -> Kept {
        let partition = &self.partitions[index];
        let replica = partition.find(node).map(|replica| &partition.replicas[replica]);
        if replica.is_some_and(|it| it.disk_failed) || self.is_spoilt(node, index, end) {
            return Kept::Unknown;
        }
        self.kept_by_host(node, index)
    }

    /// The same, whatever disks took by themselves.
    pub(super) fn kept_by_host(&self, node: NodeId, index: usize) -> Kept {
        let partition = &self.partitions[index];
        partition.find(node).map_or(Kept::Unknown, |replica| partition.replicas[replica].kept)
    }
}
