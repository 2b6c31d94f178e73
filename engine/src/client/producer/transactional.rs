//! The transactional calls of an application (`KafkaProducer.initTransactions` and so on).
//! `transactions/` decides which requests they need, and `coordinator.rs` sends these.

use super::coordinator::Step;
use super::transactions::{
    Offsets, TransactionCall, TransactionError, TransactionFailure, TransactionState, Transactions,
};
use super::{Context, Producer};
use crate::Outbox;
use crate::client::group::GroupMetadata;
use crate::error::ErrorCode;
use crate::ids::TransactionalId;
use crate::protocol::{ApiVersionsRequest, ApiVersionsResponse, OffsetToCommit, ProduceRequest};
use machine::{Mono, NodeId, Now};

/// The transactions of a producer, and the request about them that is in hand.
#[derive(Clone, Debug)]
pub(super) struct Transactional {
    pub(super) core: Transactions,
    pub(super) step: Step,
    /// When the application's present call times out.
    pub(super) call_by: Mono,
}

impl Transactional {
    pub(super) fn new(id: TransactionalId) -> Self {
        Self { core: Transactions::new(id), step: Step::Idle, call_by: Mono::MAX }
    }
}

impl Producer {
    /// Takes over the transactional id (`initTransactions`). It has to be the first call, and is
    /// repeated only if it throws. The result is an event.
    ///
    /// # Errors
    ///
    /// If the call throws at once.
    pub fn init_transactions(
        &mut self,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), TransactionError> {
        self.call(TransactionCall::Init, now, out)
    }

    /// Begins a transaction (`beginTransaction`); nothing is sent for it.
    ///
    /// # Errors
    ///
    /// If the call throws.
    pub fn begin_transaction(&mut self) -> Result<(), TransactionError> {
        let transactional =
            self.transactional.as_mut().ok_or(TransactionError::NotTransactional)?;
        transactional.core.begin()
    }

    /// Commits the transaction (`commitTransaction`). The result is an event.
    ///
    /// # Errors
    ///
    /// If the call throws at once.
    pub fn commit_transaction(
        &mut self,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), TransactionError> {
        self.call(TransactionCall::Commit, now, out)
    }

    /// Aborts the transaction (`abortTransaction`). The result is an event.
    ///
    /// # Errors
    ///
    /// If the call throws at once.
    pub fn abort_transaction(
        &mut self,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), TransactionError> {
        self.call(TransactionCall::Abort, now, out)
    }

    /// Commits offsets of a group in the transaction, in the name of a member
    /// (`sendOffsetsToTransaction`, KIP-447). They take effect with the transaction. The result is an
    /// event.
    ///
    /// # Errors
    ///
    /// If the call throws at once.
    pub fn send_offsets_to_transaction(
        &mut self,
        now: Now,
        offsets: Vec<OffsetToCommit>,
        metadata: GroupMetadata,
        out: &mut Outbox,
    ) -> Result<(), TransactionError> {
        let transactional =
            self.transactional.as_mut().ok_or(TransactionError::NotTransactional)?;
        transactional.core.send_offsets(Offsets { metadata, offsets })?;
        transactional.call_by = now.mono + self.config.max_block;
        self.arm(now.mono, out);
        Ok(())
    }

    fn call(
        &mut self,
        call: TransactionCall,
        now: Now,
        out: &mut Outbox,
    ) -> Result<(), TransactionError> {
        let transactional =
            self.transactional.as_mut().ok_or(TransactionError::NotTransactional)?;
        transactional.core.call(call)?;
        transactional.call_by = now.mono + self.config.max_block;
        self.arm(now.mono, out);
        Ok(())
    }

    /// The error with which the transaction or the producer has failed, if it has.
    pub fn transaction_failure(&self) -> Option<TransactionFailure> {
        self.transactional.as_ref()?.core.failure()
    }

    /// The state of the transaction; `None` without a `transactional.id`.
    pub fn transaction_state(&self) -> Option<TransactionState> {
        Some(self.transactional.as_ref()?.core.state())
    }

    /// The transactional id and the version for Produce requests of the present transaction.
    pub(super) fn produce_as(&self) -> (Option<TransactionalId>, i16) {
        let Some(transactional) = &self.transactional else {
            return (None, ProduceRequest::NEWEST);
        };
        let version = match transactional.core.is_v2() {
            true => ProduceRequest::NEWEST,
            false => ProduceRequest::ADDS_PARTITIONS - 1,
        };
        (Some(transactional.core.id().clone()), version)
    }

    /// Whether batches are due at once: a transaction is being committed or aborted.
    pub(super) fn is_completing(&self) -> bool {
        let core = self.transactional.as_ref().map(|transactional| &transactional.core);
        core.is_some_and(|core| {
            matches!(core.state(), TransactionState::Committing | TransactionState::Aborting)
        })
    }

    /// Handles the features of the cluster that a broker has reported.
    pub(super) fn on_features(&mut self, response: &ApiVersionsResponse) {
        if let Some(transactional) =
            self.transactional.as_mut().filter(|_| response.error.is_none())
        {
            let epoch = response.finalized_features_epoch;
            transactional.core.on_features(epoch, response.transaction_version);
        }
    }

    /// Asks a new connection for the features of the cluster, before anything else is sent on it.
    pub(super) fn ask_for_features(&mut self, now: Mono, node: NodeId, out: &mut Outbox) {
        if self.transactional.is_some() {
            let (timeout, context) = (self.config.request_timeout, Context::ApiVersions);
            self.channels.send(now, node, ApiVersionsRequest, timeout, context, out);
        }
    }

    /// Closes the producer without waiting (`KafkaProducer.close` with a time-out of 0). Records
    /// without an outcome fail, although those in flight may be written.
    pub fn close_now(&mut self, now: Now, out: &mut Outbox) {
        self.abort_batches(ErrorCode::NetworkException);
        while let Some(blocked) = self.blocked.pop_front() {
            self.fail_unsent(ErrorCode::NetworkException, blocked.tag);
        }
        self.channels.close_all(now.mono, out);
    }
}
