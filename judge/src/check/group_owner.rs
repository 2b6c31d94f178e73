//! A partition has one owner in a generation of a group; a member of the next generation gets it only
//! after the first has given it up, or has been removed. Members of the consumer protocol have epochs in
//! place of generations (`consumer_owner.rs`).
//!
//! Catches an assignor that gives a partition to two members, a cooperative member that keeps what it
//! should give up (KIP-429), and a coordinator that completes a generation twice. A coordinator
//! cannot prevent what a removed member does.

use super::{Check, Findings, Ground, GroupGround, consumer_owner};
use crate::evidence::group::{Complete, Group, Join, name};
use crate::evidence::{Effect, Life, Moment, NONE, View};
use engine::fact::{ClientFact, Fact, GroupFact, MemberFact};
use machine::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupOwner;

impl GroupOwner {
    pub(super) const NAME: &'static str = "group-one-owner";
}

impl Check for GroupOwner {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Append(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Append(log, append) = effect else { return };
        if !view.partitions[*log].is_offsets_log || !append.as_leader || !append.fresh {
            return;
        }
        for fresh in view.groups.fresh() {
            if let Some(index) = fresh.consumer {
                let group = &view.groups.all()[fresh.group];
                consumer_owner::assigned(view, at, (group, index), append.replica, out);
            }
        }
    }

    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        match fact {
            Fact::Group(GroupFact::GenerationComplete { group, .. }) => {
                let known = view.groups.named(at.node.cluster, group);
                if let Some(group) = known {
                    completed(view, at, &view.groups.all()[group], out);
                }
            }
            Fact::Client(ClientFact::Member(MemberFact::Joined { .. })) => {
                joined(view, at, out);
                consumer_owner::joined(view, at, out);
            }
            _ => {}
        }
    }
}

/// Who a partition is assigned to: a static member by its instance, which outlives its id.
pub(super) fn identity<'a>(member: &'a str, instance: Option<&'a Arc<str>>) -> &'a str {
    instance.map_or(member, |instance| instance)
}

fn completed(view: &View, at: &Moment, group: &Group, out: &mut Findings) {
    let Some((own, before)) = group.complete.split_last() else { return };
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (partition, owner) in assigned(own) {
        if let Some(other) = owners.insert(partition.clone(), owner) {
            let what = "a partition is assigned to two members of a generation";
            let detail = format!("{other} and {owner}, generation {}", own.generation);
            report(view, at, group, (&partition, what, detail), Ground::Never, out);
        }
    }
    // A coordinator may complete a generation again, for example with a static member under another
    // id, but not with other owners. A group that was forgotten begins anew with its generations, after
    // one without members.
    let mut lately = before.iter().rev().take_while(|it| !it.members.is_empty());
    let Some(again) = lately.find(|it| it.generation == own.generation) else { return };
    let ground = lost_generation(view, at, group, own.generation);
    for (partition, owner) in assigned(again) {
        if let Some(other) = owners.get(&partition).filter(|other| **other != owner) {
            let what = "a generation has two assignments";
            let detail = format!("{owner}, then {other}, generation {}", own.generation);
            report(view, at, group, (&partition, what, detail), ground.clone(), out);
        }
    }
}

fn assigned(of: &Complete) -> impl Iterator<Item = (String, &str)> {
    of.members.iter().flat_map(|member| {
        let owner = identity(&member.member, member.instance.as_ref());
        let partitions = member.partitions.iter().flatten();
        partitions.map(move |partition| (name(partition), owner))
    })
}

fn joined(view: &View, at: &Moment, out: &mut Findings) {
    let Some(index) = view.members.of(at) else { return };
    let own = &view.members.all()[index];
    let Some(join) = own.last_join() else { return };
    let known = view.groups.named(at.node.cluster, &own.group);
    let group = known.map(|group| &view.groups.all()[group]);
    let is_member = |other: &Life| {
        let id = other.last_join().map(|it| &it.member);
        let mut complete = group.into_iter().flat_map(|group| group.complete.iter().rev());
        let complete = complete.find(|it| it.generation == join.generation);
        complete.is_some_and(|it| it.members.iter().any(|it| Some(&it.member) == id))
    };
    for (other_index, other) in view.members.of_group(at.node.cluster, &own.group) {
        let Some(last) = other.last_join() else { continue };
        let is_same = identity(&last.member, last.instance.as_ref())
            == identity(&join.member, join.instance.as_ref());
        if other_index == index || is_same {
            continue;
        }
        for partition in &join.partitions {
            let Some(generation) = other.owned.get(partition) else { continue };
            // If not, it has been removed, or its next generation is still to come.
            if !is_member(other) || is_late(view, other, join) {
                continue;
            }
            let what = match *generation == join.generation {
                true => "two members of one generation own a partition",
                false => "a partition was handed over before it was given up",
            };
            out.add(GroupOwner::NAME, what, at, *partition, Ground::Never).detail(format!(
                "group {}: client {} has it in generation {}, client {} since generation {generation}",
                own.group, own.node, join.generation, other.node
            ));
        }
    }
}

/// Whether a static member has not joined in time for a generation. It stays a member, but its partitions
/// may go to others (`completeClassicGroupJoin` removes dynamic members only).
fn is_late(view: &View, other: &Life, join: &Join) -> bool {
    let Some(last) = other.last_join() else { return false };
    let setup = view.setup.group_setups.get(&(other.node.cluster, other.group.clone()));
    let timeout = setup.map_or(Span::ZERO, |setup| setup.rebalance_timeout);
    let waited = Span(join.moment.at.saturating_sub(last.moment.at));
    last.instance.is_some() && last.generation < join.generation && waited >= timeout
}

fn report(
    view: &View,
    at: &Moment,
    group: &Group,
    (partition, what, detail): (&str, &'static str, String),
    ground: Ground,
    out: &mut Findings,
) {
    let detail = format!("group {}: {detail}", group.name);
    match view.named(group.cluster, partition) {
        Some(index) => out.add(GroupOwner::NAME, what, at, index, ground).detail(detail),
        None => {
            let when = (at.at, at.event);
            let finding = out.add_without_partition(GroupOwner::NAME, what, when, Ground::Never);
            finding.detail(format!("{partition}, {detail}"))
        }
    };
}

/// The record of a generation that left the log of its group before a moment: the coordinator then began
/// with an older generation, and completed this one once more.
fn lost_generation(view: &View, at: &Moment, group: &Group, generation: i32) -> Ground {
    let is_lost = |log: usize, batch: u32| {
        let of = &view.partitions[log];
        let loss = of.batches.get(batch).loss;
        loss != NONE && of.losses[loss as usize].at <= at.at
    };
    let mut lost = group.generations.iter().rev().filter(|it| is_lost(it.log, it.batch));
    let its = lost.find(|it| it.value.as_ref().is_some_and(|it| it.generation == generation));
    its.map_or(Ground::Never, |it| {
        Ground::Group(GroupGround::Gone { log: it.log, batch: it.batch })
    })
}
