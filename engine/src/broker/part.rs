//! The interface of a broker's parts.

use super::context::Cx;
use super::requests::Parked;
use crate::protocol::Response;
use crate::timer::Channel;
use machine::{ConnId, Halt};

/// A part of a broker. It owns its state, the connections that it opens, its timers, and the
/// requests that it parks. The broker only routes inputs to their owners. A new coordinator is a
/// new part, with a field of `Parts`, its timers, and its variants of
/// [`Delayed`](super::requests::Delayed).
pub(super) trait Part {
    /// A connection is open. Returns whether it is one of this part's.
    fn on_opened(&mut self, conn: ConnId) -> bool;

    /// A connection has ended. Returns whether it was one of this part's.
    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> bool;

    /// Handles a response to a request of this part, unless the part no longer waits for it.
    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt>;

    /// [`Timer::Requests`](crate::timer::Timer::Requests) is due for a channel of this part.
    fn on_requests_timer(&mut self, channel: Channel, cx: &mut Cx<'_>);

    /// [`BrokerTimer::ToController`](crate::timer::BrokerTimer::ToController) is due for a channel
    /// of this part.
    fn on_channel_timer(&mut self, _: Channel, _: &mut Cx<'_>) {}

    /// A connection that another node had opened has ended; `parked` was parked on it.
    fn on_client_closed(&mut self, _: ConnId, _parked: Option<&Parked>) {}

    /// Panics if the state of the part contradicts itself.
    fn invariants(&self) {}
}
