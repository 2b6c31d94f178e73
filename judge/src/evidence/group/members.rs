//! The history of the members of groups: what each process of a consumer owned, committed, was shown
//! and processed.

use crate::evidence::observed::{Change, Moment};
use crate::evidence::view::View;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, CommitKind, MemberFact, Positioning, Revocation};
use engine::ids::{BrokerId, Offset};
use machine::{NodeId, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A member got an assignment.
#[derive(Clone, Debug)]
pub struct Join {
    /// When and where.
    pub moment: Moment,
    /// The member's id.
    pub member: Arc<str>,
    /// `group.instance.id`
    pub instance: Option<Arc<str>>,
    /// The generation.
    pub generation: i32,
    /// What it owns from then on.
    pub partitions: Vec<usize>,
}

/// A member gave up partitions, or lost them.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// When and where.
    pub moment: Moment,
    /// The partitions.
    pub partitions: Vec<usize>,
    /// The reason.
    pub why: Revocation,
}

/// A commit of offsets.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its number in the process.
    pub number: u64,
    /// When it was requested.
    pub asked: Moment,
    /// The member's id; empty outside of groups.
    pub member: Arc<str>,
    /// The generation; -1 outside of groups.
    pub generation: i32,
    /// The partitions with the offsets.
    pub offsets: Vec<(usize, Offset)>,
    /// What kind of commit it is.
    pub kind: CommitKind,
    /// When its response came, and the outcome for each partition.
    pub answered: Option<(Moment, Vec<(usize, ErrorCode)>)>,
}

/// The time within which no client sends a request again: the least `retry.backoff.ms` that is used, with its
/// jitter.
const ONE_ATTEMPT: Span = Span::millis(15);

impl Commit {
    /// Whether the coordinator's decision about a partition was known before a moment: it had been
    /// stored, or refused because it came from a former member. What is stored later is not this commit.
    pub fn is_decided(&self, partition: usize, at: u64) -> bool {
        use ErrorCode::{
            FencedInstanceId, IllegalGeneration, None, StaleMemberEpoch, UnknownMemberId,
        };
        let decided =
            [None, FencedInstanceId, IllegalGeneration, StaleMemberEpoch, UnknownMemberId];
        self.answered.as_ref().is_some_and(|(answered, results)| {
            // A request that was sent twice may be stored twice, the second time after the response.
            let once = answered.at.saturating_sub(self.asked.at) < ONE_ATTEMPT.0;
            let its = |(of, error): &(usize, ErrorCode)| {
                *of == partition && decided.contains(error) && (once || *error != None)
            };
            answered.at < at && results.iter().any(its)
        })
    }
}

/// A request for committed offsets.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its number in the process.
    pub number: u64,
    /// When it was asked.
    pub asked: Moment,
    /// The response, once it has come.
    pub shown: Option<Shown>,
}

/// The committed offsets that a response shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// When it came.
    pub moment: Moment,
    /// The broker that sent it.
    pub coordinator: BrokerId,
    /// The partitions of the request, and what is committed for each.
    pub offsets: Vec<(usize, Option<Offset>)>,
}

/// The position of a member moved otherwise than by reading.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// When.
    pub moment: Moment,
    /// The partition.
    pub partition: usize,
    /// The position after.
    pub to: Offset,
    /// Why.
    pub why: Positioning,
}

/// Records that an application has finished with.
#[derive(Clone, Copy, Debug)]
pub struct Processed {
    /// When.
    pub moment: Moment,
    /// The partition.
    pub partition: usize,
    /// The offset of the first record.
    pub from: Offset,
    /// The offset after the last record.
    pub to: Offset,
}

/// An output, and the input that it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Derived {
    /// When.
    pub moment: Moment,
    /// The partition of the input.
    pub partition: usize,
    /// The offset of the input.
    pub offset: Offset,
    /// The number of the output.
    pub record: u64,
}

