//! The requests to the coordinator, and the reactions to their responses
//! (`TransactionManager.nextRequest`, `TxnRequestHandler`).

use super::class::{self, Class};
use super::{Effect, Identity, Queued, Request, Target, TransactionCall, TransactionFailure};
use super::{TransactionState, Transactions};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, TopicPartition};
use crate::protocol::NamedPartition;

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client::producer) enum Outcome {
    /// The connection ended, or could not be opened.
    Disconnected,
    /// A response to FindCoordinator.
    Found(ErrorCode, Option<BrokerId>),
    /// A response to InitProducerId.
    Initialized(ErrorCode, Identity),
    /// A response to AddPartitionsToTxn: the error of the whole request, and the error of each
    /// partition.
    Added(ErrorCode, Vec<(TopicPartition, ErrorCode)>),
    /// A response to AddOffsetsToTxn.
    OffsetsAdded(ErrorCode),
    /// A response to TxnOffsetCommit: the error of each partition.
    OffsetsCommitted(Vec<(NamedPartition, ErrorCode)>),
    /// A response to EndTxn, with the identity for the next transaction, if it has one.
    Ended(ErrorCode, Option<Identity>),
}

impl Transactions {
    pub(super) fn enqueue(&mut self, request: Request, call: Option<TransactionCall>) {
        self.queue.push(Queued { request, call, is_retry: false, is_soon: false });
    }

    /// Queues the request for the next epoch behind that which ends the transaction, if that has not
    /// left. The call returns with it then.
    pub(super) fn bump_behind_end(&mut self) -> bool {
        let Some(end) = self.queue.end_mut() else { return false };
        let call = end.call.take();
        let named = Some(self.identity);
        self.enqueue(Request::InitProducerId { named }, call);
        true
    }

    /// Queues the request that adds partitions to which records have been sent.
    pub(super) fn add_new_partitions(&mut self) {
        if self.new_partitions.is_empty() {
            return;
        }
        self.adding.append(&mut self.new_partitions);
        let partitions = self.adding.iter().copied().collect();
        self.enqueue(Request::AddPartitions { identity: self.identity, partitions }, None);
    }

    /// The request to send now; `None`: batches may be sent. `has_batches`: some batch has no
    /// outcome.
    pub(in crate::client::producer) fn next(&mut self, has_batches: bool) -> Option<Queued> {
        self.add_new_partitions();
        while self.queue.first().is_some_and(|first| !(first.request.is_end() && has_batches)) {
            let next = self.queue.pop()?;
            if let Some(failure) = self.refusal(&next.request) {
                self.finish(next.call, Err(failure));
                continue;
            }
            if !next.request.is_end() || self.is_started {
                return Some(next);
            }
            // The coordinator does not know the transaction, so the call returns at once.
            self.reset();
            self.finish(next.call, Ok(()));
        }
        None
    }

    /// Whether [`Transactions::next`] would do something.
    pub(in crate::client::producer) fn is_due(&self, has_batches: bool) -> bool {
        let may_go = |first: &Queued| !(first.request.is_end() && has_batches);
        !self.new_partitions.is_empty() || self.queue.first().is_some_and(may_go)
    }

    /// Why a request is not sent: in an error state none is, except FindCoordinator after an
    /// abortable error, since the abort may need it.
    fn refusal(&self, request: &Request) -> Option<TransactionFailure> {
        let is_harmless =
            self.state == TransactionState::AbortableError && !request.needs_coordinator();
        self.failure.filter(|_| self.state.is_error() && !is_harmless)
    }

    /// Queues the request again, behind FindCoordinator.
    pub(in crate::client::producer) fn find_coordinator(&mut self, queued: Queued) {
        match (queued.request.target(), &queued.request) {
            (Target::Transaction, _) => {
                self.coordinator = None;
                self.enqueue(Request::FindCoordinator, None);
            }
            (Target::Group, Request::CommitOffsets { offsets, .. }) => {
                self.group_coordinator = None;
                let group = offsets.metadata.group.clone();
                self.enqueue(Request::FindGroupCoordinator(group), None);
            }
            _ => {}
        }
        self.queue.push(Queued { is_retry: true, ..queued });
    }

