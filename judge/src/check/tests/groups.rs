//! Groups of consumers: owners, commits, and what is skipped or processed again.

use crate::evidence::setup::GroupSetup;
use crate::testing::{GROUP, History, OFFSETS, ORDERS, OTHER, numbers, offsets_of};
use crate::verdict::Judgement;
use engine::error::ErrorCode;
use engine::fact::{
    ClientFact, Fact, GroupFact, GroupState, MemberFact, MemberRemoval, Positioning, Revocation,
    StoreFact,
};
use engine::ids::Offset;
use machine::{ClusterId, NodeId};

/// Ten records; client 1002 is the only member, has processed and committed all.
fn good() -> History {
    let mut history = History::grouped();
    history.load_groups(Vec::new());
    history.produce(&numbers(0..10));
    history.generation(1, &[(1002, &[0, 1])]);
    history.take(1002, 1, None);
    history.process(1002, 5);
    history.commit(1002, 1, 1, 5);
    history.process(1002, 10);
    history.commit(1002, 2, 1, 10);
    history
}

/// Client 1003 takes over in generation 2, from an offset.
fn taken_over(mut history: History, from: Option<Offset>) -> History {
    history.remove_member(1002, 1, MemberRemoval::SessionEnded);
    history.generation(2, &[(1003, &[0, 1])]);
    history.take(1003, 2, from);
    history
}

fn finish(mut history: History) -> History {
    history.read_back(1, ORDERS);
    history.read_back(2, OTHER);
    history
}

fn found(history: &History) -> Vec<(&'static str, &'static str)> {
    let (_, _, findings) = history.run();
    let mut found: Vec<_> = findings.0.iter().map(|it| (it.check, it.what)).collect();
    found.dedup();
    found
}

fn hazards(judgement: &Judgement) -> Vec<&str> {
    let mut all: Vec<&str> = judgement.permitted.iter().map(|it| it.hazard.as_str()).collect();
    all.dedup();
    all
}

fn set_up(history: &mut History, setup: GroupSetup) {
    history.setup.group_setups.insert((ClusterId(0), GROUP.into()), setup);
}

#[test]
fn a_good_group_keeps_every_check_quiet() {
    let history = finish(taken_over(good(), Some(10)));
    assert_eq!(found(&history), []);
    let judgement = history.judge();
    assert!(judgement.violations.is_empty() && judgement.permitted.is_empty());
    let counts = &judgement.groups[GROUP];
    assert_eq!((counts.processed, counts.skipped, counts.reprocessed), (10, 0, 0));
    assert_eq!((counts.rebalances, counts.expelled, counts.committed), (1, 1, 2));
}

#[test]
fn a_partition_has_one_owner_in_a_generation() {
    let mut twice = good();
    twice.generation(2, &[(1002, &[0]), (1003, &[0, 1])]);
    let what = "a partition is assigned to two members of a generation";
    assert_eq!(found(&twice), [("group-one-owner", what)]);

    let again = |members: &[(u16, &[i32])]| {
        let mut history = good();
        history.complete(1, members);
        found(&history)
    };
    assert_eq!(again(&[(1002, &[0, 1])]), []);
    let what = "a generation has two assignments";
    assert_eq!(again(&[(1003, &[0, 1])]), [("group-one-owner", what)]);
    // A group that was empty for long is forgotten, and begins anew.
    let mut forgotten = good();
    forgotten.generation(2, &[]);
    forgotten.generation(1, &[(1003, &[0, 1])]);
    assert_eq!(found(&forgotten), []);
}

#[test]
fn a_member_owns_what_the_one_before_has_given_up() {
    // 1002 stays a member of the next generation, in which 1003 has its partition.
    let handed_over = |gives_up: bool, joins: i32| {
        let mut history = good();
        if gives_up {
            history.revoke(1002, 1, &[ORDERS]);
        }
        history.generation(2, &[(1002, &[1]), (1003, &[0])]);
        history.join(1003, joins, &[ORDERS]);
        found(&history)
    };
    assert_eq!(handed_over(true, 2), []);
    let before = ("group-one-owner", "a partition was handed over before it was given up");
    assert_eq!(handed_over(false, 2), [before]);
    let two = ("group-one-owner", "two members of one generation own a partition");
    assert_eq!(handed_over(false, 1), [two]);

    // A member that has been removed, or whose process has ended, does not count as an owner.
    let mut zombie = good();
    zombie.generation(2, &[(1003, &[0])]);
    zombie.join(1003, 2, &[ORDERS]);
    assert_eq!(found(&zombie), []);
}

