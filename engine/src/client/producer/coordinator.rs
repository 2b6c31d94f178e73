//! The requests of a transactional producer to its coordinator
//! (`Sender.maybeSendAndPollTransactionalRequest`).
//!
//! At most one request about transactions is in hand. While it is in flight, or waits for a
//! connection or a back-off, the sender does nothing else: it sends no batch, and lets none expire.

use super::sequences::Identity;
use super::transactions::{
    Effect, Outcome, Queued, Request, Target as Place, TransactionState, Transactions,
};
use super::{Context, Producer, ProducerEvent};
use crate::client::metadata::Choice;
use crate::config::ProducerConfig;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::peer;
use crate::protocol::{
    AddOffsetsToTxnRequest, AddPartitionsToTxn, AddPartitionsToTxnRequest, CoordinatorType,
    EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, Response, TxnOffsetCommitRequest,
};
use crate::reach::Reach;
use crate::record::NO_PRODUCER_ID;
use crate::rules::member::Committer;
use crate::{Outbox, protocol};
use machine::{Mono, NodeId, Span};

/// The back-off before the first partition of a transaction is added again, while the previous
/// transaction is still ending (`ADD_PARTITIONS_RETRY_BACKOFF_MS`).
const SOON: Span = Span::millis(20);
/// The version of EndTxn requests in the first protocol (before KIP-890).
const END_TXN_V1: i16 = EndTxnRequest::BUMPS_EPOCH - 1;

/// The progress of the request about transactions.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// There is no request.
    Idle,
    /// The request waits for a connection, until this time.
    Connecting(Queued, Mono),
    /// The request waits before it is sent again, until this time.
    BackingOff(Queued, Mono),
    /// The request is in flight.
    InFlight(Queued),
}

impl Producer {
    /// Advances the requests about transactions. Returns when to call again at the latest while a
    /// request is in hand, or the producer has failed; `None`: batches may be sent.
    pub(super) fn run_transactions(&mut self, now: Mono, out: &mut Outbox) -> Option<Mono> {
        self.transactional.as_ref()?;
        self.time_out_call(now);
        loop {
            self.perform_effects(out);
            let transactional = self.transactional.as_mut()?;
            let is_fatal = transactional.core.state() == TransactionState::FatalError;
            let (step, due) = match std::mem::replace(&mut transactional.step, Step::Idle) {
                Step::Idle => match self.next_request(out) {
                    Some(queued) => {
                        (Step::Connecting(queued, now + self.config.request_timeout), None)
                    }
                    None => {
                        self.perform_effects(out);
                        return is_fatal.then_some(Mono::MAX);
                    }
                },
                Step::Connecting(queued, by) => self.connect_for(now, queued, by, out),
                Step::BackingOff(queued, until) if until <= now => {
                    let queued = Queued { is_retry: false, ..queued };
                    (Step::Connecting(queued, now + self.config.request_timeout), None)
                }
                Step::BackingOff(queued, until) => (Step::BackingOff(queued, until), Some(until)),
                Step::InFlight(queued) => (Step::InFlight(queued), Some(Mono::MAX)),
            };
            self.transactional.as_mut()?.step = step;
            if due.is_some() {
                return due;
            }
        }
    }

    /// The next request about transactions. Gives up batches first: those without a sequence after
    /// an abortable error and before an abort, all of them after a fatal error or if the
    /// transactional id must not be used.
    fn next_request(&mut self, out: &mut Outbox) -> Option<Queued> {
        let core = &mut self.transactional.as_mut()?.core;
        let failure = core.failure();
        match (core.state(), failure) {
            (TransactionState::FatalError, Some(failure)) => {
                self.abort_batches(failure.error);
                return None;
            }
            (TransactionState::AbortableError, Some(failure)) => {
                if let Some(error) = core.become_unauthorized() {
                    self.abort_batches(error);
                    return None;
                }
                self.abort_undrained(failure.error);
            }
            // Represents `TransactionAbortedException`, which has no error code.
            (TransactionState::Aborting, _) => {
                self.abort_undrained(ErrorCode::OperationNotAttempted);
            }
            _ => {}
        }
        let has_batches = self.has_incomplete_batches();
        let may_end = self.rules.may_end_transaction(out, has_batches);
        self.transactional.as_mut()?.core.next(!may_end)
    }

    /// Whether [`Producer::run_transactions`] has something to do now.
    pub(super) fn is_transaction_due(&self) -> bool {
        let Some(transactional) = &self.transactional else { return false };
        let is_idle = matches!(transactional.step, Step::Idle);
        let core = &transactional.core;
        is_idle
            && match core.state() {
                TransactionState::FatalError => false,
                TransactionState::AbortableError | TransactionState::Aborting
                    if self.accumulator.has_undrained() =>
                {
                    true
                }
                _ => core.is_due(self.has_incomplete_batches()),
            }
    }

