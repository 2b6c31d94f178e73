//! A transactional producer, with responses of brokers that each test chooses.

use super::*;
use crate::client::testing::{Asked, Stage, boot, orders};
use crate::config::TransactionalIdProperty;
use crate::protocol::{
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, FindCoordinatorResponse,
    InitProducerIdResponse, ProduceResponse, ProducedPartition, Request,
};
use crate::record;
use TransactionCall::{Abort, Commit, Init};
use machine::Span;

const COORDINATOR: BrokerId = 3;

/// A producer of transactions on one partition that broker 1 leads; its coordinator is broker 3.
struct Scene {
    stage: Stage,
    producer: Producer,
}

impl Scene {
    /// A producer on which nothing has been called. `level` is that of `transaction.version`.
    fn new(level: u16) -> Self {
        let id = TransactionalIdProperty(Some("transfers".into()));
        let config = ProducerConfig {
            linger: Span::ZERO,
            transactional_id: id,
            max_block: Span::secs(20),
            ..ProducerConfig::default()
        };
        let mut stage = Stage::new(&[(1, 1)]);
        stage.features = (10, level);
        let producer = Producer::new(&config, Rulebook::kafka(), &boot(), &[1, 2, 3]);
        Self { stage, producer }
    }

    /// `initTransactions` has returned id 9000 and epoch 0.
    fn ready(level: u16) -> Self {
        let mut scene = Self::new(level);
        scene.call(Init);
        scene.find();
        scene.init(ErrorCode::None, 0);
        assert_eq!(scene.results(), ["Init returned"]);
        scene
    }

    /// A transaction is open, and its first record, with tag 0, is confirmed.
    fn open(level: u16) -> Self {
        let mut scene = Self::ready(level);
        scene.producer.begin_transaction().unwrap();
        scene.send(0);
        if level == 1 {
            scene.add(ErrorCode::None);
        }
        let produce = scene.next();
        scene.answer_produce(&produce, ErrorCode::None);
        scene.producer.take_events();
        scene
    }

    fn call(&mut self, call: TransactionCall) {
        let (now, out) = (self.stage.now, &mut self.stage.out);
        match call {
            Init => self.producer.init_transactions(now, out).unwrap(),
            Commit => self.producer.commit_transaction(now, out).unwrap(),
            Abort => self.producer.abort_transaction(now, out).unwrap(),
            TransactionCall::SendOffsets => panic!("it takes offsets"),
        }
        self.stage.settle(&mut self.producer);
    }

    fn send(&mut self, tag: u64) {
        let record = ProducerRecord {
            topic: "orders",
            partition: Some(0),
            key: None,
            value: Some(b"value"),
            headers: &[],
            timestamp: None,
        };
        self.producer.send(self.stage.now, record, tag, &mut self.stage.out).unwrap();
        self.stage.settle(&mut self.producer);
    }

    fn next(&mut self) -> Asked {
        self.stage.next()
    }

    fn is_quiet(&self) -> bool {
        self.stage.asked.is_empty()
    }

    fn pass(&mut self, millis: u64) {
        self.stage.pass(&mut self.producer, Span::millis(millis));
    }

    fn find(&mut self) {
        let asked = self.next();
        assert!(matches!(asked.body, Request::FindCoordinator(_)), "{asked:?}");
        let found = FindCoordinatorResponse { error: ErrorCode::None, node: Some(COORDINATOR) };
        self.stage.answer(&mut self.producer, &asked, found);
    }

    /// The coordinator responds with `error`, id 9000 and this epoch, after the back-off of a
    /// retry.
    fn init(&mut self, error: ErrorCode, epoch: i16) {
        self.pass(100);
        let asked = self.next();
        let Request::InitProducerId(request) = &asked.body else { panic!("{asked:?}") };
        assert_eq!(request.transactional_id.as_deref(), Some("transfers"));
        assert_eq!(asked.broker, COORDINATOR);
        let given = InitProducerIdResponse { error, producer_id: 9000, producer_epoch: epoch };
        self.stage.answer(&mut self.producer, &asked, given);
    }

    fn add(&mut self, error: ErrorCode) {
        let asked = self.next();
        let Request::AddPartitionsToTxn(request) = &asked.body else { panic!("{asked:?}") };
        assert!(request.is_of_client());
        let transactions = request.transactions.iter().map(|it| it.refused(error)).collect();
        let added = AddPartitionsToTxnResponse { error: ErrorCode::None, transactions };
        self.stage.answer(&mut self.producer, &asked, added);
    }

