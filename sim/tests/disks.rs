//! Effects of faults on disks. Each test fails if its fault has no effect.

mod toy;

use machine::{Disk, DiskError as Refused, Span};
use sim::{
    ActiveId, CorruptDisk, Crash, DiskError, DiskOperation, DiskProfile, Effect, FullDisk,
    HostConfig, HungDisk, LostDisk, NodeChange, PowerLoss, Seen, SlowDisk, Status, World,
    WorldConfig,
};
use toy::{Act, Fact, Toy, facts, idle_with, node, pass, poke, power_loss};

/// A toy with two directories, each on a device of its own and with a file.
fn with_two_devices(seed: u64) -> World<Toy> {
    let directories = vec!["d1".to_owned(), "d2".to_owned()];
    let host = HostConfig { directories, ..HostConfig::default() };
    let mut world = idle_with(seed, 1, WorldConfig::default(), host);
    let disk = world.disk_mut(node(1));
    for (directory, file) in [("d1", "d1/file"), ("d2", "d2/file")] {
        disk.create_dir(directory).expect("there is room");
        disk.create(file).expect("there is room");
    }
    world
}

fn outcome(world: &mut World<Toy>, act: Act) -> Vec<Fact> {
    poke(world, 1, act);
    pass(world, 100);
    facts(world).into_iter().map(|(_, fact)| fact).collect()
}

fn wrote(text: &str) -> Vec<Fact> {
    vec![Fact::Wrote(text.as_bytes().to_vec())]
}

fn took_effect(world: &mut World<Toy>, fault: ActiveId) -> bool {
    world.undo(fault);
    world.took_effect(fault)
}

#[test]
fn a_full_disk_concerns_one_directory() {
    let mut world = with_two_devices(1);
    let full = FullDisk {
        target: node(1).into(),
        directory: Some("d1".to_owned()),
        after: Some(4),
        neighbour: None,
    };
    let full = world.apply(full.into());
    assert_eq!(
        outcome(&mut world, Act::Append("d1/file", b"123456")),
        [Fact::Failed(Refused::Full)]
    );
    assert_eq!(outcome(&mut world, Act::Append("d2/file", b"123456")), wrote("123456"));
    assert!(took_effect(&mut world, full));
    assert_eq!(outcome(&mut world, Act::Append("d1/file", b"1")), wrote("1"));
}

#[test]
fn a_neighbour_fills_the_disk_and_frees_it_again() {
    let mut world = with_two_devices(2);
    let neighbour = Some(Span::millis(500));
    let full = FullDisk { target: node(1).into(), directory: None, after: None, neighbour };
    let full = world.apply_for(full.into(), Span::secs(3));
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(outcome(&mut world, Act::Append("d1/file", b"1")) == wrote("1"));
    }
    let turns = seen.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(turns, 3, "full, free, full, free: {seen:?}");
    pass(&mut world, 2_000);
    assert!(world.took_effect(full));
    assert!(world.is_quiet(), "the neighbour is gone with the fault");
}

#[test]
fn a_hung_disk_leaves_the_other_alone() {
    let mut world = with_two_devices(3);
    let directory = Some("d1".to_owned());
    let hung = world.apply(HungDisk { target: node(1).into(), directory }.into());
    assert_eq!(outcome(&mut world, Act::Append("d2/file", b"1")), wrote("1"));
    assert_eq!(outcome(&mut world, Act::Append("d1/file", b"2")), []);
    // Its lane waits with it.
    let also = world.apply(HungDisk { target: node(1).into(), directory: None }.into());
    world.undo(hung);
    pass(&mut world, 1_000);
    assert_eq!(facts(&mut world), [], "the second fault holds it still");
    assert!(world.took_effect(hung));
    world.undo(also);
    pass(&mut world, 100);
    assert_eq!(facts(&mut world), [(1, Fact::Wrote(b"2".to_vec()))]);
}

/// Found by `swarm`: the handler that waited for the disk never completed, and blocked its lane.
#[test]
fn a_disk_that_is_lost_while_it_hangs_lets_handlers_complete() {
    let mut world = with_two_devices(3);
    let hung = world.apply(HungDisk { target: node(1).into(), directory: None }.into());
    assert_eq!(outcome(&mut world, Act::Append("d1/file", b"2")), []);
    let lost = world.apply(LostDisk { target: node(1).into(), directory: None }.into());
    pass(&mut world, 100);
    assert_eq!(facts(&mut world), [], "it hangs still");
    world.undo(hung);
    pass(&mut world, 100);
    assert_eq!(facts(&mut world).len(), 1);
    world.undo(lost);
    assert!(world.disk(node(1)).file_at("d1/file").is_none());
}

