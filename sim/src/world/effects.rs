//! Which faults took effect: a running process was killed, a packet was delayed or lost that would
//! otherwise have arrived, a disk operation failed. Applying a fault is not an effect.

use super::World;
use crate::SimTime;
use crate::fault::{ActiveFault, ActiveId};
use crate::net::LinkShape;
use machine::{NodeId, Process};

impl<P: Process> World<P> {
    /// Whether a fault has had an effect. For faults on links, disks and clocks this is known once
    /// they have ended.
    pub fn took_effect(&self, fault: ActiveId) -> bool {
        self.effective.contains_key(&fault)
    }

    /// The time from which it is known that a fault has had an effect; for a fault that kills or
    /// pauses a process, the time of the effect.
    pub fn took_effect_at(&self, fault: ActiveId) -> Option<SimTime> {
        self.effective.get(&fault).copied()
    }

    /// A fault has had an effect.
    pub(crate) fn has_effect(&mut self, fault: ActiveId) {
        self.effective.entry(fault).or_insert(self.now);
    }

    /// A packet did not get from one host to another: records it as an effect if the link is cut.
    pub(super) fn stopped(&mut self, from: usize, to: usize) {
        let link = self.links.link_mut(from, to);
        link.touched.cut |= link.shape.cut;
    }

    /// Attributes the effects on packets since the faults on links last changed. An effect that
    /// several faults caused together counts for each of them.
    pub(super) fn settle_links(&mut self) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                let touched = std::mem::take(&mut self.links.link_mut(from, to).touched);
                if touched.is_none() {
                    continue;
                }
                let (from, to) = (self.nodes[from].id, self.nodes[to].id);
                for active in &self.active {
                    let mut shape = LinkShape::default();
                    active.fault.shape(from, to, &mut shape);
                    if touched.is_by(&shape) {
                        self.effective.entry(active.id).or_insert(self.now);
                    }
                }
            }
        }
    }

    /// How often the effect of the fault on disks or clocks has occurred on its targets.
    pub(super) fn shown(&self, fault: &crate::Fault<NodeId>) -> u64 {
        let Some(effect) = fault.shown_by() else { return 0 };
        let nodes = fault.nodes().into_iter();
        nodes.map(|node| self.nodes[self.index(node)].exercised.of(effect)).sum()
    }

    /// A fault has ended: records whether its effect has occurred since it began.
    pub(super) fn settle(&mut self, fault: &ActiveFault) {
        if self.shown(&fault.fault) > fault.shown_before {
            self.has_effect(fault.id);
        }
    }
}
