//! A partition in one direction: a half-open firewall rule, a broken transmitter.

use super::table::fault;
use super::{Harm, Inflict, Targets};
use crate::net::LinkShape;
use machine::NodeId;

fault! {
    /// Nothing gets from one side to the other; the way back is open.
    OneWayPartition = "one-way-partition" {
        /// The nodes whose messages are lost.
        from: Targets<W>,
        /// The nodes that do not receive them. A node that is in `from` as well receives them.
        to: Targets<W>,
    }
}

impl Inflict for OneWayPartition<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Links
    }

    fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
        let leads = self.from.0.contains(&from) && self.to.0.contains(&to);
        shape.cut |= leads && !self.from.0.contains(&to);
    }
}
