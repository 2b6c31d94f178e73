//! Starts, stops, crashes and pauses of nodes; handlers that take time on their lanes.

mod toy;

use machine::{Halt, Lane, Mono, Span};
use sim::{
    ClockJump, Crash, DiskError, DiskOperation, DiskProfile, Effect, FullDisk, HostConfig,
    HungDisk, Latency, NodeChange, Pause, Restart, Seen, SimTime, SlowDisk, Status, World,
    WorldConfig,
};
use toy::{
    Act, Config, Fact, Toy, Words, crash, facts, idle, idle_with, node, pass, poke, power_loss,
};

/// A disk on which an append takes a millisecond and a sync ten.
fn slow_disk() -> WorldConfig {
    let disk = DiskProfile {
        append: Span::millis(1),
        append_bytes_per_second: 0,
        sync: Latency::constant(Span::millis(10)),
        sync_bytes_per_second: 0,
        metadata: Span::ZERO,
        ..DiskProfile::default()
    };
    WorldConfig { disk, ..WorldConfig::default() }
}

fn one_slow(seed: u64) -> World<Toy> {
    idle_with(seed, 1, slow_disk(), HostConfig::default())
}

fn content(world: &World<Toy>, path: &str) -> String {
    let file = world.disk(node(1)).file_at(path).expect("the file is there");
    String::from_utf8(file.read(0, u64::MAX).to_vec()).expect("tests write text")
}

fn changes(world: &mut World<Toy>) -> Vec<NodeChange> {
    let change = |seen: sim::Observation<Words>| match seen.what {
        Seen::Node { change, .. } => Some(change),
        Seen::Fact { .. } | Seen::Fault { .. } => None,
    };
    world.take_observations().into_iter().filter_map(change).collect()
}

#[test]
fn outputs_leave_when_the_disk_operations_have_completed() {
    let mut world = one_slow(1);
    poke(&mut world, 1, Act::AppendAll("file", vec![b"a", b"b", b"c"]));
    pass(&mut world, 2);
    assert_eq!(facts(&mut world), [], "three appends take three milliseconds");
    assert_eq!(content(&world, "file"), "abc", "but are seen at once");
    pass(&mut world, 2);
    assert_eq!(facts(&mut world).len(), 3);
}

#[test]
fn a_crash_keeps_the_completed_prefix_and_drops_the_outputs() {
    for (millis, left) in [(0, ""), (1, "a"), (2, "ab")] {
        let mut world = one_slow(1);
        poke(&mut world, 1, Act::Append("file", b""));
        pass(&mut world, 10);
        facts(&mut world);
        poke(&mut world, 1, Act::AppendAll("file", vec![b"a", b"b", b"c"]));
        let until = world.now() + Span::micros(millis * 1_000 + 500);
        world.run_until(until);
        world.apply(crash(1));
        assert_eq!(content(&world, "file"), left);
        pass(&mut world, 100);
        assert_eq!(facts(&mut world), []);
        assert_eq!(world.exercised().of(Effect::HandlerCutShort), 1);
        assert_eq!(world.exercised().of(Effect::DiskOperationUndone), 3 - millis);
    }
}

#[test]
fn a_crash_can_wait_for_an_operation() {
    for (nth, left) in [(1, None), (2, Some("")), (3, Some("a")), (4, Some("ab"))] {
        let mut world = one_slow(1);
        let armed = world.apply(
            Crash { target: node(1).into(), at_disk_operation: Some(nth), during_stop: false }
                .into(),
        );
        // The first operation creates the file.
        poke(&mut world, 1, Act::AppendAll("file", vec![b"a", b"b", b"c"]));
        pass(&mut world, 100);
        assert_eq!(world.status(node(1)), Status::Down);
        let file = world.disk(node(1)).file_at("file");
        assert_eq!(file.map(|file| file.read(0, 9).to_vec()), left.map(|text| text.into()));
        assert_eq!(facts(&mut world), []);
        world.undo(armed);
        pass(&mut world, 100);
        assert_eq!(world.status(node(1)), Status::Up, "undoing it starts the process again");
    }
}

