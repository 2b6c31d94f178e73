//! Applications that send messages again, each time in a new record: after their producer gave one up
//! (`resend`), and after a restart (`rewind`). Idempotence knows nothing of it.
//!
//! A record's number is unique in the world, and the numbers of a producer grow in the order sent. An
//! application that sends each message once numbers records as its schedule does. One that sends some
//! again leaves room: each of its lives begins [`LIFE`] numbers later than its place in the schedule.

use super::arrivals::{Arrival, record_number};
use engine::fact;
use machine::Span;
use std::collections::{BTreeMap, VecDeque};

/// The most records of one life that carry a message again, so that those of the next life have other
/// numbers.
const LIFE: u64 = 4_096;

/// Whether and when an application sends messages again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// It sends again what its producer gave up, unless that was refused for good.
    pub resend: bool,
    /// How far back it begins after a restart.
    pub rewind: Span,
}

impl Repeats {
    const fn is_never(self) -> bool {
        !self.resend && self.rewind.0 == 0
    }
}

/// A message that is to be sent in a record.
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
    /// How many records of this life have carried a message again.
    repeated: u64,
    /// What was due before this, after the load has begun, was due in an earlier life.
    came_back: Span,
    /// The messages of records that have no outcome, by record.
    open: BTreeMap<u64, Arrival>,
    /// Those to be sent again, in order.
    due: VecDeque<Arrival>,
}

impl Messages {
    /// Of an application whose life of this number, from 0, begins when so much of the load is over;
    /// `overdue` messages were due before. `None` if it sends every message once.
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

    /// A message of the schedule, with what is known of it.
    pub(super) fn arrived(&self, arrival: Arrival) -> Message {
        let again = (arrival.at < self.came_back).then_some(fact::Again::Restarted);
        Message { arrival, again }
    }

    /// The next message to be sent again after its record was given up.
    pub(super) fn next_due(&mut self) -> Option<Message> {
        let arrival = self.due.pop_front()?;
        Some(Message { arrival, again: Some(fact::Again::GivenUp) })
    }

    /// Whether one is to be sent again.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Gives a message a record. Returns the record's number; `None` if it is one too many.
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

    /// These records are confirmed.
    pub(super) fn confirmed(&mut self, records: &[u64]) {
        for record in records {
            self.open.remove(record);
        }
    }

    /// These records were given up. Their messages are sent again if there is a use.
    pub(super) fn given_up(&mut self, records: &[u64], for_good: bool) {
        let messages = records.iter().filter_map(|record| self.open.remove(record));
        self.due.extend(messages.filter(|_| !for_good));
    }

    /// The application stops: nothing is sent any more.
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
    fn what_is_given_up_is_sent_again_in_a_new_record() {
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
        assert!(!messages.is_due(), "what was refused for good is not sent again");
    }

    #[test]
    fn a_life_has_numbers_of_its_own() {
        let mut first = messages(0, 0);
        let mut last = 0;
        for count in 0..120 {
            last = first.record(first.arrived(arrival(count, count))).expect("there is room");
        }
        let given_up = Message { arrival: arrival(7, 7), again: Some(fact::Again::GivenUp) };
        while let Some(record) = first.record(given_up) {
            last = record;
        }
        // It comes back at 120 ms, and begins again with what was due at 70 ms.
        let mut second = messages(1, 120);
        let repeated = second.arrived(arrival(99, 99));
        assert_eq!(repeated.again, Some(fact::Again::Restarted));
        assert_eq!(second.arrived(arrival(120, 120)).again, None);
        let next = second.record(repeated).expect("there is room");
        assert_eq!(next, last + 1);
    }
}
