//! Each rule at the edge where an implementation was once wrong.

use super::election::{
    Election, Eligible, How, LastLife, Reason, elect, eligible_after, ended_uncleanly,
};
use super::fencing::{FetchedBatch, FetchingLife, LeaderEpochs, RequestingLife};
use super::isolation::Stable;
use super::isr::{Join, Lag, Membership, Published, Size};
use super::leadership::NewEpoch;
use super::quorum::{LogEnd, Majority};
use super::read::Latest;
use super::sequence::{ProducerEpochs, Sequence, Silence};
use super::session::Renamed;
use super::truncation::{Divergence, Fetched, Start};
use super::{
    fencing, group, high_watermark, isolation, isr, leadership, member, produce, producer, quorum,
    read, sequence, session, truncation,
};
use crate::error::ErrorCode;
use crate::protocol::EpochEndOffset;
use machine::{Mono, Span};

#[test]
fn joining_needs_the_start_of_the_epoch_and_not_just_the_high_watermark() {
    let join =
        |follower_end| isr::may_join(Join { follower_end, high_watermark: 5, epoch_start: 9 });
    assert!(!join(5), "KAFKA-7128");
    assert!(!join(8));
    assert!(join(9));
}

#[test]
fn a_leaving_replica_counts_until_the_controller_agrees() {
    let counts = |committed, proposed| isr::is_in_effective_isr(Membership { committed, proposed });
    assert!(counts(true, Some(false)), "KIP-497, shrink");
    assert!(counts(false, Some(true)), "KIP-497, expansion");
    assert!(!counts(false, None));
}

#[test]
fn a_proposal_stays_in_flight_at_metadata_that_is_known() {
    let keeps = |published, new_leader_epoch| {
        isr::keeps_pending_isr(Published { known: 4, published, new_leader_epoch })
    };
    assert!(keeps(4, false), "B13");
    assert!(!keeps(5, false) && !keeps(4, true));
}

#[test]
fn a_follower_at_the_leaders_end_never_lags() {
    let lag = |follower_end, seconds| {
        isr::is_out_of_sync(Lag {
            follower_end,
            leader_end: 10,
            last_caught_up: Mono(0),
            now: Mono(0) + Span::secs(seconds),
            max_lag: Span::secs(30),
        })
    };
    assert!(!lag(10, 100));
    assert!(!lag(9, 30), "strictly longer");
    assert!(lag(9, 31));
}

#[test]
fn high_watermark_waits_for_replicas_about_to_join_only_if_they_can() {
    let held = |in_effective_isr, eligible, caught_up| {
        high_watermark::is_held_back_by(high_watermark::Replica {
            in_effective_isr,
            eligible,
            caught_up,
        })
    };
    assert!(held(true, false, false));
    assert!(held(false, true, true));
    assert!(!held(false, false, true), "KAFKA-15021");
    assert!(!high_watermark::may_advance(Size { isr: 1, effective_min_isr: 2 }), "KAFKA-15583");
    assert_eq!(high_watermark::effective_min_isr(3, 2), 2);
}

#[test]
fn a_leader_forgets_its_followers_unless_it_led_in_the_epoch_before() {
    let keeps = |led, epoch| leadership::keeps_follower_state(NewEpoch { led, epoch });
    assert!(keeps(Some(4), 5));
    assert!(!keeps(Some(4), 6), "FL-1: who led in epoch 5 is not known");
    assert!(!keeps(None, 5));
}

#[test]
fn a_high_watermark_is_repeated_unless_its_reader_continues_in_the_same_epoch() {
    let repeats = |(fetched, fetched_epoch), (fetch, epoch)| {
        let (fetched_epoch, epoch) = (Some(fetched_epoch), Some(epoch));
        session::repeats_high_watermark(Renamed { fetched, fetched_epoch, fetch, epoch })
    };
    assert!(!repeats((5, 2), (8, 2)));
    assert!(repeats((5, 2), (5, 2)), "FL-2: only its last epoch is another, after a divergence");
    assert!(repeats((5, 2), (4, 2)), "it has truncated");
    assert!(repeats((5, 2), (8, 3)), "the response was of an earlier epoch");
}

#[test]
fn following_starts_at_the_log_end_unless_epochs_are_unknown() {
    let start = |knows_epochs| {
        truncation::start_of_following(Start { log_end: 12, high_watermark: 7, knows_epochs })
    };
    assert_eq!(start(true), 12, "KIP-101");
    assert_eq!(start(false), 7);
}