    /// When the application's present call times out.
    pub(super) fn call_by(&self) -> Mono {
        self.transactional.as_ref().map_or(Mono::MAX, |transactional| transactional.call_by)
    }

    fn time_out_call(&mut self, now: Mono) {
        let Some(transactional) = &mut self.transactional else { return };
        if now < transactional.call_by {
            return;
        }
        transactional.call_by = Mono::MAX;
        if let Some(call) = transactional.core.time_out_call() {
            self.events.push(ProducerEvent::CallTimedOut { call });
        }
    }

    fn perform_effects(&mut self, out: &mut Outbox) {
        let Some(transactional) = &mut self.transactional else { return };
        for effect in transactional.core.take_effects() {
            match effect {
                Effect::Identity(identity) => {
                    if let Some(sequences) = &mut self.sequences {
                        sequences.producer = identity;
                    }
                    let Identity { id: producer_id, epoch: producer_epoch } = identity;
                    self.events.push(ProducerEvent::Identified { producer_id, producer_epoch });
                }
                Effect::ResetSequences => {
                    self.stats.epochs += 1;
                    if let Some(sequences) = &mut self.sequences {
                        sequences.reset();
                    }
                }
                Effect::Returned(call) => {
                    transactional.call_by = Mono::MAX;
                    self.events.push(ProducerEvent::CallReturned { call });
                }
                Effect::Threw(call, failure) => {
                    transactional.call_by = Mono::MAX;
                    if failure.error == ErrorCode::ProducerFenced {
                        out.observe(Fact::Reached(Reach::ProducerFenced));
                    }
                    self.events.push(ProducerEvent::CallThrew { call, failure });
                }
            }
        }
    }

    /// Sends a request to its broker, once there is a connection and the back-off before a retry is
    /// over.
    fn connect_for(
        &mut self,
        now: Mono,
        queued: Queued,
        by: Mono,
        out: &mut Outbox,
    ) -> (Step, Option<Mono>) {
        let target = self.target_of(now, &queued.request, out);
        let Some(transactional) = &mut self.transactional else { return (Step::Idle, None) };
        match target {
            Target::Ready(_) if queued.is_retry => {
                let wait = match queued.is_soon {
                    true => SOON.min(self.config.retry_backoff),
                    false => self.config.retry_backoff,
                };
                (Step::BackingOff(queued, now + wait), None)
            }
            Target::Ready(node) => {
                let mut request = message_of(&transactional.core, &queued.request, &self.config);
                if let protocol::Request::TxnOffsetCommit(commit) = &mut request
                    && !self.rules.names_member(out, committer_of(commit))
                {
                    (commit.generation, commit.member, commit.instance) = (-1, "".into(), None);
                }
                let (timeout, context) = (self.config.request_timeout, Context::Transaction);
                self.channels.send(now, node, request, timeout, context, out);
                (Step::InFlight(queued), None)
            }
            Target::Opening if now < by => (Step::Connecting(queued, by), Some(by)),
            Target::NotBefore(at) => (Step::Connecting(queued, by), Some(at)),
            // Without a wait, also while the coordinator must not be connected to yet
            // (`NetworkClientUtils.awaitReady` throws at once).
            Target::Opening | Target::Unknown => {
                if transactional.core.coordinator(queued.request.target()).is_some() {
                    out.observe(Fact::Reached(Reach::CoordinatorUnreachable));
                }
                transactional.core.find_coordinator(queued);
                (Step::Idle, None)
            }
        }
    }

    /// The target of a request: any broker for FindCoordinator, the coordinator for all others.
    fn target_of(&mut self, now: Mono, request: &Request, out: &mut Outbox) -> Target {
        if !request.needs_coordinator() {
            return match self.metadata.choose(now, &mut self.channels, &mut self.random, out) {
                Choice::Send(node) => Target::Ready(node),
                Choice::Connecting => Target::Opening,
                Choice::NotBefore(at) => Target::NotBefore(at),
            };
        }
        let Some(transactional) = &mut self.transactional else { return Target::Unknown };
        let place = request.target();
        let Some(coordinator) = transactional.core.coordinator(place) else {
            return Target::Unknown;
        };
        let node = peer(self.node, coordinator);
        if self.channels.is_open(node) {
            if place == Place::Transaction {
                transactional.core.on_coordinator_ready();
            }
            return if self.channels.is_ready(now, node) {
                Target::Ready(node)
            } else {
                Target::Opening
            };
        }
        if !self.channels.has_connection(node) {
            if !self.channels.is_ready(now, node) {
                return Target::Unknown;
            }
            self.channels.connect(now, node, out);
        }
        Target::Opening
    }

