//! Requests of clients that only the active controller can answer (`ForwardingManager`, KIP-590).
//!
//! They are sent until they are answered: one whose connection broke may be carried out twice.

use super::context::Cx;
use super::part::Part;
use super::requests::{Delayed, Parked, Served};
use crate::error::ErrorCode;
use crate::ids::TopicId;
use crate::net::{ChannelConfig, Channels, Disconnected};
use crate::protocol::{
    CreatableTopicResult, CreateTopicsResponse, ElectLeadersResponse, Request, Response,
};
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{ConnId, Halt, Mono, Span};

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

impl Forwards {
    /// Takes a request to the controller.
    pub(super) fn forward(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: Request,
        cx: &mut Cx<'_>,
    ) -> Served {
        let timeout = match &request {
            Request::CreateTopics(request) => request.timeout,
            Request::ElectLeaders(request) => request.timeout,
            _ => return Served::Close,
        };
        let deadline: Mono = cx.io.now.mono + timeout;
        let parked = Parked { correlation_id, deadline, body: Delayed::Forwarded };
        cx.requests.park(conn, parked, cx.io.out);
        self.push(conn, request);
        self.send(cx);
        Served::Parked
    }

    /// Sends what is not on its way yet.
    pub(super) fn send(&mut self, cx: &mut Cx<'_>) {
        let now = cx.io.now.mono;
        let controller = cx.context.controller;
        let timeout = cx.context.config.controller_request_timeout;
        let Self { waiting, channels, .. } = self;
        for forward in waiting.iter_mut().filter(|forward| !forward.in_flight) {
            match controller.filter(|controller| channels.is_ready(now, *controller)) {
                Some(controller) => {
                    forward.in_flight = true;
                    let request = forward.request.clone();
                    channels.send(now, controller, request, timeout, forward.id, cx.io.out);
                }
                None => {
                    cx.io.out.set_timer(Timer::Broker(BrokerTimer::Forward), now + BACKOFF);
                    break;
                }
            }
        }
    }

    /// The controller did not answer, or is not the controller: those of the requests that are still
    /// waited for go out again. If none is, others may have waited for the room.
    pub(super) fn on_failed(&mut self, failed: &[ForwardId], cx: &mut Cx<'_>) {
        for forward in &mut self.waiting {
            forward.in_flight &= !failed.contains(&forward.id);
        }
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Forward), cx.io.now.mono + BACKOFF);
    }

    /// The controller answered. If nobody waits for that any more, there is room for the next.
    pub(super) fn on_forwarded(&mut self, id: ForwardId, response: Response, cx: &mut Cx<'_>) {
        let Some(at) = self.waiting.iter().position(|forward| forward.id == id) else {
            return self.send(cx);
        };
        if is_not_controller(&response) {
            return self.on_failed(&[id], cx);
        }
        let Forward { conn, .. } = self.waiting.remove(at);
        if let Some(Parked { body: Delayed::Forwarded, .. }) = cx.requests.get(conn)
            && let Some(parked) = cx.requests.take(conn)
        {
            let served = Served::Response(response);
            cx.requests.finish(conn, parked.correlation_id, served, &mut cx.io);
        }
        self.send(cx);
    }

    /// The controller has not answered in time. It may do so yet, or have done what was asked.
    pub(super) fn time_out(&mut self, conn: ConnId, parked: &Parked, cx: &mut Cx<'_>) {
        let forward = self.waiting.iter().find(|forward| forward.conn == conn);
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
        self.forget(conn);
        cx.requests.finish(conn, parked.correlation_id, served, &mut cx.io);
    }
}

impl Part for Forwards {
    fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channels.on_opened(conn).is_some()
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> Result<bool, Halt> {
        let failed = self.channels.on_closed(cx.io.now.mono, conn);
        if let Some(Disconnected { failed, .. }) = &failed {
            self.on_failed(failed, cx);
        }
        Ok(failed.is_some())
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        if let Some((_, id)) = self.channels.on_response(conn, correlation_id) {
            self.on_forwarded(id, body, cx);
        }
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        for Disconnected { failed, .. } in self.channels.on_timer(cx.io.now.mono, cx.io.out) {
            self.on_failed(&failed, cx);
        }
    }

    fn on_controller(&mut self, cx: &mut Cx<'_>) {
        self.send(cx);
    }

    fn on_client_closed(&mut self, conn: ConnId, parked: Option<&Parked>) {
        if let Some(Parked { body: Delayed::Forwarded, .. }) = parked {
            self.forget(conn);
        }
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
