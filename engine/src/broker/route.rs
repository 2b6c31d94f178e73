//! Routes each input to the part of the broker that handles it, with its lane and its locks.

use super::context::{Cx, Io};
use super::lane::lane_of;
use super::part::Part;
use super::replicas::Ticket;
use super::transactions::Services;
use super::{Broker, BrokerSettings, Parts};
use crate::error::ErrorCode;
use crate::ids::{TopicPartition, peer};
use crate::net::Asked;
use crate::protocol::{Message, Request, Response};
use crate::raft::QuorumChange;
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
        let lane = self.lane(&input);
        let mut io = Io { now, lane, disk: &mut *disk, out: &mut *out };
        if let Err(halt) = self.on_input(input, &mut io) {
            io.out.halt(halt);
        }
        let mut io = Io { now, lane, disk, out };
        self.settle_appends(&mut io);
        self.loopback.take(now.mono, out);
    }

    fn lane(&self, input: &Input) -> Lane {
        match input {
            Input::Message { message, .. } => lane_of_message(message),
            Input::Timer(Timer::Broker(BrokerTimer::Loopback(conn))) => {
                self.loopback.peek(*conn).map_or(Lane::Network, lane_of_message)
            }
            Input::Timer(timer) => lane_of(timer),
            Input::Opened { .. } | Input::Closed { .. } => Lane::Network,
            Input::Stop => Lane::Control,
        }
    }

    fn locks(&self, input: &Input, locks: &mut Vec<TopicPartition>) {
        match input {
            Input::Message { conn, message, .. } => self.locks_of_message(*conn, message, locks),
            Input::Timer(Timer::Broker(timer)) => self.locks_of(timer, locks),
            _ => {}
        }
    }

    fn invariants(&self) {
        let Parts {
            metadata,
            lifecycle,
            replicas,
            forwards,
            assignments,
            transactions,
            groups,
            verification,
        } = &self.parts;
        let parts: [&dyn Part; 8] = [
            metadata,
            lifecycle,
            replicas,
            forwards,
            assignments,
            transactions,
            groups,
            verification,
        ];
        for part in parts {
            part.invariants();
        }
        self.requests.invariants();
    }
}

impl Parts {
    /// All parts, those with the most connections first.
    fn all(&mut self) -> [&mut dyn Part; 8] {
        let Self {
            metadata,
            lifecycle,
            replicas,
            forwards,
            assignments,
            transactions,
            groups,
            verification,
        } = self;
        [replicas, metadata, lifecycle, forwards, assignments, transactions, groups, verification]
    }

    /// The part that owns a channel; `None` for the channels of clients.
    fn of_channel(&mut self, channel: Channel) -> Option<&mut dyn Part> {
        Some(match channel {
            Channel::Quorum => &mut self.metadata,
            Channel::Heartbeat => &mut self.lifecycle,
            Channel::AlterPartition | Channel::Replica => &mut self.replicas,
            Channel::Forward => &mut self.forwards,
            Channel::Directories => &mut self.assignments,
            Channel::Markers => &mut self.transactions,
            Channel::Verification => &mut self.verification,
            Channel::Producer | Channel::Consumer | Channel::Admin | Channel::Group => return None,
        })
    }

    /// The part that sent the request of a response.
    fn of(&mut self, owner: Owner) -> &mut dyn Part {
        match owner {
            Owner::Quorum => &mut self.metadata,
            Owner::Fetchers | Owner::IsrChanges => &mut self.replicas,
            Owner::Lifecycle => &mut self.lifecycle,
            Owner::Forwards => &mut self.forwards,
            Owner::Assignments => &mut self.assignments,
            Owner::Transactions => &mut self.transactions,
            Owner::Verification => &mut self.verification,
        }
    }
}

