//! The election of the last leader, when neither ISR nor ELR has a member left (KIP-966).

use super::{acks1, broken, finish, hazards};
use crate::testing::{ORDERS, unfenced};
use engine::metadata::{MetadataRecord, PartitionChange};

/// 1 confirms four records that only 1 has and is fenced; 2 confirms two at the same offsets and
/// loses them in a power loss, and 3 ends uncleanly too. In one decision the controller registers 3
/// again, removes it from the ELR for that reason, and makes 2 leader; or it makes 2 leader before
/// 3 has returned.
fn led_by_2_again(when_3_is_back: bool) -> crate::verdict::Judgement {
    let mut history = acks1(&[]);
    history.elect(2, 1, &[2, 3], &[]);
    history.send(ORDERS, &super::numbers(8..10), 1);
    history.write(2, ORDERS, 1, &super::numbers(8..10));
    history.confirm(2, ORDERS, 4, &super::numbers(8..10), 1);
    history.change(Some(None), &[], &[2, 3]);
    history.lose_power(2, 4);
    history.crash(3);
    history.come_back(2, 20, &[3]);
    let lead = PartitionChange {
        leader: Some(Some(2)),
        isr: Some(vec![2]),
        elr: Some(Vec::new()),
        ..PartitionChange::of(ORDERS)
    };
    let back = when_3_is_back.then(|| unfenced(3, 21));
    let decision = back.into_iter().chain([MetadataRecord::PartitionChange(lead)]);
    history.metadata(&decision.collect::<Vec<_>>());
    history.begin(ORDERS, 2, 3);
    // That 3 is admitted to the ISR again makes no difference.
    history.crash(3);
    history.change(None, &[2, 3], &[]);
    history.cut(1, ORDERS, 4, 4);
    finish(history, 2)
}

#[test]
fn acks1_permits_records_that_the_last_known_leader_lacks_when_no_other_is_left() {
    let judgement = led_by_2_again(true);
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    assert_eq!(hazards(&judgement), vec![("acks1-unreplicated", 6)]);
}

#[test]
fn acks1_does_not_excuse_a_leader_in_place_of_an_eligible_one() {
    let judgement = led_by_2_again(false);
    assert!(broken(&judgement).contains(&"acknowledged-survives"), "{judgement:?}");
}
