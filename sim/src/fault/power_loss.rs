//! A host loses power. Only data that was synced, or written back by the host, is certain to
//! survive. The other ends of its connections stay half open.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::node::{Ambush, Blow};
use crate::{EventId, World};
use machine::{NodeId, Process, Span};

fault! {
    /// The host loses power, and with it what was neither synced nor written back by the host. It
    /// is switched on again when the fault ends.
    PowerLoss = "power-loss" {
        /// The nodes whose hosts lose power.
        target: Targets<W>,
        /// The number, from 1, of a disk operation within a handler: the power fails when that
        /// operation begins, in the next handler that reaches it.
        at_disk_operation: Option<u32>,
        /// With `at_disk_operation`: only in the handler of a clean shutdown, which writes what the
        /// next start relies on.
        during_stop: bool,
        /// The delay between switching on one host and the next; all at once unless given.
        stagger: Option<Span>,
    }
}

impl Inflict for PowerLoss<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Power
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            if let Some(nth) = self.at_disk_operation {
                let (nth, blow, during_stop) = (nth.max(1), Blow::PowerLoss, self.during_stop);
                world.node_mut(node).ambushes.push(Ambush { fault: id, nth, blow, during_stop });
                continue;
            }
            if world.node_mut(node).powered {
                world.has_effect(id);
            }
            world.lose_power(node, None, event);
            world.node_mut(node).down_by.push(id);
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for (place, node) in world.targets(&self.target).into_iter().enumerate() {
            world.node_mut(node).ambushes.retain(|ambush| ambush.fault != id);
            match self.stagger {
                Some(stagger) if place > 0 && !world.is_healing() => {
                    world.release_later(node, id, Span(stagger.0 * place as u64));
                }
                _ => world.release_node(node, id, event),
            }
        }
    }
}
