//! No record appears that was not sent, or that was refused for certain.
//!
//! Catches a corrupted `leaves_produce_unknown` (KAFKA-13574) or `check_in_sync_replicas` (a
//! refused append that happens all the same), and any log that shows bytes that no client wrote.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, End, Fate, HOLE, Moment, NO_RECORD, Outcome, Source, View, records};
use engine::fact::Fact;
use engine::ids::Offset;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsent;

impl Unsent {
    pub(super) const NAME: &'static str = "nothing-unsent";
}

impl Check for Unsent {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Append(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Append(index, append) = effect else { return };
        if !append.fresh || !view.is_of_workload(*index) {
            return;
        }
        let batches = &view.partitions[*index].batches;
        let batch = batches.get(append.batch);
        if batch.is_control {
            return;
        }
        let numbers = batches.numbers(append.batch, batch.base, batch.next);
        for (offset, number) in (batch.base..).zip(numbers) {
            let record = view.records.get(*number);
            let detail = match record {
                _ if *number == HOLE => continue,
                Some(record) if record.partition as usize == *index => continue,
                Some(record) => {
                    let other = view.name(Some(record.partition as usize));
                    format!("{} was sent to {other}", records::name(*number))
                }
                None if *number == NO_RECORD => {
                    "it is not a record that a producer sends".to_owned()
                }
                None => format!("{} was never sent", records::name(*number)),
            };
            out.add(Self::NAME, "a record appeared that was never sent", at, *index, Ground::Never)
                .offset(offset)
                .record(*number)
                .detail(detail);
            return;
        }
    }

    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (index, it) in end.finals.iter().enumerate() {
            // Only records that can be read back or are on a disk count: the reports of a leader
            // may be out of date.
            if !view.is_of_workload(index) || it.source == Source::Reported {
                continue;
            }
            for (offset, number) in it.records.iter() {
                let Some(record) = view.records.get(number) else { continue };
                let (what, ground) = match record.outcome {
                    Outcome::Failed => ("a refused record is stored", Ground::Never),
                    // No `read_committed` reader receives it.
                    Outcome::Unknown if is_aborted(view, index, offset, number) => continue,
                    Outcome::Unknown => {
                        ("a record of unknown outcome is stored", Ground::OutcomeUnknown)
                    }
                    _ => continue,
                };
                let node = view.node_of(&view.partitions[index]);
                let at = Moment { at: end.at, node, incarnation: 0, event: record.settled };
                out.add(Self::NAME, what, &at, index, ground)
                    .offset(offset)
                    .record(number)
                    .detail(records::name(number));
            }
        }
    }
}

/// Whether the record at an offset belongs to an aborted transaction.
fn is_aborted(view: &View, index: usize, offset: Offset, number: u64) -> bool {
    let partition = &view.partitions[index];
    let mut its = partition.batches.covering(offset);
    partition.transactions.any()
        && its.any(|batch| {
            partition.batches.number_at(batch, offset) == number
                && partition.fate(batch) == Some(Fate::Aborted)
        })
}