    /// Handles the response to a request about transactions.
    pub(super) fn on_transaction_response(&mut self, response: &Response) {
        let outcome = match response {
            Response::FindCoordinator(response) => Outcome::Found(response.error, response.node),
            Response::InitProducerId(response) => {
                let (id, epoch) = (response.producer_id, response.producer_epoch);
                Outcome::Initialized(response.error, Identity { id, epoch })
            }
            Response::AddPartitionsToTxn(response) => {
                let results = response.transactions.iter().flat_map(|it| it.partitions.clone());
                Outcome::Added(response.error, results.collect())
            }
            Response::AddOffsetsToTxn(response) => Outcome::OffsetsAdded(response.error),
            Response::TxnOffsetCommit(response) => {
                Outcome::OffsetsCommitted(response.partitions.clone())
            }
            Response::EndTxn(response) => {
                let (id, epoch) = (response.producer_id, response.producer_epoch);
                let next = (id != NO_PRODUCER_ID).then_some(Identity { id, epoch });
                Outcome::Ended(response.error, next)
            }
            other => panic!("a request about transactions got the response {}", other.name()),
        };
        self.finish_transaction_request(outcome);
    }

    /// Handles the loss of the connection on which a request about transactions was sent.
    pub(super) fn on_transaction_lost(&mut self) {
        self.finish_transaction_request(Outcome::Disconnected);
    }

    fn finish_transaction_request(&mut self, outcome: Outcome) {
        let Some(transactional) = &mut self.transactional else { return };
        if let Step::InFlight(queued) = std::mem::replace(&mut transactional.step, Step::Idle) {
            transactional.core.on_done(queued, outcome);
        }
    }
}

/// The target of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// This node, now.
    Ready(NodeId),
    /// A node whose connection is not open yet, or has no room.
    Opening,
    /// None before this time.
    NotBefore(Mono),
    /// The coordinator has to be found first: none is known, or it cannot be reached.
    Unknown,
}

fn message_of(
    core: &Transactions,
    request: &Request,
    config: &ProducerConfig,
) -> protocol::Request {
    let transactional_id = core.id().clone();
    match request {
        Request::FindCoordinator => {
            let key_type = CoordinatorType::Transaction;
            FindCoordinatorRequest { key_type, key: transactional_id }.into()
        }
        Request::InitProducerId { named } => {
            let Identity { id: producer_id, epoch: producer_epoch } =
                named.unwrap_or(Identity::NONE);
            InitProducerIdRequest {
                transactional_id: Some(transactional_id),
                transaction_timeout: config.transaction_timeout,
                producer_id,
                producer_epoch,
            }
            .into()
        }
        Request::AddPartitions { identity, partitions } => {
            let added = AddPartitionsToTxn {
                transactional_id,
                producer_id: identity.id,
                producer_epoch: identity.epoch,
                verify_only: false,
                partitions: partitions.clone(),
            };
            let version = AddPartitionsToTxnRequest::OF_CLIENTS;
            AddPartitionsToTxnRequest { version, transactions: vec![added] }.into()
        }
        Request::FindGroupCoordinator(group) => {
            let key_type = CoordinatorType::Group;
            FindCoordinatorRequest { key_type, key: group.clone() }.into()
        }
        Request::AddOffsets { identity, offsets } => AddOffsetsToTxnRequest {
            transactional_id,
            producer_id: identity.id,
            producer_epoch: identity.epoch,
            group: offsets.metadata.group.clone(),
        }
        .into(),
        Request::CommitOffsets { identity, offsets, is_v2 } => TxnOffsetCommitRequest {
            version: match is_v2 {
                true => TxnOffsetCommitRequest::NEWEST,
                false => TxnOffsetCommitRequest::ADDS_PARTITION - 1,
            },
            transactional_id,
            group: offsets.metadata.group.clone(),
            producer_id: identity.id,
            producer_epoch: identity.epoch,
            generation: offsets.metadata.generation,
            member: offsets.metadata.member.clone(),
            instance: offsets.metadata.instance.clone(),
            offsets: offsets.offsets.clone(),
        }
        .into(),
        Request::EndTxn { identity, committed, is_v2 } => EndTxnRequest {
            version: if *is_v2 { EndTxnRequest::NEWEST } else { END_TXN_V1 },
            transactional_id,
            producer_id: identity.id,
            producer_epoch: identity.epoch,
            committed: *committed,
        }
        .into(),
    }
}

/// The member in a commit of offsets.
fn committer_of(commit: &protocol::TxnOffsetCommitRequest) -> Committer {
    Committer { generation: commit.generation, has_id: !commit.member.is_empty() }
}
