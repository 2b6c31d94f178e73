//! Faults in force: applying and undoing them, by plan or from outside.

use super::World;
use super::step::Event;
use crate::fault::{ActiveFault, ActiveId, Entry, EntryId, Fault, Trigger};
use crate::net::LinkShape;
use crate::node::Restarting;
use crate::{EventId, FaultChange, Observation, Seen, TraceKind};
use machine::{NodeId, Process, Span};

impl<P: Process> World<P> {
    /// Adds an entry to the plan. One with [`Trigger::At`] is applied then; one with
    /// [`Trigger::External`] waits for [`World::fire`].
    pub fn schedule(&mut self, entry: Entry) -> EntryId {
        let id = EntryId(u32::try_from(self.plan.len()).expect("a plan has few entries"));
        if let Trigger::At(at) = entry.trigger {
            let order = self.plan_source.next();
            self.push(at.max(self.now), order, Event::Entry(id));
        }
        self.plan.push(entry);
        id
    }

    /// Applies an entry of the plan with its targets resolved, for as long as it lasts.
    pub fn fire(&mut self, entry: EntryId, fault: Fault) -> ActiveId {
        let lasts = self.plan[entry.0 as usize].lasts;
        self.inflict(fault, Some(entry), lasts)
    }

    pub(super) fn entry_due(&mut self, entry: EntryId) {
        let fault = self.plan[entry.0 as usize].fault.clone();
        self.fire(entry, fault);
    }

    /// Applies a fault, until it is undone.
    ///
    /// # Panics
    ///
    /// If it names a node that there is not; see [`Fault::nodes`].
    pub fn apply(&mut self, fault: Fault) -> ActiveId {
        self.inflict(fault, None, None)
    }

    /// Applies a fault for some time.
    pub fn apply_for(&mut self, fault: Fault, lasts: Span) -> ActiveId {
        self.inflict(fault, None, Some(lasts))
    }

    fn inflict(&mut self, fault: Fault, entry: Option<EntryId>, lasts: Option<Span>) -> ActiveId {
        let id = self.active_id();
        let since = self.now;
        if fault.shapes_links() {
            self.settle_links();
        }
        let shown_before = self.shown(&fault);
        self.active.push(ActiveFault { id, entry, since, fault: fault.clone(), shown_before });
        let event = self.record_fault(id, entry, &fault, FaultChange::Applied);
        if fault.shapes_links() {
            self.reshape_links();
        }
        fault.apply(self, id, event);
        if let Some(lasts) = lasts {
            let order = self.plan_source.next();
            self.push(self.now + lasts, order, Event::FaultEnds(id));
        }
        id
    }

    /// Undoes a fault, as far as it can be; nothing happens if it is not in force any more. Other
    /// faults on the same nodes and links stay in force.
    pub fn undo(&mut self, id: ActiveId) {
        let Some(place) = self.active.iter().position(|active| active.id == id) else { return };
        if self.active[place].fault.shapes_links() {
            self.settle_links();
        }
        let over = self.active.remove(place);
        self.settle(&over);
        let ActiveFault { entry, fault, .. } = over;
        let event = self.record_fault(id, entry, &fault, FaultChange::Undone);
        if fault.shapes_links() {
            self.reshape_links();
        }
        fault.undo(self, id, event);
    }

    /// Undoes all faults and starts what is down, if it ever ran; what is stopping starts again as
    /// soon as it has stopped. What the plan still holds is not cancelled.
    pub fn heal(&mut self) {
        while let Some(active) = self.active.first() {
            self.undo(active.id);
        }
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

    fn record_fault(
        &mut self,
        id: ActiveId,
        entry: Option<EntryId>,
        fault: &Fault,
        change: FaultChange,
    ) -> EventId {
        let boxed = Box::new(fault.clone());
        let kind = match change {
            FaultChange::Applied => TraceKind::Applied(boxed),
            FaultChange::Undone => TraceKind::Undone(boxed),
        };
        let event = self.recorder.record(self.now, None, EventId::NONE, kind);
        let what = Seen::Fault { id, entry, fault: fault.clone(), change };
        let cause = EventId::NONE;
        self.observations.push(Observation { event, cause, time: self.now, what });
        event
    }

    /// Works out anew what all active faults together do to the links.
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

    /// What a fault needs of a node: its index.
    pub(crate) fn target(&self, node: NodeId) -> usize {
        self.index(node)
    }

    pub(crate) fn node_mut(&mut self, node: usize) -> &mut crate::node::Node<P> {
        &mut self.nodes[node]
    }
}
