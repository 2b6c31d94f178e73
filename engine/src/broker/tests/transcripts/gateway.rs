//! From the fields of Kafka's requests, as JSON, to requests here.

use crate::ids::{TopicId, TopicPartition};
use crate::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, CoordinatorType, DescribeProducersRequest,
    DescribeTransactionsRequest, EndTxnRequest, FetchMetadata, FetchPartition, FetchRequest,
    FindCoordinatorRequest, InitProducerIdRequest, Isolation, ListOffset, ListOffsetsRequest,
    ListTransactionsRequest, ProducePartition, ProduceRequest, Request, TransactionState,
    TxnMarker, WriteTxnMarkersRequest,
};
use crate::record::BatchBuilder;
use bytes::Bytes;
use machine::Span;
use serde_json::Value;
use std::collections::BTreeMap;

/// The time from which the records of scripts count, in milliseconds.
pub(super) const EPOCH: i64 = 1_700_000_000_000;

/// The topics by name.
#[derive(Default)]
pub(super) struct Gateway {
    pub(super) ids: BTreeMap<String, TopicId>,
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

    pub(super) fn name(&self, id: TopicId) -> &str {
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
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number; a field that is left out is -1.
fn long(value: &Value) -> i64 {
    value.as_i64().unwrap_or(-1)
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
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
