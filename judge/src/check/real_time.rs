//! What is sent to a partition after another record was acknowledged stands behind that record, whoever
//! sent the two: of transactions this is the order in real time of their writes (no G0 in real time).

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

/// From the end of a partition: the record behind that was acknowledged first must have been
/// acknowledged after each record before it was sent.
fn check(view: &View, end: &End, index: usize, out: &mut Findings) {
    let held: Vec<(i64, u64)> = end.finals[index].records.iter().collect();
    let mut first: Option<(u64, u64)> = None;
    let mut wrong = None;
    for (offset, number) in held.into_iter().rev() {
        let Some(record) = view.records.get(number) else { continue };
        if let Some((told, other)) = first.filter(|(told, _)| record.sent > *told) {
            wrong = Some((offset, number, told, other));
        }
        // Of a record that was stored twice only the copy that was acknowledged counts.
        if record.outcome == Outcome::Acked && record.offset == offset {
            first = first.into_iter().chain([(record.told, number)]).min();
        }
    }
    let Some((offset, number, told, other)) = wrong else { return };
    let node = view.node_of(&view.partitions[index]);
    let at = Moment { at: end.at, node, incarnation: 0, event: told };
    let what = "a record stands before one that was acknowledged before it was sent";
    let (name, other) = (records::name(number), records::name(other));
    out.add(RealTime::NAME, what, &at, index, Ground::Never)
        .offset(offset)
        .record(number)
        .detail(format!("{name} stands before {other}"));
}
