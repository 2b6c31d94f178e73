//! The requests that are parked until a partition changes (the watch lists of
//! `DelayedOperationPurgatory`).
//!
//! The lists name connections, each of which has at most one parked request. An entry may be
//! outdated, so the request itself is checked when it is woken.

use super::records::Ticket;
use crate::ids::Offset;
use machine::ConnId;
use std::collections::VecDeque;

/// The watch lists of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    /// Produce requests with the offset that the high watermark has to reach, in order. A copy of a
    /// batch waits for the offset of the batch, which may be smaller than those of earlier entries.
    produces: VecDeque<(Offset, ConnId)>,
    /// Appends of a coordinator with the offset that the high watermark has to reach, in order.
    appends: VecDeque<(Offset, Ticket)>,
    /// Followers' fetches, which read up to the log end.
    followers: Vec<ConnId>,
    /// Consumers' fetches, which read committed records only.
    consumers: Vec<ConnId>,
}

impl Waiting {
    /// Adds a produce request that waits until the high watermark has reached `required`.
    pub(super) fn add_produce(&mut self, required: Offset, conn: ConnId) {
        let place = self.produces.partition_point(|other| *other <= (required, conn));
        self.produces.insert(place, (required, conn));
    }

    /// Adds a fetch that waits for records.
    pub(super) fn add_fetch(&mut self, conn: ConnId, is_follower: bool) {
        let list = if is_follower { &mut self.followers } else { &mut self.consumers };
        if !list.contains(&conn) {
            list.push(conn);
        }
    }

    /// Removes the next produce request for which `high_watermark` is sufficient.
    pub(super) fn pop_produce(&mut self, high_watermark: Offset) -> Option<ConnId> {
        let (required, conn) = *self.produces.front()?;
        (required <= high_watermark).then(|| {
            self.produces.pop_front();
            conn
        })
    }

    /// Adds an append of a coordinator that waits until the high watermark has reached `required`.
    pub(super) fn add_append(&mut self, required: Offset, ticket: Ticket) {
        self.appends.push_back((required, ticket));
    }

    /// Removes the next append for which `high_watermark` is sufficient, with the offset for which
    /// it waits.
    pub(super) fn pop_append(&mut self, high_watermark: Offset) -> Option<(Offset, Ticket)> {
        let (required, _) = *self.appends.front()?;
        if required <= high_watermark { self.appends.pop_front() } else { None }
    }

    /// Removes an append.
    pub(super) fn forget_append(&mut self, ticket: Ticket) {
        self.appends.retain(|(_, other)| *other != ticket);
    }

    /// Moves the followers' fetches to `to`.
    pub(super) fn take_followers(&mut self, to: &mut Vec<ConnId>) {
        to.append(&mut self.followers);
    }

    /// Moves the consumers' fetches to `to`.
    pub(super) fn take_consumers(&mut self, to: &mut Vec<ConnId>) {
        to.append(&mut self.consumers);
    }

    /// Forgets the requests of a connection that wait.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.produces.retain(|(_, other)| *other != conn);
        self.followers.retain(|other| *other != conn);
        self.consumers.retain(|other| *other != conn);
    }

    /// Whether a produce or an append waits.
    pub(super) fn has_produces(&self) -> bool {
        !self.produces.is_empty() || !self.appends.is_empty()
    }

    /// Panics if the lists contradict themselves.
    pub(super) fn invariants(&self) {
        let in_order = self.produces.iter().zip(self.produces.iter().skip(1)).all(|(a, b)| a <= b);
        assert!(in_order || self.produces.len() < 2, "produces wait in order of offset");
    }
}
