//! The guarantees of connections, and their limits.

mod toy;

use machine::{CloseReason, Span};
use sim::{
    ActiveId, DelayMetadata, Effect, Groups, LossyLink, OneWayPartition, Partition, Ppm, SlowLink,
    Status, World,
};
use toy::{Act, Fact, Toy, crash, facts, idle, node, pass, poke, power_loss};

fn cut(world: &mut World<Toy>, a: u16, b: u16, one_way: bool) -> ActiveId {
    let (from, to) = (node(a), node(b));
    world.apply(match one_way {
        true => OneWayPartition { from: from.into(), to: to.into() }.into(),
        false => Partition { groups: Groups(vec![vec![from], vec![to]]) }.into(),
    })
}

/// Two toys with a connection between them, opened by the first.
fn connected(seed: u64) -> World<Toy> {
    let mut world = idle(seed, 2);
    poke(&mut world, 1, Act::Send(node(2), 0));
    pass(&mut world, 50);
    let mut told = facts(&mut world);
    told.sort_by_key(|(who, _)| *who);
    assert_eq!(told, [(1, Fact::Opened(node(2))), (2, Fact::Got(node(1), 0))]);
    world
}

/// Lets a toy send numbers, a millisecond apart.
fn send(world: &mut World<Toy>, from: u16, to: u16, numbers: std::ops::Range<u64>) {
    for n in numbers {
        poke(world, from, Act::Send(node(to), n));
        pass(world, 1);
    }
}

/// The numbers that a toy has received since the last call.
fn got(world: &mut World<Toy>, by: u16) -> Vec<u64> {
    let number = |(who, fact)| match fact {
        Fact::Got(_, n) if who == by => Some(n),
        _ => None,
    };
    facts(world).into_iter().filter_map(number).collect()
}

