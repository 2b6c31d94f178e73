//! Two batches at the same offset, of which the promise covers the committed one.

use super::{broken, finish, hazards};
use crate::testing::{History, ORDERS, numbers};
use engine::fact::ClientFact;

/// Four committed records that 1 and 2 have are lost by the election of 3, which was either
/// admitted to the ISR without them or is elected uncleanly. They are sent again, and 3 alone has
/// them when it crashes, which alone would be permitted with acks=1.
fn committed_then_not(by_bug: bool) -> History {
    let mut history = History::new(2);
    history.setup.topics[0].unclean_leader_election = !by_bug;
    history.produce(&numbers(0..4));
    history.change(None, &[1, 2], &[]);
    history.send(ORDERS, &numbers(4..8), 1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.follow(2, 1, ORDERS);
    history.watermark(1, &[2], ORDERS, 0);
    if by_bug {
        history.change(None, &[1, 2, 3], &[]);
    }
    history.elect(3, 1, &[3], &[]);
    history.retry(ORDERS, &numbers(4..8));
    history.write(3, ORDERS, 1, &numbers(4..8));
    history.confirm(3, ORDERS, 4, &numbers(4..8), 1);
    history.cut(2, ORDERS, 4, 4);
    history.change(None, &[2, 3], &[]);
    history.elect(2, 2, &[2], &[]);
    history
}

#[test]
fn the_committed_copy_of_an_acknowledged_record_is_judged() {
    let judgement = finish(committed_then_not(true), 2);
    assert!(broken(&judgement).contains(&"acknowledged-survives"));
    assert_eq!(judgement.counts.lost, 4);
    let judgement = finish(committed_then_not(false), 2);
    assert!(!broken(&judgement).contains(&"acknowledged-survives"));
    assert_eq!(hazards(&judgement)[0], ("unclean-election", 4));
}

#[test]
fn of_copies_that_were_never_committed_the_last_is_judged() {
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    history.send(ORDERS, &numbers(4..8), 1);
    // 2 had the first copy and cut it without reason; only 2 had the second.
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.follow(2, 1, ORDERS);
    history.follow(3, 1, ORDERS);
    history.cut(2, ORDERS, 4, 4);
    history.cut(3, ORDERS, 4, 4);
    history.elect(2, 1, &[2, 3], &[]);
    history.retry(ORDERS, &numbers(4..8));
    history.write(2, ORDERS, 1, &numbers(4..8));
    history.confirm(2, ORDERS, 4, &numbers(4..8), 1);
    history.elect(3, 2, &[3], &[]);
    let judgement = finish(history, 3);
    assert_eq!(hazards(&judgement), vec![("acks1-unreplicated", 4)]);
    assert!(!broken(&judgement).contains(&"acknowledged-survives"));
}

#[test]
fn a_record_that_is_again_at_its_offset_is_not_missing() {
    let mut history = History::new(2);
    history.produce(&numbers(0..4));
    history.send(ORDERS, &numbers(4..8), 1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.elect(2, 1, &[2, 3], &[]);
    history.retry(ORDERS, &numbers(4..8));
    history.write(2, ORDERS, 1, &numbers(4..8));
    history.follow(3, 2, ORDERS);
    history.watermark(2, &[3], ORDERS, 1);
    history.confirm(2, ORDERS, 4, &numbers(4..8), 1);
    let judgement = finish(history, 2);
    assert_eq!((hazards(&judgement), broken(&judgement)), (vec![], vec![]));
}

/// Records that only 1 has at the end of the log are lost in an unclean election. The records that
/// 3 then writes there are committed and shown, and are lost by the election of 1.
fn shown_then_gone(by_bug: bool) -> History {
    let mut history = History::new(2);
    history.setup.topics[0].unclean_leader_election = true;
    history.produce(&numbers(0..4));
    history.change(None, &[1, 2], &[]);
    history.send(ORDERS, &numbers(4..12), 1);
    history.write(1, ORDERS, 0, &numbers(4..8));
    history.elect(3, 1, &[3], &[]);
    history.change(None, &[2, 3], &[]);
    history.write(3, ORDERS, 1, &numbers(8..12));
    history.follow(2, 3, ORDERS);
    history.watermark(3, &[2], ORDERS, 1);
    history.client(
        1003,
        ClientFact::EndShown { partition: ORDERS, offset: 8, broker: 3, question: 0 },
    );
    history.cut(1, ORDERS, 4, 4);
    if by_bug {
        history.change(None, &[1, 2, 3], &[]);
    }
    history.elect(1, 2, &[1], &[]);
    history.client(
        1003,
        ClientFact::EndShown { partition: ORDERS, offset: 4, broker: 1, question: 0 },
    );
    history
}

#[test]
fn an_end_goes_back_with_the_committed_batch() {
    let judgement = finish(shown_then_gone(true), 1);
    assert!(broken(&judgement).contains(&"end-never-back"), "{:#?}", judgement.permitted);
    let judgement = finish(shown_then_gone(false), 1);
    assert_eq!(broken(&judgement), Vec::<&str>::new(), "{:#?}", judgement.violations);
    assert!(hazards(&judgement).iter().all(|(hazard, _)| *hazard == "unclean-election"));
}
