//! What is sent to the coordinator, and what its responses lead to (`TransactionManager.nextRequest`,
//! `TxnRequestHandler`).

use super::class::{self, Class};
use super::{Effect, Identity, Queued, Request, TransactionCall, TransactionFailure};
use super::{TransactionState, Transactions};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, TopicPartition};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client::producer) enum Outcome {
    /// The connection ended, or could not be opened.
    Disconnected,
    /// A response to FindCoordinator.
    Found(ErrorCode, Option<BrokerId>),
    /// A response to InitProducerId.
    Initialized(ErrorCode, Identity),
    /// A response to AddPartitionsToTxn: an error of all of it, and those of the partitions.
    Added(ErrorCode, Vec<(TopicPartition, ErrorCode)>),
    /// A response to EndTxn; the identity is that of the next transaction, if it says so.
    Ended(ErrorCode, Option<Identity>),
}

impl Transactions {
    pub(super) fn enqueue(&mut self, request: Request, call: Option<TransactionCall>) {
        self.queue.push(Queued { request, call, is_retry: false, is_soon: false });
    }

    /// Queues the request that adds the partitions that records have been put into.
    pub(super) fn add_new_partitions(&mut self) {
        if self.new_partitions.is_empty() {
            return;
        }
        self.adding.append(&mut self.new_partitions);
        let partitions = self.adding.iter().copied().collect();
        self.enqueue(Request::AddPartitions { identity: self.identity, partitions }, None);
    }

    /// The request that leaves now; `None`: batches may. `has_batches`: some batch has no outcome.
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
            // The coordinator knows nothing of the transaction.
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

    /// Why a request is not sent: in an error state none is but one that an abort may need.
    fn refusal(&self, request: &Request) -> Option<TransactionFailure> {
        let is_harmless =
            self.state == TransactionState::AbortableError && !request.needs_coordinator();
        self.failure.filter(|_| self.state.is_error() && !is_harmless)
    }

    /// Looks for the coordinator, and then tries the request again.
    pub(in crate::client::producer) fn find_coordinator(&mut self, queued: Queued) {
        if queued.request.needs_coordinator() {
            self.coordinator = None;
            self.enqueue(Request::FindCoordinator, None);
        }
        self.queue.push(Queued { is_retry: true, ..queued });
    }

    /// The outcome of a request that [`Transactions::next`] has returned.
    pub(in crate::client::producer) fn on_done(&mut self, queued: Queued, outcome: Outcome) {
        match (&queued.request, outcome) {
            (_, Outcome::Disconnected) => self.find_coordinator(queued),
            (Request::FindCoordinator, Outcome::Found(error, node)) => {
                if self.settle(queued, class::of_find_coordinator(error)).is_some() {
                    self.coordinator = node;
                }
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

    /// Does what an error asks for. Without one, returns the call that ends with the request.
    fn settle(&mut self, queued: Queued, class: Class) -> Option<Option<TransactionCall>> {
        match class {
            Class::Fine => return Some(queued.call),
            Class::FindCoordinator => self.find_coordinator(queued),
            Class::Retry | Class::RetrySoon => {
                // The wait is short before the first partition alone.
                let is_soon = class == Class::RetrySoon && self.partitions.is_empty();
                self.queue.push(Queued { is_retry: true, is_soon, ..queued });
            }
            Class::Partition => unreachable!("the errors of partitions are taken together"),
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
                    // What was not attempted is not the reason.
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

    /// The transaction is over (`resetTransactionState`).
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

    /// The transactional id may not be used: the transaction is over, and the application may call
    /// `initTransactions` again. Returns the error if that has come about
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
