//! Builds the simulated world of a scenario, with nodes that have not started yet.

mod members;

use super::deadline::largest_fetch;
use super::setup::{is_transactional, setup};
use crate::condition::{ClusterNames, Roster};
use crate::museum;
use crate::node::{Node, NodeConfig};
use crate::plan::Election;
use crate::roles::{ADMIN, FIRST_BROKER, FIRST_CLIENT, FIRST_CONTROLLER, READER};
use crate::workload::{
    AdminAppConfig, ApplicationConfig, ConsumerAppConfig, ProducerAppConfig, ReaderAppConfig,
    Repeats, Schedule, Transactions,
};
use engine::broker::BrokerSettings;
use engine::client::Pattern;
use engine::config::{IsolationLevel, ProducerConfig};
use engine::controller::ControllerSettings;
use engine::ids::BrokerId;
use engine::protocol::CreatableTopic;
use engine::rules::Rulebook;
use judge::evidence;
use machine::{NodeId, Span};
use sim::{DiskProfile, HostConfig, LinkProfile, Sample, World, WorldConfig};
use spec::{self, Clocks, Resolved, Scenario};
use std::collections::BTreeSet;

/// A world, and the roles of its nodes.
pub(super) struct Built {
    pub(super) world: World<Node>,
    pub(super) roster: Roster,
    pub(super) admins: Vec<NodeId>,
    pub(super) readers: Vec<NodeId>,
    pub(super) setup: evidence::Setup,
}

/// Builds the world of a run under `rules`. `elections` are the elections that its admin clients may
/// have to request.
pub(super) fn build(resolved: &Resolved, rules: Rulebook, elections: &[Election]) -> Built {
    let Resolved { scenario, seed, trace, .. } = resolved;
    let config = WorldConfig {
        link: LinkProfile::default(),
        disk: disk(&scenario.disk),
        trace: *trace,
        ..WorldConfig::default()
    };
    let mut builder = Builder {
        scenario,
        seed: *seed,
        rules,
        panics: museum::provoked::is_in(&resolved.bugs),
        world: World::new(*seed, config),
        roster: Roster {
            clusters: ClusterNames::new(scenario.clusters.iter().map(|c| c.name.clone())),
            ..Roster::default()
        },
    };
    let (mut admins, mut readers) = (Vec::new(), Vec::new());
    for cluster in 0..scenario.clusters.len() {
        builder.add_servers(cluster);
        admins.push(builder.add_admin(cluster, elections));
        readers.push(builder.add_reader(cluster));
    }
    builder.add_producers();
    builder.add_consumers();
    builder.add_stores();
    builder.set_links();
    let setup = setup(scenario, &builder.roster);
    let Builder { world, roster, .. } = builder;
    Built { world, roster, admins, readers, setup }
}

/// The rules of a run: Kafka's, or those with bugs put in, compared with Kafka's.
pub(super) fn rulebook(bugs: &[String]) -> Rulebook {
    let bugs: Vec<_> = bugs.iter().filter_map(|id| museum::find(id)).collect();
    match bugs.is_empty() {
        true => Rulebook::kafka(),
        false => Rulebook::compared(museum::rules_with(&bugs)),
    }
}

struct Builder<'a> {
    scenario: &'a Scenario,
    seed: u64,
    rules: Rulebook,
    /// Whether broker 1 is to panic.
    panics: bool,
    world: World<Node>,
    roster: Roster,
}

