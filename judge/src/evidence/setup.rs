//! What was configured, as far as promises depend on it.

use machine::{ClusterId, NodeId};

/// What a run was configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The voters of all metadata quorums.
    pub controllers: Vec<NodeId>,
    /// `eligible.leader.replicas.enable`.
    pub eligible_leader_replicas: bool,
    /// The topics of the workload.
    pub topics: Vec<TopicSetup>,
    /// The producers; the index is the upper part of the numbers of their records.
    pub producers: Vec<ProducerSetup>,
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
    /// `flush.messages`, if logs are synced after a number of them.
    pub flush_messages: Option<u64>,
    /// `flush.ms`, if logs are synced after a time.
    pub flush_ms: Option<u64>,
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
}
