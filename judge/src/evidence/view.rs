//! All evidence collected so far, indexed for the checks and the verdict.

use super::group::{Groups, Members, OFFSETS_TOPIC, Stores};
use super::halt::{FailedDir, Halt};
use super::kept::Kept;
use super::life::Reload;
use super::metadata::{Metadata, Unreadable};
use super::observed::{Change, Fault, FaultKind, Moment};
use super::partition::{Append, Lacking, Partition};
use super::reader::{Piece, Reader};
use super::records::Records;
use super::replica_set::ReplicaSet;
use super::setup::Setup;
use super::spoil::Spoil;
use super::story::{Ack, Happening};
use super::transaction::{ClientTransactions, Coordinators, STATE_TOPIC};
use engine::error::ErrorCode;
use engine::fact::{Fact, Truncation};
use engine::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use machine::{ClusterId, NodeId};
use std::collections::BTreeMap;

/// Everything observed so far.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The configuration.
    pub setup: Setup,
    /// All partitions, metadata logs included.
    pub partitions: Vec<Partition>,
    /// The committed metadata of each cluster.
    pub metadata: BTreeMap<ClusterId, Metadata>,
    /// The calls and callbacks of clients for each record.
    pub records: Records,
    /// The transactions of applications.
    pub transactions: ClientTransactions,
    /// What coordinators of transactions wrote.
    pub coordinators: Coordinators,
    /// What coordinators of groups wrote and reported.
    pub groups: Groups,
    /// What members of groups did.
    pub members: Members,
    /// The stores of applications that keep their own positions.
    pub stores: Stores,
    /// What each consumer received, by partition.
    pub readers: Vec<Reader>,
    /// The batches that produce responses acknowledged, by partition.
    pub acks: Vec<Vec<Ack>>,
    /// Faults that were applied or undone.
    pub faults: Vec<(Moment, Fault)>,
    /// Processes that ended themselves.
    pub halts: Vec<Halt>,
    /// When the load began, in nanoseconds; `None` before that.
    pub load_began: Option<u64>,
    /// The livelock that was detected, if any, in words.
    pub livelock: Option<String>,
    /// Scratch: the batches that the last [`Effect::Cut`] or [`Effect::Loaded`] took from its
    /// replica.
    pub cut: Vec<u32>,
    /// Scratch: the pieces of the last [`Effect::Delivered`].
    pub pieces: Vec<Piece>,
    /// Scratch: the partitions whose members have to be checked after the last [`Effect::Metadata`]
    /// or [`Effect::Registered`].
    pub touched: Vec<usize>,
    /// Replicas whose disks have to be read.
    pub(super) reloads: Vec<Reload>,
    index: BTreeMap<(ClusterId, TopicPartition), usize>,
    by_name: BTreeMap<(ClusterId, String), usize>,
    last_found: usize,
    readers_by_key: BTreeMap<(NodeId, u16, usize), usize>,
    /// How each process ended last, for nodes whose process has ended.
    pub(super) endings: BTreeMap<NodeId, Change>,
    /// When each process that runs was started.
    pub(crate) started: BTreeMap<NodeId, u64>,
    /// The log directories that failed since their node started last, which stay offline until it
    /// is started again.
    pub(super) failed_dirs: BTreeMap<NodeId, Vec<FailedDir>>,
    /// The losses of replicas with lost disks and corrupted sectors.
    pub(super) spoils: Vec<Spoil>,
    /// The paths of files with a corrupted sector.
    pub(super) bad_files: BTreeMap<NodeId, Vec<String>>,
    /// The nodes whose processes are running, and their incarnation.
    pub(super) running: BTreeMap<NodeId, u16>,
}

