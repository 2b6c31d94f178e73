//! Each input of a pipeline is reflected exactly once: a group that commits its offsets in the transactions
//! of its outputs (KIP-98, KIP-447) has one committed output for each input below its committed offset,
//! and none for the others.
//!
//! Catches a coordinator that shows an offset although a transaction may replace it (KAFKA-9346), or that
//! accepts the offsets of a former member (KIP-447), and a producer that goes on after it was fenced.

use super::{Check, Findings, Ground, GroupGround, group_processing};
use crate::evidence::group::{Processing, Reflected as Input, Skipped};
use crate::evidence::transaction::Promise;
use crate::evidence::{End, Moment, NONE, View, records};
use engine::fact::Positioning;
use std::cmp::Ordering;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Reflected;

impl Reflected {
    pub(super) const NAME: &'static str = "reflected-once";
}

impl Check for Reflected {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for of in &end.processing {
            let key = (of.cluster, of.group.clone());
            let Some(setup) = view.setup.group_setups.get(&key) else { continue };
            for input in of.reflection.iter().flat_map(|it| &it.others) {
                let what = match (input.has, input.is_committed) {
                    (Ordering::Greater, _) => "an input of a pipeline is reflected more than once",
                    // Without transactions results may lack for every reason for which records do.
                    _ if setup.outputs_apart => continue,
                    (Ordering::Less, true) => "an input of a pipeline is not reflected",
                    _ => "an input of a pipeline is reflected and not committed",
                };
                let node = view.node_of(&view.partitions[input.partition]);
                let late = Moment { at: end.at, node, incarnation: 0, event: 0 };
                let undone = undone(view, end, of, input).filter(|_| input.has == Ordering::Less);
                let (ground, at) = match input.has {
                    _ if undone.is_some() => (Ground::Never, late),
                    Ordering::Less if input.is_committed => match skipped(view, end, of, input) {
                        Some(why) => why,
                        // An application sought.
                        None => continue,
                    },
                    Ordering::Greater => (again(view, of, input), late),
                    _ => (lost(view, of, input).unwrap_or(Ground::Never), late),
                };
                let results: Vec<String> =
                    input.results.iter().map(|it| records::name(*it)).collect();
                let finding = match undone {
                    Some((partition, ground)) => out.add(Self::NAME, what, &at, partition, ground),
                    None => {
                        let finding = out.add(Self::NAME, what, &at, input.partition, ground);
                        finding.offset(input.offset)
                    }
                };
                finding.record(input.record).detail(format!(
                    "group {}, {}, outputs: {}",
                    of.group,
                    records::name(input.record),
                    if results.is_empty() { "none".to_owned() } else { results.join(", ") }
                ));
            }
        }
    }
}

/// Why an input has no results, as far as something moved the group beyond it; `None`: its application
/// sought.
fn skipped(view: &View, end: &End, of: &Processing, input: &Input) -> Option<(Ground, Moment)> {
    let its = |it: &&Skipped| (it.partition, it.offset) == (input.partition, input.offset);
    if let Some(skipped) = of.skipped.iter().find(its) {
        return group_processing::beyond(view, end, of, skipped);
    }
    let node = view.node_of(&view.partitions[input.partition]);
    Some((Ground::Never, Moment { at: end.at, node, incarnation: 0, event: 0 }))
}

/// A transaction of the input that its application did not abort, and of which the logs lack results: the
/// partition of such a result, and what may excuse that a part of the transaction is undone.
fn undone(view: &View, end: &End, of: &Processing, input: &Input) -> Option<(usize, Ground)> {
    let lives = view.members.of_group(of.cluster, &of.group);
    let derived = lives.flat_map(|(_, life)| &life.derived);
    let mut lacking = derived.filter(|it| {
        let is_its = (it.partition, it.offset) == (input.partition, input.offset);
        is_its && !input.results.contains(&it.record)
    });
    lacking.find_map(|it| {
        let record = view.records.get(it.record)?;
        if view.transactions.get(record.transaction)?.promise() == Promise::Aborted {
            return None;
        }
        let tally = end.tallies.get(record.transaction as usize)?;
        let stored = tally.aborted.1.or(tally.committed.1)?;
        let batch = view.partitions[stored.partition].batches.get(stored.batch);
        let partition = record.partition as usize;
        let is_known = partition < view.partitions.len();
        let producer_id = batch.producer_id().filter(|_| is_known)?;
        Some((partition, view.ground_of(partition, producer_id)))
    })
}

/// Why an input has results more than once: who wrote them, or why the last one of these began before
/// it although it was committed.
fn again(view: &View, of: &Processing, input: &Input) -> Ground {
    let wrote = |number: &u64| {
        let mut lives = view.members.of_group(of.cluster, &of.group);
        lives.find_map(|(index, life)| {
            let derived = life.derived.iter().find(|it| it.record == *number)?;
            Some((index, life, derived.moment.at))
        })
    };
    let mut writers: Vec<_> = input.results.iter().filter_map(wrote).collect();
    writers.sort_by_key(|(_, _, at)| *at);
    let (Some((first, ..)), Some((last, life, at))) = (writers.first(), writers.last()) else {
        return Ground::Never;
    };
    let setup = view.setup.group_setups.get(&(of.cluster, of.group.clone()));
    if setup.is_some_and(|setup| setup.outputs_apart) {
        return Ground::Group(GroupGround::Results { first: *first, last: *last });
    }
    if let Some(moved) = life.moved_before(input.partition, *at)
        && !matches!(moved.why, Positioning::Committed | Positioning::Seek)
        && let Some(place) = life.moved.iter().position(|it| std::ptr::eq(it, moved))
    {
        return Ground::Group(GroupGround::Moved { life: *last, moved: place });
    }
    lost(view, of, input).unwrap_or(Ground::Never)
}

/// The committed offset beyond an input that has left the log of the coordinator, if there is one.
fn lost(view: &View, of: &Processing, input: &Input) -> Option<Ground> {
    let known = view.groups.named(of.cluster, &of.group)?;
    let records = view.groups.all()[known].offsets.get(&view.partitions[input.partition].name)?;
    let mut beyond = records.iter().filter(|it| it.value.is_some_and(|to| to > input.offset));
    let is_lost = |log: usize, batch: u32| view.partitions[log].batches.get(batch).loss != NONE;
    let gone = beyond.find(|it| is_lost(it.log, it.batch))?;
    Some(Ground::Group(GroupGround::Gone { log: gone.log, batch: gone.batch }))
}
