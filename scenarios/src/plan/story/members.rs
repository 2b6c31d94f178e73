//! Stories about groups of consumers: members that are killed, paused or cut off, alone or together
//! with their coordinator, and coordinators that move.

use super::{Builder, What, crash, cut, elect, pause, power_loss, restart, silence, target};
use machine::Span;
use sim::{ClockJump, LossyLink, Ppm, Sample, SlowLink};
use spec::{Role, Target, Time};

/// A group of consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Group {
    /// `group.id`
    pub(in crate::plan) name: String,
    /// The ids of its members.
    pub(in crate::plan) members: Vec<u16>,
    /// `session.timeout.ms`
    pub(in crate::plan) session: Span,
}

/// The internal topic in which coordinators of groups keep their state.
const OFFSETS: &str = "__consumer_offsets";

/// The longest session that stories wait for.
const LONGEST: Span = Span::secs(10);

type Story = fn(&mut Builder<'_>, &Group);

/// The stories, with the weight with which each is drawn.
const STORIES: &[(u64, Story)] = &[
    (6, member_killed),
    (4, members_restarted),
    (6, member_silent),
    (3, member_slow),
    (5, coordinator_down),
    (5, member_and_coordinator),
    (3, coordinator_moves),
    (1, all_members_killed),
    (1, clock_of_member),
];

/// Builds one story about a group.
pub(in crate::plan) fn of_group(story: &mut Builder<'_>, group: &Group) {
    let sum = STORIES.iter().map(|(weight, _)| weight).sum();
    let mut at = story.draw.below(sum);
    for (weight, build) in STORIES {
        if at < *weight {
            return build(story, group);
        }
        at -= weight;
    }
}

fn member(story: &mut Builder<'_>, group: &Group) -> Target {
    target(Role::Client(*story.draw.pick(&group.members)))
}

fn coordinator(group: &Group) -> Target {
    target(Role::Coordinator(group.name.clone()))
}

/// About the time after which a coordinator removes a member.
fn about_a_session(story: &mut Builder<'_>, group: &Group) -> Time {
    let session = group.session.min(LONGEST).0;
    Time(Span(story.draw.between(session / 3, session + session / 2)))
}

/// A member is killed, and mostly another one when the coordinator notices.
fn member_killed(story: &mut Builder<'_>, group: &Group) {
    const NAME: &str = "member-killed";
    let (at, lasts) = (story.at, story.some_time());
    let victim = member(story, group);
    story.add_at(NAME, at, Some(lasts), crash(victim));
    if story.draw.chance(600_000) {
        let session = about_a_session(story, group);
        let then = story.soon_after(story.later(session));
        let victim = member(story, group);
        let lasts = story.some_time();
        story.add_at(NAME, then, Some(lasts), crash(victim));
    }
}

/// Members are restarted one after another, as when an application is deployed.
fn members_restarted(story: &mut Builder<'_>, group: &Group) {
    const NAME: &str = "members-restarted";
    let mut at = story.at;
    for id in group.members.iter().take(3) {
        let lasts = story.between(Span::millis(50), Span::millis(2_000));
        story.add_at(NAME, at, Some(lasts), restart(target(Role::Client(*id))));
        at = story.soon_after(Time(Span(at.nanos() + lasts.nanos())));
    }
}

/// A member is paused, or the network between it and brokers fails, for about its session time-out.
fn member_silent(story: &mut Builder<'_>, group: &Group) {
    const NAME: &str = "member-silent";
    let (at, lasts) = (story.at, about_a_session(story, group));
    let victim = member(story, group);
    let kind = match story.draw.below(5) {
        0 | 1 => pause(victim),
        2 => cut(vec![vec![victim], vec![target(Role::Brokers)]]),
        3 => silence(victim, coordinator(group)),
        _ => silence(target(Role::Brokers), victim),
    };
    story.add_at(NAME, at, Some(lasts), kind);
}

/// What a member and brokers send each other arrives late, or is lost and sent again.
fn member_slow(story: &mut Builder<'_>, group: &Group) {
    const NAME: &str = "member-slow";
    let (at, lasts) = (story.at, story.a_long_time());
    let victim = member(story, group);
    let by = story.between(Span::millis(5), Span::millis(900)).0;
    let one_way = story.draw.chance(500_000);
    let loss = Ppm(story.draw.between(10_000, 300_000) as u32);
    let (from, to) = (victim.into(), target(Role::Brokers).into());
    let kind = match story.draw.chance(500_000) {
        true => {
            SlowLink { from, to, one_way, by: Some(by), jitter: Some(by), bandwidth: None }.into()
        }
        false => LossyLink {
            from,
            to,
            one_way,
            loss: Some(loss),
            duplication: Some(Ppm(20_000)),
            reordering: Some(Ppm(50_000)),
        }
        .into(),
    };
    story.add_at(NAME, at, Some(lasts), kind);
}

/// One fault of a coordinator.
fn upon_coordinator(story: &mut Builder<'_>, group: &Group) -> What {
    let victim = coordinator(group);
    match story.draw.below(6) {
        0 | 1 => crash(victim),
        2 => power_loss(victim),
        3 => pause(victim),
        4 => restart(victim),
        _ => cut(vec![vec![victim], vec![target(Role::Servers)]]),
    }
}

/// The coordinator fails, and sometimes its successor as well.
fn coordinator_down(story: &mut Builder<'_>, group: &Group) {
    const NAME: &str = "coordinator-down";
    let (at, lasts) = (story.at, story.some_time());
    let kind = upon_coordinator(story, group);
    story.add_at(NAME, at, Some(lasts), kind);
    if story.draw.chance(400_000) {
        let then = story.soon_after(at);
        let kind = upon_coordinator(story, group);
        let lasts = story.some_time();
        story.add_at(NAME, then, Some(lasts), kind);
    }
}

/// A member is killed, stopped or paused, and its coordinator fails while the group rebalances.
fn member_and_coordinator(story: &mut Builder<'_>, group: &Group) {
    const NAME: &str = "member-and-coordinator";
    let (at, session) = (story.at, group.session.min(LONGEST));
    let victim = member(story, group);
    // A member that stops leaves at once; a coordinator notices a killed one when its session ends.
    let (kind, lasts, noticed) = match story.draw.below(3) {
        0 => (restart(victim), story.some_time(), Time::default()),
        1 => (crash(victim), story.a_long_time(), Time(session)),
        _ => (pause(victim), Time(Span(session.0 * 3 / 2)), Time(session)),
    };
    story.add_at(NAME, at, Some(lasts), kind);
    let then = story.soon_after(story.later(noticed));
    let kind = upon_coordinator(story, group);
    let lasts = story.some_time();
    story.add_at(NAME, then, Some(lasts), kind);
}

/// The coordinator restarts, so that another broker takes its groups over and later gives them back.
fn coordinator_moves(story: &mut Builder<'_>, group: &Group) {
    const NAME: &str = "coordinator-moves";
    let (at, away) = (story.at, story.between(Span::millis(100), Span::millis(1_500)));
    story.add_at(NAME, at, Some(away), restart(coordinator(group)));
    let back = story.later(Time(Span(away.nanos() + Span::millis(1_000).0)));
    let back = story.soon_after(back);
    story.add_at(NAME, back, None, elect(vec![OFFSETS.to_owned()]));
}

/// All consumers are killed at once: their groups are without members when the sessions end.
fn all_members_killed(story: &mut Builder<'_>, _: &Group) {
    const NAME: &str = "all-members-killed";
    let (at, lasts) = (story.at, story.a_long_time());
    story.add_at(NAME, at, Some(lasts), crash(target(Role::Consumers)));
}

/// The wall clock of a member jumps, on which none of its time-outs may depend.
fn clock_of_member(story: &mut Builder<'_>, group: &Group) {
    const NAME: &str = "clock-of-member";
    let (at, lasts) = (story.at, story.some_time());
    let target = member(story, group).into();
    let by = Span::millis(1 << story.draw.between(0, 22));
    let kind = ClockJump { target, by, back: story.draw.chance(500_000) }.into();
    story.add_at(NAME, at, Some(lasts), kind);
}
