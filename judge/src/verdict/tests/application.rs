//! A message that an application sends again is another record, with or without idempotence.

use super::{broken, finish, hazards};
use crate::testing::{History, ORDERS, numbers};
use crate::verdict::Judgement;
use engine::error::ErrorCode;
use engine::fact::{Again, ClientFact};

/// The producer's id.
const ID: i64 = 5;
/// The message in both records.
const MESSAGE: u64 = 0;

fn replicate(history: &mut History) {
    history.follow(2, 1, ORDERS);
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[2, 3], ORDERS, 0);
}

/// A message is written in a record, which is given up if `given_up`, and confirmed otherwise. Then
/// it is written again in another record, sent for this reason.
fn written_twice(given_up: bool, again: Option<Again>) -> Judgement {
    let mut history = History::new(2);
    history.setup.producers[0].idempotence = true;
    let (first, second) = (numbers(0..1), numbers(1..2));
    history.client(1001, ClientFact::Message { record: first[0], message: MESSAGE, again: None });
    history.send(ORDERS, &first, -1);
    history.write_as(1, ORDERS, 0, (ID, 0, 0), &first);
    replicate(&mut history);
    if given_up {
        let failed = ClientFact::Failed {
            partition: Some(ORDERS),
            error: ErrorCode::RequestTimedOut,
            maybe_written: true,
            records: first,
            over: None,
        };
        history.client(1001, failed);
    } else {
        history.confirm(1, ORDERS, 0, &first, -1);
    }
    history.client(1001, ClientFact::Message { record: second[0], message: MESSAGE, again });
    history.send(ORDERS, &second, -1);
    history.write_as(1, ORDERS, 0, (ID, 0, 1), &second);
    replicate(&mut history);
    history.confirm(1, ORDERS, 1, &second, -1);
    finish(history, 1)
}

#[test]
fn a_message_that_is_sent_again_may_be_stored_twice() {
    for (given_up, again) in
        [(true, Again::GivenUp), (true, Again::Restarted), (false, Again::Restarted)]
    {
        let judgement = written_twice(given_up, Some(again));
        let permitted = hazards(&judgement);
        assert!(permitted.contains(&("sent-again-by-application", 1)), "{again:?}: {permitted:?}");
        assert!(broken(&judgement).is_empty(), "{again:?}");
        assert_eq!(judgement.counts.duplicated, 1, "{again:?}");
        assert_eq!(judgement.counts.lost, 0, "{again:?}");
    }
}

/// The record was not given up, and the application was not restarted.
#[test]
fn a_message_that_its_application_did_not_send_again_is_stored_once() {
    for (given_up, again) in [(true, None), (false, Some(Again::GivenUp))] {
        let judgement = written_twice(given_up, again);
        assert_eq!(broken(&judgement), ["stored-once"], "{again:?}");
    }
}