/// One process of a consumer of a group, in one life of its node.
#[derive(Clone, Debug)]
pub struct Life {
    /// The group's name.
    pub group: Arc<str>,
    /// The node.
    pub node: NodeId,
    /// Which life of the node.
    pub incarnation: u16,
    /// Its assignments.
    pub joins: Vec<Join>,
    /// What it gave up or lost.
    pub revoked: Vec<Revoked>,
    /// Its commits.
    pub commits: Vec<Commit>,
    /// Its requests for committed offsets.
    pub questions: Vec<Question>,
    /// The moves of its positions.
    pub moved: Vec<Moved>,
    /// What its application has finished with.
    pub processed: Vec<Processed>,
    /// The outputs that its application made.
    pub derived: Vec<Derived>,
    /// The partitions that it owns now, with the generation of the assignment.
    pub owned: BTreeMap<usize, i32>,
    /// When its process ended, and how, in words; `None`: it runs.
    pub ended: Option<(u64, &'static str)>,
}

impl Life {
    /// Its last assignment.
    pub fn last_join(&self) -> Option<&Join> {
        self.joins.last()
    }

    /// Where its position in a partition was moved last before a moment, if it was.
    pub fn moved_before(&self, partition: usize, at: u64) -> Option<&Moved> {
        let its = |it: &&Moved| it.partition == partition && it.moment.at <= at;
        self.moved.iter().rev().find(its)
    }

    /// The offset after the last record of a partition that its application had finished with by a
    /// moment since its position was last moved; `None` if it finished with none.
    pub fn processed_to(&self, partition: usize, at: u64) -> Option<Offset> {
        let since = self.moved_before(partition, at).map_or(0, |moved| moved.moment.at);
        let its = |it: &&Processed| {
            it.partition == partition && it.moment.at <= at && it.moment.at >= since
        };
        self.processed.iter().filter(its).map(|it| it.to).max()
    }

    /// The committed offset of a partition that it was shown last between two events: `Some(None)` if it
    /// was shown that there is none, `None` if it was shown nothing about the partition.
    pub fn shown_between(
        &self,
        partition: usize,
        (from, to): (u64, u64),
    ) -> Option<Option<Offset>> {
        let shown = self.questions.iter().rev().filter_map(|it| it.shown.as_ref());
        let mut shown = shown.filter(|it| (from..=to).contains(&it.moment.event));
        shown.find_map(|it| {
            it.offsets.iter().find(|(of, _)| *of == partition).map(|(_, offset)| *offset)
        })
    }

    /// The last commit of a partition that was acknowledged by a moment, with its offset. Those in
    /// transactions take effect with the transaction, and do not count.
    pub fn acknowledged(&self, partition: usize, at: u64) -> Option<(&Commit, Offset)> {
        let mut latest = self.commits.iter().rev();
        latest.find_map(|commit| {
            if matches!(commit.kind, CommitKind::InTransaction { .. }) {
                return None;
            }
            let (answered, results) = commit.answered.as_ref()?;
            let ok =
                |(of, error): &(usize, ErrorCode)| *of == partition && *error == ErrorCode::None;
            let (_, offset) = commit.offsets.iter().find(|(of, _)| *of == partition)?;
            (answered.at <= at && results.iter().any(ok)).then_some((commit, *offset))
        })
    }
}

/// All processes of consumers of groups, in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub struct Members {
    all: Vec<Life>,
    by_process: BTreeMap<(NodeId, u16), usize>,
}

impl Members {
    /// All of them.
    pub fn all(&self) -> &[Life] {
        &self.all
    }

    /// The index of a process.
    pub fn of(&self, moment: &Moment) -> Option<usize> {
        self.by_process.get(&(moment.node, moment.incarnation)).copied()
    }

    /// The process of a group, with their indexes.
    pub fn of_group<'a>(
        &'a self,
        cluster: machine::ClusterId,
        group: &'a str,
    ) -> impl DoubleEndedIterator<Item = (usize, &'a Life)> {
        let all = self.all.iter().enumerate();
        all.filter(move |(_, it)| it.node.cluster == cluster && *it.group == *group)
    }

    /// The process of a node has ended.
    pub(in crate::evidence) fn end(&mut self, moment: &Moment, change: &Change) {
        let how = match change {
            Change::Stopped => "was shut down",
            Change::Halted { .. } => "stopped",
            Change::PowerLost { .. } => "lost its power",
            _ => "crashed",
        };
        let lives = self.all.iter_mut().filter(|it| it.node == moment.node && it.ended.is_none());
        for life in lives {
            life.ended = Some((moment.at, how));
            life.owned.clear();
        }
    }

    fn life(&mut self, moment: &Moment, group: &Arc<str>) -> &mut Life {
        let next = self.all.len();
        let key = (moment.node, moment.incarnation);
        let index = *self.by_process.entry(key).or_insert(next);
        if index == next {
            self.all.push(Life {
                group: group.clone(),
                node: moment.node,
                incarnation: moment.incarnation,
                joins: Vec::new(),
                revoked: Vec::new(),
                commits: Vec::new(),
                questions: Vec::new(),
                moved: Vec::new(),
                processed: Vec::new(),
                derived: Vec::new(),
                owned: BTreeMap::new(),
                ended: None,
            });
        }
        &mut self.all[index]
    }
}

