//! Callbacks run once for each record, in the order sent within a partition
//! (`Callback` of `KafkaProducer`).
//!
//! Catches a producer that completes batches out of order or twice.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View, records};
use engine::fact::{ClientFact, Fact};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Callbacks {
    /// The highest record called back, by producer and partition.
    highest: BTreeMap<(usize, usize), usize>,
    /// The records called back, by producer, a bit each.
    called: Vec<Vec<u64>>,
}

impl Callbacks {
    pub(super) const NAME: &'static str = "callbacks-in-order";
}

impl Check for Callbacks {
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, _: &Effect, out: &mut Findings) {
        let numbers = match fact {
            Fact::Client(ClientFact::Confirmed { records, .. })
            | Fact::Client(ClientFact::Failed { records, .. }) => records,
            _ => return,
        };
        let Some(first) = numbers.first().and_then(|first| view.records.get(*first)) else {
            return;
        };
        let index = first.partition as usize;
        let (producer, _) = records::parts(numbers[0]);
        let mut highest = self.highest.get(&(producer, index)).copied();
        for number in numbers {
            let (producer, count) = records::parts(*number);
            if !self.call(producer, count) {
                out.add(Self::NAME, "a callback ran twice", at, index, Ground::Never)
                    .record(*number)
                    .detail(records::name(*number));
            } else if highest.is_some_and(|highest| count < highest) {
                let what = "a callback ran after that of a later record";
                out.add(Self::NAME, what, at, index, Ground::Overtaken)
                    .record(*number)
                    .detail(records::name(*number));
            }
            highest = highest.max(Some(count));
        }
        if let Some(highest) = highest {
            self.highest.insert((producer, index), highest);
        }
    }
}

impl Callbacks {
    /// Notes a callback. False if it had run before.
    fn call(&mut self, producer: usize, count: usize) -> bool {
        if self.called.len() <= producer {
            self.called.resize(producer + 1, Vec::new());
        }
        let called = &mut self.called[producer];
        let (word, bit) = (count / 64, 1 << (count % 64));
        if called.len() <= word {
            called.resize(word + 1, 0);
        }
        let new = called[word] & bit == 0;
        called[word] |= bit;
        new
    }
}
