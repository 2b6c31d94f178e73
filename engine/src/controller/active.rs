//! The active controller: it decides, replays its own records at once, and appends them
//! (`QuorumController`, KIP-631).

use super::cluster::{Cluster, Decision};
use super::contact_times::ContactTimes;
use super::heartbeat::{ControlState, Heard};
use super::heartbeats::Heartbeats;
use super::partition_index::PartitionIndex;
use crate::Outbox;
use crate::config::ControllerConfig;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use crate::metadata::{Feature, MetadataImage, MetadataRecord, Touched};
use crate::protocol::{
    BrokerHeartbeatRequest, BrokerRegistrationRequest, BrokerRegistrationResponse, Request,
    Response,
};
use crate::rules::Rulebook;
use crate::timer::{ControllerTimer, Timer};
use machine::{Mono, Span};
use rand_chacha::ChaCha8Rng;

/// `metadata.version` of a new cluster: 4.1-IV1.
const METADATA_VERSION: u16 = 27;

/// The periodic tasks of the active controller (`PeriodicTaskControlManager`).
const PERIODIC: [ControllerTimer; 4] = [
    ControllerTimer::Sessions,
    ControllerTimer::Idle,
    ControllerTimer::Balance,
    ControllerTimer::Unclean,
];

/// The state that only the active controller has.
#[derive(Clone, Debug)]
pub(super) struct Active {
    /// The epoch in which it leads the quorum.
    pub(super) epoch: LeaderEpoch,
    /// The state with all its decisions, committed or not.
    pub(super) image: MetadataImage,
    rules: Rulebook,
    index: PartitionIndex,
    contacts: ContactTimes,
    heartbeats: Heartbeats,
}

/// The pause between two runs of a periodic task that had more to do
/// (`DEFAULT_IMMEDIATE_PERIOD_NS`).
const IMMEDIATE: Span = Span::millis(10);

/// The outcome of a request: the response, or the error that refuses it as a whole, and the
/// records to append. They have been replayed already.
pub(super) type Outcome = (Result<Response, ErrorCode>, Vec<MetadataRecord>);

impl Active {
    /// Creates the state of an active controller from the committed image.
    pub(super) fn new(
        epoch: LeaderEpoch,
        committed: &MetadataImage,
        rules: Rulebook,
        config: &ControllerConfig,
        now: Mono,
        out: &mut Outbox,
    ) -> Self {
        let mut contacts = ContactTimes::new(config.session_timeout);
        for broker in committed.brokers().filter(|broker| !broker.fenced) {
            contacts.update((broker.id, broker.epoch), now);
        }
        let image = committed.clone();
        let heartbeats = Heartbeats::new(&image);
        let index = PartitionIndex::of(&image);
        let active = Self { epoch, image, rules, index, contacts, heartbeats };
        for timer in PERIODIC {
            active.set_periodic(timer, config, now, out);
        }
        active
    }

    /// Returns the records with which the first active controller of a cluster begins.
    pub(super) fn bootstrap(&mut self, config: &ControllerConfig) -> Vec<MetadataRecord> {
        if self.image.feature(Feature::MetadataVersion) > 0 {
            return Vec::new();
        }
        let level = |feature, level| MetadataRecord::FeatureLevel { feature, level };
        let records = vec![
            level(Feature::MetadataVersion, METADATA_VERSION),
            level(Feature::EligibleLeaderReplicas, u16::from(config.eligible_leader_replicas)),
            level(Feature::TransactionVersion, config.transaction_version.level()),
        ];
        self.replay(records)
    }

