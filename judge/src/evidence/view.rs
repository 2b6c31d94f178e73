//! Everything observed so far, put in order: what checks and the judge look at.

use super::metadata::{Metadata, Unreadable};
use super::observed::{Change, Moment};
use super::partition::{Append, Lacking, Partition};
use super::reader::{Piece, Reader};
use super::records::Records;
use super::setup::Setup;
use super::story::{Ack, Happening};
use bytes::Bytes;
use engine::fact::Fact;
use engine::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use machine::{ClusterId, NodeId};
use std::collections::BTreeMap;

/// Everything observed so far.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What was configured.
    pub setup: Setup,
    /// All partitions, metadata logs included.
    pub partitions: Vec<Partition>,
    /// The committed metadata of each cluster.
    pub metadata: BTreeMap<ClusterId, Metadata>,
    /// What clients did with each record.
    pub records: Records,
    /// What consumers were given.
    pub readers: Vec<Reader>,
    /// Produce requests that were answered with success, by partition.
    pub acks: Vec<Vec<Ack>>,
    /// Faults that were applied or undone.
    pub faults: Vec<(Moment, String)>,
    /// Scratch: what the last [`Effect::Cut`] took.
    pub cut: Vec<u32>,
    /// Scratch: what the last [`Effect::Delivered`] gave.
    pub pieces: Vec<Piece>,
    /// Scratch: the partitions whose members have to be looked at after the last
    /// [`Effect::Metadata`] or [`Effect::Registered`].
    pub touched: Vec<usize>,
    /// Replicas whose disks have to be looked at: node, partition, log end.
    pub(super) reloads: Vec<(Moment, usize, Offset)>,
    index: BTreeMap<(ClusterId, TopicPartition), usize>,
    last_found: usize,
    readers_by_key: BTreeMap<(NodeId, u16, usize), usize>,
    endings: BTreeMap<NodeId, Change>,
}

/// What a fact changed in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that a check would not see from the fact itself.
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
        /// Where the entries of [`Partition::losses`] begin that came with it.
        losses_from: usize,
    },
    /// A leader's high watermark has moved.
    Watermark(usize, Option<Lacking>),
    /// The high watermark of a metadata log has moved.
    Metadata {
        /// The metadata log.
        log: usize,
        /// Voters that lack what it claims.
        lacking: Option<Lacking>,
        /// What cannot be replayed.
        unreadable: Option<Unreadable>,
    },
    /// A broker knows that it is registered; see [`View::touched`].
    Registered,
    /// A log was cut; see [`View::cut`].
    Cut(usize, usize),
    /// A consumer was given records; see [`View::pieces`].
    Delivered {
        /// An index of [`View::readers`].
        reader: usize,
        /// Its position before.
        before: Option<Offset>,
        /// What it was given last, if it reads on from there.
        last: Option<Piece>,
    },
    /// A consumer moved its position otherwise than by reading.
    Moved {
        /// An index of [`View::readers`].
        reader: usize,
        /// Its position before.
        before: Option<Offset>,
        /// [`super::Reader::is_asked`] before.
        was_asked: bool,
    },
    /// A consumer was shown the end; an index of [`View::readers`] and what it had been shown
    /// before.
    Reader(usize, Offset),
}

