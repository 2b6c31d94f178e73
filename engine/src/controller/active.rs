//! The active controller: it decides, replays its own records at once, and appends them
//! (`QuorumController`, KIP-631).

use super::cluster::{Cluster, Decision};
use super::heartbeat::{ControlState, Heard};
use super::sessions::{Contact, Sessions};
use crate::Outbox;
use crate::config::ControllerConfig;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset};
use crate::metadata::{Feature, MetadataImage, MetadataRecord};
use crate::protocol::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest,
    BrokerRegistrationResponse, Request, Response,
};
use crate::rules::Rulebook;
use crate::timer::{ControllerTimer, Timer};
use machine::{Mono, Span};
use rand_chacha::ChaCha8Rng;

/// `metadata.version` of a new cluster: 4.1-IV1.
const METADATA_VERSION: u16 = 27;

/// What only the active controller has.
#[derive(Clone, Debug)]
pub(super) struct Active {
    /// The epoch that it leads the quorum in.
    pub(super) epoch: LeaderEpoch,
    /// The state with all that it has decided, committed or not.
    pub(super) image: MetadataImage,
    rules: Rulebook,
    sessions: Sessions,
    /// When it last wrote something.
    last_write: Mono,
    sessions_timer_is_set: bool,
}

/// What came of a request: the answer, or why it is refused as a whole, and the records that
/// have to be appended. They have been replayed already.
pub(super) type Outcome = (Result<Response, ErrorCode>, Vec<MetadataRecord>);

impl Active {
    /// Takes over from the committed state.
    pub(super) fn new(
        epoch: LeaderEpoch,
        committed: &MetadataImage,
        rules: Rulebook,
        config: &ControllerConfig,
        now: Mono,
        out: &mut Outbox,
    ) -> Self {
        let sessions = Sessions::new(config.session_timeout, committed, now);
        let mut active = Self {
            epoch,
            image: committed.clone(),
            rules,
            sessions,
            last_write: now,
            sessions_timer_is_set: false,
        };
        active.watch_sessions(out);
        for timer in [ControllerTimer::Idle, ControllerTimer::Balance, ControllerTimer::Unclean] {
            active.set_periodic(timer, config, now, out);
        }
        active
    }

    /// What the first active controller of a cluster writes.
    pub(super) fn bootstrap(
        &mut self,
        config: &ControllerConfig,
        now: Mono,
    ) -> Vec<MetadataRecord> {
        if self.image.feature(Feature::MetadataVersion) > 0 {
            return Vec::new();
        }
        let level = |feature, level| MetadataRecord::FeatureLevel { feature, level };
        let records = vec![
            level(Feature::MetadataVersion, METADATA_VERSION),
            level(Feature::EligibleLeaderReplicas, u16::from(config.eligible_leader_replicas)),
        ];
        self.replay(records, now)
    }

