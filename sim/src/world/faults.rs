//! Active faults: applying and undoing them.

use super::World;
use super::step::Event;
use crate::fault::{ActiveFault, ActiveId, Fault, Targets};
use crate::net::LinkShape;
use crate::node::Restarting;
use crate::{EventId, FaultChange, Observation, Seen, TraceKind};
use machine::{NodeId, Process, Span};

impl<P: Process> World<P> {
    /// Applies a fault, until it is undone.
    ///
    /// # Panics
    ///
    /// If it names a node that does not exist; see [`Fault::nodes`].
    pub fn apply(&mut self, fault: Fault<NodeId>) -> ActiveId {
        self.inflict(fault, None)
    }

    /// Applies a fault for some time.
    ///
    /// # Panics
    ///
    /// As [`World::apply`].
    pub fn apply_for(&mut self, fault: Fault<NodeId>, lasts: Span) -> ActiveId {
        self.inflict(fault, Some(lasts))
    }

    fn inflict(&mut self, fault: Fault<NodeId>, lasts: Option<Span>) -> ActiveId {
        let id = self.active_id();
        let since = self.now;
        if fault.shapes_links() {
            self.settle_links();
        }
        let shown_before = self.shown(&fault);
        self.active.push(ActiveFault { id, since, lasts, fault: fault.clone(), shown_before });
        let event = self.record_fault(id, &fault, FaultChange::Applied);
        if fault.shapes_links() {
            self.reshape_links();
        }
        fault.apply(self, id, event);
        if let Some(lasts) = lasts.filter(|_| !fault.ends_itself()) {
            let order = self.fault_source.next();
            self.push(self.now + lasts, order, Event::FaultEnds(id));
        }
        id
    }

    /// Undoes a fault, as far as possible; no effect if it is not active any more. Other faults on
    /// the same nodes and links stay active.
    pub fn undo(&mut self, id: ActiveId) {
        let Some(place) = self.active.iter().position(|active| active.id == id) else { return };
        if self.active[place].fault.shapes_links() {
            self.settle_links();
        }
        let over = self.active.remove(place);
        self.settle(&over);
        let fault = over.fault;
        let event = self.record_fault(id, &fault, FaultChange::Undone);
        if fault.shapes_links() {
            self.reshape_links();
        }
        fault.undo(self, id, event);
    }

    /// Undoes all faults and starts every node that is down and has ever run; a node that is
    /// stopping starts again as soon as it has stopped.
    pub fn heal(&mut self) {
        self.healing = true;
        while let Some(active) = self.active.first() {
            self.undo(active.id);
        }
        self.healing = false;
        for node in 0..self.nodes.len() {
            if self.nodes[node].stopping && self.nodes[node].restarting.is_none() {
                let (fault, down) = (self.active_id(), Span::ZERO);
                self.nodes[node].restarting = Some(Restarting { fault, down });
            }
            if self.nodes[node].lives > 0 {
                self.nodes[node].down_by.clear();
                self.boot(node, EventId::NONE);
            }
        }
    }

    /// Whether everything is being healed, so that nodes come back at once, not one after the
    /// other.
    pub(crate) fn is_healing(&self) -> bool {
        self.healing
    }

    fn record_fault(
        &mut self,
        id: ActiveId,
        fault: &Fault<NodeId>,
        change: FaultChange,
    ) -> EventId {
        let boxed = Box::new(fault.clone());
        let kind = match change {
            FaultChange::Applied => TraceKind::Applied(boxed),
            FaultChange::Undone => TraceKind::Undone(boxed),
        };
        let event = self.recorder.record(self.now, None, EventId::NONE, kind);
        let what = Seen::Fault { id, fault: fault.clone(), change };
        let cause = EventId::NONE;
        self.observations.push(Observation { event, cause, time: self.now, what });
        event
    }

    /// Computes the combined effect of all active faults on the links.
    pub(super) fn reshape_links(&mut self) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                let mut shape = LinkShape::default();
                for active in &self.active {
                    active.fault.shape(self.nodes[from].id, self.nodes[to].id, &mut shape);
                }
                let link = self.links.link_mut(from, to);
                let healed = link.shape.cut && !shape.cut;
                link.shape = shape;
                if healed {
                    self.heal_link(from, to);
                }
            }
        }
    }

    /// The duration of an active fault.
    pub(crate) fn lasts(&self, id: ActiveId) -> Option<Span> {
        self.active.iter().find(|active| active.id == id)?.lasts
    }

    /// Schedules the turns of the neighbour of a disk that is full now.
    pub(crate) fn take_turns(&mut self, fault: ActiveId, every: Span) {
        let order = self.fault_source.next();
        let turn = Event::NeighbourTurn { fault, fills: false };
        self.push(self.now + every.max(Span::millis(1)), order, turn);
    }

    pub(super) fn neighbour_turn(&mut self, fault: ActiveId, fills: bool) {
        let active = self.active.iter().find(|active| active.id == fault);
        let Some(Fault::FullDisk(full)) = active.map(|active| active.fault.clone()) else { return };
        full.turn(self, fault, fills);
        let every = full.neighbour.unwrap_or(Span::MAX).max(Span::millis(1));
        let order = self.fault_source.next();
        self.push(self.now + every, order, Event::NeighbourTurn { fault, fills: !fills });
    }

    /// The indices of a fault's nodes.
    pub(crate) fn targets(&self, targets: &Targets<NodeId>) -> Vec<usize> {
        targets.0.iter().map(|node| self.index(*node)).collect()
    }

    pub(crate) fn node_mut(&mut self, node: usize) -> &mut crate::node::Node<P> {
        &mut self.nodes[node]
    }
}
