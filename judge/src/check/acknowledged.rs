//! An acknowledged record survives, at the offset that was acknowledged.
//!
//! Catches a corrupted `start_of_following` (KIP-101), `may_join_isr` (KAFKA-7128),
//! `is_in_effective_isr` (KIP-497), `check_leader_epoch` (KIP-320), `elect_leader`.
//!
//! A record behind a transaction that stays open cannot be read as `read_committed`: what excuses that
//! the transaction does not end excuses that.

use super::{Check, Findings, Ground};
use crate::evidence::{End, NONE, Outcome, Partition, Record, Source, View, records};
use std::collections::BTreeSet;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledged;

const LOST: &str = "an acknowledged record was lost";
const UNREADABLE: &str = "an acknowledged record cannot be read";
const NEVER_WRITTEN: &str = "a record was acknowledged that was never written there";

/// The findings about records that are gone, not merely at another offset.
pub(crate) const GONE: [&str; 3] = [LOST, UNREADABLE, NEVER_WRITTEN];

impl Acknowledged {
    pub(super) const NAME: &'static str = "acknowledged-survives";
}

impl Check for Acknowledged {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        let absent = |(number, record): &(u64, &Record)| {
            let held = &end.finals[record.partition as usize];
            record.offset >= held.start && held.records.get(record.offset) != Some(*number)
        };
        let acked = view.records.iter().filter(|(_, record)| record.outcome == Outcome::Acked);
        let gone = acked.filter(absent).filter(|(_, record)| end.is_promised(view, record));
        let gone: Vec<(u64, &Record)> = gone.collect();
        if gone.is_empty() {
            return;
        }
        let readable: BTreeSet<u64> =
            end.finals.iter().flat_map(|it| it.records.values().iter().copied()).collect();
        for (number, record) in gone {
            let partition = record.partition as usize;
            let lost = !readable.contains(&number);
            report(view, end, (number, record), &view.partitions[partition], lost, out);
        }
    }
}

fn report(
    view: &View,
    end: &End,
    (number, record): (u64, &Record),
    partition: &Partition,
    lost: bool,
    out: &mut Findings,
) {
    let holding = |batch: &u32| partition.batches.number_at(*batch, record.offset) == number;
    // If the record was sent again, several batches may have held it at this offset. The committed
    // one was acknowledged, or else the one that was lost last.
    let settled = |batch: &u32| {
        let batch = partition.batches.get(*batch);
        let lost = (batch.loss != NONE).then(|| partition.losses[batch.loss as usize].at);
        (batch.committed, lost)
    };
    let batch = partition.batches.covering(record.offset).filter(holding).max_by_key(settled);
    let loss = batch.map(|batch| partition.batches.get(batch).loss).filter(|loss| *loss != NONE);
    let ground = match (loss, batch) {
        (Some(loss), _) => {
            let witness = partition.losses[loss as usize].witness.clone();
            Ground::Gone { witness, loss: Some(loss) }
        }
        (None, Some(_)) => {
            let index = record.partition as usize;
            match view.held_up(index, end.at).filter(|(from, _)| record.offset >= *from) {
                Some((_, held)) => view.ground_of(index, held.producer_id),
                None => unreadable(end, partition, (number, record)),
            }
        }
        (None, None) => copied(view, partition, record),
    };
    let what = match (lost, batch.is_some(), loss.is_some()) {
        (true, true, true) => LOST,
        (true, true, false) => UNREADABLE,
        (true, false, _) => NEVER_WRITTEN,
        (false, _, _) => "an acknowledged record is not at its offset",
    };
    let source = end.finals[record.partition as usize].source;
    let known = match source {
        Source::ReadBack => "not among the records read back",
        Source::Disk { .. } => "not on the leader's disk",
        Source::Reported => "not in the log that the leader reported",
    };
    let (at, event) = match loss {
        Some(loss) => {
            let loss = &partition.losses[loss as usize];
            (loss.at, loss.event)
        }
        None => (end.at, record.settled),
    };
    let at = crate::evidence::Moment { at, node: view.node_of(partition), incarnation: 0, event };
    out.add(Acknowledged::NAME, what, &at, record.partition as usize, ground)
        .offset(record.offset)
        .record(number)
        .detail(format!("{}, {known}", records::name(number)));
}

/// What may excuse that a record was confirmed at an offset where another one of its producer stands: a
/// coordinator that has lost what it had written gives an epoch out again, and a leader takes a batch of
/// that epoch for a copy of the one that it has.
fn copied(view: &View, partition: &Partition, record: &Record) -> Ground {
    let transaction = view.transactions.get(record.transaction);
    let session = transaction.and_then(|it| view.transactions.sessions().get(it.session?));
    let Some(producer_id) = session.map(|it| it.producer_id) else { return Ground::Never };
    let is_its = |batch: u32| partition.batches.get(batch).producer_id() == Some(producer_id);
    match partition.batches.covering(record.offset).any(is_its) {
        true => view.ground_of(record.partition as usize, producer_id),
        false => Ground::Never,
    }
}

/// What may excuse a record that cannot be read on the leader's disk, when no in-sync replica has a
/// log as long to read instead: another replica holds the record on its disk, or the leader alone
/// was enough to acknowledge it.
fn unreadable(end: &End, partition: &Partition, (number, record): (u64, &Record)) -> Ground {
    let index = record.partition as usize;
    let leader = match (partition.line_leader, end.finals[index].source) {
        (Some(leader), Source::Disk { replica }) if replica == leader => leader,
        _ => return Ground::Never,
    };
    let is_enough = record.acks == 1 || partition.min_isr <= 1;
    let mut others = (0..partition.replicas.len()).filter(|replica| *replica != leader);
    let is_elsewhere = others.any(|replica| {
        end.disk(index, replica).is_some_and(|log| log.holds(record.offset, number))
    });
    match is_enough || is_elsewhere {
        true => Ground::Unreadable { node: partition.replicas[leader].node },
        false => Ground::Never,
    }
}
