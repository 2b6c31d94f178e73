//! Fetch sessions: the partitions that responses omit, refusals, and evictions from the cache.

use super::*;
use crate::ids::TopicId;
use crate::protocol::{Isolation, Records, ReplicaState};

const NOW: Mono = Mono(0);

fn id(index: i32) -> TopicPartition {
    TopicPartition::new(TopicId(7), index)
}

fn read(index: i32, fetch_offset: Offset) -> FetchPartition {
    FetchPartition {
        partition: id(index),
        current_leader_epoch: Some(0),
        fetch_offset,
        last_fetched_epoch: None,
        log_start_offset: 0,
        partition_max_bytes: 1,
        high_watermark: None,
    }
}

fn answer(index: i32, high_watermark: Offset, records: usize) -> FetchedPartition {
    FetchedPartition {
        partition: id(index),
        error: ErrorCode::None,
        high_watermark,
        last_stable_offset: high_watermark,
        log_start_offset: 0,
        diverging_epoch: None,
        current_leader: None,
        aborted_transactions: None,
        preferred_read_replica: None,
        records: Records(vec![bytes::Bytes::from_static(b"batch"); records]),
    }
}

fn fetch(follower: Option<BrokerId>, session: FetchMetadata, reads: &[i32]) -> FetchRequest {
    FetchRequest {
        replica: follower.map(|id| ReplicaState { id, epoch: 1 }),
        max_wait: Span::millis(500),
        min_bytes: 1,
        max_bytes: 1000,
        isolation: Isolation::ReadUncommitted,
        session,
        partitions: reads.iter().map(|index| read(*index, 0)).collect(),
        forgotten: Vec::new(),
    }
}

/// A session of a reader with these partitions.
fn begin(
    sessions: &mut FetchSessions,
    follower: Option<BrokerId>,
    reads: &[i32],
    now: Mono,
) -> i32 {
    let request = fetch(follower, FetchMetadata::INITIAL, reads);
    assert_eq!(context(sessions, &request, now), FetchContext::Full);
    let answers: Vec<_> = reads.iter().map(|index| answer(*index, 5, 0)).collect();
    let id = sessions.create(&request, &answers, now);
    sessions.invariants();
    id
}

fn context(sessions: &mut FetchSessions, request: &FetchRequest, now: Mono) -> FetchContext {
    let mut out = Outbox::new(machine::NodeId::new(0, 1), 0);
    sessions.context(request, now, &Rulebook::kafka(), &mut out)
}

#[test]
fn responses_omit_partitions_without_news() {
    let mut sessions = FetchSessions::new(10, 1);
    let session = begin(&mut sessions, None, &[0, 1, 2], NOW);
    let asked = FetchMetadata::first_of(session);
    let context = context(&mut sessions, &fetch(None, asked, &[]), NOW);
    assert_eq!(context, FetchContext::Incremental(asked));
    let mut answers = vec![answer(0, 5, 0), answer(1, 6, 0), answer(2, 5, 1)];
    assert_eq!(sessions.retain_news(asked, &mut answers), Ok(()));
    let names: Vec<_> = answers.iter().map(|answer| answer.partition).collect();
    assert_eq!(names, [id(1), id(2)], "another high watermark, and records");
}

#[test]
fn a_high_watermark_is_sent_again_after_a_response_that_the_follower_ignored() {
    let sent_again = |next: FetchPartition| {
        let mut sessions = FetchSessions::new(10, 1);
        let session = begin(&mut sessions, Some(2), &[0], NOW);
        let asked = FetchMetadata::first_of(session);
        let request = FetchRequest { partitions: vec![next], ..fetch(Some(2), asked, &[]) };
        context(&mut sessions, &request, NOW);
        let mut answers = vec![answer(0, 5, 0)];
        assert_eq!(sessions.retain_news(asked, &mut answers), Ok(()));
        !answers.is_empty()
    };
    let same_position = FetchPartition { last_fetched_epoch: Some(1), ..read(0, 0) };
    assert!(sent_again(same_position), "same position: the last response was ignored (FL-2)");
    let other_epoch = FetchPartition { current_leader_epoch: Some(7), ..read(0, 3) };
    assert!(sent_again(other_epoch), "another leader epoch (FL-2)");
    assert!(!sent_again(read(0, 3)), "the previous response has been used");
}

#[test]
fn a_partition_with_records_goes_to_the_end() {
    let mut sessions = FetchSessions::new(10, 1);
    let session = begin(&mut sessions, None, &[0, 1, 2], NOW);
    let asked = FetchMetadata::first_of(session);
    context(&mut sessions, &fetch(None, asked, &[]), NOW);
    sessions.retain_news(asked, &mut vec![answer(0, 5, 1)]).unwrap();
    let order: Vec<_> = sessions.due(session).map(|read| read.partition).collect();
    assert_eq!(order, [id(1), id(2), id(0)]);
}

