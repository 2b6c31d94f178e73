//! One replica of a partition on this broker (`Partition`; KIP-101, KIP-497, KIP-966).
//!
//! | file | idea |
//! |---|---|
//! | `leader.rs` | becoming leader, the high watermark |
//! | `append.rs`, `admit.rs` | appending as the leader, what may be appended |
//! | `alter.rs` | growing and shrinking the ISR, and the controller's responses |
//! | `isr.rs` | the ISR with a proposal in flight |
//! | `remote.rs` | the leader's state of a follower |
//! | `follower.rs` | following: appending, truncating, the high watermark |
//! | `read.rs`, `offsets.rs` | fetches and look-ups of offsets |
//!
//! A partition decides and writes its log. It returns [`Changes`], after which the replica manager
//! completes parked requests.

mod admit;
mod alter;
mod append;
mod follower;
mod isr;
mod leader;
mod offsets;
mod read;
mod remote;

#[cfg(test)]
mod tests;

pub(in crate::broker) use alter::Resolution;
pub(in crate::broker) use append::Appended;
pub(in crate::broker) use follower::AppendError;

pub(in crate::broker) use offsets::list_without_offset;
pub(in crate::broker) use read::{FetchLimits, Reader, refused_fetch};

use super::waiting::Waiting;
use crate::Outbox;
use crate::broker::context::{Context, Io, StorageError, log_dir_failed};
use crate::config::TopicConfig;
use crate::error::ErrorCode;
use crate::fact::{Fact, Truncation};
use crate::ids::{BrokerId, LeaderEpoch, Offset, PartitionEpoch, TopicPartition};
use crate::log::{Log, LogConfig, Undecided};
use crate::metadata::PartitionRegistration;
use crate::protocol::{DescribedProducer, LeaderIdAndEpoch};
use crate::reach::Reach;
use crate::rules::high_watermark::effective_min_isr;
use crate::rules::isolation::Stable;
use crate::rules::isr::Size;
use crate::rules::sequence::Silence;
use isr::Isr;
use machine::Mono;
use remote::RemoteReplica;

/// A replica.
#[derive(Clone, Debug)]
pub(in crate::broker) struct Partition {
    id: TopicPartition,
    /// Its topic's name, for the checkpoints.
    topic: String,
    log: Log,
    config: TopicConfig,
    high_watermark: Offset,
    /// -1 before the first metadata of the partition.
    leader_epoch: LeaderEpoch,
    /// -1 before the first metadata of the partition.
    partition_epoch: PartitionEpoch,
    /// In order of preference.
    replicas: Vec<BrokerId>,
    role: Role,
    /// The requests that are parked until this partition changes.
    pub(in crate::broker::replicas) waiting: Waiting,
    /// When the whole log was last fsynced, for `flush.ms`.
    last_flush: Mono,
}

/// The role of a replica.
#[derive(Clone, Debug)]
pub(in crate::broker) enum Role {
    /// None: the log was loaded from disk, and there is no metadata yet.
    None,
    /// The replica leads the partition.
    Leader(Leader),
    /// The replica follows a leader.
    Follower {
        /// The leader, if there is one.
        leader: Option<BrokerId>,
    },
}

/// The state of a leader.
#[derive(Clone, Debug)]
pub(in crate::broker) struct Leader {
    /// Log end offset of the leader when its epoch began.
    epoch_start: Offset,
    isr: Isr,
    /// The other replicas.
    remotes: Vec<RemoteReplica>,
}

/// The changes of a partition for which requests may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::broker) struct Changes {
    /// The log end moved up.
    pub(in crate::broker) appended: bool,
    /// The high watermark moved.
    pub(in crate::broker) high_watermark: bool,
    /// A change of the ISR was proposed, and has to be sent.
    pub(in crate::broker) proposed: bool,
    /// A segment is full and has to be fsynced.
    pub(in crate::broker) rolled: bool,
    /// The log was truncated, and the recovery point may have moved down with it: it has to be
    /// written before the next append.
    pub(in crate::broker) truncated: bool,
    /// The leader epoch file is behind and has to be written in the background.
    pub(in crate::broker) stale_epochs: bool,
}

impl Partition {
    /// A replica with its log, before its first metadata.
    pub(in crate::broker) fn new(
        id: TopicPartition,
        topic: String,
        mut log: Log,
        high_watermark: Offset,
        config: TopicConfig,
        now: Mono,
    ) -> Self {
        let high_watermark = high_watermark.clamp(log.log_start(), log.end_offset());
        log.on_replicated(high_watermark);
        Self {
            id,
            topic,
            log,
            config,
            high_watermark,
            leader_epoch: -1,
            partition_epoch: -1,
            replicas: Vec::new(),
            role: Role::None,
            waiting: Waiting::default(),
            last_flush: now,
        }
    }

