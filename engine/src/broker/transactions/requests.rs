//! Requests of producers and of leaders to the coordinator (`KafkaApis`, `TransactionCoordinator`).

use super::decide::{Decider, End, Ends, Init, Initialized};
use super::outcomes::initialized;
use super::state::{Entry, TransactionMetadata, is_exhausted};
use super::writes::{Decided, Then};
use super::{Services, Transactions, level, now_ms};
use crate::broker::context::Cx;
use crate::broker::internal_topics::Internal;
use crate::broker::requests::{Reply, Served};
use crate::error::ErrorCode;
use crate::fact::{EndTxnHandled, Fact};
use crate::ids::{TopicPartition, TransactionalId};
use crate::protocol::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxn, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, AddedPartitionsToTxn, EndTxnRequest, EndTxnResponse,
    InitProducerIdRequest,
};
use crate::reach::Reach;
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use machine::Halt;
use std::sync::Arc;

/// An AddPartitionsToTxn request without a response.
#[derive(Clone, Debug)]
pub(super) struct Adding {
    reply: Reply,
    /// How many of its transactions have no outcome yet.
    left: usize,
    transactions: Vec<AddPartitionsToTxn>,
    outcomes: Vec<AddedPartitionsToTxn>,
}

/// The version of the transaction protocol that a request belongs to: 2 where every transaction has
/// an epoch of its own, else 0.
const fn client_version(own_epoch: bool) -> u16 {
    if own_epoch { 2 } else { 0 }
}

impl Transactions {
    /// Gives a transactional id to a producer.
    pub(in crate::broker) fn init_producer_id(
        &mut self,
        reply: Reply,
        id: &TransactionalId,
        request: &InitProducerIdRequest,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let refused = |error| Ok(Served::Response(initialized(Err(error)).into()));
        let has_id = request.producer_id != NO_PRODUCER_ID;
        if has_id != (request.producer_epoch != NO_PRODUCER_EPOCH) || id.is_empty() {
            return refused(ErrorCode::InvalidRequest);
        }
        let timeout = request.transaction_timeout;
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        if timeout_ms == 0 || timeout > cx.context.config.transaction_max_timeout {
            return refused(ErrorCode::InvalidTransactionTimeout);
        }
        let partition = match self.known(id, timeout_ms, services, cx) {
            Ok(partition) => partition,
            Err(error) => return refused(error),
        };
        let named = has_id.then_some((request.producer_id, request.producer_epoch));
        let new_id = self.id_if_exhausted(partition, id, services, cx);
        let (now_ms, level) = (now_ms(cx), level(cx));
        let Ok(Some(entry)) = self.shards.entry_in(partition.partition, id, |_| true) else {
            return refused(ErrorCode::NotCoordinator);
        };
        let mut decider = Decider { rules: &cx.context.rules, out: cx.io.out, now_ms, level };
        match decider.init(entry, Init { named, timeout_ms }, new_id) {
            Ok(Initialized::Write(next)) => {
                reply.park(cx);
                self.write(partition, id, next, Then::Initialized(reply), services, cx)?;
            }
            Ok(Initialized::AbortFirst) => {
                cx.io.out.observe(Fact::Reached(Reach::TransactionAbortedForNext));
                reply.park(cx);
                self.abort(partition, id, Decided::ForNext(reply), services, cx)?;
            }
            Err(error) => {
                if error == ErrorCode::ProducerFenced {
                    cx.io.out.observe(Fact::Reached(Reach::ZombieRefused));
                }
                return refused(error);
            }
        }
        Ok(Served::Parked)
    }

