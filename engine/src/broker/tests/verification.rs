//! Requests to coordinators before transactional batches are appended.

use crate::Outbox;
use crate::broker::context::{Context, Cx, Io};
use crate::broker::part::Part;
use crate::broker::replicas::{Question, Verdicts};
use crate::broker::requests::{Requests, Served};
use crate::broker::verification::{Verifiable, Verification, Verified};
use crate::config::{BrokerConfig, TopicConfig};
use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, TopicId, TopicPartition};
use crate::log::testdisk::TestDisk;
use crate::metadata::{MetadataImage, MetadataRecord, PartitionRecord, RegisterBroker};
use crate::net::Asked;
use crate::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddedPartitionsToTxn, Message, ProduceRequest, Request, Response,
};
use crate::rules::Rulebook;
use crate::timer::{BrokerTimer, Timer};
use machine::{ConnId, Lane, Mono, NodeId, Now, Output, Span, Wall};

const A: TopicPartition = TopicPartition::new(TopicId(7), 0);
const B: TopicPartition = TopicPartition::new(TopicId(7), 1);
const CLIENT: NodeId = NodeId::new(0, 1001);

/// The part of the broker alone, on broker 1 of a cluster in which broker 2 coordinates all
/// transactions.
struct Bench {
    context: Context,
    requests: Requests,
    part: Verification,
    disk: TestDisk,
    out: Outbox,
    now: Mono,
    clients: u32,
    timers: Vec<(Mono, BrokerTimer)>,
}

/// A request that was sent to the coordinator.
struct Sent {
    conn: ConnId,
    correlation_id: u32,
    transactions: Vec<AddPartitionsToTxn>,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            context: Context {
                node: NodeId::new(0, 1),
                id: 1,
                config: BrokerConfig::default(),
                rules: Rulebook::kafka(),
                image: MetadataImage::new(TopicConfig::default()),
                broker_epoch: 11,
                controller: None,
                serving: true,
                stopping: false,
            },
            requests: Requests::new(),
            part: Verification::new(Span::secs(10)),
            disk: TestDisk::default(),
            out: Outbox::new(NodeId::new(0, 1), 0),
            now: Mono(Span::secs(100).0),
            clients: 0,
            timers: Vec::new(),
        };
        for broker in 1..=2 {
            bench.replay(MetadataRecord::RegisterBroker(RegisterBroker {
                broker,
                incarnation: 1,
                broker_epoch: 10 + BrokerEpoch::from(broker),
                rack: None,
                fenced: false,
                in_controlled_shutdown: false,
                log_dirs: Vec::new(),
            }));
        }
        let id = TopicId(3);
        let name = "__transaction_state".to_owned();
        bench.replay(MetadataRecord::Topic { id, name });
        bench.replay(MetadataRecord::Partition(PartitionRecord {
            partition: TopicPartition::new(id, 0),
            replicas: vec![2],
            directories: Vec::new(),
            isr: vec![2],
            elr: Vec::new(),
            last_known_leader: None,
            leader: Some(2),
            leader_epoch: 0,
            partition_epoch: 0,
        }));
        bench
    }

    fn replay(&mut self, record: MetadataRecord) {
        self.context.image.replay(self.context.image.offset() + 1, &record).unwrap();
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Verification, &mut Cx<'_>) -> R) -> R {
        let now = Now { mono: self.now, wall: Wall(0) };
        let io = Io { now, lane: Lane::Request, disk: &mut self.disk, out: &mut self.out };
        let mut cx = Cx { context: &self.context, requests: &mut self.requests, io };
        let result = act(&mut self.part, &mut cx);
        self.part.invariants();
        self.requests.invariants();
        result
    }

    /// A produce request of `id`, in a transaction of this epoch, for these partitions.
    fn ask(&mut self, version: i16, id: &str, epoch: i16, partitions: &[TopicPartition]) -> ConnId {
        let conn = ConnId::new(CLIENT, 0, self.clients);
        self.clients += 1;
        let request = produce(version, id);
        let asked = Asked { conn, correlation_id: 9, request: request.clone().into() };
        assert!(self.requests.receive(asked, &mut self.out).is_some());
        let question = question(epoch, partitions);
        let served = self.with(|part, cx| {
            let request = Verifiable::Produce(request);
            part.ask((conn, 9), request, question, cx)
        });
        assert!(matches!(served, Served::Parked));
        conn
    }

    /// The requests that were sent since the last call.
    fn sent(&mut self) -> Vec<Sent> {
        let mut all = Vec::new();
        let outputs: Vec<_> = self.out.drain().collect();
        for output in outputs {
            match output {
                Output::Send {
                    conn,
                    message:
                        Message::Request { correlation_id, body: Request::AddPartitionsToTxn(request) },
                } => {
                    let AddPartitionsToTxnRequest { transactions, .. } = request;
                    all.push(Sent { conn, correlation_id, transactions });
                }
                Output::SetTimer { timer: Timer::Broker(timer), at } => {
                    self.timers.push((at, timer));
                }
                _ => {}
            }
        }
        all
    }
}

