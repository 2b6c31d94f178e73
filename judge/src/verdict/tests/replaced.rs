//! A leader that continues because it does not know that it was replaced.

use super::{broken, finish, hazards};
use crate::testing::{History, ORDERS, numbers};
use crate::verdict::Judgement;

/// 1 is isolated; the in-sync replicas are `isr`. 3 is elected in its place, then 2. Only then does
/// 1 append four records, and confirm and serve them.
fn goes_on(isr: &[u16], second_is_clean: bool) -> Judgement {
    let mut history = History::new(1);
    history.setup.topics[0].unclean_leader_election = true;
    history.unfence(&[1, 2, 3]);
    history.produce(&numbers(0..4));
    history.change(None, isr, &[]);
    history.fence(1, true);
    history.elect(3, 1, &[3], &[]);
    if second_is_clean {
        history.change(None, &[2, 3], &[]);
    }
    history.fence(3, true);
    history.elect(2, 2, &[2], &[]);
    history.send(ORDERS, &numbers(4..8), -1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.watermark(1, &[], ORDERS, 0);
    history.confirm(1, ORDERS, 4, &numbers(4..8), -1);
    history.deliver(1002, 1, ORDERS, 8);
    history.cut(1, ORDERS, 4, 8);
    finish(history, 2)
}

#[test]
fn the_election_that_replaced_a_leader_is_judged_and_no_later_one() {
    for second_is_clean in [true, false] {
        let judgement = goes_on(&[1], second_is_clean);
        assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
        assert!(hazards(&judgement).iter().all(|(hazard, _)| *hazard == "unclean-election"));
        let because = &judgement.permitted[0].because;
        assert!(because.contains("broker 3 began to lead in epoch 1"), "{because}");
        // 3 was in sync, and has none of it.
        let judgement = goes_on(&[1, 3], second_is_clean);
        assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:#?}");
    }
}

#[test]
fn a_replaced_leader_commits_by_the_isr_that_it_led_with() {
    assert!(!broken(&goes_on(&[1], true)).contains(&"no-uncommitted-read"));
    assert!(broken(&goes_on(&[1, 3], true)).contains(&"no-uncommitted-read"));
}

/// 3 is elected in place of 1, and then 2, which has been admitted to the ISR or is out of sync. 3
/// knows of neither election and still follows 1, so that the records of 1 are committed.
fn followed_on(in_isr: bool) -> Judgement {
    let mut history = History::new(2);
    history.setup.topics[0].unclean_leader_election = true;
    history.unfence(&[1, 2, 3]);
    history.produce(&numbers(0..4));
    history.change(None, &[1, 3], &[]);
    history.fence(1, true);
    history.change(Some(Some(3)), &[3], &[1]);
    if in_isr {
        history.change(None, &[2, 3], &[1]);
    }
    history.fence(3, true);
    history.elect(2, 2, &[2], &[]);
    history.send(ORDERS, &numbers(4..8), -1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[3], ORDERS, 0);
    history.confirm(1, ORDERS, 4, &numbers(4..8), -1);
    history.deliver(1002, 1, ORDERS, 8);
    history.cut(1, ORDERS, 4, 8);
    history.cut(3, ORDERS, 4, 8);
    finish(history, 2)
}

#[test]
fn records_that_reach_the_next_elected_replica_are_lost_to_the_one_after() {
    let judgement = followed_on(false);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert!(hazards(&judgement).iter().all(|(hazard, _)| *hazard == "unclean-election"));
    let because = &judgement.permitted[0].because;
    assert!(because.contains("broker 2 began to lead in epoch 2 at "), "{because}");
    // That a member of the ISR lacks the records is not excused.
    let judgement = followed_on(true);
    assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:#?}");
    let lines = judgement.violations.iter().flat_map(|it| &it.explanation);
    let held: Vec<&String> = lines.filter(|line| line.starts_with("held then by")).collect();
    assert!(held.iter().any(|line| line.starts_with("held then by {1, 3};")), "{held:?}");
}