    /// The partition of a transactional id, after adding an entry and a producer id if the id is
    /// new.
    fn known(
        &mut self,
        id: &TransactionalId,
        timeout_ms: i32,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<TopicPartition, ErrorCode> {
        let partition = Internal::TransactionState
            .partition_of(&cx.context.image, id)
            .ok_or(ErrorCode::NotCoordinator)?;
        let shard = self.shards.get_mut(partition.partition)?;
        if !shard.entries.contains_key(id) {
            let producer_id = services.ids.new_producer_id(cx)?;
            let metadata = TransactionMetadata::new(producer_id, timeout_ms, now_ms(cx));
            shard.entries.insert(id.clone(), Entry::new(metadata));
        }
        Ok(partition)
    }

    /// A new producer id, if the epochs of the one in use are exhausted and no record is pending.
    fn id_if_exhausted(
        &mut self,
        partition: TopicPartition,
        id: &TransactionalId,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<i64, ErrorCode> {
        let needs =
            |entry: &Entry| is_exhausted(entry.metadata.producer_epoch) && entry.pending.is_none();
        match self.shards.entry_in(partition.partition, id, |_| true) {
            Ok(Some(entry)) if needs(entry) => services.ids.new_producer_id(cx),
            _ => Err(ErrorCode::UnknownServerError),
        }
    }

    /// Aborts an open transaction by decision of the coordinator.
    pub(super) fn abort(
        &mut self,
        partition: TopicPartition,
        id: &TransactionalId,
        why: Decided,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let (now_ms, level) = (now_ms(cx), level(cx));
        let Ok(Some(entry)) = self.shards.entry_in(partition.partition, id, |_| true) else {
            return Ok(());
        };
        let mut decider = Decider { rules: &cx.context.rules, out: cx.io.out, now_ms, level };
        let next = match decider.abort(entry) {
            Ok(next) => next,
            Err(error) => {
                if let Decided::ForNext(reply) = why {
                    reply.send(initialized(Err(error)), cx);
                }
                return Ok(());
            }
        };
        let own_epoch = cx.context.rules.bumps_epoch_at_end(cx.io.out, next.client_version);
        if !own_epoch {
            // The epoch is in use from now on, whether or not the record is written: the producer
            // must not continue.
            entry.metadata.producer_epoch = next.producer_epoch;
            entry.metadata.last_producer_epoch = NO_PRODUCER_EPOCH;
        }
        self.write(partition, id, next, Then::Decided(why), services, cx)
    }

    /// Ends a transaction.
    pub(in crate::broker) fn end_txn(
        &mut self,
        reply: Reply,
        request: &EndTxnRequest,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let id = &request.transactional_id;
        let respond = |error, producer_id, producer_epoch| {
            let response = EndTxnResponse { error, producer_id, producer_epoch };
            Ok(Served::Response(response.into()))
        };
        let refused = |error| respond(error, NO_PRODUCER_ID, NO_PRODUCER_EPOCH);
        if id.is_empty() {
            return refused(ErrorCode::InvalidRequest);
        }
        let Some(partition) = Internal::TransactionState.partition_of(&cx.context.image, id) else {
            return refused(ErrorCode::NotCoordinator);
        };
        let new_id = self.id_if_exhausted(partition, id, services, cx);
        let (now_ms, level) = (now_ms(cx), level(cx));
        let entry = match self.shards.entry_in(partition.partition, id, |_| true) {
            Ok(Some(entry)) => entry,
            Ok(None) => return refused(ErrorCode::InvalidProducerIdMapping),
            Err(error) => return refused(error),
        };
        let end = End {
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            commit: request.committed,
            client_version: client_version(request.version >= EndTxnRequest::BUMPS_EPOCH),
        };
        let mut decider = Decider { rules: &cx.context.rules, out: cx.io.out, now_ms, level };
        let ends = decider.end(entry, end, new_id);
        cx.io.out.observe(Fact::EndTxnReceived {
            client: reply.conn.opener(),
            transactional_id: id.clone(),
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            commit: request.committed,
            handled: match &ends {
                Ok(Ends::Write(_)) => EndTxnHandled::Decides,
                Ok(Ends::Already { .. }) => EndTxnHandled::Repeated,
                Err(error) => EndTxnHandled::Refused(*error),
            },
        });
        match ends {
            Ok(Ends::Write(next)) => {
                let version = next.client_version;
                let own_epoch = cx.context.rules.bumps_epoch_at_end(cx.io.out, version);
                reply.park(cx);
                let then = Then::Decided(Decided::ByProducer { reply, own_epoch });
                self.write(partition, id, next, then, services, cx)?;
                Ok(Served::Parked)
            }
            Ok(Ends::Already { producer_id, producer_epoch }) => {
                cx.io.out.observe(Fact::Reached(Reach::EndTxnRepeated));
                respond(ErrorCode::None, producer_id, producer_epoch)
            }
            Err(error) => {
                if error == ErrorCode::ProducerFenced {
                    cx.io.out.observe(Fact::Reached(Reach::ZombieRefused));
                }
                refused(error)
            }
        }
    }

    /// Adds partitions to transactions, or verifies that they are there. A broker's request without
    /// any transaction gets a response here; in Kafka it gets none (oddity O9).
    pub(in crate::broker) fn add_partitions(
        &mut self,
        reply: Reply,
        request: AddPartitionsToTxnRequest,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let is_of_client = request.is_of_client();
        let left = request.transactions.len();
        let outcomes: Vec<_> =
            request.transactions.iter().map(|it| it.refused(ErrorCode::None)).collect();
        let transactions = request.transactions;
        self.adding.insert(
            reply.conn,
            Adding { reply, left, transactions: transactions.clone(), outcomes },
        );
        reply.park(cx);
        for (place, transaction) in transactions.iter().enumerate() {
            match self.add(reply, place, transaction, is_of_client, services, cx)? {
                Some(Ok(outcome)) => self.on_outcome(reply, place, outcome, cx),
                Some(Err(error)) => self.on_outcome(reply, place, transaction.refused(error), cx),
                None => {}
            }
        }
        if transactions.is_empty() {
            self.adding.remove(&reply.conn);
            let error = ErrorCode::None;
            reply.send(AddPartitionsToTxnResponse { error, transactions: Vec::new() }, cx);
        }
        Ok(Served::Parked)
    }

    /// Adds the partition of `__consumer_offsets` that a group belongs to, for a producer of version 1
    /// (KIP-447).
    pub(in crate::broker) fn add_offsets(
        &mut self,
        reply: Reply,
        request: &AddOffsetsToTxnRequest,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let respond = |error| Ok(Served::Response(AddOffsetsToTxnResponse { error }.into()));
        let id = &request.transactional_id;
        if id.is_empty() {
            return respond(ErrorCode::InvalidRequest);
        }
        let image = &cx.context.image;
        let offsets = Internal::ConsumerOffsets;
        let Some(of_group) = offsets.partition_of(image, &request.group) else {
            return respond(ErrorCode::CoordinatorNotAvailable);
        };
        let Some(partition) = Internal::TransactionState.partition_of(image, id) else {
            return respond(ErrorCode::NotCoordinator);
        };
        let (now_ms, level) = (now_ms(cx), level(cx));
        let entry = match self.shards.entry_in(partition.partition, id, |_| true) {
            Ok(Some(entry)) => entry,
            Ok(None) => return respond(ErrorCode::InvalidProducerIdMapping),
            Err(error) => return respond(error),
        };
        let mut decider = Decider { rules: &cx.context.rules, out: cx.io.out, now_ms, level };
        let producer = (request.producer_id, request.producer_epoch);
        let added = [(Arc::from(offsets.name()), of_group.partition)];
        match decider.add(entry, producer, &added, client_version(false)) {
            Ok(Some(next)) => {
                reply.park(cx);
                self.write(partition, id, next, Then::OffsetsAdded(reply), services, cx)?;
                Ok(Served::Parked)
            }
            Ok(None) => respond(ErrorCode::None),
            Err(error) => respond(error),
        }
    }

    /// Adds the partitions of one transaction; `None`: its outcome follows.
    fn add(
        &mut self,
        reply: Reply,
        place: usize,
        request: &AddPartitionsToTxn,
        is_of_client: bool,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Result<AddedPartitionsToTxn, ErrorCode>>, Halt> {
        if let Some(refused) = refuse_partitions(request, is_of_client, cx) {
            return Ok(Some(Ok(refused)));
        }
        let id = &request.transactional_id;
        if id.is_empty() {
            return Ok(Some(Err(ErrorCode::InvalidRequest)));
        }
        let Some(partition) = Internal::TransactionState.partition_of(&cx.context.image, id) else {
            return Ok(Some(Err(ErrorCode::NotCoordinator)));
        };
        let names = names_of(&request.partitions, cx);
        let (now_ms, level) = (now_ms(cx), level(cx));
        let entry = match self.shards.entry_in(partition.partition, id, |_| true) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Some(Err(ErrorCode::InvalidProducerIdMapping))),
            Err(error) => return Ok(Some(Err(error))),
        };
        let mut decider = Decider { rules: &cx.context.rules, out: cx.io.out, now_ms, level };
        let producer = (request.producer_id, request.producer_epoch);
        if request.verify_only && !is_of_client {
            let verified = decider.verify(entry, producer).map(|()| {
                let of =
                    |(topic, index): &(Arc<str>, i32)| match entry.metadata.contains(topic, *index)
                    {
                        true => ErrorCode::None,
                        false => ErrorCode::TransactionAbortable,
                    };
                let outcomes = names.iter().map(of);
                AddedPartitionsToTxn {
                    transactional_id: id.clone(),
                    partitions: request.partitions.iter().copied().zip(outcomes).collect(),
                }
            });
            return Ok(Some(verified));
        }
        match decider.add(entry, producer, &names, client_version(!is_of_client)) {
            Ok(Some(next)) => {
                let then = Then::Added(reply, place);
                self.write(partition, id, next, then, services, cx)?;
                Ok(None)
            }
            Ok(None) => Ok(Some(Ok(request.refused(ErrorCode::None)))),
            Err(error) => Ok(Some(Err(error))),
        }
    }

    /// The record with the added partitions of a transaction is committed, or has failed.
    pub(super) fn on_added(
        &mut self,
        reply: Reply,
        place: usize,
        outcome: Result<(), ErrorCode>,
        cx: &mut Cx<'_>,
    ) {
        let error = outcome.err().unwrap_or(ErrorCode::None);
        let Some(adding) = self.adding.get(&reply.conn).filter(|it| it.reply == reply) else {
            return;
        };
        let outcome = adding.transactions[place].refused(error);
        self.on_outcome(reply, place, outcome, cx);
    }

    /// Records the outcome of one transaction of a request, and responds after the last one.
    fn on_outcome(
        &mut self,
        reply: Reply,
        place: usize,
        outcome: AddedPartitionsToTxn,
        cx: &mut Cx<'_>,
    ) {
        let Some(adding) = self.adding.get_mut(&reply.conn).filter(|it| it.reply == reply) else {
            return;
        };
        adding.outcomes[place] = outcome;
        adding.left -= 1;
        if adding.left > 0 {
            return;
        }
        if let Some(Adding { outcomes: transactions, .. }) = self.adding.remove(&reply.conn) {
            let error = ErrorCode::None;
            reply.send(AddPartitionsToTxnResponse { error, transactions }, cx);
        }
    }
}

/// The response to a request with a partition that does not exist, or must not be added: none of
/// the others is added either.
fn refuse_partitions(
    request: &AddPartitionsToTxn,
    is_of_client: bool,
    cx: &Cx<'_>,
) -> Option<AddedPartitionsToTxn> {
    let image = &cx.context.image;
    let error_of = |partition: &TopicPartition| match image.topic(partition.topic) {
        Some(topic) if is_of_client && topic.name == Internal::TransactionState.name() => {
            ErrorCode::TopicAuthorizationFailed
        }
        Some(_) if image.partition(*partition).is_some() => ErrorCode::None,
        _ => ErrorCode::UnknownTopicOrPartition,
    };
    if request.partitions.iter().all(|partition| error_of(partition).is_none()) {
        return None;
    }
    let outcome = |partition: &TopicPartition| match error_of(partition) {
        ErrorCode::None => ErrorCode::OperationNotAttempted,
        error => error,
    };
    let partitions = request.partitions.iter().map(|it| (*it, outcome(it))).collect();
    Some(AddedPartitionsToTxn { transactional_id: request.transactional_id.clone(), partitions })
}

/// The partitions, each with the name of its topic.
fn names_of(partitions: &[TopicPartition], cx: &Cx<'_>) -> Vec<(Arc<str>, i32)> {
    let name = |partition: &TopicPartition| {
        let topic = cx.context.image.topic(partition.topic)?;
        Some((Arc::from(topic.name.as_str()), partition.partition))
    };
    partitions.iter().filter_map(name).collect()
}