#[test]
fn offsets_are_stored_of_members_only() {
    let stored = |generation: i32, asked: bool| {
        let mut history = taken_over(good(), Some(10));
        history.produce(&numbers(10..20));
        if asked {
            history.ask_commit(1002, 3, generation, 20);
        }
        history.write_offset(Some(20), true);
        history.process(1003, 20);
        found(&history)
    };
    let former = "an offset was stored that only a former member had committed";
    assert_eq!(stored(1, true), [("commits-of-members", former)]);
    // It names the present generation, and is not in it (KIP-345).
    assert_eq!(stored(2, true), [("commits-of-members", former)]);
    let unasked = "an offset was stored that no member had committed";
    assert_eq!(stored(2, false), [("commits-of-members", unasked)]);
    let mut own = taken_over(good(), Some(10));
    own.ask_commit(1003, 1, 2, 20);
    own.write_offset(Some(20), true);
    assert_eq!(found(&own), []);
    // An earlier commit of the same offset is done with: it does not explain the record.
    let mut again = good();
    again.produce(&numbers(10..20));
    again.commit(1002, 3, 1, 12);
    again.commit(1002, 4, 1, 15);
    again.write_offset(Some(12), true);
    again.process(1002, 20);
    let back = ("offsets-never-back", "a committed offset went back");
    assert_eq!(found(&again), [back, ("commits-of-members", unasked)]);
    // A consumer outside of the group, while that has no members.
    let alone = |members: &[(u16, &[i32])]| {
        let mut history = good();
        history.generation(2, members);
        history.ask_commit(1004, 1, -1, 20);
        history.write_offset(Some(20), true);
        found(&history)
    };
    assert_eq!(alone(&[]), []);
    assert_eq!(alone(&[(1003, &[0])]), [("commits-of-members", former)]);
}

#[test]
fn an_acknowledged_commit_is_shown() {
    let kept = |shown: Option<Offset>, after: bool| {
        let mut history = good();
        history.remove_member(1002, 1, MemberRemoval::Left);
        history.generation(2, &[(1003, &[0, 1])]);
        history.join(1003, 2, &[ORDERS]);
        if after {
            history.ask_offset(1003, 1);
        }
        history.ask_commit(1002, 3, 1, 12);
        let coordinator = 1;
        history.answer_commit(1002, 3, ErrorCode::IllegalGeneration);
        if !after {
            history.ask_offset(1003, 1);
        }
        let offsets = vec![(ORDERS, shown)];
        let group = GROUP.into();
        let shown = MemberFact::CommittedShown { group, question: 1, coordinator, offsets };
        history.member(1003, shown);
        found(&history)
    };
    let not_shown = ("committed-offsets-kept", "an acknowledged commit was not shown");
    for after in [false, true] {
        assert_eq!(kept(Some(10), after), []);
        assert_eq!(kept(Some(5), after), [not_shown]);
        assert_eq!(kept(None, after), [not_shown]);
    }
    // What was acknowledged after the question was asked need not be shown.
    let mut early = good();
    early.ask_offset(1003, 1);
    early.commit(1002, 3, 1, 10);
    early.member(
        1003,
        MemberFact::CommittedShown {
            group: GROUP.into(),
            question: 1,
            coordinator: 1,
            offsets: vec![(ORDERS, Some(10))],
        },
    );
    assert_eq!(found(&early), []);
    // Nor what has expired since.
    let mut expired = good();
    expired.write_offset(None, true);
    expired.ask_offset(1003, 1);
    expired.show_offset(1003, 1, None);
    assert_eq!(found(&expired), []);
    let mut nowhere = good();
    nowhere.ask_commit(1002, 3, 1, 10);
    nowhere.answer_commit(1002, 3, ErrorCode::None);
    let what = "a commit was acknowledged that is in no log";
    assert_eq!(found(&nowhere), [("committed-offsets-kept", what)]);
}

