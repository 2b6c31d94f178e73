//! Links lose, duplicate and reorder packets. TCP hides all three from the processes: the remaining
//! effects are delay, and messages of other connections that overtake.

use super::table::fault;
use super::{Harm, Inflict, Ppm, Targets, leads};
use crate::net::LinkShape;
use machine::NodeId;

fault! {
    /// Packets are lost, doubled or overtaken, in addition to the usual effects of the network.
    LossyLink = "lossy-link" {
        /// The nodes at one end.
        from: Targets<W>,
        /// The nodes at the other end.
        to: Targets<W>,
        /// Only packets from `from` to `to`; both directions unless given.
        one_way: bool,
        /// The share of packets that are lost. One of `loss`, `duplication` and `reordering` is
        /// needed.
        loss: Option<Ppm>,
        /// The share of packets that arrive twice.
        duplication: Option<Ppm>,
        /// The share of packets that are held up while others overtake.
        reordering: Option<Ppm>,
    }
}

impl Inflict for LossyLink<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Links
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        if leads((from, to), &self.from, &self.to, self.one_way) {
            let parts = |share: Option<Ppm>| share.unwrap_or_default().0;
            shape.loss_ppm = shape.loss_ppm.saturating_add(parts(self.loss));
            shape.duplicate_ppm = shape.duplicate_ppm.saturating_add(parts(self.duplication));
            shape.reorder_ppm = shape.reorder_ppm.saturating_add(parts(self.reordering));
        }
    }
}
