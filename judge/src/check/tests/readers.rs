//! Checks of the records and offsets that readers receive.

use super::{good, names, orders};
use crate::testing::{History, ORDERS, READER, batch, numbers};
use bytes::Bytes;
use engine::fact::{ClientFact, Positioning};
use engine::record::EndTransactionMarker;

#[test]
fn a_delivered_record_needs_the_in_sync_replicas() {
    let mut history = good();
    history.send(ORDERS, &numbers(40..42), -1);
    history.write(1, ORDERS, 0, &numbers(40..42));
    history.follow(2, 1, ORDERS);
    history.deliver(1002, 1, ORDERS, 42);
    let found = history.findings();
    assert_eq!(found, vec![orders("no-uncommitted-read", 40)]);
}

#[test]
fn polls_neither_skip_nor_go_back() {
    let mut history = good();
    history.deliver_from(1002, 1, ORDERS, (36, 38));
    assert_eq!(history.findings(), vec![orders("polls-contiguous", 36)]);
    let mut history = good();
    history.deliver_from(1002, 1, ORDERS, (39, 40));
    assert_eq!(history.findings(), vec![orders("polls-contiguous", 38)]);
    // A poll that omits batches of the log.
    let mut history = good();
    let batches: Vec<Bytes> = history.disks[&(1, ORDERS)].iter().step_by(2).cloned().collect();
    let delivered = ClientFact::Delivered { partition: ORDERS, from: 0, to: 40, batches };
    history.client(1003, delivered);
    let found = history.findings();
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], orders("polls-contiguous", 4));
}

fn moved(from: i64, to: i64, why: Positioning) -> ClientFact {
    ClientFact::Positioned { partition: ORDERS, from: Some(from), to, why }
}

/// An election truncates the last four of forty records, and other records are written at their
/// offsets.
fn replaced() -> History {
    let mut history = good();
    history.deliver(1002, 1, ORDERS, 40);
    history.cut(2, ORDERS, 36, 36);
    history.elect(2, 1, &[2], &[]);
    history
}

#[test]
fn a_position_is_out_of_range_only_after_a_loss() {
    let mut history = good();
    history.client(1002, moved(38, 0, Positioning::OutOfRange));
    assert_eq!(history.findings(), vec![orders("polls-contiguous", 38)]);
    let mut history = replaced();
    let polls = |history: &History| names(history).contains(&"polls-contiguous");
    history.client(1002, moved(40, 36, Positioning::OutOfRange));
    assert!(!polls(&history));
    // Another consumer gets the same error at an offset before the loss.
    history.deliver(1003, 2, ORDERS, 20);
    history.client(1003, moved(20, 36, Positioning::OutOfRange));
    assert!(polls(&history));
}

#[test]
fn a_seek_of_an_application_may_be_out_of_range() {
    let seek = |to: i64| {
        let mut history = good();
        history.client(1002, moved(38, to, Positioning::Seek));
        history.client(1002, moved(to, 0, Positioning::OutOfRange));
        history.findings()
    };
    assert_eq!(seek(900), vec![]);
    assert_eq!(seek(20), vec![orders("polls-contiguous", 20)], "it had been shown that");
}

#[test]
fn a_consumer_goes_back_over_lost_records_and_no_further() {
    let back = |to: i64| {
        let mut history = replaced();
        history.client(1002, moved(40, to, Positioning::Truncated));
        let found = history.findings();
        found.into_iter().find(|it| it.0 == "polls-contiguous")
    };
    assert_eq!(back(36), None);
    assert_eq!(back(32), Some(orders("polls-contiguous", 32)));
    let mut history = good();
    history.client(1002, moved(38, 36, Positioning::Truncated));
    assert_eq!(history.findings(), vec![orders("polls-contiguous", 36)]);
}

#[test]
fn a_consumer_reads_on_in_the_log_that_it_has_read() {
    let read_on = |told: bool| {
        let mut history = replaced();
        history.write(2, ORDERS, 1, &numbers(40..48));
        if told {
            history.client(1002, moved(40, 36, Positioning::Truncated));
        }
        history.deliver_from(1002, 2, ORDERS, (if told { 36 } else { 40 }, 44));
        let found = history.findings();
        found.into_iter().find(|it| it.0 == "polls-contiguous")
    };
    assert_eq!(read_on(true), None);
    assert_eq!(read_on(false), Some(orders("polls-contiguous", 40)));
}

