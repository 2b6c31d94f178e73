//! What the members of a group processed in all: which records none of them processed, and which were
//! processed more than once.

use super::members::{Life, Moved, Processed};
use super::reflection::{self, Reflected, Reflection};
use crate::evidence::batch::{HOLE, NO_RECORD};
use crate::evidence::end::Final;
use crate::evidence::transaction::Fate;
use crate::evidence::view::View;
use engine::ids::Offset;
use machine::ClusterId;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One time that a record was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// When, in nanoseconds.
    pub at: u64,
    /// The event.
    pub event: u64,
    /// The process, an index of [`super::Members::all`].
    pub life: usize,
}

/// A record that no member processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The partition.
    pub partition: usize,
    /// The offset.
    pub offset: Offset,
    /// Its number.
    pub record: u64,
}

/// A record that was processed more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// The partition.
    pub partition: usize,
    /// The offset.
    pub offset: Offset,
    /// Its number.
    pub record: u64,
    /// When it was processed, in order.
    pub times: Vec<Time>,
}

/// What a group processed.
#[derive(Clone, Debug)]
pub struct Processing {
    /// Its cluster.
    pub cluster: ClusterId,
    /// `group.id`
    pub group: Arc<str>,
    /// The number of distinct records that were processed.
    pub processed: u64,
    /// Records below the group's committed offset, or below what it has processed, that no member
    /// processed.
    pub skipped: Vec<Skipped>,
    /// The number of records of its partitions that were neither processed nor skipped: those before
    /// where it began, and those that it had not reached when its members ended.
    pub not_reached: u64,
    /// Records that were processed more than once.
    pub again: Vec<Again>,
    /// What became of its inputs, if it is a pipeline.
    pub reflection: Option<Reflection>,
    /// The number of distinct records of transactions that did not commit that were processed.
    pub uncommitted: u64,
}

/// A record at an offset of a partition: partition, offset, number.
type Place = (usize, Offset, u64);

/// What each group processed; `finals` is what each partition holds at the end.
pub(in crate::evidence) fn of_groups(view: &View, finals: &[Final]) -> Vec<Processing> {
    let mut groups: Vec<(ClusterId, Arc<str>)> =
        view.members.all().iter().map(|it| (it.node.cluster, it.group.clone())).collect();
    groups.sort_unstable();
    groups.dedup();
    let results =
        |key: &(ClusterId, Arc<str>)| view.setup.group_setups.get(key).map(|it| it.outputs);
    // Most runs have no pipeline, and nothing to look through.
    let has_pipelines = groups.iter().any(|key| results(key).is_some_and(|it| it > 0));
    let visible =
        if has_pipelines { reflection::visible(view, finals) } else { Default::default() };
    let processing = groups.into_iter().map(|key| {
        let each = results(&key).filter(|it| *it > 0);
        let name = (key.0, key.1.clone());
        let reflection =
            each.map(|each| reflection::of_group(view, finals, (name.0, &name.1), each, &visible));
        let is_apart = view.setup.group_setups.get(&key).is_some_and(|it| it.outputs_apart);
        let mut of = of_group(view, finals, key.0, key.1);
        if let Some(reflection) = reflection.as_ref().filter(|_| !is_apart) {
            // Results that are committed with their offsets are there, whether or not the application lived
            // to learn of it.
            let lacking = |it: &Skipped| {
                let its = |other: &&Reflected| {
                    (other.partition, other.offset) == (it.partition, it.offset)
                };
                reflection.others.iter().find(its).is_some_and(|it| it.has == Ordering::Less)
            };
            let before = of.skipped.len();
            of.skipped.retain(lacking);
            of.processed += (before - of.skipped.len()) as u64;
        }
        Processing { reflection, ..of }
    });
    processing.collect()
}

fn of_group(view: &View, finals: &[Final], cluster: ClusterId, group: Arc<str>) -> Processing {
    let mut times: BTreeMap<Place, Vec<Time>> = BTreeMap::new();
    for (index, life) in view.members.of_group(cluster, &group) {
        for processed in &life.processed {
            for (offset, record) in records_of(view, life, processed) {
                let Processed { moment, partition, .. } = *processed;
                let time = Time { at: moment.at, event: moment.event, life: index };
                times.entry((partition, offset, record)).or_default().push(time);
            }
        }
    }
    for of in times.values_mut() {
        of.sort_unstable_by_key(|time| (time.at, time.event));
    }
    let (mut skipped, mut others, mut uncommitted) = (Vec::new(), 0, 0);
    for (partition, held) in finals.iter().enumerate() {
        if owned(view, cluster, &group, partition) {
            let all = view.visible(partition, held, (0, Offset::MAX));
            let is_processed = |(offset, record): &(Offset, u64)| {
                times.contains_key(&(partition, *offset, *record))
            };
            others += all.iter().filter(|it| !is_processed(it)).count() as u64;
            if view.partitions[partition].transactions.any() {
                let all: BTreeSet<_> = all.into_iter().collect();
                let hidden = held.records.iter().filter(|it| !all.contains(it));
                uncommitted += hidden.filter(is_processed).count() as u64;
            }
        }
        let Some((begin, frontier)) = bounds(view, cluster, &group, partition) else { continue };
        let given = given(view, cluster, &group, partition);
        for (offset, record) in view.visible(partition, held, (begin, frontier)) {
            let is_due = given.iter().any(|(from, to)| (*from..*to).contains(&offset));
            if !is_due && !times.contains_key(&(partition, offset, record)) {
                skipped.push(Skipped { partition, offset, record });
            }
        }
    }
    let not_reached = others.saturating_sub(skipped.len() as u64);
    let processed = times.len() as u64;
    let again = times.into_iter().filter(|(_, times)| times.len() > 1);
    let again = again.map(|((partition, offset, record), times)| Again {
        partition,
        offset,
        record,
        times,
    });
    let again = again.collect();
    let reflection = None;
    Processing { cluster, group, processed, skipped, not_reached, again, reflection, uncommitted }
}

