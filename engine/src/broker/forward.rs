//! Requests of clients that only the active controller can answer (`ForwardingManager`, KIP-590).
//!
//! They are sent until they are answered: one whose connection broke may be carried out twice.

use super::Broker;
use super::connection::Served;
use super::context::Io;
use super::purgatory::{Delayed, Parked};
use crate::error::ErrorCode;
use crate::ids::{TopicId, peer};
use crate::net::{ChannelConfig, Channels};
use crate::protocol::{
    CreatableTopicResult, CreateTopicsResponse, ElectLeadersResponse, Request, Response,
};
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{ConnId, Mono, Span};

/// How long to wait before the controller is looked for again.
const BACKOFF: Span = Span::millis(100);

/// Names a forward. Its client's connection does not: when a forward has timed out, the client may
/// ask the next thing there before the controller's answer to the first comes.
pub(super) type ForwardId = u64;

/// The requests that are not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Forwards {
    /// At most one of a connection, which is muted meanwhile.
    pub(super) waiting: Vec<Forward>,
    next: ForwardId,
    /// What is in flight may not be waited for any more.
    pub(super) channels: Channels<ForwardId>,
}

/// A request that a client waits for.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    pub(super) id: ForwardId,
    /// The client's.
    conn: ConnId,
    request: Request,
    pub(super) in_flight: bool,
}

impl Forwards {
    pub(super) fn new(setup_timeout: Span) -> Self {
        // One after another (`NodeToControllerChannelManager`): they leave from several threads, and
        // one of them may still wait for its disk.
        let config = ChannelConfig { max_in_flight: 1, setup_timeout, ..ChannelConfig::default() };
        Self { waiting: Vec::new(), next: 0, channels: Channels::new(Channel::Forward, config) }
    }

    fn push(&mut self, conn: ConnId, request: Request) {
        let id = self.next;
        self.next += 1;
        self.waiting.push(Forward { id, conn, request, in_flight: false });
    }

    /// The client is gone, or has its answer.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.retain(|forward| forward.conn != conn);
    }
}

impl Broker {
    /// Takes a request to the controller.
    pub(super) fn forward(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: Request,
        io: &mut Io<'_>,
    ) -> Served {
        let timeout = match &request {
            Request::CreateTopics(request) => request.timeout,
            Request::ElectLeaders(request) => request.timeout,
            _ => return Served::Close,
        };
        let deadline: Mono = io.now.mono + timeout;
        let parked = Parked { correlation_id, deadline, body: Delayed::Forwarded };
        self.purgatory.park(conn, parked, io.out);
        self.forwards.push(conn, request);
        self.send_forwards(io);
        Served::Parked
    }

    /// Sends what is not on its way yet.
    pub(super) fn send_forwards(&mut self, io: &mut Io<'_>) {
        let now = io.now.mono;
        let controller = self.quorum.leader().map(|controller| peer(self.node, controller));
        let timeout = self.context.config.controller_request_timeout;
        let Forwards { waiting, channels, .. } = &mut self.forwards;
        for forward in waiting.iter_mut().filter(|forward| !forward.in_flight) {
            match controller.filter(|controller| channels.is_ready(now, *controller)) {
                Some(controller) => {
                    forward.in_flight = true;
                    let request = forward.request.clone();
                    channels.send(now, controller, request, timeout, forward.id, io.out);
                }
                None => {
                    io.out.set_timer(Timer::Broker(BrokerTimer::Forward), now + BACKOFF);
                    break;
                }
            }
        }
    }

    /// The controller did not answer, or is not the controller: those of the requests that are still
    /// waited for go out again. If none is, others may have waited for the room.
    pub(super) fn on_forwards_failed(&mut self, failed: &[ForwardId], io: &mut Io<'_>) {
        for forward in &mut self.forwards.waiting {
            forward.in_flight &= !failed.contains(&forward.id);
        }
        io.out.set_timer(Timer::Broker(BrokerTimer::Forward), io.now.mono + BACKOFF);
    }

    /// The controller answered. If nobody waits for that any more, there is room for the next.
    pub(super) fn on_forwarded(&mut self, id: ForwardId, response: Response, io: &mut Io<'_>) {
        let Some(at) = self.forwards.waiting.iter().position(|forward| forward.id == id) else {
            return self.send_forwards(io);
        };
        if is_not_controller(&response) {
            return self.on_forwards_failed(&[id], io);
        }
        let Forward { conn, .. } = self.forwards.waiting.remove(at);
        if let Some(Parked { body: Delayed::Forwarded, .. }) = self.purgatory.get(conn)
            && let Some(parked) = self.purgatory.take(conn)
        {
            self.finish(conn, parked.correlation_id, Served::Response(response), io);
        }
        self.send_forwards(io);
    }

    /// The controller has not answered in time. It may do so yet, or have done what was asked.
    pub(super) fn time_out_forward(&mut self, conn: ConnId, parked: &Parked, io: &mut Io<'_>) {
        let forward = self.forwards.waiting.iter().find(|forward| forward.conn == conn);
        let served = match forward.map(|forward| &forward.request) {
            Some(Request::CreateTopics(request)) => {
                let topics = request.topics.iter().map(|topic| CreatableTopicResult {
                    name: topic.name.clone(),
                    topic: TopicId::default(),
                    error: ErrorCode::RequestTimedOut,
                });
                Served::Response(CreateTopicsResponse { topics: topics.collect() }.into())
            }
            Some(Request::ElectLeaders(_)) => {
                let error = ErrorCode::RequestTimedOut;
                Served::Response(ElectLeadersResponse { error, partitions: Vec::new() }.into())
            }
            _ => Served::Close,
        };
        self.forwards.forget(conn);
        self.finish(conn, parked.correlation_id, served, io);
    }
}

fn is_not_controller(response: &Response) -> bool {
    match response {
        Response::CreateTopics(response) => {
            response.topics.iter().any(|topic| topic.error == ErrorCode::NotController)
        }
        Response::ElectLeaders(response) => response.error == ErrorCode::NotController,
        _ => false,
    }
}
