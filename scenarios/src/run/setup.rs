//! The part of a scenario's configuration on which promises depend, for the judge.

use crate::condition::Roster;
use crate::roles::{READER, is_controller};
use engine::config::{BrokerConfig, IsolationLevel, Partitioner, ProducerConfig, Reset};
use judge::evidence;
use machine::{ClusterId, NodeId, Span};
use spec::{self, Clocks, Commit, Scenario};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whether no time-out can expire: there are no faults, links and disks are the default ones,
/// clients have at least the default time-outs, and the quorum's fetch time-out and the sessions
/// are well above the usual intervals of fetches and heartbeats.
fn is_calm(scenario: &Scenario) -> bool {
    // An idle leader of the quorum parks a fetch for half a second (`MAX_FETCH_WAIT_MS`).
    const IDLE_FETCH: Span = Span::millis(500);
    let keeps = |cluster: &spec::Cluster| {
        let (broker, controller) = (cluster.broker.config(), cluster.controller.config());
        let fetch = broker.quorum_fetch_timeout.min(controller.fetch_timeout);
        fetch.0 >= 3 * IDLE_FETCH.0 / 2
            && controller.session_timeout.0 >= 3 * broker.heartbeat_interval.0
    };
    let patient = |producers: &spec::Producers| {
        let (config, default) = (producers.properties.config(), ProducerConfig::default());
        config.request_timeout >= default.request_timeout
            && config.delivery_timeout >= default.delivery_timeout
    };
    scenario.faults.is_empty()
        && scenario.swarm.is_none()
        && is_prompt(scenario)
        && scenario.clocks == Clocks::default()
        && scenario.clusters.iter().all(keeps)
        && scenario.producers.iter().all(patient)
}

/// Whether links and disks are the default ones.
fn is_prompt(scenario: &Scenario) -> bool {
    scenario.network == spec::Network::default() && scenario.disk == spec::Disk::default()
}

/// The largest value of a property among the brokers of all clusters.
fn longest(scenario: &Scenario, of: fn(&BrokerConfig) -> Span) -> Span {
    let times = scenario.clusters.iter().map(|cluster| of(&cluster.broker.config()));
    times.max().unwrap_or(Span::ZERO)
}

/// The smallest value of a property among the brokers of all clusters.
fn smallest<T: Ord>(scenario: &Scenario, of: fn(&BrokerConfig) -> T) -> Option<T> {
    scenario.clusters.iter().map(|cluster| of(&cluster.broker.config())).min()
}

/// Whether some producer sends in transactions.
pub(super) fn is_transactional(scenario: &Scenario) -> bool {
    let pipelines = scenario.consumers.iter().filter_map(|it| it.pipeline.as_ref());
    scenario.producers.iter().any(|it| it.config().transactional_id.0.is_some())
        || pipelines.into_iter().any(spec::Pipeline::is_transactional)
}

/// The consumers with `isolation.level=read_committed`; with transactions, also the reader that
/// reads everything back.
fn read_committed(scenario: &Scenario, roster: &Roster) -> BTreeSet<NodeId> {
    let counted = scenario.consumers.iter().flat_map(|it| {
        let is_its = it.config().isolation_level == IsolationLevel::ReadCommitted;
        std::iter::repeat_n(is_its, it.count.into())
    });
    let consumers = roster.consumers.iter().zip(counted);
    let mut nodes: BTreeSet<NodeId> =
        consumers.filter(|(_, is_its)| *is_its).map(|(node, _)| *node).collect();
    if is_transactional(scenario) {
        let clusters = 0..scenario.clusters.len();
        nodes.extend(clusters.map(|cluster| NodeId::new(cluster as u8, READER)));
    }
    nodes
}

/// The group of each consumer that is a member of one.
fn members(scenario: &Scenario, roster: &Roster) -> BTreeMap<NodeId, Arc<str>> {
    let groups = scenario.consumers.iter().flat_map(|consumers| {
        let group: Option<Arc<str>> = consumers.group.as_deref().map(Arc::from);
        std::iter::repeat_n(group, consumers.count.into())
    });
    let members = roster.consumers.iter().zip(groups);
    members.filter_map(|(node, group)| Some((*node, group?))).collect()
}

/// What is configured of each group, by all tables that name it.
fn group_setups(scenario: &Scenario) -> BTreeMap<(ClusterId, Arc<str>), evidence::GroupSetup> {
    let mut setups: BTreeMap<_, evidence::GroupSetup> = BTreeMap::new();
    for consumers in &scenario.consumers {
        let Some(group) = &consumers.group else { continue };
        let cluster = scenario.cluster_index(consumers.cluster.as_deref()).unwrap_or(0);
        let config = consumers.config();
        let key = (ClusterId(cluster as u8), group.as_str().into());
        let setup = setups.entry(key).or_insert_with(|| evidence::GroupSetup {
            rebalance_timeout: config.max_poll_interval,
            ..evidence::GroupSetup::default()
        });
        setup.rebalance_timeout = setup.rebalance_timeout.min(config.max_poll_interval);
        // The consumer itself commits only what a poll has returned, when the application polls again.
        setup.commits_early |= matches!(consumers.commit, Some(Commit::Before | Commit::During));
        setup.resets_to_latest |= config.auto_offset_reset == Reset::Latest;
        setup.resets_to_earliest |= config.auto_offset_reset == Reset::Earliest;
        setup.has_unfenced_store |= consumers.store.is_some_and(|store| !store.fenced);
        let pipeline = consumers.pipeline.as_ref();
        setup.outputs = setup.outputs.max(pipeline.map_or(0, |it| it.results));
        setup.outputs_apart |= pipeline.is_some_and(|it| !it.is_transactional());
    }
    setups
}

