//! What a coordinator knows of its groups is the replay of its log up to what is committed, or up to
//! the end when it begins (`CoordinatorRuntime`, `OffsetMetadataManager.replay`).
//!
//! Catches a coordinator that keeps a change although its record was not written, that shows records
//! above the high watermark (KAFKA-15910), that forgets offsets of open transactions (KAFKA-15784), or
//! that takes over the offset of a transaction in place of a later one (corrupted `takes_over_offset`).

use super::{Check, Findings, Ground};
use crate::evidence::group::name;
use crate::evidence::{Moment, View};
use engine::fact::{ConsumerGroupState, Fact, GroupFact, GroupState};
use engine::ids::{Offset, TopicPartition};
use engine::protocol::NamedPartition;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupMemory;

impl GroupMemory {
    pub(super) const NAME: &'static str = "groups-as-replayed";
}

impl Check for GroupMemory {
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        let Fact::Group(fact) = fact else { return };
        match fact {
            GroupFact::Loaded { partition, to, groups, .. }
            | GroupFact::Resigned { partition, to, groups, .. } => {
                if let Some(of) = replica(view, at, *partition, *to) {
                    compare(view, at, (of, *to), groups, out);
                }
            }
            GroupFact::OffsetsServed { partition, group, to, offsets, .. } => {
                if let Some(of) = replica(view, at, *partition, *to) {
                    served(view, at, (of, *to), (group, offsets), out);
                }
            }
            _ => {}
        }
    }
}

/// The partition and the replica of a coordinator; `None` if its log is not known up to there.
fn replica(
    view: &View,
    at: &Moment,
    partition: TopicPartition,
    to: Offset,
) -> Option<(usize, usize)> {
    let log = view.index_of(at.node.cluster, partition)?;
    let replica = view.partitions[log].find(at.node)?;
    let it = &view.partitions[log].replicas[replica];
    let is_known = !it.disk_lost && it.bad.is_empty() && it.end >= to;
    is_known.then_some((log, replica))
}

fn compare(
    view: &View,
    at: &Moment,
    (of, to): ((usize, usize), Offset),
    groups: &[GroupState],
    out: &mut Findings,
) {
    let replayed = view.replayed_groups(of, to);
    let differs = |own: &&GroupState| !groups.contains(own);
    let unknown = |own: &&GroupState| !replayed.iter().any(|it| it.group == own.group);
    if let Some(own) = replayed.iter().find(differs) {
        let known = groups.iter().find(|it| it.group == own.group);
        let detail = match known {
            Some(known) => difference(known, own),
            None => "it is in the log, and not in memory".to_owned(),
        };
        report(at, of.0, format!("group {}: {detail}", own.group), out);
    } else if let Some(other) = groups.iter().find(unknown) {
        let detail = format!("group {}: it is in memory, and not in the log", other.group);
        report(at, of.0, detail, out);
    }
}

/// What differs first between the memory of a coordinator and the replay of its log.
fn difference(memory: &GroupState, log: &GroupState) -> String {
    if (memory.generation, &memory.members) != (log.generation, &log.members) {
        return format!(
            "generation {:?} with {} members in memory, {:?} with {} by the log",
            memory.generation,
            memory.members.len(),
            log.generation,
            log.members.len()
        );
    }
    if memory.consumer != log.consumer {
        return of_consumer_group(memory.consumer.as_ref(), log.consumer.as_ref());
    }
    if memory.offsets != log.offsets {
        let other = |of: &(NamedPartition, Offset)| !log.offsets.contains(of);
        let lacking = |of: &&(NamedPartition, Offset)| !memory.offsets.contains(of);
        let first = memory.offsets.iter().find(|of| other(of));
        let missing = log.offsets.iter().find(lacking);
        let words = |of: Option<&(NamedPartition, Offset)>| {
            of.map_or("nothing else".to_owned(), |(of, at)| format!("{at} of {}", name(of)))
        };
        return format!("{} in memory, {} by the log", words(first), words(missing));
    }
    format!("{} pending offsets in memory, {} by the log", memory.pending.len(), log.pending.len())
}

/// What differs first between two states of a group of the consumer protocol.
fn of_consumer_group(
    memory: Option<&ConsumerGroupState>,
    log: Option<&ConsumerGroupState>,
) -> String {
    let (Some(memory), Some(log)) = (memory, log) else {
        let word = |of: bool| if of { "the consumer protocol" } else { "another protocol" };
        return format!("{} in memory, {} by the log", word(memory.is_some()), word(log.is_some()));
    };
    let epochs = |of: &ConsumerGroupState| (of.epoch, of.target_epoch);
    if epochs(memory) != epochs(log) {
        return format!(
            "epochs {:?} of group and target in memory, {:?} by the log",
            epochs(memory),
            epochs(log)
        );
    }
    let other = memory.members.iter().find(|it| !log.members.contains(it));
    match other.or(log.members.iter().find(|it| !memory.members.contains(it))) {
        Some(member) => {
            let of = |of: &ConsumerGroupState| {
                of.members.iter().find(|it| it.member == member.member).map(|it| {
                    let partitions = it.assigned.len() + it.to_revoke.len();
                    format!("epoch {} with {partitions} partitions", it.epoch)
                })
            };
            let words = |it: Option<String>| it.unwrap_or("nothing".to_owned());
            format!(
                "member {}: {} in memory, {} by the log",
                member.member,
                words(of(memory)),
                words(of(log))
            )
        }
        None => "its members are in another order".to_owned(),
    }
}

fn served(
    view: &View,
    at: &Moment,
    (of, to): ((usize, usize), Offset),
    (group, offsets): (&str, &[(NamedPartition, Option<Offset>)]),
    out: &mut Findings,
) {
    let high_watermark = view.partitions[of.0].replicas[of.1].high_watermark;
    if to > high_watermark {
        let detail = format!(
            "group {group}: it shows offsets of the log up to {to}, its high watermark is {high_watermark}"
        );
        return report(at, of.0, detail, out);
    }
    let known = view.groups.named(at.node.cluster, group).map(|it| &view.groups.all()[it]);
    for (partition, shown) in offsets {
        let records = known.and_then(|group| group.offsets.get(&name(partition)));
        let record = view.offset_record(records.map_or(&[][..], Vec::as_slice), of, to);
        let value = record.and_then(|it| it.value);
        if value != *shown {
            let words = |of: Option<Offset>| of.map_or("none".to_owned(), |it| it.to_string());
            let detail = format!(
                "group {group}: it shows {} for {}, by the log up to {to} it is {}",
                words(*shown),
                name(partition),
                words(value)
            );
            report(at, of.0, detail, out);
            return;
        }
    }
}

fn report(at: &Moment, log: usize, detail: String, out: &mut Findings) {
    let what = "a coordinator's groups differ from its log";
    out.add(GroupMemory::NAME, what, at, log, Ground::Never)
        .detail(format!("broker {}: {detail}", at.node));
}