/// A consumer moves back, and then skips markers up to its former position. It does not continue
/// from the records that it had read there before.
#[test]
fn a_consumer_that_moved_back_reads_on_after_markers() {
    let mut history = replaced();
    for offset in 36..40_i64 {
        let marker = EndTransactionMarker { committed: true, coordinator_epoch: 0 };
        let mut bytes = marker.batch(5, 0, 1_000).to_vec();
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&1_i32.to_be_bytes());
        history.append(2, ORDERS, true, 1, bytes.into());
    }
    history.write(2, ORDERS, 1, &numbers(40..44));
    let batches = Vec::new();
    history.client(1002, moved(40, 36, Positioning::Truncated));
    history.client(1002, ClientFact::Delivered { partition: ORDERS, from: 36, to: 40, batches });
    history.deliver_from(1002, 2, ORDERS, (40, 44));
    let found = history.findings();
    assert!(!found.iter().any(|it| it.0 == "polls-contiguous"), "{found:?}");
}

#[test]
fn the_end_never_goes_back_for_one_client() {
    let mut history = good();
    let shown = |offset| ClientFact::EndShown { partition: ORDERS, offset, broker: 1, question: 0 };
    history.client(1003, shown(40));
    // The response to another client may have been delayed.
    history.client(1004, shown(36));
    assert_eq!(history.clone().findings(), vec![]);
    history.client(1003, shown(36));
    assert_eq!(history.findings(), vec![orders("end-never-back", 36)]);
}

#[test]
fn a_response_may_be_as_old_as_its_request() {
    let mut history = good();
    let shown =
        |offset, question| ClientFact::EndShown { partition: ORDERS, offset, broker: 1, question };
    let asked = |question| ClientFact::EndAsked { partition: ORDERS, question };
    history.client(1003, asked(1));
    history.client(1003, shown(30, 1));
    history.client(1003, asked(2));
    history.client(1003, asked(3));
    history.deliver(1003, 1, ORDERS, 40);
    history.client(1003, asked(4));
    history.client(1003, shown(36, 3));
    history.client(1003, shown(34, 2));
    assert_eq!(history.clone().findings(), vec![]);
    // The request was sent after 40 was shown.
    history.client(1003, shown(36, 4));
    assert_eq!(history.findings(), vec![orders("end-never-back", 36)]);
}

#[test]
fn a_reader_that_sees_another_batch_later_has_seen_two_values() {
    let mut history = good();
    let batches = vec![batch(36, 0, &numbers(30..34))];
    let delivered = ClientFact::Delivered { partition: ORDERS, from: 36, to: 38, batches };
    history.client(READER, delivered);
    let names = names(&history);
    assert!(names.contains(&"one-value-per-offset"), "{names:?}");
}

/// Producers may continue writing while partitions are read back.
#[test]
fn reading_back_ends_no_lower_than_ends_shown_before_its_request() {
    let ends = |late: bool| {
        let mut history = good();
        let end = history.end(1, ORDERS);
        let shown =
            |offset| ClientFact::EndShown { partition: ORDERS, offset, broker: 1, question: 7 };
        let asked = ClientFact::EndAsked { partition: ORDERS, question: 7 };
        let larger =
            ClientFact::EndShown { partition: ORDERS, offset: end + 4, broker: 1, question: 8 };
        let (first, second) = if late { (asked, larger) } else { (larger, asked) };
        let by = |fact: &ClientFact| {
            if matches!(fact, ClientFact::EndAsked { .. }) { 1003 } else { 1002 }
        };
        for fact in [first, second] {
            history.client(by(&fact), fact);
        }
        history.client(1003, shown(end));
        history.deliver(1003, 1, ORDERS, end);
        history.client(1003, ClientFact::ReadBack { partition: ORDERS, end });
        names(&history).contains(&"end-never-back")
    };
    assert!(!ends(true));
    assert!(ends(false));
}
