//! The controller: one member of the quorum that keeps the cluster's metadata (`QuorumController`;
//! KIP-500, KIP-631).
//!
//! ```text
//!   request --> decide (&self): records, response
//!                   |
//!                   +--> replay (&mut) into the live image, append to the log, park the response
//!                                                                |
//!   standbys, brokers <-- replay <-- committed batches <-- high watermark --> response
//! ```
//!
//! All controllers replay committed records. The leader of the quorum is *active* once it has
//! replayed the first record of its own epoch. Only the active controller decides, on a live image
//! that is ahead of the committed one. When it loses leadership, it drops the live image with all
//! uncommitted changes, and refuses the requests of parked responses with `NOT_CONTROLLER`.

mod active;
mod alter_partition;
mod cluster;
mod connections;
mod contact_times;
mod create_topics;
mod directories;
mod elect_leaders;
mod heartbeat;
mod heartbeats;
mod partition_change;
mod partition_index;
mod placement;
mod producer_ids;
mod registration;
mod transition;

#[cfg(test)]
mod tests;

use crate::config::{ControllerConfig, TopicConfig};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use crate::log::LogConfig;
use crate::metadata::{ImageDelta, MetadataImage, MetadataRecord, ReplayError};
use crate::net::Asked;
use crate::protocol::{Message, Request, ServedBy};
use crate::raft::{Quorum, QuorumChange, QuorumConfig};
use crate::record::Batch;
use crate::rules::Rulebook;
use crate::timer::{Channel, Timer};
use crate::{Input, Kafka, Outbox};
use active::Active;
use connections::Connections;
use machine::{Boot, Disk, Halt, Lane, Now, Process};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The configuration of a controller.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// Its properties.
    pub config: ControllerConfig,
    /// The defaults of topics without properties of their own; brokers have to have the same.
    pub topic_defaults: TopicConfig,
    /// All controllers (`controller.quorum.voters`), itself included.
    pub voters: Vec<BrokerId>,
    /// The rules to follow.
    pub rules: Rulebook,
}

impl ControllerSettings {
    /// The configuration of the quorum's member `id`.
    fn quorum(&self, id: BrokerId) -> QuorumConfig {
        let config = &self.config;
        QuorumConfig {
            id,
            voters: self.voters.clone(),
            election_timeout: config.election_timeout,
            fetch_timeout: config.fetch_timeout,
            election_backoff_max: config.election_backoff_max,
            request_timeout: config.request_timeout,
            retry_backoff: config.retry_backoff,
            append_linger: config.append_linger,
            log: LogConfig::default(),
        }
    }
}

/// Leadership of the quorum in an epoch in which the controller is not active yet.
#[derive(Clone, Copy, Debug)]
struct Claim {
    epoch: LeaderEpoch,
    epoch_start: Offset,
}

/// A controller.
#[derive(Clone, Debug)]
pub struct Controller {
    settings: ControllerSettings,
    quorum: Quorum,
    rng: ChaCha8Rng,
    /// The replay of the records that are known to be committed.
    committed: MetadataImage,
    claim: Option<Claim>,
    active: Option<Active>,
    connections: Connections,
}

impl Controller {
    /// The replay of the records that this controller knows to be committed.
    pub fn image(&self) -> &MetadataImage {
        &self.committed
    }

    /// The epoch in which it is active, if it is.
    pub fn active_epoch(&self) -> Option<LeaderEpoch> {
        self.active.as_ref().map(|active| active.epoch)
    }