#[test]
fn the_groups_of_a_coordinator_are_the_replay_of_its_log() {
    let state = |generation: i32, offset: Offset| GroupState {
        group: GROUP.into(),
        generation: Some(generation),
        members: vec!["m1002".into()],
        consumer: None,
        offsets: vec![(("orders".into(), 0), offset)],
        pending: Vec::new(),
    };
    let loaded = |groups: Vec<GroupState>| {
        let mut history = good();
        history.load_groups(groups);
        found(&history)
    };
    let wrong = [("groups-as-replayed", "a coordinator's groups differ from its log")];
    assert_eq!(loaded(vec![state(1, 10)]), []);
    assert_eq!(loaded(vec![state(1, 5)]), wrong);
    assert_eq!(loaded(vec![state(2, 10)]), wrong);
    assert_eq!(loaded(Vec::new()), wrong);
    let other = GroupState { group: "other".into(), ..state(1, 10) };
    assert_eq!(loaded(vec![state(1, 10), other]), wrong);

    // What is not replicated is not shown (KAFKA-15910).
    let served = |to: Offset, offset: Option<Offset>| {
        let mut history = good();
        history.ask_commit(1002, 3, 1, 12);
        history.write_offset(Some(12), false);
        let to = history.end(1, OFFSETS) - to;
        let offsets = offsets_of(&[(0, offset)]);
        let (partition, coordinator_epoch, group) = (OFFSETS, 0, GROUP.into());
        let fact = GroupFact::OffsetsServed { partition, coordinator_epoch, group, to, offsets };
        history.fact(1, Fact::Group(fact));
        found(&history)
    };
    assert_eq!(served(1, Some(10)), []);
    assert_eq!(served(1, Some(12)), wrong);
    // Its own claim of how far the log counts is not taken for granted.
    assert_eq!(served(0, Some(12)), wrong);
}

#[test]
fn a_committed_offset_goes_back_if_that_was_meant() {
    let back = |change: fn(&mut History)| {
        let mut history = good();
        change(&mut history);
        history.commit(1002, 3, 1, 7);
        history
    };
    let went_back = ("offsets-never-back", "a committed offset went back");
    assert_eq!(found(&back(|_| {})), [went_back]);
    let sought = back(|history| history.start_at(1002, 3, Positioning::Seek));
    assert_eq!(found(&sought), []);
    let reset = |why: Positioning, resets_to_earliest: bool| {
        let mut history = good();
        let (partition, from, to) = (ORDERS, None, 0);
        history.client(1002, ClientFact::Positioned { partition, from, to, why });
        history.commit(1002, 3, 1, 7);
        assert!(found(&history).contains(&went_back));
        set_up(&mut history, GroupSetup { resets_to_earliest, ..GroupSetup::default() });
        history.judge()
    };
    assert!(!reset(Positioning::OutOfRange, false).violations.is_empty());
    assert_eq!(hazards(&reset(Positioning::OutOfRange, true)), ["offset-reset-earliest"]);
    // A member that was shown a committed offset does not begin anew.
    assert!(!reset(Positioning::Start, true).violations.is_empty());
}

/// The previous owner's last commit was under way when the next one asked where to begin.
#[test]
fn a_member_may_begin_before_a_commit_that_was_not_acknowledged() {
    let overlap = |acknowledged: bool| {
        let mut history = good();
        history.produce(&numbers(10..20));
        history.ask_commit(1002, 3, 1, 15);
        if acknowledged {
            history.write_offset(Some(15), true);
            history.answer_commit(1002, 3, ErrorCode::None);
        } else {
            history.write_offset(Some(15), false);
        }
        history.remove_member(1002, 1, MemberRemoval::SessionEnded);
        history.generation(2, &[(1003, &[0, 1])]);
        history.join(1003, 2, &[ORDERS]);
        history.ask_offset(1003, 1);
        let offsets = vec![(ORDERS, Some(10))];
        let (group, question, coordinator) = (GROUP.into(), 1, 1);
        let shown = MemberFact::CommittedShown { group, question, coordinator, offsets };
        history.member(1003, shown);
        history.start_at(1003, 10, Positioning::Committed);
        history.process(1003, 12);
        history.commit(1003, 1, 2, 12);
        history
    };
    let judgement = overlap(false).judge();
    assert_eq!(hazards(&judgement), ["commit-in-flight"]);
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    let broken = overlap(true).judge();
    let checks: Vec<&str> = broken.violations.iter().map(|it| it.check.as_str()).collect();
    assert_eq!(checks, ["committed-offsets-kept", "offsets-never-back"]);
}

/// Client 1002 commits 10 when it has processed 5, and crashes.
fn committed_early() -> History {
    let mut history = History::grouped();
    history.produce(&numbers(0..10));
    history.generation(1, &[(1002, &[0, 1])]);
    history.take(1002, 1, None);
    history.process(1002, 5);
    history.deliver(1002, 1, ORDERS, 10);
    history.commit(1002, 1, 1, 10);
    history.crash(1002);
    finish(taken_over(history, Some(10)))
}