    fn cluster(&self) -> Cluster<'_> {
        Cluster { image: &self.image, index: &self.index, rules: &self.rules }
    }

    /// Replays the records of a decision, so that the next decision is based on them.
    fn replay(&mut self, records: Vec<MetadataRecord>) -> Vec<MetadataRecord> {
        for record in &records {
            self.unindex(record);
            let offset = self.image.offset() + 1;
            let touched = self.image.replay(offset, record);
            let touched = touched.expect("a decision fits the state it was made from");
            if let Touched::Partition(partition) = touched
                && let Some(state) = self.image.partition(partition)
            {
                self.index.insert(partition, state);
            }
            self.heartbeats.replay(record, &self.image);
        }
        records
    }

    /// Removes from the index the partitions that a record changes or removes.
    fn unindex(&mut self, record: &MetadataRecord) {
        match record {
            MetadataRecord::PartitionChange(change) => {
                if let Some(state) = self.image.partition(change.partition) {
                    self.index.remove(change.partition, state);
                }
            }
            MetadataRecord::RemoveTopic { id } => {
                let partitions =
                    self.image.topic(*id).into_iter().flat_map(|topic| &topic.partitions);
                for (index, state) in (0..).zip(partitions) {
                    self.index.remove(TopicPartition::new(*id, index), state);
                }
            }
            _ => {}
        }
    }

    /// Whether the index matches the image. Visits every partition, so it is for tests only.
    #[cfg(test)]
    pub(super) fn index_is_current(&self) -> bool {
        self.index == PartitionIndex::of(&self.image)
    }

    /// The offset of the last record decided.
    pub(super) fn last_offset(&self) -> Offset {
        self.image.offset()
    }

    /// Decides about a request.
    pub(super) fn handle(
        &mut self,
        request: &Request,
        now: Mono,
        rng: &mut ChaCha8Rng,
        out: &mut Outbox,
    ) -> Outcome {
        match request {
            Request::BrokerRegistration(request) => {
                let decision = self.register(request, now, out);
                self.settle(decision)
            }
            Request::BrokerHeartbeat(request) => self.heartbeat(request, now, out),
            Request::AlterPartition(request) => {
                let decision = self.cluster().alter_partitions(request, out);
                self.settle(decision)
            }
            Request::AssignReplicasToDirs(request) => {
                let decision = self.cluster().assign_replicas_to_dirs(request, out);
                self.settle(decision)
            }
            Request::CreateTopics(request) => {
                let decision = self.cluster().create_topics(request, rng, out);
                self.settle(Ok(decision))
            }
            Request::ElectLeaders(request) => {
                let decision = self.cluster().elect_leaders(request, out);
                self.settle(Ok(decision))
            }
            Request::AllocateProducerIds(request) => {
                let decision = self.cluster().allocate_producer_ids(request, out);
                self.settle(decision)
            }
            // Requests to brokers, and to the quorum.
            Request::Produce(_)
            | Request::InitProducerId(_)
            | Request::FindCoordinator(_)
            | Request::ApiVersions(_)
            | Request::AddPartitionsToTxn(_)
            | Request::EndTxn(_)
            | Request::WriteTxnMarkers(_)
            | Request::DescribeProducers(_)
            | Request::DescribeTransactions(_)
            | Request::ListTransactions(_)
            | Request::AddOffsetsToTxn(_)
            | Request::TxnOffsetCommit(_)
            | Request::JoinGroup(_)
            | Request::SyncGroup(_)
            | Request::Heartbeat(_)
            | Request::LeaveGroup(_)
            | Request::DescribeGroups(_)
            | Request::ListGroups(_)
            | Request::DeleteGroups(_)
            | Request::ConsumerGroupHeartbeat(_)
            | Request::ConsumerGroupDescribe(_)
            | Request::OffsetCommit(_)
            | Request::OffsetFetch(_)
            | Request::OffsetDelete(_)
            | Request::Fetch(_)
            | Request::ListOffsets(_)
            | Request::OffsetForLeaderEpoch(_)
            | Request::Metadata(_)
            | Request::Vote(_)
            | Request::BeginQuorumEpoch(_)
            | Request::EndQuorumEpoch(_) => (Err(ErrorCode::InvalidRequest), Vec::new()),
        }
    }

    fn settle<R: Into<Response>>(&mut self, decision: Result<Decision<R>, ErrorCode>) -> Outcome {
        match decision {
            Ok(Decision { records, response }) => (Ok(response.into()), self.replay(records)),
            Err(error) => (Err(error), Vec::new()),
        }
    }

    fn register(
        &self,
        request: &BrokerRegistrationRequest,
        now: Mono,
        out: &mut Outbox,
    ) -> Result<Decision<BrokerRegistrationResponse>, ErrorCode> {
        let existing = self.image.broker(request.broker).map(|broker| (broker.id, broker.epoch));
        let has_session =
            existing.is_some_and(|existing| self.contacts.has_valid_session(existing, now));
        self.cluster().register(request, self.last_offset() + 1, has_session, out)
    }

    fn heartbeat(
        &mut self,
        request: &BrokerHeartbeatRequest,
        now: Mono,
        out: &mut Outbox,
    ) -> Outcome {
        // Before anything is checked (`trackBrokerHeartbeat`).
        self.contacts.update((request.broker, request.broker_epoch), now);
        let Decision { records, response: Heard { state, response } } =
            match self.cluster().heartbeat(request, &self.heartbeats, out) {
                Ok(decision) => decision,
                Err(error) => return (Err(error), Vec::new()),
            };
        self.heartbeats.touch(request.broker, response.is_fenced, request.current_metadata_offset);
        let records = self.replay(records);
        if state == ControlState::ControlledShutdown {
            let offset = self.last_offset();
            self.heartbeats.begin_shutdown(request.broker, offset);
        }
        (Ok(response.into()), records)
    }

    /// Handles a periodic timer and returns the records to append.
    pub(super) fn on_timer(
        &mut self,
        timer: ControllerTimer,
        config: &ControllerConfig,
        now: Mono,
        out: &mut Outbox,
    ) -> Vec<MetadataRecord> {
        let Decision { records, response: has_more } = match timer {
            ControllerTimer::Sessions => self.fence_expired(now, out),
            ControllerTimer::Idle => {
                Decision { records: vec![MetadataRecord::NoOp], response: false }
            }
            ControllerTimer::Balance => self.cluster().balance(out),
            ControllerTimer::Unclean => self.cluster().elect_uncleanly(out),
        };
        let records = self.replay(records);
        if has_more {
            out.set_timer(Timer::Controller(timer), now + IMMEDIATE);
        } else {
            self.set_periodic(timer, config, now, out);
        }
        records
    }

    /// Fences one broker whose session has expired (`maybeFenceOneStaleBroker`). The next broker is
    /// fenced by a later run, on the state that this one leaves. Returns whether an entry expired;
    /// an entry of an earlier registration counts too, but fences no broker.
    fn fence_expired(&mut self, now: Mono, out: &mut Outbox) -> Decision<bool> {
        let expired = self.contacts.expired(now);
        let count = self.rules.fenced_per_decision(out, expired.len());
        let chosen = &expired[..count.min(expired.len())];
        let mut records = Vec::new();
        for (broker, epoch) in chosen {
            self.contacts.remove((*broker, *epoch));
            if self.image.broker(*broker).is_some_and(|present| present.epoch == *epoch) {
                self.cluster().fence(*broker, false, &mut records, out);
                self.heartbeats.fence(*broker);
            }
        }
        Decision { records, response: !chosen.is_empty() }
    }

    fn set_periodic(
        &self,
        timer: ControllerTimer,
        config: &ControllerConfig,
        now: Mono,
        out: &mut Outbox,
    ) {
        let period = match timer {
            // Eight checks within a session (`maybeFenceStaleBrokerPeriodNs`).
            ControllerTimer::Sessions => Span(config.session_timeout.0 / 8).max(Span::millis(1)),
            ControllerTimer::Idle if config.max_idle == Span::ZERO => return,
            ControllerTimer::Idle => config.max_idle,
            ControllerTimer::Balance if !config.auto_leader_rebalance => return,
            ControllerTimer::Balance => Span::secs(config.imbalance_check_seconds.max(1)),
            ControllerTimer::Unclean => config.unclean_interval.max(Span::millis(1)),
        };
        out.set_timer(Timer::Controller(timer), now + period);
    }

    /// Cancels the periodic timers, since the controller is no longer active.
    pub(super) fn retire(self, out: &mut Outbox) {
        for timer in PERIODIC {
            out.cancel_timer(Timer::Controller(timer));
        }
    }
}