    /// Its member of the quorum.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    fn on_input(
        &mut self,
        now: Now,
        input: Input,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        match input {
            Input::Message { conn, message, .. } if self.quorum.owns(conn, &message) => {
                self.quorum.on_message(now, conn, message, disk, out)?;
            }
            Input::Message {
                conn,
                message: Message::Request { correlation_id, body: request },
                ..
            } => {
                if is_served(&request) {
                    self.connections.receive(Asked { conn, correlation_id, request });
                } else {
                    self.connections.forget(conn);
                    out.close(conn);
                }
            }
            Input::Message {
                message: Message::Response { .. } | Message::Application { .. },
                ..
            } => {}
            Input::Timer(Timer::Requests(Channel::Quorum)) => {
                self.quorum.on_requests_timer(now, out);
            }
            Input::Timer(Timer::Quorum(timer)) => self.quorum.on_timer(now, timer, disk, out)?,
            Input::Timer(Timer::Controller(timer)) => {
                if let Some(active) = &mut self.active {
                    let records = active.on_timer(timer, &self.settings.config, now.mono, out);
                    self.append(&records, now, out);
                }
            }
            Input::Timer(timer) => unreachable!("a controller has no timer {timer:?}"),
            Input::Opened { conn, .. } => {
                self.quorum.on_opened(conn);
            }
            Input::Closed { conn, .. } => {
                self.quorum.on_closed(now, conn, out);
                self.connections.forget(conn);
            }
            Input::Stop => {
                self.quorum.resign(now, out);
                self.follow_quorum(now, disk, out)?;
                return Err(Halt::Clean);
            }
        }
        self.follow_quorum(now, disk, out)?;
        self.serve(now, out);
        Ok(())
    }

    /// Acts on the changes of the quorum.
    fn follow_quorum(
        &mut self,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let mut has_committed = false;
        for change in self.quorum.take_changes() {
            match change {
                QuorumChange::BecameLeader { epoch, epoch_start } => {
                    self.claim = Some(Claim { epoch, epoch_start });
                }
                QuorumChange::LostLeadership { .. } => self.retire(out),
                QuorumChange::Committed { .. } => has_committed = true,
                QuorumChange::LeaderKnown { .. } => {}
            }
        }
        if has_committed {
            self.replay_committed(disk)?;
            self.connections.committed(self.quorum.high_watermark(), out);
        }
        self.claim(now, out)
    }

    fn retire(&mut self, out: &mut Outbox) {
        self.claim = None;
        if let Some(active) = self.active.take() {
            active.retire(out);
        }
        self.connections.refuse_all(out);
    }

    /// Applies the records committed since the last call.
    fn replay_committed(&mut self, disk: &mut dyn Disk) -> Result<(), Halt> {
        loop {
            let batches = self.quorum.read_committed(self.committed.offset() + 1, disk)?;
            if batches.is_empty() {
                break;
            }
            for batch in &batches {
                let known = Batch::new(batch).map(|batch| batch.last_offset());
                if known.is_ok_and(|last| last <= self.committed.offset()) {
                    continue;
                }
                // A controller does not publish its committed state, so the delta is dropped.
                let replayed = self.committed.replay_batch(batch, &mut ImageDelta::default());
                replayed.map_err(|error| failed(&error))?;
            }
        }
        self.check_live_against_committed();
        Ok(())
    }

    /// Checks that the state replayed at decision time equals the state that the log yields.
    fn check_live_against_committed(&self) {
        if let Some(active) = &self.active
            && active.last_offset() == self.committed.offset()
        {
            let (live, replayed) = (active.image.checksum(), self.committed.checksum());
            assert_eq!(live, replayed, "live state equals replayed state");
        }
    }

    /// Becomes active once everything up to the first record of its epoch is committed and
    /// replayed.
    fn claim(&mut self, now: Now, out: &mut Outbox) -> Result<(), Halt> {
        let Some(claim) = self.claim else { return Ok(()) };
        if self.quorum.high_watermark() <= claim.epoch_start {
            return Ok(());
        }
        if self.committed.offset() + 1 != self.quorum.end_offset() {
            // Only a quorum that lost committed records gets here.
            return Err(Halt::Failed("committed records of the metadata log are gone".to_owned()));
        }
        self.claim = None;
        let Self { settings, committed, .. } = self;
        let config = &settings.config;
        let mut active = Active::new(claim.epoch, committed, settings.rules, config, now.mono, out);
        let records = active.bootstrap(config);
        self.active = Some(active);
        out.observe(Fact::ControllerActive { epoch: claim.epoch });
        self.append(&records, now, out);
        Ok(())
    }

    fn append(&mut self, records: &[MetadataRecord], now: Now, out: &mut Outbox) {
        if records.is_empty() {
            return;
        }
        let values = records.iter().map(MetadataRecord::encode).collect();
        let last = self.quorum.append(now, values, out);
        let decided = self.active.as_ref().map(Active::last_offset);
        assert_eq!(last.ok(), decided, "only the active controller appends");
    }

    /// Handles the requests whose turn has come, including those that a response unblocks.
    fn serve(&mut self, now: Now, out: &mut Outbox) {
        while let Some(asked) = self.connections.next() {
            let Some(active) = &mut self.active else {
                let refused = asked.request.refused(ErrorCode::NotController);
                self.connections.answer(asked.conn, asked.correlation_id, refused, out);
                continue;
            };
            let (outcome, records) = active.handle(&asked.request, now.mono, &mut self.rng, out);
            let until = active.last_offset();
            self.append(&records, now, out);
            match outcome {
                // A response without changes of its own may depend on earlier changes.
                Ok(response) if until >= self.quorum.high_watermark() => {
                    self.connections.answer_when_committed(until, &asked, response);
                }
                Ok(response) => {
                    self.connections.answer(asked.conn, asked.correlation_id, response, out);
                }
                Err(error) => {
                    let refused = asked.request.refused(error);
                    self.connections.answer(asked.conn, asked.correlation_id, refused, out);
                }
            }
        }
    }
}

