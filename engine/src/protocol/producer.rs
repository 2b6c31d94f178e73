//! Producer ids: from the controller to brokers in blocks (KIP-730), from brokers to producers one
//! by one (KIP-98).

use super::api::{RequestBody, ResponseBody, SMALL};
use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, BrokerId, TopicPartition, TransactionalId};
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use machine::Span;

/// Requests a producer id, or the next epoch of one (KIP-98, KIP-360): from any broker without a
/// transactional id, from the coordinator of the transactional id otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InitProducerIdRequest {
    /// `transactional.id`; `None` for a producer that is only idempotent.
    pub transactional_id: Option<TransactionalId>,
    /// `transaction.timeout.ms`: how long a transaction may be open before the coordinator aborts
    /// it. Ignored without a transactional id.
    pub transaction_timeout: Span,
    /// The id that the producer has; -1: none.
    pub producer_id: i64,
    /// The epoch that the producer has; -1: none. Id and epoch are either both given or both -1.
    pub producer_epoch: i16,
}

/// The response to an [`InitProducerIdRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InitProducerIdResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The producer's id; -1 on error.
    pub producer_id: i64,
    /// Its epoch; -1 on error.
    pub producer_epoch: i16,
}

/// Requests a block of producer ids from the controller (KIP-730).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllocateProducerIdsRequest {
    /// The broker.
    pub broker: BrokerId,
    /// Its life.
    pub broker_epoch: BrokerEpoch,
}

/// The response to an [`AllocateProducerIdsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllocateProducerIdsResponse {
    /// How it went.
    pub error: ErrorCode,
    /// The first id of the block.
    pub first_producer_id: i64,
    /// How many ids the block has.
    pub count: i32,
}

impl InitProducerIdRequest {
    /// The request of a producer without a transactional id.
    pub const fn idempotent(producer_id: i64, producer_epoch: i16) -> Self {
        let transaction_timeout = Span(0);
        Self { transactional_id: None, transaction_timeout, producer_id, producer_epoch }
    }
}

impl RequestBody for InitProducerIdRequest {
    type Response = InitProducerIdResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> InitProducerIdResponse {
        InitProducerIdResponse {
            error,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
        }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for InitProducerIdResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl RequestBody for AllocateProducerIdsRequest {
    type Response = AllocateProducerIdsResponse;

    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn refused(&self, error: ErrorCode) -> AllocateProducerIdsResponse {
        AllocateProducerIdsResponse { error, first_producer_id: 0, count: 0 }
    }

    fn size(&self) -> u64 {
        SMALL
    }
}

impl ResponseBody for AllocateProducerIdsResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        self.error == error
    }

    fn size(&self) -> u64 {
        SMALL
    }
}
