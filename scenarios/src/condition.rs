//! Conditions and targets of scenario files, evaluated against the state of a run.
//!
//! Names are resolved to row numbers once, when the topics exist; measuring is then a few loads.
//! Nothing here influences a run.

use crate::view::Board;
use engine::broker::transaction_partition_of;
use machine::{ClusterId, NodeId, Span};
use sim::Sample;
use sim::random::Key;
use spec::{Comparison, Condition, Metric, MetricKind, PartitionName, Role, Scope, Target};
use std::collections::BTreeSet;
use std::ops::Range;

/// The names of clusters, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct ClusterNames(Vec<String>);

impl ClusterNames {
    /// The names, in the order of the clusters' numbers.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// A node in the form of targets: `101`, or `west/101` in a cluster other than the first.
    pub fn node(&self, node: NodeId) -> String {
        match self.0.get(usize::from(node.cluster.0)) {
            Some(name) if node.cluster.0 > 0 => format!("{name}/{}", node.node),
            _ => node.to_string(),
        }
    }

    /// The name of a cluster other than the first, in the form of targets; `None` for the first.
    pub fn other_than_first(&self, cluster: ClusterId) -> Option<String> {
        (cluster.0 > 0).then(|| self.0.get(usize::from(cluster.0)).cloned())?
    }

    /// The cluster called `name`; the first cluster without a name.
    pub fn id(&self, name: Option<&str>) -> Option<ClusterId> {
        let Some(name) = name else { return Some(ClusterId(0)) };
        let index = self.0.iter().position(|known| known == name)?;
        u8::try_from(index).ok().map(ClusterId)
    }
}

/// A condition whose names have been resolved.
#[derive(Clone, Debug)]
pub enum Compiled {
    /// A comparison of a measure with a value.
    Compare(Measure, Comparison, i64),
    /// All of these hold.
    All(Vec<Compiled>),
    /// At least one of these holds.
    Any(Vec<Compiled>),
}

/// A measure whose names have been resolved.
#[derive(Clone, Debug)]
pub enum Measure {
    /// Nanoseconds since the load began.
    Time,
    /// A measure of one partition, by its row.
    Partition(MetricKind, usize),
    /// A measure summed over rows of partitions.
    Rows(MetricKind, Range<usize>),
    /// A measure of a cluster.
    Cluster(MetricKind, ClusterId),
    /// A measure of something that does not exist, which is 0.
    Nothing,
}

impl Compiled {
    /// Resolves the names of a condition.
    pub fn new(condition: &Condition, clusters: &ClusterNames, board: &Board) -> Self {
        let parts = |parts: &[Condition]| -> Vec<Self> {
            parts.iter().map(|part| Self::new(part, clusters, board)).collect()
        };
        match condition {
            Condition::Compare { metric, comparison, value } => {
                Self::Compare(measure(metric, clusters, board), *comparison, *value)
            }
            Condition::All(all) => Self::All(parts(all)),
            Condition::Any(any) => Self::Any(parts(any)),
        }
    }

    /// Whether it holds, `elapsed` after the load began.
    pub fn holds(&self, board: &Board, elapsed: Span) -> bool {
        match self {
            Self::Compare(measure, comparison, value) => {
                comparison.holds(measure.value(board, elapsed), *value)
            }
            Self::All(parts) => parts.iter().all(|part| part.holds(board, elapsed)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(board, elapsed)),
        }
    }

    /// The earliest time after `elapsed` at which time alone may change the result.
    pub fn next_moment(&self, elapsed: Span) -> Option<Span> {
        match self {
            // For `>` the result changes one nanosecond later.
            Self::Compare(Measure::Time, _, value) => {
                let value = u64::try_from(*value).ok()?;
                [value, value + 1].map(Span).into_iter().find(|moment| *moment > elapsed)
            }
            Self::Compare(..) => None,
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().filter_map(|part| part.next_moment(elapsed)).min()
            }
        }
    }
}