impl Process for Controller {
    type Vocabulary = Kafka;
    type Config = ControllerSettings;

    fn boot(
        config: &Self::Config,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Self, Halt> {
        let quorum = Quorum::boot(config.quorum(boot.node.node), boot, config.rules, disk, out)?;
        // A different stream from the quorum's, which has the same seed.
        let mut rng = ChaCha8Rng::seed_from_u64(boot.entropy);
        rng.set_stream(1);
        let mut controller = Self {
            settings: config.clone(),
            quorum,
            rng,
            committed: MetadataImage::new(config.topic_defaults.clone()),
            claim: None,
            active: None,
            connections: Connections::default(),
        };
        controller.follow_quorum(boot.now, disk, out)?;
        Ok(controller)
    }

    fn handle(&mut self, now: Now, input: Input, disk: &mut dyn Disk, out: &mut Outbox) {
        if let Err(halt) = self.on_input(now, input, disk, out) {
            out.halt(halt);
        }
    }

    /// A controller does all work on one thread.
    fn lane(&self, _: &Input) -> Lane {
        Lane::Control
    }

    fn locks(&self, _: &Input, locks: &mut Vec<TopicPartition>) {
        locks.push(TopicPartition::METADATA);
    }

    fn invariants(&self) {
        self.quorum.invariants();
        self.connections.invariants();
        assert!(self.claim.is_none() || self.active.is_none(), "a claim ends with activity");
        if let Some(active) = &self.active {
            assert!(self.quorum.is_leader(), "only the leader of the quorum is active");
            assert_eq!(active.epoch, self.quorum.epoch());
            assert_eq!(active.last_offset() + 1, self.quorum.end_offset());
            assert!(active.last_offset() >= self.committed.offset(), "decided before committed");
        }
    }
}

/// Whether controllers serve a request. Requests to the quorum have been handled before.
fn is_served(request: &Request) -> bool {
    !matches!(request.api().served(), ServedBy::Broker | ServedBy::Both)
}

/// A controller halts if its log cannot be replayed.
fn failed(error: &ReplayError) -> Halt {
    Halt::Failed(format!("the metadata log cannot be replayed: {error}"))
}
