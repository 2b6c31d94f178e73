//! Messages and connections of the quorum.

use super::Quorum;
use crate::Outbox;
use crate::ids::{BrokerId, TopicPartition};
use crate::protocol::{Message, Request, Response};
use machine::{ConnId, Disk, Halt, Now};

impl Quorum {
    /// Whether this message is handled by the quorum.
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
            Message::Response { .. } => self.outgoing.owns(conn),
            Message::Application { .. } => false,
        }
    }

    /// Handles a message that the quorum [owns](Quorum::owns).
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
                assert!(
                    !self.waiting.has(conn),
                    "a member has one request in flight on a connection"
                );
                self.on_request(conn, correlation_id, body, now, disk, out)?;
            }
            Message::Response { correlation_id, body } => {
                let answered = self.outgoing.on_response(now.mono, conn, correlation_id, out);
                let Some((from, id)) = answered else { return Ok(()) };
                if !self.requests.expects(from, id) {
                    // Sent in an earlier role, or timed out.
                    return Ok(());
                }
                if self.on_response(from, body, now, disk, out)? {
                    self.requests.on_answered(from, id);
                } else {
                    self.requests.on_failed(now.mono, from, id);
                }
            }
            Message::Application { .. } => {}
        }
        self.poll(now, out);
        Ok(())
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

    /// Handles the awaited response. Returns whether the request succeeded.
    fn on_response(
        &mut self,
        from: BrokerId,
        response: Response,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<bool, Halt> {
        let error = match response {
            Response::Vote(vote) => {
                self.on_vote_response(from, &vote, now, disk, out)?;
                vote.error
            }
            Response::Fetch(fetch) => self.on_fetch_response(from, fetch, now, disk, out)?,
            Response::BeginQuorumEpoch(begin) => {
                self.learn(begin.leader_epoch, begin.leader, now, disk, out)?;
                begin.error
            }
            Response::EndQuorumEpoch(end) => {
                self.on_end_epoch_response(from, &end, now, disk, out)?;
                end.error
            }
            response => unreachable!("{} is no response to a request of a quorum", response.name()),
        };
        Ok(error.is_none())
    }

    /// A connection is open. Returns whether the quorum had opened it.
    pub fn on_opened(&mut self, conn: ConnId) -> bool {
        self.outgoing.on_opened(conn)
    }

    /// A connection has ended. Returns whether the quorum had opened it.
    pub fn on_closed(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        self.waiting.forget(conn);
        let Some(failed) = self.outgoing.on_closed(now.mono, conn) else { return false };
        self.on_failed(now.mono, failed);
        self.poll(now, out);
        true
    }

    /// [`crate::timer::Timer::Requests`] is due for [`crate::timer::Channel::Quorum`].
    pub fn on_requests_timer(&mut self, now: Now, out: &mut Outbox) {
        let failed = self.outgoing.on_requests_timer(now.mono, out);
        self.on_failed(now.mono, failed);
        self.poll(now, out);
    }
}
