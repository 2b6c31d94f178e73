//! Requests to transaction coordinators about partitions, before the first batch of a transaction
//! is appended to a partition (`AddPartitionsToTxnManager`; KIP-890).
//!
//! A produce request is parked until the coordinator has responded. Under transactions version 2
//! the coordinator adds the partitions to the transaction; under version 1 it only reports whether
//! the producer has added them. The request is then handled as a separate input, in the order of
//! requests. Its records are appended even if the client has closed its connection meanwhile.
//! Offsets that a transaction commits (TxnOffsetCommit) are verified in the same way.
//!
//! At most one request to each coordinator is in flight. Transactions that need verification
//! meanwhile go into the next request, each transactional id once.

use super::context::Cx;
use super::internal_topics::Internal;
use super::part::Part;
use super::replicas::{Question, Verdicts};
use super::requests::{Delayed, Parked, Served};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, TopicPartition, TransactionalId, peer};
use crate::net::{ChannelConfig, Channels};
use crate::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ProduceRequest,
    Response, TxnOffsetCommitRequest,
};
use crate::reach::Reach;
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{ConnId, Halt, Mono, Span};
use std::collections::BTreeMap;

/// How long to wait before connecting again.
const RECONNECT_BACKOFF: Span = Span::millis(50);

/// The requests that wait for coordinators.
#[derive(Clone, Debug)]
pub(super) struct Verification {
    channels: Channels<Vec<Asked>>,
    /// The transactions for the next request to each coordinator.
    queues: BTreeMap<BrokerId, Vec<Queued>>,
    waiting: BTreeMap<u64, Waiting>,
    /// The ticket of the last request that was parked.
    count: u64,
}

/// A request whose transaction is verified before it goes on.
#[derive(Clone, Debug)]
pub(super) enum Verifiable {
    Produce(ProduceRequest),
    /// With the partition of `__consumer_offsets` that its group belongs to.
    Offsets(TxnOffsetCommitRequest, TopicPartition),
}

impl Verifiable {
    fn transactional_id(&self) -> Option<&TransactionalId> {
        match self {
            Self::Produce(request) => request.transactional_id.as_ref(),
            Self::Offsets(request, _) => Some(&request.transactional_id),
        }
    }

    /// Whether the coordinator adds the partitions to the transaction.
    fn adds_partitions(&self) -> bool {
        match self {
            Self::Produce(request) => request.version >= ProduceRequest::ADDS_PARTITIONS,
            Self::Offsets(request, _) => request.version >= TxnOffsetCommitRequest::ADDS_PARTITION,
        }
    }

    /// Whether the client knows `TRANSACTION_ABORTABLE`.
    fn knows_abortable(&self) -> bool {
        match self {
            Self::Produce(request) => request.version >= ProduceRequest::KNOWS_ABORTABLE,
            Self::Offsets(request, _) => request.version >= TxnOffsetCommitRequest::KNOWS_ABORTABLE,
        }
    }

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        match self {
            Self::Produce(request) => {
                locks.extend(request.partitions.iter().map(|it| it.partition))
            }
            Self::Offsets(_, partition) => locks.push(*partition),
        }
    }
}

/// A parked request.
#[derive(Clone, Debug)]
struct Waiting {
    /// Its connection, and its correlation id there.
    from: (ConnId, u32),
    request: Verifiable,
    /// When the coordinator was first asked.
    since: Mono,
    verdicts: Verdicts,
}

/// A transaction for the next request to its coordinator.
#[derive(Clone, Debug)]
struct Queued {
    transaction: AddPartitionsToTxn,
    ticket: u64,
}

/// A transaction that a coordinator has been asked about.
#[derive(Clone, Debug)]
struct Asked {
    transactional_id: TransactionalId,
    ticket: u64,
}

/// A request whose verification has ended.
#[derive(Clone, Debug)]
pub(super) struct Verified {
    /// The connection that it came on, and its correlation id there.
    pub(super) asked: (ConnId, u32),
    /// The same; `None` if the connection has ended.
    pub(super) from: Option<(ConnId, u32)>,
    pub(super) request: Verifiable,
    pub(super) verdicts: Verdicts,
}

impl Verification {
    pub(super) fn new(setup_timeout: Span) -> Self {
        let config = ChannelConfig {
            max_in_flight: 1,
            reconnect_backoff: RECONNECT_BACKOFF,
            reconnect_backoff_max: RECONNECT_BACKOFF,
            setup_timeout,
        };
        Self {
            channels: Channels::new(Channel::Verification, config),
            queues: BTreeMap::new(),
            waiting: BTreeMap::new(),
            count: 0,
        }
    }

    /// Parks a request until the coordinator of its transaction has responded.
    pub(super) fn ask(
        &mut self,
        from: (ConnId, u32),
        request: Verifiable,
        question: Question,
        cx: &mut Cx<'_>,
    ) -> Served {
        cx.io.out.observe(Fact::Reached(Reach::ProduceVerified));
        self.count += 1;
        let (ticket, (conn, correlation_id)) = (self.count, from);
        let body = Delayed::Verification(ticket);
        cx.requests.park(conn, Parked { correlation_id, deadline: None, body }, cx.io.out);
        let (since, verdicts) = (cx.io.now.mono, Verdicts::default());
        self.waiting.insert(ticket, Waiting { from, request, since, verdicts });
        self.send(ticket, question, cx);
        Served::Parked
    }