#[test]
fn what_a_group_committed_before_it_was_processed_is_skipped() {
    let mut history = committed_early();
    let judgement = history.judge();
    let checks: Vec<&str> = judgement.violations.iter().map(|it| it.check.as_str()).collect();
    assert_eq!(checks, ["group-processes-all"], "it commits after processing, by its setup");
    set_up(&mut history, GroupSetup { commits_early: true, ..GroupSetup::default() });
    let judgement = history.judge();
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    assert_eq!(hazards(&judgement), ["committed-before-processed"]);
    assert_eq!(judgement.groups[GROUP].skipped, 5);
    let because = &judgement.permitted[0].because;
    assert!(because.contains("client 1002 committed 10 of orders-0"), "{because}");
    assert!(because.contains("had processed up to 5 by then, and crashed at"), "{because}");
}

#[test]
fn what_a_group_had_not_committed_is_processed_again() {
    let mut history = good();
    history.produce(&numbers(10..20));
    history.process(1002, 16);
    history.crash(1002);
    let mut history = taken_over(history, Some(10));
    history.process(1003, 20);
    history.commit(1003, 1, 2, 20);
    let judgement = finish(history).judge();
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    assert_eq!(hazards(&judgement), ["processed-again"]);
    let counts = &judgement.groups[GROUP];
    assert_eq!((counts.processed, counts.skipped, counts.reprocessed), (20, 0, 6));
    let because = &judgement.permitted[0].because;
    let expected = "client 1002 had processed up to 16 of orders-0, had committed 10 (event";
    assert!(because.contains(expected), "{because}");
    assert!(because.contains("and crashed at"), "{because}");
}

/// What it had committed, and was told so, is never processed again.
#[test]
fn what_a_group_had_committed_is_not_processed_again() {
    let mut history = taken_over(good(), Some(10));
    history.start_at(1003, 4, Positioning::Committed);
    history.process(1003, 10);
    let judgement = finish(history).judge();
    let checks: Vec<&str> = judgement.violations.iter().map(|it| it.check.as_str()).collect();
    assert_eq!(checks, ["group-processes-all"]);
}

/// A zombie goes on with the records that it was given before another member got its partition, until
/// its next poll.
#[test]
fn a_zombie_may_process_what_it_has() {
    let late = |knows: bool| {
        let mut history = good();
        history.produce(&numbers(10..20));
        history.deliver(1002, 1, ORDERS, 15);
        let mut history = taken_over(history, Some(10));
        history.process(1003, 20);
        let (from, to, partition) = (10, 15, ORDERS);
        let processed = MemberFact::Processed { group: GROUP.into(), partition, from, to };
        let lost = MemberFact::Revoked {
            group: GROUP.into(),
            member: "m1002".into(),
            generation: 1,
            partitions: vec![ORDERS],
            why: Revocation::Lost { error: Some(ErrorCode::UnknownMemberId) },
        };
        let facts = if knows { [lost, processed] } else { [processed, lost] };
        facts.into_iter().for_each(|fact| history.member(1002, fact));
        finish(history).judge()
    };
    let judgement = late(false);
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    assert_eq!(hazards(&judgement), ["zombie-member"]);
    let because = &judgement.permitted[0].because;
    assert!(because.contains("its session had ended, client 1003 has owned orders-0"), "{because}");
    assert_eq!(late(true).violations[0].check, "group-processes-all");
}

/// The same when the zombie is done first: the other one had begun by then.
#[test]
fn a_zombie_may_be_done_before_the_owner() {
    let mut history = good();
    history.produce(&numbers(10..20));
    history.deliver(1002, 1, ORDERS, 15);
    let mut history = taken_over(history, Some(10));
    let (from, to, partition, group) = (10, 15, ORDERS, GROUP.into());
    history.member(1002, MemberFact::Processed { group, partition, from, to });
    history.process(1003, 20);
    let judgement = finish(history).judge();
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    assert_eq!(hazards(&judgement), ["zombie-member"]);
}