    pub(in crate::broker) fn topic(&self) -> &str {
        &self.topic
    }

    pub(in crate::broker) fn log(&self) -> &Log {
        &self.log
    }

    pub(in crate::broker) fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    pub(in crate::broker) fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    pub(in crate::broker) fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    pub(in crate::broker) fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The leader, as far as this replica knows.
    pub(in crate::broker) fn leader_id(&self, own: BrokerId) -> Option<BrokerId> {
        match &self.role {
            Role::None => None,
            Role::Leader(_) => Some(own),
            Role::Follower { leader } => *leader,
        }
    }

    /// The leader, for clients that sent a request to the wrong broker (KIP-951).
    pub(in crate::broker) fn current_leader(&self, own: BrokerId) -> LeaderIdAndEpoch {
        LeaderIdAndEpoch { leader: self.leader_id(own), epoch: self.leader_epoch }
    }

    /// The committed in-sync replicas, if this replica leads.
    pub(in crate::broker) fn committed_isr(&self) -> &[BrokerId] {
        self.leader().map_or(&[], |leader| &leader.isr.committed)
    }

    /// Whether this leader has a proposed ISR in flight.
    pub(in crate::broker) fn has_pending_isr(&self) -> bool {
        self.leader().is_some_and(|leader| leader.isr.pending.is_some())
    }

    /// The follower's log end offset, as far as this leader knows.
    pub(in crate::broker) fn follower_end(&self, follower: BrokerId) -> Option<Offset> {
        let remote = self.leader()?.remotes.iter().find(|remote| remote.id == follower)?;
        Some(remote.log_end).filter(|end| *end != remote::UNKNOWN)
    }