    /// The parked request of `ticket`, when [`BrokerTimer::Verify`] is due.
    pub(super) fn request(&self, ticket: u64) -> Option<&Verifiable> {
        self.waiting.get(&ticket).map(|waiting| &waiting.request)
    }

    /// Asks the coordinator again, or handles the request if no partition needs verification any
    /// longer.
    pub(super) fn ask_again(
        &mut self,
        ticket: u64,
        question: Result<Option<Question>, ErrorCode>,
        cx: &mut Cx<'_>,
    ) {
        match question {
            Ok(Some(question)) => self.send(ticket, question, cx),
            Ok(None) | Err(_) => self.settle(ticket, Verdicts::default(), cx),
        }
    }

    /// Takes the request of `ticket`, when [`BrokerTimer::Verified`] is due.
    pub(super) fn take(&mut self, ticket: u64, cx: &mut Cx<'_>) -> Option<Verified> {
        let Waiting { from, request, mut verdicts, .. } = self.waiting.remove(&ticket)?;
        let is_parked = matches!(
            cx.requests.get(from.0),
            Some(Parked { body: Delayed::Verification(parked), .. }) if *parked == ticket
        );
        if is_parked {
            cx.requests.take(from.0);
        }
        if matches!(request, Verifiable::Produce(_)) {
            let adds = request.adds_partitions();
            verdicts.map_errors(|error| as_produce_error(error, adds));
        }
        Some(Verified { asked: from, from: is_parked.then_some(from), request, verdicts })
    }

    /// Adds the partitions of a parked request.
    pub(super) fn locks(&self, ticket: u64, locks: &mut Vec<TopicPartition>) {
        if let Some(waiting) = self.waiting.get(&ticket) {
            waiting.request.locks(locks);
        }
    }

    fn send(&mut self, ticket: u64, question: Question, cx: &mut Cx<'_>) {
        let Some(waiting) = self.waiting.get_mut(&ticket) else { return };
        let Question { producer_id, producer_epoch, verdicts } = question;
        let partitions: Vec<TopicPartition> = verdicts.open().collect();
        waiting.verdicts = verdicts;
        let Some(transactional_id) = waiting.request.transactional_id().cloned() else { return };
        let transaction = AddPartitionsToTxn {
            transactional_id,
            producer_id,
            producer_epoch,
            verify_only: !waiting.request.adds_partitions(),
            partitions,
        };
        if transaction.partitions.is_empty() {
            let verdicts = waiting.verdicts.clone();
            return self.settle(ticket, verdicts, cx);
        }
        let image = &cx.context.image;
        match Internal::TransactionState.coordinator_of(image, &transaction.transactional_id) {
            Some((coordinator, _)) => self.enqueue(coordinator, Queued { transaction, ticket }, cx),
            None => self.refuse(ticket, ErrorCode::CoordinatorNotAvailable, cx),
        }
    }

    /// Adds a transaction to the next request. If one with the same transactional id is there
    /// already, one of the two is refused at once: the one with the older epoch, or for equal
    /// epochs the earlier one, which the client may have given up.
    fn enqueue(&mut self, coordinator: BrokerId, queued: Queued, cx: &mut Cx<'_>) {
        let queue = self.queues.entry(coordinator).or_default();
        let id = &queued.transaction.transactional_id;
        if let Some(at) = queue.iter().position(|it| it.transaction.transactional_id == *id) {
            let (before, now) =
                (queue[at].transaction.producer_epoch, queued.transaction.producer_epoch);
            if before > now {
                return self.refuse(queued.ticket, ErrorCode::InvalidProducerEpoch, cx);
            }
            let error = match before == now {
                true => ErrorCode::NetworkException,
                false => ErrorCode::InvalidProducerEpoch,
            };
            let earlier = queue.remove(at).ticket;
            queue.push(queued);
            self.refuse(earlier, error, cx);
        } else {
            queue.push(queued);
        }
        self.drive(coordinator, cx);
    }

    /// Sends the next request to a coordinator, unless one is in flight.
    fn drive(&mut self, coordinator: BrokerId, cx: &mut Cx<'_>) {
        let (now, node) = (cx.io.now.mono, peer(cx.context.node, coordinator));
        if self.channels.in_flight(node) > 0 {
            return;
        }
        let Some(queued) = self.queues.remove(&coordinator) else { return };
        if !self.channels.is_ready(now, node) {
            // The back-off after a failed connection is not over.
            for queued in queued {
                self.refuse(queued.ticket, ErrorCode::NetworkException, cx);
            }
            return;
        }
        let (mut transactions, mut asked) = (Vec::new(), Vec::new());
        for Queued { transaction, ticket } in queued {
            asked.push(Asked { transactional_id: transaction.transactional_id.clone(), ticket });
            transactions.push(transaction);
        }
        let version = AddPartitionsToTxnRequest::NEWEST;
        let request = AddPartitionsToTxnRequest { version, transactions };
        let timeout = cx.context.config.request_timeout;
        self.channels.send(now, node, request, timeout, asked, cx.io.out);
    }