impl Builder<'_> {
    fn add(&mut self, node: NodeId, config: NodeConfig) {
        self.add_with_disks(node, config, Vec::new());
    }

    /// Adds a node with a disk of its own for each of these directories.
    fn add_with_disks(&mut self, node: NodeId, config: NodeConfig, directories: Vec<String>) {
        let host = host(&self.scenario.clocks, self.seed, node);
        self.world.add_node(node, config, HostConfig { directories, ..host });
    }

    fn add_servers(&mut self, index: usize) {
        let cluster = &self.scenario.clusters[index];
        let id = |node| NodeId::new(index as u8, node);
        let voters = voters(cluster);
        for controller in &voters {
            let settings = ControllerSettings {
                config: cluster.controller.config(),
                topic_defaults: cluster.topic.config(),
                voters: voters.clone(),
                rules: self.rules,
            };
            self.roster.servers.push(id(*controller));
            self.add(id(*controller), NodeConfig::Controller(Box::new(settings)));
        }
        for broker in brokers(cluster) {
            let settings = BrokerSettings {
                node: id(broker),
                rack: cluster.rack(broker).map(str::to_owned),
                config: cluster.broker.config(),
                topic_defaults: cluster.topic.config(),
                voters: voters.clone(),
                rules: self.rules,
            };
            self.roster.servers.push(id(broker));
            let directories = settings.config.log_dirs.named().to_vec();
            let config = NodeConfig::Broker(Box::new(settings));
            let config = match self.panics && id(broker) == NodeId::new(0, FIRST_BROKER) {
                true => NodeConfig::Provoked(Box::new(config)),
                false => config,
            };
            self.add_with_disks(id(broker), config, directories);
        }
    }

    fn add_admin(&mut self, cluster: usize, elections: &[Election]) -> NodeId {
        let creatable = |topic: &spec::Topic| CreatableTopic {
            name: topic.name.clone(),
            num_partitions: topic.partitions as i32,
            replication_factor: topic.replication_factor as i16,
            assignments: topic.assignments.clone(),
            configs: topic
                .properties
                .modelled()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
        };
        let first = self.topics_of(cluster).filter(|topic| topic.created_at.is_none());
        let later = self
            .topics_of(cluster)
            .filter_map(|topic| Some((topic.created_at?.0, creatable(topic))));
        let config = AdminAppConfig {
            topics: first.map(creatable).collect(),
            later: later.collect(),
            elections: elections.iter().map(|e| (e.entry as u32, e.topics.clone())).collect(),
            bootstrap: brokers(&self.scenario.clusters[cluster]).collect(),
        };
        let node = NodeId::new(cluster as u8, ADMIN);
        self.add(node, client(ApplicationConfig::Admin(config), self.rules));
        node
    }

    fn add_reader(&mut self, cluster: usize) -> NodeId {
        let config = ReaderAppConfig {
            topics: self.topics_of(cluster).map(named).collect(),
            request_timeout: request_timeout(self.scenario),
            isolation_level: match is_transactional(self.scenario) {
                true => IsolationLevel::ReadCommitted,
                false => IsolationLevel::ReadUncommitted,
            },
            bootstrap: brokers(&self.scenario.clusters[cluster]).collect(),
        };
        let node = NodeId::new(cluster as u8, READER);
        self.add(node, client(ApplicationConfig::Reader(config), self.rules));
        node
    }

    fn topics_of(&self, cluster: usize) -> impl Iterator<Item = &spec::Topic> {
        let scenario = self.scenario;
        scenario
            .topics
            .iter()
            .filter(move |topic| scenario.cluster_index(topic.cluster.as_deref()) == Some(cluster))
    }

    /// The topics with these names, or all topics of the cluster that exist before the load, each with
    /// its number of partitions.
    fn topics_or_all(&self, names: &[String], cluster: usize) -> Vec<(String, i32)> {
        let is_meant = |topic: &&spec::Topic| match names.is_empty() {
            true => topic.created_at.is_none(),
            false => names.contains(&topic.name),
        };
        self.topics_of(cluster).filter(is_meant).map(named).collect()
    }

    /// The topics that consumers read.
    fn topics_read(&self, consumers: &spec::Consumers, cluster: usize) -> Vec<(String, i32)> {
        match pattern(consumers) {
            None => self.topics_or_all(&consumers.topics, cluster),
            Some(pattern) => {
                let all = self.topics_of(cluster);
                all.filter(|topic| pattern.subscribes(&topic.name)).map(named).collect()
            }
        }
    }

    fn next_client(&self, cluster: usize) -> NodeId {
        let clients = self.roster.producers.iter().chain(&self.roster.consumers);
        let taken = clients.filter(|node| usize::from(node.cluster.0) == cluster).count();
        NodeId::new(cluster as u8, FIRST_CLIENT + taken as u16)
    }

    fn add_producers(&mut self) {
        let scenario = self.scenario;
        for producers in &scenario.producers {
            let cluster = scenario.cluster_index(producers.cluster.as_deref()).unwrap_or(0);
            let topics = self.topics_or_all(&producers.topics, cluster);
            for index in 0..producers.count {
                let number = self.roster.producers.len() as u16;
                let config = ProducerAppConfig {
                    schedule: schedule(producers, self.seed, index, number, topics.len()),
                    topics: topics.clone(),
                    partition: producers.partition.map(|partition| partition as i32),
                    record_size: producers.record_size,
                    repeats: Repeats {
                        resend: producers.resend,
                        rewind: producers.rewind.map_or(Span::ZERO, |back| back.0),
                    },
                    transactions: transactions(producers),
                    producer: producer_config(producers, index),
                    bootstrap: brokers(&scenario.clusters[cluster]).collect(),
                    began: None,
                };
                let node = self.next_client(cluster);
                self.roster.producers.push(node);
                self.add(node, client(ApplicationConfig::Producer(config), self.rules));
            }
        }
    }

    fn add_consumers(&mut self) {
        let scenario = self.scenario;
        let ids = scenario.producers.iter().flat_map(|it| it.transactional_ids());
        let ids = ids.chain(scenario.consumers.iter().flat_map(|it| it.transactional_ids()));
        let ids: BTreeSet<String> = ids.collect();
        let groups = scenario.consumers.iter().filter_map(|it| it.group.clone());
        self.roster.groups = groups.filter(|group| !ids.contains(group)).collect();
        for consumers in &scenario.consumers {
            let cluster = scenario.cluster_index(consumers.cluster.as_deref()).unwrap_or(0);
            let topics = self.topics_read(consumers, cluster);
            for index in 0..consumers.count {
                let reading = ConsumerAppConfig {
                    topics: topics.clone(),
                    start: consumers.start.0,
                    stop: consumers.stop.map(|stop| stop.0),
                    seeks: consumers.seeks.clone(),
                    ask_end_every: consumers.ask_end_every.map(|every| every.0),
                    consumer: consumers.config(),
                    bootstrap: brokers(&scenario.clusters[cluster]).collect(),
                    began: None,
                };
                let config = match self.member(consumers, index, &reading) {
                    Some(member) => ApplicationConfig::Member(Box::new(member)),
                    None => ApplicationConfig::Consumer(reading),
                };
                let node = self.next_client(cluster);
                self.roster.consumers.push(node);
                self.add(node, client(config, self.rules));
            }
        }
    }

    fn set_links(&mut self) {
        let network = &self.scenario.network;
        if *network == spec::Network::default() {
            return;
        }
        let nodes: Vec<NodeId> = self.world.nodes().collect();
        for &from in &nodes {
            for &to in &nodes {
                let link = class(network, from, to);
                if *link != spec::Link::default() {
                    self.world.set_link(from, to, profile(link));
                }
            }
        }
    }
}