impl Broker {
    /// The parts, and the context that their methods take.
    pub(super) fn split<'a>(&'a mut self, io: &'a mut Io<'_>) -> (&'a mut Parts, Cx<'a>) {
        let Self { context, requests, parts, .. } = self;
        (parts, Cx { context, requests, io: io.reborrow() })
    }

    fn locks_of_message(&self, conn: ConnId, message: &Message, to: &mut Vec<TopicPartition>) {
        match message {
            Message::Request { body, .. } => {
                if self.context.serving && !self.requests.is_muted(conn) {
                    self.locks_of_request(body, to);
                }
            }
            Message::Response { body, .. } => {
                if owner_of(body) != Owner::Quorum {
                    body.locks(to);
                }
            }
            Message::Application { .. } => {}
        }
    }

    /// The partitions that a request reads or writes.
    fn locks_of_request(&self, request: &Request, locks: &mut Vec<TopicPartition>) {
        request.locks(locks);
        if let Request::Fetch(fetch) = request {
            locks.extend(self.parts.replicas.partitions.due(fetch.session));
        }
        self.parts.transactions.locks_of_request(request, &self.context.image, locks);
        self.parts.groups.locks_of_request(request, &self.context.image, locks);
    }

    fn locks_of(&self, timer: &BrokerTimer, locks: &mut Vec<TopicPartition>) {
        match timer {
            BrokerTimer::NextRequest(conn) => {
                if let Some(request) = self.requests.peek(*conn) {
                    self.locks_of_request(request, locks);
                }
            }
            BrokerTimer::Loopback(conn) => {
                if let Some(message) = self.loopback.peek(*conn) {
                    self.locks_of_message(*conn, message, locks);
                }
            }
            BrokerTimer::Metadata => locks.extend(self.parts.metadata.touched()),
            BrokerTimer::Shutdown | BrokerTimer::RegistrationTimeout => {
                locks.extend(self.parts.replicas.partitions.hosted.keys());
            }
            BrokerTimer::Replica(timer) => self.parts.replicas.locks_of(timer, locks),
            BrokerTimer::Transaction(timer) => self.parts.transactions.locks_of(*timer, locks),
            BrokerTimer::Group(timer) => self.parts.groups.locks_of(*timer, locks),
            BrokerTimer::Verify(ticket) | BrokerTimer::Verified(ticket) => {
                self.parts.verification.locks(*ticket, locks);
            }
            BrokerTimer::LogDirFailed(index) => {
                locks.extend(self.parts.replicas.partitions.in_dir(*index));
            }
            BrokerTimer::Heartbeat
            | BrokerTimer::LogDirUnreported(_)
            | BrokerTimer::Assignments
            | BrokerTimer::ToController(_)
            | BrokerTimer::Waiting => {}
        }
    }

    fn on_input(&mut self, input: Input, io: &mut Io<'_>) -> Result<(), Halt> {
        match input {
            Input::Message {
                conn,
                message: Message::Request { correlation_id, body: request },
                ..
            } => return self.on_request(Asked { conn, correlation_id, request }, io),
            Input::Message {
                conn, message: Message::Response { correlation_id, body }, ..
            } => {
                let (parts, mut cx) = self.split(io);
                parts.of(owner_of(&body)).on_response(conn, correlation_id, body, &mut cx)?;
            }
            // No application sends one to a broker.
            Input::Message { message: Message::Application { .. }, .. } => {}
            Input::Timer(timer) => self.on_timer(timer, io)?,
            Input::Opened { conn, .. } => {
                let _ = self.parts.all().into_iter().any(|part| part.on_opened(conn));
            }
            Input::Closed { conn, .. } => self.on_closed(conn, io),
            Input::Stop => {
                let (parts, mut cx) = self.split(io);
                parts.lifecycle.on_stop(&mut cx);
            }
        }
        self.follow(io)
    }

    /// Copies state of the parts into the context, where other parts use it, and handles changes of
    /// the quorum.
    fn follow(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let Parts { lifecycle, metadata, .. } = &mut self.parts;
        self.context.broker_epoch = lifecycle.broker_epoch();
        self.context.stopping = lifecycle.is_stopping();
        self.context.serving = lifecycle.is_open();
        self.context.controller = metadata.quorum().leader().map(|id| peer(self.context.node, id));
        for change in metadata.take_changes() {
            match change {
                QuorumChange::Committed { .. } => self.on_committed(io)?,
                // Parts that need the controller read it from the context.
                QuorumChange::LeaderKnown { .. } => {}
                // Only voters become leaders.
                QuorumChange::BecameLeader { .. } | QuorumChange::LostLeadership { .. } => {}
            }
        }
        self.maybe_publish_first(io)
    }

    fn on_timer(&mut self, timer: Timer, io: &mut Io<'_>) -> Result<(), Halt> {
        let timer = match timer {
            Timer::Broker(timer) => timer,
            Timer::Quorum(timer) => return self.parts.metadata.on_quorum_timer(timer, io),
            Timer::Requests(channel) => {
                let (parts, mut cx) = self.split(io);
                if let Some(part) = parts.of_channel(channel) {
                    part.on_requests_timer(channel, &mut cx);
                }
                return Ok(());
            }
            // These timers belong to other processes.
            Timer::Controller(_) | Timer::Client(_) | Timer::Application(_) => return Ok(()),
        };
        match timer {
            BrokerTimer::Metadata => self.apply_metadata(io),
            BrokerTimer::Shutdown => {
                self.shut_down(io);
                Ok(())
            }
            BrokerTimer::LogDirFailed(index) => self.on_log_dir_failed(index, io),
            BrokerTimer::RegistrationTimeout => self.on_registration_timeout(io),
            BrokerTimer::Waiting => self.on_overdue(io),
            BrokerTimer::NextRequest(conn) => match self.requests.next(conn) {
                Some(asked) => self.serve(asked, io),
                None => Ok(()),
            },
            BrokerTimer::Loopback(conn) => match self.loopback.next(conn, io.out) {
                Some(input) => self.on_input(input, io),
                None => Ok(()),
            },
            BrokerTimer::Transaction(timer) => {
                let (parts, mut cx) = self.split(io);
                let Parts { transactions, replicas, forwards, .. } = parts;
                let mut services = Services { replicas: &mut replicas.partitions, ids: forwards };
                transactions.on_timer(timer, &mut services, &mut cx)
            }
            BrokerTimer::Group(timer) => {
                let (parts, mut cx) = self.split(io);
                parts.groups.on_timer(timer, &mut parts.replicas.partitions, &mut cx)
            }
            BrokerTimer::Verify(ticket) => {
                self.verify_again(ticket, io);
                Ok(())
            }
            BrokerTimer::Verified(ticket) => self.on_verified(ticket, io),
            timer => {
                self.on_timer_of_part(timer, io);
                Ok(())
            }
        }
    }

    fn on_timer_of_part(&mut self, timer: BrokerTimer, io: &mut Io<'_>) {
        let (parts, mut cx) = self.split(io);
        match timer {
            BrokerTimer::Heartbeat => parts.lifecycle.on_heartbeat_timer(&mut cx),
            BrokerTimer::LogDirUnreported(dir) => parts.lifecycle.on_unreported(dir, &mut cx),
            BrokerTimer::Assignments => parts.assignments.on_timer(&mut cx),
            BrokerTimer::Replica(timer) => parts.replicas.on_timer(timer, &mut cx),
            BrokerTimer::ToController(channel) => {
                if let Some(part) = parts.of_channel(channel) {
                    part.on_channel_timer(channel, &mut cx);
                }
            }
            // `on_timer` has handled these.
            BrokerTimer::Metadata
            | BrokerTimer::Shutdown
            | BrokerTimer::RegistrationTimeout
            | BrokerTimer::LogDirFailed(_)
            | BrokerTimer::Waiting
            | BrokerTimer::Loopback(_)
            | BrokerTimer::Transaction(_)
            | BrokerTimer::Group(_)
            | BrokerTimer::Verify(_)
            | BrokerTimer::Verified(_)
            | BrokerTimer::NextRequest(_) => {}
        }
    }

    /// Passes the outcomes of their appends to the coordinators.
    fn settle_appends(&mut self, io: &mut Io<'_>) {
        if !self.parts.replicas.partitions.has_settled() {
            return;
        }
        let (parts, mut cx) = self.split(io);
        for (ticket, error) in parts.replicas.partitions.take_settled() {
            match ticket {
                Ticket::Transaction(number) => {
                    parts.transactions.on_settled(number, error, &mut cx);
                }
                Ticket::Group(index) => {
                    parts.groups.on_high_watermark(index, &parts.replicas.partitions, &mut cx);
                }
            }
        }
    }

    fn on_closed(&mut self, conn: ConnId, io: &mut Io<'_>) {
        let (parts, mut cx) = self.split(io);
        if parts.all().into_iter().any(|part| part.on_closed(conn, &mut cx)) {
            return;
        }
        let parked = self.requests.close(conn);
        for part in self.parts.all() {
            part.on_client_closed(conn, parked.as_ref());
        }
    }
}