fn measure(metric: &Metric, clusters: &ClusterNames, board: &Board) -> Measure {
    let Some(cluster) = clusters.id(metric.cluster.as_deref()) else { return Measure::Nothing };
    let rows_of = |topic: &str| -> Range<usize> {
        let rows = board.topic(cluster, topic);
        rows.first().map_or(0..0, |first| *first..first + rows.len())
    };
    match (&metric.scope, metric.kind) {
        (_, MetricKind::Time) => Measure::Time,
        (_, kind @ (MetricKind::Controller | MetricKind::BrokersUp)) => {
            Measure::Cluster(kind, cluster)
        }
        (Scope::All, kind) => Measure::Rows(kind, 0..board.rows().count()),
        (Scope::Topic(topic), kind) => Measure::Rows(kind, rows_of(topic)),
        (Scope::Partition(name), kind) => {
            row(name, cluster, board).map_or(Measure::Nothing, |row| Measure::Partition(kind, row))
        }
    }
}

/// The row of a partition.
pub fn row(name: &PartitionName, cluster: ClusterId, board: &Board) -> Option<usize> {
    let index = usize::try_from(name.partition).ok()?;
    board.topic(cluster, &name.topic).get(index).copied()
}

impl Measure {
    fn value(&self, board: &Board, elapsed: Span) -> i64 {
        match self {
            Self::Time => i64::try_from(elapsed.0).unwrap_or(i64::MAX),
            Self::Partition(kind, row) => of_partition(*kind, *row, board),
            Self::Rows(kind, rows) => rows.clone().map(|row| of_partition(*kind, row, board)).sum(),
            Self::Cluster(MetricKind::Controller, cluster) => {
                board.controller(*cluster).map_or(0, |node| i64::from(node.node))
            }
            Self::Cluster(_, cluster) => board
                .up()
                .filter(|node| node.cluster == *cluster && crate::roles::is_broker(*node))
                .count() as i64,
            Self::Nothing => 0,
        }
    }
}

fn of_partition(kind: MetricKind, index: usize, board: &Board) -> i64 {
    let row = board.row(index);
    match kind {
        MetricKind::HighWatermark => row.high_watermark,
        MetricKind::LogEnd => row.log_end,
        MetricKind::Leader => board.leader(index).map_or(0, |node| i64::from(node.node)),
        MetricKind::LeaderEpoch => i64::from(row.leader_epoch),
        MetricKind::InSync => row.isr.len() as i64,
        MetricKind::Sent => row.records.sent,
        MetricKind::Acked => row.records.acked,
        MetricKind::Unacked => row.records.sent - row.records.decided,
        MetricKind::Delivered => row.records.delivered,
        MetricKind::Time | MetricKind::Controller | MetricKind::BrokersUp => 0,
    }
}

/// The internal topic in which transaction coordinators keep their state.
const TRANSACTION_STATE: &str = "__transaction_state";
/// The internal topic in which group coordinators keep groups and offsets.
const CONSUMER_OFFSETS: &str = "__consumer_offsets";

/// The nodes of a world by role, for targets.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// The names of clusters.
    pub clusters: ClusterNames,
    /// Brokers and controllers.
    pub servers: Vec<NodeId>,
    /// Clients that produce.
    pub producers: Vec<NodeId>,
    /// Clients that consume.
    pub consumers: Vec<NodeId>,
    /// Stores of consuming applications.
    pub stores: Vec<NodeId>,
    /// The groups of consumers. A name that is a transactional id as well means that.
    pub groups: BTreeSet<String>,
}