#[test]
fn a_lane_is_busy_and_a_lock_held_until_the_disk_is_done() {
    let mut world = idle_with(2, 2, slow_disk(), HostConfig::default());
    let write = |lane, lock, bytes| Act::Write(node(1), lane, lock, bytes);
    poke(&mut world, 2, write(Lane::Request, 1, b"first"));
    pass(&mut world, 5);
    poke(&mut world, 2, write(Lane::Request, 2, b"same lane"));
    poke(&mut world, 2, write(Lane::Replication, 1, b"same lock"));
    poke(&mut world, 2, write(Lane::Background, 3, b"free"));
    pass(&mut world, 100);
    let told = facts(&mut world);
    let order: Vec<_> = told.iter().map(|(_, fact)| fact).collect();
    let place = |text: &[u8]| order.iter().position(|f| **f == Fact::Wrote(text.to_vec()));
    assert!(place(b"first") < place(b"same lane"), "{order:?}");
    assert!(place(b"first") < place(b"same lock"), "{order:?}");
    assert!(order.len() >= 4, "{order:?}");
    assert!(world.exercised().of(Effect::LaneContended) >= 1);
    assert!(world.exercised().of(Effect::LockContended) >= 1);
    let log = content(&world, "log");
    assert!(log.find("free") < log.find("same lane"), "its lane did not wait: {log}");
}

#[test]
fn a_hung_disk_stops_handlers_that_write_and_nothing_else() {
    let mut world = one_slow(3);
    poke(&mut world, 1, Act::Append("file", b"before"));
    pass(&mut world, 10);
    facts(&mut world);
    poke(&mut world, 1, Act::Append("file", b" during"));
    let until = world.now() + Span::micros(100);
    world.run_until(until);
    let hung = world.apply(HungDisk { target: node(1).into(), directory: None }.into());
    let again = world.apply(HungDisk { target: node(1).into(), directory: None }.into());
    poke(&mut world, 1, Act::Append("file", b" and after"));
    poke(&mut world, 1, Act::Mono(Lane::Network));
    pass(&mut world, 10_000);
    let told = facts(&mut world);
    assert!(matches!(told[..], [(1, Fact::Alarm(255, _))]), "{told:?}");
    world.undo(hung);
    pass(&mut world, 1_000);
    assert_eq!(facts(&mut world), [], "another fault still holds it");
    world.undo(again);
    pass(&mut world, 1_000);
    let wrote = [b" during".to_vec(), b" and after".to_vec()].map(|b| (1, Fact::Wrote(b)));
    assert_eq!(facts(&mut world), wrote);
    assert_eq!(content(&world, "file"), "before during and after");
}

#[test]
fn operations_held_by_a_hung_disk_are_gone_after_a_crash() {
    let mut world = one_slow(4);
    world.apply(HungDisk { target: node(1).into(), directory: None }.into());
    poke(&mut world, 1, Act::AppendAll("file", vec![b"a", b"b"]));
    pass(&mut world, 10);
    assert_eq!(content(&world, "file"), "ab");
    world.apply(crash(1));
    assert!(world.disk(node(1)).file_at("file").is_none());
    world.heal();
    pass(&mut world, 100);
    assert_eq!(world.status(node(1)), Status::Up);
    assert_eq!(facts(&mut world), []);
}

#[test]
fn a_power_loss_keeps_synced_data() {
    let (mut all, mut part) = (0, 0);
    for seed in 0..40 {
        let mut world = idle(seed, 1);
        let write = [Act::Append("file", b"synced"), Act::Sync("file"), Act::SyncDir("")];
        for act in write.into_iter().chain([Act::Append("file", b" and not synced")]) {
            poke(&mut world, 1, act);
            pass(&mut world, 50);
        }
        world.apply(power_loss(1));
        let left = content(&world, "file");
        assert!(left.starts_with("synced"), "{left:?}");
        let rest = left["synced".len()..].trim_end_matches('\0');
        assert!(" and not synced".starts_with(rest), "{left:?}");
        assert!(left.len() <= "synced and not synced".len());
        match rest.len() {
            15 => all += 1,
            _ => part += 1,
        }
    }
    assert!(all > 3 && part > 3, "{all} kept all, {part} a part");
}

