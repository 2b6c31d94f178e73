//! The records of each group in `__consumer_offsets`, in the order in which they were first seen, and
//! what coordinators reported.

use super::consumer::{Replayed, Said};
use super::log::{self, GenerationValue, Read, Value};
use crate::evidence::batch::NONE;
use crate::evidence::observed::Moment;
use crate::evidence::view::View;
use engine::fact::{AssignedMember, GroupFact, GroupState, MemberRemoval};
use engine::ids::Offset;
use engine::protocol::NamedPartition;
use machine::ClusterId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of the topic in which coordinators keep groups and offsets.
pub(in crate::evidence) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// A record of a group.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// When the record was first seen, in nanoseconds.
    pub at: u64,
    /// The partition of `__consumer_offsets`, an index of [`View::partitions`].
    pub log: usize,
    /// The number of its batch in that partition.
    pub batch: u32,
    /// The offset of the record.
    pub place: Offset,
    /// What it says; `None` for a tombstone.
    pub value: Option<T>,
}

/// A generation whose members have their assignments, as its coordinator reported it.
#[derive(Clone, Debug)]
pub struct Complete {
    /// When and where.
    pub moment: Moment,
    /// The generation.
    pub generation: i32,
    /// The assignor; `None` without members.
    pub protocol: Option<Arc<str>>,
    /// The members with their partitions.
    pub members: Vec<AssignedMember>,
}

/// A member that its coordinator removed.
#[derive(Clone, Debug)]
pub struct Removed {
    /// When and where.
    pub moment: Moment,
    /// The member.
    pub member: Arc<str>,
    /// Why.
    pub why: MemberRemoval,
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its cluster.
    pub cluster: ClusterId,
    /// `group.id`
    pub name: Arc<str>,
    /// All records of its generations, including those that were lost since.
    pub generations: Vec<Written<GenerationValue>>,
    /// All records of the consumer protocol; likewise.
    pub consumer: Vec<Written<Said>>,
    /// All records of its offsets by partition, named as `orders-0`; likewise.
    pub offsets: BTreeMap<String, Vec<Written<Offset>>>,
    /// The generations that were completed, in order.
    pub complete: Vec<Complete>,
    /// The members that were removed, in order.
    pub removed: Vec<Removed>,
}

/// A record that was read last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The group, an index of [`Groups::all`].
    pub group: usize,
    /// The partition, and the index of the record in [`Group::offsets`]; `None`: it is none of an offset.
    pub offset: Option<(String, usize)>,
    /// The index of the record in [`Group::consumer`]; `None`: it is none of the consumer protocol.
    pub consumer: Option<usize>,
}

/// All groups.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    all: Vec<Group>,
    by_name: BTreeMap<(ClusterId, Arc<str>), usize>,
    /// How many batches of each partition of `__consumer_offsets` have been read.
    read: BTreeMap<usize, usize>,
    fresh: Vec<Fresh>,
    /// Batches that could not be read: the partition, the base offset, and the error.
    unreadable: Vec<(usize, Offset, &'static str)>,
}

impl Groups {
    /// All groups, in the order in which they were first seen.
    pub fn all(&self) -> &[Group] {
        &self.all
    }

    /// The index of a group.
    pub fn named(&self, cluster: ClusterId, name: &str) -> Option<usize> {
        self.by_name.get(&(cluster, name.into())).copied()
    }

    /// The records that were read last.
    pub fn fresh(&self) -> &[Fresh] {
        &self.fresh
    }

