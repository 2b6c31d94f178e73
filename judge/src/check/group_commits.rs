//! A coordinator stores the offsets that members of the present generation commit, and of no other
//! (KIP-62, KIP-345, KIP-447). The present generation is the last one in the log before the offset.
//!
//! Catches a corrupted `check_commit` and `check_group_member`: a member that was replaced, or a
//! coordinator that goes on with a generation from memory.

use super::{Check, Findings, Ground};
use crate::evidence::group::{Commit, Current, GenerationValue, Group};
use crate::evidence::{Effect, Moment, View};
use engine::fact::{CommitKind, Fact};
use engine::ids::Offset;
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupCommits;

impl GroupCommits {
    pub(super) const NAME: &'static str = "commits-of-members";
}

impl Check for GroupCommits {
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
        let partition = &view.partitions[*log];
        if !partition.is_offsets_log || !append.as_leader || !append.fresh {
            return;
        }
        let base = partition.batches.get(append.batch).base;
        for (of, offset, what) in view.groups.unreadable() {
            if (*of, *offset) == (*log, base) {
                let wrong = "a record of a group cannot be read";
                out.add(Self::NAME, wrong, at, *log, Ground::Never)
                    .offset(*offset)
                    .detail((*what).to_owned());
            }
        }
        for fresh in view.groups.fresh() {
            let group = &view.groups.all()[fresh.group];
            let Some((name, index)) = &fresh.offset else { continue };
            let record = &group.offsets[name][*index];
            let Some(value) = record.value else { continue };
            let of = (*log, append.replica);
            let consumers = view.consumer_group(group, of, record.place);
            let generation = view.generation_record(group, of, record.place);
            let generation = generation.and_then(|it| it.value.as_ref());
            let present = match consumers.members() {
                Some(members) => Present::Consumer(members),
                None => Present::Classic(generation),
            };
            if let Some(what) = wrong(view, group, (name, value, record.at), &present) {
                out.add(Self::NAME, what, at, *log, Ground::Never).offset(record.place).detail(
                    format!(
                        "group {}, {value} of {name}, the generation is {}",
                        group.name,
                        generation.map_or("unknown".to_owned(), |it| it.generation.to_string())
                    ),
                );
            }
        }
    }
}

/// Who may commit when an offset is stored.
enum Present<'a> {
    /// The members of a generation; `None`: there has been none.
    Classic(Option<&'a GenerationValue>),
    /// The members of a group of the consumer protocol.
    Consumer(&'a BTreeMap<Arc<str>, Current>),
}

impl Present<'_> {
    /// Whether a commit is of one of them, or of a consumer outside of the group while that has no
    /// members: a former member is none (FL-8). A commit that waits is sent with the epoch that the member has by then, so that a member
    /// that was none when it was asked to commit, or had an earlier epoch, may have sent it.
    fn has(&self, commit: &Commit) -> bool {
        match self {
            Self::Classic(generation) => is_of(commit, *generation),
            Self::Consumer(members) => match members.get(&commit.member) {
                Some(member) => commit.generation <= member.epoch,
                None => {
                    let is_in_transaction = matches!(commit.kind, CommitKind::InTransaction { .. });
                    commit.member.is_empty() && (members.is_empty() || is_in_transaction)
                }
            },
        }
    }
}

/// What is wrong with an offset in the log: no member of the generation has committed it.
fn wrong(
    view: &View,
    group: &Group,
    (partition, value, at): (&str, Offset, u64),
    present: &Present<'_>,
) -> Option<&'static str> {
    let index = view.named(group.cluster, partition)?;
    let lives = view.members.of_group(group.cluster, &group.name).map(|(_, life)| life);
    let commits = lives.flat_map(|life| &life.commits);
    let open = commits.filter(|it| !it.is_decided(index, at));
    let mut asked = open.filter(|it| it.offsets.contains(&(index, value))).peekable();
    if asked.peek().is_none() {
        return Some("an offset was stored that no member had committed");
    }
    (!asked.any(|commit| present.has(commit)))
        .then_some("an offset was stored that only a former member had committed")
}

/// Whether a commit is of a member of the generation, or of one that follows; or of a consumer outside of
/// the group while that has no members.
fn is_of(commit: &Commit, generation: Option<&GenerationValue>) -> bool {
    let Some(present) = generation else { return true };
    let is_in_transaction = matches!(commit.kind, CommitKind::InTransaction { .. });
    if commit.generation < 0 {
        return present.members.is_empty() || is_in_transaction;
    }
    match commit.generation.cmp(&present.generation) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => {
            present.members.iter().any(|(member, _)| **member == *commit.member)
        }
        std::cmp::Ordering::Greater => true,
    }
}