    /// The coordinator responds to EndTxn, in the second protocol with epoch `next`.
    fn end(&mut self, committed: bool, error: ErrorCode, next: i16) {
        let asked = self.next();
        let Request::EndTxn(request) = &asked.body else { panic!("{asked:?}") };
        assert_eq!((asked.broker, request.committed), (COORDINATOR, committed));
        let bumps = request.version >= EndTxnRequest::BUMPS_EPOCH && error.is_none();
        let (producer_id, producer_epoch) = if bumps { (9000, next) } else { (-1, -1) };
        let ended = EndTxnResponse { error, producer_id, producer_epoch };
        self.stage.answer(&mut self.producer, &asked, ended);
    }

    fn answer_produce(&mut self, asked: &Asked, error: ErrorCode) {
        let partition = ProducedPartition {
            partition: orders(0),
            error,
            base_offset: if error.is_none() { 40 } else { -1 },
            log_append_time: -1,
            log_start_offset: 0,
            current_leader: None,
        };
        let response = ProduceResponse { partitions: vec![partition] };
        self.stage.answer(&mut self.producer, asked, response);
    }

    /// The results of calls and records since the last call.
    fn results(&mut self) -> Vec<String> {
        let words = |event| match event {
            ProducerEvent::CallReturned { call } => Some(format!("{call:?} returned")),
            ProducerEvent::CallThrew { call, failure } => {
                let kind = if failure.is_fatal { "fatal" } else { "abortable" };
                Some(format!("{call:?} threw {}, {kind}", failure.error))
            }
            ProducerEvent::CallTimedOut { call } => Some(format!("{call:?} timed out")),
            ProducerEvent::Confirmed { tags, .. } => Some(format!("confirmed {tags:?}")),
            ProducerEvent::Failed { error, maybe_written, tags, .. } => {
                let maybe = if maybe_written { "maybe " } else { "" };
                Some(format!("{maybe}failed {tags:?} {error}"))
            }
            _ => None,
        };
        self.producer.take_events().filter_map(words).collect()
    }
}

/// Version, id, epoch and first sequence of the batch in a produce request.
fn batch(asked: &Asked) -> (i16, i64, i16, i32) {
    let Request::Produce(request) = &asked.body else { panic!("{asked:?}") };
    assert_eq!(request.transactional_id.as_deref(), Some("transfers"));
    let view = record::Batch::new(&request.partitions[0].records).expect("a batch");
    view.check_crc().expect("a checksum");
    assert!(view.is_transactional());
    (request.version, view.producer_id(), view.producer_epoch(), view.base_sequence())
}

#[test]
fn each_transaction_of_the_second_protocol_has_an_epoch_and_sequences_of_its_own() {
    let mut scene = Scene::ready(2);
    for epoch in 0..2 {
        scene.producer.begin_transaction().unwrap();
        scene.send(0);
        let produce = scene.next();
        assert_eq!(batch(&produce), (13, 9000, epoch, 0), "no partition is added before");
        scene.answer_produce(&produce, ErrorCode::None);
        scene.call(Commit);
        scene.end(true, ErrorCode::None, epoch + 1);
        assert_eq!(scene.results(), ["confirmed [0]", "Commit returned"]);
    }
}

#[test]
fn in_the_first_protocol_a_batch_is_sent_after_its_partition_is_added() {
    let mut scene = Scene::ready(1);
    for sequence in 0..2 {
        scene.producer.begin_transaction().unwrap();
        scene.send(0);
        assert_eq!(scene.stage.asked.len(), 1, "the batch waits");
        scene.add(ErrorCode::ConcurrentTransactions);
        assert!(scene.is_quiet());
        scene.pass(20);
        scene.add(ErrorCode::None);
        let produce = scene.next();
        assert_eq!(batch(&produce), (11, 9000, 0, sequence), "the epoch and sequences go on");
        scene.answer_produce(&produce, ErrorCode::None);
        scene.call(Commit);
        scene.end(true, ErrorCode::None, -1);
        assert_eq!(scene.results(), ["confirmed [0]", "Commit returned"]);
    }
}

#[test]
fn the_end_of_a_transaction_waits_for_all_of_its_batches() {
    let mut scene = Scene::open(2);
    scene.send(1);
    let first = scene.next();
    scene.call(Commit);
    assert!(scene.is_quiet(), "a batch has no outcome");
    scene.answer_produce(&first, ErrorCode::NotLeaderOrFollower);
    scene.pass(1000);
    let again = scene.next();
    assert_eq!(batch(&again), (13, 9000, 0, 1));
    assert!(scene.is_quiet());
    scene.answer_produce(&again, ErrorCode::None);
    scene.end(true, ErrorCode::None, 1);
    assert_eq!(scene.results(), ["confirmed [1]", "Commit returned"]);
}

