//! The records of a transactional id follow one another: each state has one of its valid
//! predecessors (`TransactionState`), a decision is final, epochs do not decrease, and a
//! transaction is complete only when each of its partitions has its marker.
//!
//! A coordinator whose record is not replicated within `transaction.timeout.ms` goes on as if it
//! had not written the record, which may stay in the log all the same.

use super::{Check, Findings, Ground};
use crate::evidence::transaction::Transition;
use crate::evidence::{Effect, Moment, State, StateValue, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Coordinator;

impl Coordinator {
    pub(super) const NAME: &'static str = "coordinator-states";
}

impl Check for Coordinator {
    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Append(index, append) = effect else { return };
        if !view.partitions[*index].is_state_log || !append.as_leader {
            return;
        }
        for (log, offset, what) in view.coordinators.unreadable() {
            if (*log, *offset) == (*index, view.partitions[*index].batches.get(append.batch).base) {
                let wrong = "a state of a transaction cannot be read";
                out.add(Self::NAME, wrong, at, *index, Ground::Never)
                    .offset(*offset)
                    .detail((*what).to_owned());
            }
        }
        for (id, number) in view.coordinators.fresh() {
            check(view, at, *id, *number, out);
        }
    }
}

fn check(view: &View, at: &Moment, id: usize, number: usize, out: &mut Findings) {
    let id = view.coordinators.get(id);
    let own = &id.transitions[number];
    // Records that a replaced coordinator writes are not in the line of leaders.
    if !view.is_in_line(own) {
        return;
    }
    let before = id.transitions[..number].iter().rev().find(|it| view.is_in_line(it));
    let before_value = before.and_then(|it| it.value.as_ref());
    let wrong = wrong(before_value, own.value.as_ref())
        .map(|what| (what, after_pending(view, own, before)))
        .or_else(|| unmarked(view, own, before?));
    let Some((what, ground)) = wrong else { return };
    out.add(Coordinator::NAME, what, at, own.log, ground).offset(own.offset).detail(format!(
        "{}: {} after {}",
        id.name,
        in_words(own.value.as_ref()),
        in_words(before_value)
    ));
}

fn in_words(value: Option<&StateValue>) -> String {
    value.map_or_else(
        || "nothing".to_owned(),
        |it| format!("{:?} of producer {} in epoch {}", it.state, it.producer_id, it.epoch),
    )
}

/// What is wrong with a state after the one before.
fn wrong(before: Option<&StateValue>, own: Option<&StateValue>) -> Option<&'static str> {
    use State::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
    let state = before.map(|it| it.state);
    let Some(own) = own else {
        let may_expire = matches!(state, None | Some(Empty | CompleteCommit | CompleteAbort));
        return (!may_expire).then_some("a transactional id is forgotten during a transaction");
    };
    // A record that was not replicated in time is written again.
    if before.is_some_and(|it| it == own || (it.state, it.epoch) == (own.state, own.epoch)) {
        return None;
    }
    let is_idle = matches!(state, Some(Empty | CompleteCommit | CompleteAbort));
    let follows = match own.state {
        Empty => state.is_none() || is_idle,
        Ongoing => is_idle || state == Some(Ongoing),
        PrepareCommit => state == Some(Ongoing),
        // An abort without a transaction bumps the epoch (KIP-890).
        PrepareAbort => is_idle || state == Some(Ongoing),
        CompleteCommit => state == Some(PrepareCommit),
        CompleteAbort => state == Some(PrepareAbort),
    };
    if !follows {
        return Some(match state.and_then(State::decision) {
            Some(_) => "a decision about a transaction is not final",
            None => "a state of a transaction does not follow the one before",
        });
    }
    let falls = before.is_some_and(|it| it.producer_id == own.producer_id && own.epoch < it.epoch);
    falls.then_some("the producer epoch of a transactional id decreases")
}

/// The ground of a wrong state: whether the state before was still waiting to be replicated.
fn after_pending(view: &View, own: &Transition, before: Option<&Transition>) -> Ground {
    let value = own.value.as_ref().or(before.and_then(|it| it.value.as_ref()));
    let pending = before.and_then(|before| {
        let is_replicated = view.partitions[before.log].batches.get(before.batch).committed;
        (!is_replicated).then(|| own.at.saturating_sub(before.at))
    });
    Ground::AfterPending {
        pending,
        timeout_ms: value.map_or(0, |value| value.timeout_ms),
        producer_id: value.map_or(-1, |value| value.producer_id),
    }
}

/// Finds a transaction that is complete although one of its partitions has no marker.
fn unmarked(
    view: &View,
    own: &Transition,
    prepared: &Transition,
) -> Option<(&'static str, Ground)> {
    let committed = own.state()?.completed()?;
    let before = prepared.value.as_ref()?;
    if before.state.decision() != Some(committed) {
        return None;
    }
    let cluster = view.partitions[own.log].cluster;
    let partitions = before.partitions.iter().filter_map(|name| view.named(cluster, name));
    let mut lacking = partitions.filter(|index| {
        let partition = &view.partitions[*index];
        let is_its = |batch: &u32| {
            let it = partition.batches.get(*batch);
            let of = it.sequence().map(|it| (it.producer_id, it.epoch));
            it.at >= prepared.at
                && of == Some((before.producer_id, before.epoch))
                && it.marker.is_some_and(|marker| marker.committed == committed)
        };
        !partition.transactions.markers().iter().rev().any(is_its)
    });
    lacking.next()?;
    let ground = Ground::Transaction { producer_id: before.producer_id, log: Some(own.log) };
    Some(("a transaction is complete without a marker in a partition of it", ground))
}