#[test]
fn messages_sent_during_a_partition_arrive_in_order_after_it() {
    for seed in 0..20 {
        let mut world = connected(seed);
        let partition = cut(&mut world, 1, 2, false);
        send(&mut world, 1, 2, 1..6);
        pass(&mut world, 1_000 + 100 * seed);
        assert_eq!(facts(&mut world), [], "nothing gets through");
        world.undo(partition);
        send(&mut world, 1, 2, 6..9);
        pass(&mut world, 5_000);
        assert_eq!(got(&mut world, 2), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(world.exercised().of(Effect::MessageCut) >= 5);
        assert!(world.exercised().of(Effect::MessageRetransmitted) >= 5);
    }
}

#[test]
fn a_slow_link_delays_one_or_both_directions_and_limits_throughput() {
    let slow = |one_way, by, bandwidth| {
        let mut world = connected(4);
        // The other may open a connection of its own.
        send(&mut world, 2, 1, 9..10);
        pass(&mut world, 50);
        assert_eq!(got(&mut world, 1), [9]);
        let (from, to) = (node(1).into(), node(2).into());
        let slow = world.apply(SlowLink { from, to, one_way, by, jitter: None, bandwidth }.into());
        send(&mut world, 1, 2, 1..2);
        send(&mut world, 2, 1, 2..3);
        pass(&mut world, 250);
        let who_got = |(who, fact)| matches!(fact, Fact::Got(..)).then_some(who);
        let mut early: Vec<u16> = facts(&mut world).into_iter().filter_map(who_got).collect();
        early.sort_unstable();
        pass(&mut world, 60_000);
        let late = facts(&mut world).len();
        assert_eq!(early.len() + late, 2, "nothing is lost");
        world.undo(slow);
        send(&mut world, 1, 2, 3..4);
        pass(&mut world, 50);
        assert_eq!(got(&mut world, 2), [3], "the link is as fast as before");
        (early, world.took_effect(slow))
    };
    let by = Some(Span::millis(300));
    assert_eq!(slow(true, by, None), (vec![1], true), "only what goes to 2 is late");
    assert_eq!(slow(false, by, None), (vec![], true));
    assert_eq!(slow(true, None, Some(10)), (vec![1], true), "ten bytes a second");
}

#[test]
fn messages_in_flight_when_a_link_is_cut_stay_in_order() {
    let mut world = connected(1);
    let slow =
        DelayMetadata { target: node(2).into(), from: Some(node(1).into()), by: Span::millis(50) };
    world.apply(slow.into());
    send(&mut world, 1, 2, 1..4);
    let partition = cut(&mut world, 1, 2, false);
    pass(&mut world, 49);
    world.undo(partition);
    // Some of the three arrived before the heal and were lost, others after it and were early.
    send(&mut world, 1, 2, 4..6);
    pass(&mut world, 5_000);
    assert_eq!(got(&mut world, 2), [1, 2, 3, 4, 5]);
}

#[test]
fn data_and_then_the_close_outlive_the_sender() {
    let mut world = connected(2);
    let partition = cut(&mut world, 1, 2, false);
    send(&mut world, 1, 2, 1..3);
    poke(&mut world, 1, Act::Close(node(2)));
    pass(&mut world, 3_000);
    world.undo(partition);
    pass(&mut world, 5_000);
    let expected = [Fact::Got(node(1), 1), Fact::Got(node(1), 2)].map(|fact| (2, fact));
    let told = facts(&mut world);
    assert_eq!(told[..2], expected);
    assert_eq!(told[2..], [(2, Fact::Closed(node(1), CloseReason::Closed))]);
    assert_eq!(world.exercised().of(Effect::MessageOutlivedSender), 2);
    assert!(world.is_quiet());
}

#[test]
fn a_delayed_message_is_delivered_long_after_its_sender_died() {
    let mut world = connected(3);
    let late =
        DelayMetadata { target: node(2).into(), from: Some(node(1).into()), by: Span::secs(40) };
    world.apply(late.into());
    send(&mut world, 1, 2, 1..2);
    world.apply(power_loss(1));
    pass(&mut world, 39_000);
    assert_eq!(facts(&mut world), []);
    pass(&mut world, 2_000);
    assert_eq!(facts(&mut world), [(2, Fact::Got(node(1), 1))]);
    assert_eq!(world.exercised().of(Effect::MessageOutlivedSender), 1);
}

#[test]
fn a_power_loss_is_not_noticed_until_something_is_sent() {
    let mut world = connected(4);
    let loss = world.apply(power_loss(2));
    pass(&mut world, 60_000);
    assert_eq!(facts(&mut world), [], "the other end is half open");
    assert_eq!(world.exercised().of(Effect::ConnectionHalfOpen), 1);
    send(&mut world, 1, 2, 1..2);
    pass(&mut world, 1_000);
    assert_eq!(facts(&mut world), [], "a host without power does not answer");
    world.undo(loss);
    pass(&mut world, 10_000);
    assert_eq!(facts(&mut world), [(1, Fact::Closed(node(2), CloseReason::Reset))]);
}

#[test]
fn a_crash_during_a_network_partition_is_noticed_by_a_reset_at_the_latest() {
    let (mut closed, mut half_open) = (0, 0);
    for seed in 0..30 {
        let mut world = connected(seed);
        let partition = cut(&mut world, 1, 2, false);
        let dead = world.apply(crash(2));
        pass(&mut world, 1_000);
        world.undo(dead);
        world.undo(partition);
        pass(&mut world, 10_000);
        let told = facts(&mut world);
        if told.is_empty() {
            // The kernel had sent a reset, once, and it was lost.
            half_open += 1;
            assert_eq!(world.exercised().of(Effect::ConnectionHalfOpen), 1);
            send(&mut world, 1, 2, 1..2);
            pass(&mut world, 1_000);
            assert_eq!(facts(&mut world), [(1, Fact::Closed(node(2), CloseReason::Reset))]);
        } else {
            closed += 1;
            assert_eq!(told, [(1, Fact::Closed(node(2), CloseReason::Closed))]);
        }
    }
    assert!(closed > 5 && half_open > 5, "{closed} closed, {half_open} half open");
}

#[test]
fn a_packet_whose_reset_was_lost_is_resent() {
    let mut world = connected(5);
    world.apply(power_loss(2));
    pass(&mut world, 100);
    world.start(node(2));
    let back = cut(&mut world, 2, 1, true);
    send(&mut world, 1, 2, 1..2);
    pass(&mut world, 1_000);
    assert_eq!(facts(&mut world), [], "the reset cannot come back");
    world.undo(back);
    pass(&mut world, 10_000);
    assert_eq!(facts(&mut world), [(1, Fact::Closed(node(2), CloseReason::Reset))]);
}

#[test]
fn a_dead_process_refuses_and_a_dead_host_is_silent() {
    let mut world = idle(6, 3);
    world.apply(crash(2));
    poke(&mut world, 1, Act::Connect(node(2)));
    pass(&mut world, 100);
    assert_eq!(facts(&mut world), [(1, Fact::Closed(node(2), CloseReason::Refused))]);
    world.apply(power_loss(3));
    poke(&mut world, 1, Act::Connect(node(3)));
    pass(&mut world, 20_000);
    assert_eq!(facts(&mut world), []);
    assert_eq!(world.status(node(3)), Status::Off);
    world.start(node(3));
    pass(&mut world, 10_000);
    assert_eq!(facts(&mut world), [(1, Fact::Opened(node(3)))], "its kernel keeps trying");
}

#[test]
fn an_attempt_during_a_network_partition_succeeds_after_it() {
    let mut world = idle(7, 2);
    let partition = cut(&mut world, 1, 2, false);
    send(&mut world, 1, 2, 1..4);
    pass(&mut world, 5_000);
    assert_eq!(facts(&mut world), []);
    world.undo(partition);
    pass(&mut world, 10_000);
    assert_eq!(got(&mut world, 2), [1, 2, 3]);
    assert!(world.exercised().of(Effect::ConnectionUnanswered) >= 2);
}

#[test]
fn a_one_way_partition_lets_the_other_direction_through() {
    let mut world = connected(8);
    cut(&mut world, 1, 2, true);
    send(&mut world, 1, 2, 1..2);
    send(&mut world, 2, 1, 7..8);
    pass(&mut world, 1_000);
    assert_eq!(facts(&mut world), [(1, Fact::Got(node(2), 7))]);
}

#[test]
fn a_link_stays_cut_for_as_long_as_any_partition_cuts_it() {
    let mut world = connected(9);
    let first = cut(&mut world, 1, 2, false);
    let second = cut(&mut world, 2, 1, true);
    world.undo(first);
    send(&mut world, 1, 2, 1..2);
    send(&mut world, 2, 1, 2..3);
    pass(&mut world, 1_000);
    assert_eq!(facts(&mut world), [(2, Fact::Got(node(1), 1))], "2 to 1 is still cut");
    world.undo(second);
    world.undo(first);
    pass(&mut world, 10_000);
    assert_eq!(facts(&mut world), [(1, Fact::Got(node(2), 2))]);
}

#[test]
fn a_lossy_link_loses_nothing_and_keeps_the_order() {
    let mut world = connected(10);
    let lossy = LossyLink {
        from: node(1).into(),
        to: node(2).into(),
        one_way: true,
        loss: Some(Ppm(200_000)),
        duplication: Some(Ppm(200_000)),
        reordering: Some(Ppm(200_000)),
    };
    world.apply(lossy.into());
    send(&mut world, 1, 2, 1..101);
    pass(&mut world, 60_000);
    assert_eq!(got(&mut world, 2), (1..101).collect::<Vec<_>>());
    for effect in [Effect::MessageLost, Effect::MessageDuplicated, Effect::MessageReordered] {
        assert!(world.exercised().of(effect) >= 5, "{}", effect.name());
    }
}

#[test]
fn nothing_is_received_after_a_close() {
    let mut world = connected(11);
    poke(&mut world, 2, Act::Send(node(1), 1));
    poke(&mut world, 1, Act::Close(node(2)));
    pass(&mut world, 1_000);
    assert_eq!(facts(&mut world), [(2, Fact::Closed(node(1), CloseReason::Closed))]);
    assert!(world.is_quiet());
}

#[test]
fn ended_connections_are_forgotten() {
    let mut world = idle(12, 2);
    for n in 0..1_000 {
        poke(&mut world, 1, Act::Send(node(2), n));
        pass(&mut world, 5);
        poke(&mut world, 1, Act::Close(node(2)));
        pass(&mut world, 5);
    }
    pass(&mut world, 1_000);
    assert_eq!(got(&mut world, 2).len(), 1_000);
    assert_eq!(world.connections(), 0);
}