#[test]
fn a_slow_disk_concerns_one_directory() {
    let disk = DiskProfile { append: Span::millis(1), ..DiskProfile::default() };
    let host = HostConfig { directories: vec!["d1".to_owned()], ..HostConfig::default() };
    let mut world = idle_with(4, 1, WorldConfig { disk, ..WorldConfig::default() }, host);
    for file in ["d1/file", "file"] {
        let disk = world.disk_mut(node(1));
        disk.create_dir("d1").expect("there is room");
        disk.create(file).expect("there is room");
    }
    let directory = Some("d1".to_owned());
    let slow = world.apply(SlowDisk { target: node(1).into(), directory, factor: 300 }.into());
    assert_eq!(outcome(&mut world, Act::Append("file", b"1")), wrote("1"));
    assert_eq!(outcome(&mut world, Act::Append("d1/file", b"1")), []);
    pass(&mut world, 300);
    assert_eq!(facts(&mut world).len(), 1);
    assert!(took_effect(&mut world, slow));
}

/// Found by the scenario `slow-disk`: an fsync that began on a slow disk took minutes more after
/// the disk had recovered.
#[test]
fn an_operation_in_progress_when_a_slow_disk_recovers_continues_at_the_usual_speed() {
    let disk = DiskProfile { append: Span::millis(1), ..DiskProfile::default() };
    let world_config = WorldConfig { disk, ..WorldConfig::default() };
    let mut world = idle_with(11, 1, world_config, HostConfig::default());
    world.disk_mut(node(1)).create("file").expect("there is room");
    let target = node(1).into();
    let slow = world.apply(SlowDisk { target, directory: None, factor: 1_000_000 }.into());
    assert_eq!(outcome(&mut world, Act::AppendAll("file", vec![b"a", b"b"])), []);
    pass(&mut world, 1_000);
    world.undo(slow);
    pass(&mut world, 50);
    assert_eq!(facts(&mut world).len(), 2, "two milliseconds at the usual speed");
    assert_eq!(outcome(&mut world, Act::Append("file", b"c")), wrote("c"));
}

#[test]
fn operations_fail_once_or_for_as_long_as_the_fault_lasts() {
    for (times, then) in [(Some(1), wrote("b")), (None, vec![Fact::Failed(Refused::Io)])] {
        let mut world = with_two_devices(5);
        let directory = Some("d1".to_owned());
        let fault =
            DiskError { target: node(1).into(), directory, on: DiskOperation::Append, times };
        let fault = world.apply(fault.into());
        assert_eq!(outcome(&mut world, Act::Append("d1/file", b"a")), [Fact::Failed(Refused::Io)]);
        assert_eq!(outcome(&mut world, Act::Append("d2/file", b"a")), wrote("a"));
        assert_eq!(outcome(&mut world, Act::Append("d1/file", b"b")), then);
        assert!(took_effect(&mut world, fault));
        assert_eq!(outcome(&mut world, Act::Append("d1/file", b"c")), wrote("c"));
    }
}

#[test]
fn a_lost_disk_fails_and_is_empty_afterwards() {
    let mut world = with_two_devices(6);
    for file in ["d1/file", "d2/file"] {
        assert_eq!(outcome(&mut world, Act::Append(file, b"abc")), wrote("abc"));
    }
    let directory = Some("d1".to_owned());
    let lost = LostDisk { target: node(1).into(), directory };
    let first = world.apply(lost.clone().into());
    let is_loss = |seen: &Seen<_>| {
        matches!(
            seen,
            Seen::Node { change: NodeChange::DiskLost { bytes: 3, directory: Some(_), emptied }, .. }
                if emptied == &["d1"]
        )
    };
    assert!(world.take_observations().iter().any(|seen| is_loss(&seen.what)));
    assert_eq!(outcome(&mut world, Act::Append("d1/file", b"d")), [Fact::Failed(Refused::Io)]);
    assert_eq!(outcome(&mut world, Act::Append("d2/file", b"d")), wrote("d"));
    let again = sim::Fault::from(LostDisk { target: node(1).into(), directory: None });
    let lost_by = again.contradicts(world.active_faults()).expect("it cannot be lost twice");
    assert_eq!(lost_by.id, first);
    let other = LostDisk { directory: Some("d2".to_owned()), ..lost };
    assert_eq!(sim::Fault::from(other).contradicts(world.active_faults()), None);
    assert!(took_effect(&mut world, first));
    let disk = world.disk(node(1));
    assert!(disk.file_at("d1/file").is_none() && disk.file_at("d2/file").is_some());
    world.apply_for(power_loss(1), Span::millis(1));
    pass(&mut world, 100);
    assert!(world.disk(node(1)).file_at("d1/file").is_none(), "the file does not come back");
}

