//! Whether a cluster has recovered, and the names of all that it lacks.
//!
//! By a deadline that follows from its configuration, a cluster has to have all brokers, partitions
//! and replicas. If only a load or a slow link is late, no promise is broken, and the run is
//! undecided.

use super::simulation::Simulation;
use super::{members, notices};
use crate::condition::Roster;
use crate::node::Node;
use crate::roles::{is_broker, is_controller};
use crate::view::{PartitionRow, PartitionView};
use crate::workload::{Application, ConsumerApp, Owed};
use engine::config::{ConsumerConfig, IsolationLevel};
use engine::ids::{BrokerId, Offset, TopicPartition};
use engine::metadata::MetadataImage;
use judge::evidence::HeldBy;
use machine::{ClusterId, NodeId, Span};
use sim::{Status, World};
use std::sync::Arc;

/// The active controller of a cluster, if one is running, and its committed metadata. If several
/// consider themselves active, it is the one with the latest epoch.
pub(super) fn active_controller<'w>(
    world: &'w World<Node>,
    roster: &Roster,
    cluster: ClusterId,
) -> Option<(NodeId, &'w MetadataImage)> {
    let controllers =
        roster.servers.iter().filter(|node| node.cluster == cluster && is_controller(**node));
    let active = controllers.filter_map(|node| {
        let controller = world.process(*node)?.controller()?;
        Some((controller.active_epoch()?, *node, controller.image()))
    });
    active.max_by_key(|(epoch, ..)| *epoch).map(|(_, node, image)| (node, image))
}

/// The partitions of all clusters in the committed metadata of their active controllers.
pub(super) fn partitions(
    world: &World<Node>,
    roster: &Roster,
    clusters: usize,
) -> Option<Vec<PartitionView>> {
    let mut views = Vec::new();
    for cluster in 0..clusters {
        let cluster = ClusterId(cluster as u8);
        let (_, image) = active_controller(world, roster, cluster)?;
        for (partition, state) in image.partitions() {
            views.push(PartitionView {
                cluster,
                partition,
                replicas: state.replicas.clone(),
                isr: state.isr.clone(),
                elr: state.elr.clone(),
                leader: state.leader,
                leader_epoch: state.leader_epoch,
            });
        }
    }
    Some(views)
}

/// Something that the run still lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    /// The missing items, by name.
    pub(super) what: String,
    /// The partition concerned; see [`judge::evidence::Missing::about`].
    pub(super) about: Option<(ClusterId, TopicPartition)>,
    /// Whether the cluster has to have it by its deadline. If not, the load or a slow link is late,
    /// and the run is undecided.
    pub(super) is_owed: bool,
    /// See [`judge::evidence::Missing::group`].
    pub(super) group: Option<Arc<str>>,
    /// See [`judge::evidence::Missing::held_by`].
    pub(super) held_by: Option<HeldBy>,
}

pub(super) fn owed(what: String) -> Lack {
    Lack { what, about: None, is_owed: true, group: None, held_by: None }
}

pub(super) fn owed_of(cluster: ClusterId, partition: TopicPartition, what: String) -> Lack {
    Lack { what, about: Some((cluster, partition)), is_owed: true, group: None, held_by: None }
}

/// What the clusters still lack: at most `most` items, none if all have recovered.
pub(super) fn missing(run: &Simulation, most: usize) -> Vec<Lack> {
    let mut missing: Vec<Lack> = not_running(run).take(most).map(owed).collect();
    for index in 0..run.resolved.scenario.clusters.len() {
        let cluster = ClusterId(index as u8);
        match active_controller(&run.world, &run.roster, cluster) {
            None => missing.push(no_controller(cluster)),
            Some((active, image)) => {
                let nodes = nodes_behind(run, cluster, active, image);
                let nodes = nodes.map(|what| owed_of(cluster, TopicPartition::METADATA, what));
                let behind = nodes.chain(partitions_behind(run, cluster, image));
                let behind = behind.chain(open_transactions(run, cluster));
                missing.extend(behind.take(most.saturating_sub(missing.len())));
            }
        }
    }
    if missing.iter().all(|lack| !lack.is_owed) {
        // Producers come first, because their activity explains that replicas trail.
        let clients = producers_behind(run).chain(consumers_behind(run));
        let clients = clients.chain(members::behind(run));
        missing = clients.take(most).chain(missing).collect();
    }
    missing
}

