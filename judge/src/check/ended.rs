//! In a healed cluster no transaction stays open: its producer ends it, or its coordinator does
//! when `transaction.timeout.ms` has ended. Until then `read_committed` readers get no further in
//! its partitions. While its time is not over, the coordinator does not abort it.
//!
//! A decided transaction is completed; otherwise its transactional id is of no use any more.
//!
//! A transaction that is aborted after its time although its producer lives is permitted, and
//! named.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, Partition, State, Transition, View};
use engine::fact::Fact;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended;

impl Ended {
    pub(super) const NAME: &'static str = "transactions-end";
}

impl Check for Ended {
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        if let Fact::TransactionDecided {
            transactional_id,
            producer_id,
            producer_epoch,
            timed_out: true,
            ..
        } = fact
        {
            timed_out(view, at, transactional_id, (*producer_id, *producer_epoch), out);
        }
    }

    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        decided(view, end, out);
        for (index, partition) in view.partitions.iter().enumerate() {
            if partition.topic.is_none() || partition.state().is_some_and(|it| it.leader.is_none())
            {
                continue;
            }
            for (producer_id, batches) in partition.transactions.open() {
                let is_over = |batch: &&u32| view.is_time_over(partition, **batch, end.at);
                let Some(batch) = batches.first().filter(is_over) else { continue };
                let it = partition.batches.get(*batch);
                let node = view.node_of(partition);
                let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
                let what = "a transaction is still open";
                out.add(Self::NAME, what, &at, index, view.ground_of(index, producer_id))
                    .offset(it.base)
                    .record(partition.batches.number_at(*batch, it.base))
                    .detail(format!("of producer {producer_id}, since {}", view.time(it.at)));
            }
        }
    }
}

/// The transactional ids whose last state is a decision: of a transaction whose partitions have
/// leaders, so that nothing keeps the markers from being written.
fn decided(view: &View, end: &End, out: &mut Findings) {
    let has_leader = |it: &Partition| it.state().is_some_and(|state| state.leader.is_some());
    for (known, id) in view.coordinators.ids().iter().enumerate() {
        let Some(last) = view.transitions(known).next() else { continue };
        let Some(value) = last.value.as_ref().filter(|it| it.state.decision().is_some()) else {
            continue;
        };
        let log = &view.partitions[last.log];
        let mut its = view.partitions.iter().filter(|partition| {
            partition.cluster == log.cluster && value.partitions.contains(&partition.name)
        });
        if !has_leader(log) || !its.all(|it| has_leader(it) && view.is_past(it, last.at, end.at)) {
            continue;
        }
        if view.is_past(log, last.at, end.at) {
            let at = Moment { at: end.at, node: view.node_of(log), incarnation: 0, event: 0 };
            let what = "a transaction was decided and is not completed";
            let ground = view.ground_of(last.log, value.producer_id);
            out.add(Ended::NAME, what, &at, last.log, ground).offset(last.offset).detail(format!(
                "of {}, since {}",
                id.name,
                view.time(last.at)
            ));
        }
    }
}

/// A coordinator has aborted a transaction because of the time, by what it wrote about that.
fn timed_out(view: &View, at: &Moment, id: &str, producer: (i64, i16), out: &mut Findings) {
    let Some(known) = view.coordinators.named(at.node.cluster, id) else { return };
    let is_its = |it: &&Transition| {
        let value = it.value.as_ref().filter(|it| it.state == State::PrepareAbort);
        value.is_some_and(|it| (it.producer_id, it.epoch) == producer)
    };
    let Some(abort) = view.transitions(known).find(is_its) else { return };
    let Some(value) = &abort.value else { return };
    let (open_ms, timeout_ms) = (value.last_update_ms - value.start_ms, value.timeout_ms);
    if open_ms > i64::from(timeout_ms) && !view.transactions.is_open(id) {
        return;
    }
    let what = "a coordinator aborted the transaction of a producer that was using it";
    out.add(Ended::NAME, what, at, abort.log, Ground::TimedOut { open_ms, timeout_ms })
        .offset(abort.offset)
        .detail(format!("{id}, open for {open_ms} ms with transaction.timeout.ms={timeout_ms}"));
}
