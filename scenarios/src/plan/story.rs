//! Stories: sequences of faults in which each fault makes the next one dangerous.

mod members;

pub(super) use members::{Group, of_group};

use machine::Span;
use rand_chacha::ChaCha8Rng;
use sim::{
    ClockJump, CorruptDisk, Crash, DelayMetadata, DiskError, DiskOperation, FullDisk, Groups,
    HungDisk, LossyLink, LostDisk, OneWayPartition, Partition, Pause, PowerLoss, Ppm, Restart,
    Sample, SlowDisk, SlowLink,
};
use spec::{
    Comparison, Condition, Fault, Metric, MetricKind, PartitionName, PreferredElection, Role,
    Scope, Target, Time,
};

/// The kind of a fault, with its arguments.
type What = spec::FaultKind<Target>;

/// Builds one story about one partition.
pub(super) struct Builder<'a> {
    draw: &'a mut ChaCha8Rng,
    partition: PartitionName,
    /// When the story begins.
    at: Time,
    /// The minimum and maximum duration of a usual fault.
    lasts: (Span, Span),
    /// Whether [`MORE_STORIES`] and faults of disks and clocks may be drawn.
    extended: bool,
    faults: Vec<Fault>,
}

type Story = fn(&mut Builder<'_>);

/// The stories: the weight with which each is drawn, and the approximate number of its faults.
/// Single faults are the most frequent, so that they often coincide with another story.
const STORIES: &[(u32, usize, Story)] = &[
    (30, 1, single),
    (10, 3, leader_and_successor),
    (8, 3, follower_then_leader),
    (8, 2, isolated_leader),
    (6, 2, isolated_controller),
    (6, 2, power),
    (6, 3, moves_behind_a_brokers_back),
    (4, 7, small_isr_and_a_late_joiner),
    (4, 6, there_and_back_again),
];

/// Further stories of a swarm that may draw faults of disks or clocks. They are separate so that
/// they do not change the plans of other swarms.
const MORE_STORIES: &[(u32, usize, Story)] =
    &[(5, 2, stop_cut_short), (3, 2, controllers_without_power), (5, 3, controllers_in_trouble)];

/// The name of the faults of [`lone_leader`].
const LONE_LEADER: &str = "lone-leader";

/// Builds one story of at most about `wanted` faults.
pub(super) fn any(story: &mut Builder<'_>, wanted: usize) {
    // A story may have two faults more than wanted; otherwise long stories would never be drawn.
    let more = if story.extended { MORE_STORIES } else { &[] };
    let fitting = STORIES.iter().chain(more).filter(|(_, faults, _)| *faults <= wanted + 2);
    let sum: u32 = fitting.clone().map(|(weight, ..)| weight).sum();
    let mut at = story.draw.below(u64::from(sum)) as u32;
    for (weight, _, build) in fitting {
        if at < *weight {
            return build(story);
        }
        at -= weight;
    }
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        draw: &'a mut ChaCha8Rng,
        partition: PartitionName,
        at: Time,
        lasts: (Span, Span),
        extended: bool,
    ) -> Self {
        Self { draw, partition, at, lasts, extended, faults: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Fault> {
        self.faults
    }

    fn role(&self, role: fn(PartitionName) -> Role) -> Target {
        Target { cluster: None, role: role(self.partition.clone()) }
    }

    fn leader(&self) -> Target {
        self.role(Role::Leader)
    }

    fn follower(&self) -> Target {
        self.role(Role::Follower)
    }

    fn followers(&self) -> Target {
        self.role(Role::Followers)
    }

    /// A duration between the bounds; halving the upper bound at random makes short ones likelier.
    fn some_time(&mut self) -> Time {
        let (least, most) = self.lasts;
        let mut upper = most;
        while upper.0 / 2 > least.0 && self.draw.chance(400_000) {
            upper = Span(upper.0 / 2);
        }
        Time(Span(self.draw.between(least.0, upper.0)))
    }

    /// A duration near the upper bound, long enough for other nodes to time out.
    fn a_long_time(&mut self) -> Time {
        let most = self.lasts.1.0;
        Time(Span(self.draw.between(most - most / 3, most + most / 2)))
    }

    fn between(&mut self, least: Span, most: Span) -> Time {
        Time(Span(self.draw.between(least.0, most.0)))
    }

    fn later(&self, by: Time) -> Time {
        Time(Span(self.at.nanos().saturating_add(by.nanos())))
    }

    /// A moment after `from`, on average 300 ms later.
    fn soon_after(&mut self, from: Time) -> Time {
        let gap = self.draw.exponential(Span::millis(300)).0;
        Time(Span(from.nanos().saturating_add(gap)))
    }

    fn add_at(&mut self, name: &str, at: Time, lasts: Option<Time>, kind: What) {
        self.faults.push(Fault {
            name: Some(name.to_owned()),
            at: Some(at),
            when: None,
            lasts,
            kind,
        });
    }

    fn add_when(
        &mut self,
        name: &str,
        (from, when): (Time, Condition),
        lasts: Option<Time>,
        kind: What,
    ) {
        let (name, at) = (Some(name.to_owned()), Some(from));
        self.faults.push(Fault { name, at, when: Some(when), lasts, kind });
    }

    fn metric(&self, kind: MetricKind, comparison: Comparison, value: i64) -> Condition {
        let scope = Scope::Partition(self.partition.clone());
        Condition::Compare { metric: Metric { kind, cluster: None, scope }, comparison, value }
    }

    /// The condition that the partition has a running leader; after a crash that is the successor.
    fn is_led(&self) -> Condition {
        self.metric(MetricKind::Leader, Comparison::AtLeast, 1)
    }

    /// The condition that the partition has a running leader, and an ISR of a certain size.
    fn is_led_with_isr(&self, comparison: Comparison, size: i64) -> Condition {
        Condition::All(vec![self.is_led(), self.metric(MetricKind::InSync, comparison, size)])
    }
}

fn target(role: Role) -> Target {
    Target { cluster: None, role }
}

fn crash(target: Target) -> What {
    crash_at(target, None)
}

fn crash_at(target: Target, at_disk_operation: Option<u32>) -> What {
    Crash { target: target.into(), at_disk_operation, during_stop: false }.into()
}

fn power_loss(target: Target) -> What {
    let target = target.into();
    PowerLoss { target, at_disk_operation: None, during_stop: false, stagger: None }.into()
}

fn pause(target: Target) -> What {
    Pause { target: target.into() }.into()
}

fn restart(target: Target) -> What {
    Restart { target: target.into(), limit: None }.into()
}

fn cut(groups: Vec<Vec<Target>>) -> What {
    Partition { groups: Groups(groups) }.into()
}

fn silence(from: Target, to: Target) -> What {
    OneWayPartition { from: from.into(), to: to.into() }.into()
}

fn slow(from: Target, to: Target, by: Time) -> What {
    let (from, to, by) = (from.into(), to.into(), Some(by.0));
    SlowLink { from, to, one_way: true, by, jitter: None, bandwidth: None }.into()
}

fn late_metadata(target: Target, by: Time) -> What {
    DelayMetadata { target: target.into(), by: by.0, from: None }.into()
}

fn elect(topics: Vec<String>) -> What {
    PreferredElection { topics }.into()
}

/// One fault of any family.
fn single(story: &mut Builder<'_>) {
    let lasts = story.some_time();
    let victims = [
        story.leader(),
        story.follower(),
        target(Role::AnyBroker),
        target(Role::ActiveController),
        target(Role::Standby),
    ];
    let victim = story.draw.pick(&victims).clone();
    let broker = story.draw.pick(&victims[..3]).clone();
    let (leader, follower) = (story.leader(), story.follower());
    let one_way = story.draw.chance(500_000);
    let by = story.between(Span::millis(5), Span::millis(800));
    let kind = match story.draw.below(if story.extended { 18 } else { 12 }) {
        0 | 17 => {
            let at_disk_operation =
                story.draw.chance(300_000).then(|| story.draw.between(1, 3) as u32);
            crash_at(victim, at_disk_operation)
        }
        1 => power_loss(victim),
        2 | 3 => pause(victim),
        4 => restart(victim),
        5 => cut(vec![vec![victim], vec![target(Role::Everyone)]]),
        6 => silence(victim, target(Role::Servers)),
        7 => silence(target(Role::Servers), victim),
        8 => SlowLink {
            from: leader.into(),
            to: follower.into(),
            one_way,
            by: Some(by.0),
            jitter: Some(by.0),
            bandwidth: None,
        }
        .into(),
        9 => LossyLink {
            from: broker.into(),
            to: target(Role::Everyone).into(),
            one_way,
            loss: Some(Ppm(story.draw.between(10_000, 300_000) as u32)),
            duplication: Some(Ppm(20_000)),
            reordering: Some(Ppm(50_000)),
        }
        .into(),
        10 => late_metadata(broker, by),
        11 => elect(Vec::new()),
        _ => disk_or_clock(story, victim),
    };
    let lasts = lasting(&kind, lasts);
    story.add_at("single", story.at, lasts, kind);
}

/// The duration of a fault; none for an election. A corrupt disk cannot be undone: its duration is
/// the time for which the budget counts its node as down.
fn lasting(kind: &What, lasts: Time) -> Option<Time> {
    (!matches!(kind, What::PreferredElection(_))).then_some(lasts)
}

/// One fault of a disk or a clock.
fn disk_or_clock(story: &mut Builder<'_>, victim: Target) -> What {
    let (target, directory) = (victim.into(), None);
    let after = story.draw.chance(500_000).then(|| story.draw.between(0, 50_000));
    match story.draw.below(11) {
        0..=2 => HungDisk { target, directory }.into(),
        3 | 4 => {
            let factor = 1 << story.draw.between(1, 10);
            SlowDisk { target, directory, factor }.into()
        }
        5 | 6 => {
            let by = Span::millis(1 << story.draw.between(0, 22));
            ClockJump { target, by, back: story.draw.chance(500_000) }.into()
        }
        7 => {
            let neighbour =
                story.draw.chance(500_000).then(|| Span::millis(story.draw.between(50, 1_000)));
            FullDisk { target, directory, after, neighbour }.into()
        }
        8 => {
            let operations = [
                DiskOperation::Read,
                DiskOperation::Append,
                DiskOperation::Sync,
                DiskOperation::Write,
            ];
            let on = *story.draw.pick(&operations);
            let times = story.draw.chance(600_000).then_some(1);
            DiskError { target, directory, on, times }.into()
        }
        9 => LostDisk { target, directory }.into(),
        _ => {
            let file = *story.draw.pick(&[".log", ".index", ".timeindex", "checkpoint"]);
            let closed = story.draw.chance(500_000);
            CorruptDisk { target, directory, file: file.to_owned(), closed }.into()
        }
    }
}

/// A broker or controller shuts down cleanly, and loses power while it writes the files that its
/// next start reads.
fn stop_cut_short(story: &mut Builder<'_>) {
    const NAME: &str = "stop-cut-short";
    let at = story.at;
    let victims = [story.leader(), story.follower(), target(Role::ActiveController)];
    let victim = story.draw.pick(&victims).clone();
    // A wide range, because a clean shutdown flushes and renames files of every partition.
    let nth = story.draw.between(1, 24) as u32;
    let lasts = story.a_long_time();
    let loss = PowerLoss {
        target: victim.clone().into(),
        at_disk_operation: Some(nth),
        during_stop: true,
        stagger: None,
    };
    story.add_at(NAME, at, Some(lasts), loss.into());
    let down = story.some_time();
    story.add_at(NAME, story.later(Time(Span(1))), Some(down), restart(victim));
}

/// All controllers lose power and return one after another. Their links are slow or lossy from the
/// moment at which the first one returns.
fn controllers_without_power(story: &mut Builder<'_>) {
    const NAME: &str = "controllers-without-power";
    let at = story.at;
    let loss = PowerLoss {
        target: target(Role::Controllers).into(),
        at_disk_operation: None,
        during_stop: false,
        stagger: Some(story.between(Span::millis(20), Span::millis(1_500)).0),
    };
    let lasts = story.some_time();
    story.add_at(NAME, at, Some(lasts), loss.into());
    let then = story.later(lasts);
    controllers_slow(story, NAME, then);
}

/// The links between controllers are slow or lossy, while controllers crash, lose power, are paused
/// or have hung disks.
fn controllers_in_trouble(story: &mut Builder<'_>) {
    const NAME: &str = "controllers-in-trouble";
    let at = story.at;
    controllers_slow(story, NAME, at);
    let mut then = at;
    for _ in 0..story.draw.between(1, 3) {
        then = story.soon_after(then);
        let victims = [target(Role::ActiveController), target(Role::Standby)];
        let victim = story.draw.pick(&victims).clone();
        let kind = match story.draw.below(5) {
            0 => crash(victim),
            1 => power_loss(victim),
            2 => pause(victim),
            3 => {
                let nth = story.draw.between(1, 3) as u32;
                crash_at(victim, Some(nth))
            }
            _ => HungDisk { target: victim.into(), directory: None }.into(),
        };
        let lasts = story.some_time();
        story.add_at(NAME, then, Some(lasts), kind);
    }
}

/// From `at` onwards, the links between controllers are slow or lossy.
fn controllers_slow(story: &mut Builder<'_>, name: &str, at: Time) {
    let lasts = story.a_long_time();
    let all = || target(Role::Controllers).into();
    let kind = if story.draw.chance(500_000) {
        let by = story.between(Span::millis(1), Span::millis(150)).0;
        let (one_way, bandwidth) = (false, None);
        SlowLink { from: all(), to: all(), one_way, by: Some(by), jitter: Some(by), bandwidth }
            .into()
    } else {
        let loss = Some(Ppm(story.draw.between(10_000, 300_000) as u32));
        let (duplication, reordering) = (Some(Ppm(20_000)), Some(Ppm(50_000)));
        LossyLink { from: all(), to: all(), one_way: false, loss, duplication, reordering }.into()
    };
    story.add_at(name, at, Some(lasts), kind);
}

/// The leader crashes, and then its successor, before the remaining follower has fetched from the
/// successor. In some plans the followers fetch slowly.
fn leader_and_successor(story: &mut Builder<'_>) {
    const NAME: &str = "leader-and-successor";
    let (at, down) = (story.at, story.a_long_time());
    if story.draw.chance(400_000) {
        let by = story.between(Span::millis(20), Span::millis(600));
        let kind = slow(story.leader(), story.followers(), by);
        let lasts = story.a_long_time();
        story.add_at(NAME, at, Some(lasts), kind);
    }
    let mut crash_at = story.soon_after(at);
    if story.draw.chance(600_000) {
        // The leader receives from its followers and responds to clients, but not to its followers.
        let kind = silence(story.leader(), story.followers());
        let lasts = story.a_long_time();
        story.add_at(NAME, crash_at, Some(lasts), kind);
        let then = story.between(Span::millis(1), Span::millis(300));
        crash_at = Time(Span(crash_at.nanos() + then.nanos()));
    }
    story.add_at(NAME, crash_at, Some(down), crash(story.leader()));
    let watch = Time(Span(crash_at.nanos() + 1));
    let down = story.a_long_time();
    story.add_when(NAME, (watch, story.is_led()), Some(down), crash(story.leader()));
}

/// A follower crashes, then the leader. The follower, which has fewer records, mostly returns first.
fn follower_then_leader(story: &mut Builder<'_>) {
    const NAME: &str = "follower-then-leader";
    let (at, lasts) = (story.at, story.some_time());
    story.add_at(NAME, at, Some(lasts), crash(story.follower()));
    let then = story.soon_after(at);
    let down = story.a_long_time();
    story.add_at(NAME, then, Some(down), crash(story.leader()));
    if story.draw.chance(500_000) {
        let then = story.soon_after(then);
        let lasts = story.some_time();
        story.add_at(NAME, then, Some(lasts), pause(story.follower()));
    }
}

/// The leader keeps its clients, but is cut off from the controllers and from one or all followers,
/// or what it sends to other servers is lost. It may crash afterwards.
fn isolated_leader(story: &mut Builder<'_>) {
    const NAME: &str = "isolated-leader";
    let (at, lasts) = (story.at, story.a_long_time());
    let others = if story.draw.chance(700_000) { story.follower() } else { story.followers() };
    let kind = if story.draw.chance(750_000) {
        let rest = vec![target(Role::Controllers), others];
        cut(vec![vec![story.leader()], rest])
    } else {
        silence(story.leader(), target(Role::Servers))
    };
    story.add_at(NAME, at, Some(lasts), kind);
    if story.draw.chance(300_000) {
        let then = story.later(lasts);
        let lasts = story.some_time();
        story.add_at(NAME, then, Some(lasts), crash(story.leader()));
    }
}

/// The active controller fails or is cut off, and then a partition leader crashes.
fn isolated_controller(story: &mut Builder<'_>) {
    const NAME: &str = "isolated-controller";
    let (at, lasts) = (story.at, story.some_time());
    let active = target(Role::ActiveController);
    let kind = match story.draw.below(4) {
        0 => crash(active),
        1 => pause(active),
        2 => power_loss(active),
        _ => cut(vec![vec![active], vec![target(Role::Servers)]]),
    };
    story.add_at(NAME, at, Some(lasts), kind);
    let then = story.soon_after(at);
    let lasts = story.some_time();
    story.add_at(NAME, then, Some(lasts), crash(story.leader()));
}

/// A leader or follower loses power, and soon afterwards one of them fails or restarts.
fn power(story: &mut Builder<'_>) {
    const NAME: &str = "power";
    let (at, lasts) = (story.at, story.some_time());
    let victims = [story.leader(), story.follower()];
    let victim = story.draw.pick(&victims).clone();
    story.add_at(NAME, at, Some(lasts), power_loss(victim));
    let then = story.soon_after(at);
    let victim = story.draw.pick(&victims).clone();
    let kind = match story.draw.below(3) {
        0 => power_loss(victim),
        1 => crash(victim),
        _ => restart(victim),
    };
    let lasts = story.some_time();
    story.add_at(NAME, then, Some(lasts), kind);
}

/// The leader is cut off from its followers only. It loses power when the ISR should contain the
/// leader alone.
pub(super) fn lone_leader(story: &mut Builder<'_>) {
    const NAME: &str = LONE_LEADER;
    let (at, cut_for) = (story.at, story.between(Span::millis(4_000), Span::millis(8_000)));
    let groups = vec![vec![story.leader()], vec![story.followers()]];
    story.add_at(NAME, at, Some(cut_for), cut(groups));
    let alone = story.between(Span::millis(2_500), Span(cut_for.nanos() - 500_000_000));
    let lasts = story.some_time();
    let power_loss = power_loss(story.leader());
    story.add_at(NAME, story.later(alone), Some(lasts), power_loss);
}

/// Leadership moves several times, and one broker receives the metadata late.
fn moves_behind_a_brokers_back(story: &mut Builder<'_>) {
    const NAME: &str = "moves-behind-a-brokers-back";
    let (at, lasts) = (story.at, story.a_long_time());
    let by = story.between(Span::millis(50), Span::millis(800));
    let kind = late_metadata(story.follower(), by);
    story.add_at(NAME, at, Some(lasts), kind);
    let mut then = at;
    for _ in 0..story.draw.between(1, 3) {
        then = story.soon_after(then);
        let lasts = story.some_time();
        let kind = match story.draw.below(3) {
            0 => restart(story.leader()),
            1 => pause(story.leader()),
            _ => elect(Vec::new()),
        };
        let lasts = lasting(&kind, lasts);
        story.add_at(NAME, then, lasts, kind);
    }
}

/// A follower is cut off until it leaves the ISR. At that moment the leader stops sending, and then
/// crashes; the high watermark of its successor is below that of the old leader. The follower
/// returns and joins the ISR of the successor, and the successor crashes.
fn small_isr_and_a_late_joiner(story: &mut Builder<'_>) {
    const NAME: &str = "small-isr-and-a-late-joiner";
    let at = story.at;
    let (leader, followers) = (story.leader(), story.followers());
    let cut = cut(vec![vec![story.follower()], vec![leader.clone()]]);
    let by = story.between(Span::millis(100), Span::millis(700));
    let long = story.a_long_time();
    story.add_at(NAME, at, Some(long), cut);
    story.add_at(NAME, at, Some(long), slow(leader.clone(), followers.clone(), by));

    let shrunk = story.is_led_with_isr(Comparison::AtMost, 2);
    let watch = Time(Span(at.nanos() + Span::millis(500).0));
    let kind = silence(leader.clone(), followers.clone());
    story.add_when(NAME, (watch, shrunk.clone()), Some(long), kind);
    let down = story.a_long_time();
    let at_disk_operation = Some(story.draw.between(1, 2) as u32);
    let kind = crash_at(leader.clone(), at_disk_operation);
    story.add_when(NAME, (watch, shrunk), Some(down), kind);

    // The links between followers are slow, so that the returning follower can join the ISR before
    // it has fetched everything.
    let by = story.between(Span::millis(200), Span::secs(1));
    let kind = slow(followers.clone(), followers.clone(), by);
    story.add_at(NAME, at, Some(long), kind);
    let joined = Condition::All(vec![
        story.is_led_with_isr(Comparison::Equal, 2),
        story.metric(MetricKind::LeaderEpoch, Comparison::AtLeast, 1),
    ]);
    // The condition is watched only once the first leader should have crashed.
    let watch = Time(Span(watch.nanos() + story.between(Span::secs(1), Span::secs(4)).nanos()));
    let kind = silence(leader.clone(), followers);
    story.add_when(NAME, (watch, joined.clone()), Some(long), kind);
    story.add_when(NAME, (watch, joined), Some(long), crash(leader));
}

/// Leadership leaves a broker and returns to it, while a follower receives the metadata of both
/// changes late; then the leader crashes.
fn there_and_back_again(story: &mut Builder<'_>) {
    const NAME: &str = "there-and-back-again";
    let at = story.at;
    let preferred = Target { cluster: None, role: Role::Leader(story.partition.clone()) };
    // The preferred leader restarts and comes back as a follower.
    let away = story.between(Span::millis(100), Span::millis(800));
    story.add_at(NAME, at, Some(away), restart(preferred));
    let back = story.later(Time(Span(away.nanos() + Span::millis(800).0)));
    let back = story.soon_after(back);
    // Mostly below the time-outs; otherwise the broker would be fenced.
    let by = story.between(Span::millis(150), Span::millis(600));
    let long = story.a_long_time();
    let kind = late_metadata(story.follower(), by);
    story.add_at(NAME, back, Some(long), kind);
    let slow_for = story.between(Span::millis(50), Span::millis(400));
    let by = Time(Span(slow_for.nanos() * 2));
    let kind = SlowLink {
        from: story.leader().into(),
        to: story.followers().into(),
        one_way: true,
        by: Some(Span(by.nanos() / 8)),
        jitter: Some(by.0),
        bandwidth: None,
    }
    .into();
    story.add_at(NAME, back, Some(slow_for), kind);
    // The preferred leader leads again for a moment, without the records delayed by the slow link.
    let moved = Time(Span(back.nanos() + slow_for.nanos()));
    let kind = elect(vec![story.partition.topic.clone()]);
    story.add_at(NAME, moved, None, kind);
    let gone = story.between(Span::millis(20), Span::millis(250));
    let gone = Time(Span(moved.nanos() + gone.nanos()));
    let lasts = story.a_long_time();
    story.add_at(NAME, gone, Some(lasts), restart(story.leader()));
    let dies = story.between(Span::millis(50), Span::millis(600));
    let dies = Time(Span(gone.nanos() + dies.nanos()));
    let lasts = story.a_long_time();
    story.add_at(NAME, dies, Some(lasts), crash(story.leader()));
}