#[test]
fn an_unknown_id_or_a_wrong_epoch_is_refused() {
    let mut sessions = FetchSessions::new(10, 1);
    let session = begin(&mut sessions, None, &[0], NOW);
    let unknown = fetch(None, FetchMetadata::first_of(session ^ 1), &[]);
    let refused = FetchContext::Refused(ErrorCode::FetchSessionIdNotFound);
    assert_eq!(context(&mut sessions, &unknown, NOW), refused);
    let later = fetch(None, FetchMetadata { session_id: session, epoch: 2 }, &[]);
    let refused = FetchContext::Refused(ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!(context(&mut sessions, &later, NOW), refused);
    // A later fetch arrives before the first is answered: the first response is outdated.
    let asked = FetchMetadata::first_of(session);
    context(&mut sessions, &fetch(None, asked, &[]), NOW);
    context(&mut sessions, &fetch(None, asked.next(), &[]), NOW);
    let outdated = sessions.retain_news(asked, &mut Vec::new());
    assert_eq!(outdated, Err(ErrorCode::InvalidFetchSessionEpoch));
}

#[test]
fn a_session_ends_with_its_last_partition_or_with_a_full_fetch() {
    let mut sessions = FetchSessions::new(10, 1);
    let session = begin(&mut sessions, None, &[0], NOW);
    let asked = FetchMetadata::first_of(session);
    let forgets = FetchRequest { forgotten: vec![id(0)], ..fetch(None, asked, &[]) };
    assert_eq!(context(&mut sessions, &forgets, NOW), FetchContext::Sessionless);
    assert!(sessions.sessions.is_empty() && sessions.of_partition.is_empty());

    let session = begin(&mut sessions, None, &[0], NOW);
    let anew = fetch(None, FetchMetadata { session_id: session, epoch: 0 }, &[0]);
    assert_eq!(context(&mut sessions, &anew, NOW), FetchContext::Full);
    assert!(sessions.sessions.is_empty());
}

#[test]
fn followers_take_slots_from_consumers_and_unused_sessions_make_room() {
    let mut sessions = FetchSessions::new(1, 1);
    let consumer = begin(&mut sessions, None, &[0, 1], NOW);
    let second = begin(&mut sessions, None, &[0, 1, 2], NOW + Span::secs(1));
    assert_eq!(second, FetchMetadata::NO_SESSION, "the first is too young");
    let follower = begin(&mut sessions, Some(2), &[0], NOW + Span::secs(2));
    assert_ne!(follower, FetchMetadata::NO_SESSION);
    assert!(!sessions.sessions.contains_key(&consumer));
    let third = begin(&mut sessions, None, &[0, 1], NOW + Span::secs(30));
    assert_eq!(third, FetchMetadata::NO_SESSION, "followers stay");
    let late = begin(&mut sessions, None, &[0], NOW + Span::secs(123));
    assert_ne!(late, FetchMetadata::NO_SESSION, "unused for more than two minutes");
}

/// A session that was at most two minutes old when it was last used keeps its slot against a larger
/// one, as long as it has been used within two minutes.
#[test]
fn a_larger_session_takes_a_slot_from_one_that_was_old_when_it_was_last_used() {
    let at = |seconds| NOW + Span::secs(seconds);
    let mut sessions = FetchSessions::new(1, 1);
    let first = begin(&mut sessions, None, &[0], NOW);
    let asked = FetchMetadata::first_of(first);
    context(&mut sessions, &fetch(None, asked, &[]), at(60));
    let second = begin(&mut sessions, None, &[0, 1], at(125));
    assert_eq!(second, FetchMetadata::NO_SESSION, "60 s old at its last use");
    context(&mut sessions, &fetch(None, asked.next(), &[]), at(126));
    let second = begin(&mut sessions, None, &[0, 1], at(127));
    assert_ne!(second, FetchMetadata::NO_SESSION, "126 s old at its last use");
    assert!(!sessions.sessions.contains_key(&first));
}

#[test]
fn news_of_a_partition_makes_it_due_and_wakes_its_reader() {
    let mut sessions = FetchSessions::new(10, 1);
    let follower = begin(&mut sessions, Some(2), &[0, 1], NOW);
    let seen = |index, high_watermark| Seen { partition: id(index), high_watermark, log_start: 0 };
    sessions.rest(follower, &seen(0, 6), |_| true);
    assert_eq!(
        sessions.due(follower).count(),
        2,
        "the follower does not know the high watermark 6 yet"
    );
    sessions.rest(follower, &seen(0, 5), |_| true);
    sessions.rest(follower, &seen(1, 5), |_| true);
    let later = NOW + Span::secs(1);
    context(&mut sessions, &fetch(Some(2), FetchMetadata::first_of(follower), &[]), later);
    assert_eq!(sessions.due(follower).next(), None);
    let conn = ConnId::new(machine::NodeId::new(0, 2), 1, 1);
    sessions.park(follower, conn);
    let mut woken = Vec::new();
    let resting = sessions.on_news(id(1), true, false, &mut woken);
    assert_eq!(resting, [Resting { follower: 2, fetched: later }]);
    assert_eq!((woken, sessions.due(follower).collect()), (vec![conn], vec![read(1, 0)]));
    assert!(sessions.on_news(id(1), true, false, &mut Vec::new()).is_empty(), "due already");
}
