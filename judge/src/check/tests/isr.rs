//! Checks of the ISR: proposals of leaders, acks=all, members that join, and replicas that lag.

use super::{finish, good, names};
use crate::evidence::{Change, FaultKind};
use crate::testing::{History, ORDERS, numbers};
use engine::error::ErrorCode;
use engine::fact::Fact;
use machine::Span;

pub(super) fn proposed(history: &mut History, to: &[u16]) {
    history.fact(
        1,
        Fact::IsrProposed {
            partition: ORDERS,
            leader_epoch: 0,
            partition_epoch: 0,
            from: vec![1, 2, 3],
            to: to.to_vec(),
        },
    );
}

fn adopted(history: &mut History, isr: &[u16]) {
    history.fact(
        1,
        Fact::IsrAdopted {
            partition: ORDERS,
            leader_epoch: 0,
            partition_epoch: 1,
            isr: isr.to_vec(),
        },
    );
}

#[test]
fn a_leader_has_one_proposal_in_flight_and_forgets_none() {
    let mut history = good();
    history.node(1, Change::Started);
    proposed(&mut history, &[1, 2]);
    let mut second = history.clone();
    adopted(&mut history, &[1, 2]);
    proposed(&mut history, &[1, 2, 3]);
    adopted(&mut history, &[1, 2, 3]);
    history.wait(Span::secs(60));
    assert_eq!(names(&finish(history, 1)), Vec::<&str>::new());
    // A refusal without a change settles the proposal, a time-out does not.
    let mut refused = second.clone();
    let error = ErrorCode::IneligibleReplica;
    refused.fact(1, Fact::IsrRefused { partition: ORDERS, leader_epoch: 0, error });
    proposed(&mut refused, &[1, 3]);
    adopted(&mut refused, &[1, 3]);
    assert_eq!(names(&refused), Vec::<&str>::new());
    let error = ErrorCode::RequestTimedOut;
    second.fact(1, Fact::IsrRefused { partition: ORDERS, leader_epoch: 0, error });
    let mut forgotten = second.clone();
    proposed(&mut second, &[1, 3]);
    assert_eq!(names(&second), ["one-isr-proposal"]);
    forgotten.wait(Span::secs(60));
    assert_eq!(names(&finish(forgotten, 1)), ["one-isr-proposal"]);
}

#[test]
fn acks_all_needs_enough_replicas_in_sync() {
    let shrunk = |acks: i16, isr: &[u16]| {
        let mut history = good();
        history.change(None, isr, &[]);
        adopted(&mut history, isr);
        history.send(ORDERS, &numbers(40..42), acks);
        history.write(1, ORDERS, 0, &numbers(40..42));
        names(&history)
    };
    assert_eq!(shrunk(-1, &[1, 2]), Vec::<&str>::new());
    assert_eq!(shrunk(1, &[1]), Vec::<&str>::new(), "acks=1 asks for none");
    assert_eq!(shrunk(-1, &[1]), ["enough-in-sync"]);
    // The record was appended while the ISR was large enough, and confirmed after it had shrunk.
    let confirmed = |isr: Vec<u16>| {
        let mut history = good();
        history.fact(
            1,
            Fact::Acknowledged {
                partition: ORDERS,
                leader_epoch: 0,
                base_offset: 36,
                last_offset: 39,
                acks: -1,
                high_watermark: 40,
                isr,
            },
        );
        names(&history)
    };
    assert_eq!(confirmed(vec![1, 3]), Vec::<&str>::new());
    assert_eq!(confirmed(vec![1]), ["enough-in-sync"]);
    // A replica that is about to join counts as one that has joined.
    let mut joining = good();
    proposed(&mut joining, &[1, 2]);
    let acknowledged = Fact::Acknowledged {
        partition: ORDERS,
        leader_epoch: 0,
        base_offset: 36,
        last_offset: 39,
        acks: -1,
        high_watermark: 40,
        isr: vec![1],
    };
    joining.fact(1, acknowledged);
    assert_eq!(names(&joining), Vec::<&str>::new());
}

