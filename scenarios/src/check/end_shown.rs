//! The end that a client was shown, by an answer or by records, never goes back.
//!
//! Catches a corrupted `latest_offset` (KAFKA-2334, KIP-207).

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, NONE, View};
use engine::fact::{ClientFact, Fact};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct EndShown;

impl EndShown {
    pub(super) const NAME: &'static str = "end-never-back";
}

impl Check for EndShown {
    fn on_fact(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Reader(reader, own) = effect else { return };
        let index = view.readers[*reader].partition;
        let (end, shown) = match fact {
            // Answers to two clients may pass each other on the way. To one the answer may come
            // after records of a newer leader that it had not seen when it asked, and no others.
            Fact::Client(ClientFact::EndShown { offset, .. }) => (*offset, *own),
            // What is read back comes after everything else.
            Fact::Client(ClientFact::ReadBack { end, .. }) => {
                let readers = view.readers.iter().filter(|reader| reader.partition == index);
                (*end, readers.map(|reader| reader.shown).max().unwrap_or_default())
            }
            _ => return,
        };
        if end >= shown {
            return;
        }
        let partition = &view.partitions[index];
        // The records between must have been lost; their loss says whether that was permitted.
        // Of several that have stood there, what was shown is the one that was committed.
        let lost = |batch: &u32| partition.batches.get(*batch).loss != NONE;
        let covering = || partition.batches.covering(shown - 1).filter(lost);
        let committed = |batch: &u32| partition.batches.get(*batch).committed;
        let batch = covering().find(committed).or_else(|| covering().next());
        let ground = batch.map_or(Ground::Never, |batch| {
            let loss = partition.batches.get(batch).loss;
            let witness = partition.losses[loss as usize].witness;
            Ground::Gone { witness, loss: Some(loss) }
        });
        out.add(Self::NAME, "the end went back", at, index, ground)
            .offset(end)
            .detail(format!("a client was shown {shown} before, and {end} now"));
    }
}
