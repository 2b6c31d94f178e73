//! The points that a run has reached, in addition to those that the simulator counts: steps of the
//! protocol, error codes and branches of rules.

use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, Positioning, TransactionOutcome};
use engine::ids::TopicPartition;
use engine::reach::Reach;
use engine::rules::Rules;
use engine::rules::election::{How, Reason};
use machine::{Marks, NodeId};
use std::collections::BTreeMap;

/// Counts of the points in [`spec::reach`] that the simulator does not count. Errors and branches
/// are not counted, only noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Reached {
    counts: BTreeMap<Reach, u64>,
    /// Branches of rules that were taken, and errors that were returned.
    marks: Marks,
    /// How often each rule differed from Kafka's.
    pub(super) differed: BTreeMap<&'static str, u64>,
    /// Events before the load do not count, since setting up elects leaders, too.
    loading: bool,
    controller: Option<NodeId>,
}

impl Reached {
    /// The load has begun.
    pub(super) fn begin(&mut self) {
        self.loading = true;
    }

    pub(super) fn add(&mut self, name: Reach, count: u64) {
        if self.loading && count > 0 {
            *self.counts.entry(name).or_default() += count;
        }
    }

    /// How often a step was reached.
    pub(super) fn count(&self, name: Reach) -> u64 {
        self.counts.get(&name).copied().unwrap_or_default()
    }

    /// All counts.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let steps = self.counts.iter().map(|(reach, count)| (reach.name(), *count));
        let errors = ErrorCode::returned().filter(|code| self.marks.has(code.mark()));
        let branches = Rules::branches().filter(|(mark, ..)| self.marks.has(*mark));
        let marked = errors.map(ErrorCode::name).chain(branches.map(|(_, name, _)| name));
        steps.chain(marked.map(|name| (name, 1)))
    }

    /// Marks that processes made.
    pub(super) fn take_in(&mut self, marks: Marks) {
        self.marks.merge(marks);
    }

    #[inline]
    pub(super) fn on_fact(&mut self, node: NodeId, fact: &Fact) {
        match fact {
            // The most frequent facts first, which reach no point.
            Fact::Appended { .. } | Fact::HighWatermark { .. } | Fact::MetadataApplied { .. } => {}
            Fact::RuleDiffered { rule } => *self.differed.entry(rule).or_default() += 1,
            Fact::Reached(reach) => self.add(*reach, 1),

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
            ClientFact::Retried { .. } => self.add(Reach::ProduceRetried, 1),
            ClientFact::TransactionEnded { outcome, .. } => match outcome {
                TransactionOutcome::Committed => self.add(Reach::TransactionCommitted, 1),
                TransactionOutcome::Aborted => self.add(Reach::TransactionAborted, 1),
                TransactionOutcome::GivenUp => self.add(Reach::TransactionGivenUp, 1),
                TransactionOutcome::Unknown => {}
            },
            ClientFact::Positioned { why: Positioning::Seek, .. } => {
                self.add(Reach::ConsumerSeek, 1)
            }
            ClientFact::TimeShown { offset: Some(_), .. } => self.add(Reach::OffsetByTime, 1),
            ClientFact::Positioned { why: Positioning::Truncated, .. } => {
                self.add(Reach::ConsumerTruncated, 1);
            }
            _ => {}
        }
    }

    fn name(&mut self, node: NodeId, fact: &Fact) -> Option<Reach> {
        const METADATA: TopicPartition = TopicPartition::METADATA;
        Some(match fact {
            Fact::Elected { leader: None, .. } => Reach::Leaderless,
            Fact::Elected { reason: Reason::Preferred, .. } => Reach::ElectionPreferred,
            Fact::Elected { how, .. } => match how {
                How::Clean => Reach::ElectionClean,
                How::Eligible => Reach::ElectionEligible,
                How::LastKnown => Reach::ElectionLastKnown,
                How::Unclean => Reach::ElectionUnclean,
            },
            Fact::Truncated { partition, from, to, .. } if *partition != METADATA && from > to => {
                Reach::Truncation
            }
            Fact::Loaded { partition, clean: false, log_end, .. }
                if *partition != METADATA && *log_end > 0 =>
            {
                Reach::LogRecovered
            }
            Fact::IsrProposed { from, to, .. } if to.len() < from.len() => Reach::IsrShrink,
            Fact::IsrProposed { .. } => Reach::IsrExpand,
            Fact::ProduceRefused { error: ErrorCode::NotEnoughReplicas, .. } => {
                Reach::NotEnoughReplicas
            }
            Fact::ProduceRefused { error: ErrorCode::NotEnoughReplicasAfterAppend, .. } => {
                Reach::NotEnoughReplicasAfterAppend
            }
            Fact::FetchRefused { error: ErrorCode::FencedLeaderEpoch, .. } => Reach::FetchFenced,
            Fact::BrokerFenced { fenced: true, .. } => Reach::BrokerFenced,
            Fact::QuorumLeader { .. } => Reach::ControllerElection,
            Fact::QuorumResigned { .. } => Reach::QuorumResigned,
            Fact::ControllerActive { .. } => {
                let before = self.controller.replace(node);
                (before? != node).then_some(Reach::ControllerFailover)?
            }
            _ => return None,
        })
    }
}
