//! Rows of the permission table about disks that are lost or corrupt.

use super::permission::{Case, brokers, last_replica_standing, power_loss};
use crate::check::Ground;
use crate::evidence::{Loss, Spoil, SpoilKind, View};
use engine::ids::TopicPartition;
use machine::{ClusterId, NodeId};

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
        _ => lost_metadata(case.view, cluster, at),
    }?;
    let why = case.view.spoil_in_words(spoil);
    Some(format!("a quorum counts on what its voters have synced, and {why}"))
}

/// What destroyed the metadata that the finding is about on so many voters that the remaining copies
/// are no majority. A vote is forgotten with any disk.
fn spoilt_quorum<'a>(case: &Case<'a>) -> Option<&'a Spoil> {
    let (view, finding, log) = (case.view, case.finding, case.partition);
    let index = view.index_of(log.cluster, TopicPartition::METADATA)?;
    let Some(offset) = finding.offset else {
        return voters(view, log.cluster).find_map(|voter| spoilt(view, voter, index, finding.at));
    };
    let is_committed = |batch: &u32| log.batches.get(*batch).committed;
    let mut committed = log.batches.covering(offset).filter(is_committed);
    let found = committed.find_map(|batch| without_majority(view, index, batch, finding.at));
    found.or_else(|| lost_metadata(view, log.cluster, finding.at))
}

/// What took committed metadata of a cluster by this time: no majority of its voters was left that
/// had kept it, and a leader of the quorum went on without, or no majority has it back in the end.
/// Voters that have forgotten their epochs may elect a leader of an epoch that there was before.
pub(super) fn lost_metadata(view: &View, cluster: ClusterId, at: u64) -> Option<&Spoil> {
    let index = view.index_of(cluster, TopicPartition::METADATA)?;
    let log = &view.partitions[index];
    let is_it = |loss: &&Loss| loss.at <= at && loss.witness.committed;
    let mut losses = log.losses.iter().filter(is_it);
    let lost = losses.find_map(|loss| without_majority(view, index, loss.batch, loss.at));
    lost.or_else(|| {
        let last = log.last_committed()?;
        let holders = &log.batches.get(last).holders;
        let holds = |voter: &NodeId| log.find(*voter).is_some_and(|it| holders.contains(it));
        let (all, kept) = (voters(view, cluster), voters(view, cluster).filter(holds));
        let is_back = kept.count() * 2 > all.count();
        without_majority(view, index, last, at).filter(|_| !is_back)
    })
}

/// A disk that took a batch of the metadata log from its voters, if those that had it and kept their
/// disks until `at` are no majority.
fn without_majority(view: &View, index: usize, batch: u32, at: u64) -> Option<&Spoil> {
    let log = &view.partitions[index];
    let had = &log.batches.get(batch).ever_had;
    let (mut all, mut kept, mut first) = (0, 0, None);
    for voter in voters(view, log.cluster) {
        let taken = spoilt(view, voter, index, at);
        let has_it = log.find(voter).is_some_and(|replica| had.contains(replica));
        all += 1;
        kept += usize::from(has_it && taken.is_none());
        first = first.or(taken);
    }
    first.filter(|_| kept * 2 <= all)
}

fn voters(view: &View, cluster: ClusterId) -> impl Iterator<Item = NodeId> {
    view.setup.controllers.iter().copied().filter(move |node| node.cluster == cluster)
}

/// What the disk of a voter took of the metadata log by this time.
fn spoilt(view: &View, voter: NodeId, index: usize, at: u64) -> Option<&Spoil> {
    view.first_spoil(voter, index).filter(|spoil| spoil.at <= at)
}
