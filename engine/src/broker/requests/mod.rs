//! The requests of other nodes: in order by connection, parked until something happens, answered
//! (`SocketServer`, `KafkaApis`, `DelayedOperationPurgatory`).
//!
//! A part that cannot answer a request at once parks it here, with its own variant of
//! [`Delayed`], and takes it back when what it waits for has happened or its time is up.

use super::context::Io;
use super::replicas::{DelayedFetch, DelayedMarkers, DelayedProduce};
use crate::Outbox;
use crate::fact::Fact;
use crate::net::{Asked, Incoming};
use crate::protocol::{Message, Request, Response};
use crate::reach::Reach;
use crate::timer::{BrokerTimer, Timer};
use machine::{ConnId, Lane, Mono};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What became of a request.
#[derive(Clone, Debug)]
pub(super) enum Served {
    /// Its response is sent.
    Response(Response),
    /// It is parked, and its connection stays muted.
    Parked,
    /// It gets no response (acks=0).
    Unanswered,
    /// The connection is closed instead of a response.
    Close,
}

/// A request without a response so far.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) correlation_id: u32,
    /// When it gets a response whatever has happened until then; `None` if the part that parked
    /// it sees to that.
    pub(super) deadline: Option<Mono>,
    pub(super) body: Delayed,
}

/// What a parked request waits for.
#[derive(Clone, Debug)]
pub(super) enum Delayed {
    /// A high watermark.
    Produce(DelayedProduce),
    /// A high watermark, too.
    Markers(DelayedMarkers),
    /// The coordinator of its transaction; the request itself is with the verifications, under this number.
    Verification(u64),
    /// Records.
    Fetch(Arc<DelayedFetch>),
    /// The controller; the request itself is with the forwarded ones.
    Forwarded,
    /// A record of a transaction coordinator, which knows what the response is.
    Transaction,
}

/// All requests in hand.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    incoming: Incoming,
    parked: BTreeMap<ConnId, Parked>,
    /// The time that [`BrokerTimer::Waiting`] is set for.
    armed: Mono,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { incoming: Incoming::default(), parked: BTreeMap::new(), armed: Mono::MAX }
    }

    /// Whether a request of this connection would queue.
    pub(super) fn is_muted(&self, conn: ConnId) -> bool {
        self.incoming.is_muted(conn)
    }

    /// Takes a request in. Returned if it is to be handled now.
    pub(super) fn receive(&mut self, asked: Asked, out: &mut Outbox) -> Option<Asked> {
        let conn = asked.conn;
        if self.incoming.is_muted(conn)
            && !self.parked.contains_key(&conn)
            && self.incoming.peek(conn).is_none()
        {
            out.observe(Fact::Reached(Reach::RequestWhileAnswerLeaves));
        }
        self.incoming.receive(asked)
    }

    /// The request to be handled next on `conn`, when the response before it has left.
    pub(super) fn next(&mut self, conn: ConnId) -> Option<Asked> {
        self.incoming.next(conn)
    }

    /// The request that [`Requests::next`] would return.
    pub(super) fn peek(&self, conn: ConnId) -> Option<&Request> {
        self.incoming.peek(conn).map(|asked| &asked.request)
    }

    /// Parks the request in hand on `conn`.
    pub(super) fn park(&mut self, conn: ConnId, parked: Parked, out: &mut Outbox) {
        if let Some(deadline) = parked.deadline.filter(|deadline| *deadline < self.armed) {
            self.armed = deadline;
            out.set_timer(Timer::Broker(BrokerTimer::Waiting), deadline);
        }
        self.put_back(conn, parked);
    }

    /// The parked request of `conn`.
    pub(super) fn get(&self, conn: ConnId) -> Option<&Parked> {
        self.parked.get(&conn)
    }

    /// Takes the parked request of `conn`, to answer it.
    pub(super) fn take(&mut self, conn: ConnId) -> Option<Parked> {
        self.parked.remove(&conn)
    }

    /// Puts back what [`Requests::take`] took.
    pub(super) fn put_back(&mut self, conn: ConnId, parked: Parked) {
        self.parked.insert(conn, parked);
    }

    /// Ends the request in hand on `conn`, unless it is parked, and lets the next one come.
    ///
    /// The next one is an input of its own. If the response is written by another thread than
    /// the one that reads requests, the connection stays muted until it has left: that thread
    /// may still wait for the disk.
    pub(super) fn finish(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        served: Served,
        io: &mut Io<'_>,
    ) {
        let leaves_later = match served {
            Served::Response(body) => {
                io.out.send(conn, Message::Response { correlation_id, body });
                io.lane != Lane::Request
            }
            Served::Unanswered => false,
            Served::Parked => return,
            Served::Close => {
                io.out.close(conn);
                self.close(conn);
                return;
            }
        };
        let Some(has_queued) = self.incoming.has_queued(conn) else { return };
        if leaves_later || has_queued {
            io.out.set_timer(Timer::Broker(BrokerTimer::NextRequest(conn)), io.now.mono);
        } else {
            self.incoming.next(conn);
        }
    }

    /// A connection has ended. Returns the request that was parked there.
    pub(super) fn close(&mut self, conn: ConnId) -> Option<Parked> {
        self.incoming.forget(conn);
        self.take(conn)
    }

    /// The connections whose parked request is overdue, those that are due first in front. Sets the
    /// timer for the next.
    pub(super) fn expire(&mut self, now: Mono, out: &mut Outbox) -> Vec<ConnId> {
        // A few are parked at a time, and most are taken before they are overdue: an index by time
        // would cost more than it saves.
        let deadlines =
            self.parked.iter().filter_map(|(conn, parked)| Some((parked.deadline?, *conn)));
        let (mut overdue, later): (Vec<_>, Vec<_>) = deadlines.partition(|(at, _)| *at <= now);
        overdue.sort_unstable();
        self.armed = later.iter().map(|(at, _)| *at).min().unwrap_or(Mono::MAX);
        if self.armed != Mono::MAX {
            out.set_timer(Timer::Broker(BrokerTimer::Waiting), self.armed);
        }
        overdue.into_iter().map(|(_, conn)| conn).collect()
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        let muted = self.parked.keys().all(|conn| self.incoming.is_muted(*conn));
        assert!(muted, "the connection of a parked request is muted");
    }
}
