//! Offsets of groups in transactions.

use super::*;
use crate::client::group::GroupMetadata;
use crate::protocol::OffsetToCommit;
use TransactionCall::SendOffsets;

/// Offsets of partitions 0 and 1 of `orders`, in the name of a member.
fn offsets() -> Offsets {
    let offset = |index| OffsetToCommit {
        partition: ("orders".into(), index),
        offset: 7,
        leader_epoch: -1,
        metadata: None,
    };
    let (group, member) = ("app".into(), "me".into());
    let metadata = GroupMetadata { group, generation: 3, member, instance: None };
    Offsets { metadata, offsets: vec![offset(0), offset(1)] }
}

fn of_offsets(errors: [ErrorCode; 2]) -> Outcome {
    let partition = |index| (std::sync::Arc::from("orders"), index);
    Outcome::OffsetsCommitted((0..).map(partition).zip(errors).collect())
}

const FINE: ErrorCode = ErrorCode::None;

/// KIP-447.
#[test]
fn in_the_second_protocol_offsets_go_to_the_coordinator_of_the_group_at_once() {
    let mut stage = Stage::ready(V2);
    assert!(stage.0.send_offsets(offsets()).is_err(), "no transaction is open");
    stage.0.begin().unwrap();
    stage.0.send_offsets(offsets()).unwrap();
    assert!(stage.0.call(Commit).is_err(), "the application waits");
    let commit = stage.0.next(true).unwrap();
    assert_eq!(commit.request.target(), Target::Group);
    // There is no coordinator so far: the sender looks for it.
    stage.0.find_coordinator(commit);
    let find = stage.sends(Request::FindGroupCoordinator("app".into()));
    stage.0.on_done(find, Outcome::Found(FINE, Some(2)));
    assert_eq!(stage.0.coordinator(Target::Group), Some(2));
    let commit = stage.0.next(true).unwrap();
    stage.0.on_done(commit, of_offsets([FINE, ErrorCode::CoordinatorLoadInProgress]));
    let commit = stage.0.next(true).unwrap();
    let Request::CommitOffsets { offsets, is_v2: true, .. } = &commit.request else {
        panic!("{commit:?}");
    };
    assert_eq!(offsets.offsets.len(), 1, "what is committed is not sent again");
    assert!(commit.is_retry);
    stage.0.on_done(commit, of_offsets([FINE, FINE]));
    assert_eq!(stage.0.take_effects(), [Effect::Returned(SendOffsets)]);
    stage.0.call(Commit).unwrap();
    stage.sends(Stage::end(FIRST, true, true));
}

#[test]
fn in_the_first_protocol_the_coordinator_of_the_transaction_hears_of_the_group_first() {
    let mut stage = Stage::ready(V1);
    stage.0.begin().unwrap();
    stage.0.send_offsets(offsets()).unwrap();
    let add = stage.0.next(false).unwrap();
    assert_eq!(add.request.target(), Target::Transaction);
    stage.0.on_done(add, Outcome::OffsetsAdded(ErrorCode::ConcurrentTransactions));
    let add = stage.0.next(false).unwrap();
    stage.0.on_done(add, Outcome::OffsetsAdded(FINE));
    let commit = stage.0.next(false).unwrap();
    assert!(matches!(commit.request, Request::CommitOffsets { is_v2: false, .. }));
    stage.0.on_done(commit, of_offsets([FINE, FINE]));
    assert_eq!(stage.0.take_effects(), [Effect::Returned(SendOffsets)]);
    stage.0.call(Commit).unwrap();
    stage.sends(Stage::end(FIRST, true, false));
}

#[test]
fn a_member_of_an_old_generation_has_to_abort() {
    for error in [ErrorCode::IllegalGeneration, ErrorCode::UnknownMemberId] {
        let mut stage = Stage::ready(V2);
        stage.0.begin().unwrap();
        stage.0.send_offsets(offsets()).unwrap();
        let commit = stage.0.next(false).unwrap();
        stage.0.on_done(commit, of_offsets([error, FINE]));
        let threw = Effect::Threw(SendOffsets, abortable(error));
        assert_eq!(stage.0.take_effects(), [threw]);
        assert_eq!(stage.0.call(Commit), Err(TransactionError::Failed(abortable(error))));
        stage.0.call(Abort).unwrap();
        stage.sends(Stage::end(FIRST, false, true));
    }
}

#[test]
fn offsets_that_time_out_need_not_be_sent_again() {
    let mut stage = Stage::ready(V2);
    stage.0.begin().unwrap();
    stage.0.send_offsets(offsets()).unwrap();
    let commit = stage.0.next(false).unwrap();
    assert_eq!(stage.0.time_out_call(), Some(SendOffsets));
    stage.0.call(Abort).unwrap();
    stage.0.on_done(commit, of_offsets([FINE, FINE]));
    assert_eq!(stage.0.take_effects(), []);
    stage.sends(Stage::end(FIRST, false, true));
}
