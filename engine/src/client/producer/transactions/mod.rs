//! The transactions of a producer (`TransactionManager`; KIP-98, KIP-360, KIP-890): a state machine
//! without time and connections. Its inputs are calls of the application and failed batches. It
//! gives out requests to the coordinator one by one ([`Transactions::next`]), and takes their
//! outcomes ([`Transactions::on_done`]). The second protocol is that of `transaction.version` 2
//! (KIP-890), the first that of lower levels.
//!
//! | rule | where |
//! |---|---|
//! | the transitions between states | [`state`] |
//! | errors that end the request, the transaction or the producer | [`class`] |
//! | a call that timed out has to be repeated before any other | [`Transactions::call`] |
//! | the order of requests; EndTxn waits for all batches | [`queue`], [`Transactions::next`] |
//! | a transaction without records ends without a request | [`Transactions::next`] |
//! | first protocol: partitions are added before batches are sent; after an error the producer requests another epoch | [`Transactions::add`], [`Transactions::fail`] |
//! | offsets of a group are committed in the transaction (KIP-447) | [`offsets`] |
//! | second protocol: the producer gets another epoch at the end of every transaction | [`Transactions::on_done`] |
//! | the protocol changes only between transactions, upwards with another epoch | [`Transactions::adopt_features`] |

mod class;
mod offsets;
mod queue;
mod responses;
mod state;
#[cfg(test)]
mod tests;

pub(super) use offsets::Offsets;
pub use state::TransactionState;

use super::sequences::Identity;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, TopicPartition, TransactionalId};
use class::Class;
pub(super) use queue::{Queued, Request, Target};
pub(super) use responses::Outcome;
use std::collections::BTreeSet;

/// A call of the application that waits for its result, at most `max.block.ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionCall {
    /// `initTransactions`.
    Init,
    /// `commitTransaction`.
    Commit,
    /// `abortTransaction`.
    Abort,
    /// `sendOffsetsToTransaction`. After a time-out it need not be repeated.
    SendOffsets,
}

/// An error of a transactional producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionFailure {
    /// The error of a response, or of the client itself.
    pub error: ErrorCode,
    /// The producer cannot be used any more. Otherwise the application has to abort the
    /// transaction.
    pub is_fatal: bool,
}

/// Why a call of the application throws at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionError {
    /// The producer has no `transactional.id`.
    NotTransactional,
    /// This earlier call has timed out and has to be repeated first.
    Pending(TransactionCall),
    /// The call does not fit the state (`IllegalStateException`).
    IllegalState(TransactionState),
    /// The producer is in an error state.
    Failed(TransactionFailure),
}

/// An effect on the rest of the producer or on the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The producer has a new id or epoch.
    Identity(Identity),
    /// All sequences begin at 0.
    ResetSequences,
    /// A call returns.
    Returned(TransactionCall),
    /// A call throws.
    Threw(TransactionCall, TransactionFailure),
}

/// A call that waits for its result, or has timed out and was not repeated
/// (`PendingStateTransition`).
#[derive(Clone, Copy, Debug)]
struct Pending {
    call: TransactionCall,
    /// The application is waiting for the result.
    is_awaited: bool,
    /// The result, if it came after the application had stopped waiting.
    result: Option<Result<(), TransactionFailure>>,
}

/// The transactions of a producer.
#[derive(Clone, Debug)]
pub(super) struct Transactions {
    id: TransactionalId,
    state: TransactionState,
    /// The error of an error state.
    failure: Option<TransactionFailure>,
    identity: Identity,
    pending: Option<Pending>,
    queue: queue::Queue,
    coordinator: Option<BrokerId>,
    /// The coordinator of the group whose offsets are committed.
    group_coordinator: Option<BrokerId>,
    /// There has been a connection to the coordinator, which can thus give the producer another
    /// epoch.
    can_bump: bool,
    /// Partitions that still have to be added, in the first protocol.
    new_partitions: BTreeSet<TopicPartition>,
    /// Partitions in the request that adds them.
    adding: BTreeSet<TopicPartition>,
    /// Partitions to which batches may be sent in this transaction.
    partitions: BTreeSet<TopicPartition>,
    /// The coordinator may know the transaction, so that it has to be ended there.
    is_started: bool,
    /// The client has to request another epoch before the next transaction.
    needs_bump: bool,
    /// The second protocol is in use.
    is_v2: bool,
    /// The epoch of the features from which `is_v2` was taken.
    adopted: i64,
    /// The newest features that a broker has reported: their epoch, and `transaction.version`.
    reported: (i64, u16),
    effects: Vec<Effect>,
}