    /// Batches that could not be read: the partition, the base offset, and the error.
    pub fn unreadable(&self) -> &[(usize, Offset, &'static str)] {
        &self.unreadable
    }

    fn index(&mut self, cluster: ClusterId, name: &str) -> usize {
        let name: Arc<str> = name.into();
        let next = self.all.len();
        let index = *self.by_name.entry((cluster, name.clone())).or_insert(next);
        if index == next {
            self.all.push(Group {
                cluster,
                name,
                generations: Vec::new(),
                consumer: Vec::new(),
                offsets: BTreeMap::new(),
                complete: Vec::new(),
                removed: Vec::new(),
            });
        }
        index
    }

    /// A coordinator reported something.
    pub(in crate::evidence) fn on_fact(&mut self, moment: &Moment, fact: &GroupFact) {
        let cluster = moment.node.cluster;
        match fact {
            GroupFact::GenerationComplete { group, generation, protocol, members, .. } => {
                let index = self.index(cluster, group);
                self.all[index].complete.push(Complete {
                    moment: *moment,
                    generation: *generation,
                    protocol: protocol.clone(),
                    members: members.clone(),
                });
            }
            GroupFact::MemberRemoved { group, member, why, .. } => {
                let index = self.index(cluster, group);
                let (member, why) = (member.clone(), why.clone());
                self.all[index].removed.push(Removed { moment: *moment, member, why });
            }
            _ => {}
        }
    }

    fn push(&mut self, cluster: ClusterId, read: Read, written: Written<()>) {
        let Written { at, log, batch, place, .. } = written;
        let group = self.index(cluster, &read.group);
        let of = &mut self.all[group];
        let mut consumer = None;
        let offset = match read.value {
            Value::Offset(partition, value) => {
                let records = of.offsets.entry(partition.clone()).or_default();
                records.push(Written { at, log, batch, place, value });
                Some((partition, records.len() - 1))
            }
            Value::Generation(value) => {
                of.generations.push(Written { at, log, batch, place, value });
                None
            }
            Value::Consumer(said) => {
                consumer = Some(of.consumer.len());
                of.consumer.push(Written { at, log, batch, place, value: Some(said) });
                None
            }
        };
        self.fresh.push(Fresh { group, offset, consumer });
    }
}

impl View {
    /// Reads the batches of a partition of `__consumer_offsets` that were first seen since the last
    /// call.
    pub(in crate::evidence) fn read_offsets_log(&mut self, log: usize) {
        let (partition, groups) = (&self.partitions[log], &mut self.groups);
        groups.fresh.clear();
        let read = groups.read.entry(log).or_default();
        let from = std::mem::replace(read, partition.batches.len());
        for batch in from..partition.batches.len() {
            let batch = batch as u32;
            let it = partition.batches.get(batch);
            if it.is_control {
                continue;
            }
            let Some(bytes) = partition.batches.bytes(batch) else { continue };
            match log::read(bytes) {
                Err(what) => groups.unreadable.push((log, it.base, what)),
                Ok(records) => {
                    for read in records {
                        let (at, place) = (it.at, read.offset);
                        let written = Written { at, log, batch, place, value: None };
                        groups.push(partition.cluster, read, written);
                    }
                }
            }
        }
    }

    /// Whether a replica holds a record of its log below an offset, so that the record counts there.
    /// What a transaction wrote counts from its COMMIT marker on.
    fn counts<T>(&self, record: &Written<T>, (log, replica): (usize, usize), to: Offset) -> bool {
        let batches = &self.partitions[log].batches;
        if record.log != log || record.place >= to {
            return false;
        }
        let it = batches.get(record.batch);
        let is_held = |batch: u32| batches.get(batch).holders.contains(replica);
        if !it.is_transactional {
            return is_held(record.batch);
        }
        let marker = (it.ended_by != NONE).then(|| batches.get(it.ended_by));
        is_held(record.batch)
            && marker.is_some_and(|marker| {
                marker.base < to
                    && is_held(it.ended_by)
                    && marker.marker.is_some_and(|marker| marker.committed)
            })
    }