    fn leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    fn leader_mut(&mut self) -> Option<&mut Leader> {
        match &mut self.role {
            Role::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    /// The last stable offset: every transaction that began below it has ended, with a marker below
    /// the high watermark.
    pub(in crate::broker) fn last_stable_offset(
        &self,
        context: &Context,
        out: &mut Outbox,
    ) -> Offset {
        let Undecided { open: first_open, unreplicated: first_unreplicated } = self.log.undecided();
        let high_watermark = self.high_watermark;
        let stable = Stable { first_open, first_unreplicated, high_watermark };
        context.rules.last_stable_offset(out, stable)
    }

    /// An ISR of `isr` members beside `min.insync.replicas` as it takes effect here.
    fn isr_size(&self, isr: usize) -> Size {
        let min_isr = self.config.min_insync_replicas as usize;
        Size { isr, effective_min_isr: effective_min_isr(min_isr, self.replicas.len()) }
    }

    /// Takes over a changed configuration of the topic.
    pub(in crate::broker) fn reconfigure(&mut self, config: &TopicConfig) {
        self.config = config.clone();
        let mut log = log_config(config);
        log.producer_id_expiration_ms = self.log.config().producer_id_expiration_ms;
        self.log.reconfigure(&log);
    }

    /// Whether metadata is older than the state here: the response to AlterPartition may have
    /// arrived before the metadata record of the same change (KAFKA-12686).
    fn is_outdated(&self, state: &PartitionRegistration) -> bool {
        state.partition_epoch < self.partition_epoch
    }

    /// Truncates the log, and the high watermark with it, and reports that.
    fn cut(
        &mut self,
        to: Offset,
        why: Truncation,
        io: &mut Io<'_>,
    ) -> Result<Changes, StorageError> {
        let (from, high_watermark) = (self.log.end_offset(), self.high_watermark);
        let truncated = match why {
            Truncation::BehindLeader => {
                self.log.truncate_fully_and_start_at(to, io.disk).map(|()| true)
            }
            _ => self.log.truncate_to(to, io.disk),
        }
        .map_err(log_dir_failed)?;
        if truncated {
            io.out.observe(Fact::Truncated {
                partition: self.id,
                leader_epoch: self.leader_epoch,
                from,
                to: self.log.end_offset(),
                high_watermark,
                why,
            });
        }
        self.move_high_watermark(high_watermark, io);
        let stale_epochs = self.log.has_stale_epochs();
        Ok(Changes { truncated, stale_epochs, ..Changes::default() })
    }

    /// Sets the high watermark, within the log, and reports it if it moved
    /// (`UnifiedLog.updateHighWatermark`). If the whole log is dropped, the high watermark moves up
    /// to the new start (KAFKA-9491).
    fn move_high_watermark(&mut self, to: Offset, io: &mut Io<'_>) -> bool {
        let to = to.clamp(self.log.log_start(), self.log.end_offset());
        self.log.on_replicated(to);
        if to == self.high_watermark {
            return false;
        }
        self.high_watermark = to;
        io.out.observe(Fact::HighWatermark {
            partition: self.id,
            as_leader: self.is_leader(),
            leader_epoch: self.leader_epoch,
            offset: to,
        });
        true
    }

    /// Fsyncs the segments that are full.
    pub(in crate::broker) fn flush_rolled(&mut self, io: &mut Io<'_>) -> Result<(), StorageError> {
        self.log.flush_pending(io.disk).map_err(log_dir_failed)
    }

    /// Writes the leader epoch file if it is behind.
    pub(in crate::broker) fn flush_epochs(&mut self, io: &mut Io<'_>) -> Result<(), StorageError> {
        self.log.flush_epochs(io.disk).map_err(log_dir_failed)
    }

    /// Fsyncs the whole log if the last time is at least `flush.ms` ago.
    pub(in crate::broker) fn flush_if_old(&mut self, io: &mut Io<'_>) -> Result<(), StorageError> {
        let old = io.now.mono.since(self.last_flush) >= self.config.flush_ms;
        if old && self.log.recovery_point() < self.log.end_offset() {
            self.last_flush = io.now.mono;
            self.log.flush(io.disk).map_err(log_dir_failed)?;
        }
        Ok(())
    }

    /// Forgets the producers that have been silent for too long (`removeExpiredProducers`).
    pub(in crate::broker) fn forget_producers(&mut self, context: &Context, io: &mut Io<'_>) {
        let expiration_ms = self.log.config().producer_id_expiration_ms;
        let is_forgotten =
            |silent_ms| context.rules.is_forgotten(io.out, Silence { silent_ms, expiration_ms });
        if self.log.expire_producers(io.now.wall, is_forgotten) > 0 {
            io.out.observe(Fact::Reached(Reach::ProducerForgotten));
        }
    }

    /// The producers of the log, if this replica leads.
    pub(in crate::broker) fn describe_producers(
        &self,
    ) -> Result<Vec<DescribedProducer>, ErrorCode> {
        if !self.is_leader() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let described =
            self.log.producers().iter().map(|(producer_id, producer)| DescribedProducer {
                producer_id,
                producer_epoch: producer.epoch,
                last_sequence: producer.last_sequence(),
                last_timestamp: producer.last_timestamp,
                coordinator_epoch: producer.coordinator_epoch,
                current_txn_start_offset: producer.current_txn_first_offset.unwrap_or(-1),
            });
        Ok(described.collect())
    }

    /// Fsyncs and closes the log for good, at a clean shutdown.
    pub(in crate::broker) fn close(&mut self, io: &mut Io<'_>) -> Result<(), StorageError> {
        self.log.close_cleanly(io.disk).map_err(log_dir_failed)
    }

    /// Panics if the state of the replica contradicts itself, which no rule can cause.
    pub(in crate::broker) fn invariants(&self) {
        self.log.invariants();
        assert!(self.log.log_start() <= self.high_watermark, "what is gone was committed");
        assert!(self.high_watermark <= self.log.end_offset(), "what is committed exists");
        match &self.role {
            Role::Leader(leader) => {
                assert!(leader.epoch_start <= self.log.end_offset(), "a leader does not truncate");
                if let Some(pending) = &leader.isr.pending {
                    assert_eq!(pending.leader_epoch, self.leader_epoch, "proposed as this leader");
                }
                self.waiting.invariants();
            }
            _ => assert!(!self.waiting.has_produces(), "only a leader lets produces wait"),
        }
    }
}

/// The configuration of a log from that of its topic. The expiration of producers is a property of
/// brokers, and left at its default here.
pub(in crate::broker) fn log_config(config: &TopicConfig) -> LogConfig {
    LogConfig {
        segment_bytes: config.segment_bytes,
        segment_ms: i64::try_from(config.segment_ms.as_millis()).unwrap_or(i64::MAX),
        segment_index_bytes: config.segment_index_bytes,
        index_interval_bytes: config.index_interval_bytes,
        max_message_bytes: config.max_message_bytes,
        flush_messages: config.flush_messages,
        ..LogConfig::default()
    }
}
