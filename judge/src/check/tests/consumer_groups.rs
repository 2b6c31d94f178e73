//! Groups of the consumer protocol: owners, commits, and what a coordinator remembers (KIP-848).

use crate::testing::{GROUP, History, ORDERS, OTHER, numbers};
use engine::error::ErrorCode;
use engine::fact::{ConsumerGroupState, ConsumerMemberState, GroupState};

/// Client 1002 is the only member, owns both partitions in epoch 1, and has committed offset 5.
fn good() -> History {
    let mut history = History::grouped();
    history.produce(&numbers(0..10));
    history.epoch(1);
    history.current(1002, 1, &[0, 1], &[]);
    history.join(1002, 1, &[ORDERS, OTHER]);
    history.commit(1002, 1, 1, 5);
    history
}

fn found(history: &History) -> Vec<(&'static str, &'static str)> {
    let (_, _, findings) = history.run();
    let mut found: Vec<_> = findings.0.iter().map(|it| (it.check, it.what)).collect();
    found.dedup();
    found
}

const TWICE: (&str, &str) =
    ("group-one-owner", "a partition is assigned to a member before another one has given it up");

#[test]
fn a_partition_moves_once_its_owner_has_given_it_up() {
    let mut history = good();
    history.epoch(2);
    history.current(1002, 1, &[0], &[1]);
    history.current(1003, 2, &[], &[]);
    history.join(1003, 2, &[]);
    history.revoke(1002, 1, &[OTHER]);
    history.join(1002, 1, &[ORDERS]);
    history.current(1002, 2, &[0], &[]);
    history.current(1003, 2, &[1], &[]);
    history.join(1003, 2, &[OTHER]);
    assert_eq!(found(&history), []);
}

#[test]
fn a_partition_that_has_an_owner_is_assigned_to_no_other_member() {
    let mut owned = good();
    owned.current(1003, 2, &[1], &[]);
    assert_eq!(found(&owned), [TWICE]);

    let mut to_be_given_up = good();
    to_be_given_up.current(1002, 1, &[0], &[1]);
    to_be_given_up.current(1003, 2, &[1], &[]);
    assert_eq!(found(&to_be_given_up), [TWICE]);

    let mut removed = good();
    removed.forget_member(1002);
    removed.current(1003, 2, &[1], &[]);
    removed.join(1003, 2, &[OTHER]);
    assert_eq!(found(&removed), [], "what a removed member does cannot be prevented");
}

#[test]
fn a_member_owns_what_it_is_assigned_and_gives_up_the_rest() {
    let mut more = good();
    more.current(1002, 2, &[0], &[]);
    more.current(1003, 2, &[], &[]);
    more.join(1003, 2, &[OTHER]);
    let what = "a member owns what no record has assigned to it";
    let before = "a partition was handed over before it was given up";
    assert_eq!(found(&more), [("group-one-owner", what), ("group-one-owner", before)]);

    let mut keeps = good();
    keeps.current(1002, 2, &[0], &[]);
    keeps.current(1003, 2, &[1], &[]);
    keeps.join(1003, 2, &[OTHER]);
    assert_eq!(found(&keeps), [("group-one-owner", before)]);
}

#[test]
fn only_members_commit_and_in_their_epoch() {
    let wrong =
        ("commits-of-members", "an offset was stored that only a former member had committed");
    let mut former = good();
    former.ask_commit(1002, 2, 1, 7);
    former.forget_member(1002);
    former.current(1003, 2, &[0, 1], &[]);
    former.write_offset(Some(7), true);
    assert_eq!(found(&former), [wrong]);

    let mut empty = good();
    empty.forget_member(1002);
    empty.ask_commit(1002, 2, -1, 7);
    empty.write_offset(Some(7), true);
    assert_eq!(found(&empty), [wrong], "FL-8");

    let mut ahead = good();
    ahead.ask_commit(1002, 2, 2, 7);
    ahead.write_offset(Some(7), true);
    assert_eq!(found(&ahead), [wrong]);

    let mut late = good();
    late.ask_commit(1002, 2, 1, 7);
    late.epoch(2);
    late.current(1002, 2, &[0, 1], &[]);
    late.write_offset(Some(7), true);
    late.answer_commit(1002, 2, ErrorCode::None);
    assert_eq!(found(&late), [], "it is sent with the epoch that the member has by then");
}

#[test]
fn a_coordinator_remembers_what_its_log_says_of_members() {
    let member = |epoch: i32| ConsumerMemberState {
        member: "m1002".into(),
        epoch,
        previous_epoch: 0,
        assigned: vec![ORDERS, OTHER],
        to_revoke: Vec::new(),
        target: Vec::new(),
    };
    let state = |members: Vec<ConsumerMemberState>| GroupState {
        group: GROUP.into(),
        generation: None,
        members: Vec::new(),
        consumer: Some(ConsumerGroupState { epoch: 1, target_epoch: 1, members }),
        offsets: vec![(("orders".into(), 0), 5)],
        pending: Vec::new(),
    };
    let loaded = |state: GroupState| {
        let mut history = good();
        history.load_groups(vec![state]);
        found(&history)
    };
    let wrong = [("groups-as-replayed", "a coordinator's groups differ from its log")];
    assert_eq!(loaded(state(vec![member(1)])), []);
    assert_eq!(loaded(state(vec![member(2)])), wrong);
    assert_eq!(loaded(state(Vec::new())), wrong);
    assert_eq!(loaded(GroupState { consumer: None, ..state(Vec::new()) }), wrong);
}
