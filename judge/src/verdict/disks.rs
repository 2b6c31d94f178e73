//! Rows of the permission table about disks that are lost or corrupt.

use super::permission::{Case, brokers, last_replica_standing, power_loss};
use crate::check::Ground;
use crate::evidence::{Spoil, SpoilKind};
use engine::ids::TopicPartition;
use machine::NodeId;

/// The replica that lacks a record lost it with its disk, or bytes of it changed there, and as many
/// replicas have lost it as the setting lets confirm alone.
fn by_disk(case: &Case<'_>, kind: SpoilKind) -> Option<String> {
    let lacking = case.witness()?.lacking.first()?;
    let spoil = spoil(case, case.partition.replicas[lacking].node, kind)?;
    // What it held before was fetched again since.
    if case.placed().is_some_and(|placed| spoil.at < placed) {
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

/// What a disk took of the finding's partition by itself, if that was the last thing that it took.
fn spoil<'a>(case: &Case<'a>, node: NodeId, kind: SpoilKind) -> Option<&'a Spoil> {
    let spoil = case.view.spoil(node, case.finding.partition?, case.finding.offset)?;
    (spoil.kind == kind).then_some(spoil)
}

pub(super) fn lost_disk(case: &Case<'_>) -> Option<String> {
    by_disk(case, SpoilKind::Lost)
}

/// What recovery cut because of changed bytes, or the bytes themselves where their checksum shows it.
pub(super) fn corrupted_disk(case: &Case<'_>) -> Option<String> {
    let Ground::Bytes { node } = case.finding.ground else {
        return by_disk(case, SpoilKind::Corrupted);
    };
    let replica = &case.partition.replicas[case.partition.find(node)?];
    if !replica.is_bad(case.finding.offset?) {
        return None;
    }
    let spoil = spoil(case, node, SpoilKind::Corrupted)?;
    let why = case.view.spoil_in_words(spoil);
    Some(format!("a broker does not repair bytes that change on its disk, and {why}"))
}

/// Votes and records that a voter had synced went with its disk (KIP-595 counts on them).
pub(super) fn lost_voter(case: &Case<'_>) -> Option<String> {
    let is_quorum = matches!(case.finding.ground, Ground::Quorum);
    let voters = case.view.setup.controllers.iter().filter(|_| is_quorum);
    let mut own = voters.filter(|node| node.cluster == case.partition.cluster);
    let metadata = case.view.index_of(case.partition.cluster, TopicPartition::METADATA)?;
    let spoil = own.find_map(|node| {
        let spoil = case.view.first_spoil(*node, metadata);
        spoil.filter(|spoil| spoil.at <= case.finding.at)
    })?;
    let why = case.view.spoil_in_words(spoil);
    Some(format!("a quorum counts on what its voters have synced, and {why}"))
}
