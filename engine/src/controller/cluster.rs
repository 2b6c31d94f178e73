//! The input and the output of a decision.

use super::partition_index::PartitionIndex;
use crate::metadata::{Feature, MetadataImage, MetadataRecord};
use crate::rules::Rulebook;

/// A decision of the active controller: records that have to be committed, and the response that is
/// sent afterwards. A decision itself changes no state (`ControllerResult`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision<R> {
    /// The changes, in order; either all are committed, or none.
    pub(super) records: Vec<MetadataRecord>,
    /// The response, or another result of the decision.
    pub(super) response: R,
}

/// The state of the cluster and the rules for decisions. Only the replay of a decision's records
/// changes the state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster<'a> {
    /// The state, uncommitted changes included.
    pub(super) image: &'a MetadataImage,
    /// The partitions of the image, indexed by broker and directory.
    pub(super) index: &'a PartitionIndex,
    /// The rulebook of the controller.
    pub(super) rules: &'a Rulebook,
}

impl Cluster<'_> {
    /// Whether eligible leader replicas are kept (KIP-966). The level of the feature in the log
    /// decides, not a controller's own configuration, so that all controllers agree.
    pub(super) fn keeps_eligible_leaders(&self) -> bool {
        self.image.feature(Feature::EligibleLeaderReplicas) > 0
    }
}
