//! Rows of the permission table about disks that are lost or corrupt.

use super::permission::{Case, brokers, last_replica_standing, power_loss};
use crate::check::Ground;
use crate::evidence::story::{Happening, Scene};
use crate::evidence::{Spoil, SpoilKind};
use engine::ids::TopicPartition;
use machine::NodeId;

/// The replica that lacks a record lost it with its disk, or bytes of it changed there, and as many
/// replicas have lost it as the setting lets confirm alone.
fn by_disk(case: &Case<'_>, kind: SpoilKind) -> Option<String> {
    let lacking = case.witness()?.lacking.first()?;
    let spoil = spoil(case, case.partition.replicas[lacking].node, kind)?;
    // What it held before was fetched again since.
    if case.placed().is_some_and(|placed| spoil.at < placed && is_over(case, spoil, placed)) {
        return None;
    }
    let last = last_replica_standing(case).is_some();
    let lost = power_loss(case)
        .or_else(|| last.then(|| case.witness().map(|it| it.lacking.clone()))?)?;
    Some(format!(
        "a disk keeps what is written to it until it fails, {} lost the record ({}), \
         min.insync.replicas={}, and {} without the record",
        brokers(case.partition, &lost),
        case.view.spoil_in_words(spoil),
        case.partition.min_isr,
        case.election()
    ))
}

/// Whether what became of a disk was over when a record came to its place at `placed`. A sector stays
/// bad, and takes what follows it with it, until the log is cut there.
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

/// What a disk took of the finding's partition by itself, if that was the last thing that it took.
fn spoil<'a>(case: &Case<'a>, node: NodeId, kind: SpoilKind) -> Option<&'a Spoil> {
    let spoil = case.view.spoil(node, case.finding.partition?, case.finding.offset)?;
    (spoil.kind == kind).then_some(spoil)
}

pub(super) fn lost_disk(case: &Case<'_>) -> Option<String> {
    by_disk(case, SpoilKind::Lost)
}

/// What recovery cut because of changed bytes; the bytes themselves where their checksum shows it; and
/// what follows them in the log of a leader.
pub(super) fn corrupted_disk(case: &Case<'_>) -> Option<String> {
    let (node, what) = match case.finding.ground {
        Ground::Bytes { node } => (node, "a broker does not repair bytes that change on its disk"),
        Ground::Unreadable { node } => {
            (node, "nothing gets past bytes that changed on the disk of a leader")
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

/// Votes and records that voters had synced went with their disks (KIP-595 counts on them), and all
/// that rests on the quorum with them.
pub(super) fn lost_voter(case: &Case<'_>) -> Option<String> {
    let (cluster, at) = (case.partition.cluster, case.finding.at);
    let spoil = match case.finding.ground {
        Ground::Quorum => spoilt_quorum(case),
        _ => case.view.lost_metadata(cluster, at),
    }?;
    let why = case.view.spoil_in_words(spoil);
    Some(format!("a quorum counts on what its voters have synced, and {why}"))
}

/// What destroyed the metadata that the finding is about on so many voters that the remaining copies
/// are no majority.
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
