//! A process is restarted as by an operator: asked to stop, killed if that takes too long, and
//! started again after a while.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::node::Restarting;
use crate::{EventId, World};
use machine::{NodeId, Process, Span};

/// How long a process is down if `lasts` is not given.
const DOWN: Span = Span::millis(500);
/// How long a process may take to stop if `limit` is not given.
const LIMIT: Span = Span::secs(30);

fault! {
    /// The process is asked to stop, and is started again. `lasts` is the time from the end of the
    /// process to its new start; 500 ms unless given.
    Restart = "restart" {
        /// The nodes whose processes are restarted.
        target: Targets<W>,
        /// It is killed if it has not stopped within this time; 30 s unless given.
        limit: Option<Span>,
    }
}

impl Inflict for Restart<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Down
    }

    fn ends_itself(&self) -> bool {
        true
    }

    fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, _event: EventId) {
        let down = world.lasts(id).unwrap_or(DOWN);
        let mut stops = false;
        for node in world.targets(&self.target) {
            let host = world.node_mut(node);
            // If the process is not there, another fault decides when it comes back.
            if host.process.is_some() && host.restarting.is_none() {
                host.restarting = Some(Restarting { fault: id, down });
                stops = true;
                world.has_effect(id);
                world.limit_stop(node, self.limit.unwrap_or(LIMIT), id);
                world.stop_at(node);
            }
        }
        if !stops {
            world.undo(id);
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
        for node in world.targets(&self.target) {
            let host = world.node_mut(node);
            if host.restarting.is_some_and(|restarting| restarting.fault == id) {
                // It is still stopping, and is started as soon as it has stopped.
                host.restarting = Some(Restarting { fault: id, down: Span::ZERO });
            }
            world.release_node(node, id, event);
        }
    }
}
