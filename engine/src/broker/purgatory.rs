//! Requests that wait, and the connections that wait with them (`DelayedOperationPurgatory`,
//! `SocketServer`).
//!
//! A server handles the requests of one connection strictly one after another: while one waits,
//! the connection is muted, and what arrives on it is handled when that one has been answered.

use super::produce::DelayedProduce;
use crate::Outbox;
use crate::fact::Fact;
use crate::protocol::{FetchRequest, Request};
use crate::timer::{BrokerTimer, Timer};
use machine::{ConnId, Mono};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A request that is not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) correlation_id: u32,
    /// When it is answered with what there is.
    pub(super) deadline: Mono,
    pub(super) body: Delayed,
}

/// What it waits for.
#[derive(Clone, Debug)]
pub(super) enum Delayed {
    /// The in-sync replicas.
    Produce(DelayedProduce),
    /// Records.
    Fetch(FetchRequest),
    /// The controller; the request itself is with those to be forwarded.
    Forwarded,
}

/// The muted connections.
#[derive(Clone, Debug)]
pub(super) struct Purgatory {
    connections: BTreeMap<ConnId, Muted>,
    deadlines: BTreeSet<(Mono, ConnId)>,
    /// What the timer is set for.
    armed: Mono,
}

#[derive(Clone, Debug, Default)]
struct Muted {
    parked: Option<Parked>,
    /// What arrived meanwhile.
    queue: VecDeque<(u32, Request)>,
}

impl Purgatory {
    pub(super) fn new() -> Self {
        Self { connections: BTreeMap::new(), deadlines: BTreeSet::new(), armed: Mono::MAX }
    }

    /// Whether requests of this connection have to queue.
    pub(super) fn is_muted(&self, conn: ConnId) -> bool {
        self.connections.contains_key(&conn)
    }

    /// Keeps a request of a muted connection.
    pub(super) fn queue(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: Request,
        out: &mut Outbox,
    ) {
        let muted = self.connections.entry(conn).or_default();
        if muted.parked.is_none() && muted.queue.is_empty() {
            out.observe(Fact::Reached("request_while_answer_leaves"));
        }
        muted.queue.push_back((correlation_id, request));
    }

    /// Lets a request wait.
    pub(super) fn park(&mut self, conn: ConnId, parked: Parked, out: &mut Outbox) {
        self.deadlines.insert((parked.deadline, conn));
        if parked.deadline < self.armed {
            self.armed = parked.deadline;
            out.set_timer(Timer::Broker(BrokerTimer::Waiting), parked.deadline);
        }
        self.connections.entry(conn).or_default().parked = Some(parked);
    }

    /// The request of `conn` that waits.
    pub(super) fn get(&self, conn: ConnId) -> Option<&Parked> {
        self.connections.get(&conn)?.parked.as_ref()
    }

    /// Takes the request of `conn` that waits, to answer it.
    pub(super) fn take(&mut self, conn: ConnId) -> Option<Parked> {
        let parked = self.connections.get_mut(&conn)?.parked.take()?;
        self.deadlines.remove(&(parked.deadline, conn));
        Some(parked)
    }

    /// Puts back what [`Purgatory::take`] took.
    pub(super) fn put_back(&mut self, conn: ConnId, parked: Parked) {
        self.deadlines.insert((parked.deadline, conn));
        self.connections.entry(conn).or_default().parked = Some(parked);
    }

    /// A request of `conn` has been answered: the next one is handled, as an input of its own.
    pub(super) fn unmute(&mut self, conn: ConnId, now: Mono, out: &mut Outbox) {
        match self.connections.get(&conn) {
            Some(muted) if muted.queue.is_empty() => {
                self.connections.remove(&conn);
            }
            Some(_) => out.set_timer(Timer::Broker(BrokerTimer::NextRequest(conn)), now),
            None => {}
        }
    }

    /// The same, but the connection stays muted until the response has left: the thread that
    /// answers is not the one that reads requests, and may still be waiting for the disk.
    pub(super) fn unmute_later(&mut self, conn: ConnId, now: Mono, out: &mut Outbox) {
        if self.connections.contains_key(&conn) {
            out.set_timer(Timer::Broker(BrokerTimer::NextRequest(conn)), now);
        }
    }

    /// The request to be handled next, which stays muted until it is answered.
    pub(super) fn next(&mut self, conn: ConnId) -> Option<(u32, Request)> {
        let muted = self.connections.get_mut(&conn).filter(|muted| muted.parked.is_none())?;
        let next = muted.queue.pop_front();
        if next.is_none() {
            self.connections.remove(&conn);
        }
        next
    }

    /// The request that [`Purgatory::next`] would answer.
    pub(super) fn peek(&self, conn: ConnId) -> Option<&Request> {
        self.connections.get(&conn)?.queue.front().map(|(_, request)| request)
    }

    /// A connection has ended. Answers what waited.
    pub(super) fn close(&mut self, conn: ConnId) -> Option<Parked> {
        let parked = self.take(conn);
        self.connections.remove(&conn);
        parked
    }

    /// The connections whose request is overdue, and sets the timer for the next.
    pub(super) fn expire(&mut self, now: Mono, out: &mut Outbox) -> Vec<ConnId> {
        let overdue: Vec<ConnId> =
            self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, conn)| *conn).collect();
        let next = self.deadlines.iter().find(|(at, _)| *at > now);
        self.armed = next.map_or(Mono::MAX, |(at, _)| *at);
        if self.armed != Mono::MAX {
            out.set_timer(Timer::Broker(BrokerTimer::Waiting), self.armed);
        }
        overdue
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        let parked = self.connections.values().filter(|muted| muted.parked.is_some()).count();
        assert_eq!(parked, self.deadlines.len(), "whatever waits has a deadline");
    }
}
