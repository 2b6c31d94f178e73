//! The records of the metadata log (`metadata/src/main/resources/common/metadata/*.json`).
//!
//! The fields and their meaning are Kafka's, the bytes are our own ([`MetadataRecord::encode`]).
//! They are the values of records in ordinary record batches.

use super::broker::BrokerRegistration;
use crate::ids::{
    BrokerEpoch, BrokerId, DirectoryId, LeaderEpoch, PartitionEpoch, TopicId, TopicPartition,
};

/// One change of the cluster's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataRecord {
    /// A broker began a life, or registered the same life again.
    RegisterBroker(RegisterBroker),
    /// A broker was removed from the cluster.
    UnregisterBroker {
        /// The `node.id` of the broker.
        broker: BrokerId,
        /// The epoch of the registration that is removed.
        broker_epoch: BrokerEpoch,
    },
    /// A broker was fenced or unfenced, began to shut down, or lost a log directory.
    BrokerRegistrationChange(BrokerRegistrationChange),
    /// A topic was created; its partitions follow in records of their own.
    Topic {
        /// Unique among the topics that exist.
        name: String,
        /// Drawn at random, never used again (KIP-516).
        id: TopicId,
    },
    /// A partition was created.
    Partition(PartitionRecord),
    /// A partition changed.
    PartitionChange(PartitionChange),
    /// A topic was deleted, and its partitions and configuration with it.
    RemoveTopic {
        /// The id of the deleted topic.
        id: TopicId,
    },
    /// A property was set, or with `value: None` reset to its default.
    Config {
        /// The resource that has the property.
        resource: ConfigResource,
        /// The name of the property.
        name: String,
        /// The value.
        value: Option<String>,
    },
    /// A feature was set to a level (KIP-584).
    FeatureLevel {
        /// The feature that is finalized.
        feature: Feature,
        /// The finalized level; 0 switches the feature off.
        level: u16,
    },
    /// Nothing changed. The record moves the log end, so that an idle log differs from a stuck one
    /// (KIP-835).
    NoOp,
    /// A block of producer ids was given to a broker (KIP-730).
    ProducerIds {
        /// The broker that requested it.
        broker: BrokerId,
        /// The epoch of its registration.
        broker_epoch: BrokerEpoch,
        /// The first id after the block: the first that is not issued.
        next_producer_id: i64,
    },
}

/// See [`MetadataRecord::RegisterBroker`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterBroker {
    /// The `node.id` of the broker.
    pub broker: BrokerId,
    /// The id of this life, drawn by the broker.
    pub incarnation: u128,
    /// The number of this life, given by the controller.
    pub broker_epoch: BrokerEpoch,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Whether the broker is fenced: it may neither lead nor join an ISR.
    pub fenced: bool,
    /// It is shutting down.
    pub in_controlled_shutdown: bool,
    /// Its online log directories (KIP-858).
    pub log_dirs: Vec<DirectoryId>,
}

/// See [`MetadataRecord::BrokerRegistrationChange`]; a field that is `None` does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistrationChange {
    /// The `node.id` of the broker.
    pub broker: BrokerId,
    /// The epoch of the registration that changes.
    pub broker_epoch: BrokerEpoch,
    /// Fences (`true`) or unfences the broker.
    pub fenced: Option<bool>,
    /// It is shutting down.
    pub in_controlled_shutdown: Option<bool>,
    /// Its online log directories. An empty list changes nothing either: a broker halts with
    /// its last directory.
    pub log_dirs: Option<Vec<DirectoryId>>,
}

impl BrokerRegistrationChange {
    /// An empty change of this registration.
    pub const fn of(registration: &BrokerRegistration) -> Self {
        Self {
            broker: registration.id,
            broker_epoch: registration.epoch,
            fenced: None,
            in_controlled_shutdown: None,
            log_dirs: None,
        }
    }
}

/// See [`MetadataRecord::Partition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRecord {
    /// The new partition; the partitions of a topic are created in order, from 0.
    pub partition: TopicPartition,
    /// Its replicas in order of preference.
    pub replicas: Vec<BrokerId>,
    /// The log directory of each replica, in the order of the replicas (KIP-858).
    pub directories: Vec<DirectoryId>,
    /// Its in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Its eligible leader replicas (KIP-966).
    pub elr: Vec<BrokerId>,
    /// The last leader, if there is none (KIP-966).
    pub last_known_leader: Option<BrokerId>,
    /// The broker that leads; `None` if no replica may.
    pub leader: Option<BrokerId>,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The version of this state.
    pub partition_epoch: PartitionEpoch,
}

/// See [`MetadataRecord::PartitionChange`]; a field that is `None` does not change. The record has
/// no epochs: the replay increments them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionChange {
    /// The partition that changes.
    pub partition: TopicPartition,
    /// The in-sync replicas.
    pub isr: Option<Vec<BrokerId>>,
    /// The eligible leader replicas.
    pub elr: Option<Vec<BrokerId>>,
    /// The last leader.
    pub last_known_leader: Option<Option<BrokerId>>,
    /// The leader. Naming the present leader begins a new leader epoch as well.
    pub leader: Option<Option<BrokerId>>,
    /// The log directory of each replica, in the order of the replicas (KIP-858).
    pub directories: Option<Vec<DirectoryId>>,
}

impl PartitionChange {
    /// An empty change of a partition.
    pub const fn of(partition: TopicPartition) -> Self {
        Self {
            partition,
            isr: None,
            elr: None,
            last_known_leader: None,
            leader: None,
            directories: None,
        }
    }

    /// Whether nothing changes.
    pub const fn is_empty(&self) -> bool {
        self.isr.is_none()
            && self.elr.is_none()
            && self.last_known_leader.is_none()
            && self.leader.is_none()
            && self.directories.is_none()
    }
}

/// A resource that has properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResource {
    /// The cluster: the default of all topics without the property.
    Cluster,
    /// A topic.
    Topic(TopicId),
}

/// A feature with a level for the whole cluster (KIP-584).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// `metadata.version`: which records and protocol versions are in use.
    MetadataVersion,
    /// `eligible.leader.replicas.version`: 1 if the eligible leader replicas are kept (KIP-966).
    EligibleLeaderReplicas,
    /// `transaction.version`: which version of the transaction protocol is in use (KIP-890). 0: the
    /// original one; 1: records of coordinators have tagged fields; 2: every transaction has a
    /// producer epoch of its own.
    TransactionVersion,
}