    /// Handles the outcome of a request that [`Transactions::next`] has returned.
    pub(in crate::client::producer) fn on_done(&mut self, queued: Queued, outcome: Outcome) {
        match (&queued.request, outcome) {
            (_, Outcome::Disconnected) => self.find_coordinator(queued),
            (Request::FindCoordinator, Outcome::Found(error, node)) => {
                if self.settle(queued, class::of_find_coordinator(error)).is_some() {
                    self.coordinator = node;
                }
            }
            (Request::FindGroupCoordinator(_), Outcome::Found(error, node)) => {
                if self.settle(queued, class::of_find_coordinator(error)).is_some() {
                    self.group_coordinator = node;
                }
            }
            (Request::AddOffsets { .. }, Outcome::OffsetsAdded(error)) => {
                self.on_offsets_added(queued, error);
            }
            (Request::CommitOffsets { .. }, Outcome::OffsetsCommitted(results)) => {
                self.on_offsets_committed(queued, &results);
            }
            (Request::InitProducerId { named }, Outcome::Initialized(error, identity)) => {
                let is_bump = named.is_some();
                if let Some(call) = self.settle(queued, class::of_init_producer_id(error)) {
                    self.on_initialized(identity, is_bump, call);
                }
            }
            (Request::AddPartitions { .. }, Outcome::Added(error, results)) => {
                match class::of_add_partitions(error) {
                    Class::Fine => self.on_added(queued, &results),
                    Class::Partition => {
                        self.settle(queued, Class::Abortable(error));
                    }
                    class => {
                        self.settle(queued, class);
                    }
                }
            }
            (Request::EndTxn { committed, .. }, Outcome::Ended(error, next)) => {
                let class = class::of_end_txn(error, *committed);
                if let Some(call) = self.settle(queued, class) {
                    self.on_ended(next, call);
                }
            }
            (request, outcome) => unreachable!("{request:?} had the outcome {outcome:?}"),
        }
    }

    /// Reacts to the class of an error. If there is no error, returns the call that ends with the
    /// request.
    pub(super) fn settle(
        &mut self,
        queued: Queued,
        class: Class,
    ) -> Option<Option<TransactionCall>> {
        match class {
            Class::Fine => return Some(queued.call),
            Class::FindCoordinator => self.find_coordinator(queued),
            Class::Retry | Class::RetrySoon => {
                // The wait is short only before the first partition.
                let is_soon = class == Class::RetrySoon && self.partitions.is_empty();
                self.queue.push(Queued { is_retry: true, is_soon, ..queued });
            }
            Class::Partition => unreachable!("the errors of partitions are handled together"),
            Class::Abortable(error) | Class::AbortableIfPossible(error) | Class::Fatal(error) => {
                self.fail(class);
                let is_fatal = self.state == TransactionState::FatalError;
                self.finish(queued.call, Err(TransactionFailure { error, is_fatal }));
            }
        }
        None
    }

    fn on_initialized(&mut self, identity: Identity, bump: bool, call: Option<TransactionCall>) {
        self.become_identity(identity);
        if self.enter(TransactionState::Ready).is_err() {
            self.fail(Class::Fatal(ErrorCode::UnknownServerError));
            return;
        }
        if bump {
            self.effects.push(Effect::ResetSequences);
        }
        self.finish(call, Ok(()));
    }

    fn on_added(&mut self, queued: Queued, results: &[(TopicPartition, ErrorCode)]) {
        let mut of_partition = None;
        for (_, error) in results {
            match class::of_add_partitions(*error) {
                Class::Fine => {}
                Class::Partition => {
                    // OPERATION_NOT_ATTEMPTED follows from the error of another partition.
                    let known = of_partition.filter(|it| *it != ErrorCode::OperationNotAttempted);
                    of_partition = known.or(Some(*error));
                }
                class => {
                    self.settle(queued, class);
                    return;
                }
            }
        }
        for (partition, _) in results {
            self.adding.remove(partition);
        }
        if let Some(error) = of_partition {
            self.settle(queued, Class::Abortable(error));
            return;
        }
        self.partitions.extend(results.iter().map(|(partition, _)| *partition));
        self.is_started = true;
    }

    fn on_ended(&mut self, next: Option<Identity>, call: Option<TransactionCall>) {
        if let Some(identity) = next {
            self.become_identity(identity);
            self.effects.push(Effect::ResetSequences);
        }
        self.reset();
        self.finish(call, Ok(()));
    }

    fn become_identity(&mut self, identity: Identity) {
        self.identity = identity;
        self.effects.push(Effect::Identity(identity));
    }

    /// Prepares for the next transaction (`resetTransactionState`).
    fn reset(&mut self) {
        let next = match self.needs_bump {
            true => TransactionState::Initializing,
            false => TransactionState::Ready,
        };
        if self.enter(next).is_err() {
            self.fail(Class::Fatal(ErrorCode::UnknownServerError));
            return;
        }
        self.needs_bump = false;
        self.is_started = false;
        self.new_partitions.clear();
        self.adding.clear();
        self.partitions.clear();
    }

    /// If the transactional id must not be used, ends the transaction, so that the application may
    /// call `initTransactions` again. Returns the error in that case
    /// (`Sender.shouldHandleAuthorizationError`).
    pub(in crate::client::producer) fn become_unauthorized(&mut self) -> Option<ErrorCode> {
        let unauthorized = ErrorCode::TransactionalIdAuthorizationFailed;
        let failure = self.failure.filter(|_| self.state == TransactionState::AbortableError)?;
        if failure.error != unauthorized {
            return None;
        }
        for queued in self.queue.drain() {
            self.finish(queued.call, Err(failure));
        }
        self.finish_pending(Err(failure));
        self.state = TransactionState::Uninitialized;
        self.failure = None;
        Some(unauthorized)
    }
}
