//! What comes and goes on connections.

use super::Quorum;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use crate::net::Disconnected;
use crate::protocol::{FetchPartition, Message, Request, Response};
use crate::timer::{QuorumTimer, Timer};
use machine::{ConnId, Disk, Halt, Mono, NodeId, Now};
use std::collections::VecDeque;

/// What was asked of another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Vote { epoch: LeaderEpoch, pre_vote: bool },
    BeginEpoch,
    EndEpoch,
    Fetch { epoch: LeaderEpoch, offset: Offset },
}

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
    fn has_earlier(&self, conn: ConnId) -> bool {
        self.has_fetch(conn) || self.behind.iter().any(|(behind, ..)| *behind == conn)
    }

    fn has_fetch(&self, conn: ConnId) -> bool {
        self.fetches.iter().any(|fetch| fetch.conn == conn)
    }

    /// The first request that no fetch of its connection is in front of.
    fn next_free(&mut self) -> Option<(ConnId, u32, Request)> {
        let at = self.behind.iter().position(|(conn, ..)| !self.has_fetch(*conn))?;
        self.behind.remove(at)
    }

    fn forget(&mut self, conn: ConnId) {
        self.fetches.retain(|fetch| fetch.conn != conn);
        self.behind.retain(|(behind, ..)| *behind != conn);
    }
}

impl Quorum {
    /// Whether this message is the quorum's business.
    pub fn owns(&self, conn: ConnId, message: &Message) -> bool {
        match message {
            Message::Request { body, .. } => match body {
                Request::Vote(_) | Request::BeginQuorumEpoch(_) | Request::EndQuorumEpoch(_) => {
                    true
                }
                Request::Fetch(fetch) => {
                    fetch.partitions.first().map(|p| p.partition) == Some(TopicPartition::METADATA)
                }
                _ => false,
            },
            Message::Response { .. } => self.channels.owns(conn),
        }
    }

    /// Handles a message that it [`Quorum::owns`].
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn on_message(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        match message {
            Message::Request { correlation_id, body } => {
                if self.waiting.has_earlier(conn) {
                    out.observe(Fact::Reached("quorum_request_behind_fetch"));
                    self.waiting.behind.push_back((conn, correlation_id, body));
                    return Ok(());
                }
                self.on_request(conn, correlation_id, body, now, disk, out)
            }
            Message::Response { correlation_id, body } => {
                let Some((from, asked)) = self.channels.on_response(conn, correlation_id) else {
                    return Ok(());
                };
                self.on_response(from.node, asked, body, now, disk, out)
            }
        }
    }

    fn on_request(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: Request,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let response: Option<Response> = match &request {
            Request::Vote(vote) => Some(self.on_vote_request(vote, now, disk, out)?.into()),
            Request::BeginQuorumEpoch(begin) => {
                Some(self.on_begin_epoch_request(begin, now, disk, out)?.into())
            }
            Request::EndQuorumEpoch(end) => {
                Some(self.on_end_epoch_request(end, now, disk, out)?.into())
            }
            Request::Fetch(fetch) => self
                .on_fetch_request(conn, correlation_id, fetch, now, disk, out)?
                .map(Response::from),
            _ => None,
        };
        if let Some(body) = response {
            out.send(conn, Message::Response { correlation_id, body });
        }
        Ok(())
    }

    fn on_response(
        &mut self,
        from: BrokerId,
        asked: Asked,
        response: Response,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        match (asked, response) {
            (Asked::Vote { epoch, pre_vote }, Response::Vote(vote)) => {
                self.on_vote_response(from, (epoch, pre_vote), &vote, now, disk, out)
            }
            (Asked::Fetch { epoch, offset }, Response::Fetch(fetch)) => {
                self.on_fetch_response(from, (epoch, offset), fetch, now, disk, out)
            }
            (Asked::BeginEpoch, Response::BeginQuorumEpoch(begin)) => {
                self.learn(begin.leader_epoch, begin.leader, now, disk, out)
            }
            (Asked::EndEpoch, Response::EndQuorumEpoch(end)) => {
                self.learn(end.leader_epoch, end.leader, now, disk, out)
            }
            (asked, response) => unreachable!("{} answers {asked:?}", response.name()),
        }
    }

    /// Sends a request to another member, if its connection has room. One that is lost is lost:
    /// time-outs bring the next.
    pub(super) fn ask(
        &mut self,
        now: Mono,
        to: BrokerId,
        request: impl Into<Request>,
        asked: Asked,
        out: &mut Outbox,
    ) {
        let node = self.peer(to);
        if self.channels.is_ready(now, node) {
            let timeout = self.config.request_timeout;
            self.channels.send(now, node, request, timeout, asked, out);
        }
    }

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

    /// A connection is open; answers whether it is the quorum's.
    pub fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channels.on_opened(conn).is_some()
    }

    /// A connection has ended; answers whether it was one that the quorum had opened.
    pub fn on_closed(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        self.waiting.forget(conn);
        let Some(disconnected) = self.channels.on_closed(now.mono, conn) else { return false };
        self.on_disconnected(disconnected, now, out);
        true
    }

    /// [`Timer::Requests`] is due for [`crate::timer::Channel::Quorum`].
    pub fn on_requests_timer(&mut self, now: Now, out: &mut Outbox) {
        for disconnected in self.channels.on_timer(now.mono, out) {
            self.on_disconnected(disconnected, now, out);
        }
    }

    fn on_disconnected(&mut self, disconnected: Disconnected<Asked>, now: Now, out: &mut Outbox) {
        let NodeId { node: peer, .. } = disconnected.peer;
        if self.fetching == Some(peer) {
            self.fetching = None;
            self.fetch_again_later(now, out);
        }
    }
}
