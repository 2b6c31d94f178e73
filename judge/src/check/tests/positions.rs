//! Members whose positions go back, and commit there.

use crate::evidence::setup::GroupSetup;
use crate::testing::{GROUP, History, ORDERS, OTHER, numbers};
use crate::verdict::Judgement;
use engine::fact::{MemberRemoval, Positioning};
use machine::ClusterId;

/// A member has processed and committed ten records. Its position goes back, it commits that, and the commit is
/// stored and not acknowledged. Another member goes on there.
fn goes_back(why: Positioning, setup: GroupSetup) -> Judgement {
    let mut history = History::grouped();
    history.setup.group_setups.insert((ClusterId(0), GROUP.into()), setup);
    history.load_groups(Vec::new());
    history.produce(&numbers(0..10));
    history.generation(1, &[(1002, &[0, 1])]);
    history.take(1002, 1, None);
    history.process(1002, 10);
    history.commit(1002, 1, 1, 10);
    history.start_at(1002, 0, why);
    history.ask_commit(1002, 2, 1, 0);
    history.write_offset(Some(0), true);
    history.remove_member(1002, 1, MemberRemoval::SessionEnded);
    history.generation(2, &[(1003, &[0, 1])]);
    history.take(1003, 2, Some(0));
    history.process(1003, 10);
    history.commit(1003, 1, 2, 10);
    history.read_back(1, ORDERS);
    history.read_back(2, OTHER);
    history.judge()
}

fn broken(judgement: &Judgement) -> Vec<&str> {
    let checks = judgement.violations.iter().map(|it| it.check.as_str());
    checks.filter(|check| *check == "group-processes-all").collect()
}

#[test]
fn records_before_a_position_that_went_back_are_processed_again() {
    let earliest = GroupSetup { resets_to_earliest: true, ..GroupSetup::default() };
    let latest = GroupSetup { resets_to_latest: true, ..GroupSetup::default() };
    assert!(broken(&goes_back(Positioning::Seek, latest)).is_empty(), "that was meant");
    let reset = goes_back(Positioning::OutOfRange, earliest);
    assert!(broken(&reset).is_empty(), "{:?}", reset.violations);
    assert!(reset.permitted.iter().any(|it| it.hazard == "offset-reset-earliest"));
    assert_eq!(broken(&goes_back(Positioning::OutOfRange, latest)), ["group-processes-all"]);
}
