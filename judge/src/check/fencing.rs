//! A controller fences a broker no earlier than a session after it became active or heard from the
//! broker, and one broker in a decision.
//!
//! Catches a corrupted `fenced_per_decision`, and a controller that takes over and counts the silence
//! before its own time (KIP-631).

use super::{Check, Finding, Findings, Ground};
use crate::evidence::{FaultKind, Moment, View};
use bytes::Bytes;
use engine::fact::Fact;
use engine::ids::{BrokerId, TopicPartition};
use engine::metadata::{MetadataRecord, decode_batch};
use machine::{NodeId, Span};
use std::collections::{BTreeMap, BTreeSet};

/// How long an orderly stop takes at most: the time that the world gives it.
const STOP: Span = Span::secs(120);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Fencing {
    /// When each controller became active.
    active: BTreeMap<NodeId, u64>,
    /// When a controller unfenced a broker, which a heartbeat made it do.
    heard: BTreeMap<(NodeId, BrokerId), u64>,
    /// Brokers that asked each controller to let them shut down.
    stopping: BTreeSet<(NodeId, BrokerId)>,
    /// Which broker each controller fenced last, and when.
    last: BTreeMap<NodeId, (u64, BrokerId)>,
    /// Brokers that were fenced early, unless the decision says that they shut down.
    early: Vec<(Moment, BrokerId, Span)>,
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
            Fact::BrokerFenced { broker, fenced: false } => {
                self.heard.insert((at.node, *broker), at.at);
            }
            Fact::BrokerFenced { broker, fenced: true } => {
                self.one_by_one(at, *broker, out);
                self.fenced(view, at, *broker);
            }
            Fact::Appended {
                partition: TopicPartition::METADATA, as_leader: true, batch, ..
            } => {
                self.decided(view, at, batch, out);
            }
            _ => {}
        }
    }
}

impl Fencing {
    /// A controller fences a broker; the decision follows.
    fn fenced(&mut self, view: &View, at: &Moment, broker: BrokerId) {
        let Some(active) = self.active.get(&at.node) else { return };
        let heard = self.heard.get(&(at.node, broker)).copied().unwrap_or(0);
        let silent = Span(at.at.saturating_sub(heard.max(*active)));
        // By a clock that runs fast a session is over earlier.
        let session = u128::from(view.setup.session_timeout.0);
        let shortest = session * 1_000_000 / (1_000_000 + u128::from(view.setup.drift_ppm));
        if u128::from(silent.0) + 1_000 < shortest {
            self.early.push((*at, broker, silent));
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

    /// A controller writes one or more decisions.
    fn decided(&mut self, view: &View, at: &Moment, batch: &Bytes, out: &mut Findings) {
        // What cannot be read is for the check of the quorum.
        let Ok(records) = decode_batch(batch) else { return };
        for (_, record) in &records {
            match record {
                MetadataRecord::RegisterBroker(it) => {
                    self.stopping.remove(&(at.node, it.broker));
                }
                MetadataRecord::BrokerRegistrationChange(change)
                    if change.in_controlled_shutdown == Some(true) =>
                {
                    self.stopping.insert((at.node, change.broker));
                }
                _ => {}
            }
        }
        for (moment, broker, silent) in std::mem::take(&mut self.early) {
            // One that shuts down in order is fenced when it may go, maybe by another controller than
            // the one that it asked.
            let image = view.metadata.get(&at.node.cluster).map(|metadata| &metadata.image);
            let known = image.and_then(|image| image.broker(broker));
            let stops = self.stopping.contains(&(at.node, broker))
                || known.is_none_or(|known| known.in_controlled_shutdown)
                || is_asked_to_stop(
                    view,
                    NodeId { cluster: at.node.cluster, node: broker },
                    &moment,
                );
            if moment.node == at.node && !stops {
                let what = "a broker was fenced before its session was over";
                report(&moment, what, out).detail(format!(
                    "controller {} fenced broker {broker} after {silent}, a session is {}",
                    at.node, view.setup.session_timeout
                ));
            }
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

/// Whether a broker was asked to stop shortly before. One that leads nothing is fenced at once when it
/// says so, and no record says why.
fn is_asked_to_stop(view: &View, broker: NodeId, at: &Moment) -> bool {
    let from = at.at.saturating_sub(STOP.0);
    view.faults.iter().any(|(moment, fault)| {
        let asks = fault.kind == FaultKind::Stop && fault.nodes.contains(&broker);
        asks && (from..=at.at).contains(&moment.at)
    })
}

fn report<'a>(at: &Moment, what: &'static str, out: &'a mut Findings) -> &'a mut Finding {
    out.0.push(Finding {
        check: Fencing::NAME,
        what,
        at: at.at,
        event: at.event,
        partition: None,
        offset: None,
        record: None,
        detail: String::new(),
        ground: Ground::Never,
    });
    out.0.last_mut().expect("one was pushed")
}
