//! A record that is sent to a partition after another one was acknowledged follows it there,
//! whoever sent the two. So the writes of transactions have their real-time order.

use super::{Check, Findings, Ground};
use crate::evidence::{End, Moment, Outcome, View, records};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct RealTime;

impl RealTime {
    pub(super) const NAME: &'static str = "order-in-real-time";
}

impl Check for RealTime {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (index, partition) in view.partitions.iter().enumerate() {
            if partition.topic.is_some() {
                check(view, end, index, out);
            }
        }
    }
}

/// Goes through a partition from its end, and looks for a record that was sent after one behind it
/// had been acknowledged.
fn check(view: &View, end: &End, index: usize, out: &mut Findings) {
    let held: Vec<(i64, u64)> = end.finals[index].records.iter().collect();
    let mut first: Option<(u64, u64)> = None;
    let mut wrong = None;
    for (offset, number) in held.into_iter().rev() {
        let Some(record) = view.records.get(number) else { continue };
        if let Some((settled, other)) = first.filter(|(settled, _)| record.sent > *settled) {
            wrong = Some((offset, number, settled, other));
        }
        // Of a record that is stored twice, only the acknowledged copy counts.
        if record.outcome == Outcome::Acked && record.offset == offset {
            first = first.into_iter().chain([(record.settled, number)]).min();
        }
    }
    let Some((offset, number, settled, other)) = wrong else { return };
    let node = view.node_of(&view.partitions[index]);
    let at = Moment { at: end.at, node, incarnation: 0, event: settled };
    let what = "a record precedes one that was acknowledged before it was sent";
    let (name, other) = (records::name(number), records::name(other));
    out.add(RealTime::NAME, what, &at, index, Ground::Never)
        .offset(offset)
        .record(number)
        .detail(format!("{name} precedes {other}"));
}
