//! The state of the cluster: the replay of the metadata log (`MetadataImage`).

use super::broker::BrokerRegistration;
use super::delta::Touched;
use super::error::ReplayError;
use super::partition::PartitionRegistration;
use super::record::{ConfigResource, Feature, MetadataRecord, PartitionRecord};
use crate::config::TopicConfig;
use crate::ids::{BrokerId, Offset, TopicId, TopicPartition};
use machine::Digest;
use std::collections::BTreeMap;
use std::hash::Hash;

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicImage {
    /// Unique among the topics that exist.
    pub name: String,
    /// Unique for all time (KIP-516).
    pub id: TopicId,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionRegistration>,
    /// The properties set for the topic.
    pub overrides: BTreeMap<String, String>,
    /// Its configuration: its own properties over the cluster's over the node's.
    pub config: TopicConfig,
}

/// The state of the cluster at an offset of the metadata log. It changes by replay only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataImage {
    /// The last offset replayed; -1 if none.
    offset: Offset,
    brokers: BTreeMap<BrokerId, BrokerRegistration>,
    topics: BTreeMap<TopicId, TopicImage>,
    names: BTreeMap<String, TopicId>,
    features: BTreeMap<Feature, u16>,
    /// The first producer id that is not allocated to any broker (KIP-730).
    next_producer_id: i64,
    /// Properties set for the cluster.
    overrides: BTreeMap<String, String>,
    /// The node's own values.
    node_defaults: TopicConfig,
    /// `overrides` over `node_defaults`.
    defaults: TopicConfig,
    /// The sum over all parts; see [`super::checksum`].
    sum: u128,
}

impl MetadataImage {
    /// An empty cluster. `defaults` are the node's own values of topic properties, for properties
    /// that are set neither for the topic nor for the cluster.
    pub fn new(defaults: TopicConfig) -> Self {
        Self {
            offset: -1,
            brokers: BTreeMap::new(),
            topics: BTreeMap::new(),
            names: BTreeMap::new(),
            features: BTreeMap::new(),
            next_producer_id: 0,
            overrides: BTreeMap::new(),
            node_defaults: defaults.clone(),
            defaults,
            sum: 0,
        }
    }

    /// The last offset replayed; -1 if none.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// A registered broker.
    pub fn broker(&self, id: BrokerId) -> Option<&BrokerRegistration> {
        self.brokers.get(&id)
    }

