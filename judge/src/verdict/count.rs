//! Records by their identity, over the whole run.

use crate::check::{Finding, Ground};
use crate::evidence::{End, Fate, Outcome, Promise, Record, View, records};
use crate::outcome::Counts;
use std::collections::BTreeSet;

/// Counts the outcomes of records.
pub(super) fn counts(view: &View, end: &End) -> Counts {
    let unplaced = view.records.unplaced;
    let mut counts = Counts { sent: unplaced, failed: unplaced, ..Counts::default() };
    let mut copies: Vec<Vec<u32>> = vec![Vec::new(); view.records.producers()];
    for (partition, held) in view.partitions.iter().zip(&end.finals) {
        if partition.topic.is_some() {
            read(view, held.records.values(), &mut copies, &mut counts);
        }
    }
    let hidden = hidden(view);
    for (number, record) in view.records.iter() {
        let (producer, count) = records::parts(number);
        let copies = copies[producer].get(count).copied().unwrap_or(0);
        let is_hidden = hidden.contains(&number);
        counts.sent += 1;
        counts.read += u64::from(copies > 0 && !is_hidden);
        let is_confirmed = matches!(record.outcome, Outcome::Acked | Outcome::Unconfirmed);
        let is_aborted = is_hidden || is_aborted(view, record);
        counts.aborted += u64::from(is_confirmed && is_aborted);
        counts.duplicated += u64::from(copies > 1);
        match record.outcome {
            Outcome::Acked => {
                counts.acked += 1;
                counts.lost += u64::from(copies == 0 && end.is_promised(view, record));
            }
            Outcome::Unconfirmed => counts.unconfirmed += 1,
            Outcome::Failed => counts.failed += 1,
            Outcome::Unknown | Outcome::Open => counts.unknown += 1,
        }
    }
    let is_read = |number: &&u64| {
        let (producer, count) = records::parts(**number);
        copies[producer].get(count).is_some_and(|copies| *copies > 0)
    };
    let twice = |records: &&[u64]| records.iter().filter(is_read).count() > 1;
    counts.duplicated += view.records.sent_again().filter(twice).count() as u64;
    counts
}

/// The records in a log whose transactions are not committed there.
fn hidden(view: &View) -> BTreeSet<u64> {
    let with_transactions = view.partitions.iter().filter(|it| it.transactions.any());
    let batches = with_transactions.flat_map(|it| it.line.iter().map(move |batch| (it, *batch)));
    let hidden = batches
        .filter(|(it, batch)| matches!(it.fate(*batch), Some(Fate::Aborted | Fate::Open)))
        .flat_map(|(it, batch)| {
            let of = it.batches.get(batch);
            it.batches.numbers(batch, of.base, of.next)
        });
    hidden.copied().collect()
}

/// Whether the application knows that the transaction of a record is aborted.
fn is_aborted(view: &View, record: &Record) -> bool {
    let transaction = view.transactions.get(record.transaction);
    transaction.is_some_and(|it| it.promise() == Promise::Aborted)
}

/// The number of records that these findings, all of one partition, concern. Records count by
/// identity, findings without a record by offset if none of those records has it, processes that
/// stopped one by one. Other findings count as one in all, if there is nothing else.
pub(super) fn concerned(findings: &[&Finding]) -> u64 {
    let records: BTreeSet<u64> = findings.iter().filter_map(|it| it.record).collect();
    let known = findings.iter().filter(|it| it.record.is_some());
    let at: BTreeSet<i64> = known.filter_map(|it| it.offset).collect();
    let nameless = findings.iter().filter(|it| it.record.is_none());
    let others: BTreeSet<i64> =
        nameless.filter_map(|it| it.offset).filter(|offset| !at.contains(offset)).collect();
    let halts = findings.iter().filter(|it| matches!(it.ground, Ground::Halted { .. })).count();
    ((records.len() + others.len() + halts) as u64).max(1)
}

/// Counts the records of one partition in order.
fn read(view: &View, numbers: &[u64], copies: &mut [Vec<u32>], counts: &mut Counts) {
    let mut highest: Vec<Option<usize>> = vec![None; copies.len()];
    for number in numbers.iter().filter(|number| view.records.get(**number).is_some()) {
        let (producer, count) = records::parts(*number);
        let Some(copies) = copies.get_mut(producer) else { continue };
        if copies.len() <= count {
            copies.resize(count + 1, 0);
        }
        copies[count] = copies[count].saturating_add(1);
        let highest = &mut highest[producer];
        if copies[count] == 1 && highest.is_some_and(|highest| count < highest) {
            counts.reordered += 1;
        }
        *highest = (*highest).max(Some(count));
    }
}