fn no_controller(cluster: ClusterId) -> Lack {
    owed_of(cluster, TopicPartition::METADATA, "no controller is active".to_owned())
}

/// The servers that are not running.
fn not_running(run: &Simulation) -> impl Iterator<Item = String> + '_ {
    let servers = run.world.nodes().filter(|node| run.roster.servers.contains(node));
    let down = servers.filter(|node| run.world.status(*node) != Status::Up);
    down.map(|node| {
        let what = if is_broker(node) { "broker" } else { "controller" };
        format!("{what} {node} is not running")
    })
}

/// The brokers that are not active, and the controllers that lag.
fn nodes_behind(
    run: &Simulation,
    cluster: ClusterId,
    active: NodeId,
    image: &MetadataImage,
) -> impl Iterator<Item = String> {
    let nodes = run.roster.servers.iter().filter(move |node| node.cluster == cluster);
    nodes.filter_map(move |node| match run.world.process(*node)? {
        Node::Broker(_) if image.broker(node.node).is_none() => {
            Some(format!("broker {node} is not registered"))
        }
        Node::Broker(_) if !image.is_active(node.node) => {
            Some(format!("broker {node} {}", fenced(run, *node)))
        }
        Node::Controller(controller) if controller.image().offset() < image.offset() => {
            let (behind, at) = (controller.image().offset(), image.offset());
            Some(format!(
                "controller {node} has metadata up to {behind}, the active one {active} up to {at}"
            ))
        }
        _ => None,
    })
}

/// The internal topic in which coordinators of groups keep their state.
const CONSUMER_OFFSETS: &str = "__consumer_offsets";

/// The partitions without a leader, with replicas out of sync, or with ends that differ.
fn partitions_behind(
    run: &Simulation,
    cluster: ClusterId,
    image: &MetadataImage,
) -> impl Iterator<Item = Lack> {
    // While producers write, replicas always lag a little.
    let sends = |(_, owes)| matches!(owes, Some(Owed::Records(_)));
    let is_still_written = unfinished_producers(run).any(sends);
    // And members of groups commit as long as they run.
    let commits = members::members(run).next().is_some();
    let topics = image.topics();
    let partitions = topics.flat_map(|topic| (0..).zip(&topic.partitions).map(move |p| (topic, p)));
    partitions.filter_map(move |(topic, (index, state))| {
        let out: Vec<BrokerId> =
            state.replicas.iter().copied().filter(|id| !state.isr.contains(id)).collect();
        let mut is_owed = true;
        let id = TopicPartition::new(topic.id, index);
        let what = if state.leader.is_none() {
            format!("no leader, ISR {:?}, ELR {:?}", state.isr, state.elr)
        } else if !out.is_empty() {
            let why =
                |id: &BrokerId| format!("{id} {}", fenced(run, NodeId { cluster, node: *id }));
            let why: Vec<String> = out.iter().map(why).collect();
            format!("ISR {:?}, {}", state.isr, why.join(", "))
        } else if commits && topic.name == CONSUMER_OFFSETS {
            return None;
        } else {
            is_owed = !is_still_written;
            ends(run, cluster, id)?
        };
        let what = format!("{}-{index}: {what}", topic.name);
        Some(Lack { is_owed, ..owed_of(cluster, id, what) })
    })
}

/// The partitions with an open transaction, which holds back `read_committed` readers. The cluster
/// has to end it once its time has ended.
fn open_transactions(run: &Simulation, cluster: ClusterId) -> impl Iterator<Item = Lack> + '_ {
    let partitions = run.evidence.view().partitions.iter().enumerate();
    let of_workload = partitions.filter(move |(_, it)| it.cluster == cluster && it.topic.is_some());
    of_workload.filter_map(move |(index, it)| {
        let (offset, _) = it.first_open()?;
        let what = format!("{}: a transaction is open from offset {offset} on", it.name);
        let held_by = held_up(run, index).map(|(_, held)| held);
        Some(Lack { is_owed: held_by.is_some(), held_by, ..owed_of(cluster, it.id, what) })
    })
}

