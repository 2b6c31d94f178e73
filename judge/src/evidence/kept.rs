//! Records that a disk must have kept from the lives of a replica since its log was last loaded.

use super::observed::Change;
use super::view::View;
use engine::ids::Offset;
use machine::NodeId;

/// The part of all reported records that a disk must have kept. Several lives may have ended since
/// they were reported: a life that ends before it has loaded the log does not restore records that
/// the previous life lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// No particular records: the disk was changed by a fault, or there was no earlier life.
    #[default]
    Unknown,
    /// Everything: a clean shutdown has synced it.
    Stopped {
        /// Whether the host lost power afterwards, so that only the sync has kept the records.
        power_lost: bool,
    },
    /// Everything: the process was killed, and its host kept its writes.
    Written,
    /// The records that had been synced when the host lost power.
    Synced,
}

impl Kept {
    /// The state after the end of another life. `was_loaded` says whether that life had loaded the
    /// log.
    #[must_use]
    pub(super) fn after(self, change: &Change, was_loaded: bool) -> Self {
        match change {
            Change::Started | Change::DiskLost { .. } | Change::SectorCorrupted { .. } => self,
            Change::PowerLost { .. } => match self {
                Self::Stopped { .. } if !was_loaded => Self::Stopped { power_lost: true },
                _ => Self::Synced,
            },
            // This life has added no records, and has synced none of earlier lives.
            _ if !was_loaded => self,
            Change::Stopped => Self::Stopped { power_lost: false },
            Change::Crashed { .. } | Change::Halted { .. } => Self::Written,
        }
    }

    /// Whether power was lost, so that unsynced records may be gone.
    pub(super) fn power_was_lost(self) -> bool {
        matches!(self, Self::Synced | Self::Stopped { power_lost: true })
    }
}

impl View {
    /// The records of a partition (by index) that the disk of a node must have kept, if its log is
    /// loaded with this end.
    pub(super) fn kept(&self, node: NodeId, index: usize, end: Offset) -> Kept {
        let partition = &self.partitions[index];
        let replica = partition.find(node).map(|replica| &partition.replicas[replica]);
        if replica.is_some_and(|it| it.disk_failed) || self.is_spoilt(node, index, end) {
            return Kept::Unknown;
        }
        self.kept_by_host(node, index)
    }

    /// Like [`kept`](Self::kept), but ignoring faults of the disk itself.
    pub(super) fn kept_by_host(&self, node: NodeId, index: usize) -> Kept {
        let partition = &self.partitions[index];
        partition.find(node).map_or(Kept::Unknown, |replica| partition.replicas[replica].kept)
    }
}
