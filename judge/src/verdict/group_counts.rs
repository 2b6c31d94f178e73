//! The counts of each group of consumers.

use crate::check::{is_rewound, is_sought_past};
use crate::evidence::group::{Commit, Said};
use crate::evidence::{End, View};
use crate::outcome::GroupCounts;
use engine::error::ErrorCode;
use engine::fact::MemberRemoval;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// The counts of each group, by name.
pub(super) fn counts(view: &View, end: &End) -> BTreeMap<String, GroupCounts> {
    let mut groups = BTreeMap::new();
    for of in &end.processing {
        let mut counts = GroupCounts {
            processed: of.processed,
            skipped: of.skipped.len() as u64,
            not_reached: of.not_reached,
            reprocessed: of.again.len() as u64,
            rewound: of.again.iter().filter(|it| is_rewound(view, it)).count() as u64,
            sought_past: of.skipped.iter().filter(|it| is_sought_past(view, end, of, it)).count()
                as u64,
            ..GroupCounts::default()
        };
        for (_, life) in view.members.of_group(of.cluster, &of.group) {
            life.commits.iter().for_each(|commit| count_commit(commit, &mut counts));
        }
        if let Some(known) = view.groups.named(of.cluster, &of.group) {
            let group = &view.groups.all()[known];
            let mut generations: BTreeSet<i32> =
                group.complete.iter().map(|complete| complete.generation).collect();
            generations.extend(group.consumer.iter().filter_map(|it| match it.value {
                Some(Said::TargetEpoch(epoch)) => epoch,
                _ => None,
            }));
            // The first generation is no rebalance of an earlier one.
            counts.rebalances = (generations.len() as u64).saturating_sub(1);
            let is_expelled = |why: &MemberRemoval| {
                !matches!(why, MemberRemoval::Left | MemberRemoval::Replaced { .. })
            };
            let expelled = group.removed.iter().filter(|it| is_expelled(&it.why));
            counts.expelled = expelled.count() as u64;
        }
        counts.uncommitted = of.uncommitted;
        if let Some(reflection) = &of.reflection {
            counts.reflected = reflection.once;
            let again = reflection.others.iter().filter(|it| it.has == Ordering::Greater);
            counts.reflected_again = again.count() as u64;
            let lacking =
                reflection.others.iter().filter(|it| it.is_committed && it.has == Ordering::Less);
            counts.not_reflected = lacking.count() as u64;
        }
        if let Some(store) = view.stores.get(&(of.cluster, of.group.clone())) {
            let inputs = store.commits.iter().flat_map(|it| {
                it.inputs.iter().map(|(offset, record)| (it.partition, *offset, *record))
            });
            let all: Vec<_> = inputs.collect();
            let distinct: BTreeSet<_> = all.iter().collect();
            counts.stored = distinct.len() as u64;
            counts.stored_again = (all.len() - distinct.len()) as u64;
            counts.store_refused = store.refused;
        }
        let name = match of.cluster.0 {
            0 => of.group.to_string(),
            cluster => format!("{cluster}/{}", of.group),
        };
        groups.insert(name, counts);
    }
    groups
}

fn count_commit(commit: &Commit, counts: &mut GroupCounts) {
    let Some((_, results)) = &commit.answered else { return };
    let error = results.iter().map(|(_, error)| *error).find(|error| *error != ErrorCode::None);
    if let Some(error) = error {
        *counts.commit_errors.entry(error.name().to_owned()).or_default() += 1;
    }
    match error {
        None => counts.committed += 1,
        Some(
            ErrorCode::IllegalGeneration
            | ErrorCode::UnknownMemberId
            | ErrorCode::FencedInstanceId
            | ErrorCode::StaleMemberEpoch,
        ) => counts.fenced += 1,
        Some(_) => counts.failed += 1,
    }
}