    fn cluster(&self) -> Cluster<'_> {
        Cluster { image: &self.image, rules: &self.rules }
    }

    /// Replays what was decided, so that the next decision is made on top of it.
    fn replay(&mut self, records: Vec<MetadataRecord>, now: Mono) -> Vec<MetadataRecord> {
        for record in &records {
            let offset = self.image.offset() + 1;
            self.image.replay(offset, record).expect("a decision fits the state it was made from");
        }
        if !records.is_empty() {
            self.last_write = now;
        }
        records
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
                self.settle(decision, now)
            }
            Request::BrokerHeartbeat(request) => self.heartbeat(request, now, out),
            Request::AlterPartition(request) => {
                let decision = self.cluster().alter_partitions(request, out);
                self.settle(decision, now)
            }
            Request::CreateTopics(request) => {
                let decision = self.cluster().create_topics(request, rng, out);
                self.settle(Ok(decision), now)
            }
            Request::ElectLeaders(request) => {
                let decision = self.cluster().elect_leaders(request, out);
                self.settle(Ok(decision), now)
            }
            other => unreachable!("controllers do not serve {}", other.name()),
        }
    }

    fn settle<R: Into<Response>>(
        &mut self,
        decision: Result<Decision<R>, ErrorCode>,
        now: Mono,
    ) -> Outcome {
        match decision {
            Ok(Decision { records, response }) => (Ok(response.into()), self.replay(records, now)),
            Err(error) => (Err(error), Vec::new()),
        }
    }

    fn register(
        &mut self,
        request: &BrokerRegistrationRequest,
        now: Mono,
        out: &mut Outbox,
    ) -> Result<Decision<BrokerRegistrationResponse>, ErrorCode> {
        let existing = self.image.broker(request.broker).map(|broker| broker.epoch);
        let is_live =
            existing.is_some_and(|epoch| self.sessions.is_live(request.broker, epoch, now));
        let next_offset = self.last_offset() + 1;
        let decision = self.cluster().register(request, next_offset, is_live, out)?;
        if existing != Some(decision.response.broker_epoch) {
            self.sessions.forget(request.broker);
        }
        Ok(decision)
    }

    fn heartbeat(
        &mut self,
        request: &BrokerHeartbeatRequest,
        now: Mono,
        out: &mut Outbox,
    ) -> Outcome {
        let Decision { records, response: Heard { state, response } } =
            match self.cluster().heartbeat(request, &self.sessions, out) {
                Ok(decision) => decision,
                Err(error) => return (Err(error), Vec::new()),
            };
        let records = self.replay(records, now);
        self.after_heartbeat(request, state, &response, now, out);
        (Ok(response.into()), records)
    }

    fn after_heartbeat(
        &mut self,
        request: &BrokerHeartbeatRequest,
        state: ControlState,
        response: &BrokerHeartbeatResponse,
        now: Mono,
        out: &mut Outbox,
    ) {
        let contact = Contact {
            broker: request.broker,
            epoch: request.broker_epoch,
            metadata_offset: request.current_metadata_offset,
            fenced: response.is_fenced,
        };
        self.sessions.touch(contact, now);
        if state == ControlState::ControlledShutdown {
            let offset = self.last_offset();
            self.sessions.shuts_down(request.broker, offset);
        }
        self.watch_sessions(out);
    }

    /// Handles one of its timers and answers what has to be appended.
    pub(super) fn on_timer(
        &mut self,
        timer: ControllerTimer,
        config: &ControllerConfig,
        now: Mono,
        out: &mut Outbox,
    ) -> Vec<MetadataRecord> {
        let (records, at_once) = match timer {
            ControllerTimer::Sessions => return self.fence_expired(now, out),
            ControllerTimer::Idle => {
                let is_idle = now.since(self.last_write) >= config.max_idle;
                (if is_idle { vec![MetadataRecord::NoOp] } else { Vec::new() }, false)
            }
            ControllerTimer::Balance => {
                let Decision { records, response } = self.cluster().balance(out);
                (records, response)
            }
            ControllerTimer::Unclean => {
                let Decision { records, response } = self.cluster().elect_uncleanly(out);
                (records, response)
            }
        };
        let records = self.replay(records, now);
        if at_once && !records.is_empty() {
            out.set_timer(Timer::Controller(timer), now);
        } else {
            self.set_periodic(timer, config, now, out);
        }
        records
    }

    /// Fences the stalest of the brokers whose sessions are over. The next has its turn in a
    /// later input, on top of what this one changed.
    fn fence_expired(&mut self, now: Mono, out: &mut Outbox) -> Vec<MetadataRecord> {
        self.sessions_timer_is_set = false;
        let expired = self.sessions.expired(now);
        let count = self.rules.fenced_per_decision(out, expired.len());
        let mut records = Vec::new();
        for broker in &expired[..count.min(expired.len())] {
            self.cluster().fence(*broker, &mut records, out);
            self.sessions.forget(*broker);
        }
        let records = self.replay(records, now);
        self.watch_sessions(out);
        records
    }

    /// Sets the timer for the session that is over first. Heartbeats only put that off, so a
    /// timer that is set already is early enough.
    fn watch_sessions(&mut self, out: &mut Outbox) {
        if !self.sessions_timer_is_set
            && let Some(at) = self.sessions.next_expiration()
        {
            self.sessions_timer_is_set = true;
            out.set_timer(Timer::Controller(ControllerTimer::Sessions), at);
        }
    }

    fn set_periodic(
        &self,
        timer: ControllerTimer,
        config: &ControllerConfig,
        now: Mono,
        out: &mut Outbox,
    ) {
        let at = match timer {
            ControllerTimer::Sessions => return,
            ControllerTimer::Idle if config.max_idle == Span::ZERO => return,
            ControllerTimer::Idle => self.last_write + config.max_idle,
            ControllerTimer::Balance if !config.auto_leader_rebalance => return,
            ControllerTimer::Balance => now + Span::secs(config.imbalance_check_seconds.max(1)),
            ControllerTimer::Unclean => now + config.unclean_interval.max(Span::millis(1)),
        };
        out.set_timer(Timer::Controller(timer), at);
    }

    /// It is active no more: nothing of this may wake anybody.
    pub(super) fn retire(self, out: &mut Outbox) {
        for timer in [
            ControllerTimer::Sessions,
            ControllerTimer::Idle,
            ControllerTimer::Balance,
            ControllerTimer::Unclean,
        ] {
            out.cancel_timer(Timer::Controller(timer));
        }
    }
}
