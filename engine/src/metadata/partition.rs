//! The registration of a partition (`PartitionRegistration`).

use super::record::{PartitionChange, PartitionRecord};
use crate::ids::{BrokerId, DirectoryId, LeaderEpoch, PartitionEpoch};

/// The state of a partition.
///
/// `LeaderRecoveryState` is left out: Kafka's leaders count as recovered at once, so nothing
/// depends on it (KIP-704 only reserves it).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionRegistration {
    /// Its replicas in order of preference.
    pub replicas: Vec<BrokerId>,
    /// The log directory of each replica, in the order of the replicas (KIP-858).
    pub directories: Vec<DirectoryId>,
    /// Its in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Its eligible leader replicas: no longer in sync, but still safe to lead (KIP-966).
    pub elr: Vec<BrokerId>,
    /// The last leader, kept while there is none (KIP-966).
    pub last_known_leader: Option<BrokerId>,
    /// The broker that leads; `None` if no replica may.
    pub leader: Option<BrokerId>,
    /// The number of this leadership, or of the time without a leader.
    pub leader_epoch: LeaderEpoch,
    /// The version of this state.
    pub partition_epoch: PartitionEpoch,
}

impl PartitionRegistration {
    /// The partition that a record creates.
    pub fn new(record: &PartitionRecord) -> Self {
        Self {
            replicas: record.replicas.clone(),
            directories: record.directories.clone(),
            isr: record.isr.clone(),
            elr: record.elr.clone(),
            last_known_leader: record.last_known_leader,
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        }
    }

    /// Applies a change. A change that sets the leader, also to the same broker or to `None`,
    /// increments the leader epoch. Every change increments the partition epoch.
    pub fn apply(&mut self, change: &PartitionChange) {
        if let Some(isr) = &change.isr {
            self.isr.clone_from(isr);
        }
        if let Some(elr) = &change.elr {
            self.elr.clone_from(elr);
        }
        if let Some(last_known_leader) = change.last_known_leader {
            self.last_known_leader = last_known_leader;
        }
        if let Some(leader) = change.leader {
            self.leader = leader;
            self.leader_epoch = self.leader_epoch.saturating_add(1);
        }
        if let Some(directories) = &change.directories {
            self.directories.clone_from(directories);
        }
        self.partition_epoch = self.partition_epoch.saturating_add(1);
    }

    /// Whether `broker` has a replica of it.
    pub fn is_replica(&self, broker: BrokerId) -> bool {
        self.replicas.contains(&broker)
    }

    /// The log directory of the replica on `broker`; [`DirectoryId::UNASSIGNED`] without one.
    pub fn directory(&self, broker: BrokerId) -> DirectoryId {
        let place = self.replicas.iter().position(|replica| *replica == broker);
        let directory = place.and_then(|place| self.directories.get(place));
        directory.copied().unwrap_or(DirectoryId::UNASSIGNED)
    }

    /// Whether its first replica leads.
    pub fn has_preferred_leader(&self) -> bool {
        self.leader.is_some() && self.leader == self.replicas.first().copied()
    }
}
