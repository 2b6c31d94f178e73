//! Between the fields of Kafka's messages, as JSON, and requests and responses here.

use crate::error::ErrorCode;
use crate::ids::{TopicId, TopicPartition};
use crate::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, CoordinatorType, DescribeProducersRequest,
    DescribeTransactionsRequest, EndTxnRequest, FetchMetadata, FetchPartition, FetchRequest,
    FetchedPartition, FindCoordinatorRequest, InitProducerIdRequest, Isolation, ListOffset,
    ListOffsetsRequest, ListTransactionsRequest, ProducePartition, ProduceRequest, Request,
    Response, TransactionState, TxnMarker, WriteTxnMarkersRequest,
};
use crate::record::{self, Batch, BatchBuilder, EndTransactionMarker};
use bytes::Bytes;
use machine::Span;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The time from which the records of scripts count, in milliseconds.
const EPOCH: i64 = 1_700_000_000_000;

/// The topics by name.
#[derive(Default)]
pub(super) struct Gateway {
    ids: BTreeMap<String, TopicId>,
}

impl Gateway {
    pub(super) fn add(&mut self, name: &str, id: TopicId) {
        self.ids.insert(name.to_owned(), id);
    }

    fn id(&mut self, name: &str) -> TopicId {
        // An id that no topic has stands for a name that no topic has.
        let unknown = TopicId(1_000 + self.ids.len() as u128);
        *self.ids.entry(name.to_owned()).or_insert(unknown)
    }

    fn name(&self, id: TopicId) -> &str {
        self.ids.iter().find(|(_, it)| **it == id).map_or("?", |(name, _)| name)
    }

    /// The requests that a request stands for; `None` if it is about something that is not modelled.
    pub(super) fn request(
        &mut self,
        api: &str,
        version: i16,
        body: &Value,
    ) -> Option<Vec<Request>> {
        let one = |request: Request| Some(vec![request]);
        match api {
            "FindCoordinator" => find_coordinator(body),
            "InitProducerId" => one(init_producer_id(version, body)?),
            "AddPartitionsToTxn" => one(self.add_partitions(version, body)?.into()),
            "EndTxn" => one(EndTxnRequest {
                version,
                transactional_id: text(&body["transactionalId"]).into(),
                producer_id: long(&body["producerId"]),
                producer_epoch: long(&body["producerEpoch"]) as i16,
                committed: body["committed"].as_bool().unwrap_or(false),
            }
            .into()),
            "DescribeTransactions" => {
                let ids = list(&body["transactionalIds"]).map(|id| text(id).into());
                one(DescribeTransactionsRequest { transactional_ids: ids.collect() }.into())
            }
            "ListTransactions" => one(list_transactions(body).into()),
            "WriteTxnMarkers" => one(self.write_markers(body)?.into()),
            "DescribeProducers" => {
                let partitions = self.partitions(&body["topics"], "name", "partitionIndexes");
                one(DescribeProducersRequest { partitions }.into())
            }
            "Produce" => one(self.produce(version, body)?.into()),
            "Fetch" => one(self.fetch(body)?.into()),
            "ListOffsets" => one(self.list_offsets(body).into()),
            _ => None,
        }
    }

    fn partitions(&mut self, topics: &Value, name: &str, indexes: &str) -> Vec<TopicPartition> {
        let mut all = Vec::new();
        for topic in list(topics) {
            let id = self.id(text(&topic[name]));
            all.extend(list(&topic[indexes]).map(|it| TopicPartition::new(id, long(it) as i32)));
        }
        all
    }

    fn add_partitions(&mut self, version: i16, body: &Value) -> Option<AddPartitionsToTxnRequest> {
        let transactions = if version <= AddPartitionsToTxnRequest::OF_CLIENTS {
            vec![AddPartitionsToTxn {
                transactional_id: text(&body["v3AndBelowTransactionalId"]).into(),
                producer_id: long(&body["v3AndBelowProducerId"]),
                producer_epoch: long(&body["v3AndBelowProducerEpoch"]) as i16,
                verify_only: false,
                partitions: self.partitions(&body["v3AndBelowTopics"], "name", "partitions"),
            }]
        } else {
            let mut all = Vec::new();
            for it in list(&body["transactions"]) {
                all.push(AddPartitionsToTxn {
                    transactional_id: text(&it["transactionalId"]).into(),
                    producer_id: long(&it["producerId"]),
                    producer_epoch: long(&it["producerEpoch"]) as i16,
                    verify_only: it["verifyOnly"].as_bool().unwrap_or(false),
                    partitions: self.partitions(&it["topics"], "name", "partitions"),
                });
            }
            all
        };
        let about_groups = |it: &TopicPartition| self.name(it.topic) == "__consumer_offsets";
        let groups = transactions.iter().flat_map(|it| &it.partitions).any(about_groups);
        (!groups).then_some(AddPartitionsToTxnRequest { version, transactions })
    }

    fn write_markers(&mut self, body: &Value) -> Option<WriteTxnMarkersRequest> {
        let mut markers = Vec::new();
        for marker in list(&body["markers"]) {
            if list(&marker["topics"]).any(|topic| topic["name"] == "__consumer_offsets") {
                return None;
            }
            markers.push(TxnMarker {
                producer_id: long(&marker["producerId"]),
                producer_epoch: long(&marker["producerEpoch"]) as i16,
                committed: marker["transactionResult"].as_bool().unwrap_or(false),
                coordinator_epoch: long(&marker["coordinatorEpoch"]) as i32,
                partitions: self.partitions(&marker["topics"], "name", "partitionIndexes"),
            });
        }
        Some(WriteTxnMarkersRequest { markers })
    }

