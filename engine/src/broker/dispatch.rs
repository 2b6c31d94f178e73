//! Which input goes where, on which lane, and under which locks.

use super::context::Io;
use super::fetcher::Asked;
use super::{Broker, BrokerSettings};
use crate::ids::TopicPartition;
use crate::net::Disconnected;
use crate::protocol::{Message, Request, Response};
use crate::timer::{BrokerTimer, Channel, Timer};
use crate::{Input, Kafka, Outbox};
use machine::{Boot, ConnId, Disk, Halt, Lane, Now, Process};

impl Process for Broker {
    type Vocabulary = Kafka;
    type Config = BrokerSettings;

    fn boot(
        config: &BrokerSettings,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Self, Halt> {
        Self::start(config, boot, disk, out)
    }

    fn handle(&mut self, now: Now, input: Input, disk: &mut dyn Disk, out: &mut Outbox) {
        let mut io = Io { now, lane: self.lane(&input), disk, out };
        if let Err(halt) = self.on_input(input, &mut io) {
            io.out.halt(halt);
        }
    }

    fn lane(&self, input: &Input) -> Lane {
        match input {
            Input::Message { message: Message::Request { .. }, .. } => Lane::Request,
            Input::Message { message: Message::Response { body, .. }, .. } => match body {
                Response::Fetch(_) | Response::ListOffsets(_) if !is_of_quorum(body) => {
                    Lane::Replication
                }
                _ => Lane::Control,
            },
            Input::Timer(timer) => lane_of(timer),
            Input::Opened { .. } | Input::Closed { .. } => Lane::Network,
            Input::Stop => Lane::Control,
        }
    }

    fn locks(&self, input: &Input, locks: &mut Vec<TopicPartition>) {
        match input {
            Input::Message { conn, message: Message::Request { body, .. }, .. }
                if !self.would_queue(*conn) =>
            {
                Self::partitions_of(body, locks);
            }
            Input::Message { message: Message::Response { body, .. }, .. } => match body {
                Response::Fetch(r) if !is_of_quorum(body) => {
                    locks.extend(r.partitions.iter().map(|p| p.partition));
                }
                Response::ListOffsets(r) => locks.extend(r.partitions.iter().map(|p| p.partition)),
                Response::AlterPartition(r) => {
                    locks.extend(r.partitions.iter().map(|p| p.partition));
                }
                _ => {}
            },
            Input::Timer(Timer::Broker(timer)) => self.locks_of(timer, locks),
            _ => {}
        }
    }

    fn invariants(&self) {
        for partition in self.partitions.values() {
            partition.invariants();
        }
        self.quorum.invariants();
        self.purgatory.invariants();
    }
}

impl Broker {
    fn locks_of(&self, timer: &BrokerTimer, locks: &mut Vec<TopicPartition>) {
        match timer {
            BrokerTimer::NextRequest(conn) => {
                if let Some(request) = self.purgatory.peek(*conn) {
                    Self::partitions_of(request, locks);
                }
            }
            BrokerTimer::Metadata => locks.extend(self.metadata.touched()),
            BrokerTimer::IsrShrink => {
                let shrinkable = self.partitions.iter().filter(|(_, partition)| {
                    partition.committed_isr().len() > 1 && !partition.has_pending_isr()
                });
                locks.extend(shrinkable.map(|(id, _)| *id));
            }
            BrokerTimer::Shutdown => locks.extend(self.partitions.keys()),
            _ => {}
        }
    }

    fn on_input(&mut self, input: Input, io: &mut Io<'_>) -> Result<(), Halt> {
        match input {
            Input::Message { conn, message, .. } => self.on_message(conn, message, io),
            Input::Timer(Timer::Broker(timer)) => self.on_broker_timer(&timer, io),
            Input::Timer(Timer::Quorum(timer)) => {
                self.quorum.on_timer(io.now, timer, io.disk, io.out)?;
                self.on_quorum_changes(io)
            }
            Input::Timer(Timer::Requests(channel)) => self.on_requests_timer(channel, io),
            // Timers of other processes.
            Input::Timer(_) => Ok(()),
            Input::Opened { conn, .. } => {
                self.on_opened(conn);
                Ok(())
            }
            Input::Closed { conn, .. } => self.on_closed(conn, io),
            Input::Stop => {
                self.on_stop(io);
                Ok(())
            }
        }
    }

