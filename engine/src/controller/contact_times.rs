//! The times of the brokers' last heartbeats (`BrokerHeartbeatTracker`).
//!
//! Soft state of the active controller: it is not in the log, and a new active controller gives
//! every unfenced broker a whole session. An entry belongs to one registration of a broker, and
//! stays until it expires, even if the broker has registered again since.

use crate::ids::{BrokerEpoch, BrokerId};
use machine::{Mono, Span};
use std::collections::BTreeMap;

/// A registration: a broker and its epoch (`BrokerIdAndEpoch`).
pub(super) type IdAndEpoch = (BrokerId, BrokerEpoch);

/// The time of the last heartbeat of each registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContactTimes {
    session_timeout: Span,
    entries: BTreeMap<IdAndEpoch, Contact>,
    /// The number of buckets of Kafka's hash map.
    buckets: u32,
    /// The number of entries inserted so far.
    inserted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Contact {
    at: Mono,
    /// The number of the entry in the order of insertion, from 1.
    number: u64,
}

impl ContactTimes {
    pub(super) fn new(session_timeout: Span) -> Self {
        Self { session_timeout, entries: BTreeMap::new(), buckets: 16, inserted: 0 }
    }

    /// Records a heartbeat.
    pub(super) fn update(&mut self, registration: IdAndEpoch, now: Mono) {
        if let Some(contact) = self.entries.get_mut(&registration) {
            contact.at = now;
            return;
        }
        self.inserted += 1;
        self.entries.insert(registration, Contact { at: now, number: self.inserted });
        while self.entries.len() as u64 >= u64::from(self.buckets) * 3 / 4 {
            self.buckets *= 2;
        }
    }

    /// Whether a registration has sent a heartbeat within the session time-out. A registration
    /// that has not sent any has no session.
    pub(super) fn has_valid_session(&self, registration: IdAndEpoch, now: Mono) -> bool {
        self.entries.get(&registration).is_some_and(|contact| !self.is_expired(*contact, now))
    }

    fn is_expired(&self, contact: Contact, now: Mono) -> bool {
        contact.at + self.session_timeout < now
    }

    /// The expired entries in the order in which Kafka's hash map yields them: by bucket, and
    /// within a bucket by insertion, not by the time of the last heartbeat.
    pub(super) fn expired(&self, now: Mono) -> Vec<IdAndEpoch> {
        let expired = self.entries.iter().filter(|(_, contact)| self.is_expired(**contact, now));
        let mut expired: Vec<_> = expired
            .map(|(registration, contact)| {
                (bucket(*registration, self.buckets), contact.number, *registration)
            })
            .collect();
        expired.sort_unstable();
        expired.into_iter().map(|(_, _, registration)| registration).collect()
    }

    /// Removes an entry.
    pub(super) fn remove(&mut self, registration: IdAndEpoch) {
        self.entries.remove(&registration);
    }
}

/// The bucket of a `ConcurrentHashMap` in which `Objects.hash(id, epoch)` falls.
fn bucket((id, epoch): IdAndEpoch, buckets: u32) -> u32 {
    let folded = (epoch ^ epoch >> 32) as u32;
    let hash = 961_u32.wrapping_add(31 * u32::from(id)).wrapping_add(folded);
    (hash ^ hash >> 16) & (buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_expire_in_the_order_of_the_hash_map() {
        let mut contacts = ContactTimes::new(Span::secs(9));
        // (31 * 31 + 31 * id + epoch) mod 16 is 1, 0, 15 and 0.
        let registrations = [(1, 1), (1, 0), (1, 15), (2, 1)];
        for (at, registration) in (0..).zip(registrations) {
            contacts.update(registration, Mono(at));
        }
        let late = Mono(0) + Span::secs(9) + Span(4);
        assert_eq!(contacts.expired(late), [(1, 0), (2, 1), (1, 1), (1, 15)]);
        contacts.update((2, 1), late);
        assert_eq!(contacts.expired(late), [(1, 0), (1, 1), (1, 15)]);
    }

    #[test]
    fn the_order_follows_the_growth_of_the_hash_map() {
        let mut contacts = ContactTimes::new(Span::secs(9));
        let late = Mono(0) + Span::secs(9) + Span(1);
        // (31 * 31 + 31 * 1 + epoch) mod 16 is 0 for both, mod 32 it is 16 and 0.
        contacts.update((1, 16), Mono(0));
        contacts.update((1, 32), Mono(0));
        assert_eq!(contacts.expired(late), [(1, 16), (1, 32)]);
        for id in 2..12 {
            contacts.update((id, 7), late);
        }
        assert_eq!(
            contacts.expired(late),
            [(1, 32), (1, 16)],
            "the twelfth entry doubled the number of buckets"
        );
    }

    #[test]
    fn a_session_ends_after_its_time_out() {
        let mut contacts = ContactTimes::new(Span::secs(9));
        assert!(!contacts.has_valid_session((1, 5), Mono(0)));
        contacts.update((1, 5), Mono(0));
        assert!(contacts.has_valid_session((1, 5), Mono(0) + Span::secs(9)));
        assert!(!contacts.has_valid_session((1, 5), Mono(0) + Span::secs(9) + Span(1)));
        assert!(!contacts.has_valid_session((1, 6), Mono(0)), "another registration");
    }
}