fn produce(version: i16, id: &str) -> ProduceRequest {
    ProduceRequest {
        version,
        transactional_id: Some(id.into()),
        acks: -1,
        timeout: Span::secs(30),
        partitions: Vec::new(),
    }
}

fn question(producer_epoch: i16, partitions: &[TopicPartition]) -> Question {
    let guards = partitions.iter().zip(1..).map(|(id, guard)| (*id, Ok(guard)));
    Question { producer_id: 7, producer_epoch, verdicts: Verdicts::new(guards.collect()) }
}

/// The versions of Produce that verify a transaction, or add to it.
const VERIFIES: i16 = 11;
const ADDS: i16 = 12;

impl Bench {
    /// The coordinator responds to a request with these errors, in order of partitions.
    fn respond(&mut self, sent: &Sent, errors: &[ErrorCode]) {
        let mut errors = errors.iter().copied();
        let added = sent.transactions.iter().map(|it| AddedPartitionsToTxn {
            transactional_id: it.transactional_id.clone(),
            partitions: it.partitions.iter().map(|id| (*id, errors.next().unwrap())).collect(),
        });
        let transactions = added.collect();
        let response = AddPartitionsToTxnResponse { error: ErrorCode::None, transactions };
        self.on_response(sent, response);
    }

    fn on_response(&mut self, sent: &Sent, response: AddPartitionsToTxnResponse) {
        let (conn, correlation_id) = (sent.conn, sent.correlation_id);
        let body = Response::from(response);
        self.with(|part, cx| part.on_response(conn, correlation_id, body, cx).unwrap());
    }

    /// The only request that was sent.
    fn one(&mut self) -> Sent {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1);
        sent.pop().unwrap()
    }

    /// The requests whose verdicts are known, and the number of those for which the coordinator
    /// will be asked again.
    fn verified(&mut self) -> (Vec<Verified>, usize) {
        self.sent();
        let (now, mut again) = (self.now, 0);
        let mut verified = Vec::new();
        for (at, timer) in std::mem::take(&mut self.timers) {
            match timer {
                BrokerTimer::Verified(ticket) => {
                    assert_eq!(at, now);
                    verified.extend(self.with(|part, cx| part.take(ticket, cx)));
                }
                BrokerTimer::Verify(ticket) => {
                    assert_eq!(at, now + Span::millis(20));
                    again += 1;
                    self.timers.push((at, BrokerTimer::Verify(ticket)));
                }
                _ => {}
            }
        }
        (verified, again)
    }

    /// The verdict of the only request on partition A.
    fn verdict(&mut self) -> Result<Option<u64>, ErrorCode> {
        let (verified, again) = self.verified();
        assert_eq!((verified.len(), again), (1, 0));
        verified[0].verdicts.of(A)
    }

    /// Asks again for the requests that wait for a retry.
    fn ask_again(&mut self, epoch: i16, partitions: &[TopicPartition]) {
        for (at, timer) in std::mem::take(&mut self.timers) {
            let BrokerTimer::Verify(ticket) = timer else { continue };
            self.now = at;
            assert!(self.part.request(ticket).is_some());
            let question = question(epoch, partitions);
            self.with(|part, cx| part.ask_again(ticket, Ok(Some(question)), cx));
        }
    }
}

