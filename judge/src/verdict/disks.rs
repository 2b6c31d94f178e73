//! Rows of the permission table about disks that are lost or corrupt.

use super::permission::{Case, brokers, last_replica_standing, power_loss};
use crate::check::Ground;
use crate::evidence::FaultKind;

/// The disk of the replica that lacks a record was replaced by an empty one, or bytes on it changed,
/// and as many replicas have lost it as the setting lets confirm alone.
fn by_disk(case: &Case<'_>, kind: FaultKind) -> Option<String> {
    let lacking = case.witness()?.lacking.first()?;
    let node = case.partition.replicas[lacking].node;
    let fault = case.view.spoilt_disk(node).filter(|fault| fault.kind == kind)?;
    let last = last_replica_standing(case).is_some();
    let lost = power_loss(case)
        .or_else(|| last.then(|| case.witness().map(|it| it.lacking.clone()))?)?;
    Some(format!(
        "a disk keeps what is written to it until it fails, {} lost the record ({}), \
         min.insync.replicas={}, and {} without the record",
        brokers(case.partition, &lost),
        fault.what,
        case.partition.min_isr,
        case.election()
    ))
}

pub(super) fn lost_disk(case: &Case<'_>) -> Option<String> {
    by_disk(case, FaultKind::LostDisk)
}

/// What recovery cut because of changed bytes, or the bytes themselves where their checksum shows it.
pub(super) fn corrupted_disk(case: &Case<'_>) -> Option<String> {
    let Ground::Bytes { node } = case.finding.ground else {
        return by_disk(case, FaultKind::CorruptDisk);
    };
    let fault = case.view.spoilt_disk(node).filter(|it| it.kind == FaultKind::CorruptDisk)?;
    let name = case.view.setup.name(node);
    Some(format!(
        "a broker does not repair bytes that change on its disk, at {name} ({})",
        fault.what
    ))
}

/// Votes and records that a voter had synced went with its disk (KIP-595 counts on them).
pub(super) fn lost_voter(case: &Case<'_>) -> Option<String> {
    let is_quorum = matches!(case.finding.ground, Ground::Quorum);
    let voters = case.view.setup.controllers.iter().filter(|_| is_quorum);
    let mut own = voters.filter(|node| node.cluster == case.partition.cluster);
    let (node, fault) = own.find_map(|node| Some((node, case.view.spoilt_disk(*node)?)))?;
    Some(format!(
        "a quorum counts on what its voters have synced, and controller {node} lost that ({})",
        fault.what
    ))
}