    /// The record that decides about the committed offset of a partition in the log of a replica up to
    /// an offset: the last one that counts. It is a tombstone if the group has no offset any more.
    pub fn offset_record<'v>(
        &'v self,
        records: &'v [Written<Offset>],
        of: (usize, usize),
        to: Offset,
    ) -> Option<&'v Written<Offset>> {
        let counting = records.iter().filter(|it| self.counts(it, of, to));
        counting.max_by_key(|it| it.place)
    }

    /// The record of the last generation of a group in the log of a replica up to an offset.
    pub fn generation_record<'v>(
        &'v self,
        group: &'v Group,
        of: (usize, usize),
        to: Offset,
    ) -> Option<&'v Written<GenerationValue>> {
        let counting = group.generations.iter().filter(|it| self.counts(it, of, to));
        counting.max_by_key(|it| it.place)
    }

    /// A group of the consumer protocol by the log of a replica up to an offset.
    pub fn consumer_group(&self, group: &Group, of: (usize, usize), to: Offset) -> Replayed {
        let counting = group.consumer.iter().filter(|it| self.counts(it, of, to));
        replay(counting)
    }

    /// A group of the consumer protocol by all records that have been seen and not been lost since.
    pub fn consumer_group_now(&self, group: &Group) -> Replayed {
        let kept = |it: &&Written<Said>| self.partitions[it.log].batches.get(it.batch).loss == NONE;
        replay(group.consumer.iter().filter(kept))
    }

    /// The offsets of a partition that transactions have brought in the log of a replica, and that wait
    /// for their marker: their producer ids, in order.
    fn pending(
        &self,
        records: &[Written<Offset>],
        (log, replica): (usize, usize),
        to: Offset,
    ) -> Vec<i64> {
        let batches = &self.partitions[log].batches;
        // A batch is one of the log of its own record: a group whose partition changed has several.
        let below = |it: &&Written<Offset>| {
            it.log == log && it.place < to && batches.get(it.batch).holders.contains(replica)
        };
        let removed = records.iter().filter(below).filter(|it| it.value.is_none());
        let removed = removed.map(|it| it.place).max();
        let mut pending: Vec<i64> = records
            .iter()
            .filter(below)
            .filter(|it| removed.is_none_or(|removed| it.place > removed))
            .map(|it| batches.get(it.batch))
            .filter(|it| it.is_transactional)
            .filter(|it| it.ended_by == NONE || batches.get(it.ended_by).base >= to)
            .filter_map(|it| it.producer_id())
            .collect();
        pending.sort_unstable();
        pending.dedup();
        pending
    }

    /// The groups of a partition of `__consumer_offsets` by the log of a replica up to an offset, in
    /// order of their names.
    pub fn replayed_groups(&self, of: (usize, usize), to: Offset) -> Vec<GroupState> {
        let cluster = self.partitions[of.0].cluster;
        let groups = self.groups.by_name.iter().filter(|((it, _), _)| *it == cluster);
        let states =
            groups.filter_map(|(_, index)| self.replayed(&self.groups.all[*index], of, to));
        states.collect()
    }

    /// One group, likewise; `None` if the log knows nothing of it.
    pub fn replayed(&self, group: &Group, of: (usize, usize), to: Offset) -> Option<GroupState> {
        let generation = self.generation_record(group, of, to).and_then(|it| it.value.as_ref());
        let mut state = GroupState {
            group: group.name.clone(),
            generation: generation.map(|it| it.generation),
            members: Vec::new(),
            consumer: self.consumer_group(group, of, to).state(),
            offsets: Vec::new(),
            pending: Vec::new(),
        };
        let members = generation.map_or(&[][..], |it| it.members.as_slice());
        state.members.extend(members.iter().map(|(id, _)| Arc::from(id.as_str())));
        state.members.sort_unstable();
        for (name, records) in &group.offsets {
            let Some(partition) = named(name) else { continue };
            let value = self.offset_record(records, of, to).and_then(|it| it.value);
            state.offsets.extend(value.map(|value| (partition.clone(), value)));
            let pending = self.pending(records, of, to);
            state.pending.extend(pending.into_iter().map(|it| (partition.clone(), it)));
        }
        state.offsets.sort_unstable();
        state.pending.sort_unstable();
        let is_known = state.generation.is_some()
            || state.consumer.is_some()
            || !state.offsets.is_empty()
            || !state.pending.is_empty();
        is_known.then_some(state)
    }
}

fn replay<'a>(records: impl Iterator<Item = &'a Written<Said>>) -> Replayed {
    let mut records: Vec<&Written<Said>> = records.collect();
    records.sort_by_key(|it| it.place);
    let mut replayed = Replayed::default();
    records.iter().filter_map(|it| it.value.as_ref()).for_each(|said| replayed.take(said));
    replayed
}

/// The topic and the index in the name of a partition.
fn named(name: &str) -> Option<NamedPartition> {
    let (topic, index) = name.rsplit_once('-')?;
    Some((topic.into(), index.parse().ok()?))
}

/// The name of a partition, as `orders-0`.
pub fn name((topic, index): &NamedPartition) -> String {
    format!("{topic}-{index}")
}
