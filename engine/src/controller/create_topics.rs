//! New topics (`ReplicationControlManager.createTopics`; KIP-516).

use super::cluster::{Cluster, Decision};
use super::placement::{UsableBroker, place};
use crate::Outbox;
use crate::config::TopicConfig;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, DirectoryId, TopicId, TopicPartition};
use crate::metadata::{ConfigResource, MetadataRecord, PartitionRecord, is_valid_topic_name};
use crate::protocol::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::rules::election::{How, Reason};
use machine::Span;
use rand::{Rng, RngExt};
use std::collections::{BTreeMap, BTreeSet};

/// `num.partitions` and `default.replication.factor`, which -1 in a request stands for.
const DEFAULT_COUNT: usize = 1;

impl Cluster<'_> {
    /// Creates the valid topics; each of the others gets an error.
    pub(super) fn create_topics(
        &self,
        request: &CreateTopicsRequest,
        rng: &mut impl Rng,
        out: &mut Outbox,
    ) -> Decision<CreateTopicsResponse> {
        let mut records = Vec::new();
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in &request.topics {
            *names.entry(&topic.name).or_default() += 1;
        }
        // A name that occurs several times has one entry in the response.
        let mut named = BTreeSet::new();
        let topics = request
            .topics
            .iter()
            .filter(|topic| named.insert(topic.name.as_str()))
            .map(|topic| {
                let created = if request.timeout == Span::ZERO {
                    Err(ErrorCode::RequestTimedOut)
                } else if names[topic.name.as_str()] > 1 {
                    Err(ErrorCode::InvalidRequest)
                } else {
                    self.create_topic(topic, rng, &mut records, out)
                };
                let name = topic.name.clone();
                match created {
                    Ok(topic) => CreatableTopicResult { name, topic, error: ErrorCode::None },
                    Err(error) => CreatableTopicResult { name, topic: TopicId::default(), error },
                }
            })
            .collect();
        Decision { records, response: CreateTopicsResponse { topics } }
    }

    fn create_topic(
        &self,
        topic: &CreatableTopic,
        rng: &mut impl Rng,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) -> Result<TopicId, ErrorCode> {
        self.check_name(&topic.name)?;
        let mut config = TopicConfig::default();
        for (name, value) in &topic.configs {
            config.set(name, value).map_err(|_| ErrorCode::InvalidConfig)?;
        }
        let assignments = self.assign(topic, rng)?;
        let leaders = self.first_leaders(&assignments, topic.assignments.is_empty())?;

        let id = self.new_topic_id(rng);
        records.push(MetadataRecord::Topic { name: topic.name.clone(), id });
        records.extend(topic.configs.iter().map(|(name, value)| MetadataRecord::Config {
            resource: ConfigResource::Topic(id),
            name: name.clone(),
            value: Some(value.clone()),
        }));
        for (index, (replicas, isr)) in (0..).zip(assignments.into_iter().zip(leaders)) {
            let partition = TopicPartition::new(id, index);
            let directories = replicas.iter().map(|id| self.default_dir(*id)).collect();
            let record = new_partition(partition, replicas, directories, isr);
            out.observe(first_leader(&record));
            records.push(MetadataRecord::Partition(record));
        }
        Ok(id)
    }

    fn check_name(&self, name: &str) -> Result<(), ErrorCode> {
        if !is_valid_topic_name(name) {
            return Err(ErrorCode::InvalidTopicException);
        }
        if self.image.topic_by_name(name).is_some() {
            return Err(ErrorCode::TopicAlreadyExists);
        }
        // Names of metrics have '_' in place of '.', so the names of two topics must not differ in
        // that alone.
        let plain = |name: &str| name.replace('.', "_");
        if !name.contains(['.', '_']) {
            return Ok(());
        }
        let collides = self.image.topic_names().any(|(other, _)| plain(other) == plain(name));
        if collides { Err(ErrorCode::InvalidTopicException) } else { Ok(()) }
    }

    fn assign(
        &self,
        topic: &CreatableTopic,
        rng: &mut impl Rng,
    ) -> Result<Vec<Vec<BrokerId>>, ErrorCode> {
        if !topic.assignments.is_empty() {
            self.check_assignments(&topic.assignments)?;
            return Ok(topic.assignments.clone());
        }
        let count = |asked: i32, error| match asked {
            -1 => Ok(DEFAULT_COUNT),
            asked => usize::try_from(asked).ok().filter(|count| *count > 0).ok_or(error),
        };
        let factor = i32::from(topic.replication_factor);
        let factor = count(factor, ErrorCode::InvalidReplicationFactor)?;
        let partitions = count(topic.num_partitions, ErrorCode::InvalidPartitions)?;
        let usable = self.image.brokers().filter(|broker| !broker.in_controlled_shutdown);
        let usable = usable.map(|broker| UsableBroker {
            id: broker.id,
            rack: broker.rack.clone(),
            fenced: broker.fenced,
        });
        place(partitions, factor, usable, rng)
    }

    fn check_assignments(&self, assignments: &[Vec<BrokerId>]) -> Result<(), ErrorCode> {
        let factor = assignments[0].len();
        let is_fine = |replicas: &Vec<BrokerId>| {
            let distinct = replicas.iter().enumerate().all(|(at, id)| !replicas[..at].contains(id));
            let registered = replicas.iter().all(|id| self.image.broker(*id).is_some());
            factor > 0 && replicas.len() == factor && distinct && registered
        };
        if assignments.iter().all(is_fine) {
            Ok(())
        } else {
            Err(ErrorCode::InvalidReplicaAssignment)
        }
    }

    /// The first ISR of each partition: its active replicas, in order.
    fn first_leaders(
        &self,
        assignments: &[Vec<BrokerId>],
        placed: bool,
    ) -> Result<Vec<Vec<BrokerId>>, ErrorCode> {
        let error = if placed {
            ErrorCode::InvalidReplicationFactor
        } else {
            ErrorCode::InvalidReplicaAssignment
        };
        let active = |replicas: &Vec<BrokerId>| {
            let isr: Vec<_> =
                replicas.iter().copied().filter(|id| self.image.is_active(*id)).collect();
            if isr.is_empty() { Err(error) } else { Ok(isr) }
        };
        assignments.iter().map(active).collect()
    }

    /// Draws an id that no topic has and that is not reserved.
    fn new_topic_id(&self, rng: &mut impl Rng) -> TopicId {
        loop {
            let id = TopicId(rng.random());
            if id > TopicId::METADATA && self.image.topic(id).is_none() {
                return id;
            }
        }
    }
}

fn new_partition(
    partition: TopicPartition,
    replicas: Vec<BrokerId>,
    directories: Vec<DirectoryId>,
    isr: Vec<BrokerId>,
) -> PartitionRecord {
    PartitionRecord {
        partition,
        replicas,
        directories,
        leader: isr.first().copied(),
        isr,
        elr: Vec::new(),
        last_known_leader: None,
        leader_epoch: 0,
        partition_epoch: 0,
    }
}

fn first_leader(record: &PartitionRecord) -> Fact {
    Fact::Elected {
        partition: record.partition,
        leader: record.leader,
        previous: None,
        leader_epoch: record.leader_epoch,
        isr: record.isr.clone(),
        elr: Vec::new(),
        reason: Reason::Ordinary,
        how: How::Clean,
    }
}
