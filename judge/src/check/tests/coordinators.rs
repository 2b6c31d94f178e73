//! Transactions: what coordinators decide and know, and the markers that they write.

use super::transactions::{PID, finish, found, good};
use crate::evidence::{Change, State};
use crate::testing::{BOTH, History, ID, ORDERS, OTHER, STATES, state_value};
use crate::verdict::Judgement;
use engine::fact::Fact;
use machine::Span;

#[test]
fn a_marker_agrees_with_the_decision_for_its_partition() {
    let wrong = |decision: State, partitions: &[&str], epoch: i16, committed: bool| {
        let mut history = good();
        history.begin_transaction(1001, 6);
        history.state((PID, 3), State::Ongoing, BOTH);
        history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
        history.state((PID, 4), decision, partitions);
        history.marker(ORDERS, (PID, epoch), committed, 0);
        found(&history)
            .contains(&("markers-as-decided", "a marker is not the decision of its coordinator"))
    };
    assert!(!wrong(State::PrepareCommit, BOTH, 4, true));
    assert!(!wrong(State::PrepareAbort, BOTH, 4, false));
    assert!(wrong(State::PrepareCommit, BOTH, 4, false));
    assert!(wrong(State::PrepareAbort, BOTH, 4, true));
    assert!(wrong(State::PrepareCommit, BOTH, 5, true));
    assert!(wrong(State::PrepareCommit, &["orders-1"], 4, true));
    assert!(wrong(State::Ongoing, BOTH, 4, true));
}

/// KAFKA-19446: marker n carries the epoch of transaction n + 1.
#[test]
fn a_late_marker_may_end_nothing() {
    let late = |is_open: bool| {
        let mut history = good();
        if is_open {
            history.begin_transaction(1001, 6);
            history.state((PID, 3), State::Ongoing, BOTH);
            history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
        }
        history.marker(ORDERS, (PID, 3), true, 0);
        found(&history)
    };
    assert_eq!(late(false), []);
    let what = "a late marker ended a later transaction";
    assert!(late(true).contains(&("markers-as-decided", what)));
}

#[test]
fn a_coordinator_that_was_replaced_writes_no_marker_after_its_successor() {
    let mut history = good();
    history.begin_transaction(1001, 6);
    history.state((PID, 3), State::Ongoing, BOTH);
    history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
    history.ending(1001, 6, true);
    history.state((PID, 4), State::PrepareCommit, BOTH);
    history.marker(ORDERS, (PID, 4), true, 2);
    assert_eq!(found(&history), []);
    history.marker(ORDERS, (PID, 4), true, 1);
    let what = "a coordinator that had been replaced wrote a marker";
    assert_eq!(found(&history), [("markers-as-decided", what)]);
}

/// Seed 1372 of `swarm`: a leader that has been replaced coordinates as well, and writes its marker once
/// more into its own log, which lacks the marker of the next coordinator.
#[test]
fn a_leader_that_was_replaced_may_write_a_marker_of_its_own() {
    let replaced = |lacks_the_later: bool| {
        let mut history = good();
        history.begin_transaction(1001, 6);
        history.state((PID, 3), State::Ongoing, BOTH);
        history.produce_in(1001, ORDERS, (PID, 3, 0), &[6]);
        history.ending(1001, 6, true);
        history.state((PID, 4), State::PrepareCommit, BOTH);
        history.elect(2, 1, &[2, 3], &[]);
        history.marker_by((2, 1), ORDERS, (PID, 4), true, 2);
        let leader = if lacks_the_later { (1, 0) } else { (2, 1) };
        history.marker_by(leader, ORDERS, (PID, 4), true, 1);
        let found = found(&history);
        found.contains(&(
            "markers-as-decided",
            "a coordinator that had been replaced wrote a marker",
        ))
    };
    assert!(!replaced(true));
    assert!(replaced(false));
}

/// What is wrong with these states after the good history, whose last is CompleteCommit of epoch 3.
fn states(of: &[(i16, State)]) -> Vec<&'static str> {
    let mut history = good();
    for (epoch, state) in of {
        let partitions = if *state == State::Ongoing { BOTH } else { &[] };
        history.state((PID, *epoch), *state, partitions);
    }
    let found = found(&history);
    found.iter().filter(|it| it.0 == "coordinator-states").map(|it| it.1).collect()
}

#[test]
fn a_state_of_a_coordinator_follows_the_one_before() {
    use State::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
    for good in [
        &[(4, Empty), (5, Empty), (5, Ongoing), (5, Ongoing)][..],
        &[(3, Ongoing), (4, PrepareCommit), (4, PrepareCommit), (4, CompleteCommit)],
        &[(4, PrepareAbort), (4, CompleteAbort), (4, Ongoing)],
    ] {
        assert_eq!(states(good), Vec::<&str>::new(), "{good:?}");
    }
    let next = "a state of a transaction does not follow the one before";
    assert_eq!(states(&[(4, PrepareCommit)]), [next]);
    assert_eq!(states(&[(3, CompleteAbort)]), [next]);
    assert_eq!(states(&[(3, Ongoing), (4, Empty)]), [next]);
    let decided = "a decision about a transaction is not final";
    assert_eq!(states(&[(3, Ongoing), (4, PrepareCommit), (4, CompleteAbort)]), [decided]);
    assert_eq!(states(&[(3, Ongoing), (4, PrepareCommit), (4, Ongoing)]), [decided]);
    assert_eq!(states(&[(2, Empty)]), ["the producer epoch of a transactional id decreases"]);
}

