//! The wrong rules of transactions: those of releases, and those that were fixed before a release.

use engine::error::ErrorCode;
use engine::ids::{LeaderEpoch, Offset};
use engine::protocol::TransactionState;
use engine::rules::client::FailedBatch;
use engine::rules::isolation::Stable;
use engine::rules::transaction::Unwritten;
use engine::rules::verification::{Guards, Marker, Starting, check_marker};

/// Before KIP-890: all transactions of a producer have one epoch.
pub(super) fn share_the_epoch(_: u16) -> bool {
    false
}

/// Before KIP-890: the first batch of a transaction is appended without verification.
pub(super) fn append_without_a_question(_: Starting) -> bool {
    false
}

/// Before KIP-890: a batch needs no response from the coordinator.
pub(super) fn append_without_an_answer(_: Guards) -> Result<(), ErrorCode> {
    Ok(())
}

/// Before KAFKA-14884: a verification remains valid, although the transaction has ended since.
pub(super) fn trust_an_old_answer(guards: Guards) -> Result<(), ErrorCode> {
    if guards.in_transaction || guards.presented.is_some() || !guards.verifies {
        Ok(())
    } else {
        Err(ErrorCode::InvalidTxnState)
    }
}

/// A marker ends a transaction before the marker is replicated.
pub(super) fn decided_before_it_is_replicated(stable: Stable) -> Offset {
    stable.first_open.map_or(stable.high_watermark, |first| first.min(stable.high_watermark))
}

/// Before KAFKA-5131: a new coordinator knows the decision, but does not complete it.
pub(super) fn leave_what_was_decided(_: TransactionState) -> bool {
    false
}

/// Before KAFKA-9307: a coordinator prefers its earlier state to that in the log.
pub(super) fn keep_ids(_: LeaderEpoch) -> bool {
    false
}

/// Before KAFKA-5351: a transactional id waits for a record that was not written.
pub(super) fn wait_for_what_failed(_: Unwritten) -> bool {
    true
}

/// Before KAFKA-19446, as in Kafka 4.1: a marker of the current epoch is written, whichever
/// transaction is open.
pub(super) fn accept_a_late_marker(marker: Marker) -> Result<(), ErrorCode> {
    check_marker(Marker { own_epoch: false, ..marker })
}

/// Before KAFKA-19999: a marker needs an epoch that is new to the leader.
pub(super) fn refuse_a_second_attempt(marker: Marker) -> Result<(), ErrorCode> {
    check_marker(Marker { is_open: marker.own_epoch, ..marker })
}

/// FL-5, as in Kafka 4.1: the transaction after one that is being ended has the same epoch.
pub(super) fn keep_the_epoch_while_ending(failed: FailedBatch) -> bool {
    !failed.is_completing
}

/// FL-6, as in Kafka 4.1: a coordinator reads the log of a partition as soon as metadata, be it that of
/// the broker's earlier life, has the broker as leader.
pub(super) fn load_at_once(_: bool) -> bool {
    true
}

/// KAFKA-13574: every error is treated as a refusal.
pub(super) fn take_any_error_for_a_refusal(_: ErrorCode) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::rules::{client, isolation, transaction, verification};

    #[test]
    fn each_rule_of_coordinators_differs_from_the_correct_one_in_its_case() {
        assert!(!share_the_epoch(2) && transaction::bumps_epoch_at_end(2));
        assert!(!keep_ids(3) && transaction::forgets_ids(3));
        assert!(load_at_once(false) && !transaction::may_load(false));
        let decided = TransactionState::PrepareCommit;
        assert!(!leave_what_was_decided(decided) && transaction::finishes_when_loaded(decided));
        let failed =
            Unwritten { to: TransactionState::Ongoing, error: ErrorCode::CoordinatorNotAvailable };
        assert!(wait_for_what_failed(failed) && !transaction::stays_pending(failed));
    }

    #[test]
    fn each_rule_of_leaders_differs_from_the_correct_one_in_its_case() {
        let first = Starting { in_transaction: false, adds_partition: false, verifies: true };
        assert!(!append_without_a_question(first) && verification::needs_verification(first));

        let guards =
            Guards { registered: None, presented: Some(4), in_transaction: false, verifies: true };
        assert!(append_without_an_answer(guards).is_ok());
        assert!(trust_an_old_answer(guards).is_ok() && verification::check_guard(guards).is_err());

        let stable = Stable { first_open: None, first_unreplicated: Some(3), high_watermark: 8 };
        assert_eq!(decided_before_it_is_replicated(stable), 8);
        assert_eq!(isolation::last_stable_offset(stable), 3);

        let late = Marker {
            producer_epoch: 5,
            known_producer_epoch: 5,
            own_epoch: true,
            is_open: true,
            coordinator_epoch: 1,
            known_coordinator_epoch: 1,
        };
        assert!(accept_a_late_marker(late).is_ok() && check_marker(late).is_err());
        let again = Marker { is_open: false, ..late };
        assert!(refuse_a_second_attempt(again).is_err() && check_marker(again).is_ok());
        let first = Marker { known_producer_epoch: 4, ..late };
        assert!(refuse_a_second_attempt(first).is_ok() && check_marker(first).is_ok());
        let shared = Marker { own_epoch: false, ..late };
        assert!(refuse_a_second_attempt(shared).is_ok() && check_marker(shared).is_ok());
    }

    #[test]
    fn each_rule_of_clients_differs_from_the_correct_one_in_its_case() {
        let failed = FailedBatch { is_completing: true };
        assert!(!keep_the_epoch_while_ending(failed) && client::bumps_after_failure(failed));
        let error = ErrorCode::NotLeaderOrFollower;
        assert!(!take_any_error_for_a_refusal(error) && client::leaves_produce_unknown(error));
    }
}
