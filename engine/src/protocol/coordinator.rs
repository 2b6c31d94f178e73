//! Finding a coordinator, and the features of the cluster: FindCoordinator, ApiVersions.

use super::api::{RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, TopicPartition};
use std::sync::Arc;

/// Requests the broker that coordinates a key, from any broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FindCoordinatorRequest {
    /// The kind of coordinator.
    pub key_type: CoordinatorType,
    /// The group, or the transactional id.
    pub key: Arc<str>,
}

/// What a coordinator coordinates, by its number on the wire
/// (`FindCoordinatorRequest.CoordinatorType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i8)]
pub enum CoordinatorType {
    /// The consumers of a group.
    Group = 0,
    /// The transactions of a transactional id.
    Transaction = 1,
}

/// The response to a [`FindCoordinatorRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FindCoordinatorResponse {
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// The coordinator; `None` on error.
    pub node: Option<BrokerId>,
}

/// Requests the finalized features of the cluster. The versions of APIs are not part of the
/// response: they are those of [`ApiKey::versions`](super::ApiKey::versions) on every server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApiVersionsRequest;

/// The response to an [`ApiVersionsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiVersionsResponse {
    /// The error, or [`ErrorCode::None`].
    pub error: ErrorCode,
    /// The metadata offset at which the feature levels hold; -1: they are unknown. Of two responses
    /// the one with the higher offset counts.
    pub finalized_features_epoch: i64,
    /// The level of `transaction.version`: from 2 onwards, producers use the second version of the
    /// transaction protocol (KIP-890).
    pub transaction_version: u16,
}

impl RequestBody for FindCoordinatorRequest {
    type Response = FindCoordinatorResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> FindCoordinatorResponse {
        FindCoordinatorResponse { error, node: None }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for FindCoordinatorResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for ApiVersionsRequest {
    type Response = ApiVersionsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> ApiVersionsResponse {
        ApiVersionsResponse { error, finalized_features_epoch: -1, transaction_version: 0 }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for ApiVersionsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        10 * SMALL
    }
}
