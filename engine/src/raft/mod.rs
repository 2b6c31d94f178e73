//! The metadata quorum: a pull-based Raft (KIP-595) with pre-vote (KIP-996).
//!
//! Controllers are voters, brokers are observers. Both are a [`Quorum`], but an observer neither
//! votes nor stands for election. Unlike a leader of classic Raft, the leader does not push
//! records: the others fetch them, and the offset from which a follower fetches is its
//! acknowledgement. That is why a voter fsyncs appended records before it fetches again.
//!
//! ```text
//!                  election time-out
//!   Unattached ---------------------------> Prospective     sends pre-votes
//!    ^      ^                                |       |
//!    |      | higher epoch                majority   time-out, or majority rejects:
//!    |      | (from any role)                v       back to its leader, or Unattached
//!    |      |                            Candidate      epoch + 1, votes for itself
//!    |   Follower <--- learns of a leader    |    |
//!    |      | (fetch time-out:            majority  time-out: Prospective
//!    |      |  Prospective)                  v
//!    +--- Resigned <-- no majority fetches, Leader
//!                      shutdown, restart
//! ```
//!
//! A member makes its epoch and vote (`quorum-state`), and a voter every record that its fetch
//! acknowledges, durable before it sends a message that depends on them.

mod election;
mod fetch;
mod leader;
mod message;
mod outgoing;
mod poll;
mod requests;
mod role;
mod store;
mod transition;
mod waiting;

#[cfg(test)]
mod tests;

use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition, peer};
use crate::log::{Log, LogConfig, LogError};
use crate::rules::Rulebook;
use crate::rules::quorum::LogEnd;
use crate::timer::{QuorumTimer, Timer};
use bytes::Bytes;
use machine::{Boot, Disk, Halt, Mono, NodeId, Now, Span};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use role::{Leader, Role};

/// The directory of the metadata log.
pub const DIR: &str = "__cluster_metadata-0";

/// The maximum size of a fetch of the metadata log (`MAX_FETCH_SIZE_BYTES`).
const FETCH_BYTES: u32 = 8 << 20;

/// How long a leader parks a fetch (`MAX_FETCH_WAIT_MS`).
const FETCH_WAIT: Span = Span::millis(500);

/// The configuration of a member of the quorum; the names are those of
/// [`crate::config::ControllerConfig`].
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// The member's own `node.id`.
    pub id: BrokerId,
    /// The controllers (`controller.quorum.voters`). A member that is not listed is an observer.
    pub voters: Vec<BrokerId>,
    /// `controller.quorum.election.timeout.ms`
    pub election_timeout: Span,
    /// `controller.quorum.fetch.timeout.ms`
    pub fetch_timeout: Span,
    /// `controller.quorum.election.backoff.max.ms`
    pub election_backoff_max: Span,
    /// `controller.quorum.request.timeout.ms`
    pub request_timeout: Span,
    /// `controller.quorum.retry.backoff.ms`
    pub retry_backoff: Span,
    /// `controller.quorum.append.linger.ms`
    pub append_linger: Span,
    /// The configuration of the metadata log.
    pub log: LogConfig,
}

/// A change that the host of the quorum acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuorumChange {
    /// This member has become the leader.
    BecameLeader {
        /// The epoch that it leads.
        epoch: LeaderEpoch,
        /// The offset of the epoch's first record.
        epoch_start: Offset,
    },
    /// This member no longer leads; records that it appended and that were not committed may be
    /// lost.
    LostLeadership {
        /// The epoch that it led.
        epoch: LeaderEpoch,
    },
    /// Another leader has become known.
    LeaderKnown {
        /// The member that leads.
        leader: BrokerId,
        /// The epoch that it leads.
        epoch: LeaderEpoch,
    },
    /// More of the log is committed.
    Committed {
        /// The offset after the last committed record.
        high_watermark: Offset,
    },
}

