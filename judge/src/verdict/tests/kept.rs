//! Without eligible leader replicas (KIP-966) the last in-sync replica stays one, whatever it lost.

use super::{Judgement, broken, finish, hazards};
use crate::testing::{History, ORDERS, numbers};

/// 1 is the last in-sync replica of records that `holders` have, loses half of them with its power,
/// is still in sync when it is back, and leads.
fn last_one_standing(min_isr: usize, elr: bool, holders: &[u16], lost: bool) -> Judgement {
    let mut history = History::new(min_isr);
    history.setup.eligible_leader_replicas = elr;
    history.produce(&numbers(0..4));
    history.send(ORDERS, &numbers(4..8), -1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    let isr: Vec<u16> = std::iter::once(1).chain(holders.iter().copied()).collect();
    history.change(None, &isr, &[]);
    holders.iter().for_each(|id| history.follow(*id, 1, ORDERS));
    history.watermark(1, holders, ORDERS, 0);
    history.confirm(1, ORDERS, 4, &numbers(4..8), -1);
    history.change(None, &[1], &[]);
    if lost {
        history.lose_power(1, 4);
    } else {
        history.crash(1);
        history.cut(1, ORDERS, 4, 8);
    }
    history.change(Some(None), &[1], &[]);
    history.register(1, 50);
    history.elect(1, 2, &[1], &[]);
    holders.iter().for_each(|id| history.cut(*id, ORDERS, 4, 8));
    finish(history, 1)
}

/// `members-hold-committed` is excused by the same hazard as the loss.
#[test]
fn an_isr_of_one_may_come_back_without_its_data_where_it_stays_in_sync() {
    let judgement = last_one_standing(1, false, &[], true);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("isr-of-one", 4)]);
    // With KIP-966 the controller removes it from the ISR when it registers again.
    let judgement = last_one_standing(1, true, &[], true);
    assert!(broken(&judgement).contains(&"members-hold-committed"), "{judgement:#?}");
    // Records that it cut without a power loss are not excused.
    let judgement = last_one_standing(1, false, &[], false);
    assert!(broken(&judgement).contains(&"members-hold-committed"), "{judgement:#?}");
    assert_eq!(hazards(&judgement), vec![]);
}

#[test]
fn the_last_replica_standing_may_lose_records_that_others_have() {
    let judgement = last_one_standing(2, false, &[2], true);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert_eq!(hazards(&judgement), vec![("last-replica-standing", 4)]);
    let because = &judgement.permitted[0].because;
    let reason = "without eligible.leader.replicas.enable the last in-sync replica stays one, \
                  broker 1 lost unsynced data with its power, and broker 1 ";
    assert!(because.starts_with(reason), "{because}");
    let judgement = last_one_standing(2, true, &[2], true);
    assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:#?}");
}