/// A coordinator that cannot replicate its record acts after the time-out as if it had not written
/// it.
#[test]
fn a_coordinator_that_gave_up_a_record_may_decide_otherwise() {
    let after = |wait: Span, is_replicated_later: bool| {
        let mut history = good();
        history.state((PID, 3), State::Ongoing, BOTH);
        history.state_alone((PID, 4), State::PrepareCommit, &[]);
        history.wait(wait);
        if is_replicated_later {
            history.replicate(STATES);
            history.wait(Span::secs(20));
        }
        history.state((PID, 4), State::PrepareAbort, &[]);
        let judgement = finish(history).judge();
        let hazards: Vec<_> = judgement.permitted.into_iter().map(|it| it.hazard).collect();
        let broken: Vec<_> = judgement.violations.into_iter().map(|it| it.check).collect();
        (hazards, broken)
    };
    let gave_up = (vec!["coordinator-gave-up".to_owned()], vec![]);
    let changed_its_mind = (vec![], vec!["coordinator-states".to_owned()]);
    assert_eq!(after(Span::secs(10), false), gave_up);
    assert_eq!(after(Span::secs(5), false), changed_its_mind);
    // `cargo bench`, seed 61: the record is replicated after its coordinator gave it up, and before the
    // next decision.
    assert_eq!(after(Span::secs(10), true), gave_up);
    assert_eq!(after(Span::secs(5), true), changed_its_mind);
}

#[test]
fn a_transaction_is_complete_when_each_partition_has_its_marker() {
    let complete = |both: bool| {
        let mut history = good();
        history.begin_transaction(1001, 6);
        history.state((PID, 3), State::Ongoing, BOTH);
        history.state((PID, 4), State::PrepareCommit, BOTH);
        history.marker(ORDERS, (PID, 4), true, 0);
        if both {
            history.marker(OTHER, (PID, 4), true, 0);
        }
        history.state((PID, 4), State::CompleteCommit, &[]);
        found(&history)
    };
    assert_eq!(complete(true), []);
    let what = "a transaction is complete without a marker in a partition of it";
    assert_eq!(complete(false), [("coordinator-states", what)]);
}

#[test]
fn the_state_of_a_coordinator_agrees_with_its_log() {
    let knows = |of: (i64, i16), state: State| {
        let mut history = good();
        history.fact(
            1,
            Fact::TransactionalIdChanged {
                partition: STATES,
                coordinator_epoch: 0,
                transactional_id: ID.into(),
                value: Some(state_value(of, state, &[])),
            },
        );
        history
    };
    assert_eq!(found(&knows((PID, 3), State::CompleteCommit)), []);
    let what = "a coordinator's state differs from its log";
    let wrong = [("coordinator-knows-its-log", what)];
    assert_eq!(found(&knows((PID, 2), State::CompleteCommit)), wrong);
    assert_eq!(found(&knows((PID, 3), State::Empty)), wrong);
    // It does not know records that are not replicated yet either.
    let mut pending = good();
    pending.state_alone((PID, 4), State::Empty, &[]);
    pending.observed.extend(knows((PID, 3), State::CompleteCommit).observed.pop());
    assert_eq!(found(&pending), []);
    // State that it keeps after the loss of its disk is not reported either.
    let mut gone = good();
    let emptied = vec!["d1/__transaction_state-0".to_owned()];
    gone.node(1, Change::DiskLost { bytes: 1_000, emptied });
    gone.observed.extend(knows((PID, 3), State::CompleteCommit).observed.pop());
    assert!(!found(&gone).contains(&wrong[0]));
    let mut loaded = good();
    for (ids, expected) in [(1, &[][..]), (0, &wrong[..])] {
        let mut history = loaded.clone();
        let partition = STATES;
        history.fact(1, Fact::CoordinatorLoaded { partition, coordinator_epoch: 0, ids });
        assert_eq!(found(&history), expected);
    }
    loaded.fact(1, Fact::CoordinatorResigned { partition: STATES, coordinator_epoch: 0 });
    assert_eq!(found(&loaded), []);
}

/// A power loss of as many replicas as `min.insync.replicas` takes a marker, and the next one ends
/// two transactions in its place.
#[test]
fn consequences_of_a_marker_lost_in_a_power_loss_are_permitted() {
    let lost = |by_power: bool| {
        let mut history = History::transactional();
        history.own(1001, (PID, 0));
        history.transaction(0, (PID, 0), true);
        for id in [1, 2, 3] {
            match by_power {
                true => history.lose_power(id, 1),
                false => history.cut(id, ORDERS, 1, 2),
            }
        }
        history.change(Some(None), &[], &[1, 2, 3]);
        history.come_back(1, 50, &[2, 3]);
        history.come_back(2, 51, &[3]);
        history.come_back(3, 52, &[]);
        history.elect(1, 2, &[1], &[]);
        history.marker_alone(ORDERS, (PID, 2), false, 0);
        history.judge()
    };
    let permitted = lost(true);
    let hazards: Vec<_> = permitted.permitted.iter().map(|it| it.hazard.as_str()).collect();
    assert!(hazards.contains(&"marker-lost"), "{hazards:?} {:?}", permitted.violations);
    let broken =
        |judgement: &Judgement| judgement.violations.iter().any(|it| it.check == "all-or-nothing");
    assert!(!broken(&permitted));
    let cut = lost(false);
    assert!(broken(&cut), "{:?} {:?}", cut.permitted, cut.violations);
}
