//! Records sent with acks=0 that are gone, by the reason of the loss.

use super::{broken, finish, hazards};
use crate::testing::{History, ORDERS, numbers};

/// Four records with acks=0 that 1 appends, after four that are committed.
fn acks0(history: &mut History) {
    history.send(ORDERS, &numbers(4..8), 0);
    history.confirm_over(1, None, &numbers(4..8));
    history.write(1, ORDERS, 0, &numbers(4..8));
}

#[test]
fn records_that_no_successor_had_fetched_are_unreplicated() {
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    acks0(&mut history);
    history.crash(1);
    history.elect(2, 1, &[2, 3], &[]);
    let judgement = finish(history, 2);
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    assert_eq!(hazards(&judgement), vec![("acks0-unreplicated", 4)]);
    let because = &judgement.permitted[0].because;
    let reason = "with acks=0 the producer waits for no response, only broker 1 ever had the record, and \
                  broker 2 began to lead in epoch 1 at ";
    assert!(because.starts_with(reason), "{because}");
    assert_eq!(judgement.counts.lost, 0, "nothing was acknowledged of them");
}

#[test]
fn records_that_a_lone_leader_lost_in_a_power_loss_count_once() {
    let mut history = History::new(1);
    history.produce(&numbers(0..4));
    history.change(None, &[1], &[]);
    acks0(&mut history);
    // The record is committed by an ISR of one, so that other checks find its loss too.
    history.watermark(1, &[], ORDERS, 0);
    history.lose_power(1, 4);
    history.change(Some(None), &[], &[1]);
    history.come_back(1, 50, &[]);
    history.elect(1, 2, &[1], &[]);
    let judgement = finish(history, 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new());
    assert_eq!(hazards(&judgement), vec![("acks0-power-lost", 4)]);
    let because = &judgement.permitted[0].because;
    assert!(
        because.contains("response, broker 1 lost the record with the power, and broker "),
        "{because}"
    );
    assert!(!judgement.permitted[0].events.is_empty());
}
