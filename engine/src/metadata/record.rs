//! The records of the metadata log (`metadata/src/main/resources/common/metadata/*.json`).
//!
//! The fields and their meaning are Kafka's, the bytes are our own ([`MetadataRecord::encode`]).
//! They travel as record values inside ordinary record batches.

use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, TopicId, TopicPartition};

/// One change of the cluster's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataRecord {
    /// A broker began a life, or repeats what it said about it.
    RegisterBroker(RegisterBroker),
    /// A broker was taken out of the cluster.
    UnregisterBroker {
        /// The broker.
        broker: BrokerId,
        /// Its life.
        broker_epoch: BrokerEpoch,
    },
    /// A broker was fenced or unfenced, or began to shut down.
    BrokerRegistrationChange(BrokerRegistrationChange),
    /// A topic was created; its partitions follow in records of their own.
    Topic {
        /// Its name.
        name: String,
        /// Its id.
        id: TopicId,
    },
    /// A partition was created.
    Partition(PartitionRecord),
    /// A partition changed.
    PartitionChange(PartitionChange),
    /// A topic was deleted, and its partitions and configuration with it.
    RemoveTopic {
        /// The topic.
        id: TopicId,
    },
    /// A property was set, or with `value: None` went back to its default.
    Config {
        /// Of what.
        resource: ConfigResource,
        /// The property.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// A feature was set to a level (KIP-584).
    FeatureLevel {
        /// The feature.
        feature: Feature,
        /// Its level.
        level: u16,
    },
    /// Nothing changed; the log goes on so that its end can be seen to move (KIP-835).
    NoOp,
}

/// See [`MetadataRecord::RegisterBroker`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterBroker {
    /// The broker.
    pub broker: BrokerId,
    /// Names this life; the broker chose it.
    pub incarnation: u128,
    /// Numbers this life; the controller chose it.
    pub broker_epoch: BrokerEpoch,
    /// Its rack.
    pub rack: Option<String>,
    /// It is fenced.
    pub fenced: bool,
    /// It is shutting down.
    pub in_controlled_shutdown: bool,
}

/// See [`MetadataRecord::BrokerRegistrationChange`]; a field that is `None` does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistrationChange {
    /// The broker.
    pub broker: BrokerId,
    /// Its life.
    pub broker_epoch: BrokerEpoch,
    /// It is fenced.
    pub fenced: Option<bool>,
    /// It is shutting down.
    pub in_controlled_shutdown: Option<bool>,
}

/// See [`MetadataRecord::Partition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRecord {
    /// The partition.
    pub partition: TopicPartition,
    /// Its replicas in order of preference.
    pub replicas: Vec<BrokerId>,
    /// Its in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Its eligible leader replicas (KIP-966).
    pub elr: Vec<BrokerId>,
    /// Who led last, if nobody can say more than it (KIP-966).
    pub last_known_leader: Option<BrokerId>,
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// Since which epoch.
    pub leader_epoch: LeaderEpoch,
    /// The version of this state.
    pub partition_epoch: PartitionEpoch,
}

/// See [`MetadataRecord::PartitionChange`]; a field that is `None` does not change. Epochs are
/// not told: the replay counts them up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionChange {
    /// The partition.
    pub partition: TopicPartition,
    /// The in-sync replicas.
    pub isr: Option<Vec<BrokerId>>,
    /// The eligible leader replicas.
    pub elr: Option<Vec<BrokerId>>,
    /// Who led last.
    pub last_known_leader: Option<Option<BrokerId>>,
    /// Who leads. Naming the present leader begins a new leader epoch all the same.
    pub leader: Option<Option<BrokerId>>,
}

impl PartitionChange {
    /// A change of nothing yet.
    pub const fn of(partition: TopicPartition) -> Self {
        Self { partition, isr: None, elr: None, last_known_leader: None, leader: None }
    }

    /// Whether nothing changes.
    pub const fn is_empty(&self) -> bool {
        self.isr.is_none()
            && self.elr.is_none()
            && self.last_known_leader.is_none()
            && self.leader.is_none()
    }
}

/// What a property belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResource {
    /// The cluster: the default of all topics that do not set the property themselves.
    Cluster,
    /// A topic.
    Topic(TopicId),
}

/// A feature whose level the cluster agrees on (KIP-584).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// `metadata.version`: which records and protocol versions are in use.
    MetadataVersion,
    /// `eligible.leader.replicas.version`: 1 if the eligible leader replicas are kept (KIP-966).
    EligibleLeaderReplicas,
}
