//! A transaction is committed whole or not at all, as its application was told. What is promised for
//! which outcome is in [`crate::evidence::transaction`].
//!
//! A transaction of which only acknowledged records are missing is not half: what became of them is the
//! question of `acknowledged-survives`.

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
    let is_half = tally.committed.0 > 0;
    match it.promise() {
        Promise::Committed => {
            if let Some(stored) = tally.aborted.1 {
                report(view, it, "a record of a committed transaction is aborted", stored, out);
            }
            if let Some(record) = tally.failed.1 {
                without(view, it, record, out);
            }
        }
        Promise::Aborted => {
            if let Some(stored) = tally.committed.1 {
                let what = match it.ended {
                    Some(_) => "a record of an aborted transaction is committed",
                    None => "a transaction is committed that its application did not commit",
                };
                report(view, it, what, stored, out);
            }
        }
        Promise::Either if !is_half => {}
        Promise::Either => {
            const HALF: &str = "half of a transaction is committed";
            if let Some(stored) = tally.aborted.1 {
                report(view, it, HALF, stored, out);
            } else if let (true, Some(record)) = (tally.failed.0 > 0, tally.failed.1) {
                without(view, it, record, out);
            }
        }
    }
}

/// A record that its producer gave up is missing in a transaction that is committed.
fn without(view: &View, it: &ClientTransaction, record: u64, out: &mut Findings) {
    let Some(partition) = view.records.get(record).map(|it| it.partition as usize) else { return };
    let (at, _) = it.ended.unwrap_or((it.begun, engine::fact::TransactionOutcome::Unknown));
    let what = "a transaction is committed without a record that its producer gave up";
    out.add(Atomic::NAME, what, &at, partition, Ground::Never).record(record).detail(format!(
        "{}: {}",
        named(it),
        records::name(record)
    ));
}

fn named(it: &ClientTransaction) -> String {
    format!("{}, which begins with {}", it.told(), records::name(it.number))
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
    // It went wrong with the marker, or when the application was told otherwise.
    let batches = &view.partitions[partition].batches;
    let decided = if of.ended_by == NONE { of.at } else { batches.get(of.ended_by).at };
    let told = it.ended.map(|(moment, _)| (moment.at, moment.event));
    let (at, event) = told.filter(|(at, _)| *at > decided).unwrap_or((decided, 0));
    let node = view.node_of(&view.partitions[partition]);
    let at = Moment { at, node, incarnation: 0, event };
    out.add(Atomic::NAME, what, &at, partition, ground)
        .offset(offset)
        .record(record)
        .detail(format!("{}: {}", named(it), records::name(record)));
}

impl View {
    /// What may excuse that a transaction of a producer is not in a partition what it should be.
    pub(super) fn ground_of(&self, partition: usize, producer_id: i64) -> Ground {
        let cluster = self.partitions[partition].cluster;
        let id = self.coordinators.of_producer(cluster, producer_id);
        Ground::Transaction { producer_id, log: id.and_then(|id| self.log_of(id)) }
    }
}