    /// Refuses all partitions of the request of `ticket` that have no verdict yet.
    fn refuse(&mut self, ticket: u64, error: ErrorCode, cx: &mut Cx<'_>) {
        let Some(waiting) = self.waiting.get(&ticket) else { return };
        let mut verdicts = waiting.verdicts.clone();
        for id in waiting.verdicts.open() {
            verdicts.refuse(id, error);
        }
        self.settle(ticket, verdicts, cx);
    }

    /// Handles the request of `ticket` under these verdicts. While the previous transaction is
    /// still ending, the coordinator is asked again for a limited time, because a retry by the
    /// client would take longer.
    fn settle(&mut self, ticket: u64, verdicts: Verdicts, cx: &mut Cx<'_>) {
        let Some(waiting) = self.waiting.get_mut(&ticket) else { return };
        let config = &cx.context.config;
        let limit = config.add_partitions_retry_backoff_max.min(config.request_timeout);
        // A group coordinator does not ask again: the producer does.
        let asks_again = matches!(waiting.request, Verifiable::Produce(_));
        let (now, adds) = (cx.io.now.mono, asks_again && waiting.request.adds_partitions());
        let is_over = now.since(waiting.since) >= limit;
        let (timer, at) = if adds && !is_over && verdicts.has(ErrorCode::ConcurrentTransactions) {
            cx.io.out.observe(Fact::Reached(Reach::VerificationRetried));
            (BrokerTimer::Verify(ticket), now + config.add_partitions_retry_backoff)
        } else {
            (BrokerTimer::Verified(ticket), now)
        };
        waiting.verdicts = verdicts;
        cx.io.out.set_timer(Timer::Broker(timer), at);
    }

    fn on_added(
        &mut self,
        asked: &[Asked],
        response: &AddPartitionsToTxnResponse,
        cx: &mut Cx<'_>,
    ) {
        for Asked { transactional_id, ticket } in asked {
            if !response.error.is_none() {
                self.refuse(*ticket, response.error, cx);
                continue;
            }
            let Some(waiting) = self.waiting.get(ticket) else { continue };
            let mut verdicts = waiting.verdicts.clone();
            let added = response.transactions.iter();
            let added = added.filter(|added| added.transactional_id == *transactional_id);
            for (id, error) in added.flat_map(|added| &added.partitions) {
                match error {
                    ErrorCode::None => {}
                    // The error that producers know from produce responses.
                    ErrorCode::ProducerFenced => {
                        verdicts.refuse(*id, ErrorCode::InvalidProducerEpoch);
                    }
                    ErrorCode::TransactionAbortable if !waiting.request.knows_abortable() => {
                        verdicts.refuse(*id, ErrorCode::InvalidTxnState);
                    }
                    error => verdicts.refuse(*id, *error),
                }
            }
            self.settle(*ticket, verdicts, cx);
        }
    }

    /// Handles the loss of requests whose connection has ended.
    fn on_failed(&mut self, failed: Vec<Vec<Asked>>, cx: &mut Cx<'_>) {
        for asked in failed.into_iter().flatten() {
            self.refuse(asked.ticket, ErrorCode::NetworkException, cx);
        }
    }
}

/// The error of the produce request for an error of the coordinator. Transient errors become
/// `NOT_ENOUGH_REPLICAS`, which every client retries without refreshing its metadata.
fn as_produce_error(error: ErrorCode, adds: bool) -> ErrorCode {
    match error {
        ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => ErrorCode::NotEnoughReplicas,
        ErrorCode::ConcurrentTransactions if !adds => ErrorCode::NotEnoughReplicas,
        error => error,
    }
}

impl Part for Verification {
    fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channels.on_opened(conn).is_some()
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> bool {
        let Some(ended) = self.channels.on_closed(cx.io.now.mono, conn) else { return false };
        self.on_failed(ended.failed, cx);
        self.drive(ended.peer.node, cx);
        true
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Some((coordinator, asked)) = self.channels.on_response(conn, correlation_id) else {
            return Ok(());
        };
        if let Response::AddPartitionsToTxn(response) = body {
            self.on_added(&asked, &response, cx);
        }
        self.drive(coordinator.node, cx);
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        for ended in self.channels.on_timer(cx.io.now.mono, cx.io.out) {
            self.on_failed(ended.failed, cx);
            self.drive(ended.peer.node, cx);
        }
    }

    fn invariants(&self) {
        let queued = self.queues.values().flatten();
        let known = queued.map(|it| it.ticket).all(|ticket| self.waiting.contains_key(&ticket));
        assert!(known, "every queued transaction belongs to a parked request");
    }
}