/// The time-out of the reader that reads everything back. By then nothing fails any more, but the
/// largest response has to arrive in time.
fn request_timeout(scenario: &Scenario) -> Span {
    let most = engine::config::ConsumerConfig::default().fetch_max_bytes;
    Span::secs(10).saturating_add(largest_fetch(scenario, most.into()))
}

fn client(config: ApplicationConfig, rules: Rulebook) -> NodeConfig {
    NodeConfig::Client(Box::new(config), Box::new(rules))
}

fn brokers(cluster: &spec::Cluster) -> impl Iterator<Item = BrokerId> + use<> {
    (0..cluster.brokers).map(|index| FIRST_BROKER + index)
}

/// A topic, with its number of partitions.
fn named(topic: &spec::Topic) -> (String, i32) {
    (topic.name.clone(), partitions(topic))
}

/// The pattern by which members subscribe, if they do.
fn pattern(consumers: &spec::Consumers) -> Option<Pattern> {
    consumers.topic_pattern.as_deref().and_then(|text| Pattern::new(text).ok())
}

fn partitions(topic: &spec::Topic) -> i32 {
    match topic.assignments.len() {
        0 => topic.partitions as i32,
        count => count as i32,
    }
}

fn voters(cluster: &spec::Cluster) -> Vec<BrokerId> {
    (0..cluster.controllers).map(|index| FIRST_CONTROLLER + index).collect()
}