#[test]
fn acks_all_is_confirmed_by_the_high_watermark() {
    let confirmed = |high_watermark: i64| {
        let mut history = good();
        let acknowledged = Fact::Acknowledged {
            partition: ORDERS,
            leader_epoch: 0,
            base_offset: 36,
            last_offset: 39,
            acks: -1,
            high_watermark,
            isr: vec![1, 2, 3],
        };
        history.fact(1, acknowledged);
        names(&history)
    };
    assert_eq!(confirmed(40), Vec::<&str>::new());
    assert_eq!(confirmed(39), ["enough-in-sync"], "a duplicate waits as its batch does");
}

#[test]
fn a_replica_that_joins_an_isr_is_unfenced() {
    let joins = |fenced: bool| {
        let mut history = good();
        history.unfence(&[1, 2, 3]);
        history.change(None, &[1, 2], &[]);
        history.fence(3, fenced);
        history.change(None, &[1, 2, 3], &[]);
        names(&history)
    };
    assert_eq!(joins(false), Vec::<&str>::new());
    assert_eq!(joins(true), ["in-sync-and-alive"]);
}

#[test]
fn a_replica_that_lags_leaves_the_isr_in_time() {
    let lags_behind =
        |bad_link: Option<(u16, u16)>, fault: Option<(u16, FaultKind)>, span: Span| {
            let mut history = good();
            if let Some((a, b)) = bad_link {
                history.bad_link(a, b);
            }
            if let Some((id, kind)) = fault {
                history.fault(id, kind, true);
            }
            for of in [numbers(40..42), numbers(42..44)] {
                history.send(ORDERS, &of, 1);
                history.write(1, ORDERS, 0, &of);
                history.follow(2, 1, ORDERS);
                history.wait(span);
            }
            history.send(ORDERS, &numbers(44..46), 1);
            history.write(1, ORDERS, 0, &numbers(44..46));
            names(&history)
        };
    let lags = |fault, span| lags_behind(None, fault, span);
    assert_eq!(lags(None, Span::secs(22)), Vec::<&str>::new());
    assert_eq!(lags(None, Span::secs(23)), ["laggards-leave"]);
    // A fault of the replica itself explains its lag, but not that it stays in the ISR.
    let late = Span::secs(23);
    assert_eq!(lags(Some((3, FaultKind::Other)), late), ["laggards-leave"]);
    assert_eq!(lags(Some((1, FaultKind::Link)), late), ["laggards-leave"]);
    assert_eq!(lags(Some((1, FaultKind::Other)), late), Vec::<&str>::new());
    assert_eq!(lags(Some((101, FaultKind::Other)), late), Vec::<&str>::new());
    assert_eq!(lags_behind(Some((101, 102)), None, late), Vec::<&str>::new());
    assert_eq!(lags_behind(Some((1, 2)), None, late), ["laggards-leave"]);
}

/// The replica lacks the records only since it lost power.
#[test]
fn a_replica_that_lost_its_log_has_time_to_fetch_it_again() {
    let lost = |to_fetch: Span| {
        let mut history = good();
        for of in [numbers(40..42), numbers(42..44)] {
            history.send(ORDERS, &of, 1);
            history.write(1, ORDERS, 0, &of);
            history.follow(2, 1, ORDERS);
            history.follow(3, 1, ORDERS);
            history.wait(Span::secs(23));
        }
        history.lose_power(3, 0);
        history.wait(to_fetch);
        history.send(ORDERS, &numbers(44..46), 1);
        history.write(1, ORDERS, 0, &numbers(44..46));
        names(&history)
    };
    assert!(!lost(Span::secs(30)).contains(&"laggards-leave"));
    assert!(lost(Span::secs(46)).contains(&"laggards-leave"));
}