#[test]
fn truncation_goes_back_epoch_by_epoch() {
    let leader = EpochEndOffset { epoch: 3, end_offset: 20 };
    let diverges = |fetch_offset, last_fetched_epoch| {
        let (current_leader_epoch, leader_epoch) = (Some(4), 4);
        truncation::diverges(
            Fetched { fetch_offset, last_fetched_epoch, current_leader_epoch, leader_epoch },
            leader,
        )
    };
    assert!(diverges(21, 3));
    assert!(diverges(20, 4));
    assert!(!diverges(20, 3));
    let cut =
        |own| truncation::truncate_to(Divergence { leader, own, log_end: 30, high_watermark: 4 });
    assert_eq!(cut(Some(EpochEndOffset { epoch: 3, end_offset: 25 })), 20);
    assert_eq!(cut(Some(EpochEndOffset { epoch: 3, end_offset: 18 })), 18);
    assert_eq!(cut(Some(EpochEndOffset { epoch: 2, end_offset: 15 })), 15, "KIP-279");
    assert_eq!(cut(None), 20, "not the high watermark");
}

#[test]
fn epochs_fence_both_ways() {
    let check = |requested| fencing::check_leader_epoch(LeaderEpochs { requested, local: 5 });
    assert_eq!(check(Some(4)), Err(ErrorCode::FencedLeaderEpoch));
    assert_eq!(check(Some(6)), Err(ErrorCode::UnknownLeaderEpoch));
    assert_eq!(check(None), Ok(()));
    let is_present =
        |fetched| fencing::is_present_life(FetchingLife { fetched, registered: Some(4) });
    assert!(!is_present(3), "KIP-903");
    assert!(is_present(-1), "the sender has not registered yet");
    let newer = FetchedBatch { batch: 6, fetch: 5 };
    assert!(!fencing::may_append_fetched(newer), "KAFKA-18723");
}

