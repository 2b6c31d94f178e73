//! The wrong rules that Kafka released. The rulebook compares each of their decisions with the
//! correct rule's and reports where they differ.

use engine::error::ErrorCode;
use engine::ids::Offset;
use engine::log::BatchMeta;
use engine::protocol::EpochEndOffset;
use engine::record::NO_PRODUCER_EPOCH;
use engine::rules::election::NamedDirectory;
use engine::rules::fencing::{FetchedBatch, LeaderEpochs};
use engine::rules::isr::{Join, Membership};
use engine::rules::leadership::NewEpoch;
use engine::rules::producer::Failure;
use engine::rules::sequence::{Sent, Sequence, check_sequence};
use engine::rules::session::Renamed;
use engine::rules::truncation::{Fetched, Start, diverges};

/// The ids in a block that the controller hands out (`ProducerIdsBlock`).
const PRODUCER_IDS: i64 = 1_000;

/// Before KAFKA-7128: a follower joins the ISR at the high watermark, even below the start offset
/// of the leader epoch.
pub(super) fn join_by_high_watermark_only(join: Join) -> bool {
    join.follower_end >= join.high_watermark
}

/// Before KIP-101: a new follower truncates to its own high watermark.
pub(super) fn follow_from_high_watermark(start: Start) -> Offset {
    start.high_watermark.min(start.log_end)
}

/// Before KIP-320: requests carry no leader epoch.
pub(super) fn no_epoch_fencing(_: LeaderEpochs) -> Result<(), ErrorCode> {
    Ok(())
}

/// Between KIP-101 and KIP-595: logs are compared when a follower begins to follow a leadership,
/// not when a fetch of an earlier leadership comes in late.
pub(super) fn divergence_under_the_same_leadership_only(
    fetched: Fetched,
    end: EpochEndOffset,
) -> bool {
    let late = fetched.current_leader_epoch.is_some_and(|epoch| epoch < fetched.leader_epoch);
    !late && diverges(fetched, end)
}

/// Before KAFKA-18723: a follower appends every fetched batch, whatever its epoch.
pub(super) fn append_whatever_was_fetched(_: FetchedBatch) -> bool {
    true
}

/// FL-1, as in Kafka 4.0 to 4.4: a leader keeps the state of its followers in any new leader epoch,
/// even if another replica led in between.
pub(super) fn keep_followers_of_any_leader(new: NewEpoch) -> bool {
    new.led.is_some()
}

/// FL-2, as in Kafka 4.1 to 4.4: a session assumes that the fetcher knows everything it has sent.
pub(super) fn send_high_watermark_once(_: Renamed) -> bool {
    false
}

/// FL-3, as in Kafka 4.1: the election after a broker has named its directory still uses the
/// previous directory.
pub(super) fn lead_from_the_directory_before(directory: NamedDirectory) -> bool {
    directory.was_online
}

/// FL-4, as in Kafka 2.5 to 4.4: a producer that a leader does not know may begin with any
/// sequence.
pub(super) fn begin_anywhere_if_unknown(sequence: Sequence) -> Result<(), ErrorCode> {
    let is_unknown = sequence.known_epoch == NO_PRODUCER_EPOCH;
    if is_unknown { Ok(()) } else { check_sequence(sequence) }
}

/// Before KIP-497: a leader acts on its own ISR change at once, before the controller has committed
/// it.
pub(super) fn shrink_at_once(membership: Membership) -> bool {
    membership.proposed.unwrap_or(membership.committed)
}

/// Before KAFKA-5494: the leader compares a batch with the last one of its producer.
pub(super) fn remember_the_last_batch_only(sent: Sent<'_>) -> Option<BatchMeta> {
    let last = sent.known.batches().last()?;
    let is_copy = sent.known.epoch == sent.epoch
        && (last.first_sequence(), last.last_sequence) == (sent.first, sent.last);
    is_copy.then_some(*last)
}

/// KAFKA-14034, as in Kafka 4.1: a batch that is given up while it could have been retried is
/// treated as missing.
pub(super) fn gap_while_retries_are_left(failure: Failure) -> bool {
    failure.retries_left
}

/// Before KAFKA-15552: the durable record has the block in use, which is handed out again.
pub(super) fn hand_out_the_block_in_use(next_producer_id: i64) -> i64 {
    (next_producer_id - PRODUCER_IDS).max(0)
}

/// Before librdkafka 1.9.0: a producer drops a partition, and its sequences, for which the metadata
/// names no leader.
pub(super) fn forget_sequences_without_a_leader(has_leader: bool) -> bool {
    has_leader
}

/// Followers do not build the state of producers as they replicate.
pub(super) fn begin_without_producers(_: bool) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::rules::{fencing, isr, leadership, producer, sequence, truncation};

    #[test]
    fn each_rule_differs_from_the_correct_one_in_the_case_that_went_wrong() {
        let stale = LeaderEpochs { requested: Some(1), local: 3 };
        assert!(no_epoch_fencing(stale).is_ok() && fencing::check_leader_epoch(stale).is_err());

        let newer = FetchedBatch { batch: 3, fetch: 1 };
        assert!(append_whatever_was_fetched(newer) && !fencing::may_append_fetched(newer));

        let join = Join { follower_end: 5, high_watermark: 5, epoch_start: 8 };
        assert!(join_by_high_watermark_only(join) && !isr::may_join(join));

        let start = Start { log_end: 9, high_watermark: 7, knows_epochs: true };
        assert_eq!(
            (follow_from_high_watermark(start), truncation::start_of_following(start)),
            (7, 9)
        );

        let unclear = Failure { retries_left: true, maybe_written: true, in_front: false };
        assert!(gap_while_retries_are_left(unclear) && !producer::leaves_gap(unclear));

        assert_eq!(
            (hand_out_the_block_in_use(5_000), sequence::first_of_block(5_000)),
            (4_000, 5_000)
        );
        assert!(!forget_sequences_without_a_leader(false) && producer::keeps_sequences(false));
        assert!(!begin_without_producers(true) && sequence::keeps_producers(true));

        let skipped = NewEpoch { led: Some(1), epoch: 3 };
        assert!(keep_followers_of_any_leader(skipped));
        assert!(!leadership::keeps_follower_state(skipped));

        let unknown = NO_PRODUCER_EPOCH;
        let second =
            Sequence { epoch: 0, first: 1, known_epoch: unknown, last: -1, transactional: false };
        assert!(begin_anywhere_if_unknown(second).is_ok() && check_sequence(second).is_err());

        let leaver = Membership { committed: true, proposed: Some(false) };
        assert!(!shrink_at_once(leaver) && isr::is_in_effective_isr(leaver));

        let tail = |current_leader_epoch| Fetched {
            fetch_offset: 12,
            last_fetched_epoch: 1,
            current_leader_epoch,
            leader_epoch: 3,
        };
        let end = EpochEndOffset { epoch: 1, end_offset: 10 };
        assert!(!divergence_under_the_same_leadership_only(tail(Some(1)), end));
        assert!(divergence_under_the_same_leadership_only(tail(Some(3)), end));
        assert!(diverges(tail(Some(1)), end));
    }
}
