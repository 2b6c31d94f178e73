//! Parked fetches.
//!
//! A member sends no request on a connection before the response to the last one
//! ([`super::outgoing`]), and closes the connection when a request times out. So nothing ever
//! arrives behind a parked fetch.

use super::Quorum;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::protocol::{FetchPartition, Message};
use crate::timer::{QuorumTimer, Timer};
use machine::{ConnId, Mono};

/// A fetch parked until there are records or a higher high watermark.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitingFetch {
    pub(super) conn: ConnId,
    pub(super) correlation_id: u32,
    pub(super) wanted: FetchPartition,
    pub(super) deadline: Mono,
}

/// The parked fetches, at most one of each connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    fetches: Vec<WaitingFetch>,
    armed: Option<Mono>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.fetches.is_empty()
    }

    /// Whether a fetch of `conn` is parked.
    pub(super) fn has(&self, conn: ConnId) -> bool {
        self.fetches.iter().any(|fetch| fetch.conn == conn)
    }

    pub(super) fn park(&mut self, fetch: WaitingFetch, out: &mut Outbox) {
        self.fetches.push(fetch);
        if self.armed.is_none_or(|armed| fetch.deadline < armed) {
            self.rearm(out);
        }
    }

    /// Sets the timer for the earliest deadline.
    pub(super) fn rearm(&mut self, out: &mut Outbox) {
        self.armed = self.fetches.iter().map(|fetch| fetch.deadline).min();
        if let Some(deadline) = self.armed {
            out.set_timer(Timer::Quorum(QuorumTimer::Waiting), deadline);
        }
    }

    pub(super) fn take(&mut self, take: impl Fn(&WaitingFetch) -> bool) -> Vec<WaitingFetch> {
        self.fetches.extract_if(.., |fetch| take(fetch)).collect()
    }

    pub(super) fn forget(&mut self, conn: ConnId) {
        self.fetches.retain(|fetch| fetch.conn != conn);
    }
}

impl Quorum {
    /// Refuses the parked fetches, because leadership is lost.
    pub(super) fn refuse_waiting(&mut self, out: &mut Outbox) {
        for fetch in self.waiting.take(|_| true) {
            let body = self.refusal(ErrorCode::NotLeaderOrFollower).into();
            out.send(fetch.conn, Message::Response { correlation_id: fetch.correlation_id, body });
        }
    }
}
