//! The partitions of a produce request about which the transaction coordinator has to be asked
//! before the batches are appended (`ReplicaManager.maybeSendPartitionsToTransactionCoordinator`;
//! KIP-890).

use super::Partitions;
use crate::broker::context::Cx;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::log::Unverified;
use crate::protocol::{ProducePartition, ProduceRequest, TxnOffsetCommitRequest};
use crate::record::{Batch, NO_SEQUENCE};

/// The partitions of a produce request that need verification, each with the guard of its
/// verification, or with an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::broker) struct Verdicts(Vec<(TopicPartition, Result<u64, ErrorCode>)>);

impl Verdicts {
    pub(in crate::broker) fn new(verdicts: Vec<(TopicPartition, Result<u64, ErrorCode>)>) -> Self {
        Self(verdicts)
    }

    /// The verdict on a partition: no guard if it needed no verification.
    pub(in crate::broker) fn of(&self, id: TopicPartition) -> Result<Option<u64>, ErrorCode> {
        let known = self.0.iter().find(|(partition, _)| *partition == id);
        known.map(|(_, verdict)| *verdict).transpose()
    }

    /// The partitions with a guard, about which the coordinator is asked.
    pub(in crate::broker) fn open(&self) -> impl Iterator<Item = TopicPartition> {
        self.0.iter().filter(|(_, verdict)| verdict.is_ok()).map(|(partition, _)| *partition)
    }

    /// Refuses a partition.
    pub(in crate::broker) fn refuse(&mut self, id: TopicPartition, error: ErrorCode) {
        if let Some((_, verdict)) = self.0.iter_mut().find(|(partition, _)| *partition == id) {
            *verdict = Err(error);
        }
    }

    /// Whether a partition is refused with this error.
    pub(in crate::broker) fn has(&self, error: ErrorCode) -> bool {
        self.0.iter().any(|(_, verdict)| *verdict == Err(error))
    }

    /// Replaces each error.
    pub(in crate::broker) fn map_errors(&mut self, to: impl Fn(ErrorCode) -> ErrorCode) {
        for (_, verdict) in &mut self.0 {
            *verdict = verdict.map_err(&to);
        }
    }
}

/// A question to a coordinator.
#[derive(Clone, Debug)]
pub(in crate::broker) struct Question {
    pub(in crate::broker) producer_id: i64,
    pub(in crate::broker) producer_epoch: i16,
    /// The guards of the partitions to ask about, and the errors of others.
    pub(in crate::broker) verdicts: Verdicts,
}

impl Partitions {
    /// Begins the verifications that a produce request needs. `None` if it has no transactional batch or
    /// needs none; the error refuses all of its partitions.
    pub(in crate::broker) fn begin_verifications(
        &mut self,
        request: &ProduceRequest,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Question>, ErrorCode> {
        let is_transactional = |partition: &ProducePartition| {
            Batch::first_of(&partition.records).is_ok_and(|batch| batch.is_transactional())
        };
        if request.transactional_id.is_none() && request.partitions.iter().any(is_transactional) {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        let mut transactional = request.partitions.iter().filter_map(|partition| {
            let batch = Batch::new(&partition.records).ok()?;
            let is_concerned = batch.has_producer_id() && batch.is_transactional();
            is_concerned.then_some((partition.partition, batch))
        });
        let Some((_, first)) = transactional.clone().next() else { return Ok(None) };
        let (producer_id, producer_epoch) = (first.producer_id(), first.producer_epoch());
        let of_another = |(_, batch): (_, Batch<'_>)| {
            (batch.producer_id(), batch.producer_epoch()) != (producer_id, producer_epoch)
        };
        if transactional.clone().any(of_another) {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let bumps_epoch = request.version >= ProduceRequest::ADDS_PARTITIONS;
        if !bumps_epoch && !cx.context.config.transaction_partition_verification {
            return Ok(None);
        }
        let verdicts = transactional.by_ref().filter_map(|(id, batch)| {
            let batch = Unverified {
                producer_id,
                epoch: producer_epoch,
                first_sequence: batch.base_sequence(),
                bumps_epoch,
            };
            self.begin_verification(id, batch, cx).transpose().map(|verdict| (id, verdict))
        });
        let verdicts = Verdicts::new(verdicts.collect());
        let is_needed = !verdicts.0.is_empty();
        Ok(is_needed.then_some(Question { producer_id, producer_epoch, verdicts }))
    }

    /// Begins the verification that offsets of a transaction need in the partition of their group.
    /// `None` if they need none.
    pub(in crate::broker) fn begin_verification_of(
        &mut self,
        id: TopicPartition,
        request: &TxnOffsetCommitRequest,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Question>, ErrorCode> {
        let bumps_epoch = request.version >= TxnOffsetCommitRequest::ADDS_PARTITION;
        if !bumps_epoch && !cx.context.config.transaction_partition_verification {
            return Ok(None);
        }
        let (producer_id, producer_epoch) = (request.producer_id, request.producer_epoch);
        let batch = Unverified {
            producer_id,
            epoch: producer_epoch,
            first_sequence: NO_SEQUENCE,
            bumps_epoch,
        };
        let guard = self.begin_verification(id, batch, cx)?;
        let question = |guard| Question {
            producer_id,
            producer_epoch,
            verdicts: Verdicts::new(vec![(id, Ok(guard))]),
        };
        Ok(guard.map(question))
    }

    fn begin_verification(
        &mut self,
        id: TopicPartition,
        batch: Unverified,
        cx: &mut Cx<'_>,
    ) -> Result<Option<u64>, ErrorCode> {
        self.guards += 1;
        let guard = self.guards;
        match self.hosted.get_mut(&id) {
            Some(partition) => partition.begin_verification(batch, guard, cx.context, &mut cx.io),
            None => Err(self.error_of(id, cx)),
        }
    }
}
