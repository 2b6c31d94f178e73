//! An active controller without a quorum, whose decisions count as committed.

use crate::Outbox;
use crate::config::{ControllerConfig, TopicConfig};
use crate::controller::active::{Active, Outcome};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerEpoch, BrokerId, DirectoryId, Offset, TopicPartition};
use crate::metadata::{MetadataImage, MetadataRecord, PartitionRegistration};
use crate::protocol::{
    AlterPartition, AlterPartitionRequest, AlterPartitionResponse, AlteredPartition,
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerState,
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse, Request, Response,
};
use crate::rules::{Rulebook, Rules};
use crate::timer::{ControllerTimer, Timer};
use machine::{Mono, NodeId, Output, Span};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

pub(super) struct Bench {
    pub(super) active: Active,
    pub(super) log: Vec<MetadataRecord>,
    pub(super) now: Mono,
    pub(super) config: ControllerConfig,
    rules: Rulebook,
    rng: ChaCha8Rng,
    pub(super) out: Outbox,
    observed: Vec<Fact>,
    timers: BTreeMap<ControllerTimer, Mono>,
}

/// A topic to create, with these replicas.
pub(super) fn assigned(
    name: &str,
    assignments: &[&[BrokerId]],
    configs: &[(&str, &str)],
) -> CreatableTopic {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    CreatableTopic {
        name: name.to_owned(),
        num_partitions: -1,
        replication_factor: -1,
        assignments: assignments.iter().map(|replicas| replicas.to_vec()).collect(),
        configs: configs.iter().map(own).collect(),
    }
}

impl Bench {
    pub(super) fn new(rules: Rules, eligible_leader_replicas: bool) -> Self {
        let config = ControllerConfig { eligible_leader_replicas, ..ControllerConfig::default() };
        let empty = MetadataImage::new(TopicConfig::default());
        let mut out = Outbox::new(NodeId::new(0, 101), 0);
        let now = Mono(1);
        let rules = Rulebook::compared(rules);
        let mut active = Active::new(1, &empty, rules, &config, now, &mut out);
        let log = active.bootstrap(&config);
        let rng = ChaCha8Rng::seed_from_u64(7);
        let (observed, timers) = (Vec::new(), BTreeMap::new());
        Self { active, log, now, config, rules, rng, out, observed, timers }
    }

    /// Brokers 1, 2 and 3, unfenced, and one partition replicated on all three.
    pub(super) fn three(rules: Rules, configs: &[(&str, &str)]) -> (Self, TopicPartition) {
        Self::three_with(rules, true, configs)
    }

    pub(super) fn three_with(
        rules: Rules,
        eligible_leader_replicas: bool,
        configs: &[(&str, &str)],
    ) -> (Self, TopicPartition) {
        let mut bench = Self::new(rules, eligible_leader_replicas);
        for broker in 1..=3 {
            bench.start(broker, u128::from(broker), None);
        }
        let topic = assigned("orders", &[&[1, 2, 3]], configs);
        let created = bench.create(vec![topic]);
        assert_eq!(created.topics[0].error, ErrorCode::None);
        (bench, TopicPartition::new(created.topics[0].topic, 0))
    }

    pub(super) fn ask(&mut self, request: impl Into<Request>) -> Result<Response, ErrorCode> {
        let request = request.into();
        let (outcome, records): Outcome =
            self.active.handle(&request, self.now, &mut self.rng, &mut self.out);
        self.log.extend(records);
        outcome
    }

    pub(super) fn timer(&mut self, timer: ControllerTimer) {
        let records = self.active.on_timer(timer, &self.config, self.now, &mut self.out);
        self.log.extend(records);
    }

    /// Another controller takes over.
    pub(super) fn fail_over(&mut self) {
        let image = self.active.image.clone();
        let (rules, config) = (self.rules, &self.config);
        let epoch = self.active.epoch + 1;
        self.active = Active::new(epoch, &image, rules, config, self.now, &mut self.out);
        assert_eq!(self.active.bootstrap(&self.config), []);
    }

    pub(super) fn register(
        &mut self,
        broker: BrokerId,
        incarnation: u128,
        previous_broker_epoch: Option<BrokerEpoch>,
    ) -> Result<BrokerEpoch, ErrorCode> {
        self.register_with_dirs(
            broker,
            incarnation,
            previous_broker_epoch,
            &[DirectoryId::of_broker(broker)],
        )
    }

    pub(super) fn register_with_dirs(
        &mut self,
        broker: BrokerId,
        incarnation: u128,
        previous_broker_epoch: Option<BrokerEpoch>,
        log_dirs: &[DirectoryId],
    ) -> Result<BrokerEpoch, ErrorCode> {
        let log_dirs = log_dirs.to_vec();
        let request = BrokerRegistrationRequest {
            broker,
            incarnation,
            rack: None,
            previous_broker_epoch,
            log_dirs,
        };
        match self.ask(request)? {
            Response::BrokerRegistration(response) => Ok(response.broker_epoch),
            other => panic!("{other:?}"),
        }
    }