#[test]
fn the_coordinator_adds_or_verifies_and_the_request_continues_with_its_guards() {
    for (version, verify_only) in [(ADDS, false), (VERIFIES, true)] {
        let mut bench = Bench::new();
        let conn = bench.ask(version, "a", 3, &[A, B]);
        let sent = bench.one();
        let asked = &sent.transactions[0];
        assert_eq!((asked.producer_id, asked.producer_epoch), (7, 3));
        assert_eq!((asked.verify_only, &asked.partitions[..]), (verify_only, &[A, B][..]));
        bench.respond(&sent, &[ErrorCode::None, ErrorCode::InvalidProducerIdMapping]);
        let (verified, _) = bench.verified();
        let Verified { from, verdicts, .. } = &verified[0];
        assert_eq!(*from, Some((conn, 9)));
        assert_eq!(verdicts.of(A), Ok(Some(1)), "partitions pass one by one");
        assert_eq!(verdicts.of(B), Err(ErrorCode::InvalidProducerIdMapping));
    }
}

#[test]
fn errors_of_coordinators_become_errors_that_producers_know() {
    use ErrorCode::*;
    let verdict = |version, error| {
        let mut bench = Bench::new();
        bench.ask(version, "a", 0, &[A]);
        let sent = bench.one();
        bench.now += Span::millis(100);
        bench.respond(&sent, &[error]);
        bench.verdict()
    };
    for version in [10, VERIFIES, ADDS] {
        assert_eq!(verdict(version, ProducerFenced), Err(InvalidProducerEpoch));
        for trouble in [NotCoordinator, CoordinatorLoadInProgress, CoordinatorNotAvailable] {
            assert_eq!(verdict(version, trouble), Err(NotEnoughReplicas));
        }
    }
    assert_eq!(verdict(10, TransactionAbortable), Err(InvalidTxnState));
    assert_eq!(verdict(VERIFIES, TransactionAbortable), Err(TransactionAbortable));
    assert_eq!(verdict(VERIFIES, ConcurrentTransactions), Err(NotEnoughReplicas));
    assert_eq!(verdict(ADDS, ConcurrentTransactions), Err(ConcurrentTransactions));
}

#[test]
fn an_error_of_the_whole_response_refuses_all_partitions() {
    let mut bench = Bench::new();
    bench.ask(ADDS, "a", 0, &[A, B]);
    let sent = bench.one();
    let (error, transactions) = (ErrorCode::UnknownServerError, Vec::new());
    bench.on_response(&sent, AddPartitionsToTxnResponse { error, transactions });
    assert_eq!(bench.verdict(), Err(ErrorCode::UnknownServerError));
}

#[test]
fn the_coordinator_is_asked_again_while_the_previous_transaction_is_ending() {
    let mut bench = Bench::new();
    bench.ask(ADDS, "a", 0, &[A]);
    for round in 0..5 {
        let sent = bench.one();
        bench.respond(&sent, &[ErrorCode::ConcurrentTransactions]);
        let (verified, again) = bench.verified();
        assert_eq!((verified.len(), again), (0, 1), "after {} ms", 20 * round);
        bench.ask_again(0, &[A]);
    }
    let sent = bench.one();
    bench.respond(&sent, &[ErrorCode::ConcurrentTransactions]);
    assert_eq!(bench.verdict(), Err(ErrorCode::ConcurrentTransactions), "after 100 ms");

    let mut bench = Bench::new();
    bench.ask(VERIFIES, "a", 0, &[A]);
    let sent = bench.one();
    bench.respond(&sent, &[ErrorCode::ConcurrentTransactions]);
    assert_eq!(
        bench.verdict(),
        Err(ErrorCode::NotEnoughReplicas),
        "a request of version 1 is not retried"
    );
}

