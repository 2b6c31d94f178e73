//! Records of `__transaction_state` on their way, and the state that follows from their outcome
//! (`TransactionStateManager.appendTransactionToLog` and its callbacks).

use super::loading::observe_state;
use super::record;
use super::state::TransactionMetadata;
use super::{Services, Transactions, level, now_ms};
use crate::broker::context::Cx;
use crate::broker::replicas::Ticket;
use crate::broker::requests::Reply;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, TopicPartition, TransactionalId};
use crate::protocol::TransactionState;
use crate::rules::transaction::{Unwritten, Written};
use crate::timer::{BrokerTimer, Timer, TransactionTimer};
use machine::{Halt, Mono, Span};
use std::collections::{BTreeMap, BTreeSet};

/// The records on their way.
#[derive(Clone, Debug, Default)]
pub(super) struct Writes {
    by_ticket: BTreeMap<u64, Write>,
    deadlines: BTreeSet<(Mono, u64)>,
    last_ticket: u64,
}

/// One append.
#[derive(Clone, Debug)]
pub(super) struct Write {
    partition: TopicPartition,
    /// The coordinator epoch in which it was written.
    epoch: LeaderEpoch,
    deadline: Mono,
    what: What,
}

/// The content of an append.
#[derive(Clone, Debug)]
enum What {
    /// The next state of a transactional id.
    Next { id: TransactionalId, next: TransactionMetadata, then: Then },
    /// Tombstones for these ids, each with its producer epoch.
    Tombstones(Vec<(TransactionalId, i16)>),
}

/// The reaction to the outcome of an append.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// An InitProducerId request gets its response.
    Initialized(Reply),
    /// A transaction of an AddPartitionsToTxn request gets its outcome; the number is its position
    /// there.
    Added(Reply, usize),
    /// An AddOffsetsToTxn request gets its response.
    OffsetsAdded(Reply),
    /// The decision about a transaction is committed, or not.
    Decided(Decided),
    /// A transaction is complete. The producer id and epoch are those of its markers.
    Completed((i64, i16)),
}

/// Who decided the transaction, and why.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decided {
    /// By an EndTxn request.
    ByProducer {
        reply: Reply,
        /// The response names the producer id and epoch for the next transaction.
        own_epoch: bool,
    },
    /// By the coordinator, which aborts the transaction before another producer gets the id.
    ForNext(Reply),
    /// By the coordinator, because the transaction was open for too long.
    ForTime,
}

impl Writes {
    fn insert(&mut self, write: Write) -> u64 {
        self.last_ticket += 1;
        self.deadlines.insert((write.deadline, self.last_ticket));
        self.by_ticket.insert(self.last_ticket, write);
        self.last_ticket
    }

    fn remove(&mut self, ticket: u64) -> Option<Write> {
        let write = self.by_ticket.remove(&ticket)?;
        self.deadlines.remove(&(write.deadline, ticket));
        Some(write)
    }

    /// Panics if the fields contradict each other.
    pub(super) fn invariants(&self) {
        assert_eq!(self.by_ticket.len(), self.deadlines.len(), "each append has a deadline");
    }
}

impl Transactions {
    /// Writes the next state of a transactional id, which is pending until the outcome is known.
    pub(super) fn write(
        &mut self,
        partition: TopicPartition,
        id: &TransactionalId,
        next: TransactionMetadata,
        then: Then,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let shard = match self.shards.get_mut(partition.partition) {
            Ok(shard) => shard,
            Err(error) => {
                self.follow((partition, -1), id, &next, then, Err(error), cx);
                return Ok(());
            }
        };
        let epoch = shard.epoch;
        let Some(entry) = shard.entries.get_mut(id) else {
            self.follow((partition, epoch), id, &next, then, Err(ErrorCode::NotCoordinator), cx);
            return Ok(());
        };
        // The last record of a transaction is pending since its markers were sent.
        let is_completion = matches!(then, Then::Completed(_));
        if !is_completion && let Err(error) = entry.begin(&next) {
            self.follow((partition, epoch), id, &next, then, Err(error), cx);
            return Ok(());
        }
        let timeout = Span::millis(u64::try_from(next.timeout_ms).unwrap_or(0));
        let rotates = cx.context.rules.records_next_producer_id(cx.io.out, next.rotates());
        let batch = record::batch(id, &next, level(cx), rotates, now_ms(cx));
        let what = What::Next { id: id.clone(), next, then };
        let write = Write { partition, epoch, deadline: cx.io.now.mono + timeout, what };
        match batch {
            Ok(batch) => {
                let ticket = self.expect(write, cx);
                services.replicas.append_records(partition, &batch, ticket, cx)
            }
            Err(error) => {
                self.settle(write, error, cx);
                Ok(())
            }
        }
    }