fn lane_of_message(message: &Message) -> Lane {
    let Message::Response { body, .. } = message else { return Lane::Request };
    match owner_of(body) {
        Owner::Fetchers => Lane::Replication,
        // A broker whose disk hangs still sends heartbeats.
        Owner::Lifecycle | Owner::Verification => Lane::Network,
        Owner::Quorum
        | Owner::IsrChanges
        | Owner::Forwards
        | Owner::Assignments
        | Owner::Transactions => Lane::Control,
    }
}

/// The sender of the request that belongs to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Quorum,
    Fetchers,
    IsrChanges,
    Lifecycle,
    Forwards,
    Assignments,
    Transactions,
    Verification,
}

fn owner_of(body: &Response) -> Owner {
    match body {
        // A response about the metadata log names that partition; one in a fetch session may name
        // none.
        Response::Fetch(response) => match (response.partitions.first(), response.error) {
            (Some(first), _) if first.partition == TopicPartition::METADATA => Owner::Quorum,
            (Some(_), _)
            | (
                None,
                ErrorCode::None
                | ErrorCode::FetchSessionIdNotFound
                | ErrorCode::InvalidFetchSessionEpoch,
            ) => Owner::Fetchers,
            (None, _) => Owner::Quorum,
        },
        Response::ListOffsets(_) => Owner::Fetchers,
        Response::AlterPartition(_) => Owner::IsrChanges,
        Response::BrokerRegistration(_) | Response::BrokerHeartbeat(_) => Owner::Lifecycle,
        Response::CreateTopics(_)
        | Response::ElectLeaders(_)
        | Response::AllocateProducerIds(_) => Owner::Forwards,
        Response::AssignReplicasToDirs(_) => Owner::Assignments,
        Response::WriteTxnMarkers(_) => Owner::Transactions,
        Response::AddPartitionsToTxn(_) => Owner::Verification,
        Response::Vote(_) | Response::BeginQuorumEpoch(_) | Response::EndQuorumEpoch(_) => {
            Owner::Quorum
        }
        // No broker sends these requests, so no channel knows the connection of such a response.
        Response::Produce(_)
        | Response::OffsetForLeaderEpoch(_)
        | Response::Metadata(_)
        | Response::InitProducerId(_)
        | Response::FindCoordinator(_)
        | Response::ApiVersions(_)
        | Response::EndTxn(_)
        | Response::DescribeProducers(_)
        | Response::DescribeTransactions(_)
        | Response::ListTransactions(_)
        | Response::AddOffsetsToTxn(_)
        | Response::JoinGroup(_)
        | Response::SyncGroup(_)
        | Response::Heartbeat(_)
        | Response::LeaveGroup(_)
        | Response::DescribeGroups(_)
        | Response::ListGroups(_)
        | Response::DeleteGroups(_)
        | Response::ConsumerGroupHeartbeat(_)
        | Response::ConsumerGroupDescribe(_)
        | Response::OffsetCommit(_)
        | Response::OffsetFetch(_)
        | Response::OffsetDelete(_)
        | Response::TxnOffsetCommit(_) => Owner::Quorum,
    }
}
