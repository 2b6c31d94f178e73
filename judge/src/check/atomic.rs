//! A transaction is committed as a whole or not at all, as reported to its application.
//! [`crate::evidence::transaction`] has the promise for each outcome.
//!
//! A transaction that lacks only acknowledged records does not count as partly committed:
//! `acknowledged-survives` reports these records.

use super::{Check, Findings, Ground};
use crate::evidence::transaction::{Promise, Stored, Tally};
use crate::evidence::{ClientTransaction, End, Moment, NONE, View, records};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Atomic;

impl Atomic {
    pub(super) const NAME: &'static str = "all-or-nothing";
}

impl Check for Atomic {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (it, tally) in view.transactions.all().iter().zip(&end.tallies) {
            check(view, it, tally, out);
        }
    }
}

fn check(view: &View, it: &ClientTransaction, tally: &Tally, out: &mut Findings) {
    let is_partly = tally.committed.0 > 0;
    match it.promise() {
        Promise::Committed => {
            if let Some(stored) = tally.aborted.1 {
                report(view, it, "a record of a committed transaction is aborted", stored, out);
            }
            if let Some(record) = tally.failed.1 {
                without(view, it, (record, tally.committed.1), out);
            }
        }
        Promise::Aborted => {
            if let Some(stored) = tally.committed.1 {
                let what = match it.ended {
                    Some(_) => "a record of an aborted transaction is committed",
                    None => "a transaction is committed although its application did not commit it",
                };
                report(view, it, what, stored, out);
            }
        }
        Promise::Either if !is_partly => {}
        Promise::Either => {
            const PART: &str = "only a part of a transaction is committed";
            if let Some(stored) = wrong_half(view, tally) {
                report(view, it, PART, stored, out);
            } else if let (true, Some(record)) = (tally.failed.0 > 0, tally.failed.1) {
                without(view, it, (record, tally.committed.1), out);
            }
        }
    }
}

/// Reports a committed transaction, of which `stored` is a record, that lacks a record which its
/// producer gave up. What may excuse it is that the coordinator lost its decision, so that the marker of
/// another transaction committed this one.
fn without(
    view: &View,
    it: &ClientTransaction,
    (record, stored): (u64, Option<Stored>),
    out: &mut Findings,
) {
    let Some(partition) = view.records.get(record).map(|it| it.partition as usize) else { return };
    let batch = stored.map(|it| view.partitions[it.partition].batches.get(it.batch));
    let producer_id = batch.and_then(|it| it.producer_id());
    let ground = producer_id.map_or(Ground::Never, |id| view.ground_of(partition, id));
    let (at, _) = it.ended.unwrap_or((it.begun, engine::fact::TransactionOutcome::Unknown));
    let what = "a transaction is committed without a record that its producer gave up";
    out.add(Atomic::NAME, what, &at, partition, ground).record(record).detail(format!(
        "{}: {}",
        named(it),
        records::name(record)
    ));
}

/// Of a transaction that is half committed and half aborted a record of the half that is not as it was
/// decided: where the log has lost data or markers of the producer, if it has.
fn wrong_half(view: &View, tally: &Tally) -> Option<Stored> {
    let aborted = tally.aborted.1?;
    let has_lost = |it: &Stored| {
        let partition = &view.partitions[it.partition];
        let producer_id = partition.batches.get(it.batch).producer_id();
        let mut lost = partition.losses.iter().map(|loss| partition.batches.get(loss.batch));
        lost.any(|batch| batch.is_transactional && batch.producer_id() == producer_id)
    };
    let halves = [Some(aborted), tally.committed.1];
    Some(halves.into_iter().flatten().find(has_lost).unwrap_or(aborted))
}

fn named(it: &ClientTransaction) -> String {
    format!("{}, which begins with {}", it.in_words(), records::name(it.number))
}

fn report(
    view: &View,
    it: &ClientTransaction,
    what: &'static str,
    Stored { partition, offset, record, batch }: Stored,
    out: &mut Findings,
) {
    let of = view.partitions[partition].batches.get(batch);
    let producer_id = of.producer_id().unwrap_or(-1);
    let ground = view.ground_of(partition, producer_id);
    // The violation dates from the marker, or from the application's contradicting outcome if that
    // came later.
    let batches = &view.partitions[partition].batches;
    let decided = if of.ended_by == NONE { of.at } else { batches.get(of.ended_by).at };
    let reported = it.ended.map(|(moment, _)| (moment.at, moment.event));
    let (at, event) = reported.filter(|(at, _)| *at > decided).unwrap_or((decided, 0));
    let node = view.node_of(&view.partitions[partition]);
    let at = Moment { at, node, incarnation: 0, event };
    out.add(Atomic::NAME, what, &at, partition, ground)
        .offset(offset)
        .record(record)
        .detail(format!("{}: {}", named(it), records::name(record)));
}

impl View {
    /// What may excuse a wrong outcome of a producer's transaction in a partition.
    pub(super) fn ground_of(&self, partition: usize, producer_id: i64) -> Ground {
        let cluster = self.partitions[partition].cluster;
        let id = self.coordinators.of_producer(cluster, producer_id);
        Ground::Transaction { producer_id, log: id.and_then(|id| self.log_of(id)) }
    }
}