impl Transactions {
    pub(super) fn new(id: TransactionalId) -> Self {
        Self {
            id,
            state: TransactionState::Uninitialized,
            failure: None,
            identity: Identity::NONE,
            pending: None,
            queue: queue::Queue::default(),
            coordinator: None,
            group_coordinator: None,
            can_bump: false,
            new_partitions: BTreeSet::new(),
            adding: BTreeSet::new(),
            partitions: BTreeSet::new(),
            is_started: false,
            needs_bump: false,
            is_v2: false,
            adopted: -1,
            reported: (-1, 0),
            effects: Vec::new(),
        }
    }

    pub(super) fn id(&self) -> &TransactionalId {
        &self.id
    }

    pub(super) fn state(&self) -> TransactionState {
        self.state
    }

    pub(super) fn failure(&self) -> Option<TransactionFailure> {
        self.failure
    }

    /// The broker to which a request of this kind goes, if it is known.
    pub(super) fn coordinator(&self, target: Target) -> Option<BrokerId> {
        match target {
            Target::Any => None,
            Target::Transaction => self.coordinator,
            Target::Group => self.group_coordinator,
        }
    }

    /// Whether the second protocol is in use: data leaders add partitions, and every transaction
    /// has an epoch of its own.
    pub(super) fn is_v2(&self) -> bool {
        self.is_v2
    }

    /// Takes the effects since the last call, in order.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Calls `initTransactions`, `commitTransaction` or `abortTransaction`. The result is an
    /// [`Effect`]. After a time-out the application repeats the call, and gets the result of the
    /// first one.
    pub(super) fn call(&mut self, call: TransactionCall) -> Result<(), TransactionError> {
        if let Some(pending) = &mut self.pending {
            if pending.call != call || pending.is_awaited {
                return Err(TransactionError::Pending(pending.call));
            }
            pending.is_awaited = true;
            if let Some(result) = pending.result.take() {
                self.conclude(call, result);
            }
            return Ok(());
        }
        if call != TransactionCall::Abort || self.state != TransactionState::AbortableError {
            self.refuse_after_error()?;
        }
        match call {
            TransactionCall::Init => {
                self.enter(TransactionState::Initializing)?;
                self.enqueue(Request::InitProducerId { named: None }, Some(call));
            }
            TransactionCall::Commit => {
                self.enter(TransactionState::Committing)?;
                self.begin_end(true, call);
            }
            TransactionCall::SendOffsets => return Err(TransactionError::IllegalState(self.state)),
            TransactionCall::Abort => {
                self.enter(TransactionState::Aborting)?;
                // Nothing has been sent to partitions that are not added.
                self.new_partitions.clear();
                self.begin_end(false, call);
            }
        }
        self.pending = Some(Pending { call, is_awaited: true, result: None });
        Ok(())
    }

    /// Queues the end of the transaction. If the producer needs another epoch, the call returns
    /// when it has that.
    fn begin_end(&mut self, committed: bool, call: TransactionCall) {
        self.add_new_partitions();
        // A transaction ends by the protocol with which it began.
        let is_v2 = self.is_v2;
        self.adopt_features(false);
        let identity = self.identity;
        let end = Request::EndTxn { identity, committed, is_v2 };
        self.enqueue(end, (!self.needs_bump).then_some(call));
        if self.needs_bump {
            self.enqueue(Request::InitProducerId { named: Some(identity) }, Some(call));
        }
    }

    /// Calls `beginTransaction`.
    pub(super) fn begin(&mut self) -> Result<(), TransactionError> {
        self.refuse_while_pending()?;
        self.refuse_after_error()?;
        self.enter(TransactionState::InTransaction)
    }

    /// Ends the wait for the present call, since `max.block.ms` has passed. Returns the call.
    pub(super) fn time_out_call(&mut self) -> Option<TransactionCall> {
        let pending = self.pending.as_mut().filter(|pending| pending.is_awaited)?;
        pending.is_awaited = false;
        let call = pending.call;
        if call == TransactionCall::SendOffsets {
            self.pending = None;
        }
        Some(call)
    }

    /// Whether a `send` is legal now.
    pub(super) fn may_send(&self) -> Result<(), TransactionError> {
        self.refuse_after_error()?;
        self.refuse_while_pending()?;
        match self.state {
            TransactionState::InTransaction => Ok(()),
            state => Err(TransactionError::IllegalState(state)),
        }
    }

    /// Takes note of a record for this partition (`maybeAddPartition`).
    pub(super) fn add(&mut self, partition: TopicPartition) {
        if self.is_v2 {
            self.partitions.insert(partition);
            self.is_started = true;
        } else if !self.partitions.contains(&partition) && !self.adding.contains(&partition) {
            self.new_partitions.insert(partition);
        }
    }

    /// Whether batches of a partition may be sent.
    pub(super) fn may_send_to(&self, partition: TopicPartition) -> bool {
        self.state != TransactionState::FatalError && self.partitions.contains(&partition)
    }

