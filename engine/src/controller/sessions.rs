//! When brokers were last heard of (`BrokerHeartbeatManager`, `BrokerHeartbeatTracker`).
//!
//! Soft state of the active controller: it is in no log, and starts afresh with each controller,
//! which gives every unfenced broker a whole new session.

use crate::ids::{BrokerEpoch, BrokerId, Offset};
use crate::metadata::MetadataImage;
use machine::{Mono, Span};
use std::collections::BTreeMap;

/// What is known of one broker's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Session {
    epoch: BrokerEpoch,
    last_contact: Mono,
    /// The last offset that it has applied, by its last heartbeat.
    metadata_offset: Offset,
    /// Its controlled shutdown is over when all active brokers have applied this offset.
    shutdown_offset: Option<Offset>,
}

/// The sessions of all brokers that were heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sessions {
    timeout: Span,
    brokers: BTreeMap<BrokerId, Session>,
}

/// What a heartbeat told, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    /// The broker.
    pub(super) broker: BrokerId,
    /// Its life.
    pub(super) epoch: BrokerEpoch,
    /// The last offset that it has applied.
    pub(super) metadata_offset: Offset,
    /// It is fenced now.
    pub(super) fenced: bool,
}

impl Sessions {
    /// A new session for every broker that is not fenced.
    pub(super) fn new(timeout: Span, image: &MetadataImage, now: Mono) -> Self {
        let unfenced = image.brokers().filter(|broker| !broker.fenced);
        let session = |epoch| Session {
            epoch,
            last_contact: now,
            metadata_offset: -1,
            shutdown_offset: None,
        };
        let brokers = unfenced.map(|broker| (broker.id, session(broker.epoch))).collect();
        Self { timeout, brokers }
    }

    /// Whether this life of a broker was heard of lately.
    pub(super) fn is_live(&self, broker: BrokerId, epoch: BrokerEpoch, now: Mono) -> bool {
        let session = self.brokers.get(&broker).filter(|session| session.epoch == epoch);
        session.is_some_and(|session| !self.is_over(session, now))
    }

    fn is_over(&self, session: &Session, now: Mono) -> bool {
        now > session.last_contact + self.timeout
    }

    /// A heartbeat of a registered life.
    pub(super) fn touch(&mut self, contact: Contact, now: Mono) {
        let earlier = self.brokers.get(&contact.broker).filter(|s| s.epoch == contact.epoch);
        let shutdown_offset = earlier.and_then(|session| session.shutdown_offset);
        let session = Session {
            epoch: contact.epoch,
            last_contact: now,
            metadata_offset: contact.metadata_offset,
            // One that is fenced has left its shutdown behind: it may end at its next heartbeat.
            shutdown_offset: shutdown_offset.filter(|_| !contact.fenced),
        };
        self.brokers.insert(contact.broker, session);
    }

    /// A broker registered, or was fenced because its session was over: there is none any more.
    pub(super) fn forget(&mut self, broker: BrokerId) {
        self.brokers.remove(&broker);
    }

    /// A broker's controlled shutdown changed the metadata up to `offset`. Only the first time
    /// counts, or a busy cluster would never let it go.
    pub(super) fn shuts_down(&mut self, broker: BrokerId, offset: Offset) {
        if let Some(session) = self.brokers.get_mut(&broker) {
            session.shutdown_offset.get_or_insert(offset);
        }
    }

    /// The offset that all active brokers have to apply before a broker that shuts down may go;
    /// `None` if it does not shut down.
    pub(super) fn shutdown_offset(&self, broker: BrokerId) -> Option<Offset> {
        self.brokers.get(&broker)?.shutdown_offset
    }

    /// The least offset that an active broker has applied; [`Offset::MAX`] if none is active.
    pub(super) fn lowest_active_offset(&self, image: &MetadataImage) -> Offset {
        let unfenced = |id: &BrokerId| image.broker(*id).is_some_and(|broker| !broker.fenced);
        self.brokers
            .iter()
            .filter(|(id, session)| session.shutdown_offset.is_none() && unfenced(id))
            .map(|(_, session)| session.metadata_offset)
            .min()
            .unwrap_or(Offset::MAX)
    }

    /// The brokers whose sessions are over, the stalest first.
    pub(super) fn expired(&self, now: Mono) -> Vec<BrokerId> {
        let over = self.brokers.iter().filter(|(_, session)| self.is_over(session, now));
        let mut expired: Vec<_> = over.map(|(id, session)| (session.last_contact, *id)).collect();
        expired.sort_unstable();
        expired.into_iter().map(|(_, id)| id).collect()
    }

    /// When the next session is over, if nothing is heard until then.
    pub(super) fn next_expiration(&self) -> Option<Mono> {
        let last = self.brokers.values().map(|session| session.last_contact).min()?;
        Some(last + self.timeout + Span(1))
    }
}