/// The producers of all members of pipelines.
fn pipelines(scenario: &Scenario) -> Vec<evidence::ProducerSetup> {
    let members =
        scenario.consumers.iter().filter_map(|it| Some((it.pipeline.as_ref()?, it.count)));
    let setups = members.flat_map(|(pipeline, count)| {
        let config = pipeline.config();
        let setup = evidence::ProducerSetup {
            max_in_flight: config.max_in_flight,
            idempotence: config.is_idempotent(),
            transfers: false,
        };
        std::iter::repeat_n(setup, count.into())
    });
    setups.collect()
}

/// How long a transaction may be open: the longest `transaction.timeout.ms`, plus the interval of
/// the coordinator's scan.
fn transaction_timeout(scenario: &Scenario) -> Span {
    let pipelines = scenario.consumers.iter().filter_map(|it| it.pipeline.as_ref());
    let producers = scenario.producers.iter().map(spec::Producers::config);
    let all = producers.chain(pipelines.map(spec::Pipeline::config));
    let timeout = all.map(|config| config.transaction_timeout).max();
    let scan = longest(scenario, |config| config.transaction_abort_interval);
    timeout.unwrap_or_default().saturating_add(scan)
}

/// The part of the configuration of a run on which promises depend.
pub(super) fn setup(scenario: &Scenario, roster: &Roster) -> evidence::Setup {
    let by_key = |config: &ProducerConfig| {
        config.partitioner == Partitioner::Default && !config.partitioner_ignore_keys
    };
    let topics = scenario.topics.iter().map(|topic| {
        let config = scenario.topic_config(topic);
        let cluster = scenario.cluster_index(topic.cluster.as_deref()).unwrap_or(0);
        let mut writers = scenario.producers.iter().filter(|producers| {
            scenario.cluster_index(producers.cluster.as_deref()) == Some(cluster)
                && (producers.topics.is_empty() || producers.topics.contains(&topic.name))
        });
        evidence::TopicSetup {
            cluster: ClusterId(cluster as u8),
            name: topic.name.clone(),
            min_insync_replicas: config.min_insync_replicas as usize,
            replication_factor: match topic.assignments.first() {
                Some(replicas) => replicas.len(),
                None => topic.replication_factor.into(),
            },
            unclean_leader_election: config.unclean_leader_election,
            segment_bytes: config.segment_bytes.into(),
            flush_messages: (config.flush_messages < i64::MAX)
                .then_some(config.flush_messages.unsigned_abs()),
            flush_ms: (config.flush_ms < Span::MAX).then(|| config.flush_ms.as_millis()),
            compacted: false,
            partitioned_by_key: writers
                .all(|p| p.keys > 0 && p.partition.is_none() && by_key(&p.config())),
        }
    });
    let producers = scenario.producers.iter().flat_map(|producers| {
        let config = producers.config();
        let setup = evidence::ProducerSetup {
            max_in_flight: config.max_in_flight,
            idempotence: config.is_idempotent(),
            transfers: producers.transactions.as_ref().is_some_and(|it| it.transfer),
        };
        std::iter::repeat_n(setup, producers.count.into())
    });
    let of_topics = || scenario.clusters.iter().map(|cluster| cluster.topic.config());
    evidence::Setup {
        controllers: roster.servers.iter().copied().filter(|n| is_controller(*n)).collect(),
        session_timeout: scenario
            .clusters
            .iter()
            .map(|cluster| cluster.controller.config().session_timeout)
            .min()
            .unwrap_or(Span::ZERO),
        drift_ppm: 2 * scenario.clocks.drift_ppm,
        is_calm: is_calm(scenario),
        is_prompt: is_prompt(scenario),
        lag_time: longest(scenario, |config| config.replica_lag_time_max),
        fetch_back_off: smallest(scenario, |config| config.replica_fetch_backoff)
            .unwrap_or(Span::ZERO),
        fetch_wait: longest(scenario, |config| config.replica_fetch_wait_max),
        producer_id_expiration: smallest(scenario, |config| config.producer_id_expiration)
            .unwrap_or(Span::MAX),
        disk_capacity: scenario.disk.capacity,
        eligible_leader_replicas: scenario
            .clusters
            .iter()
            .all(|cluster| cluster.controller.config().eligible_leader_replicas),
        groups: members(scenario, roster),
        read_committed: read_committed(scenario, roster),
        state_log_min_isr: smallest(scenario, |config| config.transaction_log_min_isr as usize)
            .unwrap_or(1),
        // The brokers' own settings, which are the defaults of topics.
        offsets_min_isr: of_topics().map(|it| it.min_insync_replicas as usize).min().unwrap_or(1),
        offsets_unclean_election: of_topics().any(|it| it.unclean_leader_election),
        group_setups: group_setups(scenario),
        transaction_timeout: transaction_timeout(scenario),
        topics: topics.collect(),
        producers: producers.collect(),
        pipelines: pipelines(scenario),
    }
}