    fn on_message(&mut self, conn: ConnId, message: Message, io: &mut Io<'_>) -> Result<(), Halt> {
        match message {
            Message::Request { correlation_id, body } => match body {
                Request::Vote(_) | Request::BeginQuorumEpoch(_) | Request::EndQuorumEpoch(_) => {
                    // Meant for a controller.
                    io.out.close(conn);
                    Ok(())
                }
                body => self.on_request(conn, correlation_id, body, io),
            },
            Message::Response { correlation_id, body } => {
                self.on_response(conn, correlation_id, body, io)
            }
        }
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        match body {
            Response::Fetch(_) | Response::ListOffsets(_) if !is_of_quorum(&body) => {
                self.on_leader_response(conn, correlation_id, &body, io)
            }
            Response::AlterPartition(response) => {
                match self.alterations.channels.on_response(conn, correlation_id) {
                    Some((_, sent)) => self.on_altered(&sent, &response, io),
                    None => Ok(()),
                }
            }
            Response::BrokerRegistration(response) => {
                if self.lifecycle.channels.on_response(conn, correlation_id).is_some() {
                    self.on_registered(&response, io);
                }
                Ok(())
            }
            Response::BrokerHeartbeat(response) => {
                match self.lifecycle.channels.on_response(conn, correlation_id) {
                    Some(_) => self.on_heartbeat(&response, io),
                    None => Ok(()),
                }
            }
            body @ (Response::CreateTopics(_) | Response::ElectLeaders(_)) => {
                if let Some((_, id)) = self.forwards.channels.on_response(conn, correlation_id) {
                    self.on_forwarded(id, body, io);
                }
                Ok(())
            }
            body => {
                let message = Message::Response { correlation_id, body };
                if self.quorum.owns(conn, &message) {
                    self.quorum.on_message(io.now, conn, message, io.disk, io.out)?;
                    self.on_quorum_changes(io)?;
                }
                Ok(())
            }
        }
    }

    fn on_leader_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: &Response,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        let answered = self.fetchers.channels.on_response(conn, correlation_id);
        match (answered, body) {
            (Some((leader, Asked::Fetch)), Response::Fetch(response)) => {
                self.on_fetched(leader.node, response, io)
            }
            (Some((leader, asked)), Response::ListOffsets(response)) => {
                self.on_looked_up(leader.node, asked, response.partitions.first(), io)
            }
            _ => Ok(()),
        }
    }

    fn on_broker_timer(&mut self, timer: &BrokerTimer, io: &mut Io<'_>) -> Result<(), Halt> {
        match *timer {
            BrokerTimer::Heartbeat => self.on_heartbeat_timer(io),
            BrokerTimer::IsrShrink => {
                self.shrink_isrs(io);
                self.again(*timer, io);
                Ok(())
            }
            BrokerTimer::AlterPartition => {
                self.send_proposals(io);
                Ok(())
            }
            BrokerTimer::Forward => {
                self.send_forwards(io);
                Ok(())
            }
            BrokerTimer::Metadata => self.apply_metadata(io),
            BrokerTimer::Fetch(leader) => {
                self.fetch_from(leader, io);
                Ok(())
            }
            BrokerTimer::Waiting => self.on_waiting_timer(io),
            BrokerTimer::NextRequest(conn) => self.on_next_request(conn, io),
            BrokerTimer::FlushRolled(id) => match self.partitions.get_mut(&id) {
                Some(partition) => partition.flush_rolled(io),
                None => Ok(()),
            },
            BrokerTimer::HighWatermarkCheckpoint => {
                self.again(*timer, io);
                self.checkpoint_high_watermarks(io)
            }
            BrokerTimer::RecoveryPointCheckpoint => {
                self.again(*timer, io);
                self.checkpoint_recovery_points(io)
            }
            BrokerTimer::Flush => {
                self.again(*timer, io);
                self.flush_old_logs(io)
            }
            BrokerTimer::Shutdown => self.shut_down(io),
        }
    }

