//! The response of a request that a coordinator has parked: where it goes.

use super::{Delayed, Parked, Served};
use crate::broker::context::Cx;
use crate::protocol::Response;
use machine::ConnId;

/// A request that waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct Reply {
    pub(in crate::broker) conn: ConnId,
    pub(in crate::broker) correlation_id: u32,
}

impl Reply {
    /// Parks the request until its coordinator responds. Its client may have gone while its transaction
    /// was verified: then the request is carried out, and nothing waits for the response.
    pub(in crate::broker) fn park(self, cx: &mut Cx<'_>) {
        if !cx.requests.is_muted(self.conn) {
            return;
        }
        let body = Delayed::Coordinator;
        let parked = Parked { correlation_id: self.correlation_id, deadline: None, body };
        cx.requests.park(self.conn, parked, cx.io.out);
    }

    /// Responds to the request, if its client still waits.
    pub(in crate::broker) fn send(self, response: impl Into<Response>, cx: &mut Cx<'_>) {
        let Self { conn, correlation_id } = self;
        let waits = |parked: &Parked| parked.correlation_id == correlation_id;
        if cx.requests.get(conn).is_some_and(waits) {
            cx.requests.take(conn);
            let served = Served::Response(response.into());
            cx.requests.finish(conn, correlation_id, served, &mut cx.io);
        }
    }
}