    /// All registered brokers, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &BrokerRegistration> {
        self.brokers.values()
    }

    /// Whether a broker is registered, unfenced and not shutting down.
    pub fn is_active(&self, id: BrokerId) -> bool {
        self.brokers.get(&id).is_some_and(BrokerRegistration::is_active)
    }

    /// The topic with this id, if it exists.
    pub fn topic(&self, id: TopicId) -> Option<&TopicImage> {
        self.topics.get(&id)
    }

    /// The topic with this name, if it exists.
    pub fn topic_by_name(&self, name: &str) -> Option<&TopicImage> {
        self.topics.get(self.names.get(name)?)
    }

    /// All topics, by id.
    pub fn topics(&self) -> impl Iterator<Item = &TopicImage> {
        self.topics.values()
    }

    /// The names of all topics in order, with their ids.
    pub fn topic_names(&self) -> impl Iterator<Item = (&str, TopicId)> {
        self.names.iter().map(|(name, id)| (name.as_str(), *id))
    }

    /// A topic's configuration.
    pub fn topic_config(&self, id: TopicId) -> Option<&TopicConfig> {
        self.topics.get(&id).map(|topic| &topic.config)
    }

    /// The configuration of a topic without properties of its own.
    pub fn default_topic_config(&self) -> &TopicConfig {
        &self.defaults
    }

    /// A partition, if it exists.
    pub fn partition(&self, partition: TopicPartition) -> Option<&PartitionRegistration> {
        let index = usize::try_from(partition.partition).ok()?;
        self.topics.get(&partition.topic)?.partitions.get(index)
    }

    /// All partitions, by topic id and index.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicPartition, &PartitionRegistration)> {
        self.topics.values().flat_map(|topic| {
            let indexed = (0..).zip(&topic.partitions);
            indexed.map(|(index, state)| (TopicPartition::new(topic.id, index), state))
        })
    }

    /// The level of a feature; 0 if it was never set.
    pub fn feature(&self, feature: Feature) -> u16 {
        self.features.get(&feature).copied().unwrap_or(0)
    }

    /// The first producer id that is not allocated to any broker.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Skips offsets without metadata, which control records have.
    ///
    /// # Errors
    ///
    /// If `offset` has been replayed already.
    pub fn skip_to(&mut self, offset: Offset) -> Result<(), ReplayError> {
        if offset <= self.offset {
            return Err(ReplayError::OutOfOrder { offset, image: self.offset });
        }
        self.offset = offset;
        Ok(())
    }

    /// A checksum of everything that was replayed. Images at the same offset of one log have equal
    /// checksums; images that differ have different ones, except with probability 2^-128.
    pub fn checksum(&self) -> u128 {
        self.sum
    }

    /// The properties that are set for the cluster.
    pub(super) fn overrides(&self) -> &BTreeMap<String, String> {
        &self.overrides
    }

    /// The levels of the features that were ever set.
    pub(super) fn features(&self) -> &BTreeMap<Feature, u16> {
        &self.features
    }

    /// Applies the record at `offset` and returns the part of the image that it changed.
    ///
    /// # Errors
    ///
    /// If the record does not follow the image, of which then only the offset changes.
    pub fn replay(
        &mut self,
        offset: Offset,
        record: &MetadataRecord,
    ) -> Result<Touched, ReplayError> {
        self.skip_to(offset)?;
        let before = self.sum_of(record);
        let touched = self.apply(offset, record)?;
        self.sum = self.sum.wrapping_sub(before).wrapping_add(self.sum_of(record));
        Ok(touched)
    }

    fn apply(&mut self, offset: Offset, record: &MetadataRecord) -> Result<Touched, ReplayError> {
        match record {
            MetadataRecord::RegisterBroker(record) => {
                self.brokers.insert(record.broker, BrokerRegistration::new(offset, record));
                Ok(Touched::Broker(record.broker))
            }
            MetadataRecord::UnregisterBroker { broker, broker_epoch } => {
                self.living(*broker, *broker_epoch)?;
                self.brokers.remove(broker);
                Ok(Touched::Broker(*broker))
            }
            MetadataRecord::BrokerRegistrationChange(record) => {
                self.living(record.broker, record.broker_epoch)?.apply(record);
                Ok(Touched::Broker(record.broker))
            }
            MetadataRecord::Topic { name, id } => self.add_topic(name, *id),
            MetadataRecord::Partition(record) => self.add_partition(record),
            MetadataRecord::PartitionChange(record) => {
                let partition = record.partition;
                let state = self.partition_mut(partition);
                state.ok_or(ReplayError::NoSuchPartition(partition))?.apply(record);
                Ok(Touched::Partition(partition))
            }
            MetadataRecord::RemoveTopic { id } => {
                let topic = self.topics.remove(id).ok_or(ReplayError::NoSuchTopic(*id))?;
                self.names.remove(&topic.name);
                Ok(Touched::Topic(*id))
            }
            MetadataRecord::Config { resource: ConfigResource::Topic(id), name, value } => {
                self.configure_topic(*id, name, value.as_deref())
            }
            MetadataRecord::Config { resource: ConfigResource::Cluster, name, value } => {
                self.configure_cluster(name, value.as_deref())
            }
            MetadataRecord::FeatureLevel { feature, level } => {
                self.features.insert(*feature, *level);
                Ok(Touched::Nothing)
            }
            MetadataRecord::NoOp => Ok(Touched::Nothing),
            MetadataRecord::ProducerIds { next_producer_id, .. } => {
                let (record, image) = (*next_producer_id, self.next_producer_id);
                if record < image {
                    return Err(ReplayError::ProducerIds { record, image });
                }
                self.next_producer_id = record;
                Ok(Touched::Nothing)
            }
        }
    }

    fn living(
        &mut self,
        broker: BrokerId,
        epoch: i64,
    ) -> Result<&mut BrokerRegistration, ReplayError> {
        let registration = self.brokers.get_mut(&broker);
        registration
            .filter(|registration| registration.epoch == epoch)
            .ok_or(ReplayError::NoSuchBroker(broker))
    }

    fn partition_mut(&mut self, partition: TopicPartition) -> Option<&mut PartitionRegistration> {
        let index = usize::try_from(partition.partition).ok()?;
        self.topics.get_mut(&partition.topic)?.partitions.get_mut(index)
    }

    fn add_topic(&mut self, name: &str, id: TopicId) -> Result<Touched, ReplayError> {
        if self.names.contains_key(name) || self.topics.contains_key(&id) {
            return Err(ReplayError::TopicExists(id));
        }
        self.names.insert(name.to_owned(), id);
        let topic = TopicImage {
            name: name.to_owned(),
            id,
            partitions: Vec::new(),
            overrides: BTreeMap::new(),
            config: self.defaults.clone(),
        };
        self.topics.insert(id, topic);
        Ok(Touched::Topic(id))
    }

    fn add_partition(&mut self, record: &PartitionRecord) -> Result<Touched, ReplayError> {
        let TopicPartition { topic, partition } = record.partition;
        let partitions =
            &mut self.topics.get_mut(&topic).ok_or(ReplayError::NoSuchTopic(topic))?.partitions;
        if usize::try_from(partition) != Ok(partitions.len()) {
            return Err(ReplayError::NoSuchPartition(record.partition));
        }
        partitions.push(PartitionRegistration::new(record));
        Ok(Touched::Partition(record.partition))
    }

    fn configure_topic(
        &mut self,
        id: TopicId,
        name: &str,
        value: Option<&str>,
    ) -> Result<Touched, ReplayError> {
        let topic = self.topics.get_mut(&id).ok_or(ReplayError::NoSuchTopic(id))?;
        let overrides = with(&topic.overrides, name, value);
        topic.config = resolve(&self.defaults, &overrides)?;
        topic.overrides = overrides;
        Ok(Touched::Topic(id))
    }

    fn configure_cluster(
        &mut self,
        name: &str,
        value: Option<&str>,
    ) -> Result<Touched, ReplayError> {
        let overrides = with(&self.overrides, name, value);
        self.defaults = resolve(&self.node_defaults, &overrides)?;
        self.overrides = overrides;
        for topic in self.topics.values_mut() {
            topic.config = resolve(&self.defaults, &topic.overrides)?;
        }
        Ok(Touched::Defaults)
    }

    /// Folds in everything that was replayed. The node's own defaults are left out, so that images
    /// of brokers and controllers can be compared.
    pub fn fold(&self, digest: &mut Digest) {
        self.offset.hash(digest);
        self.brokers.hash(digest);
        self.features.hash(digest);
        self.next_producer_id.hash(digest);
        self.overrides.hash(digest);
        for topic in self.topics.values() {
            topic.id.hash(digest);
            topic.name.hash(digest);
            topic.partitions.hash(digest);
            topic.overrides.hash(digest);
        }
    }

    /// The digest of everything that was replayed.
    pub fn digest(&self) -> u128 {
        let mut digest = Digest::default();
        self.fold(&mut digest);
        digest.value()
    }
}

fn with(
    overrides: &BTreeMap<String, String>,
    name: &str,
    value: Option<&str>,
) -> BTreeMap<String, String> {
    let mut overrides = overrides.clone();
    match value {
        Some(value) => overrides.insert(name.to_owned(), value.to_owned()),
        None => overrides.remove(name),
    };
    overrides
}

fn resolve(
    defaults: &TopicConfig,
    overrides: &BTreeMap<String, String>,
) -> Result<TopicConfig, ReplayError> {
    let mut config = defaults.clone();
    for (name, value) in overrides {
        config.set(name, value).map_err(|_| ReplayError::Config)?;
    }
    Ok(config)
}
