//! A client with brokers whose responses a test chooses.

use super::{Admin, Consumer, GroupConsumer, Producer};
use crate::error::ErrorCode;
use crate::fact::{ClientFact, Fact, MemberFact};
use crate::ids::{BrokerId, LeaderEpoch, TopicId, TopicPartition};
use crate::protocol::{
    ApiVersionsResponse, Message, MetadataBroker, MetadataPartition, MetadataResponse,
    MetadataTopic, Request, Response,
};
use crate::timer::Timer;
use crate::{Input, Outbox};
use machine::{Boot, CloseReason, ConnId, Mono, NodeId, Now, Output, Span, Wall};
use std::collections::{BTreeMap, VecDeque};

pub(super) const TOPIC: TopicId = TopicId(77);

/// Partition `index` of the one topic, `orders`.
pub(super) fn orders(index: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, index)
}

pub(super) fn boot() -> Boot {
    Boot { node: NodeId::new(0, 1001), incarnation: 0, now: Now::default(), entropy: 5 }
}

/// The methods of a client that the stage calls.
pub(super) trait Client {
    fn message(&mut self, now: Now, conn: ConnId, message: &Message, out: &mut Outbox) -> bool;
    fn opened(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool;
    fn closed(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool;
    fn timer(&mut self, now: Now, timer: Timer, out: &mut Outbox) -> bool;
    fn check(&self) {}
}

macro_rules! client {
    ($client:ident { $($check:item)* }) => {
        impl Client for $client {
            fn message(&mut self, now: Now, conn: ConnId, m: &Message, out: &mut Outbox) -> bool {
                self.on_message(now, conn, m, out)
            }

            fn opened(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
                self.on_opened(now, conn, out)
            }

            fn closed(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
                self.on_closed(now, conn, out)
            }

            fn timer(&mut self, now: Now, timer: Timer, out: &mut Outbox) -> bool {
                match timer {
                    Timer::Client(timer) => self.on_timer(now, timer, out),
                    Timer::Requests(channel) => self.on_requests_timer(now, channel, out),
                    _ => false,
                }
            }

            $($check)*
        }
    };
}

client!(Producer {
    fn check(&self) {
        self.invariants();
    }
});
client!(Consumer {});
client!(Admin {});

impl Client for GroupConsumer {
    fn message(&mut self, now: Now, conn: ConnId, message: &Message, out: &mut Outbox) -> bool {
        let (from, message) = (boot().node, message.clone());
        self.on_input(now, &Input::Message { conn, from, message }, out)
    }

    fn opened(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        self.on_input(now, &Input::Opened { conn, peer: boot().node }, out)
    }

    fn closed(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        let reason = CloseReason::Closed;
        self.on_input(now, &Input::Closed { conn, peer: boot().node, reason }, out)
    }

    fn timer(&mut self, now: Now, timer: Timer, out: &mut Outbox) -> bool {
        self.on_input(now, &Input::Timer(timer), out)
    }
}

/// A request that a broker has received and not responded to.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) conn: ConnId,
    pub(super) broker: BrokerId,
    pub(super) correlation_id: u32,
    pub(super) body: Request,
}

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) now: Now,
    pub(super) out: Outbox,
    /// Leader and epoch of each partition, in every metadata response; empty: no such topic.
    pub(super) leaders: Vec<(Option<BrokerId>, LeaderEpoch)>,
    /// Brokers that do not accept connections.
    pub(super) silent: Vec<BrokerId>,
    /// Requests except those for metadata, to which the stage responds itself.
    pub(super) asked: VecDeque<Asked>,
    /// The names of rules whose decision differed from that of the default rule.
    pub(super) differed: Vec<&'static str>,
    /// What members of groups reported.
    pub(super) members: Vec<MemberFact>,
    /// The number of metadata requests.
    pub(super) metadata_requests: u32,
    /// The features that brokers report: their epoch, and the level of `transaction.version`.
    pub(super) features: (i64, u16),
    connections: BTreeMap<ConnId, BrokerId>,
    /// For each connection, the open requests and the responses that the test has given. Responses
    /// are sent in the order of the requests, in whatever order the test gives them.
    awaited: BTreeMap<ConnId, VecDeque<(u32, Option<Response>)>>,
    timers: BTreeMap<Timer, Mono>,
}

impl Stage {
    /// Every partition of `orders` with this leader and epoch.
    pub(super) fn new(leaders: &[(BrokerId, LeaderEpoch)]) -> Self {
        Self {
            now: Now { mono: Mono(0), wall: Wall(1_000_000) },
            out: Outbox::new(boot().node, 0),
            leaders: leaders.iter().map(|(id, epoch)| (Some(*id), *epoch)).collect(),
            silent: Vec::new(),
            asked: VecDeque::new(),
            differed: Vec::new(),
            members: Vec::new(),
            metadata_requests: 0,
            features: (-1, 0),
            connections: BTreeMap::new(),
            awaited: BTreeMap::new(),
            timers: BTreeMap::new(),
        }
    }

