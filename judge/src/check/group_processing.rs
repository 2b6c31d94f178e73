//! A group processes every record of its partitions from where it began, and processes again only what
//! it had not committed.
//!
//! Catches a consumer whose commits run ahead of what its application was given (KAFKA-18641), and one
//! that goes on elsewhere than at the committed offset.

use super::{Check, Findings, Ground, GroupGround};
use crate::evidence::group::{Again, Moved, Processing, Skipped, Time};
use crate::evidence::{End, Life, Moment, View, records};
use engine::fact::Positioning;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupProcessing;

const SKIPPED: &str = "a group skipped a record";
const AGAIN: &str = "a group processed a record again";

impl GroupProcessing {
    pub(super) const NAME: &'static str = "group-processes-all";
}

impl Check for GroupProcessing {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for group in &end.processing {
            for skipped in &group.skipped {
                let Some((ground, at)) = beyond(view, end, group, skipped) else { continue };
                out.add(Self::NAME, SKIPPED, &at, skipped.partition, ground)
                    .offset(skipped.offset)
                    .record(skipped.record)
                    .detail(format!("group {}, {}", group.group, records::name(skipped.record)));
            }
            for again in &group.again {
                for pair in again.times.windows(2) {
                    let Some(ground) = repeated(view, again, pair[0], pair[1]) else { continue };
                    let life = &view.members.all()[pair[1].life];
                    let (node, incarnation) = (life.node, life.incarnation);
                    let Time { at, event, .. } = pair[1];
                    let at = Moment { at, node, incarnation, event };
                    out.add(Self::NAME, AGAIN, &at, again.partition, ground)
                        .offset(again.offset)
                        .record(again.record)
                        .detail(format!(
                            "group {}, {}, client {} and client {}",
                            group.group,
                            records::name(again.record),
                            view.members.all()[pair[0].life].node,
                            life.node
                        ));
                }
            }
        }
    }
}

/// What moved a group beyond a record that it did not process; `None`: its application sought.
pub(super) fn beyond(
    view: &View,
    end: &End,
    group: &Processing,
    of: &Skipped,
) -> Option<(Ground, Moment)> {
    let lives = || view.members.of_group(group.cluster, &group.group);
    let moves = lives().flat_map(|(index, life)| {
        let all = life.moved.iter().enumerate();
        all.map(move |(place, moved)| (index, place, moved))
    });
    let beyond = moves.filter(|(_, _, it)| it.partition == of.partition && it.to > of.offset);
    let first = beyond.min_by_key(|(_, _, it)| (it.moment.at, it.moment.event));
    if let Some((life, place, moved)) = first
        && moved.why != Positioning::Committed
    {
        let ground = Ground::Group(GroupGround::Moved { life, moved: place });
        return (moved.why != Positioning::Seek).then_some((ground, moved.moment));
    }
    // It went on from the committed offset, or the member that committed it has not finished.
    let to = first.map(|(_, _, moved)| moved.to);
    let commits = lives().flat_map(|(index, life)| {
        let all = life.commits.iter().enumerate();
        all.map(move |(place, commit)| (index, place, commit))
    });
    let early = commits.filter(|(_, _, commit)| {
        commit.offsets.iter().any(|(partition, offset)| {
            *partition == of.partition && *offset > of.offset && to.is_none_or(|to| *offset == to)
        })
    });
    Some(match early.min_by_key(|(_, _, commit)| (commit.asked.at, commit.asked.event)) {
        Some((life, place, commit)) => {
            let at = first.map_or(commit.asked, |(_, _, moved)| moved.moment);
            let ground = GroupGround::CommittedEarly { life, commit: place };
            (Ground::Group(ground), at)
        }
        None => {
            let node = view.node_of(&view.partitions[of.partition]);
            (Ground::Never, Moment { at: end.at, node, incarnation: 0, event: 0 })
        }
    })
}

/// Whether a record was processed again on purpose only: each time an application had sought back.
pub(crate) fn is_rewound(view: &View, again: &Again) -> bool {
    again.times.windows(2).all(|pair| repeated(view, again, pair[0], pair[1]).is_none())
}

/// Whether an application went beyond a record on purpose: it sought.
pub(crate) fn is_sought_past(view: &View, end: &End, group: &Processing, of: &Skipped) -> bool {
    beyond(view, end, group, of).is_none()
}