    fn on_requests_timer(&mut self, channel: Channel, io: &mut Io<'_>) -> Result<(), Halt> {
        let now = io.now.mono;
        match channel {
            Channel::Quorum => {
                self.quorum.on_requests_timer(io.now, io.out);
                return self.on_quorum_changes(io);
            }
            Channel::Heartbeat => {
                for _ in self.lifecycle.channels.on_timer(now, io.out) {
                    self.on_lifecycle_failed(io);
                }
            }
            Channel::AlterPartition => {
                for _ in self.alterations.channels.on_timer(now, io.out) {
                    self.on_proposals_failed(io);
                }
            }
            Channel::Forward => {
                for Disconnected { failed, .. } in self.forwards.channels.on_timer(now, io.out) {
                    self.on_forwards_failed(&failed, io);
                }
            }
            Channel::Replica => {
                for failed in self.fetchers.channels.on_timer(now, io.out) {
                    self.on_fetch_failed(failed.peer.node, &failed.failed, io);
                }
            }
            // Of clients.
            _ => {}
        }
        Ok(())
    }

    fn on_opened(&mut self, conn: ConnId) {
        let _ = self.fetchers.channels.on_opened(conn).is_some()
            || self.quorum.on_opened(conn)
            || self.lifecycle.channels.on_opened(conn).is_some()
            || self.alterations.channels.on_opened(conn).is_some()
            || self.forwards.channels.on_opened(conn).is_some();
    }

    fn on_closed(&mut self, conn: ConnId, io: &mut Io<'_>) -> Result<(), Halt> {
        let now = io.now.mono;
        if self.quorum.on_closed(io.now, conn, io.out) {
            return self.on_quorum_changes(io);
        }
        if let Some(failed) = self.fetchers.channels.on_closed(now, conn) {
            self.on_fetch_failed(failed.peer.node, &failed.failed, io);
        } else if self.lifecycle.channels.on_closed(now, conn).is_some() {
            self.on_lifecycle_failed(io);
        } else if self.alterations.channels.on_closed(now, conn).is_some() {
            self.on_proposals_failed(io);
        } else if let Some(failed) = self.forwards.channels.on_closed(now, conn) {
            self.on_forwards_failed(&failed.failed, io);
        } else {
            self.on_client_closed(conn);
        }
        Ok(())
    }
}

/// Whether a response is about the metadata log. A fetch of it names that partition.
fn is_of_quorum(body: &Response) -> bool {
    match body {
        Response::Fetch(response) => {
            response.partitions.first().is_none_or(|p| p.partition == TopicPartition::METADATA)
        }
        _ => false,
    }
}

fn lane_of(timer: &Timer) -> Lane {
    match timer {
        Timer::Broker(timer) => match timer {
            BrokerTimer::Waiting | BrokerTimer::NextRequest(_) => Lane::Request,
            BrokerTimer::Fetch(_) => Lane::Replication,
            BrokerTimer::IsrShrink
            | BrokerTimer::HighWatermarkCheckpoint
            | BrokerTimer::RecoveryPointCheckpoint
            | BrokerTimer::Flush
            | BrokerTimer::FlushRolled(_) => Lane::Background,
            BrokerTimer::Heartbeat
            | BrokerTimer::AlterPartition
            | BrokerTimer::Forward
            | BrokerTimer::Metadata
            | BrokerTimer::Shutdown => Lane::Control,
        },
        Timer::Requests(Channel::Replica) => Lane::Replication,
        _ => Lane::Control,
    }
}
