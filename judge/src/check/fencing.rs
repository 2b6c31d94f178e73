//! A controller fences a broker no earlier than a session after it became active or heard from the
//! broker, and one broker in a decision; or at once if the broker asks for it.
//!
//! Catches a corrupted `fenced_per_decision`, and a controller that takes over and counts the silence
//! before its own time (KIP-631).

use super::{Check, Finding, Findings, Ground};
use crate::evidence::{FaultKind, Moment, View};
use engine::fact::Fact;
use engine::ids::BrokerId;
use machine::{NodeId, Span};
use std::collections::BTreeMap;

/// How long an orderly stop takes at most: the time that the world gives it.
const STOP: Span = Span::secs(120);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Fencing {
    /// When each controller became active.
    active: BTreeMap<NodeId, u64>,
    /// When a controller unfenced a broker, which a heartbeat made it do.
    heard: BTreeMap<(NodeId, BrokerId), u64>,
    /// Which silent broker each controller fenced last, and when.
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
    /// A session is over no earlier than it lasts.
    fn is_silent(&self, view: &View, at: &Moment, broker: BrokerId, out: &mut Findings) {
        let Some(active) = self.active.get(&at.node) else { return };
        let heard = self.heard.get(&(at.node, broker)).copied().unwrap_or(0);
        let silent = Span(at.at.saturating_sub(heard.max(*active)));
        // By a clock that runs fast a session is over earlier.
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

    /// Sessions that end together end one after the other, so that an ISR is emptied in an order
    /// (`ReplicationControlManager.maybeFenceOneStaleBroker`). What a controller does at one moment is
    /// one decision.
    fn one_by_one(&mut self, at: &Moment, broker: BrokerId, out: &mut Findings) {
        let last = self.last.insert(at.node, (at.at, broker));
        if let Some((_, other)) = last.filter(|(time, other)| *time == at.at && *other != broker) {
            let what = "several brokers were fenced in one decision";
            report(at, what, out)
                .detail(format!("controller {} fenced brokers {other} and {broker}", at.node));
        }
    }
}

/// Since when a controller that reports that it is active counts the silence of brokers. One that is
/// alone in its quorum elects itself as it starts, and gives them a session from that moment on; it
/// reports that when its vote is on its disk.
fn began(view: &View, at: &Moment) -> u64 {
    let own = |controller: &&NodeId| controller.cluster == at.node.cluster;
    let is_alone = view.setup.controllers.iter().filter(own).count() == 1;
    let started = view.started.get(&at.node).copied();
    started.filter(|_| is_alone).unwrap_or(at.at)
}

/// Whether a heartbeat of a broker may ask for its fencing: one of its orderly stop, or one of its
/// start, before it is ready. Of these one may come after the broker was unfenced, on a connection that
/// it has given up, if something held it up.
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
