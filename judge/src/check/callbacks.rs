//! Callbacks run once for each record, in the order sent within a partition
//! (`Callback` of `KafkaProducer`).
//!
//! Catches a corrupted `place_of_retry` or `mutes_partition`, and a producer that completes a batch
//! twice.

use super::{Check, Findings, Ground};
use crate::evidence::{Moment, View, records};
use engine::fact::{ClientFact, Fact};
use machine::ConnId;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Callbacks {
    /// The highest record called back, by producer and partition.
    highest: BTreeMap<(usize, usize), u64>,
    /// The highest record called back, by connection over which it was last sent and partition.
    highest_over: BTreeMap<(ConnId, usize), u64>,
    /// The records called back, by producer, a bit each.
    called: Vec<Vec<u64>>,
}

impl Callbacks {
    pub(super) const NAME: &'static str = "callbacks-in-order";
}

impl Check for Callbacks {
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        if let Fact::Client(
            ClientFact::Confirmed { records, over, .. } | ClientFact::Failed { records, over, .. },
        ) = fact
        {
            self.called_back(view, at, records, *over, out);
        }
    }
}

impl Callbacks {
    /// The callbacks of these records ran, in this order; they were last sent over `over`.
    fn called_back(
        &mut self,
        view: &View,
        at: &Moment,
        numbers: &[u64],
        over: Option<ConnId>,
        out: &mut Findings,
    ) {
        let known = numbers.iter().find_map(|number| Some((*number, view.records.get(*number)?)));
        let Some((number, first)) = known else { return };
        let index = first.partition as usize;
        let (producer, _) = records::parts(number);
        let mut highest = self.highest.get(&(producer, index)).copied();
        // If a record over the same connection came first, that is the more serious finding.
        let same = over.and_then(|over| self.highest_over.get(&(over, index)).copied());
        for number in numbers {
            if view.records.get(*number).is_none() {
                continue;
            }
            let (producer, count) = records::parts(*number);
            let overtaken = highest.filter(|highest| highest > number);
            if !self.call(producer, count) {
                out.add(Self::NAME, "a callback ran twice", at, index, Ground::Never)
                    .record(*number)
                    .detail(records::name(*number));
            } else if let Some(latest) = overtaken {
                let by = same.filter(|same| same > number).unwrap_or(latest);
                let what = "a callback ran after that of a later record";
                out.add(Self::NAME, what, at, index, Ground::Overtaken { by, latest })
                    .record(*number)
                    .detail(format!("{} after {}", records::name(*number), records::name(by)));
            }
            highest = highest.max(Some(*number));
        }
        let Some(highest) = highest else { return };
        self.highest.insert((producer, index), highest);
        if let (Some(over), Some(own)) = (over, numbers.iter().max()) {
            let known = self.highest_over.entry((over, index)).or_default();
            *known = (*known).max(*own);
        }
    }

    /// Records a callback. Returns whether it is the first one of the record.
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
