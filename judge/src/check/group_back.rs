//! A committed offset does not go back, unless a member meant it: its application sought, or
//! `auto.offset.reset` moved it.
//!
//! Catches a coordinator that shows an offset although a transaction may replace it (corrupted
//! `shows_offset`), and a member that commits what it does not own.

use super::{Check, Findings, Ground, GroupGround};
use crate::evidence::group::{Commit, Group, Written};
use crate::evidence::{Effect, Life, Moment, View};
use engine::fact::{Fact, Positioning};
use engine::ids::Offset;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupBack;

impl GroupBack {
    pub(super) const NAME: &'static str = "offsets-never-back";
}

impl Check for GroupBack {
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
        for fresh in view.groups.fresh() {
            let group = &view.groups.all()[fresh.group];
            let Some((name, index)) = &fresh.offset else { continue };
            let records = &group.offsets[name];
            let own = &records[*index];
            let Some(value) = own.value else { continue };
            // What a transaction writes counts from its marker on, if that commits it.
            if partition.batches.get(own.batch).is_transactional {
                continue;
            }
            let before = view.offset_record(records, (*log, append.replica), own.place);
            let Some((before, was)) = before.and_then(|it| Some((it, it.value?))) else { continue };
            let Some(of) = view.named(group.cluster, name) else { continue };
            if value >= was {
                continue;
            }
            let Some(ground) = ground(view, group, of, (own, value), before) else { continue };
            let what = "a committed offset went back";
            out.add(Self::NAME, what, at, of, ground)
                .offset(value)
                .detail(format!("group {}: {was} was committed before", group.name));
        }
    }
}

/// What excuses that an offset is less than the one before; `None`: an application meant it.
fn ground(
    view: &View,
    group: &Group,
    of: usize,
    (own, value): (&Written<Offset>, Offset),
    before: &Written<Offset>,
) -> Option<Ground> {
    let lives = view.members.of_group(group.cluster, &group.name);
    let asked = lives.flat_map(|(index, life)| {
        let commits = life.commits.iter().enumerate();
        let its = move |(_, it): &(usize, &Commit)| {
            let is_its = it.offsets.contains(&(of, value)) && it.asked.at <= own.at;
            is_its && !it.is_decided(of, own.at)
        };
        commits.filter(its).map(move |(place, commit)| (index, life, place, commit))
    });
    let mut ground = Ground::Never;
    for (index, life, place, commit) in asked {
        match why(life, of, (index, place), commit, before) {
            Some(Why::Meant) => return None,
            Some(Why::Excused(excuse)) => ground = Ground::Group(excuse),
            None => {}
        }
    }
    Some(ground)
}

enum Why {
    Meant,
    Excused(GroupGround),
}

fn why(
    life: &Life,
    of: usize,
    (index, place): (usize, usize),
    commit: &Commit,
    before: &Written<Offset>,
) -> Option<Why> {
    let (_, value) = commit.offsets.iter().find(|(partition, _)| *partition == of)?;
    let was = before.value?;
    let later = life.commits[place + 1..].iter();
    let mut later = later.filter(|it| it.asked.at <= before.at);
    if later.any(|it| it.offsets.contains(&(of, was))) {
        return Some(Why::Excused(GroupGround::Late { life: index, commit: place }));
    }
    let moved = life.moved_before(of, commit.asked.at).filter(|moved| moved.to <= *value)?;
    let number = life.moved.iter().position(|it| std::ptr::eq(it, moved))?;
    match moved.why {
        Positioning::Seek => Some(Why::Meant),
        Positioning::Start | Positioning::OutOfRange | Positioning::Truncated => {
            Some(Why::Excused(GroupGround::Moved { life: index, moved: number }))
        }
        Positioning::Committed => {
            // What it was shown was asked for before the other commit was acknowledged: the check of
            // what is shown reports the opposite.
            (moved.to < was)
                .then_some(Why::Excused(GroupGround::InFlight { life: index, moved: number }))
        }
    }
}