/// Whether a member of a group has ever owned a partition.
fn owned(view: &View, cluster: ClusterId, group: &str, partition: usize) -> bool {
    let joins = view.members.of_group(cluster, group).flat_map(|(_, life)| &life.joins);
    joins.into_iter().any(|join| join.partitions.contains(&partition))
}

/// What owners of a partition that still run have been given and have not finished with: first offsets, and
/// offsets after the last.
fn given(view: &View, cluster: ClusterId, group: &str, partition: usize) -> Vec<(Offset, Offset)> {
    let owners = view.members.of_group(cluster, group).map(|(_, life)| life);
    let owners = owners.filter(|it| it.ended.is_none() && it.owned.contains_key(&partition));
    let ranges = owners.filter_map(|life| {
        let mut readers = view.partitions[partition].readers.iter().map(|it| &view.readers[*it]);
        let own = readers.find(|it| it.node == life.node && it.incarnation == life.incarnation)?;
        let moved = life.moved_before(partition, u64::MAX)?;
        let from = life.processed_to(partition, u64::MAX).unwrap_or(moved.to);
        Some((from, own.position?))
    });
    ranges.collect()
}

/// The offsets and numbers of the records that an application has finished with.
fn records_of(view: &View, life: &Life, of: &Processed) -> Vec<(Offset, u64)> {
    let partition = &view.partitions[of.partition];
    let mut readers = partition.readers.iter().map(|reader| &view.readers[*reader]);
    let own = readers.find(|it| it.node == life.node && it.incarnation == life.incarnation);
    let mut records = Vec::new();
    let mut seen = BTreeMap::new();
    // A reader that was moved back has been given an offset several times: the last record counts.
    for piece in own.into_iter().flat_map(|reader| &reader.seen) {
        let (from, to) = (piece.from.max(of.from), piece.to.min(of.to));
        if from < to {
            let numbers = partition.batches.numbers(piece.batch, from, to);
            seen.extend((from..).zip(numbers.iter().copied()));
        }
    }
    records.extend(seen.into_iter().filter(|(_, number)| is_record(*number)));
    records
}

fn is_record(number: u64) -> bool {
    !matches!(number, HOLE | NO_RECORD)
}

/// The first offset from which a group reads a partition, and the offset below which all its records
/// should have been processed.
pub fn bounds(
    view: &View,
    cluster: ClusterId,
    group: &str,
    partition: usize,
) -> Option<(Offset, Offset)> {
    let its = |it: &&Moved| it.partition == partition;
    let lives = || view.members.of_group(cluster, group).map(|(_, life)| life);
    let moved = lives().filter_map(|life| life.moved.iter().find(its));
    let begin = moved.min_by_key(|it| (it.moment.at, it.moment.event))?.to;
    let processed = lives().flat_map(|life| &life.processed);
    let processed = processed.filter(|it| it.partition == partition).map(|it| it.to).max();
    let frontier = processed.max(view.committed_offset(cluster, group, partition))?;
    Some((begin, frontier))
}

impl View {
    /// The committed offset of a group in a partition by the logs of the leaders; `None` if there is
    /// none.
    pub fn committed_offset(
        &self,
        cluster: ClusterId,
        group: &str,
        partition: usize,
    ) -> Option<Offset> {
        let group = &self.groups.all()[self.groups.named(cluster, group)?];
        let records = group.offsets.get(&self.partitions[partition].name)?;
        let log = records.first()?.log;
        let leader = self.partitions[log].line_leader?;
        self.offset_record(records, (log, leader), Offset::MAX)?.value
    }

    /// The records between two offsets of a partition that a reader of committed records is given: offsets
    /// and numbers.
    pub fn visible(
        &self,
        index: usize,
        held: &Final,
        (from, to): (Offset, Offset),
    ) -> Vec<(Offset, u64)> {
        let partition = &self.partitions[index];
        let mut hidden = Vec::new();
        if partition.transactions.any() {
            let aborted = partition.line.iter().filter(|batch| {
                matches!(partition.fate(**batch), Some(Fate::Aborted | Fate::Open))
            });
            hidden.extend(aborted.map(|batch| {
                let it = partition.batches.get(*batch);
                it.base..it.next
            }));
        }
        let is_given = |(offset, number): &(Offset, u64)| {
            (from.max(held.start)..to).contains(offset)
                && is_record(*number)
                && !hidden.iter().any(|range| range.contains(offset))
        };
        held.records.iter().filter(is_given).collect()
    }
}