    /// A heartbeat of the registered incarnation, which has applied all metadata.
    pub(super) fn beat(
        &mut self,
        broker: BrokerId,
        want_shut_down: bool,
    ) -> BrokerHeartbeatResponse {
        let offset = self.active.last_offset();
        self.beat_at(broker, offset, want_shut_down)
    }

    pub(super) fn beat_at(
        &mut self,
        broker: BrokerId,
        current_metadata_offset: Offset,
        want_shut_down: bool,
    ) -> BrokerHeartbeatResponse {
        let request = BrokerHeartbeatRequest {
            broker,
            broker_epoch: self.epoch(broker),
            current_metadata_offset,
            want_fence: false,
            want_shut_down,
            offline_log_dirs: Vec::new(),
        };
        match self.ask(request) {
            Ok(Response::BrokerHeartbeat(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    /// Registers an incarnation of a broker, and unfences it with a heartbeat.
    pub(super) fn start(
        &mut self,
        broker: BrokerId,
        incarnation: u128,
        previous: Option<BrokerEpoch>,
    ) -> BrokerEpoch {
        let epoch = self.register(broker, incarnation, previous).unwrap();
        assert!(!self.beat(broker, false).is_fenced);
        epoch
    }

    /// Lets the sessions of all brokers except `alive` expire, and fences those whose sessions
    /// expired: at most nine, since each run of the timer fences one (KAFKA-13173).
    pub(super) fn silence_all_but(&mut self, alive: &[BrokerId]) {
        self.now += self.config.session_timeout;
        for broker in alive {
            self.beat(*broker, false);
        }
        self.now += Span(1);
        for _ in 0..9 {
            self.timer(ControllerTimer::Sessions);
        }
    }

    /// Advances time until every session has expired; the session timer has not fired.
    pub(super) fn end_sessions(&mut self) {
        self.now = self.now + self.config.session_timeout + Span(1);
    }

    pub(super) fn create(&mut self, topics: Vec<CreatableTopic>) -> CreateTopicsResponse {
        match self.ask(CreateTopicsRequest { topics, timeout: Span::secs(30) }) {
            Ok(Response::CreateTopics(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    /// A proposal with the current epochs and this ISR.
    pub(super) fn proposal(&self, partition: TopicPartition, isr: &[BrokerId]) -> AlterPartition {
        let state = self.state(partition);
        AlterPartition {
            partition,
            leader_epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            new_isr: isr.iter().map(|id| BrokerState { id: *id, epoch: self.epoch(*id) }).collect(),
        }
    }

    pub(super) fn alter(&mut self, from: BrokerId, proposal: AlterPartition) -> AlteredPartition {
        let broker_epoch = self.epoch(from);
        let request =
            AlterPartitionRequest { broker: from, broker_epoch, partitions: vec![proposal] };
        match self.ask(request) {
            Ok(Response::AlterPartition(AlterPartitionResponse { partitions, .. })) => {
                partitions.into_iter().next().unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The registered epoch; -1 if there is none.
    pub(super) fn epoch(&self, broker: BrokerId) -> BrokerEpoch {
        self.active.image.broker(broker).map_or(-1, |broker| broker.epoch)
    }

    pub(super) fn state(&self, partition: TopicPartition) -> &PartitionRegistration {
        self.active.image.partition(partition).unwrap()
    }

    /// Leader, ISR and ELR.
    pub(super) fn roles(
        &self,
        partition: TopicPartition,
    ) -> (Option<BrokerId>, Vec<BrokerId>, Vec<BrokerId>) {
        let state = self.state(partition);
        (state.leader, state.isr.clone(), state.elr.clone())
    }

    /// The facts observed since the last call.
    pub(super) fn facts(&mut self) -> Vec<Fact> {
        self.carry_out();
        std::mem::take(&mut self.observed)
    }

    /// When a timer is due, if it is set.
    pub(super) fn timer_at(&mut self, timer: ControllerTimer) -> Option<Mono> {
        self.carry_out();
        self.timers.get(&timer).copied()
    }

    fn carry_out(&mut self) {
        for output in self.out.drain().collect::<Vec<_>>() {
            match output {
                Output::Observe(fact) => self.observed.push(fact),
                Output::SetTimer { timer: Timer::Controller(timer), at } => {
                    self.timers.insert(timer, at);
                }
                Output::CancelTimer { timer: Timer::Controller(timer) } => {
                    self.timers.remove(&timer);
                }
                _ => {}
            }
        }
    }

    /// The image that a replay of the log yields.
    pub(super) fn replayed(&self) -> MetadataImage {
        let mut image = MetadataImage::new(TopicConfig::default());
        for (offset, record) in (0..).zip(&self.log) {
            let record = MetadataRecord::decode(&record.encode()).unwrap();
            image.replay(offset, &record).unwrap();
        }
        image
    }
}
