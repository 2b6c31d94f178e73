//! A controller fences a broker no earlier than a session time-out after it became active or heard
//! from the broker, and one broker in a decision; or at once if the broker requests it.
//!
//! Catches a corrupted `fenced_per_decision`, and a new controller that counts silence from before
//! it became active (KIP-631).

use super::{Check, Finding, Findings, Ground};
use crate::evidence::{FaultKind, Moment, View};
use engine::fact::Fact;
use engine::ids::BrokerId;
use machine::{NodeId, Span};
use std::collections::BTreeMap;

/// The longest time that a clean shutdown takes: the simulator kills the process afterwards.
const STOP: Span = Span::secs(120);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Fencing {
    /// When each controller became active.
    active: BTreeMap<NodeId, u64>,
    /// When a controller unfenced a broker, which is always due to a heartbeat.
    heard: BTreeMap<(NodeId, BrokerId), u64>,
    /// When each controller last fenced a silent broker, and which one.
    last: BTreeMap<NodeId, (u64, BrokerId)>,
}

impl Fencing {
    pub(super) const NAME: &'static str = "fenced-after-a-session";
}

impl Check for Fencing {
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        match fact {
            Fact::ControllerActive { .. } => {
                self.active.insert(at.node, began(view, at));
                self.heard.retain(|(controller, _), _| *controller != at.node);
            }
            Fact::BrokerFenced { broker, fenced: false, .. } => {
                self.heard.insert((at.node, *broker), at.at);
            }
            Fact::BrokerFenced { broker, fenced: true, asked: true } => {
                let heard = self.heard.get(&(at.node, *broker)).copied();
                if !may_ask(view, *broker, heard, at) {
                    let what = "a broker was fenced that cannot have asked for it";
                    report(at, what, out).detail(format!(
                        "controller {} fenced broker {broker}, which was ready and did not stop",
                        at.node
                    ));
                }
            }
            Fact::BrokerFenced { broker, fenced: true, asked: false } => {
                self.one_by_one(at, *broker, out);
                self.is_silent(view, at, *broker, out);
            }
            _ => {}
        }
    }
}

impl Fencing {
    /// Reports a broker that was fenced before its session was over.
    fn is_silent(&self, view: &View, at: &Moment, broker: BrokerId, out: &mut Findings) {
        let Some(active) = self.active.get(&at.node) else { return };
        let heard = self.heard.get(&(at.node, broker)).copied().unwrap_or(0);
        let silent = Span(at.at.saturating_sub(heard.max(*active)));
        // With a fast clock a session ends earlier.
        let session = u128::from(view.setup.session_timeout.0);
        let shortest = session * 1_000_000 / (1_000_000 + u128::from(view.setup.drift_ppm));
        if u128::from(silent.0) + 1_000 < shortest {
            let what = "a broker was fenced before its session was over";
            report(at, what, out).detail(format!(
                "controller {} fenced broker {broker} after {silent}, a session is {}",
                at.node, view.setup.session_timeout
            ));
        }
    }

    /// Reports brokers that were fenced in one decision, which means at the same moment. If several
    /// sessions end together, brokers are fenced one after another, so that an ISR shrinks in a
    /// definite order (`ReplicationControlManager.maybeFenceOneStaleBroker`).
    fn one_by_one(&mut self, at: &Moment, broker: BrokerId, out: &mut Findings) {
        let last = self.last.insert(at.node, (at.at, broker));
        if let Some((_, other)) = last.filter(|(time, other)| *time == at.at && *other != broker) {
            let what = "several brokers were fenced in one decision";
            report(at, what, out)
                .detail(format!("controller {} fenced brokers {other} and {broker}", at.node));
        }
    }
}

/// The time from which a controller that reports to be active counts the silence of brokers. A
/// controller alone in its quorum elects itself when it starts, and gives brokers a session from
/// then; it reports to be active later, when its vote is on its disk.
fn began(view: &View, at: &Moment) -> u64 {
    let own = |controller: &&NodeId| controller.cluster == at.node.cluster;
    let is_alone = view.setup.controllers.iter().filter(own).count() == 1;
    let started = view.started.get(&at.node).copied();
    started.filter(|_| is_alone).unwrap_or(at.at)
}

/// Whether a heartbeat of a broker may request its fencing: during its clean shutdown, or during
/// its start, before it is ready. A delayed heartbeat of its start may arrive after the broker was
/// unfenced, over a connection that the broker has given up.
fn may_ask(view: &View, broker: BrokerId, heard: Option<u64>, at: &Moment) -> bool {
    let broker = NodeId { cluster: at.node.cluster, node: broker };
    let started = view.started.get(&broker).copied();
    let begins = started.is_some_and(|started| heard.is_none_or(|heard| heard < started));
    let stops = view.faults.iter().any(|(moment, fault)| {
        let stops = fault.kind == FaultKind::Stop && fault.nodes.contains(&broker);
        stops && (at.at.saturating_sub(STOP.0)..=at.at).contains(&moment.at)
    });
    let held_up = || heard.is_some_and(|heard| view.is_hindered(at.node, &[broker], heard));
    begins || stops || held_up()
}

fn report<'a>(at: &Moment, what: &'static str, out: &'a mut Findings) -> &'a mut Finding {
    out.add_without_partition(Fencing::NAME, what, (at.at, at.event), Ground::Never)
}
