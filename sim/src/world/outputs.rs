//! Performing the outputs of handlers.

use super::World;
use crate::{EventId, Observation, Seen, TraceKind};
use machine::{Output, Process};

impl<P: Process> World<P> {
    /// Performs the outputs in the outbox of a node.
    #[inline]
    pub(super) fn perform_outbox(&mut self, node: usize, event: EventId) {
        if self.nodes[node].outbox.is_empty() {
            return;
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        self.nodes[node].outbox.swap(&mut outputs);
        self.outputs = self.perform(node, event, outputs);
    }

    /// Performs outputs in order, and returns the emptied list. Outputs after a halt are ignored.
    pub(super) fn perform(
        &mut self,
        node: usize,
        event: EventId,
        mut outputs: Vec<Output<P::Vocabulary>>,
    ) -> Vec<Output<P::Vocabulary>> {
        for output in outputs.drain(..) {
            match output {
                Output::Connect { conn, peer } => self.connect(node, conn, peer, event),
                Output::Send { conn, message } => self.send(node, conn, message, event),
                Output::Close { conn } => self.close(node, conn, event),
                Output::SetTimer { timer, at } => self.set_timer(node, timer, at, event),
                Output::CancelTimer { timer } => self.nodes[node].timers.cancel(&timer),
                Output::Observe(fact) => self.observe(node, event, fact),
                Output::Halt(halt) => {
                    self.halt(node, halt, event);
                    break;
                }
            }
        }
        outputs
    }

    fn observe(
        &mut self,
        node: usize,
        cause: EventId,
        fact: <P::Vocabulary as machine::Vocabulary>::Fact,
    ) {
        let event = self.record(node, cause, TraceKind::Fact { index: self.facts });
        self.facts += 1;
        let host = &self.nodes[node];
        let what = Seen::Fact { node: host.id, incarnation: host.incarnation(), fact };
        self.observations.push(Observation { event, cause, time: self.now, what });
    }
}