impl View {
    /// Nothing has been observed yet.
    pub fn new(setup: Setup) -> Self {
        Self { setup, ..Self::default() }
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
        }
    }

    /// A node that stands for a partition: its present leader.
    pub fn node_of(&self, partition: &Partition) -> NodeId {
        let leader = partition.line_leader.and_then(|leader| partition.replicas.get(leader));
        leader.map_or(NodeId { cluster: partition.cluster, node: 0 }, |replica| replica.node)
    }

    /// The name of a partition, or nothing.
    pub fn name(&self, partition: Option<usize>) -> &str {
        partition.map_or("", |partition| &self.partitions[partition].name)
    }

    /// Whether a batch is of a topic of the workload.
    pub fn is_of_workload(&self, partition: usize) -> bool {
        self.partitions[partition].topic.is_some()
    }

    pub(super) fn reader(&mut self, moment: &Moment, partition: usize) -> usize {
        let next = self.readers.len();
        let key = (moment.node, moment.incarnation, partition);
        let reader = *self.readers_by_key.entry(key).or_insert(next);
        if reader == next {
            self.readers.push(Reader {
                node: moment.node,
                incarnation: moment.incarnation,
                partition,
                position: None,
                is_moved: true,
                is_asked: false,
                shown: 0,
                asked: Vec::new(),
                seen: Vec::new(),
                read_back: None,
            });
        }
        reader
    }

    /// Something became of a node.
    pub(super) fn on_node(&mut self, moment: &Moment, change: Change) {
        for partition in &mut self.partitions {
            let Some(index) = partition.find(moment.node) else { continue };
            let is_metadata = partition.id == TopicPartition::METADATA;
            let replica = &mut partition.replicas[index];
            // Who starts has still to load its logs.
            replica.is_loaded = false;
            match change {
                Change::Started | Change::Stopped => {}
                Change::Crashed => replica.ended_uncleanly = Some(moment.at),
                Change::PowerLost { .. } => {
                    replica.ended_uncleanly = Some(moment.at);
                    // Voters have synced what they answered for; nothing excuses them.
                    replica.power_lost = !is_metadata;
                }
            }
            partition.story.push(moment, index, Happening::Node(change));
        }
        if change != Change::Started {
            self.endings.insert(moment.node, change);
        }
    }

    /// A process told something.
    pub(super) fn on_fact(&mut self, moment: &Moment, fact: &Fact) -> Effect {
        let cluster = moment.node.cluster;
        match fact {
            Fact::Appended { partition, as_leader, leader_epoch, batch } => {
                let index = self.partition(cluster, *partition);
                let epoch = as_leader.then_some(*leader_epoch);
                let append = self.partitions[index].append(moment.node, batch, epoch, moment);
                append.map_or(Effect::Nothing, |append| Effect::Append(index, append))
            }
            Fact::HighWatermark { partition, as_leader, leader_epoch, offset } => {
                let index = self.partition(cluster, *partition);
                self.watermark(moment, index, as_leader.then_some(*leader_epoch), *offset)
            }
            Fact::BecameLeader { partition, leader_epoch, epoch_start, .. } => {
                let index = self.partition(cluster, *partition);
                self.has_log(moment.node, index);
                self.lead(moment, index, *leader_epoch, Some(*epoch_start))
            }
            Fact::BecameFollower { partition, .. } => {
                let index = self.partition(cluster, *partition);
                self.has_log(moment.node, index);
                Effect::Nothing
            }
            Fact::QuorumLeader { epoch, epoch_start } => {
                let index = self.partition(cluster, TopicPartition::METADATA);
                self.lead(moment, index, *epoch, Some(*epoch_start))
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
                if let Some(replica) = self.partitions[index].replica(moment.node) {
                    self.partitions[index].replicas[replica].log_start = *log_start;
                }
                self.has_log(moment.node, index);
                self.loaded(moment, index, *log_end, *high_watermark);
                Effect::Nothing
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
            Fact::IsrProposed { partition, leader_epoch, from, to, .. } => {
                self.proposed(moment, *partition, *leader_epoch, (from, to))
            }
            Fact::IsrRefused { partition, error, .. } => self.refused(moment, *partition, *error),
            Fact::Registered { .. } => {
                // A broker loads what it has before it registers; what is missing then is missing.
                for index in 0..self.partitions.len() {
                    self.has_log(moment.node, index);
                }
                self.knows_registered(moment.node);
                Effect::Registered
            }
            Fact::Client(fact) => self.on_client(moment, fact),
            _ => Effect::Nothing,
        }
    }

    /// A node has loaded the log of a partition, or leads or follows with one that it made, or is
    /// past the time at which it loads any.
    fn has_log(&mut self, node: NodeId, index: usize) {
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
        ack: impl FnOnce(usize, u64) -> Ack,
    ) -> Effect {
        let partition = &mut self.partitions[index];
        let mask = partition.mask(isr);
        if let Some(replica) = partition.replica(moment.node) {
            self.acks[index].push(ack(replica, mask));
        }
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
        let Some(replica) = partition.replica(moment.node) else { return Effect::Nothing };
        partition.replicas[replica].high_watermark = offset;
        let Some(epoch) = as_leader else { return Effect::Nothing };
        if partition.id != TopicPartition::METADATA {
            let isr = partition.ruling(epoch).map_or(0, |state| state.isr);
            let required = (isr, partition.min_isr);
            let lacking = partition.advance(replica, epoch, offset, required);
            if let Some(lacking) = &lacking {
                partition.note_passing(moment, replica, (offset, isr), lacking);
            }
            return Effect::Watermark(index, lacking);
        }
        let voters = self.setup.controllers.iter().filter(|id| id.cluster == moment.node.cluster);
        let voters: Vec<NodeId> = voters.copied().collect();
        let mask = voters
            .iter()
            .filter_map(|voter| partition.find(*voter))
            .fold(0_u64, |mask, voter| mask | 1 << voter);
        let lacking = partition.advance_by_majority(replica, epoch, offset, mask, voters.len());
        self.touched.clear();
        let unreadable = self.replay_metadata(moment.node.cluster, index, moment).err();
        Effect::Metadata { log: index, lacking, unreadable }
    }

    fn lead(
        &mut self,
        moment: &Moment,
        index: usize,
        epoch: LeaderEpoch,
        start: Option<Offset>,
    ) -> Effect {
        let partition = &mut self.partitions[index];
        let Some(replica) = partition.replica(moment.node) else { return Effect::Nothing };
        let losses_from = partition.losses.len();
        let newest = partition.lead(replica, epoch, moment);
        let start = start.unwrap_or(partition.replicas[replica].end);
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
        let Some(replica) = partition.replica(moment.node) else { return Effect::Nothing };
        partition.cut(replica, to, false, &mut self.cut);
        partition.story.push(moment, replica, happening);
        Effect::Cut(index, replica)
    }

    fn loaded(&mut self, moment: &Moment, index: usize, end: Offset, high_watermark: Offset) {
        let power = matches!(self.endings.get(&moment.node), Some(Change::PowerLost { .. }));
        let partition = &mut self.partitions[index];
        let Some(replica) = partition.replica(moment.node) else { return };
        partition.replicas[replica].high_watermark = high_watermark;
        let told = partition.replicas[replica].end;
        // After a power loss even an equal end may be that of an older log: a truncation may not
        // have happened. A crash may have kept an append that was never told of.
        if power || told != end {
            self.reloads.push((*moment, index, end));
        }
        if end < told {
            partition.cut(replica, end, power, &mut Vec::new());
        } else if end > told {
            partition.adopt(replica, end);
        }
        partition.story.push(moment, replica, Happening::Loaded(end));
    }

    pub(super) fn reload(&mut self, moment: &Moment, index: usize, held: &[Bytes]) {
        let power = matches!(self.endings.get(&moment.node), Some(Change::PowerLost { .. }));
        let partition = &mut self.partitions[index];
        if let Some(replica) = partition.find(moment.node) {
            partition.reload(replica, held, power, moment);
        }
    }
}
