//! What groups of consumers still lack when a run has healed: assignments, owners of partitions, and what
//! their members have not read.

use super::converge::{Lack, owed_of, stuck_after, waits_for};
use super::notices;
use super::simulation::Simulation;
use crate::node::Node;
use crate::view::PartitionRow;
use crate::workload::{Application, MemberApp};
use machine::NodeId;

/// The members that are running.
pub(super) fn members(run: &Simulation) -> impl Iterator<Item = (NodeId, &MemberApp)> {
    run.roster.consumers.iter().filter_map(|node| {
        match run.world.process(*node).and_then(Node::client) {
            Some(Application::Member(app)) => Some((*node, &**app)),
            _ => None,
        }
    })
}

/// What the groups lack. The members that are there decide for which groups: a group whose members have
/// all ended lacks nothing.
pub(super) fn behind(run: &Simulation) -> impl Iterator<Item = Lack> + '_ {
    let may_read = |app: &MemberApp| notices::cannot_read(app.properties()).is_none();
    let here = members(run).filter(|(_, app)| app.is_reading() && may_read(app));
    let mut all: Vec<(NodeId, &MemberApp)> = here.collect();
    all.sort_by_key(|(node, app)| (node.cluster, app.group().clone(), *node));
    let mut lacks: Vec<Lack> = Vec::new();
    for group in
        all.chunk_by(|(one, a), (other, b)| (one.cluster, a.group()) == (other.cluster, b.group()))
    {
        let cluster = group[0].0.cluster;
        for row in run.board().rows().filter(|row| row.cluster == cluster) {
            lacks.extend(of_partition(run, group, row));
        }
    }
    lacks.into_iter()
}

/// What a group lacks of one partition.
fn of_partition(
    run: &Simulation,
    group: &[(NodeId, &MemberApp)],
    row: &PartitionRow,
) -> Option<Lack> {
    let name = run.board().name(row.cluster, row.partition);
    let is_subscribed = |app: &MemberApp| {
        app.topics().iter().any(|(topic, _)| name.rsplit_once('-').is_some_and(|it| it.0 == topic))
    };
    let mut subscribed = group.iter().filter(|(_, app)| is_subscribed(app));
    let (_, first) = subscribed.next()?;
    let of = |what: String| Lack { is_owed: false, ..owed_of(row.cluster, row.partition, what) };
    let owner = group.iter().find(|(_, app)| app.is_settled() && app.reads(row.partition));
    let Some((node, app)) = owner else {
        let group = first.group();
        let what = format!("no settled member of group {group} owns {name}");
        return Some(Lack { is_owed: true, group: Some(group.clone()), ..of(what) });
    };
    if app.thrown().contains_key(&row.partition) {
        return None;
    }
    let position = app.position(row.partition);
    if position.is_some_and(|at| at >= row.high_watermark) {
        return app.is_busy().then(|| of(format!("member {node} works on records of {name}")));
    }
    let at = position.map_or("no position".to_owned(), |at| format!("position {at}"));
    let still = run.progress.still_for(run.world.now(), *node, row.partition);
    let what = format!("member {node} has {at} in {name}, which ends at {}", row.high_watermark);
    let is_owed = still >= stuck_after(app.properties());
    let of_row = (row.cluster, row.partition);
    let held_by = waits_for(run, app.properties(), of_row, position);
    Some(Lack { is_owed, held_by, ..of(what) })
}
