//! The present state of a run, for conditions and targets.
//!
//! It is updated by the facts that nodes report, at a cost of a few instructions each. It never
//! queries a process, so it cannot change a run. Only the fault budget uses more:
//! [`PartitionView`]s.

use engine::fact::{ClientFact, Fact};
use engine::ids::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition};
use machine::{ClusterId, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// A partition in the committed metadata of the active controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionView {
    /// Its cluster.
    pub cluster: ClusterId,
    /// The partition.
    pub partition: TopicPartition,
    /// Its replicas in order of preference.
    pub replicas: Vec<BrokerId>,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// The eligible leader replicas.
    pub elr: Vec<BrokerId>,
    /// The leader.
    pub leader: Option<BrokerId>,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
}

impl PartitionView {
    fn node(&self, broker: BrokerId) -> NodeId {
        NodeId { cluster: self.cluster, node: broker }
    }

    /// Whether `broker` has a replica.
    pub fn has_replica_on(&self, broker: NodeId) -> bool {
        broker.cluster == self.cluster && self.replicas.contains(&broker.node)
    }

    /// The in-sync replicas.
    pub fn isr_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.isr.iter().map(|id| self.node(*id))
    }

    /// The in-sync and the eligible leader replicas.
    pub fn member_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.isr.iter().chain(&self.elr).map(|id| self.node(*id))
    }
}

/// The state of the run, from the reported facts.
#[derive(Clone, Debug, Default)]
pub struct Board {
    partitions: Vec<PartitionRow>,
    by_id: BTreeMap<(ClusterId, TopicPartition), usize>,
    /// The row that was used last: successive facts are often about one partition.
    last_found: usize,
    topics: BTreeMap<(ClusterId, String), Vec<usize>>,
    names: BTreeMap<(ClusterId, TopicId), String>,
    /// The topics that brokers have created for themselves.
    internal: BTreeSet<(ClusterId, TopicId)>,
    clusters: BTreeMap<ClusterId, ClusterRow>,
    up: BTreeSet<NodeId>,
}

/// The state of a partition.
#[derive(Clone, Debug)]
pub struct PartitionRow {
    /// Its cluster.
    pub cluster: ClusterId,
    /// The partition.
    pub partition: TopicPartition,
    /// Its replicas in order of preference.
    pub replicas: Vec<BrokerId>,
    /// The broker that began the latest leadership, unless it has ended since.
    pub leader: Option<BrokerId>,
    /// The leader epoch of that leader.
    pub leader_epoch: LeaderEpoch,
    /// The leader's high watermark.
    pub high_watermark: Offset,
    /// The leader's log end offset.
    pub log_end: Offset,
    /// The in-sync replicas, as the leader has them.
    pub isr: Vec<BrokerId>,
    /// The records of clients.
    pub records: Records,
}

impl From<&PartitionRow> for PartitionView {
    /// The state of the partition that its leader reported last.
    fn from(row: &PartitionRow) -> Self {
        Self {
            cluster: row.cluster,
            partition: row.partition,
            replicas: row.replicas.clone(),
            isr: row.isr.clone(),
            elr: Vec::new(),
            leader: row.leader,
            leader_epoch: row.leader_epoch,
        }
    }
}

/// The numbers of records of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Given to producers.
    pub sent: i64,
    /// Confirmed with an offset.
    pub acked: i64,
    /// Confirmed or failed, one way or another.
    pub decided: i64,
    /// Received by consumers, repeated reading included; counted by offsets.
    pub delivered: i64,
}

#[derive(Clone, Debug, Default)]
struct ClusterRow {
    controller: Option<(LeaderEpoch, NodeId)>,
}

impl Board {
    /// Adds a topic.
    pub fn add_topic(&mut self, cluster: ClusterId, name: &str, id: TopicId, of: &[PartitionView]) {
        self.names.insert((cluster, id), name.to_owned());
        for view in of.iter().filter(|view| view.partition.topic == id) {
            let row = self.partitions.len();
            self.by_id.insert((cluster, view.partition), row);
            self.topics.entry((cluster, name.to_owned())).or_default().push(row);
            self.partitions.push(PartitionRow {
                cluster,
                partition: view.partition,
                replicas: view.replicas.clone(),
                leader: view.leader,
                leader_epoch: view.leader_epoch,
                high_watermark: 0,
                log_end: 0,
                isr: view.isr.clone(),
                records: Records::default(),
            });
        }
    }