#[test]
fn a_sector_is_corrupted_in_a_closed_file() {
    let mut world = with_two_devices(7);
    let disk = world.disk_mut(node(1));
    for name in ["d1/0.log", "d1/1.log", "d1/0.index"] {
        let file = disk.create(name).expect("there is room");
        disk.append(file, vec![7; 2_000].into()).expect("there is room");
    }
    let corrupt = |file: &str| CorruptDisk {
        target: node(1).into(),
        directory: None,
        file: file.to_owned(),
        closed: true,
    };
    let fault = world.apply(corrupt(".log").into());
    assert!(world.took_effect(fault));
    let bad = |world: &World<Toy>, name: &str| {
        let bytes = world.disk(node(1)).file_at(name).expect("it is there").read(0, 2_000);
        bytes.iter().filter(|byte| **byte != 7).count()
    };
    assert!((400..=512).contains(&bad(&world, "d1/0.log")), "one sector");
    let is_it = |seen: &Seen<_>| {
        matches!(seen, Seen::Node { change: NodeChange::SectorCorrupted { file, .. }, .. }
            if file == "d1/0.log")
    };
    assert!(world.take_observations().iter().any(|seen| is_it(&seen.what)));
    assert_eq!((bad(&world, "d1/1.log"), bad(&world, "d1/0.index")), (0, 0));
    let none = world.apply(corrupt(".snapshot").into());
    assert!(!world.took_effect(none), "there is no such file");
}

/// A host writes back data by itself that is about 30 s old.
#[test]
fn a_power_loss_takes_only_data_too_young_for_write_back() {
    let mut lost_young = false;
    for seed in 0..20 {
        let mut world = idle_with(seed, 1, WorldConfig::default(), HostConfig::default());
        poke(&mut world, 1, Act::Append("file", b"old"));
        pass(&mut world, 31_000);
        poke(&mut world, 1, Act::Append("file", b"young"));
        pass(&mut world, 5_000);
        world.apply(power_loss(1));
        let file = world.disk(node(1)).file_at("file").expect("its name is old");
        let left = file.read(0, 100);
        assert!(left.starts_with(b"old"), "seed {seed}: {left:?}");
        lost_young |= &left[..] != b"oldyoung";
    }
    assert!(lost_young, "5 s are not enough");
}

#[test]
fn power_fails_at_the_nth_operation_of_a_handler() {
    let mut world = with_two_devices(8);
    let target = node(1).into();
    let loss = PowerLoss { target, at_disk_operation: Some(2), during_stop: false, stagger: None };
    let loss = world.apply(loss.into());
    assert_eq!(outcome(&mut world, Act::AppendAll("d1/file", vec![b"a", b"b", b"c"])), []);
    assert_eq!(world.status(node(1)), Status::Off);
    assert!(world.took_effect(loss));
    world.undo(loss);
    pass(&mut world, 100);
    assert_eq!(world.status(node(1)), Status::Up);
}

#[test]
fn a_crash_during_a_clean_shutdown_leaves_other_handlers_alone() {
    let mut world = with_two_devices(9);
    let target = node(1).into();
    let fault = Crash { target, at_disk_operation: Some(1), during_stop: true };
    let armed = world.apply(fault.into());
    assert_eq!(outcome(&mut world, Act::Append("d1/file", b"a")), wrote("a"));
    world.undo(armed);
    assert!(!world.took_effect(armed));
}

#[test]
fn staggered_hosts_are_switched_on_one_after_the_other() {
    let mut world = idle_with(10, 3, WorldConfig::default(), HostConfig::default());
    let loss = PowerLoss {
        target: vec![node(1), node(2), node(3)].into(),
        at_disk_operation: None,
        during_stop: false,
        stagger: Some(Span::millis(400)),
    };
    world.apply_for(loss.into(), Span::millis(300));
    let up = |world: &World<Toy>| (1..=3).filter(|n| world.status(node(*n)) == Status::Up).count();
    let mut counts = Vec::new();
    for _ in 0..4 {
        pass(&mut world, 350);
        counts.push(up(&world));
    }
    assert_eq!(counts, [1, 2, 2, 3]);
    assert_eq!(world.exercised().of(Effect::PowerLost), 3);
}