#[test]
fn without_a_coordinator_no_request_is_sent() {
    let mut bench = Bench::new();
    let id = bench.context.image.topic_by_name("__transaction_state").unwrap().id;
    bench.replay(MetadataRecord::RemoveTopic { id });
    bench.ask(ADDS, "a", 0, &[A]);
    assert!(bench.sent().is_empty());
    assert_eq!(bench.verdict(), Err(ErrorCode::NotEnoughReplicas));
}

#[test]
fn if_the_coordinator_cannot_be_reached_the_client_has_to_retry() {
    let mut bench = Bench::new();
    bench.ask(ADDS, "a", 0, &[A]);
    let sent = bench.one();
    bench.ask(ADDS, "b", 0, &[A]);
    assert!(bench.with(|part, cx| part.on_closed(sent.conn, cx)));
    let (verified, _) = bench.verified();
    let verdicts: Vec<_> = verified.iter().map(|it| it.verdicts.of(A)).collect();
    let error = Err(ErrorCode::NotEnoughReplicas);
    assert_eq!(verdicts, [error, error], "and the queued request behind it");
    bench.now += Span::millis(50);
    bench.ask(ADDS, "a", 0, &[A]);
    assert_eq!(bench.sent().len(), 1, "over a new connection");
}

#[test]
fn one_request_is_in_flight_and_the_next_one_has_all_transactions_queued_meanwhile() {
    let mut bench = Bench::new();
    bench.ask(ADDS, "a", 0, &[A]);
    let first = bench.one();
    bench.ask(ADDS, "b", 0, &[A]);
    bench.ask(ADDS, "c", 0, &[B]);
    assert!(bench.sent().is_empty());
    bench.respond(&first, &[ErrorCode::None]);
    let second = bench.one();
    let ids: Vec<&str> = second.transactions.iter().map(|it| &*it.transactional_id).collect();
    assert_eq!(ids, ["b", "c"]);
    bench.respond(&second, &[ErrorCode::None, ErrorCode::None]);
    assert_eq!(bench.verified().0.len(), 3);
}

#[test]
fn of_two_queued_requests_with_one_transactional_id_one_is_refused() {
    let refused = |before: i16, now: i16| {
        let mut bench = Bench::new();
        bench.ask(ADDS, "other", 0, &[A]);
        let _ = bench.one();
        let earlier = bench.ask(ADDS, "a", before, &[A]);
        bench.ask(ADDS, "a", now, &[A]);
        let (verified, _) = bench.verified();
        assert_eq!(verified.len(), 1);
        let is_earlier = verified[0].from == Some((earlier, 9));
        (is_earlier, verified[0].verdicts.of(A).unwrap_err())
    };
    assert_eq!(
        refused(3, 3),
        (true, ErrorCode::NotEnoughReplicas),
        "a repeated request of the client"
    );
    assert_eq!(refused(3, 4), (true, ErrorCode::InvalidProducerEpoch));
    assert_eq!(refused(4, 3), (false, ErrorCode::InvalidProducerEpoch));
}

#[test]
fn a_request_whose_client_has_disconnected_is_appended() {
    let mut bench = Bench::new();
    let conn = bench.ask(ADDS, "a", 0, &[A]);
    let sent = bench.one();
    assert!(bench.requests.close(conn).is_some());
    bench.respond(&sent, &[ErrorCode::None]);
    let (verified, _) = bench.verified();
    assert_eq!(verified[0].from, None);
    assert_eq!(verified[0].verdicts.of(A), Ok(Some(1)));
}
