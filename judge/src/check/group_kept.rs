//! An acknowledged commit is what the next request for the committed offset shows, also after a change
//! of the coordinator, unless a later commit has replaced it.
//!
//! Catches a coordinator that responds before its record is replicated, that shows what it has in memory
//! only, or that begins without having read its log to the end.

use super::{Check, Findings, Ground, GroupGround};
use crate::evidence::group::{Commit, Group, Question, Shown};
use crate::evidence::{Moment, NONE, View};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, CommitKind, Fact, MemberFact};
use engine::ids::Offset;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupKept {
    /// The acknowledged commits of each group and partition, in the order of their acknowledgements:
    /// each the one of those so far whose record is last in the log.
    acknowledged: BTreeMap<(usize, usize), Vec<Acknowledged>>,
}

/// An acknowledged commit.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    at: Moment,
    value: Offset,
    log: usize,
    batch: u32,
    place: Offset,
}

impl GroupKept {
    pub(super) const NAME: &'static str = "committed-offsets-kept";
}

impl Check for GroupKept {
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        let Fact::Client(ClientFact::Member(fact)) = fact else { return };
        let Some(life) = view.members.of(at).map(|index| &view.members.all()[index]) else {
            return;
        };
        let Some(known) = view.groups.named(at.node.cluster, &life.group) else { return };
        match fact {
            MemberFact::CommitAnswered { commit, .. } => {
                let its = life.commits.iter().rev().find(|it| it.number == *commit);
                if let Some(commit) = its {
                    self.answered(view, at, known, commit, out);
                }
            }
            MemberFact::CommittedShown { question, .. } => {
                let its = life.questions.iter().rev().find(|it| it.number == *question);
                if let Some(question) = its {
                    self.shown(view, at, known, question, out);
                }
            }
            _ => {}
        }
    }
}

impl GroupKept {
    fn answered(
        &mut self,
        view: &View,
        at: &Moment,
        known: usize,
        commit: &Commit,
        out: &mut Findings,
    ) {
        // What a transaction commits takes effect with it.
        let Some((_, results)) = &commit.answered else { return };
        if matches!(commit.kind, CommitKind::InTransaction { .. }) {
            return;
        }
        let group = &view.groups.all()[known];
        let written = results.iter().filter(|(_, error)| *error == ErrorCode::None);
        for (partition, _) in written {
            let Some((_, value)) = commit.offsets.iter().find(|(of, _)| of == partition) else {
                continue;
            };
            let records = group.offsets.get(&view.partitions[*partition].name);
            // A commit that was sent again may have several records: the first acknowledges it.
            let its = records.into_iter().flatten().filter(|it| {
                it.value == Some(*value) && it.at >= commit.asked.at && it.at <= at.at
            });
            let Some(record) = its.min_by_key(|it| it.place) else {
                let what = "a commit was acknowledged that is in no log";
                out.add(Self::NAME, what, at, *partition, Ground::Never)
                    .offset(*value)
                    .detail(format!("group {}", group.name));
                continue;
            };
            let (log, batch, place) = (record.log, record.batch, record.place);
            let own = Acknowledged { at: *at, value: *value, log, batch, place };
            let all = self.acknowledged.entry((known, *partition)).or_default();
            let last = all.last().copied().filter(|it| it.place > place);
            all.push(last.map_or(own, |last| Acknowledged { at: *at, ..last }));
        }
    }

    fn shown(
        &self,
        view: &View,
        at: &Moment,
        known: usize,
        question: &Question,
        out: &mut Findings,
    ) {
        let Some(Shown { coordinator, offsets, .. }) = &question.shown else { return };
        let group = &view.groups.all()[known];
        for (partition, offset) in offsets {
            let all = self.acknowledged.get(&(known, *partition)).map_or(&[][..], Vec::as_slice);
            let before = all.partition_point(|it| it.at.at < question.asked.at);
            let Some(last) = before.checked_sub(1).map(|place| all[place]) else { continue };
            if is_not_older(view, group, *partition, last, *offset) {
                continue;
            }
            let gone = view.partitions[last.log].batches.get(last.batch).loss != NONE;
            let ground = match gone {
                true => Ground::Group(GroupGround::Gone { log: last.log, batch: last.batch }),
                false => Ground::Never,
            };
            let shown = offset.map_or("none".to_owned(), |offset| offset.to_string());
            let what = "an acknowledged commit was not shown";
            out.add(Self::NAME, what, at, *partition, ground).offset(last.value).detail(format!(
                "group {}: {} was committed by {}, broker {coordinator} showed {shown}",
                group.name,
                last.value,
                view.time(last.at.at)
            ));
        }
    }
}

/// Whether a committed offset that was shown is that of an acknowledged commit, or of a record after it.
fn is_not_older(
    view: &View,
    group: &Group,
    partition: usize,
    last: Acknowledged,
    shown: Option<Offset>,
) -> bool {
    let records = group.offsets.get(&view.partitions[partition].name);
    let mut later = records.into_iter().flatten();
    later.any(|it| it.log == last.log && it.place >= last.place && it.value == shown)
}
