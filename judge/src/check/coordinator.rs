//! The records of a transactional id follow one another: each state has one of its valid
//! predecessors (`TransactionState`), a decision is final, epochs do not decrease, and a
//! transaction is complete only when each of its partitions has its marker.
//!
//! A coordinator whose record is not replicated within `transaction.timeout.ms` continues as if it
//! had not written the record (`TransactionStateManager.appendTransactionToLog`), which may stay in
//! the log, and be replicated later, all the same.

use super::{Check, Findings, Ground};
use crate::evidence::transaction::Transition;
use crate::evidence::{Effect, Moment, State, StateValue, View};
use engine::fact::Fact;
use std::collections::BTreeMap;

/// A record: the indexes of its transactional id and of
/// [`crate::evidence::transaction::Id::transitions`].
type Record = (usize, usize);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Coordinator {
    /// Records that are not replicated yet, by partition of `__transaction_state`.
    waiting: BTreeMap<usize, Vec<Record>>,
    /// When each of the others was replicated, in nanoseconds.
    replicated: BTreeMap<Record, u64>,
}

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
        if let Effect::Watermark(index, _) = effect {
            self.note_replicated(view, at, *index);
        }
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
            self.check(view, at, (*id, *number), out);
            self.waiting.entry(*index).or_default().push((*id, *number));
        }
    }
}

impl Coordinator {
    fn check(&self, view: &View, at: &Moment, (id, number): Record, out: &mut Findings) {
        let transitions = &view.coordinators.get(id).transitions;
        let own = &transitions[number];
        // Records that a replaced coordinator writes are not in the line of leaders.
        if !view.is_in_line(own) {
            return;
        }
        let previous = (0..number).rev().find(|it| view.is_in_line(&transitions[*it]));
        let before = previous.map(|it| &transitions[it]);
        let before_value = before.and_then(|it| it.value.as_ref());
        let replicated = previous.and_then(|it| self.replicated.get(&(id, it)));
        let wrong = wrong(before_value, own.value.as_ref())
            .map(|what| (what, after_pending(own, before, replicated)))
            .or_else(|| unmarked(view, own, before?));
        let Some((what, ground)) = wrong else { return };
        out.add(Self::NAME, what, at, own.log, ground).offset(own.offset).detail(format!(
            "{}: {} after {}",
            view.coordinators.get(id).name,
            in_words(own.value.as_ref()),
            in_words(before_value)
        ));
    }

    /// Notes which records of a partition a high watermark has passed.
    fn note_replicated(&mut self, view: &View, at: &Moment, log: usize) {
        let Some(waiting) = self.waiting.get_mut(&log) else { return };
        waiting.retain(|(id, number)| {
            let batch = view.coordinators.get(*id).transitions[*number].batch;
            let is_replicated = view.partitions[log].batches.get(batch).committed;
            if is_replicated {
                self.replicated.insert((*id, *number), at.at);
            }
            !is_replicated
        });
    }
}

fn in_words(value: Option<&StateValue>) -> String {
    value.map_or_else(
        || "nothing".to_owned(),
        |it| format!("{:?} of producer {} in epoch {}", it.state, it.producer_id, it.epoch),
    )
}

/// What is wrong with a state after the previous one.
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

/// The ground of a wrong state: how long the state before, which was replicated at `replicated` if
/// at all, had waited for that.
fn after_pending(
    own: &Transition,
    before: Option<&Transition>,
    replicated: Option<&u64>,
) -> Ground {
    let value = own.value.as_ref().or(before.and_then(|it| it.value.as_ref()));
    Ground::AfterPending {
        pending: before.map(|it| replicated.unwrap_or(&own.at).saturating_sub(it.at)),
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
