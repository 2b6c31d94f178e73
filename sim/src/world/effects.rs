//! Which faults took effect: a process that ran was killed, a packet was held up or lost where it
//! would have got through, a disk operation failed. Being applied is none.

use super::World;
use crate::SimTime;
use crate::fault::{ActiveFault, ActiveId};
use crate::net::LinkShape;
use machine::{NodeId, Process};

impl<P: Process> World<P> {
    /// Whether a fault has had an effect. Of faults on links, disks and clocks it is known once
    /// they are over.
    pub fn took_effect(&self, fault: ActiveId) -> bool {
        self.effective.contains_key(&fault)
    }

    /// When it was first known that a fault has had an effect: of one that kills or pauses a process
    /// the moment at which it did.
    pub fn took_effect_at(&self, fault: ActiveId) -> Option<SimTime> {
        self.effective.get(&fault).copied()
    }

    /// A fault has had an effect.
    pub(crate) fn has_effect(&mut self, fault: ActiveId) {
        self.effective.entry(fault).or_insert(self.now);
    }

    /// A packet did not get from one host to another; was it because the link is cut?
    pub(super) fn stopped(&mut self, from: usize, to: usize) {
        let link = self.links.link_mut(from, to);
        link.touched.cut |= link.shape.cut;
    }

    /// Puts down what the faults on links have done since they last changed. What several did
    /// together each of them did.
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

    /// How often what the fault does to disks or clocks has happened on its targets.
    pub(super) fn shown(&self, fault: &crate::Fault<NodeId>) -> u64 {
        let Some(effect) = fault.shown_by() else { return 0 };
        let nodes = fault.nodes().into_iter();
        nodes.map(|node| self.nodes[self.index(node)].exercised.of(effect)).sum()
    }

    /// A fault is over: has what it does happened since it began?
    pub(super) fn settle(&mut self, fault: &ActiveFault) {
        if self.shown(&fault.fault) > fault.shown_before {
            self.has_effect(fault.id);
        }
    }
}
