//! The state of a world in which a panic has happened, or may happen in the next step. It does not
//! use what processes hold, which may be inconsistent.

use super::World;
use super::step::Event;
use crate::net::Segment;
use machine::{Input, NodeId, Process};

impl<P: Process> World<P> {
    /// The node whose process has begun to handle an input, or to start, and has not returned:
    /// after a panic, the node in which it happened. `None` outside of steps.
    pub fn handling(&self) -> Option<NodeId> {
        self.nodes.iter().find(|node| node.disk.is_in_handler()).map(|node| node.id)
    }

    /// The timer or message that the next step brings to a node, and the node. It is handled in
    /// that step unless it has to wait.
    pub fn next_input(&self) -> Option<(NodeId, Input<P::Vocabulary>)> {
        match self.heap.next()? {
            Event::Timer { node, timer, .. } => {
                Some((self.nodes[usize::from(*node)].id, Input::Timer(timer.clone())))
            }
            Event::Arrival { slot, way, packet, .. } => {
                let Segment::Data(message) = &packet.segment else { return None };
                // A packet on its way holds its connection.
                let connection = self.connections.get(*slot as usize);
                let (from, to) = connection.route(usize::from(*way));
                let (from, to) = (self.nodes[from].id, self.nodes[to].id);
                let (conn, message) = (connection.id, (**message).clone());
                Some((to, Input::Message { conn, from, message }))
            }
            _ => None,
        }
    }
}
