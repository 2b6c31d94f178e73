//! Members that go on without knowing that others have their partitions.

use crate::evidence::setup::GroupSetup;
use crate::testing::{GROUP, History, ORDERS, OTHER, numbers};
use engine::fact::{MemberFact, MemberRemoval, Positioning};
use machine::{ClusterId, Span};

/// A member has been given records, is paused, and is removed. When it goes on, its application seeks, and
/// then finishes with what it had been given.
#[test]
fn a_zombie_that_seeks_is_still_one() {
    let again = |is_removed: bool| {
        let mut history = History::grouped();
        history.load_groups(Vec::new());
        history.produce(&numbers(0..20));
        history.generation(1, &[(1002, &[0, 1])]);
        history.take(1002, 1, None);
        history.process(1002, 10);
        history.commit(1002, 1, 1, 10);
        history.deliver(1002, 1, ORDERS, 20);
        if is_removed {
            history.remove_member(1002, 1, MemberRemoval::SessionEnded);
            history.generation(2, &[(1003, &[0, 1])]);
            history.take(1003, 2, Some(10));
            history.process(1003, 20);
            history.commit(1003, 1, 2, 20);
        }
        history.start_at(1002, 18, Positioning::Seek);
        let (from, to, partition) = (10, 20, ORDERS);
        let processed = || MemberFact::Processed { group: GROUP.into(), partition, from, to };
        history.member(1002, processed());
        if !is_removed {
            history.member(1002, processed());
        }
        history.read_back(1, ORDERS);
        history.read_back(2, OTHER);
        history.judge()
    };
    let judgement = again(true);
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    let hazards: Vec<&str> = judgement.permitted.iter().map(|it| it.hazard.as_str()).collect();
    assert_eq!(hazards, ["zombie-member"]);
    // A member that is still one does not finish twice with what it was given once.
    assert_eq!(again(false).violations[0].check, "group-processes-all");
}

/// A static member that does not join in time stays a member, and others get its partitions.
#[test]
fn a_static_member_that_is_late_loses_its_partitions_and_stays_a_member() {
    let found = |rebalance_timeout: Span, is_static: bool| {
        let mut history = History::grouped();
        let setup = GroupSetup { rebalance_timeout, ..GroupSetup::default() };
        history.setup.group_setups.insert((ClusterId(0), GROUP.into()), setup);
        history.load_groups(Vec::new());
        history.produce(&numbers(0..10));
        history.generation(1, &[(1002, &[0, 1])]);
        let joined = MemberFact::Joined {
            group: GROUP.into(),
            member: "m1002".into(),
            instance: is_static.then(|| "s".into()),
            generation: 1,
            protocol: "range".into(),
            partitions: vec![ORDERS],
        };
        history.member(1002, joined);
        history.generation(2, &[(1002, &[1]), (1003, &[0])]);
        history.join(1003, 2, &[ORDERS]);
        let (_, _, findings) = history.run();
        findings.0.iter().filter(|it| it.check == "group-one-owner").count()
    };
    assert_eq!(found(Span::ZERO, true), 0);
    assert_eq!(found(Span::secs(3_600), true), 1, "the rebalance cannot have waited so long");
    assert_eq!(found(Span::ZERO, false), 1, "a dynamic member is removed");
}