/// The nodes that a target currently means. If the seed chooses, it ranks all brokers once for each
/// partition, so that `follower(orders-0)` means the same broker in successive faults as long as
/// that broker is in sync.
pub fn resolve(target: &Target, seed: u64, board: &Board, roster: &Roster) -> Vec<NodeId> {
    let Some(cluster) = roster.clusters.id(target.cluster.as_deref()) else { return Vec::new() };
    let of_cluster = |nodes: &[NodeId]| -> Vec<NodeId> {
        nodes.iter().copied().filter(|node| node.cluster == cluster).collect()
    };
    let servers = |wanted: fn(NodeId) -> bool| -> Vec<NodeId> {
        of_cluster(&roster.servers).into_iter().filter(|node| wanted(*node)).collect()
    };
    let row_of = |name: &PartitionName| row(name, cluster, board);
    let brokers_of = |name: &PartitionName, include: &dyn Fn(usize, NodeId) -> bool| {
        let Some(row) = row_of(name) else { return Vec::new() };
        let replicas = board.row(row).replicas.iter();
        let nodes = replicas.map(|id| NodeId { cluster, node: *id });
        nodes.filter(|node| include(row, *node)).collect::<Vec<_>>()
    };
    match &target.role {
        Role::Leader(name) => row_of(name).and_then(|row| board.leader(row)).into_iter().collect(),
        Role::Follower(name) => {
            let followers = brokers_of(name, &|row, node| {
                let row_state = board.row(row);
                row_state.leader != Some(node.node)
                    && row_state.isr.contains(&node.node)
                    && board.is_up(node)
            });
            first_by_rank(seed, name.partition as u64, followers)
        }
        Role::Followers(name) => {
            brokers_of(name, &|row, node| board.row(row).leader != Some(node.node))
        }
        Role::Replicas(name) => brokers_of(name, &|_, _| true),
        Role::Coordinator(id) => {
            let topic = match roster.groups.contains(id) {
                true => CONSUMER_OFFSETS,
                false => TRANSACTION_STATE,
            };
            let rows = board.topic(cluster, topic);
            let index = |count| usize::try_from(transaction_partition_of(id, count)).ok();
            let count = i32::try_from(rows.len()).ok().filter(|count| *count > 0);
            let row = count.and_then(index).and_then(|index| rows.get(index).copied());
            row.and_then(|row| board.leader(row)).into_iter().collect()
        }
        Role::ActiveController => board.controller(cluster).into_iter().collect(),
        Role::Standby => {
            let active = board.controller(cluster);
            let mut standby = servers(crate::roles::is_controller);
            standby.retain(|node| Some(*node) != active && board.is_up(*node));
            first_by_rank(seed, u64::MAX, standby)
        }
        Role::Broker(id) | Role::Controller(id) | Role::Client(id) => {
            vec![NodeId { cluster, node: *id }]
        }
        Role::AnyBroker => {
            let mut brokers = servers(crate::roles::is_broker);
            brokers.retain(|node| board.is_up(*node));
            first_by_rank(seed, u64::MAX - 1, brokers)
        }
        Role::Brokers => servers(crate::roles::is_broker),
        Role::Controllers => servers(crate::roles::is_controller),
        Role::Servers => servers(|_| true),
        Role::Producers => of_cluster(&roster.producers),
        Role::Consumers => of_cluster(&roster.consumers),
        Role::Clients => {
            let mut clients = of_cluster(&roster.producers);
            clients.extend(of_cluster(&roster.consumers));
            clients
        }
        Role::Everyone => {
            let mut everyone = servers(|_| true);
            everyone.extend(of_cluster(&roster.producers));
            everyone.extend(of_cluster(&roster.consumers));
            everyone
        }
    }
}

fn first_by_rank(seed: u64, of: u64, nodes: Vec<NodeId>) -> Vec<NodeId> {
    let key = Key::new(seed, "target", of);
    let rank = |node: &NodeId| key.draw(u64::from(node.node), u64::from(node.cluster.0)).bits();
    nodes.into_iter().min_by_key(rank).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::PartitionView;
    use engine::ids::{TopicId, TopicPartition};

    /// The coordinator of a transactional id leads the partition that the hash of the id gives.
    #[test]
    fn a_coordinator_is_the_leader_of_the_partition_of_its_transactional_id() {
        let (mut board, topic) = (Board::default(), TopicId(9));
        let target = |id: &str| Target { cluster: None, role: Role::Coordinator(id.to_owned()) };
        let roster = Roster::default();
        assert!(resolve(&target("hello"), 7, &board, &roster).is_empty(), "no topic yet");
        let views: Vec<PartitionView> = (0..3)
            .map(|partition| PartitionView {
                cluster: ClusterId(0),
                partition: TopicPartition::new(topic, partition),
                replicas: vec![1, 2, 3],
                isr: vec![1, 2, 3],
                elr: vec![],
                leader: Some(1 + partition as u16),
                leader_epoch: 0,
            })
            .collect();
        board.add_internal(ClusterId(0), "__transaction_state", topic, &views);
        (1..=3).for_each(|id| board.on_node(NodeId::new(0, id), true));
        // Their hashes are 99162322 and 3572568 (`String.hashCode`).
        assert_eq!(resolve(&target("hello"), 7, &board, &roster), [NodeId::new(0, 2)]);
        assert_eq!(resolve(&target("tx-a"), 7, &board, &roster), [NodeId::new(0, 1)]);
        board.on_node(NodeId::new(0, 2), false);
        assert!(resolve(&target("hello"), 7, &board, &roster).is_empty(), "it is down");
    }
}