    fn produce(&mut self, version: i16, body: &Value) -> Option<ProduceRequest> {
        let mut partitions = Vec::new();
        for topic in list(&body["topicData"]) {
            let id = self.id(text(&topic["name"]));
            for partition in list(&topic["partitionData"]) {
                partitions.push(ProducePartition {
                    partition: TopicPartition::new(id, long(&partition["index"]) as i32),
                    records: batch(&partition["batch"])?,
                });
            }
        }
        Some(ProduceRequest {
            version,
            transactional_id: body["transactionalId"].as_str().map(Into::into),
            acks: long(&body["acks"]) as i16,
            timeout: Span::millis(long(&body["timeoutMs"]) as u64),
            partitions,
        })
    }

    fn fetch(&mut self, body: &Value) -> Option<FetchRequest> {
        let mut partitions = Vec::new();
        for topic in list(&body["topics"]) {
            let id = self.id(text(&topic["topic"]));
            for partition in list(&topic["partitions"]) {
                partitions.push(FetchPartition {
                    partition: TopicPartition::new(id, long(&partition["partition"]) as i32),
                    current_leader_epoch: None,
                    fetch_offset: long(&partition["fetchOffset"]),
                    last_fetched_epoch: None,
                    log_start_offset: -1,
                    partition_max_bytes: long(&partition["partitionMaxBytes"]) as u32,
                    high_watermark: None,
                });
            }
        }
        let isolation = match body["isolationLevel"].as_i64() {
            Some(0) | None => Isolation::ReadUncommitted,
            Some(1) => Isolation::ReadCommitted,
            Some(_) => return None,
        };
        Some(FetchRequest {
            replica: None,
            max_wait: Span::millis(body["maxWaitMs"].as_u64().unwrap_or(0)),
            min_bytes: body["minBytes"].as_u64().unwrap_or(0) as u32,
            max_bytes: u32::MAX >> 1,
            isolation,
            session: FetchMetadata::SESSIONLESS,
            partitions,
            forgotten: Vec::new(),
        })
    }

    fn list_offsets(&mut self, body: &Value) -> ListOffsetsRequest {
        let mut partitions = Vec::new();
        for topic in list(&body["topics"]) {
            let id = self.id(text(&topic["name"]));
            for partition in list(&topic["partitions"]) {
                partitions.push(ListOffset {
                    partition: TopicPartition::new(id, long(&partition["partitionIndex"]) as i32),
                    current_leader_epoch: None,
                    timestamp: match long(&partition["timestamp"]) {
                        time if time >= 0 => time - EPOCH,
                        special => special,
                    },
                });
            }
        }
        let isolation = match body["isolationLevel"].as_i64() {
            Some(1) => Isolation::ReadCommitted,
            _ => Isolation::ReadUncommitted,
        };
        ListOffsetsRequest { replica: None, isolation, partitions }
    }

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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number; a field that is left out is -1.
fn long(value: &Value) -> i64 {
    value.as_i64().unwrap_or(-1)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
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

fn find_coordinator(body: &Value) -> Option<Vec<Request>> {
    let key_type = match body["keyType"].as_i64() {
        Some(1) => CoordinatorType::Transaction,
        Some(0) | None => return None,
        Some(_) => return None,
    };
    let ask = |key: &str| Request::from(FindCoordinatorRequest { key_type, key: key.into() });
    match body.get("coordinatorKeys") {
        Some(keys) => Some(list(keys).map(|key| ask(text(key))).collect()),
        None => Some(vec![ask(text(&body["key"]))]),
    }
}

fn init_producer_id(version: i16, body: &Value) -> Option<Request> {
    if version > 5 {
        return None;
    }
    Some(
        InitProducerIdRequest {
            transactional_id: body["transactionalId"].as_str().map(Into::into),
            // What is negative is as wrong as 0.
            transaction_timeout: Span::millis(body["transactionTimeoutMs"].as_u64().unwrap_or(0)),
            producer_id: long(&body["producerId"]),
            producer_epoch: long(&body["producerEpoch"]) as i16,
        }
        .into(),
    )
}

fn list_transactions(body: &Value) -> ListTransactionsRequest {
    let named = list(&body["stateFilters"]);
    let known = |name: &Value| TransactionState::ALL.into_iter().find(|it| *name == it.name());
    let mut states: Vec<TransactionState> = named.filter_map(known).collect();
    if states.is_empty() && list(&body["stateFilters"]).next().is_some() {
        // None that exists was asked for; no id is ever in this one.
        states.push(TransactionState::PrepareEpochFence);
    }
    ListTransactionsRequest {
        states,
        producer_ids: list(&body["producerIdFilters"]).map(long).collect(),
        duration_ms: long(&body["durationFilter"]),
    }
}

fn batch(body: &Value) -> Option<Bytes> {
    let mut batch = BatchBuilder::new()
        .producer(
            long(&body["producerId"]),
            long(&body["producerEpoch"]) as i16,
            long(&body["baseSequence"]) as i32,
        )
        .transactional(body["transactional"].as_bool().unwrap_or(false));
    for record in list(&body["records"]) {
        let bytes = |value: &Value| value.as_str().map(|text| text.as_bytes().to_vec());
        let (key, value) = (bytes(&record[1]), bytes(&record[2]));
        batch.append(long(&record[0]) - EPOCH, key.as_deref(), value.as_deref(), &[]);
    }
    (!batch.is_empty()).then(|| batch.build())
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
