//! What a run has exercised, beyond what the simulator counts: effects of the protocol, by the
//! facts that nodes told.

use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, Positioning};
use engine::ids::TopicPartition;
use engine::rules::election::{How, Reason};
use machine::NodeId;
use std::collections::BTreeMap;

/// Counts by name; the names are those of [`spec::reach`], and what [`Fact::Reached`]
/// tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Reached {
    counts: BTreeMap<&'static str, u64>,
    /// How often each rule differed from Kafka's.
    pub(super) differed: BTreeMap<&'static str, u64>,
    /// Only what happens from the load on counts: setting up elects leaders, too.
    loading: bool,
    controller: Option<NodeId>,
}

impl Reached {
    /// The load has begun.
    pub(super) fn begin(&mut self) {
        self.loading = true;
    }

    pub(super) fn add(&mut self, name: &'static str, count: u64) {
        if self.loading && count > 0 {
            *self.counts.entry(name).or_default() += count;
        }
    }

    /// All counts.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().map(|(name, count)| (*name, *count))
    }

    #[inline]
    pub(super) fn on_fact(&mut self, node: NodeId, fact: &Fact) {
        match fact {
            // The most frequent ones first: they reach nothing.
            Fact::Appended { .. } | Fact::HighWatermark { .. } | Fact::MetadataApplied { .. } => {}
            Fact::RuleDiffered { rule } => *self.differed.entry(rule).or_default() += 1,
            Fact::Reached(name) => self.add(name, 1),
            Fact::Client(fact) => self.on_client(fact),
            fact => {
                if let Some(name) = self.name(node, fact) {
                    self.add(name, 1);
                }
            }
        }
    }

    fn on_client(&mut self, fact: &ClientFact) {
        match fact {
            ClientFact::Retried { .. } => self.add("produce_retried", 1),
            ClientFact::Positioned { why: Positioning::Seek, .. } => self.add("consumer_seek", 1),
            ClientFact::Positioned { why: Positioning::Truncated, .. } => {
                self.add("consumer_truncated", 1);
            }
            _ => {}
        }
    }

    fn name(&mut self, node: NodeId, fact: &Fact) -> Option<&'static str> {
        const METADATA: TopicPartition = TopicPartition::METADATA;
        Some(match fact {
            Fact::Elected { leader: None, .. } => "leaderless",
            Fact::Elected { reason: Reason::Preferred, .. } => "election_preferred",
            Fact::Elected { how, .. } => match how {
                How::Clean => "election_clean",
                How::Eligible => "election_eligible",
                How::LastKnown => "election_last_known",
                How::Unclean => "election_unclean",
            },
            Fact::Truncated { partition, from, to, .. } if *partition != METADATA && from > to => {
                "truncation"
            }
            Fact::Loaded { partition, clean: false, log_end, .. }
                if *partition != METADATA && *log_end > 0 =>
            {
                "log_recovered"
            }
            Fact::IsrProposed { from, to, .. } if to.len() < from.len() => "isr_shrink",
            Fact::IsrProposed { .. } => "isr_expand",
            Fact::ProduceRefused { error: ErrorCode::NotEnoughReplicas, .. } => {
                "not_enough_replicas"
            }
            Fact::ProduceRefused { error: ErrorCode::NotEnoughReplicasAfterAppend, .. } => {
                "not_enough_replicas_after_append"
            }
            Fact::FetchRefused { error: ErrorCode::FencedLeaderEpoch, .. } => "fetch_fenced",
            Fact::BrokerFenced { fenced: true, .. } => "broker_fenced",
            Fact::QuorumLeader { .. } => "controller_election",
            Fact::QuorumResigned { .. } => "quorum_resigned",
            Fact::ControllerActive { .. } => {
                let before = self.controller.replace(node);
                (before? != node).then_some("controller_failover")?
            }
            _ => return None,
        })
    }
}
