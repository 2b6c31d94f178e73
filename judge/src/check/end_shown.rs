//! The end offset that a client was shown, by a ListOffsets response or by records, never goes
//! back.
//!
//! Catches a corrupted `latest_offset` (KAFKA-2334, KIP-207).

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View};
use engine::fact::{ClientFact, Fact};
use engine::ids::Offset;
use machine::NodeId;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct EndShown;

impl EndShown {
    pub(super) const NAME: &'static str = "end-never-back";
}

impl Check for EndShown {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::ReaderEnd(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::ReaderEnd(reader, own) = effect else { return };
        let index = view.readers[*reader].partition;
        let partition = &view.partitions[index];
        let (end, shown, by) = match fact {
            // Responses to two clients may overtake each other. For one client, a response may come
            // only after records of a newer leader that it had not seen when it sent the request.
            Fact::Client(ClientFact::EndShown { offset, broker, .. }) => {
                let node = NodeId { cluster: partition.cluster, node: *broker };
                (*offset, *own, partition.find(node))
            }
            // Reading back ends no lower than any end shown before its request.
            Fact::Client(ClientFact::ReadBack { end, .. }) => {
                let shown = || view.shown_to_all(*reader);
                (*end, view.readers[*reader].known.unwrap_or_else(shown), None)
            }
            _ => return,
        };
        if end >= shown {
            return;
        }
        // The records in between must have been lost; their loss decides whether that was
        // permitted. Of several batches at that offset, the committed one was shown. The records
        // may have come back while the leader that lacked them does not know that and still serves
        // clients.
        let lost = |batch: u32| Some((batch, partition.loss_under(batch, by)?));
        let covering = || partition.batches.covering(shown - 1).filter_map(lost);
        let committed = |(batch, _): &(u32, u32)| partition.batches.get(*batch).committed;
        let found = covering().find(committed).or_else(|| covering().next());
        let ground = match found {
            Some((_, loss)) => {
                let witness = partition.losses[loss as usize].witness.clone();
                Ground::Gone { witness, loss: Some(loss) }
            }
            None if view.readers[*reader].read_committed => open_again(view, index, end),
            None => Ground::Never,
        };
        out.add(Self::NAME, "the end went back", at, index, ground)
            .offset(end)
            .detail(format!("a client was shown {shown} before, and {end} now"));
    }
}

/// What may excuse that readers of `read_committed` are shown an earlier end: a transaction that begins
/// there had ended, and has lost its marker.
fn open_again(view: &View, index: usize, end: Offset) -> Ground {
    let partition = &view.partitions[index];
    let first = partition.first_open().filter(|(offset, _)| *offset == end);
    let producer_id = first.and_then(|(_, batch)| partition.batches.get(batch).producer_id());
    producer_id.map_or(Ground::Never, |producer_id| view.ground_of(index, producer_id))
}