/// How producers send in transactions, if they have a transactional id.
fn transactions(producers: &spec::Producers) -> Option<Transactions> {
    let config: ProducerConfig = producers.properties.config();
    config.transactional_id.0?;
    let given = producers.transactions.clone().unwrap_or_default();
    Some(Transactions {
        records: given.records.max(1),
        transfer: given.transfer,
        aborted_ppm: given.aborted.0,
        abandoned_ppm: given.abandoned.0,
        ends_when_fenced: given.when_fenced == spec::WhenFenced::Stop,
    })
}

/// The properties of one of several producers. Each has a transactional id of its own, unless they
/// share one.
fn producer_config(producers: &spec::Producers, index: u16) -> ProducerConfig {
    let mut config = producers.config();
    let ids = producers.transactional_ids();
    if let Some(id) = ids.get(usize::from(index)).or_else(|| ids.first()) {
        config.transactional_id.0 = Some(id.as_str().into());
    }
    config
}

/// The part of one of several producers: as many records as the others, at its part of the rate.
fn schedule(
    producers: &spec::Producers,
    seed: u64,
    index: u16,
    number: u16,
    topics: usize,
) -> Schedule {
    let (count, records) = (u64::from(producers.count), producers.records);
    let burst = producers.burst.max(1);
    let nanos = 1_000_000_000u128 * u128::from(count) * u128::from(burst);
    let interval = nanos / u128::from(producers.rate.max(1));
    Schedule {
        seed,
        producer: number,
        records: records / count + u64::from(u64::from(index) < records % count),
        burst,
        interval: Span(u64::try_from(interval).unwrap_or(u64::MAX)),
        start: producers.start.0,
        stop: producers.stop.map(|stop| stop.0),
        keys: producers.keys,
        topics: topics as u32,
    }
}

/// Clocks that are off by as much as the scenario allows, each host's by its own draw.
fn host(clocks: &Clocks, seed: u64, node: NodeId) -> HostConfig {
    let mut draw =
        sim::stream(seed, "clocks", (u64::from(node.cluster.0) << 16) | u64::from(node.node));
    let mut off = |most: u64| draw.between(0, 2 * most) as i64 - most as i64;
    HostConfig {
        wall_skew_millis: off(clocks.skew.0.as_millis()),
        wall_drift_ppm: off(clocks.drift_ppm.into()) as i32,
        mono_drift_ppm: off(clocks.drift_ppm.into()) as i32,
        ..HostConfig::default()
    }
}

fn class(network: &spec::Network, from: NodeId, to: NodeId) -> &spec::Link {
    use crate::roles::{is_controller, is_server};
    if from.cluster != to.cluster {
        &network.clusters
    } else if !is_server(from) || !is_server(to) {
        &network.clients
    } else if is_controller(from) || is_controller(to) {
        &network.controllers
    } else {
        &network.brokers
    }
}

fn profile(link: &spec::Link) -> LinkProfile {
    let mut profile = LinkProfile::default();
    if let Some(latency) = link.latency {
        profile.latency.least = latency.0;
    }
    if let Some(jitter) = link.jitter {
        profile.latency.jitter = jitter.0;
    }
    profile.loss_ppm = link.loss.map_or(profile.loss_ppm, |share| share.0);
    profile.duplicate_ppm = link.duplication.map_or(profile.duplicate_ppm, |share| share.0);
    profile.reorder_ppm = link.reordering.map_or(profile.reorder_ppm, |share| share.0);
    profile.bytes_per_second = link.bandwidth.unwrap_or(profile.bytes_per_second);
    profile
}

fn disk(disk: &spec::Disk) -> DiskProfile {
    let mut profile = DiskProfile::default();
    if let Some(sync) = disk.sync {
        profile.sync.least = sync.0;
    }
    if let Some(jitter) = disk.sync_jitter {
        profile.sync.jitter = jitter.0;
    }
    profile.append = disk.append.map_or(profile.append, |append| append.0);
    if let Some(bandwidth) = disk.bandwidth {
        profile.sync_bytes_per_second = bandwidth;
    }
    profile.capacity = disk.capacity.unwrap_or(profile.capacity);
    profile.write_back = disk.write_back.map_or(profile.write_back, |age| age.0);
    profile
}
