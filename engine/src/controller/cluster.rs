//! What decisions are made from, and what they are.

use crate::ids::BrokerId;
use crate::metadata::{Feature, MetadataImage, MetadataRecord};
use crate::rules::Rulebook;

/// What the active controller wants to do: records that have to be committed, and the answer that
/// may be given then. Nothing has changed yet (`ControllerResult`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision<R> {
    /// The changes, in order; all of them are committed, or none.
    pub(super) records: Vec<MetadataRecord>,
    /// The answer.
    pub(super) response: R,
}

/// The state of the cluster and the rules to decide by. Decisions never change it: their records
/// do, when they are replayed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster<'a> {
    /// The state, uncommitted changes included.
    pub(super) image: &'a MetadataImage,
    /// The rules.
    pub(super) rules: &'a Rulebook,
}

impl Cluster<'_> {
    /// Whether eligible leader replicas are kept (KIP-966). The level of the feature in the log
    /// decides, not a controller's own configuration, so that all controllers agree.
    pub(super) fn keeps_eligible_leaders(&self) -> bool {
        self.image.feature(Feature::EligibleLeaderReplicas) > 0
    }

    /// Whether a broker leads anything.
    pub(super) fn has_leaderships(&self, broker: BrokerId) -> bool {
        self.image.partitions().any(|(_, state)| state.leader == Some(broker))
    }
}
