//! Idempotent producers under rules that differ from the default ones.

use super::*;
use crate::rules::Rules;
use crate::rules::producer::Failure;

/// A wrong rule restarts the sequences at 0 after the partition was without a leader.
#[test]
fn sequences_continue_after_a_time_without_a_leader() {
    for (keeps, expected) in [(true, 1), (false, 0)] {
        let keeps_sequences = if keeps { |_| true } else { |has_leader: bool| has_leader };
        let rules = Rulebook::compared(Rules { keeps_sequences, ..Rules::kafka() });
        let (mut stage, mut producer) = scene_with(&[1], rules, |_| {});
        send(&mut stage, &mut producer, 0, 0);
        give_id(&mut stage, &mut producer, 9000);
        let first = stage.next();
        answer(&mut stage, &mut producer, &first, ErrorCode::None);
        stage.leaders = vec![(None, 2)];
        stage.cut(&mut producer, &first);
        stage.pass(&mut producer, Span::secs(2));
        stage.leaders = vec![(Some(2), 3)];
        send(&mut stage, &mut producer, 0, 1);
        stage.pass(&mut producer, Span::secs(2));
        assert_eq!(batches(&stage.next()), [(0, 9000, 0, expected, 1)]);
        assert_eq!(stage.differed.contains(&"keeps_sequences"), !keeps);
    }
}

/// KAFKA-14034: the requests of two batches time out together, and the first batch expires. Both
/// may be written, so the second one is not renumbered. Kafka 4.1 renumbers it, and it is stored
/// again.
#[test]
fn a_batch_that_may_be_written_keeps_its_sequence_if_an_earlier_one_expires() {
    let shipped: fn(Failure) -> bool = |failure| failure.retries_left;
    let meant = Rules::kafka().leaves_gap;
    for (leaves_gap, expected) in [(meant, (0, 1)), (shipped, (1, 0))] {
        let rules = Rulebook::compared(Rules { leaves_gap, ..Rules::kafka() });
        let (mut stage, mut producer) = scene_with(&[1], rules, |config| {
            config.request_timeout = Span::secs(1);
            config.delivery_timeout = Span::secs(1);
        });
        send(&mut stage, &mut producer, 0, 0);
        give_id(&mut stage, &mut producer, 9000);
        let first = stage.next();
        send(&mut stage, &mut producer, 0, 1);
        let second = stage.next();
        assert_eq!(batches(&second), [(0, 9000, 0, 1, 1)]);
        stage.pass(&mut producer, Span::millis(900));
        // One record is younger, and its request is lost with the connection.
        send(&mut stage, &mut producer, 0, 2);
        stage.next();
        stage.now.mono += Span::millis(100);
        stage.cut(&mut producer, &first);
        stage.pass(&mut producer, Span::millis(300));
        let again = stage.next();
        let (epoch, sequence) = expected;
        let own = if epoch == 0 { sequence + 1 } else { sequence };
        assert_eq!(batches(&again), [(0, 9000, epoch, own, 1)]);
        assert_eq!(stage.differed.contains(&"leaves_gap"), epoch == 1);
    }
}

/// KAFKA-14034: a batch finally fails while an earlier one is in flight, which may be written and
/// keeps its sequence. The batches after the gap begin a new epoch once the earlier one is
/// confirmed. Kafka 4.1 renumbers all of them at once.
#[test]
fn a_batch_before_a_failed_one_keeps_its_sequence() {
    let shipped: fn(Failure) -> bool = |failure| failure.retries_left;
    let meant = Rules::kafka().leaves_gap;
    for (leaves_gap, epoch) in [(meant, 0), (shipped, 1)] {
        let rules = Rulebook::compared(Rules { leaves_gap, ..Rules::kafka() });
        let (mut stage, mut producer) = scene_with(&[1], rules, |_| {});
        send(&mut stage, &mut producer, 0, 0);
        give_id(&mut stage, &mut producer, 9000);
        let first = stage.next();
        send(&mut stage, &mut producer, 0, 1);
        let second = stage.next();
        send(&mut stage, &mut producer, 0, 2);
        let third = stage.next();
        assert_eq!(batches(&third), [(0, 9000, 0, 2, 1)]);
        answer(&mut stage, &mut producer, &second, ErrorCode::RecordListTooLarge);
        // The batch after the gap is refused before the first one has an outcome.
        if epoch == 0 {
            answer(&mut stage, &mut producer, &third, ErrorCode::OutOfOrderSequenceNumber);
        }
        answer(&mut stage, &mut producer, &first, ErrorCode::RequestTimedOut);
        stage.pass(&mut producer, Span::millis(300));
        let again = stage.next();
        assert_eq!(batches(&again), [(0, 9000, epoch, 0, 1)]);
        assert_eq!(stage.differed.contains(&"leaves_gap"), epoch == 1);
        if epoch == 0 {
            answer(&mut stage, &mut producer, &again, ErrorCode::None);
            stage.pass(&mut producer, Span::millis(300));
            let third = stage.next();
            assert_eq!(batches(&third), [(0, 9000, 0, 2, 1)]);
            answer(&mut stage, &mut producer, &third, ErrorCode::OutOfOrderSequenceNumber);
            stage.pass(&mut producer, Span::millis(300));
            assert_eq!(batches(&stage.next()), [(0, 9000, 1, 0, 1)]);
        }
    }
}
