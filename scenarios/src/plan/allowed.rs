//! Whether a fault may be injected: together with the faults in force, within the limits and the
//! budget.

use super::trouble::troubled;
use super::{Director, Scene, strike};
use crate::budget::Budget;
use crate::roles;
use machine::{NodeId, Span};
use sim::{ActiveFault, SimTime};
use spec::FaultKind;
use std::collections::BTreeSet;

/// How many nodes of a cluster swarm faults may hold down at the same time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) brokers: usize,
    pub(super) controllers: usize,
}

impl Director {
    /// Why a fault cannot be injected beside those in force, if it cannot.
    pub(super) fn contradiction(
        &self,
        strike: &FaultKind<NodeId>,
        scene: &Scene<'_>,
    ) -> Option<String> {
        let FaultKind::World(fault) = strike else { return None };
        let active = fault.contradicts(scene.active)?;
        let what = fault.in_words(&|node| scene.roster.clusters.node(*node));
        Some(format!("{what} contradicts what is in force: {}", self.in_force(active, scene)))
    }

    /// A fault in force, and since when: `crash 1 is in force since 2.000 s`.
    pub(super) fn in_force(&self, active: &ActiveFault, scene: &Scene<'_>) -> String {
        let what = active.fault.in_words(&|node| scene.roster.clusters.node(*node));
        let since = crate::result::moment(active.since.since(self.began).0);
        format!("{what} is in force since {since}")
    }

    /// Whether a fault that the seed has drawn may be injected: within the limits and the budget.
    pub(super) fn allows(
        &mut self,
        strike: &FaultKind<NodeId>,
        lasts: Span,
        active: &[sim::Fault<NodeId>],
        scene: &Scene<'_>,
        budget: &mut Budget,
    ) -> Result<(), String> {
        if strike::takes_disk(strike) && strike.nodes().iter().any(|it| roles::is_controller(*it)) {
            // KIP-595 relies on voters to keep what they have synced, and everything else relies on
            // KIP-595.
            return Err("a quorum promises nothing without the disk of a voter".to_owned());
        }
        let held = strike::takes_down(strike);
        for (place, node) in held.iter().enumerate() {
            self.check_limits(*node, &held[..place], scene.now)?;
        }
        let mut brokers = strike.nodes();
        brokers.retain(|node| roles::is_broker(*node));
        if !brokers.is_empty() {
            let partitions = (scene.partitions)();
            let asked = match &brokers[..] {
                [broker] if strike::takes_data(strike) => {
                    let troubled = troubled(active, Some(*broker));
                    budget.may_lose_power(*broker, &troubled, partitions.as_deref())
                }
                brokers => {
                    budget.may_strike(brokers, &troubled(active, None), partitions.as_deref())
                }
            };
            asked.map_err(|refusal| refusal.to_string())?;
        }
        self.held.extend(held.into_iter().map(|node| (node, scene.now + lasts)));
        Ok(())
    }

    /// Whether one more node may be held down, beside those that are and those of the same fault.
    fn check_limits(
        &mut self,
        node: NodeId,
        beside: &[NodeId],
        now: SimTime,
    ) -> Result<(), String> {
        use roles::{is_broker, is_controller};
        self.held.retain(|(_, until)| *until > now);
        let Some(limits) = self.limits else { return Ok(()) };
        let (is_peer, limit): (fn(NodeId) -> bool, usize) = if is_broker(node) {
            (is_broker, limits.brokers)
        } else if is_controller(node) {
            (is_controller, limits.controllers)
        } else {
            return Ok(());
        };
        let others = self
            .held
            .iter()
            .map(|(held, _)| *held)
            .chain(beside.iter().copied())
            .filter(|held| held.cluster == node.cluster && *held != node && is_peer(*held));
        match others.collect::<BTreeSet<_>>().len() {
            1 if limit <= 1 => Err("another is held down already".to_owned()),
            others if others >= limit => Err(format!("{others} others are held down already")),
            _ => Ok(()),
        }
    }
}
