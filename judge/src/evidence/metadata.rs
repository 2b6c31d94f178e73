//! The committed metadata log, replayed from the bytes of the controllers.

use super::loss::Committed;
use super::observed::Moment;
use super::replica_set::ReplicaSet;
use super::view::View;
use engine::config::TopicConfig;
use engine::ids::{BrokerId, Offset};
use engine::metadata::{MetadataImage, MetadataRecord, PartitionRegistration, decode_batch};
use machine::{ClusterId, NodeId};

/// The committed metadata of one cluster.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The replay.
    pub image: MetadataImage,
    /// How many batches of the metadata log's line it has replayed.
    replayed: usize,
}

impl Default for Metadata {
    fn default() -> Self {
        Self { image: MetadataImage::new(TopicConfig::default()), replayed: 0 }
    }
}

/// The brokers that a batch of records registers, and when the controller wrote it.
#[derive(Clone, Debug, Default)]
pub struct Registered {
    /// The brokers.
    pub nodes: Vec<NodeId>,
    /// When the controller wrote the batch, in nanoseconds.
    pub at: u64,
}

/// A replay that stopped: the committed log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The base offset of the batch that cannot be replayed.
    pub offset: Offset,
    /// The error.
    pub why: String,
}

/// The broker that a record registers, fences or unfences.
fn changed_broker(record: &MetadataRecord) -> Option<BrokerId> {
    match record {
        MetadataRecord::RegisterBroker(it) => Some(it.broker),
        MetadataRecord::UnregisterBroker { broker, .. } => Some(*broker),
        MetadataRecord::BrokerRegistrationChange(it) => Some(it.broker),
        _ => None,
    }
}

impl View {
    /// Replays the newly committed part of a cluster's metadata log. Leaves in [`View::touched`]
    /// the partitions whose membership has to be checked again.
    pub(super) fn replay_metadata(
        &mut self,
        cluster: ClusterId,
        log: usize,
        moment: &Moment,
    ) -> Result<(), Unreadable> {
        let mut metadata = self.metadata.remove(&cluster).unwrap_or_default();
        let result = self.replay_into(&mut metadata, cluster, log, moment);
        self.metadata.insert(cluster, metadata);
        self.touched.sort_unstable();
        self.touched.dedup();
        result
    }

    fn replay_into(
        &mut self,
        metadata: &mut Metadata,
        cluster: ClusterId,
        log: usize,
        moment: &Moment,
    ) -> Result<(), Unreadable> {
        while metadata.replayed < self.partitions[log].committed {
            let batch = self.partitions[log].line[metadata.replayed];
            metadata.replayed += 1;
            let offset = self.partitions[log].batches.get(batch).base;
            let appended = self.partitions[log].batches.get(batch).at;
            let unreadable = |why: String| Unreadable { offset, why };
            let Some(bytes) = self.partitions[log].batches.bytes(batch).cloned() else { continue };
            let records = decode_batch(&bytes).map_err(|why| unreadable(why.to_string()))?;
            let registering = |(_, record): &(Offset, MetadataRecord)| match record {
                MetadataRecord::RegisterBroker(broker) => {
                    Some(NodeId { cluster, node: broker.broker })
                }
                _ => None,
            };
            let nodes = records.iter().filter_map(registering).collect();
            let registered = Registered { nodes, at: appended };
            let touched: Vec<_> =
                records.iter().map(|(_, record)| changed_broker(record)).collect();
            for (place, (offset, record)) in records.into_iter().enumerate() {
                let replayed = metadata.image.replay(offset, &record);
                replayed.map_err(|why| unreadable(why.to_string()))?;
                let image = &metadata.image;
                let changed = self.after_record(image, cluster, &record, &registered, moment);
                let Some((index, state)) = changed else { continue };
                // A batch has one decision, or several if the quorum's leader was slow. The changes
                // of a decision come before the record that fences a broker, and after the record
                // that unfences one.
                let before = touched[..place].iter().rev().find_map(|broker| *broker);
                let after = touched[place..].iter().find_map(|broker| *broker);
                let partition = &mut self.partitions[index];
                for broker in before.into_iter().chain(after) {
                    if let Some(replica) = partition.find(NodeId { cluster, node: broker }) {
                        partition.states[state].active.remove(replica);
                    }
                }
            }
            registered.nodes.iter().for_each(|node| self.registered(*node, appended));
        }
        Ok(())
    }

    /// Applies a record. Returns the partition that it changes and the number of the new state, if
    /// any.
    fn after_record(
        &mut self,
        image: &MetadataImage,
        cluster: ClusterId,
        record: &MetadataRecord,
        registered: &Registered,
        moment: &Moment,
    ) -> Option<(usize, usize)> {
        let partition = match record {
            MetadataRecord::Partition(partition) => partition.partition,
            MetadataRecord::PartitionChange(change) => change.partition,
            _ => return None,
        };
        let state = image.partition(partition)?;
        let index = self.partition(cluster, partition);
        if self.partitions[index].states.is_empty() {
            let name = image.topic(partition.topic).map(|topic| topic.name.as_str());
            self.name_partition(index, name.unwrap_or_default(), state.replicas.len());
        }
        self.touched.push(index);
        Some((index, self.commit_state(index, state, image, registered, moment)))
    }

    /// Returns the number of the state.
    fn commit_state(
        &mut self,
        index: usize,
        state: &PartitionRegistration,
        image: &MetadataImage,
        registered: &Registered,
        moment: &Moment,
    ) -> usize {
        let partition = &mut self.partitions[index];
        let cluster = partition.cluster;
        // All replicas first, so that a replica's index is its place in the assignment.
        let mut index_of = |id: &BrokerId| partition.replica(NodeId { cluster, node: *id });
        for id in &state.replicas {
            index_of(id);
        }
        let mut set = |ids: &[BrokerId]| -> ReplicaSet { ids.iter().map(&mut index_of).collect() };
        let (isr, elr) = (set(&state.isr), set(&state.elr));
        let active: Vec<BrokerId> =
            state.replicas.iter().copied().filter(|id| image.is_active(*id)).collect();
        let is_out = |id: &BrokerId| image.broker(*id).is_some_and(|broker| !broker.is_active());
        let fenced: Vec<BrokerId> = state.replicas.iter().copied().filter(is_out).collect();
        let (active, fenced) = (set(&active), set(&fenced));
        let leader = state.leader.as_ref().map(&mut index_of);
        let committed = Committed {
            at: moment.at,
            event: moment.event,
            leader,
            leader_epoch: state.leader_epoch,
            isr,
            elr,
            active,
            fenced,
            spoilt: partition.spoilt(registered),
        };
        let number = partition.states.len();
        partition.commit(committed);
        partition.story.committed(moment, leader.unwrap_or_default(), number);
        partition.note_admissions(moment);
        number
    }

    /// The controller wrote at `at` that a broker is registered.
    fn registered(&mut self, node: NodeId, at: u64) {
        for partition in &mut self.partitions {
            if let Some(replica) = partition.find(node) {
                partition.replicas[replica].registered = Some(at);
            }
        }
    }

    /// A broker knows that it is registered: the controller has taken the end of its last life into
    /// account.
    pub(super) fn knows_registered(&mut self, node: NodeId, moment: &Moment) {
        self.touched.clear();
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            if let Some(replica) = partition.find(node) {
                partition.is_registered(replica, moment);
                self.touched.push(index);
            }
        }
    }
}