fn held_up(run: &Simulation, partition: usize) -> Option<(Offset, HeldBy)> {
    run.evidence.view().held_up(partition, run.world.now().0)
}

/// The transaction behind which a reader waits at this position, if it reads `read_committed`.
pub(super) fn waits_for(
    run: &Simulation,
    config: &ConsumerConfig,
    (cluster, partition): (ClusterId, TopicPartition),
    position: Option<Offset>,
) -> Option<HeldBy> {
    if config.isolation_level != IsolationLevel::ReadCommitted {
        return None;
    }
    let index = run.evidence.view().index_of(cluster, partition)?;
    let (first, held) = held_up(run, index)?;
    position.is_some_and(|at| at >= first).then_some(held)
}

fn fenced(run: &Simulation, broker: NodeId) -> String {
    match run.fenced_since(broker) {
        Some(since) => {
            format!("is fenced since {}", crate::result::moment(run.since_load(since)))
        }
        None => "is not in sync".to_owned(),
    }
}

/// Whether the replicas have the same log end, and a high watermark at that end as far as Kafka
/// propagates it.
fn ends(run: &Simulation, cluster: ClusterId, partition: TopicPartition) -> Option<String> {
    let view = run.evidence.view();
    let seen = view.find(cluster, partition)?;
    let longest = seen.replicas.iter().map(|replica| replica.end).max()?;
    let behind: Vec<String> = seen
        .replicas
        .iter()
        .filter(|replica| replica.end < longest || replica.high_watermark < longest)
        .map(|replica| {
            let (end, hw) = (replica.end, replica.high_watermark);
            format!("{} has end {end} and high watermark {hw}", replica.node)
        })
        .collect();
    (!behind.is_empty()).then(|| format!("the log ends at {longest}, {}", behind.join(", ")))
}

/// The producers with remaining work; `None`: one of them is not running.
pub(super) fn unfinished_producers(
    run: &Simulation,
) -> impl Iterator<Item = (NodeId, Option<Owed>)> + '_ {
    run.roster.producers.iter().filter_map(|node| {
        match run.world.process(*node).and_then(Node::client) {
            Some(app @ (Application::Producer(_) | Application::Transactional(_))) => {
                app.owes().map(|owed| (*node, Some(owed)))
            }
            // The application has not been started, or is down.
            _ if run.world.status(*node) == Status::Off => None,
            _ => Some((*node, None)),
        }
    })
}

fn producers_behind(run: &Simulation) -> impl Iterator<Item = Lack> + '_ {
    unfinished_producers(run)
        .map(|(node, owes)| waits_for_coordinator(run, node).unwrap_or_else(|| owes_of(node, owes)))
}

/// A producer whose calls time out one after another, in a cluster that has healed: its
/// coordinator does not come to an end with its last transaction.
fn waits_for_coordinator(run: &Simulation, node: NodeId) -> Option<Lack> {
    let Some(Application::Transactional(app)) = run.world.process(node).and_then(Node::client)
    else {
        return None;
    };
    let id = app.calls_in_vain()?;
    let view = run.evidence.view();
    let known = view.coordinators.named(node.cluster, id);
    let held_by = known.and_then(|known| {
        let partition = view.log_of(known)?;
        let last = view.transitions(known).next()?;
        Some(HeldBy { partition, producer_id: last.value.as_ref()?.producer_id })
    });
    let what = format!("producer {node} does not get on with its transactional id {id}");
    Some(Lack { held_by, ..owed(what) })
}

fn owes_of(node: NodeId, owes: Option<Owed>) -> Lack {
    match owes {
        None => owed(format!("producer {node} does not run")),
        Some(Owed::Outcomes) => owed(format!("producer {node} has records without an outcome")),
        // The number and rate of its records depend on the scenario.
        Some(Owed::Records(1)) => {
            Lack { is_owed: false, ..owed(format!("producer {node} has 1 record left to send")) }
        }
        Some(Owed::Records(n)) => {
            Lack { is_owed: false, ..owed(format!("producer {node} has {n} records left to send")) }
        }
    }
}

