//! The registration of a broker (`BrokerRegistration`, KIP-631, KIP-841).

use super::record::{BrokerRegistrationChange, RegisterBroker};
use crate::ids::{BrokerEpoch, BrokerId, DirectoryId, Offset};

/// A registered broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerRegistration {
    /// `node.id`.
    pub id: BrokerId,
    /// The id that the broker drew for this life.
    pub incarnation: u128,
    /// The broker epoch of this life, assigned by the controller.
    pub epoch: BrokerEpoch,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Whether it is fenced, and may neither lead nor join an ISR.
    pub fenced: bool,
    /// Whether it is shutting down, and may neither lead nor join an ISR.
    pub in_controlled_shutdown: bool,
    /// Its online log directories, sorted (KIP-858).
    pub log_dirs: Vec<DirectoryId>,
    /// The offset of its last registration record. It may be unfenced once it has replayed this
    /// record.
    pub registered_at: Offset,
}

impl BrokerRegistration {
    /// The registration that the record at `offset` creates.
    pub fn new(offset: Offset, record: &RegisterBroker) -> Self {
        Self {
            id: record.broker,
            incarnation: record.incarnation,
            epoch: record.broker_epoch,
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs: sorted(&record.log_dirs),
            registered_at: offset,
        }
    }

    /// Applies a change of this life of the broker.
    pub fn apply(&mut self, change: &BrokerRegistrationChange) {
        self.fenced = change.fenced.unwrap_or(self.fenced);
        self.in_controlled_shutdown =
            change.in_controlled_shutdown.unwrap_or(self.in_controlled_shutdown);
        if let Some(log_dirs) = change.log_dirs.as_ref().filter(|dirs| !dirs.is_empty()) {
            self.log_dirs = sorted(log_dirs);
        }
    }

    /// Whether a replica in this directory of the broker is online.
    pub fn has_online_dir(&self, directory: DirectoryId) -> bool {
        directory.is_online(&self.log_dirs)
    }

    /// The directory of a new replica on this broker, as far as the controller can know it
    /// (`ClusterControlManager.defaultDir`).
    pub fn default_dir(&self) -> DirectoryId {
        match self.log_dirs[..] {
            [] => DirectoryId::MIGRATING,
            [only] => only,
            _ => DirectoryId::UNASSIGNED,
        }
    }

    /// Whether it may lead and be in sync: neither fenced nor shutting down (KIP-841).
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}

fn sorted(log_dirs: &[DirectoryId]) -> Vec<DirectoryId> {
    let mut sorted = log_dirs.to_vec();
    sorted.sort_unstable();
    sorted
}