/// The change of the view by a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing, or nothing that a check needs.
    Nothing,
    /// A batch was appended.
    Append(usize, Append),
    /// A replica began to lead.
    Lead {
        /// The partition.
        partition: usize,
        /// The replica.
        replica: usize,
        /// No leader of this or a later epoch has been seen before.
        newest: bool,
        /// The index of the first entry of [`Partition::losses`] that this leader caused.
        losses_from: usize,
    },
    /// A leader's high watermark has moved.
    Watermark(usize, Option<Lacking>),
    /// The high watermark of a metadata log has moved.
    Metadata {
        /// The metadata log.
        log: usize,
        /// The voters that lack batches below it, if they are too many.
        lacking: Option<Lacking>,
        /// The record that cannot be replayed, if any.
        unreadable: Option<Unreadable>,
    },
    /// A broker knows that it is registered; see [`View::touched`].
    Registered,
    /// A log was loaded at start; see [`View::cut`].
    Loaded {
        /// The partition.
        partition: usize,
        /// The replica.
        replica: usize,
        /// The log end offset that the replica had reported in its last life.
        reported: Offset,
        /// The log end offset now.
        end: Offset,
        /// The state that the disk must have kept.
        kept: Kept,
    },
    /// A log was cut; see [`View::cut`].
    Cut(usize, usize),
    /// A consumer received records; see [`View::pieces`].
    Delivered {
        /// An index of [`View::readers`].
        reader: usize,
        /// Its position before.
        before: Option<Offset>,
        /// The last piece that it received before, if it reads on from there.
        last: Option<Piece>,
    },
    /// A consumer changed its position by a seek or a reset, not by reading.
    Moved {
        /// An index of [`View::readers`].
        reader: usize,
        /// Its position before.
        before: Option<Offset>,
        /// [`super::Reader::is_asked`] before.
        was_asked: bool,
    },
    /// A client received the offset for a timestamp; an index of [`View::partitions`].
    Time(usize),
    /// A consumer received the end of a partition, or has read the partition back to its end. An
    /// index of [`View::readers`], and the largest end that it had been shown before it asked.
    ReaderEnd(usize, Offset),
}

impl View {
    /// Nothing has been observed yet.
    pub fn new(setup: Setup) -> Self {
        Self { setup, ..Self::default() }
    }

    /// Whether some broker may have forgotten a producer before `until`, in nanoseconds:
    /// `producer.id.expiration.ms` has passed by then, or a clock jumped.
    pub fn may_forget_producers(&self, until: u64) -> bool {
        let mut faults = self.faults.iter().map(|(_, fault)| fault.kind);
        until >= self.setup.producer_id_expiration.0
            || faults.any(|kind| kind == FaultKind::ClockJump)
    }

    /// A moment in nanoseconds since the start of the load, negative before it; since the start of
    /// the run if there was no load.
    pub fn since_load(&self, at: u64) -> i64 {
        at.cast_signed() - self.load_began.unwrap_or(0).cast_signed()
    }

    /// [`View::since_load`] in words: `12.345678 s`.
    pub fn time(&self, at: u64) -> String {
        let since = self.since_load(at);
        let (sign, at) = (if since < 0 { "-" } else { "" }, since.unsigned_abs());
        format!("{sign}{}.{:06} s", at / 1_000_000_000, at % 1_000_000_000 / 1_000)
    }

    /// The index of a partition; a new one if nothing was known of it.
    #[inline]
    pub fn partition(&mut self, cluster: ClusterId, id: TopicPartition) -> usize {
        if let Some(last) = self.partitions.get(self.last_found)
            && (last.cluster, last.id) == (cluster, id)
        {
            return self.last_found;
        }
        let next = self.partitions.len();
        self.last_found = *self.index.entry((cluster, id)).or_insert(next);
        if self.last_found == next {
            self.partitions.push(Partition::new(cluster, id));
            self.acks.push(Vec::new());
        }
        self.last_found
    }

    pub(super) fn name_partition(&mut self, index: usize, topic: &str, replicas: usize) {
        let partition = &mut self.partitions[index];
        partition.name = format!("{topic}-{}", partition.id.partition);
        let topics = &self.setup.topics;
        let named =
            |setup: &&super::TopicSetup| setup.cluster == partition.cluster && setup.name == topic;
        partition.topic = topics.iter().position(|setup| named(&setup));
        if let Some(topic) = partition.topic {
            partition.min_isr = topics[topic].min_insync_replicas.min(replicas);
            partition.batches.may_be_rewritten(topics[topic].compacted);
        }
        if topic == STATE_TOPIC {
            partition.is_state_log = true;
            partition.min_isr = self.setup.state_log_min_isr.clamp(1, replicas.max(1));
            partition.batches.keep_bytes();
        }
        if topic == OFFSETS_TOPIC {
            partition.is_offsets_log = true;
            partition.min_isr = self.setup.offsets_min_isr.clamp(1, replicas.max(1));
            partition.batches.keep_bytes();
        }
        self.by_name.insert((partition.cluster, partition.name.clone()), index);
    }

    /// The index of a partition, if anything is known of it.
    pub fn index_of(&self, cluster: ClusterId, id: TopicPartition) -> Option<usize> {
        self.index.get(&(cluster, id)).copied()
    }

    /// The incarnation of a node's running process; `None` if there is none.
    pub fn incarnation(&self, node: NodeId) -> Option<u16> {
        self.running.get(&node).copied()
    }

    /// The index of a partition by its name, as `orders-0`.
    pub fn named(&self, cluster: ClusterId, name: &str) -> Option<usize> {
        self.by_name.get(&(cluster, name.to_owned())).copied()
    }

