//! A transaction over two partitions, with a crash of one broker before each of its steps: it has
//! the same outcome in both partitions, and no transaction hangs.

use super::*;
use crate::protocol::{
    CreatableTopic, CreateTopicsRequest, FetchMetadata, FetchPartition, FetchRequest, Isolation,
    ProducePartition, ProduceRequest,
};
use crate::record::BatchBuilder;
use bytes::Bytes;
use machine::Mono;

/// The smallest number of crashes to be tried, over all brokers: fewer would mean that steps are
/// missed.
const CRASHES: u64 = 120;

/// The producer of a transaction, which repeats requests until it has a response, like Kafka's
/// client.
struct Producer {
    cluster: Cluster,
    partitions: [TopicPartition; 2],
    until: Mono,
}

/// How a transaction ended for its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Committed,
    Aborted,
    /// The producer got a fatal error before it had ended the transaction.
    GivenUp,
}

impl Producer {
    /// `__transaction_state` is on brokers 3, 1, 2 in this order, the partitions on 1, 2, 3 and 2, 3, 1.
    fn new() -> Self {
        let (mut cluster, orders) = start();
        let mut create = |name: &str, replicas: &[BrokerId]| {
            let conn = cluster.connect(1);
            let topic = CreatableTopic {
                name: name.to_owned(),
                num_partitions: -1,
                replication_factor: -1,
                assignments: vec![replicas.to_vec()],
                configs: vec![("min.insync.replicas".to_owned(), "2".to_owned())],
            };
            let timeout = Span::secs(30);
            cluster.ask(conn, CreateTopicsRequest { topics: vec![topic], timeout });
            let Response::CreateTopics(created) = cluster.answer(conn) else { panic!("no topic") };
            TopicPartition::new(created.topics[0].topic, 0)
        };
        create("__transaction_state", &[3, 1, 2]);
        let payments = create("payments", &[2, 3, 1]);
        cluster.run_for(Span::secs(1));
        let until = cluster.now + Span::secs(120);
        Self { cluster, partitions: [orders, payments], until }
    }

    /// A response of a broker; `None` if there is none, or if the broker is down.
    fn ask(&mut self, node: BrokerId, request: impl Into<Request>) -> Option<Response> {
        assert!(self.cluster.now < self.until, "the producer is stuck");
        let conn = self.cluster.connect(node);
        self.cluster.ask(conn, request);
        let end = self.cluster.now + Span::secs(4);
        while self.cluster.now < end {
            self.cluster.run_for(Span::millis(5));
            if let Some(answers) = self.cluster.answers.get_mut(&conn)
                && !answers.is_empty()
            {
                return Some(answers.remove(0));
            }
            if self.cluster.closed.contains(&conn) {
                break;
            }
        }
        self.pause();
        None
    }

    fn pause(&mut self) {
        self.cluster.run_for(Span::millis(100));
    }

    /// Repeats a request to the coordinator until it succeeds or fails with an error that is not
    /// retriable.
    fn ask_coordinator<T>(
        &mut self,
        request: impl Into<Request> + Clone,
        read: impl Fn(Response) -> (ErrorCode, T),
    ) -> (ErrorCode, T) {
        loop {
            for node in BROKERS {
                let find = FindCoordinatorRequest {
                    key_type: CoordinatorType::Transaction,
                    key: ID.into(),
                };
                let Some(Response::FindCoordinator(found)) = self.ask(node, find) else { continue };
                let Some(coordinator) = found.node else { continue };
                let Some(response) = self.ask(coordinator, request.clone()) else { continue };
                let (error, body) = read(response);
                if !error.is_retriable() {
                    return (error, body);
                }
                self.pause();
            }
        }
    }

    fn init(&mut self) -> (i64, i16) {
        let request = InitProducerIdRequest {
            transactional_id: Some(ID.into()),
            transaction_timeout: Span::secs(60),
            producer_id: -1,
            producer_epoch: -1,
        };
        let (error, producer) = self.ask_coordinator(request, |response| match response {
            Response::InitProducerId(it) => (it.error, (it.producer_id, it.producer_epoch)),
            other => panic!("{other:?}"),
        });
        assert_eq!(error, ErrorCode::None);
        producer
    }

    /// Sends a record until it is confirmed or refused for good.
    fn produce(&mut self, producer: (i64, i16), partition: TopicPartition) -> ErrorCode {
        loop {
            let leader = BROKERS.into_iter().find(|id| self.cluster.leads(*id, partition));
            let Some(leader) = leader else {
                self.pause();
                continue;
            };
            let request = ProduceRequest {
                version: ProduceRequest::NEWEST,
                transactional_id: Some(ID.into()),
                acks: -1,
                timeout: Span::secs(3),
                partitions: vec![ProducePartition { partition, records: batch(producer) }],
            };
            match self.ask(leader, request) {
                Some(Response::Produce(it)) if !it.partitions[0].error.is_retriable() => {
                    return it.partitions[0].error;
                }
                _ => self.pause(),
            }
        }
    }

