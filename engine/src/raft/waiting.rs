//! Requests that are not answered yet, and the order in which they will be.

use super::Quorum;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::protocol::{FetchPartition, Message, Request};
use crate::timer::{QuorumTimer, Timer};
use machine::{ConnId, Disk, Halt, Mono, Now};
use std::collections::VecDeque;

/// A fetch that waits for records or for a higher high watermark.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitingFetch {
    pub(super) conn: ConnId,
    pub(super) correlation_id: u32,
    pub(super) wanted: FetchPartition,
    pub(super) deadline: Mono,
}

/// Requests that are not answered yet. The requests of one connection are answered one after
/// another, so what comes behind a fetch that waits has to wait too.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    fetches: Vec<WaitingFetch>,
    behind: VecDeque<(ConnId, u32, Request)>,
    armed: Option<Mono>,
}

impl Waiting {
    pub(super) fn fetches_are_none(&self) -> bool {
        self.fetches.is_empty()
    }

    pub(super) fn park(&mut self, fetch: WaitingFetch, out: &mut Outbox) {
        self.fetches.push(fetch);
        if self.armed.is_none_or(|armed| fetch.deadline < armed) {
            self.rearm(out);
        }
    }

    /// Sets the timer for the fetch that is overdue first.
    pub(super) fn rearm(&mut self, out: &mut Outbox) {
        self.armed = self.fetches.iter().map(|fetch| fetch.deadline).min();
        if let Some(deadline) = self.armed {
            out.set_timer(Timer::Quorum(QuorumTimer::Waiting), deadline);
        }
    }

    pub(super) fn take_fetches(
        &mut self,
        take: impl Fn(&WaitingFetch) -> bool,
    ) -> Vec<WaitingFetch> {
        self.fetches.extract_if(.., |fetch| take(fetch)).collect()
    }

    /// Whether a request that comes now on `conn` is not its first that is unanswered.
    pub(super) fn has_earlier(&self, conn: ConnId) -> bool {
        self.has_fetch(conn) || self.behind.iter().any(|(behind, ..)| *behind == conn)
    }

    /// What came behind a fetch, or behind what did.
    pub(super) fn push_behind(&mut self, conn: ConnId, correlation_id: u32, request: Request) {
        self.behind.push_back((conn, correlation_id, request));
    }

    fn has_fetch(&self, conn: ConnId) -> bool {
        self.fetches.iter().any(|fetch| fetch.conn == conn)
    }

    /// The first request that no fetch of its connection is in front of.
    fn next_free(&mut self) -> Option<(ConnId, u32, Request)> {
        let at = self.behind.iter().position(|(conn, ..)| !self.has_fetch(*conn))?;
        self.behind.remove(at)
    }

    pub(super) fn forget(&mut self, conn: ConnId) {
        self.fetches.retain(|fetch| fetch.conn != conn);
        self.behind.retain(|(behind, ..)| *behind != conn);
    }
}

impl Quorum {
    /// Leadership is gone: tells those who wait. What came behind them is looked at next.
    pub(super) fn refuse_waiting(&mut self, now: Mono, out: &mut Outbox) {
        for fetch in self.waiting.take_fetches(|_| true) {
            let body = self.refusal(ErrorCode::NotLeaderOrFollower).into();
            out.send(fetch.conn, Message::Response { correlation_id: fetch.correlation_id, body });
        }
        if !self.waiting.behind.is_empty() {
            out.set_timer(Timer::Quorum(QuorumTimer::Waiting), now);
        }
    }

    /// Handles the requests that nothing is in front of any more.
    pub(super) fn answer_behind(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        while let Some((conn, correlation_id, request)) = self.waiting.next_free() {
            self.on_request(conn, correlation_id, request, now, disk, out)?;
        }
        Ok(())
    }
}