    /// A partition, if anything is known of it.
    pub fn find(&self, cluster: ClusterId, id: TopicPartition) -> Option<&Partition> {
        self.index.get(&(cluster, id)).map(|index| &self.partitions[*index])
    }

    /// The node of a partition's current leader; node 0 of its cluster if it has had none.
    pub fn node_of(&self, partition: &Partition) -> NodeId {
        let leader = partition.line_leader.and_then(|leader| partition.replicas.get(leader));
        leader.map_or(NodeId { cluster: partition.cluster, node: 0 }, |replica| replica.node)
    }

    /// The name of a partition; empty for `None`.
    pub fn name(&self, partition: Option<usize>) -> &str {
        partition.map_or("", |partition| &self.partitions[partition].name)
    }

    /// Whether a partition belongs to a topic of the workload.
    pub fn is_of_workload(&self, partition: usize) -> bool {
        self.partitions[partition].topic.is_some()
    }

    pub(super) fn reader(&mut self, moment: &Moment, partition: usize) -> usize {
        let next = self.readers.len();
        let key = (moment.node, moment.incarnation, partition);
        let reader = *self.readers_by_key.entry(key).or_insert(next);
        if reader == next {
            self.partitions[partition].readers.push(reader);
            self.readers.push(Reader {
                node: moment.node,
                incarnation: moment.incarnation,
                group: self.setup.groups.get(&moment.node).cloned(),
                partition,
                position: None,
                is_moved: true,
                is_asked: false,
                shown: 0,
                asked: Vec::new(),
                known: None,
                shown_last: 0,
                asked_at: None,
                read_committed: self.setup.read_committed.contains(&moment.node),
                seen: Vec::new(),
                read_back: None,
            });
        }
        reader
    }

    /// Takes in a fact that a process reported. Returns what changed.
    pub(crate) fn on_fact(&mut self, moment: &Moment, fact: &Fact) -> Effect {
        let cluster = moment.node.cluster;
        match fact {
            Fact::Appended { partition, as_leader, leader_epoch, batch } => {
                let index = self.partition(cluster, *partition);
                let epoch = as_leader.then_some(*leader_epoch);
                let append = self.partitions[index].append(moment.node, batch, epoch, moment);
                if self.partitions[index].is_state_log {
                    self.read_state_log(index);
                }
                if self.partitions[index].is_offsets_log {
                    self.read_offsets_log(index);
                }
                append.map_or(Effect::Nothing, |append| Effect::Append(index, append))
            }
            Fact::HighWatermark { partition, as_leader, leader_epoch, offset } => {
                let index = self.partition(cluster, *partition);
                self.watermark(moment, index, as_leader.then_some(*leader_epoch), *offset)
            }
            Fact::BecameLeader { partition, leader_epoch, epoch_start, .. } => {
                let index = self.partition(cluster, *partition);
                self.mark_loaded(moment.node, index);
                self.lead(moment, index, *leader_epoch, *epoch_start)
            }
            Fact::BecameFollower { partition, .. } => {
                let index = self.partition(cluster, *partition);
                self.mark_loaded(moment.node, index);
                Effect::Nothing
            }
            Fact::QuorumLeader { epoch, epoch_start } => {
                let index = self.partition(cluster, TopicPartition::METADATA);
                self.lead(moment, index, *epoch, *epoch_start)
            }
            Fact::Truncated { partition, from, to, high_watermark, why, .. } => {
                let index = self.partition(cluster, *partition);
                let cut = Happening::Cut {
                    from: *from,
                    to: *to,
                    high_watermark: *high_watermark,
                    why: *why,
                };
                self.truncated(moment, index, *to, cut)
            }
            Fact::Loaded { partition, log_start, log_end, high_watermark, .. } => {
                let index = self.partition(cluster, *partition);
                let replica = self.partitions[index].replica(moment.node);
                self.partitions[index].advance_start(replica, *log_start);
                self.mark_loaded(moment.node, index);
                self.loaded(moment, index, *log_end, *high_watermark)
            }
            Fact::Acknowledged {
                partition,
                leader_epoch,
                base_offset,
                last_offset,
                acks,
                high_watermark,
                isr,
            } => {
                let index = self.partition(cluster, *partition);
                let epoch = *leader_epoch;
                let (base, last) = (*base_offset, *last_offset);
                self.acknowledged(moment, index, isr, |replica, isr| Ack {
                    at: moment.at,
                    event: moment.event,
                    replica,
                    epoch,
                    base,
                    last,
                    acks: *acks,
                    high_watermark: *high_watermark,
                    isr,
                })
            }
            Fact::ProduceRefused { partition, error: ErrorCode::OutOfOrderSequenceNumber } => {
                let index = self.partition(cluster, *partition);
                let replica = self.partitions[index].replica(moment.node);
                self.partitions[index].out_of_order.push((moment.at, replica));
                Effect::Nothing
            }
            Fact::IsrProposed { partition, leader_epoch, from, to, .. } => {
                self.proposed(moment, *partition, *leader_epoch, (from, to))
            }
            Fact::IsrRefused { partition, error, .. } => self.refused(moment, *partition, *error),
            Fact::Registered { .. } => {
                // A broker loads all its logs before it registers, so that no other log will
                // follow.
                for index in 0..self.partitions.len() {
                    self.mark_loaded(moment.node, index);
                }
                self.knows_registered(moment.node, moment);
                Effect::Registered
            }
            Fact::LogDirFailed { path, partition, error } => {
                self.log_dir_failed(moment, path, *partition, error);
                Effect::Nothing
            }
            Fact::Client(fact) => self.on_client(moment, fact),
            Fact::Group(fact) => {
                self.groups.on_fact(moment, fact);
                Effect::Nothing
            }
            Fact::EndTxnReceived { .. } => {
                self.coordinators.asked(moment, fact);
                Effect::Nothing
            }
            _ => Effect::Nothing,
        }
    }

