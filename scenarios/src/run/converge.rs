//! Whether a cluster is whole, and what is missing if not: by name, never just "stuck".

use super::simulation::Simulation;
use crate::condition::Roster;
use crate::node::Node;
use crate::roles::{is_broker, is_controller};
use crate::view::PartitionView;
use crate::workload::Application;
use engine::ids::{BrokerId, Offset, TopicPartition};
use engine::metadata::MetadataImage;
use machine::{ClusterId, NodeId};
use sim::{Status, World};

/// The active controller of a cluster, if one runs, and what it knows to be committed. Of
/// several that think so, the one of the latest epoch is right.
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

/// The partitions of all clusters as their active controllers have committed them.
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

/// What the world still lacks to be whole, at most so many things; empty if nothing.
pub(super) fn missing(run: &Simulation, most: usize) -> Vec<String> {
    let mut missing: Vec<String> = not_running(run).take(most).collect();
    for index in 0..run.resolved.scenario.clusters.len() {
        let cluster = ClusterId(index as u8);
        match active_controller(&run.world, &run.roster, cluster) {
            None => missing.push("no controller is active".to_owned()),
            Some((active, image)) => {
                let nodes = nodes_behind(run, cluster, active, image);
                let behind = nodes.chain(partitions_behind(run, cluster, image));
                missing.extend(behind.take(most.saturating_sub(missing.len())));
            }
        }
    }
    if missing.is_empty() {
        missing.extend(clients(run));
    }
    missing
}

/// The servers that do not run.
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

/// The partitions without a leader, with replicas out of sync, or with ends that differ.
fn partitions_behind(
    run: &Simulation,
    cluster: ClusterId,
    image: &MetadataImage,
) -> impl Iterator<Item = String> {
    let topics = image.topics();
    let partitions = topics.flat_map(|topic| (0..).zip(&topic.partitions).map(move |p| (topic, p)));
    partitions.filter_map(move |(topic, (index, state))| {
        let out: Vec<BrokerId> =
            state.replicas.iter().copied().filter(|id| !state.isr.contains(id)).collect();
        let what = if state.leader.is_none() {
            format!("no leader, ISR {:?}, ELR {:?}", state.isr, state.elr)
        } else if !out.is_empty() {
            let why =
                |id: &BrokerId| format!("{id} {}", fenced(run, NodeId { cluster, node: *id }));
            let why: Vec<String> = out.iter().map(why).collect();
            format!("ISR {:?}, {}", state.isr, why.join(", "))
        } else {
            ends(run, cluster, TopicPartition::new(topic.id, index))?
        };
        Some(format!("{}-{index}: {what}", topic.name))
    })
}

fn fenced(run: &Simulation, broker: NodeId) -> String {
    match run.fenced_since(broker) {
        Some(since) => format!("is fenced since {since}"),
        None => "is not in sync".to_owned(),
    }
}

/// Whether the replicas have the same end, all of it committed.
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

/// The producers that still have something to do, with what.
pub(super) fn unfinished_producers(
    run: &Simulation,
) -> impl Iterator<Item = (NodeId, String)> + '_ {
    run.roster.producers.iter().filter_map(|node| {
        match run.world.process(*node).and_then(Node::client) {
            Some(Application::Producer(app)) => app.missing().map(|missing| (*node, missing)),
            // It has not been started, or it is down.
            _ if run.world.status(*node) == Status::Off => None,
            _ => Some((*node, "it does not run".to_owned())),
        }
    })
}

/// What clients still have to do.
fn clients(run: &Simulation) -> Vec<String> {
    let producers =
        unfinished_producers(run).map(|(node, missing)| format!("producer {node}: {missing}"));
    let mut missing: Vec<String> = producers.collect();
    for node in &run.roster.consumers {
        let Some(Application::Consumer(app)) = run.world.process(*node).and_then(Node::client)
        else {
            continue;
        };
        for row in run.board().rows().filter(|row| row.cluster == node.cluster && app.is_reading())
        {
            let position: Option<Offset> = app.position(row.partition);
            if app.reads(row.partition) && position.is_none_or(|at| at < row.high_watermark) {
                let at = position.map_or("no position".to_owned(), |at| format!("position {at}"));
                missing.push(format!(
                    "consumer {node} has {at} in {}, which ends at {}",
                    row.partition, row.high_watermark
                ));
            }
        }
    }
    missing
}

/// What has not been read back.
pub(super) fn not_read_back(run: &Simulation) -> Vec<String> {
    let unread =
        |node: &NodeId, view: &PartitionView| match run.world.process(*node).and_then(Node::client)
        {
            Some(Application::Reader(app)) => !app.has_read(view.partition),
            _ => true,
        };
    let Some(views) = run.partitions() else { return vec!["no controller is active".to_owned()] };
    let readers = run.readers();
    views
        .iter()
        .filter_map(|view| {
            let reader = readers.iter().find(|node| node.cluster == view.cluster)?;
            unread(reader, view).then(|| format!("{} could not be read back", view.partition))
        })
        .collect()
}
