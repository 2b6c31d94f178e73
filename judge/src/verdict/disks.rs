//! Rows of the permission table about disks that are lost or corrupt.

use super::permission::{Case, brokers, last_replica_standing, power_loss};
use crate::check::Ground;
use crate::evidence::story::{Happening, Scene};
use crate::evidence::{Spoil, SpoilKind};
use engine::ids::TopicPartition;
use machine::NodeId;

/// Excuses a record that the lacking replica lost with its disk or in a corrupted sector, if as
/// many replicas have lost the record as `min.insync.replicas` lets confirm, or the replica was the
/// last one in sync.
fn by_disk(case: &Case<'_>, kind: SpoilKind) -> Option<String> {
    let lacking = case.witness()?.lacking.first()?;
    let spoil = spoil(case, case.partition.replicas[lacking].node, kind)?;
    // The replica has fetched the record again since that loss.
    if case.placed().is_some_and(|placed| spoil.at < placed && is_over(case, spoil, placed)) {
        return None;
    }
    let last = last_replica_standing(case).is_some();
    let lost = power_loss(case)
        .or_else(|| last.then(|| case.witness().map(|it| it.lacking.clone()))?)?;
    Some(format!(
        "a disk keeps its data only until it fails, {} lost the record ({}), \
         min.insync.replicas={}, and {} without the record",
        brokers(case.partition, &lost),
        case.view.spoil_in_words(spoil),
        case.partition.min_isr,
        case.election()
    ))
}

/// Whether a loss had ended when a record was stored at `placed`. A corrupted sector remains until
/// the log is truncated there, and may take later batches with it.
fn is_over(case: &Case<'_>, spoil: &Spoil, placed: u64) -> bool {
    let Some(replica) = case.partition.find(spoil.node) else { return true };
    let ends = |scene: &Scene| match scene.what {
        Happening::Cut { to, .. } => to <= spoil.from,
        Happening::Loaded(end) => end <= spoil.from,
        _ => false,
    };
    let between = |scene: &Scene| spoil.at < scene.at && scene.at < placed;
    let scenes = &case.partition.story.0;
    let is_cut = scenes.iter().any(|it| it.replica == replica && between(it) && ends(it));
    spoil.kind == SpoilKind::Lost || is_cut
}

/// The last loss of a node's replica of the finding's partition, if it is of this kind.
fn spoil<'a>(case: &Case<'a>, node: NodeId, kind: SpoilKind) -> Option<&'a Spoil> {
    let spoil = case.view.spoil(node, case.finding.partition?, case.finding.offset)?;
    (spoil.kind == kind).then_some(spoil)
}

pub(super) fn lost_disk(case: &Case<'_>) -> Option<String> {
    by_disk(case, SpoilKind::Lost)
}

/// Excuses batches that recovery cut because of changed bytes, changed bytes that fail their
/// checksum, and records at or after changed bytes on the disk of a leader.
pub(super) fn corrupted_disk(case: &Case<'_>) -> Option<String> {
    let (node, what) = match case.finding.ground {
        Ground::Bytes { node } => (node, "a broker does not repair bytes that change on its disk"),
        Ground::Unreadable { node } => {
            (node, "no reader gets past bytes that changed on the disk of a leader")
        }
        _ => return by_disk(case, SpoilKind::Corrupted),
    };
    let (offset, replica) = (case.finding.offset?, case.partition.find(node)?);
    let replica = &case.partition.replicas[replica];
    let explains = match case.finding.ground {
        Ground::Unreadable { .. } => replica.bad_from().is_some_and(|from| from <= offset),
        _ => replica.is_bad(offset),
    };
    let spoil = spoil(case, node, SpoilKind::Corrupted).filter(|_| explains)?;
    Some(format!("{what}, and {}", case.view.spoil_in_words(spoil)))
}

/// Excuses the loss of votes and records that voters had synced and then lost with their disks, and
/// the consequences for the cluster. KIP-595 relies on voters to keep them.
pub(super) fn lost_voter(case: &Case<'_>) -> Option<String> {
    let (cluster, at) = (case.partition.cluster, case.finding.at);
    let spoil = match case.finding.ground {
        Ground::Quorum => spoilt_quorum(case),
        _ => case.view.lost_metadata(cluster, at),
    }?;
    let why = case.view.spoil_in_words(spoil);
    Some(format!("a quorum relies on its voters to keep what they have synced, and {why}"))
}

/// The loss that left no majority of voters with the metadata that the finding is about.
fn spoilt_quorum<'a>(case: &Case<'a>) -> Option<&'a Spoil> {
    let (view, finding, log) = (case.view, case.finding, case.partition);
    let index = view.index_of(log.cluster, TopicPartition::METADATA)?;
    let Some(offset) = finding.offset else {
        return view.first_spoilt_voter(log.cluster, finding.at);
    };
    let is_committed = |batch: &u32| log.batches.get(*batch).committed;
    let mut committed = log.batches.covering(offset).filter(is_committed);
    let found = committed.find_map(|batch| view.without_majority(index, batch, finding.at));
    found.or_else(|| view.lost_metadata(log.cluster, finding.at))
}
