//! Requests to the controller: handled in order by connection; responses are parked until the
//! records that they depend on are committed.

use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::Offset;
use crate::net::{Asked, Incoming};
use crate::protocol::{Message, Response};
use machine::ConnId;
use std::collections::VecDeque;

/// A response that is sent once the records that it depends on are committed.
#[derive(Clone, Debug)]
struct Parked {
    /// The offset of the last record that has to be committed.
    until: Offset,
    conn: ConnId,
    correlation_id: u32,
    response: Response,
    /// The response if the record may never be committed.
    refusal: Response,
}

/// The connections to brokers and clients that have requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    incoming: Incoming,
    /// Parked responses, in the order of their offsets.
    parked: VecDeque<Parked>,
    /// Requests whose turn has come.
    ready: VecDeque<Asked>,
}

impl Connections {
    /// Receives a request. Its turn is now, or after the earlier requests on its connection.
    pub(super) fn receive(&mut self, asked: Asked) {
        self.ready.extend(self.incoming.receive(asked));
    }

    /// Returns the next request whose turn has come.
    pub(super) fn next(&mut self) -> Option<Asked> {
        self.ready.pop_front()
    }

    /// Sends a response now.
    pub(super) fn answer(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        response: Response,
        out: &mut Outbox,
    ) {
        out.send(conn, Message::Response { correlation_id, body: response });
        self.ready.extend(self.incoming.next(conn));
    }

    /// Parks a response until the record at `until` is committed.
    pub(super) fn answer_when_committed(&mut self, until: Offset, asked: &Asked, with: Response) {
        debug_assert!(self.parked.back().is_none_or(|last| last.until <= until));
        self.parked.push_back(Parked {
            until,
            conn: asked.conn,
            correlation_id: asked.correlation_id,
            response: with,
            refusal: asked.request.refused(ErrorCode::NotController),
        });
    }

    /// Sends the responses parked for records below `high_watermark`, which are committed.
    pub(super) fn committed(&mut self, high_watermark: Offset, out: &mut Outbox) {
        while self.parked.front().is_some_and(|first| first.until < high_watermark)
            && let Some(first) = self.parked.pop_front()
        {
            self.answer(first.conn, first.correlation_id, first.response, out);
        }
    }

    /// Refuses every parked request, since its records may never be committed.
    pub(super) fn refuse_all(&mut self, out: &mut Outbox) {
        for parked in std::mem::take(&mut self.parked) {
            self.answer(parked.conn, parked.correlation_id, parked.refusal, out);
        }
    }

    /// Drops everything of a connection that has ended.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.incoming.forget(conn);
        self.parked.retain(|parked| parked.conn != conn);
        self.ready.retain(|asked| asked.conn != conn);
    }

    /// Panics if a parked response has no connection, or is out of order.
    pub(super) fn invariants(&self) {
        assert!(self.ready.is_empty(), "requests whose turn has come are handled at once");
        assert_eq!(
            self.parked.len(),
            self.incoming.len(),
            "each muted connection has a parked response"
        );
        assert!(self.parked.iter().all(|parked| self.incoming.is_muted(parked.conn)));
        assert!(self.parked.iter().is_sorted_by_key(|parked| parked.until));
    }
}