/// The consumers that have not reached the ends of their partitions, although their properties
/// allow it and they did not stop by themselves.
fn consumers_behind(run: &Simulation) -> impl Iterator<Item = Lack> + '_ {
    consumers(run).filter(|(_, app)| notices::cannot_read(app.properties()).is_none()).flat_map(
        move |(node, app)| {
            behind(run, node, app).map(move |(row, position)| {
                let at = position.map_or("no position".to_owned(), |at| format!("position {at}"));
                let name = run.board().name(row.cluster, row.partition);
                let end = row.high_watermark;
                let still = run.progress.still_for(run.world.now(), node, row.partition);
                let what = format!("consumer {node} has {at} in {name}, which ends at {end}");
                let is_owed = still >= stuck_after(app.properties());
                let of = (row.cluster, row.partition);
                let held_by = waits_for(run, app.properties(), of, position);
                Lack { is_owed, held_by, ..owed_of(row.cluster, row.partition, what) }
            })
        },
    )
}

/// A reader that has made no progress for this long is stuck, not slow: every request that it had
/// sent has had a response or a time-out, and was repeated.
pub(super) fn stuck_after(config: &ConsumerConfig) -> Span {
    let request = config.request_timeout.saturating_add(config.retry_backoff_max);
    request.saturating_add(request)
}

/// The consumers that are running.
pub(super) fn consumers(run: &Simulation) -> impl Iterator<Item = (NodeId, &ConsumerApp)> {
    run.roster.consumers.iter().filter_map(|node| {
        match run.world.process(*node).and_then(Node::client) {
            Some(Application::Consumer(app)) => Some((*node, &**app)),
            _ => None,
        }
    })
}

/// The partitions that a consumer reads and has not read to their end, each with its position.
pub(super) fn behind<'r>(
    run: &'r Simulation,
    node: NodeId,
    app: &'r ConsumerApp,
) -> impl Iterator<Item = (&'r PartitionRow, Option<Offset>)> {
    let rows = run.board().rows().filter(move |row| row.cluster == node.cluster);
    let read = rows.filter(|row| {
        app.is_reading() && app.reads(row.partition) && !app.thrown().contains_key(&row.partition)
    });
    let with_position = read.map(|row| (row, app.position(row.partition)));
    with_position.filter(|(row, position)| position.is_none_or(|at| at < row.high_watermark))
}

/// The partitions that have not been read back.
pub(super) fn not_read_back(run: &Simulation) -> Vec<Lack> {
    let Some(views) = run.partitions() else {
        return vec![owed("no controller is active".to_owned())];
    };
    views.iter().filter_map(|view| unread(run, view)).collect()
}

fn unread(run: &Simulation, view: &PartitionView) -> Option<Lack> {
    let reader = *run.readers().iter().find(|node| node.cluster == view.cluster)?;
    let name = run.board().name(view.cluster, view.partition);
    let Some(Application::Reader(app)) = run.world.process(reader).and_then(Node::client) else {
        let what = format!("{name} could not be read back: its reader does not run");
        return Some(owed(what));
    };
    // Internal topics are not read back.
    let is_asked_for = run.board().is_of_workload(view.cluster, view.partition);
    if app.has_read(view.partition) || !is_asked_for {
        return None;
    }
    let still = run.progress.still_for(run.world.now(), reader, view.partition);
    let is_owed = still >= stuck_after(app.properties());
    let far = match (app.position(view.partition), app.end(view.partition)) {
        (Some(at), Some(end)) => format!("up to offset {at} of {end}"),
        (Some(at), None) => format!("up to offset {at}"),
        (None, _) => "at all".to_owned(),
    };
    let what = if is_owed {
        format!("{name} could not be read back; its reader came {far}, and no further for {still}")
    } else {
        format!("{name} was read back {far} before the deadline")
    };
    let of = (view.cluster, view.partition);
    let held_by = waits_for(run, app.properties(), of, app.position(view.partition));
    Some(Lack { is_owed, held_by, ..owed_of(view.cluster, view.partition, what) })
}