#[test]
fn a_reset_skips_or_repeats_as_configured() {
    let reset = |to: Offset, setup: GroupSetup| {
        let mut history = good();
        set_up(&mut history, setup);
        history.produce(&numbers(10..20));
        history.write_offset(None, true);
        history.generation(2, &[(1003, &[0, 1])]);
        history.join(1003, 2, &[ORDERS]);
        history.ask_offset(1003, 1);
        history.show_offset(1003, 1, None);
        history.start_at(1003, to, Positioning::Start);
        history.produce(&numbers(20..30));
        history.process(1003, 30);
        finish(history).judge()
    };
    let latest = GroupSetup { resets_to_latest: true, ..GroupSetup::default() };
    let earliest = GroupSetup { resets_to_earliest: true, ..GroupSetup::default() };
    let skips = reset(20, latest);
    assert_eq!(hazards(&skips), ["offset-reset-latest"]);
    assert_eq!(skips.groups[GROUP].skipped, 10);
    assert!(skips.permitted[0].because.contains("the offset of whose group g expired at"));
    let repeats = reset(0, earliest);
    assert_eq!(hazards(&repeats), ["offset-reset-earliest"]);
    assert_eq!(repeats.groups[GROUP].reprocessed, 10);
    for judgement in [reset(20, earliest), reset(0, latest)] {
        let checks: Vec<&str> = judgement.violations.iter().map(|it| it.check.as_str()).collect();
        assert_eq!(checks, ["group-processes-all"]);
    }
}

/// The settings of `__consumer_offsets` permit the loss (hazard C26).
#[test]
fn a_commit_that_its_log_may_lose_is_permitted_to_be_lost() {
    let mut history = good();
    history.lose_offsets(history.end(1, OFFSETS) - 1);
    history.watermark(1, &[], OFFSETS, 2);
    history.ask_offset(1003, 1);
    history.show_offset(1003, 1, Some(5));
    let judgement = history.judge();
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    assert!(hazards(&judgement).contains(&"offset-lost"), "{:?}", hazards(&judgement));
    let because = judgement.permitted.iter().find(|it| it.hazard == "offset-lost");
    let because = &because.expect("it was found above").because;
    assert!(because.contains("and with it a record of the group"), "{because}");
}

#[test]
fn a_group_that_has_not_settled_is_reported_unless_its_coordinator_is_gone() {
    let mut history = good();
    let what = "no settled member of group g owns orders-0".to_owned();
    history.missing.push(crate::evidence::Missing {
        at: history.now(),
        what,
        about: Some((ClusterId(0), ORDERS)),
        group: Some(GROUP.into()),
        held_by: None,
    });
    assert_eq!(found(&history), [("groups-settle", "a group has not settled")]);
    assert_eq!(history.judge().violations.len(), 1);
}

/// Two inputs, the outputs of which are the records 100 and 101; the group has committed `to`.
fn pipeline(outputs: &[(Offset, u64)], to: Offset) -> Vec<(&'static str, &'static str)> {
    let setup = GroupSetup { outputs: 1, ..GroupSetup::default() };
    let history = pipeline_of(setup, 2, outputs, to);
    found(&history).into_iter().filter(|it| it.0 == "reflected-once").collect()
}

/// The same, of which the member reports that it has processed up to an offset.
fn pipeline_of(
    setup: GroupSetup,
    processed: Offset,
    outputs: &[(Offset, u64)],
    to: Offset,
) -> History {
    let mut history = History::grouped();
    set_up(&mut history, setup);
    history.produce(&[0, 1]);
    history.generation(1, &[(1002, &[0, 1])]);
    history.take(1002, 1, None);
    history.process(1002, processed);
    for (offset, record) in outputs {
        let (group, partition, offset) = (GROUP.into(), ORDERS, *offset);
        let derived = MemberFact::Derived { group, partition, offset, record: *record };
        history.member(1002, derived);
        history.client(1002, ClientFact::Sent { record: *record, partition: OTHER, acks: -1 });
        history.write(2, OTHER, 0, &[*record]);
        history.replicate(OTHER);
    }
    history.commit(1002, 1, 1, to);
    finish(history)
}

/// A member may end when its transaction is committed, before it learns of that.
#[test]
fn an_input_whose_results_are_committed_with_its_offset_is_not_skipped() {
    let skipped = |outputs_apart, outputs: &[(Offset, u64)]| {
        let setup = GroupSetup { outputs: 1, outputs_apart, ..GroupSetup::default() };
        pipeline_of(setup, 1, outputs, 2).judge().groups[GROUP].skipped
    };
    assert_eq!(skipped(false, &[(0, 100), (1, 101)]), 0);
    assert_eq!(skipped(false, &[(0, 100)]), 1);
    assert_eq!(skipped(true, &[(0, 100), (1, 101)]), 1, "results that were sent prove nothing");
}

