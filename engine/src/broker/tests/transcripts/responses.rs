//! Responses as JSON, with the names that their fields have in Kafka.

use super::gateway::{EPOCH, Gateway, list};
use crate::error::ErrorCode;
use crate::ids::{TopicId, TopicPartition};
use crate::protocol::{AddPartitionsToTxnRequest, FetchedPartition, Response, TransactionState};
use crate::record::{self, Batch, EndTransactionMarker};
use bytes::Bytes;
use serde_json::{Value, json};

impl Gateway {
    /// A response with the names that its fields have in Kafka.
    pub(super) fn response(
        &self,
        api: &str,
        version: i16,
        request: &Value,
        mut answers: Vec<Response>,
    ) -> Value {
        if api == "FindCoordinator" && version >= 4 {
            let keys = list(&request["coordinatorKeys"]);
            let all = keys.zip(answers).map(|(key, answer)| {
                let Response::FindCoordinator(it) = answer else { panic!("{answer:?}") };
                json!({"key": key, "nodeId": node(it.node), "errorCode": code(it.error, false)})
            });
            return json!({"coordinators": all.collect::<Vec<_>>()});
        }
        match answers.remove(0) {
            Response::FindCoordinator(it) => {
                json!({"errorCode": code(it.error, false), "nodeId": node(it.node)})
            }
            Response::InitProducerId(it) => json!({
                "errorCode": code(it.error, version < 4),
                "producerId": it.producer_id,
                "producerEpoch": it.producer_epoch,
            }),
            Response::EndTxn(it) => json!({
                "errorCode": code(it.error, version < 2),
                "producerId": it.producer_id,
                "producerEpoch": it.producer_epoch,
            }),
            Response::AddPartitionsToTxn(it) => {
                let results = |partitions: &[(TopicPartition, ErrorCode)]| {
                    let row = |(partition, error): &(TopicPartition, ErrorCode)| {
                        let code = code(*error, version < 2);
                        let fields = json!({
                            "partitionIndex": partition.partition,
                            "partitionErrorCode": code,
                        });
                        (partition.topic, fields)
                    };
                    self.by_topic(partitions.iter().map(row), "name", "resultsByPartition")
                };
                if version <= AddPartitionsToTxnRequest::OF_CLIENTS {
                    json!({"resultsByTopicV3AndBelow": results(&it.transactions[0].partitions)})
                } else {
                    let all = it.transactions.iter().map(|it| {
                        json!({
                            "transactionalId": &*it.transactional_id,
                            "topicResults": results(&it.partitions),
                        })
                    });
                    let all: Vec<_> = all.collect();
                    json!({"errorCode": code(it.error, false), "resultsByTransaction": all})
                }
            }
            Response::DescribeTransactions(it) => {
                let all = it.transactions.iter().map(|it| {
                    let partitions = it.partitions.iter().map(|it| (it.topic, json!(it.partition)));
                    json!({
                        "errorCode": code(it.error, false),
                        "transactionalId": &*it.transactional_id,
                        "transactionState": it.state.map_or("", TransactionState::name),
                        "transactionTimeoutMs": it.timeout_ms,
                        "transactionStartTimeMs": it.start_ms,
                        "producerId": it.producer_id,
                        "producerEpoch": it.producer_epoch,
                        "topics": self.by_topic(partitions, "topic", "partitions"),
                    })
                });
                json!({"transactionStates": all.collect::<Vec<_>>()})
            }
            Response::ListTransactions(it) => {
                let matches = |id: &str| match request["transactionalIdPattern"].as_str() {
                    None => true,
                    Some(pattern) => match pattern.strip_suffix(".*") {
                        Some(prefix) => id.starts_with(prefix),
                        None => id == pattern,
                    },
                };
                let named = it.transactions.iter().filter(|it| matches(&it.transactional_id));
                let all = named.map(|it| {
                    json!({
                        "transactionalId": &*it.transactional_id,
                        "producerId": it.producer_id,
                        "transactionState": it.state.name(),
                    })
                });
                json!({"errorCode": code(it.error, false), "transactionStates": all.collect::<Vec<_>>()})
            }
            Response::WriteTxnMarkers(it) => {
                let all = it.markers.iter().map(|it| {
                    let rows = it.partitions.iter().map(|(partition, error)| {
                        let index = partition.partition;
                        let fields =
                            json!({"partitionIndex": index, "errorCode": code(*error, false)});
                        (partition.topic, fields)
                    });
                    let topics = self.by_topic(rows, "name", "partitions");
                    json!({"producerId": it.producer_id, "topics": topics})
                });
                json!({"markers": all.collect::<Vec<_>>()})
            }
            Response::DescribeProducers(it) => {
                let rows = it.partitions.iter().map(|it| {
                    let producers = it.producers.iter().map(|it| {
                        json!({
                            "producerId": it.producer_id,
                            "producerEpoch": it.producer_epoch,
                            "lastSequence": it.last_sequence,
                            "lastTimestamp": it.last_timestamp + EPOCH,
                            "coordinatorEpoch": it.coordinator_epoch,
                            "currentTxnStartOffset": it.current_txn_start_offset,
                        })
                    });
                    let fields = json!({
                        "partitionIndex": it.partition.partition,
                        "errorCode": code(it.error, false),
                        "activeProducers": producers.collect::<Vec<_>>(),
                    });
                    (it.partition.topic, fields)
                });
                json!({"topics": self.by_topic(rows, "name", "partitions")})
            }
            Response::Produce(it) => {
                let rows = it.partitions.iter().map(|it| {
                    let time = if it.log_append_time < 0 { -1 } else { it.log_append_time + EPOCH };
                    let fields = json!({
                        "index": it.partition.partition,
                        "errorCode": code(it.error, false),
                        "baseOffset": it.base_offset,
                        "logAppendTimeMs": time,
                        "logStartOffset": it.log_start_offset,
                    });
                    (it.partition.topic, fields)
                });
                json!({"responses": self.by_topic(rows, "name", "partitionResponses")})
            }
            Response::Fetch(it) => {
                let rows = it.partitions.iter().map(|it| (it.partition.topic, fetched(it)));
                json!({
                    "errorCode": code(it.error, false),
                    "responses": self.by_topic(rows, "topic", "partitions"),
                })
            }
            Response::ListOffsets(it) => {
                let rows = it.partitions.iter().map(|it| {
                    let time = if it.timestamp < 0 { -1 } else { it.timestamp + EPOCH };
                    let fields = json!({
                        "partitionIndex": it.partition.partition,
                        "errorCode": code(it.error, false),
                        "timestamp": time,
                        "offset": it.offset,
                        "leaderEpoch": it.leader_epoch.unwrap_or(-1),
                    });
                    (it.partition.topic, fields)
                });
                json!({"topics": self.by_topic(rows, "name", "partitions")})
            }
            other => panic!("{other:?}"),
        }
    }

