//! One partition with transactions: the same requests, one by one, get the same responses as from a
//! broker of Apache Kafka 4.1.1.

use super::*;
use crate::protocol::TxnMarker;

const KAFKA: &str = include_str!("../../../../../tests/fixtures/kafka-4.1.1-read-committed.txt");
/// The time of the records of the fixture, from which times count here.
const EPOCH: i64 = 1_700_000_000_000;

impl Replica {
    fn data(&mut self, producer: Option<i64>, epoch: i16, sequence: i32, values: &str) -> Offset {
        let mut batch = BatchBuilder::new();
        if let Some(producer) = producer {
            batch = batch.producer(producer, epoch, sequence).transactional(true);
        }
        for value in values.split(',') {
            batch.append(0, None, Some(value.as_bytes()), &[]);
        }
        let batch = batch.build();
        self.with(|p, context, io| p.append_as_leader(&batch, -1, None, context, io).unwrap())
            .unwrap()
            .base_offset
    }

    fn marker(&mut self, producer_id: i64, producer_epoch: i16, committed: bool) {
        let marker = TxnMarker {
            producer_id,
            producer_epoch,
            committed,
            coordinator_epoch: 0,
            own_epoch: false,
            partitions: vec![ID],
        };
        self.with(|p, context, io| p.append_marker(&marker, context, io).unwrap()).unwrap();
    }

    fn fetched(&mut self, isolation: Isolation, from: Offset, max_bytes: u32) -> String {
        let request = FetchPartition { partition_max_bytes: max_bytes, ..self.request(from) };
        let answer = self.fetch(Reader::Consumer(isolation), &request).0;
        let bases = answer.records.0.iter();
        let bases: Vec<String> = bases
            .map(|it| crate::record::Batch::new(it).unwrap().base_offset().to_string())
            .collect();
        let aborted = answer.aborted_transactions.map_or("-".to_owned(), |aborted| {
            let aborted = aborted.iter();
            let aborted: Vec<String> =
                aborted.map(|it| format!("{}@{}", it.producer_id, it.first_offset)).collect();
            format!("[{}]", aborted.join(","))
        });
        // Kafka's response is cut exactly at the limit, within a batch.
        let rest = u64::from(max_bytes) - answer.records.size();
        let is_cut = max_bytes < 1000 && rest < 78;
        format!(
            "{} {} {} {} {} [{}] {aborted}",
            answer.error.code(),
            answer.high_watermark,
            answer.last_stable_offset,
            answer.log_start_offset,
            answer.records.size() + if is_cut { rest } else { 0 },
            bases.join(","),
        )
    }

    fn listed(&mut self, isolation: Isolation, timestamp: i64) -> Offset {
        let timestamp = if timestamp < 0 { timestamp } else { timestamp - EPOCH };
        let request = ListOffset { partition: ID, current_leader_epoch: None, timestamp };
        let list = |p: &mut Partition, context: &Context, io: &mut Io<'_>| {
            p.list_offset(&request, isolation, false, context, io).unwrap()
        };
        self.with(list).offset
    }
}

fn isolation(level: &str) -> Isolation {
    match level {
        "0" => Isolation::ReadUncommitted,
        _ => Isolation::ReadCommitted,
    }
}

#[test]
fn readers_get_the_same_responses_as_from_kafka() {
    let mut leader = Replica::leader(&[1], 1);
    for line in KAFKA.lines().filter(|line| !line.starts_with('#')) {
        let (request, expected) = line.split_once(" : ").unwrap_or((line, ""));
        let words: Vec<&str> = request.split(' ').collect();
        match words[..] {
            ["script", name] => {
                leader = Replica::leader(&[1], 1);
                leader.context.config.transaction_partition_verification = false;
                if name == "txn-marker-rolls" {
                    // The records are older than this, and the markers are not.
                    let segment_ms = Span::millis(500);
                    let config = TopicConfig { segment_ms, ..TopicConfig::default() };
                    leader.partition.reconfigure(&config);
                }
            }
            ["data", producer, epoch, sequence, values] => {
                let (epoch, sequence) = (epoch.parse().unwrap(), sequence.parse().unwrap());
                let base = leader.data(producer.parse().ok(), epoch, sequence, values);
                assert_eq!(base.to_string(), expected, "{line}");
            }
            ["end", producer, epoch, how] => {
                let (producer, epoch) = (producer.parse().unwrap(), epoch.parse().unwrap());
                leader.marker(producer, epoch, how == "commit");
            }
            ["fetch", level, from, max_bytes] => {
                let (from, max_bytes) = (from.parse().unwrap(), max_bytes.parse().unwrap());
                assert_eq!(leader.fetched(isolation(level), from, max_bytes), expected, "{line}");
            }
            ["list", level, timestamp] => {
                let offset = leader.listed(isolation(level), timestamp.parse().unwrap());
                assert_eq!(offset.to_string(), expected, "{line}");
            }
            _ => panic!("{line}"),
        }
    }
}
