//! Members that go on without knowing that they were removed, and seek meanwhile.

use crate::testing::{GROUP, History, ORDERS, OTHER, numbers};
use engine::fact::{MemberFact, MemberRemoval, Positioning};

/// A member has been given records, is paused, and is removed. When it goes on its application seeks, and
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
