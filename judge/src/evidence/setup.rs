//! The part of the configuration on which promises depend.

use super::Partition;
use machine::{ClusterId, NodeId, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The configuration of a run, as far as promises depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The voters of all metadata quorums. All other nodes with logs are brokers.
    pub controllers: Vec<NodeId>,
    /// `broker.session.timeout.ms`, the shortest of all clusters.
    pub session_timeout: Span,
    /// How much faster or slower than true time monotonic clocks may run, in parts per million.
    pub drift_ppm: u32,
    /// No fault is planned, links and disks are as fast and reliable as by default, and time-outs of
    /// clients are no shorter than by default: nothing can be late.
    pub is_calm: bool,
    /// Links and disks are as fast and reliable as by default.
    pub is_prompt: bool,
    /// `replica.lag.time.max.ms`, the longest of all clusters.
    pub lag_time: Span,
    /// `replica.fetch.wait.max.ms`, the longest of all clusters.
    pub fetch_wait: Span,
    /// `producer.id.expiration.ms`, the shortest of all clusters.
    pub producer_id_expiration: Span,
    /// `replica.fetch.backoff.ms`, the shortest of all clusters.
    pub fetch_back_off: Span,
    /// Disks have a capacity, in bytes.
    pub disk_capacity: Option<u64>,
    /// `eligible.leader.replicas.enable`.
    pub eligible_leader_replicas: bool,
    /// The groups of consumers, by the node of each member.
    pub groups: BTreeMap<NodeId, Arc<str>>,
    /// The consumers whose `isolation.level` is `read_committed`.
    pub read_committed: BTreeSet<NodeId>,
    /// `transaction.state.log.min.isr`, the lowest of all clusters.
    pub state_log_min_isr: usize,
    /// `min.insync.replicas` of `__consumer_offsets`, the lowest of all clusters.
    pub offsets_min_isr: usize,
    /// `unclean.leader.election.enable` of `__consumer_offsets`, in some cluster.
    pub offsets_unclean_election: bool,
    /// What is configured of each group of consumers.
    pub group_setups: BTreeMap<(ClusterId, Arc<str>), GroupSetup>,
    /// How long a transaction may stay open: the longest `transaction.timeout.ms` of all producers,
    /// plus the interval at which coordinators look for overdue transactions.
    pub transaction_timeout: Span,
    /// The topics of the workload.
    pub topics: Vec<TopicSetup>,
    /// The producers; the index is the upper part of the numbers of their records.
    pub producers: Vec<ProducerSetup>,
    /// The producers of members of pipelines, whose numbers follow. In each of their lives they have the
    /// next numbers.
    pub pipelines: Vec<ProducerSetup>,
}

impl Setup {
    /// Whether a replica of a partition that is out of sync may be made leader.
    pub fn allows_unclean_election(&self, of: &Partition) -> bool {
        match of.topic {
            Some(topic) => self.topics[topic].unclean_leader_election,
            None => of.is_offsets_log && self.offsets_unclean_election,
        }
    }

    /// The producer whose records have this number in their upper part.
    pub fn producer(&self, number: usize) -> Option<&ProducerSetup> {
        match number.checked_sub(self.producers.len()) {
            None => self.producers.get(number),
            Some(place) => self.pipelines.get(place.checked_rem(self.pipelines.len())?),
        }
    }

    /// A node that holds logs, in words: `broker 1`, `controller 101`.
    pub fn name(&self, node: NodeId) -> String {
        match self.controllers.contains(&node) {
            true => format!("controller {node}"),
            false => format!("broker {node}"),
        }
    }
}

/// A group of consumers, as far as promises depend on its configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSetup {
    /// Some member commits, or lets `enable.auto.commit` commit, offsets of records that its application
    /// has been given and has not finished with.
    pub commits_early: bool,
    /// `auto.offset.reset=latest` for some member.
    pub resets_to_latest: bool,
    /// `auto.offset.reset=earliest` for some member.
    pub resets_to_earliest: bool,
    /// Its applications write so many results of each input; 0: none.
    pub outputs: u32,
    /// They write results outside of transactions, and so apart from the offsets of the inputs.
    pub outputs_apart: bool,
    /// How long a rebalance waits at least for members that do not join: the shortest
    /// `max.poll.interval.ms`.
    pub rebalance_timeout: Span,
    /// Its applications keep their positions in a store that takes transactions of an earlier claim.
    pub has_unfenced_store: bool,
}

/// A topic of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSetup {
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub name: String,
    /// `min.insync.replicas`.
    pub min_insync_replicas: usize,
    /// Its replication factor.
    pub replication_factor: usize,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election: bool,
    /// `segment.bytes`.
    pub segment_bytes: u64,
    /// `flush.messages`, if logs are synced after a number of them.
    pub flush_messages: Option<u64>,
    /// `flush.ms`, if logs are synced after a time.
    pub flush_ms: Option<u64>,
    /// `cleanup.policy` contains `compact`: batches on disks are rewritten.
    pub compacted: bool,
    /// Producers choose the partition by the key, and no partitions are added.
    pub partitioned_by_key: bool,
}

impl TopicSetup {
    /// `min.insync.replicas`, but no more than there are replicas.
    pub fn effective_min_isr(&self) -> usize {
        self.min_insync_replicas.min(self.replication_factor)
    }
}

/// A producer of the workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerSetup {
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: u32,
    /// `enable.idempotence`.
    pub idempotence: bool,
    /// Its transactions are transfers: of two records, the first takes an amount from one partition and
    /// the second gives it to another.
    pub transfers: bool,
}