#[test]
fn an_append_to_a_full_disk_fails_and_may_keep_a_prefix() {
    let mut world = idle(5, 1);
    let full = world.apply(
        FullDisk { target: node(1).into(), directory: None, after: Some(8), neighbour: None }
            .into(),
    );
    poke(&mut world, 1, Act::Append("file", b"12345"));
    pass(&mut world, 10);
    poke(&mut world, 1, Act::Append("file", b"6789"));
    pass(&mut world, 10);
    let wrote = Fact::Wrote(b"12345".to_vec());
    assert_eq!(facts(&mut world), [(1, wrote), (1, Fact::Failed(machine::DiskError::Full))]);
    let left = content(&world, "file");
    assert!((5..=8).contains(&left.len()) && "123456789".starts_with(&left), "{left}");
    world.undo(full);
    poke(&mut world, 1, Act::Append("file", b"!"));
    pass(&mut world, 10);
    assert_eq!(content(&world, "file"), format!("{left}!"));
    assert_eq!(world.disk(node(1)).used(), left.len() as u64 + 1);
}

#[test]
fn the_given_number_of_operations_fails() {
    let mut world = idle(6, 1);
    poke(&mut world, 1, Act::Append("file", b"a"));
    pass(&mut world, 10);
    facts(&mut world);
    world.apply(
        DiskError {
            target: node(1).into(),
            directory: None,
            on: DiskOperation::Sync,
            times: Some(1),
        }
        .into(),
    );
    for act in [Act::Append("file", b"b"), Act::Sync("file"), Act::Sync("file")] {
        poke(&mut world, 1, act);
        pass(&mut world, 10);
    }
    let expected =
        [Fact::Wrote(b"b".to_vec()), Fact::Failed(machine::DiskError::Io), Fact::Wrote(Vec::new())];
    assert_eq!(facts(&mut world), expected.map(|fact| (1, fact)));
    assert_eq!(world.exercised().of(Effect::DiskOperationFailed), 1);
}

#[test]
fn a_slow_disk_takes_longer() {
    let mut world = one_slow(7);
    world.apply(SlowDisk { target: node(1).into(), directory: None, factor: 10 }.into());
    poke(&mut world, 1, Act::Append("file", b"a"));
    pass(&mut world, 9);
    assert_eq!(facts(&mut world), []);
    pass(&mut world, 2);
    assert_eq!(facts(&mut world), [(1, Fact::Wrote(b"a".to_vec()))]);
}

#[test]
fn a_pause_delays_inputs_and_timers() {
    let mut world = idle(8, 2);
    poke(&mut world, 1, Act::Alarm(7, 50));
    pass(&mut world, 10);
    let pause = world.apply(Pause { target: node(1).into() }.into());
    let other = world.apply(Pause { target: node(1).into() }.into());
    assert_eq!(world.status(node(1)), Status::Paused);
    poke(&mut world, 2, Act::Send(node(1), 1));
    pass(&mut world, 1_000);
    let opened = (2, Fact::Opened(node(1)));
    assert_eq!(facts(&mut world), [opened], "the kernel of a paused process accepts");
    world.undo(pause);
    pass(&mut world, 1_000);
    assert_eq!(facts(&mut world), []);
    world.undo(other);
    pass(&mut world, 1);
    let mut told = facts(&mut world);
    // They wait on different lanes.
    told.sort_by_key(|(_, fact)| matches!(fact, Fact::Alarm(..)));
    assert!(
        matches!(told[..], [(1, Fact::Got(_, 1)), (1, Fact::Alarm(7, Mono(at)))]
            if at > 2_000_000_000),
        "{told:?}"
    );
    assert_eq!(world.exercised().of(Effect::InputHeldByPause), 2);
}

