//! A member of a group of the classic protocol (`ClassicGroupMember`).

use crate::broker::requests::Reply;
use crate::ids::GroupInstanceId;
use bytes::Bytes;
use std::sync::Arc;

/// A member.
#[derive(Clone, Debug)]
pub(in crate::broker::groups) struct Member {
    pub(in crate::broker::groups) instance: Option<GroupInstanceId>,
    pub(in crate::broker::groups) client_id: Arc<str>,
    pub(in crate::broker::groups) client_host: Arc<str>,
    pub(in crate::broker::groups) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// The assignors that it has, the best first, each with the subscription.
    pub(super) protocols: Vec<(Arc<str>, Bytes)>,
    pub(in crate::broker::groups) assignment: Bytes,
    /// The join that waits for the next generation.
    pub(super) joining: Option<Reply>,
    /// The sync that waits for the leader.
    pub(super) syncing: Option<Reply>,
    /// It has never been in a generation, so it has no session to keep.
    pub(super) is_new: bool,
}

impl Member {
    /// Its subscription for an assignor.
    pub(super) fn metadata(&self, protocol: &str) -> Option<Bytes> {
        let of_protocol = self.protocols.iter().find(|(name, _)| **name == *protocol);
        of_protocol.map(|(_, metadata)| metadata.clone())
    }

    /// Whether its session cannot end: it waits, and a new member has said all that it can say
    /// (`hasSatisfiedHeartbeat`).
    pub(super) fn is_awaited(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}
