//! Applications that send messages again, each time in a new record: after their producer gave a
//! record up (`resend`), and after a restart (`rewind`). Idempotence does not recognize such
//! records.
//!
//! A record's number is unique in a run, and the numbers of a producer grow in the order of
//! sending. If an application sends each message once, its records have the numbers of its
//! schedule. If it repeats messages, each of its lives begins [`LIFE`] numbers after the previous
//! one.

use super::arrivals::{Arrival, record_number};
use engine::fact;
use machine::Span;
use std::collections::{BTreeMap, VecDeque};

/// The largest number of records in one life that repeat a message, so that the records of the next
/// life have other numbers.
const LIFE: u64 = 4_096;

/// Whether and when an application sends messages again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// It sends a message again if its producer gave up the record, unless the record was finally
    /// refused.
    pub resend: bool,
    /// How far back in its schedule it begins after a restart.
    pub rewind: Span,
}

impl Repeats {
    const fn is_never(self) -> bool {
        !self.resend && self.rewind.0 == 0
    }
}

/// A message to be sent in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) arrival: Arrival,
    pub(super) again: Option<fact::Again>,
}

/// The messages of an application that sends some again.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    resend: bool,
    producer: u16,
    /// The number of the next record.
    next: u64,
    /// The number of records of this life that have repeated a message.
    repeated: u64,
    /// When this life began, since the load began: messages due before it are repeated.
    came_back: Span,
    /// The messages of records that have no outcome, by record.
    open: BTreeMap<u64, Arrival>,
    /// The messages to be sent again, in order.
    due: VecDeque<Arrival>,
}

impl Messages {
    /// The messages of an application. Its life with number `life`, from 0, begins `elapsed` after
    /// the load began, when `overdue` messages have been due. `None` if the application sends every
    /// message once.
    pub(super) fn new(
        repeats: Repeats,
        producer: u16,
        life: u64,
        overdue: u64,
        elapsed: Span,
    ) -> Option<Self> {
        let came_back = if life > 0 { elapsed } else { Span::ZERO };
        (!repeats.is_never()).then(|| Self {
            resend: repeats.resend,
            producer,
            next: overdue + life * LIFE,
            repeated: 0,
            came_back,
            open: BTreeMap::new(),
            due: VecDeque::new(),
        })
    }

    /// A message of the schedule, with the reason if it may be a repetition.
    pub(super) fn arrived(&self, arrival: Arrival) -> Message {
        let again = (arrival.at < self.came_back).then_some(fact::Again::Restarted);
        Message { arrival, again }
    }

    /// The next message to be sent again after its record was given up.
    pub(super) fn next_due(&mut self) -> Option<Message> {
        let arrival = self.due.pop_front()?;
        Some(Message { arrival, again: Some(fact::Again::GivenUp) })
    }

    /// Whether a message is to be sent again.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Assigns a record to a message. Returns the record's number; `None` if this life has repeated
    /// [`LIFE`] messages.
    pub(super) fn record(&mut self, message: Message) -> Option<u64> {
        if message.again.is_some() {
            if self.repeated == LIFE {
                return None;
            }
            self.repeated += 1;
        }
        let record = record_number(self.producer, self.next);
        self.next += 1;
        if self.resend {
            self.open.insert(record, message.arrival);
        }
        Some(record)
    }

    /// Handles the confirmation of these records.
    pub(super) fn confirmed(&mut self, records: &[u64]) {
        for record in records {
            self.open.remove(record);
        }
    }

    /// Handles the failure of these records. Their messages are sent again, unless the records were
    /// finally refused.
    pub(super) fn given_up(&mut self, records: &[u64], for_good: bool) {
        let messages = records.iter().filter_map(|record| self.open.remove(record));
        self.due.extend(messages.filter(|_| !for_good));
    }

    /// Drops all messages to be sent again, since the application stops.
    pub(super) fn close(&mut self) {
        self.due.clear();
        self.resend = false;
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(count: u64, at: u64) -> Arrival {
        let record = record_number(3, count);
        Arrival { at: Span::millis(at), record, topic: 0, key: None }
    }

    /// One message is due each millisecond.
    fn messages(life: u64, elapsed: u64) -> Messages {
        let repeats = Repeats { resend: true, rewind: Span::millis(50) };
        Messages::new(repeats, 3, life, elapsed, Span::millis(elapsed)).expect("it repeats")
    }

    #[test]
    fn a_message_whose_record_was_given_up_is_sent_again_in_a_new_record() {
        let mut messages = messages(0, 0);
        let first = messages.arrived(arrival(0, 0));
        assert_eq!(first.again, None);
        let arrived = [0, 1, 2].map(|count| messages.arrived(arrival(count, count)));
        let records = arrived.map(|it| messages.record(it).expect("there is room"));
        assert_eq!(records, [0, 1, 2].map(|count| record_number(3, count)));
        messages.confirmed(&records[..1]);
        messages.given_up(&records[1..2], false);
        messages.given_up(&records[2..], true);
        let again = messages.next_due().expect("one was given up");
        assert_eq!((again.arrival, again.again), (arrival(1, 1), Some(fact::Again::GivenUp)));
        assert_eq!(messages.record(again), Some(record_number(3, 3)));
        assert!(!messages.is_due(), "a record that was refused for good is not repeated");
    }

    #[test]
    fn each_life_has_its_own_record_numbers() {
        let mut first = messages(0, 0);
        let mut last = 0;
        for count in 0..120 {
            last = first.record(first.arrived(arrival(count, count))).expect("there is room");
        }
        let given_up = Message { arrival: arrival(7, 7), again: Some(fact::Again::GivenUp) };
        while let Some(record) = first.record(given_up) {
            last = record;
        }
        // It restarts at 120 ms, and goes back to the message that was due at 70 ms.
        let mut second = messages(1, 120);
        let repeated = second.arrived(arrival(99, 99));
        assert_eq!(repeated.again, Some(fact::Again::Restarted));
        assert_eq!(second.arrived(arrival(120, 120)).again, None);
        let next = second.record(repeated).expect("there is room");
        assert_eq!(next, last + 1);
    }
}
