//! Requests of clients that only the active controller can answer (`ForwardingManager`, KIP-590).
//!
//! Whatever time-out a request names, the broker waits for the controller until the channel gives
//! up. Until then the client's connection is muted.

use super::context::Cx;
use super::controller_channel::ControllerChannel;
use super::part::Part;
use super::requests::{Delayed, Parked, Served};
use crate::error::ErrorCode;
use crate::protocol::{Request, Response};
use crate::timer::Channel;
use machine::{ConnId, Halt, Span};

/// How long a request is sent to the controller again.
pub(super) const RETRY_TIMEOUT: Span = Span::secs(60);

/// The forwarded requests.
#[derive(Clone, Debug)]
pub(super) struct Forwards {
    pub(super) channel: ControllerChannel<Forwarded>,
}

/// A forwarded request of a client.
#[derive(Clone, Debug)]
pub(super) struct Forwarded {
    /// The client's connection, where it is parked if the client is still there.
    conn: ConnId,
    correlation_id: u32,
    /// Its response if the controller gives none.
    timed_out: Response,
}

impl Forwards {
    pub(super) fn new(setup_timeout: Span) -> Self {
        Self { channel: ControllerChannel::new(Channel::Forward, setup_timeout, RETRY_TIMEOUT) }
    }

    /// Takes a request to the controller.
    pub(super) fn forward(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: Request,
        cx: &mut Cx<'_>,
    ) -> Served {
        let timed_out = request.refused(ErrorCode::RequestTimedOut);
        let parked = Parked { correlation_id, deadline: None, body: Delayed::Forwarded };
        cx.requests.park(conn, parked, cx.io.out);
        self.channel.send(request, Forwarded { conn, correlation_id, timed_out }, cx);
        Served::Parked
    }
}

/// Answers the client, if it still waits.
fn finish(forwarded: &Forwarded, response: Response, cx: &mut Cx<'_>) {
    let Forwarded { conn, correlation_id, .. } = *forwarded;
    if cx.requests.take(conn).is_some() {
        cx.requests.finish(conn, correlation_id, Served::Response(response), &mut cx.io);
    }
}

impl Part for Forwards {
    fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channel.on_opened(conn)
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> bool {
        self.channel.on_closed(conn, cx)
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        if let Some((forwarded, response)) =
            self.channel.on_response(conn, correlation_id, body, cx)
        {
            finish(&forwarded, response, cx);
        }
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        self.channel.on_requests_timer(cx);
    }

    fn on_channel_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        for forwarded in self.channel.on_timer(cx) {
            let response = forwarded.timed_out.clone();
            finish(&forwarded, response, cx);
        }
    }
}