#[test]
fn each_input_of_a_pipeline_is_reflected_once() {
    assert_eq!(pipeline(&[(0, 100), (1, 101)], 2), []);
    assert_eq!(pipeline(&[(0, 100)], 1), []);
    let lacking = ("reflected-once", "an input of a pipeline is not reflected");
    assert_eq!(pipeline(&[(0, 100)], 2), [lacking]);
    let early = ("reflected-once", "an input of a pipeline is reflected and not committed");
    assert_eq!(pipeline(&[(0, 100), (1, 101)], 1), [early]);
    let twice = ("reflected-once", "an input of a pipeline is reflected more than once");
    assert_eq!(pipeline(&[(0, 100), (0, 102), (1, 101)], 2), [twice]);
}

/// What an application repeats on purpose is no anomaly, also if its successor does it.
#[test]
fn a_group_whose_application_seeks_back_on_purpose_repeats_what_is_meant() {
    let mut history = good();
    history.start_at(1002, 3, Positioning::Seek);
    history.commit(1002, 3, 1, 3);
    let judgement = finish({
        let mut history = taken_over(history, Some(3));
        history.process(1003, 10);
        history
    })
    .judge();
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    assert_eq!(hazards(&judgement), Vec::<&str>::new());
    let counts = &judgement.groups[GROUP];
    assert_eq!((counts.reprocessed, counts.rewound, counts.skipped), (7, 7, 0));
    // A seek means the repetition of what lies behind it, and no other.
    let mut history = good();
    history.start_at(1002, 8, Positioning::Seek);
    let mut history = taken_over(history, Some(3));
    history.process(1003, 10);
    let counts = finish(history).judge().groups[GROUP].clone();
    assert_eq!((counts.reprocessed, counts.rewound), (7, 2));
}

#[test]
fn each_input_is_in_the_store_of_its_group_once() {
    // Results of these inputs are written, and then the store has this position.
    let write = |history: &mut History, inputs: std::ops::Range<usize>, to: Offset| {
        let inputs = inputs.start as Offset..inputs.end as Offset;
        let inputs = inputs.clone().zip(numbers(inputs.start as usize..inputs.end as usize));
        let (group, by) = (GROUP.into(), NodeId::new(0, 1002));
        let inputs = inputs.collect();
        let partition = ORDERS;
        let (epoch, current) = (1, 1);
        let fact = StoreFact::Committed { group, by, partition, epoch, current, inputs, to };
        history.client(1002, ClientFact::Store(fact));
    };
    let all = |writes: &[(std::ops::Range<usize>, Offset)]| {
        let mut history = good();
        writes.iter().for_each(|(inputs, to)| write(&mut history, inputs.clone(), *to));
        found(&finish(history))
    };
    assert_eq!(all(&[(0..5, 5), (5..10, 10)]), []);
    let lacking = "an input is not in the store of its group";
    assert_eq!(all(&[(0..5, 5), (6..10, 10)]), [("in-store-once", lacking)]);
    let twice = "an input is in the store of its group more than once";
    assert_eq!(all(&[(0..5, 5), (4..10, 10)]), [("in-store-once", twice)]);
    let beyond = "an input is in the store of its group, which goes on before it";
    assert_eq!(all(&[(0..10, 9)]), [("in-store-once", beyond)]);
}

#[test]
fn a_paused_partition_returns_nothing() {
    let pause = |history: &mut History| {
        history.client(1002, ClientFact::Paused { partitions: vec![ORDERS] });
    };
    let mut history = good();
    pause(&mut history);
    history.client(1002, ClientFact::Resumed { partitions: vec![ORDERS] });
    history.produce(&numbers(10..12));
    history.process(1002, 12);
    assert_eq!(found(&finish(history)), []);
    let mut history = good();
    pause(&mut history);
    history.produce(&numbers(10..12));
    history.process(1002, 12);
    let all = found(&finish(history));
    let wrong = "a consumer returned records of a paused partition";
    assert_eq!(all, [("paused-return-nothing", wrong)]);
    // A pause ends with the assignment.
    let mut history = good();
    pause(&mut history);
    history.revoke(1002, 1, &[ORDERS]);
    history.generation(2, &[(1002, &[0, 1])]);
    history.take(1002, 2, Some(10));
    history.produce(&numbers(10..12));
    history.process(1002, 12);
    assert_eq!(found(&finish(history)), []);
}