    /// Handles all events that are due now.
    pub(super) fn settle(&mut self, client: &mut impl Client) {
        for _ in 0..1000 {
            let outputs: Vec<_> = self.out.drain().collect();
            for output in outputs {
                self.perform(output, client);
            }
            let due = self.timers.iter().find(|(_, at)| **at <= self.now.mono);
            if let Some(timer) = due.map(|(timer, _)| timer.clone()) {
                self.timers.remove(&timer);
                assert!(client.timer(self.now, timer, &mut self.out));
            }
            client.check();
            if self.out.is_empty() && self.timers.values().all(|at| *at > self.now.mono) {
                return;
            }
        }
        panic!("the client never stops sending");
    }

    fn perform(&mut self, output: Output<crate::Kafka>, client: &mut impl Client) {
        match output {
            Output::Connect { conn, peer } if !self.silent.contains(&peer.node) => {
                self.connections.insert(conn, peer.node);
                assert!(client.opened(self.now, conn, &mut self.out));
            }
            Output::Send { conn, message: Message::Request { correlation_id, body } } => {
                let broker = *self.connections.get(&conn).expect("nothing is sent too early");
                if !matches!(&body, Request::Produce(produce) if produce.acks == 0) {
                    self.awaited.entry(conn).or_default().push_back((correlation_id, None));
                }
                if matches!(body, Request::Metadata(_)) {
                    self.metadata_requests += 1;
                    let answer = self.metadata().into();
                    self.deliver(client, conn, correlation_id, answer);
                } else if matches!(body, Request::ApiVersions(_)) {
                    let error = ErrorCode::None;
                    let (finalized_features_epoch, transaction_version) = self.features;
                    let answer = ApiVersionsResponse {
                        error,
                        finalized_features_epoch,
                        transaction_version,
                    };
                    self.deliver(client, conn, correlation_id, answer.into());
                } else {
                    self.asked.push_back(Asked { conn, broker, correlation_id, body });
                }
            }
            Output::Close { conn } => {
                self.connections.remove(&conn);
                self.asked.retain(|asked| asked.conn != conn);
            }
            Output::Observe(Fact::RuleDiffered { rule }) => self.differed.push(rule),
            Output::Observe(Fact::Client(ClientFact::Member(fact))) => self.members.push(fact),
            Output::SetTimer { timer, at } => {
                self.timers.insert(timer, at);
            }
            _ => {}
        }
    }

    fn metadata(&self) -> MetadataResponse {
        let partition = |(index, (leader, leader_epoch)): (usize, &(Option<BrokerId>, i32))| {
            let missing = ErrorCode::LeaderNotAvailable;
            MetadataPartition {
                error: if leader.is_some() { ErrorCode::None } else { missing },
                partition: index as i32,
                leader: *leader,
                leader_epoch: *leader_epoch,
                replicas: vec![1, 2, 3],
                isr: vec![1, 2, 3],
            }
        };
        let missing = ErrorCode::UnknownTopicOrPartition;
        MetadataResponse {
            brokers: (1..=3).map(|id| MetadataBroker { id, rack: None }).collect(),
            topics: vec![MetadataTopic {
                error: if self.leaders.is_empty() { missing } else { ErrorCode::None },
                name: "orders".to_owned(),
                topic: TOPIC,
                partitions: self.leaders.iter().enumerate().map(partition).collect(),
            }],
        }
    }

    /// Lets time pass, and handles the events that become due.
    pub(super) fn pass(&mut self, client: &mut impl Client, span: Span) {
        self.settle(client);
        let until = self.now.mono + span;
        while let Some(at) = self.timers.values().min().copied().filter(|at| *at <= until) {
            self.now.mono = at.max(self.now.mono);
            self.settle(client);
        }
        self.now.mono = until;
        self.settle(client);
    }

    /// Responds to a request.
    pub(super) fn answer(
        &mut self,
        client: &mut impl Client,
        asked: &Asked,
        body: impl Into<Response>,
    ) {
        self.deliver(client, asked.conn, asked.correlation_id, body.into());
        self.settle(client);
    }

    fn deliver(
        &mut self,
        client: &mut impl Client,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
    ) {
        let line = self.awaited.get_mut(&conn).expect("something is awaited there");
        let place = line.iter_mut().find(|(id, _)| *id == correlation_id);
        place.expect("a response is awaited").1 = Some(body);
        while let Some((correlation_id, body @ Some(_))) = line.front_mut() {
            let body = body.take().expect("it is there");
            let answer = Message::Response { correlation_id: *correlation_id, body };
            line.pop_front();
            assert!(client.message(self.now, conn, &answer, &mut self.out));
        }
    }

    /// Ends the connection of a request, so that all requests on it are lost.
    pub(super) fn cut(&mut self, client: &mut impl Client, asked: &Asked) {
        self.connections.remove(&asked.conn);
        self.asked.retain(|other| other.conn != asked.conn);
        assert!(client.closed(self.now, asked.conn, &mut self.out));
        self.settle(client);
    }

    /// The oldest request that the test has not taken.
    pub(super) fn next(&mut self) -> Asked {
        self.asked.pop_front().expect("a request was sent")
    }
}
