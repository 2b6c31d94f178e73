//! Requests come in, responses go out (`SocketServer`, `KafkaApis`).

use super::Broker;
use super::context::Io;
use super::purgatory::{Delayed, Parked};
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::protocol::{Message, Request, Response};
use machine::{ConnId, Halt, Lane};

/// What became of a request.
#[derive(Clone, Debug)]
pub(super) enum Served {
    /// It is answered.
    Response(Response),
    /// It waits, and its connection with it.
    Parked,
    /// It gets no answer (acks=0).
    Unanswered,
    /// The connection is closed instead of an answer.
    Close,
}

impl Broker {
    /// Handles a request, or keeps it while an earlier one of its connection waits.
    pub(super) fn on_request(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: Request,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        if !self.is_serving() {
            // Kafka opens its ports only when it has read the metadata.
            io.out.close(conn);
            return Ok(());
        }
        if self.purgatory.is_muted(conn) {
            self.purgatory.queue(conn, correlation_id, request, io.out);
            return Ok(());
        }
        self.serve(conn, correlation_id, request, io)
    }

    fn serve(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: Request,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        let served = match request {
            Request::Produce(request) => self.on_produce(conn, correlation_id, &request, io)?,
            Request::Fetch(request) => self.on_fetch(conn, correlation_id, request, io)?,
            Request::ListOffsets(request) => self.on_list_offsets(&request, io)?,
            Request::OffsetForLeaderEpoch(request) => self.on_offset_for_leader_epoch(&request, io),
            Request::Metadata(request) => Served::Response(self.metadata(&request).into()),
            request @ (Request::CreateTopics(_) | Request::ElectLeaders(_)) => {
                self.forward(conn, correlation_id, request, io)
            }
            // Meant for a controller.
            _ => Served::Close,
        };
        self.finish(conn, correlation_id, served, io);
        Ok(())
    }

    /// Answers a request, and lets the next one of its connection come.
    pub(super) fn finish(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        served: Served,
        io: &mut Io<'_>,
    ) {
        match served {
            Served::Response(body) => {
                io.out.send(conn, Message::Response { correlation_id, body });
                if io.lane == Lane::Request {
                    self.purgatory.unmute(conn, io.now.mono, io.out);
                } else {
                    self.purgatory.unmute_later(conn, io.now.mono, io.out);
                }
            }
            Served::Unanswered => self.purgatory.unmute(conn, io.now.mono, io.out),
            Served::Parked => {}
            Served::Close => {
                io.out.close(conn);
                self.purgatory.close(conn);
            }
        }
    }

    /// Handles the request of a connection that was queued behind one that is answered now.
    pub(super) fn on_next_request(&mut self, conn: ConnId, io: &mut Io<'_>) -> Result<(), Halt> {
        match self.purgatory.next(conn) {
            Some((correlation_id, request)) => self.serve(conn, correlation_id, request, io),
            None => Ok(()),
        }
    }

    /// A connection that a client or another broker had opened has ended.
    pub(super) fn on_client_closed(&mut self, conn: ConnId) {
        if let Some(Parked { body: Delayed::Forwarded, .. }) = self.purgatory.close(conn) {
            self.forwards.forget(conn);
        }
        for partition in self.partitions.values_mut() {
            partition.waiting.forget(conn);
        }
    }

    /// Requests have waited for too long.
    pub(super) fn on_waiting_timer(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        for conn in self.purgatory.expire(io.now.mono, io.out) {
            match self.purgatory.take(conn) {
                Some(parked @ Parked { body: Delayed::Produce(_), .. }) => {
                    self.time_out_produce(conn, parked, io);
                }
                Some(parked @ Parked { body: Delayed::Fetch(_), .. }) => {
                    self.complete_fetch(conn, parked, io)?;
                }
                Some(parked) => self.time_out_forward(conn, &parked, io),
                None => {}
            }
        }
        Ok(())
    }

    /// The partitions that a request reads or writes.
    pub(super) fn partitions_of(request: &Request, to: &mut Vec<TopicPartition>) {
        match request {
            Request::Produce(r) => to.extend(r.partitions.iter().map(|p| p.partition)),
            Request::Fetch(r) => to.extend(r.partitions.iter().map(|p| p.partition)),
            Request::ListOffsets(r) => to.extend(r.partitions.iter().map(|p| p.partition)),
            Request::OffsetForLeaderEpoch(r) => {
                to.extend(r.partitions.iter().map(|p| p.partition));
            }
            _ => {}
        }
    }

    /// Whether a request would only be queued now.
    pub(super) fn would_queue(&self, conn: ConnId) -> bool {
        !self.is_serving() || self.purgatory.is_muted(conn)
    }

    /// What is wrong with a partition that this broker does not host.
    pub(super) fn error_of_unhosted(&self, id: TopicPartition) -> ErrorCode {
        let image = &self.context.image;
        if image.topic(id.topic).is_none() {
            ErrorCode::UnknownTopicId
        } else if image.partition(id).is_some() {
            ErrorCode::NotLeaderOrFollower
        } else {
            ErrorCode::UnknownTopicOrPartition
        }
    }
}
