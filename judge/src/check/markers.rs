//! Each marker carries the decision of its coordinator, is written in a partition of the
//! transaction, and ends that transaction and no other.
//!
//! A marker may be written again, by a retry or by a new coordinator that finds the transaction
//! decided, as long as no later transaction is open in the partition.

use super::{Check, Findings};
use crate::evidence::transaction::Transition;
use crate::evidence::{Effect, Moment, Partition, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Markers;

impl Markers {
    pub(super) const NAME: &'static str = "markers-as-decided";
}

impl Check for Markers {
    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Append(index, append) = effect else { return };
        let partition = &view.partitions[*index];
        let it = partition.batches.get(append.batch);
        let Some((marker, sequence)) = it.marker.zip(it.sequence()) else { return };
        if !append.as_leader || !append.fresh || !view.is_of_workload(*index) {
            return;
        }
        let producer_id = sequence.producer_id;
        let of = Marker { producer_id, epoch: sequence.epoch, committed: marker.committed };
        let wrong = undecided(view, partition, append.batch, of)
            .or_else(|| older_coordinator(partition, append.batch, producer_id));
        let Some(what) = wrong else { return };
        let result = if of.committed { "COMMIT" } else { "ABORT" };
        let coordinator = marker.coordinator_epoch;
        out.add(Self::NAME, what, at, *index, view.ground_of(*index, producer_id))
            .offset(it.base)
            .detail(format!(
                "{result} of producer {producer_id} in epoch {}, by the coordinator of epoch \
                 {coordinator}",
                of.epoch
            ));
    }
}

/// The decision in a marker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marker {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    pub(super) committed: bool,
}

/// Whether a transition is the decision of a marker in a partition.
fn decides(transition: &Transition, marker: Marker, partition: &str) -> bool {
    transition.value.as_ref().is_some_and(|it| {
        it.state.decision() == Some(marker.committed)
            && (it.producer_id, it.epoch) == (marker.producer_id, marker.epoch)
            && it.partitions.iter().any(|name| name == partition)
    })
}

fn undecided(
    view: &View,
    partition: &Partition,
    batch: u32,
    marker: Marker,
) -> Option<&'static str> {
    let id = view.coordinators.of_producer(partition.cluster, marker.producer_id);
    let mut transitions = id.into_iter().flat_map(|id| view.transitions(id));
    // Whether the transaction was complete, or a later one decided, before the marker was written.
    let mut is_over = false;
    let is_decided = transitions.any(|it| {
        let is_its = decides(it, marker, &partition.name);
        let state = it.state();
        is_over |= !is_its && state.is_some_and(|it| it.decision().or(it.completed()).is_some());
        is_its
    });
    let has_ended = partition.is_in_line(batch) && !partition.transactions.ended().is_empty();
    match (is_decided, is_over) {
        (false, _) => Some("a marker is not the decision of its coordinator"),
        (true, true) if has_ended => Some("a late marker ended a later transaction"),
        (true, _) => None,
    }
}

/// Finds a marker of a replaced coordinator: one that follows a marker with a later coordinator
/// epoch. A leader that has been replaced as well, and lacks the later marker, writes it into a log
/// that will be truncated.
fn older_coordinator(partition: &Partition, batch: u32, producer_id: i64) -> Option<&'static str> {
    if !partition.is_in_line(batch) {
        return None;
    }
    let batches = &partition.batches;
    let epoch = |batch: u32| batches.get(batch).marker.map(|it| it.coordinator_epoch);
    let own = epoch(batch)?;
    let mut earlier = partition.transactions.markers().iter().rev().filter(|other| {
        let it = batches.get(**other);
        **other != batch
            && it.producer_id() == Some(producer_id)
            && it.base < batches.get(batch).base
    });
    let before = earlier.find(|other| partition.is_in_line(**other))?;
    (epoch(*before)? > own).then_some("a coordinator that had been replaced wrote a marker")
}
