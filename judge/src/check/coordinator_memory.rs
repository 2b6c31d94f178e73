//! A coordinator's state of each transactional id is the last record of the id in its log that is
//! replicated, or that it found there when it began (`loadTransactionMetadata`).
//!
//! Catches a coordinator that keeps state from an earlier epoch (KAFKA-10614), or does not take
//! over a record of its own. A broker whose disk is lost keeps its state until it stops.

use super::{Check, Findings, Ground};
use crate::evidence::{Moment, Transition, View};
use bytes::Bytes;
use engine::fact::Fact;
use engine::ids::{Offset, TopicPartition};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct CoordinatorMemory;

impl CoordinatorMemory {
    pub(super) const NAME: &'static str = "coordinator-knows-its-log";
}

impl Check for CoordinatorMemory {
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        match fact {
            Fact::TransactionalIdChanged { partition, transactional_id, value, .. } => {
                changed(view, at, (*partition, transactional_id), value.as_ref(), out);
            }
            Fact::CoordinatorLoaded { partition, ids, .. } => {
                loaded(view, at, *partition, *ids, out);
            }
            _ => {}
        }
    }
}

/// A predicate: whether the node holds the batch of a transition.
fn is_in_log<'v>(view: &'v View, at: &Moment, log: usize) -> impl Fn(&&'v Transition) -> bool {
    let partition = &view.partitions[log];
    let replica = partition.find(at.node);
    let holds = move |batch| {
        replica.is_some_and(|replica| partition.batches.get(batch).holders.contains(replica))
    };
    // The batch number of a transition refers to its own log.
    move |it| it.log == log && holds(it.batch)
}

/// Whether the disk of the node was lost in the present life of the node.
fn is_disk_lost(view: &View, at: &Moment, log: usize) -> bool {
    let partition = &view.partitions[log];
    partition.find(at.node).is_some_and(|replica| partition.replicas[replica].disk_lost)
}

fn changed(
    view: &View,
    at: &Moment,
    (partition, id): (TopicPartition, &str),
    value: Option<&Bytes>,
    out: &mut Findings,
) {
    let cluster = at.node.cluster;
    let Some(log) = view.index_of(cluster, partition) else { return };
    if is_disk_lost(view, at, log) {
        return;
    }
    let Some(known) = view.coordinators.named(cluster, id) else {
        report(at, log, -1, format!("{id} is not in the log at all"), out);
        return;
    };
    let batches = &view.partitions[log].batches;
    let transitions = view.coordinators.get(known).transitions.iter().rev();
    let own = transitions.filter(is_in_log(view, at, log));
    // The last record, or the previous one while the last one is not replicated.
    let mut last: Option<Offset> = None;
    for it in own {
        last = last.or(Some(it.offset));
        if it.raw.as_ref() == value {
            return;
        }
        if batches.get(it.batch).committed {
            break;
        }
    }
    report(
        at,
        log,
        last.unwrap_or(-1),
        format!("its state of {id} is not the last record of {id}"),
        out,
    );
}

fn loaded(view: &View, at: &Moment, partition: TopicPartition, ids: u64, out: &mut Findings) {
    let cluster = at.node.cluster;
    let Some(log) = view.index_of(cluster, partition) else { return };
    if is_disk_lost(view, at, log) {
        return;
    }
    let is_its = is_in_log(view, at, log);
    let all = view.coordinators.ids().iter();
    let known = all.filter(|id| {
        id.transitions.iter().rev().find(&is_its).is_some_and(|last| last.value.is_some())
    });
    let known = known.count() as u64;
    if known != ids {
        let detail = format!("it found {ids} transactional ids in its log, which has {known}");
        report(at, log, -1, detail, out);
    }
}

fn report(at: &Moment, log: usize, offset: Offset, detail: String, out: &mut Findings) {
    let what = "a coordinator's state differs from its log";
    let finding = out.add(CoordinatorMemory::NAME, what, at, log, Ground::Never);
    finding.detail(format!("broker {}: {detail}", at.node));
    if offset >= 0 {
        finding.offset(offset);
    }
}