/// A member of the metadata quorum.
#[derive(Clone, Debug)]
pub struct Quorum {
    config: QuorumConfig,
    node: NodeId,
    rules: Rulebook,
    rng: ChaCha8Rng,
    log: Log,
    high_watermark: Offset,
    epoch: LeaderEpoch,
    /// The member for which this member voted in `epoch`.
    vote: Option<BrokerId>,
    role: Role,
    /// The end of the wait of the present role; see [`QuorumTimer::Election`].
    election_deadline: Mono,
    requests: requests::Requests,
    outgoing: outgoing::Outgoing,
    /// When [`QuorumTimer::Poll`] is due, so that it is not set again for every request.
    polls_at: Mono,
    waiting: waiting::Waiting,
    changes: Vec<QuorumChange>,
}

impl Quorum {
    /// Starts a member from the state on its disk.
    ///
    /// # Errors
    ///
    /// If the disk fails, or `quorum-state` cannot be understood.
    pub fn boot(
        config: QuorumConfig,
        boot: Boot,
        rules: Rulebook,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Self, Halt> {
        // The log is short, so all of it is recovered, whatever the recovery point was. Records
        // that the last life appended and did not fsync stay so until the next append or fetched
        // batch, as in Kafka.
        let (log, recovery) =
            Log::open(DIR, &config.log, disk, false, 0, boot.now.wall).map_err(failed)?;
        let state = store::read(disk)?;
        out.observe(Fact::Loaded {
            partition: TopicPartition::METADATA,
            log_start: log.log_start(),
            log_end: log.end_offset(),
            high_watermark: 0,
            clean: false,
            cut_bytes: recovery.truncated_bytes,
        });
        // A vote and a leader of an epoch below that of the log do not hold in the present epoch.
        let log_epoch = log.latest_epoch().unwrap_or(0);
        let mut quorum = Self {
            node: boot.node,
            rules,
            rng: ChaCha8Rng::seed_from_u64(boot.entropy),
            high_watermark: log.log_start(),
            epoch: state.epoch.max(log_epoch),
            vote: state.vote.filter(|_| state.epoch >= log_epoch),
            role: Role::Unattached,
            election_deadline: Mono::MAX,
            requests: requests::Requests::new(config.request_timeout, config.retry_backoff),
            outgoing: outgoing::Outgoing::new(config.request_timeout),
            polls_at: Mono::MAX,
            waiting: waiting::Waiting::default(),
            changes: Vec::new(),
            config,
            log,
        };
        quorum.initialize(&state, boot.now, disk, out)?;
        quorum.poll(boot.now, out);
        Ok(quorum)
    }

    /// The offset after the last record that is known to be committed.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The offset after the last record, including records that are not written yet.
    pub fn end_offset(&self) -> Offset {
        let pending = self.role.leader().map_or(0, |leader| leader.pending.len());
        self.log.end_offset() + pending as Offset
    }

    /// The leader, as far as this member knows; itself if it has just resigned.
    pub fn leader(&self) -> Option<BrokerId> {
        self.role.leader_id(self.config.id)
    }

    /// The highest epoch that this member has seen.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Whether this member leads.
    pub fn is_leader(&self) -> bool {
        self.role.leader().is_some()
    }

    /// The offset of the first record of the epoch that this member leads.
    pub fn epoch_start(&self) -> Option<Offset> {
        self.role.leader().map(|leader| leader.epoch_start)
    }

    /// The voters, in the order of `controller.quorum.voters`.
    pub fn voters(&self) -> &[BrokerId] {
        &self.config.voters
    }

    /// The metadata log of this member, including records that are not committed.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the changes since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<QuorumChange> {
        std::mem::take(&mut self.changes)
    }