    /// Marks the replica of a partition on `node` as loaded: its log was loaded or created, or the
    /// node has registered, after which it loads none.
    fn mark_loaded(&mut self, node: NodeId, index: usize) {
        let partition = &mut self.partitions[index];
        if let Some(replica) = partition.find(node) {
            partition.replicas[replica].is_loaded = true;
        }
    }

    fn acknowledged(
        &mut self,
        moment: &Moment,
        index: usize,
        isr: &[BrokerId],
        ack: impl FnOnce(usize, ReplicaSet) -> Ack,
    ) -> Effect {
        let partition = &mut self.partitions[index];
        let isr = partition.members(isr);
        let replica = partition.replica(moment.node);
        self.acks[index].push(ack(replica, isr));
        Effect::Nothing
    }

    fn watermark(
        &mut self,
        moment: &Moment,
        index: usize,
        as_leader: Option<LeaderEpoch>,
        offset: Offset,
    ) -> Effect {
        let partition = &mut self.partitions[index];
        let replica = partition.replica(moment.node);
        partition.replicas[replica].high_watermark = offset;
        let Some(epoch) = as_leader else { return Effect::Nothing };
        if partition.id != TopicPartition::METADATA {
            let isr = partition.ruling(epoch).map_or(ReplicaSet::EMPTY, |state| state.isr.clone());
            let required = (&isr, partition.min_isr);
            let lacking = partition.advance(replica, epoch, offset, required);
            if let Some(lacking) = &lacking {
                partition.note_passing(moment, replica, (offset, &isr), lacking);
            }
            return Effect::Watermark(index, lacking);
        }
        let voters = self.setup.controllers.iter().filter(|id| id.cluster == moment.node.cluster);
        let voters: Vec<NodeId> = voters.copied().collect();
        let set = voters.iter().filter_map(|voter| partition.find(*voter)).collect();
        let lacking = partition.advance_by_majority((replica, epoch), offset, &set, voters.len());
        self.touched.clear();
        let unreadable = self.replay_metadata(moment.node.cluster, index, moment).err();
        Effect::Metadata { log: index, lacking, unreadable }
    }

    fn lead(&mut self, moment: &Moment, index: usize, epoch: LeaderEpoch, start: Offset) -> Effect {
        let partition = &mut self.partitions[index];
        let replica = partition.replica(moment.node);
        let losses_from = partition.losses.len();
        let newest = partition.lead(replica, epoch, moment);
        partition.story.push(moment, replica, Happening::Led { epoch, start });
        Effect::Lead { partition: index, replica, newest, losses_from }
    }

    fn truncated(
        &mut self,
        moment: &Moment,
        index: usize,
        to: Offset,
        happening: Happening,
    ) -> Effect {
        self.cut.clear();
        let partition = &mut self.partitions[index];
        let replica = partition.replica(moment.node);
        let starts_there =
            matches!(happening, Happening::Cut { why: Truncation::BehindLeader, .. });
        if starts_there && to > partition.replicas[replica].end {
            // The whole log is dropped; only batches that the leader has not deleted count as cut.
            let kept = partition.start.min(partition.replicas[replica].end);
            partition.cut(replica, kept, false, &mut self.cut);
            partition.advance_start(replica, to);
        }
        partition.cut(replica, to, false, &mut self.cut);
        partition.story.push(moment, replica, happening);
        Effect::Cut(index, replica)
    }
}