    fn end(&mut self, producer: (i64, i16), committed: bool) -> ErrorCode {
        let request = EndTxnRequest {
            version: EndTxnRequest::NEWEST,
            transactional_id: ID.into(),
            producer_id: producer.0,
            producer_epoch: producer.1,
            committed,
        };
        let read = |response| match response {
            Response::EndTxn(it) => (it.error, ()),
            other => panic!("{other:?}"),
        };
        self.ask_coordinator(request, read).0
    }

    fn transaction(&mut self) -> Ended {
        let producer = self.init();
        let refused = self.partitions.map(|it| self.produce(producer, it)) != [ErrorCode::None; 2];
        match (self.end(producer, !refused), refused) {
            (ErrorCode::None, false) => Ended::Committed,
            (ErrorCode::None, true) => Ended::Aborted,
            _ => Ended::GivenUp,
        }
    }

    /// The number of records of each partition that a reader of committed records sees, once no
    /// transaction is open.
    fn visible(&mut self, ended: Ended) -> [usize; 2] {
        let least = i64::from(ended == Ended::Committed);
        self.partitions.map(|partition| {
            loop {
                let leader = BROKERS.into_iter().find(|id| self.cluster.leads(*id, partition));
                let Some(leader) = leader else {
                    self.pause();
                    continue;
                };
                let fetch = FetchPartition {
                    partition,
                    current_leader_epoch: None,
                    fetch_offset: 0,
                    last_fetched_epoch: None,
                    log_start_offset: -1,
                    partition_max_bytes: 1 << 20,
                    high_watermark: None,
                };
                let request = FetchRequest {
                    replica: None,
                    max_wait: Span::ZERO,
                    min_bytes: 0,
                    max_bytes: 1 << 20,
                    isolation: Isolation::ReadCommitted,
                    session: FetchMetadata::SESSIONLESS,
                    partitions: vec![fetch],
                    forgotten: Vec::new(),
                };
                if let Some(Response::Fetch(fetched)) = self.ask(leader, request)
                    && let [found] = &fetched.partitions[..]
                    && found.error.is_none()
                    && found.last_stable_offset == found.high_watermark
                    && found.high_watermark >= least
                {
                    let batches = found.records.0.iter();
                    let data = batches.filter(|it| !Batch::new(it).expect("a batch").is_control());
                    let aborted =
                        found.aborted_transactions.as_ref().is_some_and(|it| !it.is_empty());
                    return if aborted { 0 } else { data.count() };
                }
                self.pause();
            }
        })
    }
}

fn batch(producer: (i64, i16)) -> Bytes {
    let mut batch = BatchBuilder::new().producer(producer.0, producer.1, 0).transactional(true);
    batch.append(1_000, None, Some(b"value"), &[]);
    batch.build()
}

#[test]
fn a_crash_of_any_broker_at_any_step_leaves_one_outcome_in_all_partitions() {
    let mut calm = Producer::new();
    let first = calm.cluster.steps;
    assert_eq!(calm.transaction(), Ended::Committed);
    assert_eq!(calm.visible(Ended::Committed), [1, 1]);
    let steps = calm.cluster.steps - first;
    let stride = (steps * BROKERS.len() as u64 / CRASHES).max(1);
    let mut tried = 0;
    let mut outcomes = Vec::new();
    for id in BROKERS {
        for step in (0..steps).step_by(usize::try_from(stride).expect("a small number")) {
            let mut producer = Producer::new();
            producer.cluster.crash_at = Some((producer.cluster.steps + step, id));
            let ended = producer.transaction();
            let visible = producer.visible(ended);
            match ended {
                Ended::Committed => assert_eq!(visible, [1, 1], "{id} at step {step}"),
                Ended::Aborted => assert_eq!(visible, [0, 0], "{id} at step {step}"),
                Ended::GivenUp => assert_eq!(visible[0], visible[1], "{id} at step {step}"),
            }
            let decided = decisions(&producer.cluster);
            assert!(decided.windows(2).all(|it| it[0] == it[1]), "{id} at {step}: {decided:?}");
            outcomes.push(ended);
            tried += 1;
        }
    }
    assert!(tried >= CRASHES, "{tried} crashes over {steps} steps");
    let committed = outcomes.iter().filter(|it| **it == Ended::Committed).count();
    assert!(committed > outcomes.len() / 2, "{committed} of {}", outcomes.len());
}