#[test]
fn an_abort_gives_up_unsent_batches_and_waits_for_those_in_flight() {
    let mut scene = Scene::ready(1);
    scene.producer.begin_transaction().unwrap();
    scene.send(0);
    scene.add(ErrorCode::None);
    let first = scene.next();
    scene.stage.cut(&mut scene.producer, &first);
    scene.send(1);
    scene.call(Abort);
    assert_eq!(scene.results(), ["failed [1] OPERATION_NOT_ATTEMPTED"]);
    scene.pass(1000);
    let again = scene.next();
    assert_eq!(batch(&again).3, 0);
    assert!(scene.is_quiet());
    scene.answer_produce(&again, ErrorCode::None);
    scene.end(false, ErrorCode::None, -1);
    assert_eq!(scene.results(), ["confirmed [0]", "Abort returned"]);
}

#[test]
fn after_a_fenced_batch_the_commit_throws_and_an_abort_succeeds() {
    let mut scene = Scene::open(2);
    scene.send(1);
    let produce = scene.next();
    scene.call(Commit);
    scene.answer_produce(&produce, ErrorCode::InvalidProducerEpoch);
    let expected =
        ["failed [1] INVALID_PRODUCER_EPOCH", "Commit threw INVALID_PRODUCER_EPOCH, abortable"];
    assert_eq!(scene.results(), expected);
    scene.call(Abort);
    scene.end(false, ErrorCode::ConcurrentTransactions, -1);
    scene.pass(100);
    scene.end(false, ErrorCode::None, 5);
    assert_eq!(scene.results(), ["Abort returned"]);
    scene.producer.begin_transaction().unwrap();
    scene.send(2);
    let produce = scene.next();
    assert_eq!(batch(&produce), (13, 9000, 5, 0));
}

#[test]
fn a_fenced_producer_sends_nothing_more() {
    let mut scene = Scene::open(2);
    scene.call(Commit);
    scene.end(true, ErrorCode::ProducerFenced, -1);
    assert_eq!(scene.results(), ["Commit threw PRODUCER_FENCED, fatal"]);
    let failure = scene.producer.transaction_failure().unwrap();
    let refused = Err(TransactionError::Failed(failure));
    assert_eq!(scene.producer.begin_transaction(), refused);
    scene.pass(60_000);
    assert!(scene.is_quiet() && scene.producer.is_idle());
}

#[test]
fn after_the_coordinator_has_moved_it_is_found_again_and_the_request_repeated() {
    let mut scene = Scene::open(2);
    scene.call(Commit);
    let end = scene.next();
    scene.stage.cut(&mut scene.producer, &end);
    // Until the back-off before another connection has ended, the producer looks for the
    // coordinator again and again.
    scene.find();
    scene.pass(50);
    scene.find();
    scene.pass(100);
    scene.end(true, ErrorCode::NotCoordinator, -1);
    scene.find();
    scene.pass(100);
    scene.end(true, ErrorCode::None, 1);
    assert_eq!(scene.results(), ["Commit returned"]);
}

#[test]
fn a_commit_that_times_out_is_repeated_and_gets_the_result() {
    let mut scene = Scene::open(2);
    scene.call(Commit);
    scene.pass(20_000);
    assert_eq!(scene.results(), ["Commit timed out"]);
    let (now, out) = (scene.stage.now, &mut scene.stage.out);
    let refused = Err(TransactionError::Pending(Commit));
    assert_eq!(scene.producer.abort_transaction(now, out), refused);
    scene.call(Commit);
    scene.end(true, ErrorCode::None, 1);
    assert_eq!(scene.results(), ["Commit returned"]);
}

#[test]
fn a_record_outside_a_transaction_is_refused() {
    let mut scene = Scene::ready(2);
    let record = ProducerRecord {
        topic: "orders",
        partition: None,
        key: None,
        value: None,
        headers: &[],
        timestamp: None,
    };
    let refused = scene.producer.send(scene.stage.now, record, 0, &mut scene.stage.out);
    let state = TransactionState::Ready;
    assert_eq!(refused, Err(SendError::Transaction(TransactionError::IllegalState(state))));
}

#[test]
fn closing_at_once_fails_batches_in_flight() {
    let mut scene = Scene::open(2);
    scene.send(1);
    assert_eq!(batch(&scene.next()).3, 1);
    scene.producer.close_now(scene.stage.now, &mut scene.stage.out);
    assert_eq!(scene.results(), ["maybe failed [1] NETWORK_EXCEPTION"]);
}