/// A fault that finds the process down or paused has an effect once it is what keeps it so (4b).
#[test]
fn longer_faults_have_an_effect() {
    let lasting = |lasts_longer: bool, fault: fn(u16) -> sim::Fault<machine::NodeId>| {
        let mut world = idle(10, 1);
        let first = world.apply(fault(1));
        let second = world.apply(fault(1));
        let order = if lasts_longer { [first, second] } else { [second, first] };
        world.undo(order[0]);
        pass(&mut world, 10);
        assert_ne!(world.status(node(1)), Status::Up);
        world.undo(order[1]);
        pass(&mut world, 10);
        assert_eq!(world.status(node(1)), Status::Up);
        assert!(world.took_effect(first));
        world.took_effect(second)
    };
    for fault in [crash as fn(u16) -> _, power_loss, |id| Pause { target: node(id).into() }.into()]
    {
        assert!(lasting(true, fault));
        assert!(!lasting(false, fault));
    }
}

#[test]
fn timers_follow_the_clock_of_their_node() {
    let host = |mono_drift_ppm| HostConfig { mono_drift_ppm, ..HostConfig::default() };
    for ppm in [-10_000, 0, 10_000] {
        let mut world = idle_with(9, 1, WorldConfig::default(), host(ppm));
        let start = world.now();
        poke(&mut world, 1, Act::Alarm(1, 10_000));
        let true_time = Span(10_000_000_000 * 1_000_000 / (1_000_000 + ppm as i64) as u64);
        world.run_until(start + true_time);
        assert_eq!(facts(&mut world), [], "{ppm} ppm: too early");
        pass(&mut world, 1);
        let told = facts(&mut world);
        assert!(matches!(told[..], [(1, Fact::Alarm(1, _))]), "{ppm} ppm: {told:?}");
    }
}

#[test]
fn a_wall_clock_jumps_and_jumps_back() {
    let mut world = idle(10, 1);
    let before = world.clocks(node(1));
    let jump =
        world.apply(ClockJump { target: node(1).into(), by: Span::secs(3_600), back: true }.into());
    let during = world.clocks(node(1));
    assert_eq!((during.wall.0, during.mono), (before.wall.0 - 3_600_000, before.mono));
    poke(&mut world, 1, Act::Alarm(1, 1));
    pass(&mut world, 10);
    assert_eq!(world.exercised().of(Effect::ClockJumpSeen), 1);
    world.undo(jump);
    assert_eq!(world.clocks(node(1)).wall.0, before.wall.0 + 10);
}

#[test]
fn a_restart_stops_and_starts_again() {
    let mut world = idle(11, 1);
    let (limit, down) = (Span::secs(1), Span::millis(100));
    world.apply_for(Restart { target: node(1).into(), limit: Some(limit) }.into(), down);
    pass(&mut world, 50);
    assert_eq!(world.status(node(1)), Status::Down);
    pass(&mut world, 60);
    assert_eq!(world.status(node(1)), Status::Up);
    assert_eq!(changes(&mut world), [NodeChange::Halted(Halt::Clean), NodeChange::Started]);
    assert!(world.is_quiet(), "it is over");
}

#[test]
fn healing_in_the_middle_of_a_restart_brings_the_node_back() {
    let (limit, down) = (Span::secs(1), Span::secs(100));
    for (stubborn, after) in [(false, 0), (false, 50), (true, 10)] {
        let mut world = World::new(1, WorldConfig::default());
        let config = Config { stubborn, ..Config::default() };
        world.add_node(node(1), config, HostConfig::default());
        world.start(node(1));
        pass(&mut world, 10);
        world.apply_for(Restart { target: node(1).into(), limit: Some(limit) }.into(), down);
        pass(&mut world, after);
        world.heal();
        pass(&mut world, 2_000);
        assert_eq!((world.status(node(1)), world.incarnation(node(1))), (Status::Up, 1));
    }
}

