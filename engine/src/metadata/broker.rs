//! A broker as the metadata knows it (`BrokerRegistration`, KIP-631, KIP-841).

use super::record::{BrokerRegistrationChange, RegisterBroker};
use crate::ids::{BrokerEpoch, BrokerId, Offset};

/// A registered broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerRegistration {
    /// Its id.
    pub id: BrokerId,
    /// The life that it registered, as it names it.
    pub incarnation: u128,
    /// The life that it registered, as the controller numbers it.
    pub epoch: BrokerEpoch,
    /// Its rack.
    pub rack: Option<String>,
    /// It may neither lead nor join an ISR.
    pub fenced: bool,
    /// It is shutting down, and may neither lead nor join an ISR.
    pub in_controlled_shutdown: bool,
    /// The offset of its last registration record. It may be unfenced once it has replayed that.
    pub registered_at: Offset,
}

impl BrokerRegistration {
    /// What the record at `offset` registers.
    pub fn new(offset: Offset, record: &RegisterBroker) -> Self {
        Self {
            id: record.broker,
            incarnation: record.incarnation,
            epoch: record.broker_epoch,
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            registered_at: offset,
        }
    }

    /// Applies a change that is meant for this life of the broker.
    pub fn apply(&mut self, change: &BrokerRegistrationChange) {
        self.fenced = change.fenced.unwrap_or(self.fenced);
        self.in_controlled_shutdown =
            change.in_controlled_shutdown.unwrap_or(self.in_controlled_shutdown);
    }

    /// Whether it may lead and be in sync: neither fenced nor shutting down (KIP-841).
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}