    fn by_topic(
        &self,
        rows: impl Iterator<Item = (TopicId, Value)>,
        name: &str,
        of: &str,
    ) -> Value {
        let mut topics: Vec<(TopicId, Vec<Value>)> = Vec::new();
        for (topic, row) in rows {
            match topics.iter_mut().find(|(id, _)| *id == topic) {
                Some((_, rows)) => rows.push(row),
                None => topics.push((topic, vec![row])),
            }
        }
        let all = topics.into_iter().map(|(id, rows)| json!({name: self.name(id), of: rows}));
        Value::Array(all.collect())
    }
}

fn node(id: Option<u16>) -> i64 {
    id.map_or(-1, i64::from)
}

/// The code of an error, for a version that may be too old to know PRODUCER_FENCED. Topics have names
/// in all of these versions.
fn code(error: ErrorCode, old: bool) -> i16 {
    match error {
        ErrorCode::ProducerFenced if old => ErrorCode::InvalidProducerEpoch.code(),
        ErrorCode::UnknownTopicId => ErrorCode::UnknownTopicOrPartition.code(),
        error => error.code(),
    }
}

fn fetched(it: &FetchedPartition) -> Value {
    let aborted = it.aborted_transactions.as_ref().map(|all| {
        let row = |it: &crate::protocol::AbortedTransaction| {
            json!({"producerId": it.producer_id, "firstOffset": it.first_offset})
        };
        all.iter().map(row).collect::<Vec<_>>()
    });
    json!({
        "partitionIndex": it.partition.partition,
        "errorCode": code(it.error, false),
        "highWatermark": it.high_watermark,
        "lastStableOffset": it.last_stable_offset,
        "logStartOffset": it.log_start_offset,
        "abortedTransactions": aborted,
        "recordsSizeInBytes": it.records.size(),
        "batches": it.records.0.iter().map(read).collect::<Vec<_>>(),
    })
}

fn read(bytes: &Bytes) -> Value {
    let batch = Batch::new(bytes).expect("a batch");
    let mut values = Vec::new();
    record::for_each(bytes, |record| {
        values.push(match EndTransactionMarker::read(&record) {
            Ok(Some(marker)) if batch.is_control() => {
                json!(if marker.committed { "COMMIT" } else { "ABORT" })
            }
            _ => json!(record.value.map(|value| String::from_utf8_lossy(value).into_owned())),
        });
    })
    .expect("records");
    json!({
        "baseOffset": batch.base_offset(),
        "lastOffset": batch.last_offset(),
        "leaderEpoch": batch.leader_epoch(),
        "producerId": batch.producer_id(),
        "producerEpoch": batch.producer_epoch(),
        "baseSequence": batch.base_sequence(),
        "transactional": batch.is_transactional(),
        "control": batch.is_control(),
        "compression": "none",
        "values": values,
    })
}