impl View {
    /// A member, or its application, reported something.
    pub(in crate::evidence) fn on_member(&mut self, moment: &Moment, fact: &MemberFact) {
        let cluster = moment.node.cluster;
        let moment = *moment;
        match fact {
            MemberFact::Joined { group, member, instance, generation, partitions, .. } => {
                let partitions: Vec<usize> =
                    partitions.iter().map(|it| self.partition(cluster, *it)).collect();
                let life = self.members.life(&moment, group);
                life.owned = partitions.iter().map(|it| (*it, *generation)).collect();
                life.joins.push(Join {
                    moment,
                    member: member.clone(),
                    instance: instance.clone(),
                    generation: *generation,
                    partitions,
                });
            }
            MemberFact::Revoked { group, partitions, why, .. } => {
                let partitions: Vec<usize> =
                    partitions.iter().map(|it| self.partition(cluster, *it)).collect();
                let life = self.members.life(&moment, group);
                life.owned.retain(|it, _| !partitions.contains(it));
                life.revoked.push(Revoked { moment, partitions, why: *why });
            }
            // Its partitions are given up before.
            MemberFact::Left { .. } => {}
            MemberFact::CommitAsked { group, commit, member, generation, offsets, kind } => {
                let offsets =
                    offsets.iter().map(|(of, it)| (self.partition(cluster, *of), *it)).collect();
                self.members.life(&moment, group).commits.push(Commit {
                    number: *commit,
                    asked: moment,
                    member: member.clone(),
                    generation: *generation,
                    offsets,
                    kind: *kind,
                    answered: None,
                });
            }
            MemberFact::CommitAnswered { group, commit, results } => {
                let results =
                    results.iter().map(|(of, it)| (self.partition(cluster, *of), *it)).collect();
                let commits = &mut self.members.life(&moment, group).commits;
                if let Some(it) = commits.iter_mut().rev().find(|it| it.number == *commit) {
                    it.answered = Some((moment, results));
                }
            }
            MemberFact::CommittedAsked { group, question, .. } => {
                let asked = Question { number: *question, asked: moment, shown: None };
                self.members.life(&moment, group).questions.push(asked);
            }
            MemberFact::CommittedShown { group, question, coordinator, offsets } => {
                let offsets =
                    offsets.iter().map(|(of, it)| (self.partition(cluster, *of), *it)).collect();
                let questions = &mut self.members.life(&moment, group).questions;
                if let Some(it) = questions.iter_mut().rev().find(|it| it.number == *question) {
                    it.shown = Some(Shown { moment, coordinator: *coordinator, offsets });
                }
            }
            MemberFact::Processed { group, partition, from, to } => {
                let partition = self.partition(cluster, *partition);
                let processed = Processed { moment, partition, from: *from, to: *to };
                self.members.life(&moment, group).processed.push(processed);
            }
            MemberFact::Derived { group, partition, offset, record } => {
                let partition = self.partition(cluster, *partition);
                let derived = Derived { moment, partition, offset: *offset, record: *record };
                self.members.life(&moment, group).derived.push(derived);
            }
        }
    }

    /// The position of a consumer moved otherwise than by reading.
    pub(in crate::evidence) fn on_member_moved(&mut self, moment: &Moment, fact: &ClientFact) {
        let ClientFact::Positioned { partition, to, why, .. } = fact else { return };
        let Some(life) = self.members.of(moment) else { return };
        let partition = self.partition(moment.node.cluster, *partition);
        let moved = Moved { moment: *moment, partition, to: *to, why: *why };
        self.members.all[life].moved.push(moved);
    }
}