    /// Returns committed batches from `from` onwards, data and control batches, at most
    /// `MAX_FETCH_SIZE_BYTES`; none if `from` is at or above the high watermark.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn read_committed(&self, from: Offset, disk: &mut dyn Disk) -> Result<Vec<Bytes>, Halt> {
        if from >= self.high_watermark {
            return Ok(Vec::new());
        }
        let read = self.log.read(from, FETCH_BYTES.into(), self.high_watermark, true, disk);
        read.map(|read| read.batches).map_err(failed)
    }

    /// Appends records with these values, all in one batch. The batch is written, together with
    /// records appended meanwhile, after `controller.quorum.append.linger.ms`. Returns the offset
    /// of the last record.
    ///
    /// # Errors
    ///
    /// `NOT_CONTROLLER` if this member does not lead.
    pub fn append(
        &mut self,
        now: Now,
        values: Vec<Bytes>,
        out: &mut Outbox,
    ) -> Result<Offset, ErrorCode> {
        let linger = self.config.append_linger;
        let leader = self.role.leader_mut().ok_or(ErrorCode::NotController)?;
        if leader.pending.is_empty() && !values.is_empty() {
            out.set_timer(Timer::Quorum(QuorumTimer::Linger), now.mono + linger);
        }
        leader.pending.extend(values);
        Ok(self.end_offset() - 1)
    }

    /// Handles a timer of the quorum.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn on_timer(
        &mut self,
        now: Now,
        timer: QuorumTimer,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        match timer {
            QuorumTimer::Election => self.on_election_timer(now, disk, out)?,
            QuorumTimer::Resign => self.resign(now, out),
            QuorumTimer::Poll => self.polls_at = Mono::MAX,
            QuorumTimer::BeginEpoch => self.begin_epoch(now, out),
            QuorumTimer::Linger => self.flush_pending(now, disk, out)?,
            QuorumTimer::Waiting => self.on_waiting_timer(now.mono, disk, out)?,
        }
        self.poll(now, out);
        Ok(())
    }

    /// Panics if the state contradicts itself, under any rulebook.
    pub fn invariants(&self) {
        self.log.invariants();
        assert!(self.high_watermark >= self.log.log_start());
        assert!(
            self.high_watermark <= self.log.end_offset(),
            "the high watermark is within the log"
        );
        assert!(self.is_voter() || !self.role.is_for_voters(), "observers only observe");
        if let Some(leader) = self.role.leader() {
            assert!(leader.epoch_start < self.log.end_offset(), "a leader has written its epoch");
        } else {
            assert!(self.waiting.is_empty(), "only leaders park fetches");
        }
        self.outgoing.invariants();
        if matches!(self.role, Role::Follower { .. } | Role::Unattached) {
            // Two responses could make it append the same offset twice.
            assert!(self.requests.awaited() <= 1, "a member has one fetch in flight");
        }
    }

    fn is_voter(&self) -> bool {
        self.config.voters.contains(&self.config.id)
    }

    fn majority(&self) -> usize {
        self.config.voters.len() / 2 + 1
    }

    fn other_voters(&self) -> impl Iterator<Item = BrokerId> + use<> {
        let own = self.config.id;
        self.config.voters.clone().into_iter().filter(move |voter| *voter != own)
    }

    fn peer(&self, id: BrokerId) -> NodeId {
        peer(self.node, id)
    }

    /// The last epoch and the end offset of the log, by which votes compare logs.
    fn last(&self) -> LogEnd {
        LogEnd {
            last_epoch: self.log.latest_epoch().unwrap_or(0),
            end_offset: self.log.end_offset(),
        }
    }

    /// Draws a time between the election time-out and twice the election time-out.
    fn election_timeout(&mut self) -> Span {
        let base = self.config.election_timeout.0;
        Span(base + self.rng.random_range(0..base.max(1)))
    }

    /// Raises the high watermark to `offset`. Returns whether it was lower.
    fn commit(&mut self, offset: Offset, out: &mut Outbox) -> bool {
        if offset <= self.high_watermark {
            return false;
        }
        self.high_watermark = offset;
        self.changes.push(QuorumChange::Committed { high_watermark: offset });
        out.observe(Fact::HighWatermark {
            partition: TopicPartition::METADATA,
            as_leader: self.is_leader(),
            leader_epoch: self.epoch,
            offset,
        });
        true
    }
}

/// A member halts without its log.
fn failed(error: LogError) -> Halt {
    Halt::Failed(format!("the metadata log failed: {error}"))
}