#[test]
fn a_node_that_is_stopping_when_everything_is_healed_starts_again() {
    let mut world = idle_with(14, 1, slow_disk(), HostConfig::default());
    poke(&mut world, 1, Act::AppendAndConnect("file", node(1)));
    let until = world.now() + Span::micros(100);
    world.run_until(until);
    world.stop(node(1));
    world.run_until(until + Span::micros(100));
    assert_eq!(world.status(node(1)), Status::Up, "it waits for its disk");
    world.heal();
    pass(&mut world, 100);
    assert_eq!((world.status(node(1)), world.incarnation(node(1))), (Status::Up, 1));
    world.stop(node(1));
    pass(&mut world, 100);
    assert_eq!(world.status(node(1)), Status::Down, "no fault or call restarts it");
}

#[test]
fn a_connection_can_be_used_before_the_handler_that_opens_it_completes() {
    let mut world = idle_with(15, 3, slow_disk(), HostConfig::default());
    poke(&mut world, 1, Act::AppendAndConnect("file", node(2)));
    let until = world.now() + Span::micros(100);
    world.run_until(until);
    // From another lane: a connection that was not opened yet, and one opened later and connected
    // earlier.
    poke(&mut world, 1, Act::Send(node(2), 7));
    poke(&mut world, 1, Act::Send(node(3), 8));
    pass(&mut world, 100);
    let mut told = facts(&mut world);
    told.retain(|(_, fact)| matches!(fact, Fact::Got(..)));
    assert_eq!(told, [(3, Fact::Got(node(1), 8)), (2, Fact::Got(node(1), 7))]);
}

#[test]
fn a_process_that_does_not_stop_in_time_is_killed() {
    let mut world = World::new(12, WorldConfig::default());
    let stubborn = Config { stubborn: true, ..Config::default() };
    world.add_node(node(1), stubborn, HostConfig::default());
    world.start(node(1));
    pass(&mut world, 10);
    let (limit, down) = (Span::secs(1), Span::millis(100));
    world.apply_for(Restart { target: node(1).into(), limit: Some(limit) }.into(), down);
    pass(&mut world, 999);
    assert_eq!(world.status(node(1)), Status::Up);
    pass(&mut world, 200);
    let changes = changes(&mut world);
    assert_eq!(changes[1..], [NodeChange::Crashed { undone: 0 }, NodeChange::Started]);
    assert_eq!(world.exercised().of(Effect::StopTimedOut), 1);
}

#[test]
fn a_process_that_fails_stays_down_until_started() {
    let mut world = idle(13, 1);
    poke(&mut world, 1, Act::Halt);
    pass(&mut world, 10);
    assert_eq!(world.status(node(1)), Status::Down);
    let broken = Config { broken: true, ..Config::default() };
    world.set_node_config(node(1), broken);
    world.start(node(1));
    assert_eq!(world.status(node(1)), Status::Down);
    world.set_node_config(node(1), Config::default());
    world.heal();
    pass(&mut world, 10);
    assert_eq!(world.status(node(1)), Status::Up);
    let failed = |why: &str| Halt::Failed(why.to_owned());
    let expected = [
        NodeChange::Halted(failed("poked")),
        NodeChange::Started,
        NodeChange::BootFailed(failed("broken")),
        NodeChange::Started,
    ];
    assert_eq!(changes(&mut world), expected);
    assert_eq!(world.incarnation(node(1)), 2);
}

#[test]
fn a_node_stays_down_for_as_long_as_any_fault_keeps_it_down() {
    let mut world = idle(14, 1);
    let loss = world.apply(power_loss(1));
    let dead = world.apply(crash(1));
    world.undo(loss);
    assert_eq!(world.status(node(1)), Status::Off);
    world.undo(dead);
    pass(&mut world, 10);
    assert_eq!(world.status(node(1)), Status::Up);
    assert_eq!(world.active_faults(), []);
    assert!(world.clocks(node(1)).mono < Mono(world.now().0), "its host was off");
    assert!(world.now() > SimTime::ZERO);
}