/// Whether an application has sought to a record or before it since it was processed first: whoever
/// went on from there did what it meant, also as its successor.
fn sought_back(view: &View, one: &Life, again: &Again, first: Time, second: Time) -> bool {
    let mut lives = view.members.of_group(one.node.cluster, &one.group);
    lives.any(|(_, life)| {
        life.moved.iter().any(|it| {
            let between = (first.at..=second.at).contains(&it.moment.at);
            let is_back = it.why == Positioning::Seek && it.to <= again.offset;
            between && is_back && it.partition == again.partition
        })
    })
}

/// Why a record was processed again; `None`: an application sought.
fn repeated(view: &View, again: &Again, first: Time, second: Time) -> Option<Ground> {
    let all = view.members.all();
    let (one, other): (&Life, &Life) = (&all[first.life], &all[second.life]);
    if first.life != second.life && went_on(one, other, again, second) {
        let (life, owner) = (second.life, first.life);
        return Some(Ground::Group(GroupGround::Zombie { life, owner }));
    }
    let Some(moved) = given_from(other, again, second) else { return Some(Ground::Never) };
    let is_late = first.life != second.life && moved.moment.at < first.at;
    if is_late && moved.why == Positioning::Committed && moved.to <= again.offset {
        // The other one had begun when this one was done.
        let (life, owner) = (first.life, second.life);
        return Some(Ground::Group(GroupGround::Zombie { life, owner }));
    }
    let place = other.moved.iter().position(|it| std::ptr::eq(it, moved)).unwrap_or_default();
    if moved.to > again.offset {
        return Some(Ground::Never);
    }
    Some(Ground::Group(match moved.why {
        Positioning::Seek => return None,
        Positioning::Committed if sought_back(view, one, again, first, second) => return None,
        Positioning::Committed => {
            if let Some((life, back)) = moved_back(view, other, again, first, moved) {
                let moved = &all[life].moved[back];
                let ground = Ground::Group(GroupGround::Moved { life, moved: back });
                return (moved.why != Positioning::Seek).then_some(ground);
            }
            let (first, second) = (first.life, second.life);
            GroupGround::NotCommitted { first, second, moved: place }
        }
        _ => GroupGround::Moved { life: second.life, moved: place },
    }))
}

/// The move back of a member, after a record was processed first, from which it committed the offset at which
/// another one began: its application sought, or its position was reset.
fn moved_back(
    view: &View,
    other: &Life,
    again: &Again,
    first: Time,
    began: &Moved,
) -> Option<(usize, usize)> {
    let offset = (again.partition, began.to);
    let lives = view.members.of_group(other.node.cluster, &other.group);
    let commits =
        lives.flat_map(|(index, life)| life.commits.iter().map(move |it| (index, life, it)));
    let its =
        commits.filter(|(_, _, it)| it.asked.at <= began.moment.at && it.offsets.contains(&offset));
    let (index, life, commit) = its.max_by_key(|(_, _, it)| (it.asked.at, it.asked.event))?;
    let back = life.moved_before(again.partition, commit.asked.at)?;
    let place = life.moved.iter().position(|it| std::ptr::eq(it, back))?;
    let is_back = back.to <= again.offset && back.moment.at > first.at;
    (is_back && back.why != Positioning::Committed).then_some((index, place))
}

/// The move of the position from which a process was given a record: the last one before it finished with the
/// record, apart from seeks beyond the record, which its application asked for while it processed.
fn given_from<'l>(life: &'l Life, again: &Again, time: Time) -> Option<&'l Moved> {
    let its = |it: &&Moved| it.partition == again.partition && it.moment.at <= time.at;
    let mut moves = life.moved.iter().rev().filter(its);
    moves.find(|it| it.why != Positioning::Seek || it.to <= again.offset)
}

/// Whether the process that processed a record second had been given it before the other one got the
/// partition: it did not know that it had been replaced. Once it has given the partition up, it knows.
fn went_on(one: &Life, other: &Life, again: &Again, second: Time) -> bool {
    // A seek is no sign that it owned the partition by then.
    let mut moves = other.moved.iter().rev().filter(|it| it.partition == again.partition);
    let own = moves.find(|it| it.moment.at <= second.at && it.why != Positioning::Seek);
    let own = own.map(|it| it.moment.at);
    let given_up = other.revoked.iter().any(|it| {
        it.partitions.contains(&again.partition)
            && it.moment.at < second.at
            && own.is_none_or(|own| own <= it.moment.at)
    });
    if given_up {
        return false;
    }
    let taken = one
        .joins
        .iter()
        .rev()
        .find(|it| it.partitions.contains(&again.partition) && it.moment.at <= second.at);
    own.zip(taken).is_some_and(|(own, taken)| own < taken.moment.at)
}
