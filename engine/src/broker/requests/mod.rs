//! The requests of other nodes: in order for each connection, parked, and completed with a response
//! (`SocketServer`, `KafkaApis`, `DelayedOperationPurgatory`).
//!
//! A part that cannot complete a request at once parks it here, with its own variant of
//! [`Delayed`], and takes it back to complete it, at the latest at its deadline.

mod reply;

pub(super) use reply::Reply;

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

/// The outcome of serving a request.
#[derive(Clone, Debug)]
pub(super) enum Served {
    /// The response is sent.
    Response(Response),
    /// The request is parked, and its connection stays muted.
    Parked,
    /// The request gets no response (acks=0).
    Unanswered,
    /// The connection is closed instead.
    Close,
}

/// A parked request.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) correlation_id: u32,
    /// When it gets a response at the latest; `None` if the part that parked it has its own
    /// time-out.
    pub(super) deadline: Option<Mono>,
    pub(super) body: Delayed,
}

/// The condition for which a parked request waits.
#[derive(Clone, Debug)]
pub(super) enum Delayed {
    /// A produce request waits for high watermarks.
    Produce(DelayedProduce),
    /// A WriteTxnMarkers request waits for high watermarks.
    Markers(DelayedMarkers),
    /// A produce request waits for its transaction coordinator; the verifications have it under
    /// this ticket.
    Verification(u64),
    /// A fetch waits for records.
    Fetch(Arc<DelayedFetch>),
    /// A forwarded request waits for the controller.
    Forwarded,
    /// A request to a coordinator waits for a record, or for other members of its group; the
    /// coordinator has the response.
    Coordinator,
}

/// All requests that have no response yet.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    incoming: Incoming,
    parked: BTreeMap<ConnId, Parked>,
    /// The time for which [`BrokerTimer::Waiting`] is set.
    armed: Mono,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { incoming: Incoming::default(), parked: BTreeMap::new(), armed: Mono::MAX }
    }

    /// Whether a request on this connection would be queued.
    pub(super) fn is_muted(&self, conn: ConnId) -> bool {
        self.incoming.is_muted(conn)
    }

    /// Takes in a request. Returns it if it can be handled now; otherwise it is queued.
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

    /// Removes the next request on `conn`, after the response to the previous one has been sent.
    pub(super) fn next(&mut self, conn: ConnId) -> Option<Asked> {
        self.incoming.next(conn)
    }

    /// The request that [`Requests::next`] would return.
    pub(super) fn peek(&self, conn: ConnId) -> Option<&Request> {
        self.incoming.peek(conn).map(|asked| &asked.request)
    }

    /// Parks the present request on `conn`.
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

    /// Takes the parked request of `conn`, to complete it.
    pub(super) fn take(&mut self, conn: ConnId) -> Option<Parked> {
        self.parked.remove(&conn)
    }

    /// Puts back a request that [`Requests::take`] has returned.
    pub(super) fn put_back(&mut self, conn: ConnId, parked: Parked) {
        self.parked.insert(conn, parked);
    }

    /// Ends the present request on `conn`, unless it is parked, and schedules the next one.
    ///
    /// The next request is a separate input. If another thread than the one that reads requests
    /// writes the response, the connection stays muted until the response is sent: that thread may
    /// still wait for the disk.
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

    /// The connections with an overdue request, in order of deadlines. Sets the timer for the next
    /// deadline.
    pub(super) fn expire(&mut self, now: Mono, out: &mut Outbox) -> Vec<ConnId> {
        // Few requests are parked at a time, and most are taken before their deadline: an index by
        // time would cost more than it saves.
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

    /// Panics if the state of the requests contradicts itself.
    pub(super) fn invariants(&self) {
        let muted = self.parked.keys().all(|conn| self.incoming.is_muted(*conn));
        assert!(muted, "the connection of a parked request is muted");
    }
}
