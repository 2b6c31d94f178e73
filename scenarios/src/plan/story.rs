//! Sequences of faults in which one is the reason for the next.

use machine::Span;
use rand_chacha::ChaCha8Rng;
use sim::Sample;
use spec::{
    Comparison, Condition, Fault, FaultKind, Metric, MetricKind, PartitionName, Role, Scope, Share,
    Target, Time,
};

/// Tells one story: about which partition, from when on, and how long things last.
pub(super) struct Teller<'a> {
    draw: &'a mut ChaCha8Rng,
    partition: PartitionName,
    at: Time,
    lasts: (Span, Span),
    faults: Vec<Fault>,
}

type Story = fn(&mut Teller<'_>);

/// The stories and how often each is told, in parts of their sum. Single faults come first:
/// they are the weather in which the others happen.
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

/// The name of the faults of [`lone_leader`].
pub(crate) const LONE_LEADER: &str = "lone-leader";

/// Tells one story of at most about `wanted` faults.
pub(super) fn tell(teller: &mut Teller<'_>, wanted: usize) {
    // A long story may exceed what is left of the plan by a little rather than never be told.
    let fitting = STORIES.iter().filter(|(_, faults, _)| *faults <= wanted + 2);
    let sum: u32 = fitting.clone().map(|(weight, ..)| weight).sum();
    let mut at = teller.draw.below(u64::from(sum)) as u32;
    for (weight, _, story) in fitting {
        if at < *weight {
            return story(teller);
        }
        at -= weight;
    }
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        draw: &'a mut ChaCha8Rng,
        partition: PartitionName,
        at: Time,
        lasts: (Span, Span),
    ) -> Self {
        Self { draw, partition, at, lasts, faults: Vec::new() }
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

    /// Some length of time, short ones as likely as long ones by order of magnitude.
    fn some_time(&mut self) -> Time {
        let (least, most) = self.lasts;
        let mut upper = most;
        while upper.0 / 2 > least.0 && self.draw.chance(400_000) {
            upper = Span(upper.0 / 2);
        }
        Time(Span(self.draw.between(least.0, upper.0)))
    }

    /// A length of time long enough for others to give up: around the upper bound.
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

    /// A moment soon after `from`.
    fn soon_after(&mut self, from: Time) -> Time {
        let gap = self.draw.exponential(Span::millis(300)).0;
        Time(Span(from.nanos().saturating_add(gap)))
    }

    fn tell_at(&mut self, name: &str, at: Time, lasts: Option<Time>, kind: FaultKind) {
        self.faults.push(Fault {
            name: Some(name.to_owned()),
            at: Some(at),
            when: None,
            lasts,
            kind,
        });
    }

    fn tell_when(
        &mut self,
        name: &str,
        (from, when): (Time, Condition),
        lasts: Option<Time>,
        kind: FaultKind,
    ) {
        let (name, at) = (Some(name.to_owned()), Some(from));
        self.faults.push(Fault { name, at, when: Some(when), lasts, kind });
    }

    fn metric(&self, kind: MetricKind, comparison: Comparison, value: i64) -> Condition {
        let scope = Scope::Partition(self.partition.clone());
        Condition::Compare { metric: Metric { kind, cluster: None, scope }, comparison, value }
    }

    /// Somebody leads the partition and runs: right after a leader's crash, its successor.
    fn is_led(&self) -> Condition {
        self.metric(MetricKind::Leader, Comparison::AtLeast, 1)
    }

    /// The ISR is so large, and somebody leads.
    fn is_led_with_isr(&self, comparison: Comparison, size: i64) -> Condition {
        Condition::All(vec![self.is_led(), self.metric(MetricKind::InSync, comparison, size)])
    }
}

fn target(role: Role) -> Target {
    Target { cluster: None, role }
}

fn crash(target: Target) -> FaultKind {
    FaultKind::Crash { target, at_disk_operation: None }
}

fn silence(from: Target, to: Target) -> FaultKind {
    FaultKind::OneWayPartition { from, to }
}

fn slow(from: Target, to: Target, by: Time) -> FaultKind {
    FaultKind::SlowLink { from, to, one_way: true, by, jitter: None, bandwidth: None }
}

/// One fault of any family.
fn single(teller: &mut Teller<'_>) {
    let lasts = teller.some_time();
    let victims = [
        teller.leader(),
        teller.follower(),
        target(Role::AnyBroker),
        target(Role::ActiveController),
        target(Role::Standby),
    ];
    let victim = teller.draw.pick(&victims).clone();
    let broker = teller.draw.pick(&victims[..3]).clone();
    let (leader, follower) = (teller.leader(), teller.follower());
    let one_way = teller.draw.chance(500_000);
    let by = teller.between(Span::millis(5), Span::millis(800));
    let kind = match teller.draw.below(12) {
        0 => {
            let at_disk_operation =
                teller.draw.chance(300_000).then(|| teller.draw.between(1, 3) as u32);
            FaultKind::Crash { target: victim, at_disk_operation }
        }
        1 => FaultKind::PowerLoss { target: victim },
        2 | 3 => FaultKind::Pause { target: victim },
        4 => FaultKind::Restart { target: victim },
        5 => FaultKind::Partition { groups: vec![vec![victim]; 1] },
        6 => silence(victim, target(Role::Servers)),
        7 => silence(target(Role::Servers), victim),
        8 => FaultKind::SlowLink {
            from: leader,
            to: follower,
            one_way,
            by,
            jitter: Some(by),
            bandwidth: None,
        },
        9 => FaultKind::LossyLink {
            from: broker,
            to: target(Role::Everyone),
            one_way,
            loss: Share(teller.draw.between(10_000, 300_000) as u32),
            duplication: Some(Share(20_000)),
            reordering: Some(Share(50_000)),
        },
        10 => FaultKind::DelayMetadata { target: broker, by },
        _ => FaultKind::PreferredElection { topics: Vec::new() },
    };
    // A group of one is cut off from everyone else.
    let kind = match kind {
        FaultKind::Partition { mut groups } => {
            groups.push(vec![target(Role::Everyone)]);
            FaultKind::Partition { groups }
        }
        kind => kind,
    };
    let lasts = (!matches!(kind, FaultKind::PreferredElection { .. })).then_some(lasts);
    teller.tell_at("single", teller.at, lasts, kind);
}

/// The leader crashes, and so does the one elected in its place, before the last one has got
/// anything from it. With a slow follower now and then.
fn leader_and_successor(teller: &mut Teller<'_>) {
    const NAME: &str = "leader-and-successor";
    let (at, down) = (teller.at, teller.a_long_time());
    if teller.draw.chance(400_000) {
        let by = teller.between(Span::millis(20), Span::millis(600));
        let kind = slow(teller.leader(), teller.followers(), by);
        let lasts = teller.a_long_time();
        teller.tell_at(NAME, at, Some(lasts), kind);
    }
    let mut crash_at = teller.soon_after(at);
    if teller.draw.chance(600_000) {
        // It still hears what its followers have, and tells its clients, but not them.
        let kind = silence(teller.leader(), teller.followers());
        let lasts = teller.a_long_time();
        teller.tell_at(NAME, crash_at, Some(lasts), kind);
        let then = teller.between(Span::millis(1), Span::millis(300));
        crash_at = Time(Span(crash_at.nanos() + then.nanos()));
    }
    teller.tell_at(NAME, crash_at, Some(down), crash(teller.leader()));
    let watch = Time(Span(crash_at.nanos() + 1));
    let down = teller.a_long_time();
    teller.tell_when(NAME, (watch, teller.is_led()), Some(down), crash(teller.leader()));
}

/// A follower crashes, then the leader, and the one that has less comes back first.
fn follower_then_leader(teller: &mut Teller<'_>) {
    const NAME: &str = "follower-then-leader";
    let (at, lasts) = (teller.at, teller.some_time());
    teller.tell_at(NAME, at, Some(lasts), crash(teller.follower()));
    let then = teller.soon_after(at);
    let down = teller.a_long_time();
    teller.tell_at(NAME, then, Some(down), crash(teller.leader()));
    if teller.draw.chance(500_000) {
        let then = teller.soon_after(then);
        let lasts = teller.some_time();
        teller.tell_at(NAME, then, Some(lasts), FaultKind::Pause { target: teller.follower() });
    }
}

/// The leader is cut off from the controllers and from one follower, and goes on with the other.
fn isolated_leader(teller: &mut Teller<'_>) {
    const NAME: &str = "isolated-leader";
    let (at, lasts) = (teller.at, teller.a_long_time());
    let others = if teller.draw.chance(700_000) { teller.follower() } else { teller.followers() };
    let kind = if teller.draw.chance(750_000) {
        let rest = vec![target(Role::Controllers), others];
        FaultKind::Partition { groups: vec![vec![teller.leader()], rest] }
    } else {
        silence(teller.leader(), target(Role::Servers))
    };
    teller.tell_at(NAME, at, Some(lasts), kind);
    if teller.draw.chance(300_000) {
        let then = teller.later(lasts);
        let lasts = teller.some_time();
        teller.tell_at(NAME, then, Some(lasts), crash(teller.leader()));
    }
}

/// The active controller is cut off or crashes, and a broker meanwhile.
fn isolated_controller(teller: &mut Teller<'_>) {
    const NAME: &str = "isolated-controller";
    let (at, lasts) = (teller.at, teller.some_time());
    let active = target(Role::ActiveController);
    let kind = match teller.draw.below(4) {
        0 => crash(active),
        1 => FaultKind::Pause { target: active },
        2 => FaultKind::PowerLoss { target: active },
        _ => FaultKind::Partition { groups: vec![vec![active], vec![target(Role::Servers)]] },
    };
    teller.tell_at(NAME, at, Some(lasts), kind);
    let then = teller.soon_after(at);
    let lasts = teller.some_time();
    teller.tell_at(NAME, then, Some(lasts), crash(teller.leader()));
}

/// Power fails at a broker, and something happens at another before it is back.
fn power(teller: &mut Teller<'_>) {
    const NAME: &str = "power";
    let (at, lasts) = (teller.at, teller.some_time());
    let victims = [teller.leader(), teller.follower()];
    let victim = teller.draw.pick(&victims).clone();
    teller.tell_at(NAME, at, Some(lasts), FaultKind::PowerLoss { target: victim });
    let then = teller.soon_after(at);
    let victim = teller.draw.pick(&victims).clone();
    let kind = match teller.draw.below(3) {
        0 => FaultKind::PowerLoss { target: victim },
        1 => crash(victim),
        _ => FaultKind::Restart { target: victim },
    };
    let lasts = teller.some_time();
    teller.tell_at(NAME, then, Some(lasts), kind);
}

/// The leader hears its clients and controllers but not its followers, until it is in sync alone,
/// or goes on alone; then its power fails.
pub(super) fn lone_leader(teller: &mut Teller<'_>) {
    const NAME: &str = LONE_LEADER;
    let (at, cut) = (teller.at, teller.between(Span::millis(4_000), Span::millis(8_000)));
    let groups = vec![vec![teller.leader()], vec![teller.followers()]];
    teller.tell_at(NAME, at, Some(cut), FaultKind::Partition { groups });
    let alone = teller.between(Span::millis(2_500), Span(cut.nanos() - 500_000_000));
    let lasts = teller.some_time();
    let power_loss = FaultKind::PowerLoss { target: teller.leader() };
    teller.tell_at(NAME, teller.later(alone), Some(lasts), power_loss);
}

/// Leadership moves to and fro while one broker hears of it late.
fn moves_behind_a_brokers_back(teller: &mut Teller<'_>) {
    const NAME: &str = "moves-behind-a-brokers-back";
    let (at, lasts) = (teller.at, teller.a_long_time());
    let by = teller.between(Span::millis(50), Span::millis(800));
    let kind = FaultKind::DelayMetadata { target: teller.follower(), by };
    teller.tell_at(NAME, at, Some(lasts), kind);
    let mut then = at;
    for _ in 0..teller.draw.between(1, 3) {
        then = teller.soon_after(then);
        let lasts = teller.some_time();
        let kind = match teller.draw.below(3) {
            0 => FaultKind::Restart { target: teller.leader() },
            1 => FaultKind::Pause { target: teller.leader() },
            _ => FaultKind::PreferredElection { topics: Vec::new() },
        };
        let lasts = (!matches!(kind, FaultKind::PreferredElection { .. })).then_some(lasts);
        teller.tell_at(NAME, then, lasts, kind);
    }
}

/// A follower is cut off until it leaves the ISR. At that moment the leader falls silent, and
/// soon it dies; its successor knows less of what is committed than it has. The follower comes
/// back to the successor, joins, and the successor dies.
fn small_isr_and_a_late_joiner(teller: &mut Teller<'_>) {
    const NAME: &str = "small-isr-and-a-late-joiner";
    let at = teller.at;
    let (leader, followers) = (teller.leader(), teller.followers());
    let cut = FaultKind::Partition { groups: vec![vec![teller.follower()], vec![leader.clone()]] };
    let by = teller.between(Span::millis(100), Span::millis(700));
    let long = teller.a_long_time();
    teller.tell_at(NAME, at, Some(long), cut);
    teller.tell_at(NAME, at, Some(long), slow(leader.clone(), followers.clone(), by));

    let shrunk = teller.is_led_with_isr(Comparison::AtMost, 2);
    let watch = Time(Span(at.nanos() + Span::millis(500).0));
    let kind = silence(leader.clone(), followers.clone());
    teller.tell_when(NAME, (watch, shrunk.clone()), Some(long), kind);
    let down = teller.a_long_time();
    let at_disk_operation = Some(teller.draw.between(1, 2) as u32);
    let kind = FaultKind::Crash { target: leader.clone(), at_disk_operation };
    teller.tell_when(NAME, (watch, shrunk), Some(down), kind);

    // What followers get from each other is late, so that the late joiner joins before it has
    // what it joined for.
    let by = teller.between(Span::millis(200), Span::secs(1));
    let kind = slow(followers.clone(), followers.clone(), by);
    teller.tell_at(NAME, at, Some(long), kind);
    let joined = Condition::All(vec![
        teller.is_led_with_isr(Comparison::Equal, 2),
        teller.metric(MetricKind::LeaderEpoch, Comparison::AtLeast, 1),
    ]);
    // Watched from a moment at which the first leader should be gone.
    let watch = Time(Span(watch.nanos() + teller.between(Span::secs(1), Span::secs(4)).nanos()));
    let kind = silence(leader.clone(), followers);
    teller.tell_when(NAME, (watch, joined.clone()), Some(long), kind);
    teller.tell_when(NAME, (watch, joined), Some(long), crash(leader));
}

/// Leadership leaves a broker and comes back to it, while a follower of its first leadership
/// hears of neither; then it dies.
fn there_and_back_again(teller: &mut Teller<'_>) {
    const NAME: &str = "there-and-back-again";
    let at = teller.at;
    let preferred = Target { cluster: None, role: Role::Leader(teller.partition.clone()) };
    // The preferred leader restarts and comes back as a follower.
    let away = teller.between(Span::millis(100), Span::millis(800));
    teller.tell_at(NAME, at, Some(away), FaultKind::Restart { target: preferred });
    let back = teller.later(Time(Span(away.nanos() + Span::millis(800).0)));
    let back = teller.soon_after(back);
    // Mostly less than the time-outs, or the broker would be taken for dead.
    let by = teller.between(Span::millis(150), Span::millis(600));
    let long = teller.a_long_time();
    let kind = FaultKind::DelayMetadata { target: teller.follower(), by };
    teller.tell_at(NAME, back, Some(long), kind);
    let slow_for = teller.between(Span::millis(50), Span::millis(400));
    let by = Time(Span(slow_for.nanos() * 2));
    let kind = FaultKind::SlowLink {
        from: teller.leader(),
        to: teller.followers(),
        one_way: true,
        by: Time(Span(by.nanos() / 8)),
        jitter: Some(by),
        bandwidth: None,
    };
    teller.tell_at(NAME, back, Some(slow_for), kind);
    // It leads again, for a moment, without what the slow link has kept from it.
    let moved = Time(Span(back.nanos() + slow_for.nanos()));
    let kind = FaultKind::PreferredElection { topics: vec![teller.partition.topic.clone()] };
    teller.tell_at(NAME, moved, None, kind);
    let gone = teller.between(Span::millis(20), Span::millis(250));
    let gone = Time(Span(moved.nanos() + gone.nanos()));
    let lasts = teller.a_long_time();
    teller.tell_at(NAME, gone, Some(lasts), FaultKind::Restart { target: teller.leader() });
    let dies = teller.between(Span::millis(50), Span::millis(600));
    let dies = Time(Span(gone.nanos() + dies.nanos()));
    let lasts = teller.a_long_time();
    teller.tell_at(NAME, dies, Some(lasts), crash(teller.leader()));
}