#[test]
fn only_acks_all_checks_min_isr_before_and_after_the_append() {
    let size = Size { isr: 1, effective_min_isr: 2 };
    assert_eq!(produce::check_in_sync_replicas(1, size), Ok(()));
    assert_eq!(produce::check_in_sync_replicas(-1, size), Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(produce::outcome_when_replicated(size), ErrorCode::NotEnoughReplicasAfterAppend);
}

#[test]
fn a_reader_above_the_bound_waits() {
    let answer = |fetch_offset| {
        read::position(read::Position { fetch_offset, log_start: 2, bound: 5, log_end: 9 })
    };
    assert_eq!(answer(1), read::Answer::OutOfRange);
    assert_eq!(answer(4), read::Answer::Records);
    assert_eq!(answer(5), read::Answer::Nothing);
    assert_eq!(answer(9), read::Answer::Nothing, "KAFKA-2334");
    assert_eq!(answer(10), read::Answer::OutOfRange);
    assert_eq!(
        read::latest_offset(Latest { bound: 8, high_watermark: 8, epoch_start: 9 }),
        Err(ErrorCode::OffsetNotAvailable),
        "KIP-207"
    );
    assert_eq!(
        read::latest_offset(Latest { bound: 3, high_watermark: 9, epoch_start: 9 }),
        Ok(3),
        "an open transaction is no reason to wait"
    );
}

#[test]
fn no_record_is_stable_after_an_open_transaction_or_an_unreplicated_marker() {
    let stable = |first_open, first_unreplicated| {
        let stable = Stable { first_open, first_unreplicated, high_watermark: 9 };
        isolation::last_stable_offset(stable)
    };
    assert_eq!(stable(None, None), 9);
    assert_eq!(stable(Some(4), Some(6)), 4);
    assert_eq!(stable(Some(6), Some(4)), 4);
    assert_eq!(stable(Some(12), None), 9, "it is not to be seen anyway");
}

fn election<'a>() -> Election<'a> {
    Election {
        reason: Reason::Ordinary,
        replicas: &[1, 2, 3],
        isr: &[1, 2, 3],
        elr: &[],
        acceptable: &[1, 2, 3],
        leader: Some(2),
        last_known_leader: None,
    }
}

#[test]
fn elections_go_by_assignment_order_within_the_isr() {
    assert_eq!(elect(election()).leader, Some(2), "the present leader goes on");
    let gone = Election { leader: Some(1), acceptable: &[2, 3], isr: &[3, 2], ..election() };
    assert_eq!(elect(gone).leader, Some(2));
    assert_eq!(elect(Election { reason: Reason::Preferred, ..election() }).leader, Some(1));
    let behind = Election { reason: Reason::Preferred, isr: &[2, 3], ..election() };
    assert_eq!(elect(behind).leader, Some(2), "preferred, but not in sync");
    let neither = Election { acceptable: &[3], ..behind };
    assert_eq!(elect(neither).leader, Some(3), "neither preferred nor present: any in sync");
}

#[test]
fn without_isr_the_elr_leads_and_the_last_leader_only_without_both() {
    let empty = Election { isr: &[], leader: None, ..election() };
    assert_eq!(elect(empty).leader, None);
    let elr = elect(Election { elr: &[3], last_known_leader: Some(1), ..empty });
    assert_eq!((elr.leader, elr.how), (Some(3), How::Eligible));
    let last = elect(Election { last_known_leader: Some(1), ..empty });
    assert_eq!((last.leader, last.how), (Some(1), How::LastKnown));
    let fenced = Election { last_known_leader: Some(1), acceptable: &[2], ..empty };
    assert_eq!(elect(fenced).leader, None, "KAFKA-19522");
    let unclean = elect(Election { reason: Reason::Unclean, acceptable: &[3], ..empty });
    assert_eq!((unclean.leader, unclean.how), (Some(3), How::Unclean));
}

#[test]
fn a_replica_that_leaves_the_isr_below_min_isr_stays_eligible() {
    let after = |new_isr, ended_uncleanly| {
        eligible_after(Eligible {
            old_isr: &[1, 2],
            old_elr: &[3],
            new_isr,
            ended_uncleanly,
            effective_min_isr: 2,
        })
    };
    assert_eq!(after(&[1], &[]), [2, 3]);
    assert_eq!(after(&[1], &[2]), [3]);
    assert_eq!(after(&[], &[]), [1, 2, 3]);
    assert!(after(&[1, 2], &[]).is_empty());
    let unclean = |in_clean_shutdown_file| {
        ended_uncleanly(LastLife { in_clean_shutdown_file, registered: 7 })
    };
    assert!(unclean(None) && unclean(Some(6)) && !unclean(Some(7)));
}

#[test]
fn votes_go_to_longer_logs_and_commits_need_an_own_record() {
    let end = |last_epoch, end_offset| LogEnd { last_epoch, end_offset };
    let ballot = quorum::Ballot {
        candidate: end(2, 10),
        own: end(2, 10),
        voted_for_other: false,
        has_leader: false,
        pre_vote: false,
    };
    assert!(quorum::grants_vote(ballot));
    assert!(!quorum::grants_vote(quorum::Ballot { own: end(2, 11), ..ballot }));
    assert!(quorum::grants_vote(quorum::Ballot { own: end(1, 99), ..ballot }));
    assert!(!quorum::grants_vote(quorum::Ballot { voted_for_other: true, ..ballot }));
    let commits = |end| quorum::commits(Majority { end, epoch_start: 5 });
    assert!(!commits(5), "KAFKA-12619");
    assert!(commits(6));
}

#[test]
fn a_controller_that_is_behind_does_not_decide_about_proposals() {
    let check = |leader_epoch, partition_epoch, from_leader| {
        isr::check_proposal(isr::Proposal {
            leader_epoch,
            partition_epoch,
            from_leader,
            present_leader_epoch: 5,
            present_partition_epoch: 9,
        })
    };
    assert_eq!(check(5, 9, true), Ok(()));
    assert_eq!(check(6, 9, false), Err(ErrorCode::NotController), "KAFKA-14154");
    assert_eq!(check(4, 10, true), Err(ErrorCode::NotController), "KAFKA-14154");
    assert_eq!(check(4, 8, false), Err(ErrorCode::FencedLeaderEpoch));
    assert_eq!(check(5, 8, false), Err(ErrorCode::InvalidRequest));
    assert_eq!(check(5, 8, true), Err(ErrorCode::InvalidUpdateVersion));
}

#[test]
fn brokers_are_fenced_one_by_one_and_by_their_present_life() {
    assert_eq!(fencing::fenced_per_decision(2), 1, "KAFKA-13173");
    assert_eq!(fencing::fenced_per_decision(0), 0);
    let check =
        |requested| fencing::check_broker_epoch(RequestingLife { requested, registered: 7 });
    assert_eq!(check(7), Ok(()));
    assert_eq!(check(6), Err(ErrorCode::StaleBrokerEpoch), "KIP-380");
}

#[test]
fn a_producer_keeps_keys_in_place_and_batches_in_order() {
    let partitions = producer::Partitions { all: 6, with_leader: 5 };
    assert_eq!(producer::partitions_for_keys(partitions), 6, "a key waits for its partition");
    assert!(producer::mutes_partition(1) && !producer::mutes_partition(2));
    assert_eq!(producer::place_of_retry(3), 0);
}

#[test]
fn every_rule_has_a_summary() {
    for ((name, _), summary) in super::Rules::NAMES.iter().zip(super::Rules::SUMMARIES) {
        assert!(summary.len() > 20 && !summary.contains("::"), "{name}: {summary}");
    }
}

#[test]
fn the_next_sequence_follows_the_last_and_a_new_epoch_begins_at_zero() {
    let check = |epoch, first, known_epoch, last| {
        let transactional = false;
        let sequence = Sequence { epoch, first, known_epoch, last, transactional };
        sequence::check_sequence(sequence).is_ok()
    };
    assert!(check(3, 8, 3, 7));
    assert!(!check(3, 7, 3, 7) && !check(3, 9, 3, 7));
    assert!(check(3, 0, 3, i32::MAX), "KAFKA-7692");
    assert!(!check(3, 1, 3, i32::MAX));
    assert!(check(4, 0, 3, 7) && !check(4, 8, 3, 7), "KIP-360");
    assert!(check(3, 0, 3, -1), "after a marker of a new epoch");
    assert!(check(0, 0, -1, -1) && !check(0, 99, -1, -1), "FL-4: nothing is known of it");
    let first = Sequence { epoch: 0, first: 99, known_epoch: -1, last: -1, transactional: true };
    assert!(sequence::check_sequence(first).is_ok(), "a transaction can be aborted");
}

#[test]
fn a_batch_of_an_earlier_epoch_is_refused() {
    let check =
        |batch, known| sequence::check_producer_epoch(ProducerEpochs { batch, known }).is_ok();
    assert!(check(3, 3) && check(4, 3) && check(0, -1));
    assert!(!check(2, 3));
}

#[test]
fn a_producer_is_forgotten_exactly_at_its_expiration() {
    let forgotten = |silent_ms| sequence::is_forgotten(Silence { silent_ms, expiration_ms: 1000 });
    assert!(!forgotten(999) && forgotten(1000));
}

#[test]
fn a_failed_batch_is_queued_behind_those_with_smaller_sequences() {
    let place =
        |sequence, front: &[i32]| producer::place_in_sequence(producer::Retry { sequence, front });
    assert_eq!(place(4, &[]), 0);
    assert_eq!(place(4, &[7, 9]), 0);
    assert_eq!(place(8, &[4, 7, 9]), 2);
    assert_eq!(place(12, &[4, 7, 9]), 3);
}

#[test]
fn a_batch_that_may_be_written_leaves_no_gap_for_certain() {
    let leaves = |retries_left, maybe_written, in_front| {
        producer::leaves_gap(producer::Failure { retries_left, maybe_written, in_front })
    };
    assert!(leaves(true, false, false));
    assert!(!leaves(true, true, false) && !leaves(true, false, true), "KAFKA-14034");
    assert!(!leaves(false, false, false) && !leaves(false, true, false));
}

/// A group without members takes commits from outside of it, and none of a former member (FL-8).
#[test]
fn an_empty_group_takes_commits_that_name_no_member() {
    let stranger = group::MemberCommit {
        has_members: false,
        epoch: -1,
        present: None,
        is_classic: false,
        is_named: false,
        is_transactional: false,
        knows_epochs: true,
    };
    let former = group::MemberCommit { is_named: true, ..stranger };
    let member = group::MemberCommit { has_members: true, epoch: 3, present: Some(3), ..former };
    let late = group::MemberCommit { epoch: 2, ..member };
    assert_eq!(group::check_member_commit(stranger), Ok(()));
    assert_eq!(group::check_member_commit(former), Err(ErrorCode::UnknownMemberId));
    assert_eq!(group::check_member_commit(member), Ok(()));
    assert_eq!(group::check_member_commit(late), Err(ErrorCode::StaleMemberEpoch));
    assert!(member::names_member(member::Committer { generation: -1, has_id: true }));
    assert!(!member::names_member(member::Committer { generation: -1, has_id: false }));
}
