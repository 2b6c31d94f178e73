//! The state of registered brokers by their last heartbeats (`BrokerHeartbeatManager`).
//!
//! Soft state of the active controller, like [`super::contact_times`].

use crate::ids::{BrokerId, Offset};
use crate::metadata::{MetadataImage, MetadataRecord};
use std::collections::BTreeMap;

/// The state of a registered broker (`BrokerHeartbeatState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heartbeat {
    fenced: bool,
    /// The last metadata offset that the broker has applied; -1 if unknown.
    metadata_offset: Offset,
    /// The broker may shut down once all active brokers have applied this offset.
    shutdown_offset: Option<Offset>,
}

impl Heartbeat {
    fn is_active(&self) -> bool {
        !self.fenced && self.shutdown_offset.is_none()
    }
}

/// The state of all registered brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heartbeats {
    brokers: BTreeMap<BrokerId, Heartbeat>,
}

impl Heartbeats {
    /// The state with which a new active controller begins.
    pub(super) fn new(image: &MetadataImage) -> Self {
        let mut heartbeats = Self::default();
        for broker in image.brokers() {
            heartbeats.register(broker.id, broker.fenced);
        }
        heartbeats
    }

    /// Updates the state after the replay of a record in `image`.
    ///
    /// The offset of a broker is forgotten whenever its registration changes, until its next
    /// heartbeat: a change that a heartbeat causes is replayed after the offset of that heartbeat
    /// was recorded. Until then no controlled shutdown can complete.
    pub(super) fn replay(&mut self, record: &MetadataRecord, image: &MetadataImage) {
        match record {
            MetadataRecord::RegisterBroker(record) => {
                self.brokers.remove(&record.broker);
                self.register(record.broker, record.fenced);
            }
            MetadataRecord::BrokerRegistrationChange(record) => {
                let fenced = image.broker(record.broker).is_some_and(|broker| broker.fenced);
                self.register(record.broker, fenced);
            }
            MetadataRecord::UnregisterBroker { broker, .. } => {
                self.brokers.remove(broker);
            }
            _ => {}
        }
    }

    fn register(&mut self, broker: BrokerId, fenced: bool) {
        let metadata_offset = match self.brokers.get(&broker) {
            Some(known) if known.fenced != fenced => known.metadata_offset,
            _ => -1,
        };
        self.touch(broker, fenced, metadata_offset);
    }

    /// Records a heartbeat and the resulting fencing. Fencing ends a controlled shutdown: the
    /// broker may shut down at its next heartbeat.
    pub(super) fn touch(&mut self, broker: BrokerId, fenced: bool, metadata_offset: Offset) {
        let known = self.brokers.get(&broker).and_then(|known| known.shutdown_offset);
        let shutdown_offset = known.filter(|_| !fenced);
        self.brokers.insert(broker, Heartbeat { fenced, metadata_offset, shutdown_offset });
    }

    /// A broker was fenced because its session expired.
    pub(super) fn fence(&mut self, broker: BrokerId) {
        if let Some(known) = self.brokers.get_mut(&broker) {
            known.fenced = true;
        }
    }

    /// A broker's controlled shutdown changed the metadata up to `offset`. Only the first offset
    /// counts; otherwise the broker of a busy cluster could never shut down.
    pub(super) fn begin_shutdown(&mut self, broker: BrokerId, offset: Offset) {
        if let Some(known) = self.brokers.get_mut(&broker) {
            known.shutdown_offset.get_or_insert(offset);
        }
    }

    /// The offset that all active brokers have to apply before a broker may shut down; `None` if
    /// the broker is not in controlled shutdown.
    pub(super) fn shutdown_offset(&self, broker: BrokerId) -> Option<Offset> {
        self.brokers.get(&broker)?.shutdown_offset
    }

    /// The lowest offset that an active broker is known to have applied; [`Offset::MAX`] if none
    /// is active.
    pub(super) fn lowest_active_offset(&self) -> Offset {
        let active = self.brokers.values().filter(|broker| broker.is_active());
        active.map(|broker| broker.metadata_offset).min().unwrap_or(Offset::MAX)
    }
}