    /// The name of a partition, as `orders-0`; its id if its topic is not known.
    pub fn name(&self, cluster: ClusterId, partition: TopicPartition) -> String {
        match self.names.get(&(cluster, partition.topic)) {
            Some(topic) => format!("{topic}-{}", partition.partition),
            None => partition.to_string(),
        }
    }

    /// Adds a topic that brokers have created for themselves.
    pub fn add_internal(
        &mut self,
        cluster: ClusterId,
        name: &str,
        id: TopicId,
        of: &[PartitionView],
    ) {
        self.internal.insert((cluster, id));
        self.add_topic(cluster, name, id, of);
    }

    /// Whether a partition is of a topic that the scenario names.
    pub fn is_of_workload(&self, cluster: ClusterId, partition: TopicPartition) -> bool {
        let key = (cluster, partition.topic);
        self.names.contains_key(&key) && !self.internal.contains(&key)
    }

    /// Whether there is a row for a partition.
    pub fn knows(&self, cluster: ClusterId, partition: TopicPartition) -> bool {
        self.by_id.contains_key(&(cluster, partition))
    }

    /// The rows of a topic in order of partition.
    pub fn topic(&self, cluster: ClusterId, name: &str) -> &[usize] {
        self.topics.get(&(cluster, name.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// One row.
    pub fn row(&self, index: usize) -> &PartitionRow {
        &self.partitions[index]
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &PartitionRow> {
        self.partitions.iter()
    }

    /// Whether a node is running.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.up.contains(&node)
    }

    /// The nodes that are running.
    pub fn up(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.up.iter().copied()
    }

    /// The leader of a partition, if it is running.
    pub fn leader(&self, row: usize) -> Option<NodeId> {
        let row = &self.partitions[row];
        let leader = NodeId { cluster: row.cluster, node: row.leader? };
        self.is_up(leader).then_some(leader)
    }

    /// The active controller of a cluster, if it is running.
    pub fn controller(&self, cluster: ClusterId) -> Option<NodeId> {
        let (_, node) = self.clusters.get(&cluster)?.controller?;
        self.is_up(node).then_some(node)
    }

    /// Records that a node has started or ended.
    pub fn on_node(&mut self, node: NodeId, up: bool) {
        if up {
            self.up.insert(node);
            return;
        }
        self.up.remove(&node);
        for row in &mut self.partitions {
            if row.cluster == node.cluster && row.leader == Some(node.node) {
                // After a restart it no longer leads, although there may be no other leader yet.
                row.leader = None;
            }
        }
    }

    /// Whether a broker leads a partition with records that have no outcome yet.
    pub fn had_requests_in_flight(&self, node: NodeId) -> bool {
        self.partitions.iter().any(|row| {
            row.cluster == node.cluster
                && row.leader == Some(node.node)
                && row.records.sent > row.records.decided
        })
    }

    /// Takes in a fact of a node.
    pub fn on_fact(&mut self, node: NodeId, fact: &Fact) {
        match fact {
            Fact::Appended { partition, as_leader: true, leader_epoch, batch } => {
                if let Some(row) = self.led(node, partition, *leader_epoch) {
                    row.log_end = end_of(batch).unwrap_or(row.log_end);
                }
            }
            Fact::HighWatermark { partition, as_leader: true, leader_epoch, offset } => {
                if let Some(row) = self.led(node, partition, *leader_epoch) {
                    row.high_watermark = *offset;
                }
            }
            Fact::IsrAdopted { partition, leader_epoch, isr, .. } => {
                if let Some(row) = self.led(node, partition, *leader_epoch) {
                    row.isr.clone_from(isr);
                }
            }
            Fact::BecameLeader {
                partition,
                leader_epoch,
                epoch_start,
                high_watermark,
                isr,
                ..
            } => {
                if let Some(row) = self.led(node, partition, *leader_epoch) {
                    row.leader = Some(node.node);
                    row.leader_epoch = *leader_epoch;
                    row.log_end = *epoch_start;
                    row.high_watermark = *high_watermark;
                    row.isr.clone_from(isr);
                }
            }
            Fact::ControllerActive { epoch } => {
                let cluster = self.clusters.entry(node.cluster).or_default();
                cluster.controller = cluster.controller.max(Some((*epoch, node)));
            }
            Fact::Client(fact) => self.on_client(node.cluster, fact),
            _ => {}
        }
    }

    /// The row of a partition, if facts of a leader in `epoch` apply to it.
    fn led(
        &mut self,
        node: NodeId,
        partition: &TopicPartition,
        epoch: LeaderEpoch,
    ) -> Option<&mut PartitionRow> {
        let row = self.find(node.cluster, *partition)?;
        (epoch >= row.leader_epoch).then_some(row)
    }

    fn find(&mut self, cluster: ClusterId, partition: TopicPartition) -> Option<&mut PartitionRow> {
        let is_it = |row: &PartitionRow| (row.cluster, row.partition) == (cluster, partition);
        if !self.partitions.get(self.last_found).is_some_and(is_it) {
            self.last_found = *self.by_id.get(&(cluster, partition))?;
        }
        self.partitions.get_mut(self.last_found)
    }

    fn on_client(&mut self, cluster: ClusterId, fact: &ClientFact) {
        let partition = match fact {
            ClientFact::Sent { partition, .. }
            | ClientFact::Confirmed { partition, .. }
            | ClientFact::Failed { partition: Some(partition), .. }
            | ClientFact::Delivered { partition, .. } => *partition,
            _ => return,
        };
        let Some(row) = self.find(cluster, partition) else { return };
        let records = &mut row.records;
        match fact {
            ClientFact::Sent { .. } => records.sent += 1,
            ClientFact::Confirmed { base_offset, records: confirmed, .. } => {
                records.decided += confirmed.len() as i64;
                if base_offset.is_some() {
                    records.acked += confirmed.len() as i64;
                }
            }
            ClientFact::Failed { records: failed, .. } => records.decided += failed.len() as i64,
            ClientFact::Delivered { from, to, .. } => records.delivered += to - from,
            _ => {}
        }
    }
}

/// The offset after a record batch v2, from its header: base offset and last offset delta.
fn end_of(batch: &[u8]) -> Option<Offset> {
    let base = i64::from_be_bytes(batch.get(..8)?.try_into().ok()?);
    let last_delta = i32::from_be_bytes(batch.get(23..27)?.try_into().ok()?);
    Some(base + i64::from(last_delta) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITION: TopicPartition = TopicPartition::new(TopicId(5), 0);

    fn board() -> Board {
        let mut board = Board::default();
        let view = PartitionView {
            cluster: ClusterId(0),
            partition: PARTITION,
            replicas: vec![1, 2, 3],
            isr: vec![1, 2, 3],
            elr: vec![],
            leader: Some(1),
            leader_epoch: 0,
        };
        board.add_topic(ClusterId(0), "orders", TopicId(5), &[view]);
        (1..=3).for_each(|id| board.on_node(NodeId::new(0, id), true));
        board
    }

    fn became_leader(leader_epoch: LeaderEpoch) -> Fact {
        Fact::BecameLeader {
            partition: PARTITION,
            leader_epoch,
            partition_epoch: 1,
            epoch_start: 7,
            high_watermark: 4,
            isr: vec![2, 3],
        }
    }

    #[test]
    fn an_older_leader_no_longer_speaks_for_the_partition() {
        let mut board = board();
        board.on_fact(NodeId::new(0, 2), &became_leader(2));
        let late = Fact::HighWatermark {
            partition: PARTITION,
            as_leader: true,
            leader_epoch: 1,
            offset: 90,
        };
        board.on_fact(NodeId::new(0, 1), &late);
        let row = board.row(0);
        assert_eq!((row.leader, row.high_watermark, row.log_end), (Some(2), 4, 7));
        assert_eq!(board.leader(0), Some(NodeId::new(0, 2)));
        board.on_node(NodeId::new(0, 2), false);
        assert_eq!(board.leader(0), None, "it is down");
    }

    #[test]
    fn records_count_until_they_are_decided() {
        let mut board = board();
        let client = NodeId::new(0, 1001);
        for record in 0..3 {
            let sent = ClientFact::Sent { record, partition: PARTITION, acks: -1 };
            board.on_fact(client, &Fact::Client(sent));
        }
        let confirmed = ClientFact::Confirmed {
            partition: PARTITION,
            base_offset: Some(0),
            records: vec![0, 1],
            over: None,
        };
        board.on_fact(client, &Fact::Client(confirmed));
        let records = board.row(0).records;
        assert_eq!((records.sent, records.acked, records.decided), (3, 2, 2));
    }
}
