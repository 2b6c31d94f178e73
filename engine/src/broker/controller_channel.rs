//! Sends one kind of request to the active controller (`NodeToControllerChannelManager`).
//!
//! Each kind has its own channel, since the controller handles the requests of a connection one
//! after another. A channel has one request in flight. It stays with the controller that it has
//! found until the connection ends or that node returns `NOT_CONTROLLER`, even if the broker has
//! learned of another one meanwhile. A request without a response is sent again before all others,
//! until it is older than the retry time-out of its channel. So the controller may receive a
//! request twice.

use super::context::Cx;
use crate::error::ErrorCode;
use crate::net::{ChannelConfig, Channels};
use crate::protocol::{Request, Response};
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{ConnId, Mono, NodeId, Span};
use std::collections::VecDeque;

/// How long to wait before looking for the controller again.
const NO_CONTROLLER: Span = Span::millis(100);
/// The back-off before connecting again, which does not grow.
const RECONNECT_BACKOFF: Span = Span::millis(50);

/// Requests to the controller. `C` is the context that the caller gets back with a response.
#[derive(Clone, Debug)]
pub(super) struct ControllerChannel<C> {
    channel: Channel,
    channels: Channels<Item<C>>,
    /// The node to which requests are sent.
    controller: Option<NodeId>,
    queue: VecDeque<Item<C>>,
    /// The age at which a request is given up; [`Span::MAX`]: never.
    retry_timeout: Span,
}

#[derive(Clone, Debug)]
struct Item<C> {
    created: Mono,
    request: Request,
    context: C,
}

impl<C: Clone> ControllerChannel<C> {
    pub(super) fn new(channel: Channel, setup_timeout: Span, retry_timeout: Span) -> Self {
        let config = ChannelConfig {
            max_in_flight: 1,
            reconnect_backoff: RECONNECT_BACKOFF,
            reconnect_backoff_max: RECONNECT_BACKOFF,
            setup_timeout,
        };
        Self {
            channel,
            channels: Channels::new(channel, config),
            controller: None,
            queue: VecDeque::new(),
            retry_timeout,
        }
    }

    /// Queues a request, and sends it if it is the first and none is in flight.
    pub(super) fn send(&mut self, request: impl Into<Request>, context: C, cx: &mut Cx<'_>) {
        let created = cx.io.now.mono;
        self.queue.push_back(Item { created, request: request.into(), context });
        self.drive(cx);
    }

    /// Sends the first request, if it may be sent now, or sets the timer.
    fn drive(&mut self, cx: &mut Cx<'_>) {
        let now = cx.io.now.mono;
        let Some(first) = self.queue.front() else { return };
        if self.is_in_flight() {
            return;
        }
        let expires = first.created + self.retry_timeout;
        self.controller = self.controller.or(cx.context.controller);
        let again = match self.controller {
            _ if expires <= now => now,
            None => now + NO_CONTROLLER,
            Some(controller) if !self.channels.is_ready(now, controller) => {
                self.channels.not_before(controller)
            }
            Some(controller) => {
                let Some(item) = self.queue.pop_front() else { return };
                let timeout = cx.context.config.controller_socket_timeout.min(self.retry_timeout);
                let request = item.request.clone();
                self.channels.send(now, controller, request, timeout, item, cx.io.out);
                return;
            }
        };
        let timer = Timer::Broker(BrokerTimer::ToController(self.channel));
        cx.io.out.set_timer(timer, again.min(expires));
    }

    fn is_in_flight(&self) -> bool {
        self.controller.is_some_and(|controller| self.channels.in_flight(controller) > 0)
    }

    /// [`BrokerTimer::ToController`] is due. Returns the requests that are given up.
    pub(super) fn on_timer(&mut self, cx: &mut Cx<'_>) -> Vec<C> {
        let (now, timeout) = (cx.io.now.mono, self.retry_timeout);
        let mut given_up = Vec::new();
        if !self.is_in_flight() {
            let is_old = |item: &Item<C>| item.created + timeout <= now;
            given_up
                .extend(self.queue.iter().filter(|item| is_old(item)).map(|i| i.context.clone()));
            self.queue.retain(|item| !is_old(item));
        }
        self.drive(cx);
        given_up
    }

    /// A connection is open. Returns whether it is this channel's.
    pub(super) fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channels.on_opened(conn).is_some()
    }

    /// A connection has ended. Returns whether it was this channel's.
    pub(super) fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> bool {
        let Some(ended) = self.channels.on_closed(cx.io.now.mono, conn) else { return false };
        self.retry(ended.failed, cx);
        true
    }

    /// Times out requests in flight, when [`Timer::Requests`] is due.
    pub(super) fn on_requests_timer(&mut self, cx: &mut Cx<'_>) {
        for ended in self.channels.on_timer(cx.io.now.mono, cx.io.out) {
            self.retry(ended.failed, cx);
        }
    }

    /// Looks for the controller again, and sends `failed` again before all other requests.
    fn retry(&mut self, failed: Vec<Item<C>>, cx: &mut Cx<'_>) {
        self.controller = None;
        for item in failed.into_iter().rev() {
            self.queue.push_front(item);
        }
        self.drive(cx);
    }

    /// Handles a response. Returns it with the context of its request; `None` if there is no such
    /// request, or it has to be sent to another controller.
    pub(super) fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        response: Response,
        cx: &mut Cx<'_>,
    ) -> Option<(C, Response)> {
        let (controller, item) = self.channels.on_response(conn, correlation_id)?;
        if response.has_error(ErrorCode::NotController) {
            self.channels.close(cx.io.now.mono, controller, cx.io.out);
            self.retry(vec![item], cx);
            return None;
        }
        self.drive(cx);
        Some((item.context, response))
    }

    /// The requests without a response.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue.len() + usize::from(self.is_in_flight())
    }

    /// The node to which requests are sent.
    #[cfg(test)]
    pub(super) fn controller(&self) -> Option<NodeId> {
        self.controller
    }
}