    /// Writes tombstones for transactional ids.
    pub(super) fn write_tombstones(
        &mut self,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        ids: Vec<(TransactionalId, i16)>,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let names = ids.iter().map(|(id, _)| &**id);
        let batch = record::tombstones(names, now_ms(cx));
        let deadline = cx.io.now.mono + cx.context.config.request_timeout;
        let write = Write { partition, epoch, deadline, what: What::Tombstones(ids) };
        let ticket = self.expect(write, cx);
        services.replicas.append_records(partition, &batch, ticket, cx)
    }

    fn expect(&mut self, write: Write, cx: &mut Cx<'_>) -> Ticket {
        let first = self.writes.deadlines.first().map_or(Mono::MAX, |(at, _)| *at);
        if write.deadline < first {
            let timer = BrokerTimer::Transaction(TransactionTimer::Writes);
            cx.io.out.set_timer(Timer::Broker(timer), write.deadline);
        }
        Ticket::Transaction(self.writes.insert(write))
    }

    /// Times out appends: they count as failed, whether or not their records are in the log.
    pub(super) fn time_out_writes(&mut self, services: &mut Services<'_>, cx: &mut Cx<'_>) {
        let now = cx.io.now.mono;
        while let Some((at, ticket)) = self.writes.deadlines.first().copied() {
            if at > now {
                let timer = BrokerTimer::Transaction(TransactionTimer::Writes);
                cx.io.out.set_timer(Timer::Broker(timer), at);
                return;
            }
            let Some(write) = self.writes.remove(ticket) else { return };
            services.replicas.forget_append(write.partition, Ticket::Transaction(ticket));
            self.settle(write, ErrorCode::RequestTimedOut, cx);
        }
    }

    /// The outcome of an append is known.
    pub(in crate::broker) fn on_settled(&mut self, ticket: u64, error: ErrorCode, cx: &mut Cx<'_>) {
        if let Some(write) = self.writes.remove(ticket) {
            self.settle(write, error, cx);
        }
    }

    fn settle(&mut self, write: Write, error: ErrorCode, cx: &mut Cx<'_>) {
        let Write { partition, epoch, what, .. } = write;
        match what {
            What::Next { id, next, then } => {
                let outcome = self.apply((partition, epoch), &id, &next, error, cx);
                self.follow((partition, epoch), &id, &next, then, outcome, cx);
            }
            What::Tombstones(ids) => self.forget_ids(partition, epoch, &ids, error, cx),
        }
    }

    /// Takes over the state in a committed record, or gives up a failed one, unless another
    /// coordinator epoch has begun.
    fn apply(
        &mut self,
        (partition, epoch): (TopicPartition, LeaderEpoch),
        id: &TransactionalId,
        next: &TransactionMetadata,
        error: ErrorCode,
        cx: &mut Cx<'_>,
    ) -> Result<(), ErrorCode> {
        let error = of_coordinator(error);
        let rules = cx.context.rules;
        let is_present =
            |present| rules.is_of_present_coordinator(cx.io.out, Written { epoch, present });
        let entry = match self.shards.entry_in(partition.partition, id, is_present) {
            Ok(Some(entry)) => entry,
            Ok(None) if error.is_none() => return Err(ErrorCode::NotCoordinator),
            Err(lost) if error.is_none() => return Err(lost),
            Ok(None) | Err(_) => return Err(error),
        };
        if error.is_none() {
            entry.complete(next.clone());
            observe_state(partition, epoch, id, Some(next), cx);
            return Ok(());
        }
        if !rules.stays_pending(cx.io.out, Unwritten { to: next.state, error }) {
            entry.pending = None;
        }
        Err(error)
    }

    /// Removes ids whose tombstones are committed, or keeps the ids if the append failed.
    fn forget_ids(
        &mut self,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        ids: &[(TransactionalId, i16)],
        error: ErrorCode,
        cx: &mut Cx<'_>,
    ) {
        let Ok(shard) = self.shards.get_mut(partition.partition) else { return };
        let present = shard.epoch;
        let written = Written { epoch, present };
        let is_present = cx.context.rules.is_of_present_coordinator(cx.io.out, written);
        for (id, producer_epoch) in ids {
            let Some(entry) = shard.entries.get_mut(id) else { continue };
            let is_same = entry.pending == Some(TransactionState::Dead)
                && entry.metadata.producer_epoch == *producer_epoch;
            if is_present && is_same && error.is_none() {
                shard.entries.remove(id);
                observe_state(partition, epoch, id, None, cx);
            } else if is_present {
                entry.pending = None;
            }
        }
    }
}

/// The coordinator's error for a failed append.
fn of_coordinator(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::UnknownTopicId
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
        error => error,
    }
}