    /// Reacts to the final error of a batch, or of a `send` that waited
    /// (`maybeTransitionToErrorState`). With `bumps` the client requests another epoch, if it can.
    pub(super) fn on_batch_failed(&mut self, error: ErrorCode, bumps: bool) {
        let class = class::of_batch(error);
        let bumps = bumps && self.bumps_itself() && !self.needs_bump;
        if matches!(class, Class::Abortable(_)) && bumps {
            // An abort that waits for the batch returns with the next epoch.
            self.needs_bump = self.state != TransactionState::Aborting || self.bump_behind_end();
        }
        self.fail(class);
    }

    /// Reacts to an expired batch that may have left a gap in the sequences.
    pub(super) fn on_unresolved(&mut self) {
        self.fail(Class::AbortableIfPossible(ErrorCode::RequestTimedOut));
    }

    /// Takes the features of the cluster that a broker has reported.
    pub(super) fn on_features(&mut self, epoch: i64, transaction_version: u16) {
        if epoch > self.reported.0 {
            self.reported = (epoch, transaction_version);
        }
    }

    /// There is a connection to the coordinator.
    pub(super) fn on_coordinator_ready(&mut self) {
        self.can_bump = true;
    }

    /// Takes the version of the protocol from the newest reported features, between two
    /// transactions (`maybeUpdateTransactionV2Enabled`). An upgrade also needs another epoch: with
    /// the same one, a leader could take a batch of the previous transaction for one of the next.
    fn adopt_features(&mut self, initially: bool) {
        let (epoch, level) = self.reported;
        if epoch <= self.adopted {
            return;
        }
        self.adopted = epoch;
        let was_v2 = self.is_v2;
        self.is_v2 = level >= 2;
        self.needs_bump |= !initially && !was_v2 && self.is_v2;
    }

    /// Whether the client itself requests another epoch after an error. In the second protocol the
    /// response to EndTxn has one.
    fn bumps_itself(&self) -> bool {
        self.can_bump && !self.is_v2
    }

    /// Enters the error state of a class.
    fn fail(&mut self, class: Class) {
        match class {
            Class::AbortableIfPossible(error) if self.can_bump || self.is_v2 => {
                self.needs_bump |= self.bumps_itself();
                self.fail(Class::Abortable(error));
            }
            Class::Abortable(error) => {
                // The abort that an abortable error requires is already under way.
                if self.state != TransactionState::Aborting {
                    self.enter_error(TransactionFailure { error, is_fatal: false });
                }
            }
            Class::AbortableIfPossible(error) | Class::Fatal(error) => {
                self.enter_error(TransactionFailure { error, is_fatal: true });
            }
            _ => unreachable!("{class:?} is no error state"),
        }
    }

    /// Enters an error state. If the present state must not be followed by an abortable error, the
    /// error is fatal, as Kafka's sender fails on an illegal transition.
    fn enter_error(&mut self, mut failure: TransactionFailure) {
        let target = TransactionState::AbortableError;
        failure.is_fatal |= !self.state.may_become(target);
        self.state = if failure.is_fatal { TransactionState::FatalError } else { target };
        self.failure = Some(failure);
        if failure.is_fatal {
            self.finish_pending(Err(failure));
        }
    }

    fn enter(&mut self, state: TransactionState) -> Result<(), TransactionError> {
        if !self.state.may_become(state) {
            return Err(TransactionError::IllegalState(self.state));
        }
        self.state = state;
        self.failure = None;
        Ok(())
    }

    fn refuse_after_error(&self) -> Result<(), TransactionError> {
        match self.failure.filter(|_| self.state.is_error()) {
            Some(failure) => Err(TransactionError::Failed(failure)),
            None => Ok(()),
        }
    }

    fn refuse_while_pending(&self) -> Result<(), TransactionError> {
        self.pending.map_or(Ok(()), |pending| Err(TransactionError::Pending(pending.call)))
    }

    /// Finishes the call that ends with a request.
    fn finish(&mut self, call: Option<TransactionCall>, result: Result<(), TransactionFailure>) {
        if call.is_some() && self.pending.map(|pending| pending.call) == call {
            self.finish_pending(result);
        }
    }

    fn finish_pending(&mut self, result: Result<(), TransactionFailure>) {
        let Some(pending) = &mut self.pending else { return };
        if pending.is_awaited {
            let call = pending.call;
            self.conclude(call, result);
        } else {
            pending.result.get_or_insert(result);
        }
    }

    /// Reports the result of a call to the application.
    fn conclude(&mut self, call: TransactionCall, result: Result<(), TransactionFailure>) {
        self.pending = None;
        if call == TransactionCall::Init && result.is_ok() {
            self.adopt_features(true);
        }
        self.effects.push(match result {
            Ok(()) => Effect::Returned(call),
            Err(failure) => Effect::Threw(call, failure),
        });
    }
}
