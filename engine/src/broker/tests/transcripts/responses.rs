//! Responses as JSON, with the names that their fields have in Kafka.

use super::records::read;
use super::requests::{FETCH_BY_ID, PRODUCE_BY_ID, list};
use super::topics::{Topics, written};
use crate::error::ErrorCode;
use crate::ids::{TopicId, TopicPartition};
use crate::metadata::is_internal_topic;
use crate::protocol::{
    AddPartitionsToTxnRequest, FetchedPartition, LeaderIdAndEpoch, MetadataResponse, MetadataTopic,
    Response, TransactionState,
};
use serde_json::{Value, json};

/// A response in a version of Kafka's protocol.
pub(super) struct Written<'a> {
    pub(super) topics: &'a Topics,
    pub(super) api: &'a str,
    pub(super) version: i16,
    /// The request, as JSON.
    pub(super) request: &'a Value,
}

impl Written<'_> {
    /// The response to a request that was sent as these.
    pub(super) fn response(&self, mut all: Vec<Response>) -> Value {
        let Self { api, version, request, .. } = *self;
        if api == "FindCoordinator" && version >= 4 {
            let keys = list(&request["coordinatorKeys"]);
            let all = keys.zip(all).map(|(key, found)| {
                let Response::FindCoordinator(it) = found else { panic!("{found:?}") };
                json!({"key": key, "nodeId": node(it.node), "errorCode": self.code(it.error)})
            });
            return json!({"coordinators": all.collect::<Vec<_>>()});
        }
        if let Some(written) = self.of_groups(&all) {
            return written;
        }
        match all.remove(0) {
            Response::FindCoordinator(it) => {
                json!({"errorCode": self.code(it.error), "nodeId": node(it.node)})
            }
            Response::InitProducerId(it) => json!({
                "errorCode": self.code(it.error),
                "producerId": it.producer_id,
                "producerEpoch": it.producer_epoch,
            }),
            Response::EndTxn(it) => json!({
                "errorCode": self.code(it.error),
                "producerId": it.producer_id,
                "producerEpoch": it.producer_epoch,
            }),
            Response::AddPartitionsToTxn(it) => {
                let results = |partitions: &[(TopicPartition, ErrorCode)]| {
                    let row = |(partition, error): &(TopicPartition, ErrorCode)| {
                        let code = self.code(*error);
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
                    json!({"errorCode": self.code(it.error), "resultsByTransaction": all})
                }
            }
            Response::DescribeTransactions(it) => {
                let all = it.transactions.iter().map(|it| {
                    let partitions = it.partitions.iter().map(|it| (it.topic, json!(it.partition)));
                    json!({
                        "errorCode": self.code(it.error),
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
                json!({"errorCode": self.code(it.error), "transactionStates": all.collect::<Vec<_>>()})
            }
            Response::WriteTxnMarkers(it) => {
                let all = it.markers.iter().map(|it| {
                    let rows = it.partitions.iter().map(|(partition, error)| {
                        let index = partition.partition;
                        let fields =
                            json!({"partitionIndex": index, "errorCode": self.code(*error)});
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
                            "lastTimestamp": it.last_timestamp,
                            "coordinatorEpoch": it.coordinator_epoch,
                            "currentTxnStartOffset": it.current_txn_start_offset,
                        })
                    });
                    let fields = json!({
                        "partitionIndex": it.partition.partition,
                        "errorCode": self.code(it.error),
                        "activeProducers": producers.collect::<Vec<_>>(),
                    });
                    (it.partition.topic, fields)
                });
                json!({"topics": self.by_topic(rows, "name", "partitions")})
            }
            Response::Produce(it) => {
                let leaders = it.partitions.iter().filter_map(|it| it.current_leader);
                let nodes = nodes(leaders);
                let rows = it.partitions.iter().map(|it| {
                    let mut fields = json!({
                        "index": it.partition.partition,
                        "errorCode": self.code(it.error),
                        "baseOffset": it.base_offset,
                        "logAppendTimeMs": it.log_append_time,
                        "logStartOffset": it.log_start_offset,
                    });
                    if let Some(leader) = it.current_leader {
                        fields["currentLeader"] = current_leader(leader);
                    }
                    (it.partition.topic, fields)
                });
                let responses = self.by_topic(rows, "name", "partitionResponses");
                json!({"responses": responses, "nodeEndpoints": nodes})
            }
            Response::Fetch(it) => {
                let leaders = it.partitions.iter().filter_map(|it| it.current_leader);
                let nodes = nodes(leaders);
                let rows = it.partitions.iter().map(|it| (it.partition.topic, self.fetched(it)));
                json!({
                    "errorCode": self.code(it.error),
                    "sessionId": it.session_id,
                    "responses": self.by_topic(rows, "topic", "partitions"),
                    "nodeEndpoints": nodes,
                })
            }
            Response::ListOffsets(it) => {
                let rows = it.partitions.iter().map(|it| {
                    let fields = json!({
                        "partitionIndex": it.partition.partition,
                        "errorCode": self.code(it.error),
                        "timestamp": it.timestamp,
                        "offset": it.offset,
                        "leaderEpoch": it.leader_epoch.unwrap_or(-1),
                    });
                    (it.partition.topic, fields)
                });
                json!({"topics": self.by_topic(rows, "name", "partitions")})
            }
            Response::OffsetForLeaderEpoch(it) => {
                let rows = it.partitions.iter().map(|it| {
                    let fields = json!({
                        "partition": it.partition.partition,
                        "errorCode": self.code(it.error),
                        "leaderEpoch": it.end.map_or(-1, |end| end.epoch),
                        "endOffset": it.end.map_or(-1, |end| end.end_offset),
                    });
                    (it.partition.topic, fields)
                });
                json!({"topics": self.by_topic(rows, "topic", "partitions")})
            }
            Response::Metadata(it) => self.metadata(&it),
            Response::CreateTopics(it) => {
                let topic = |it: &crate::protocol::CreatableTopicResult| {
                    let (id, code) = (written(it.topic), self.code(it.error));
                    json!({"name": it.name, "topicId": id, "errorCode": code})
                };
                json!({"topics": it.topics.iter().map(topic).collect::<Vec<_>>()})
            }
            Response::ElectLeaders(it) => {
                let rows = it.partitions.iter().map(|(it, error)| {
                    let fields =
                        json!({"partitionId": it.partition, "errorCode": self.code(*error)});
                    (it.topic, fields)
                });
                let results = self.by_topic(rows, "topic", "partitionResult");
                json!({"errorCode": self.code(it.error), "replicaElectionResults": results})
            }
            other => panic!("{other:?}"),
        }
    }

    fn metadata(&self, it: &MetadataResponse) -> Value {
        let broker =
            |it: &crate::protocol::MetadataBroker| json!({"nodeId": it.id, "rack": it.rack});
        let partition = |it: &crate::protocol::MetadataPartition| {
            json!({
                "errorCode": self.code(it.error),
                "partitionIndex": it.partition,
                "leaderId": node(it.leader),
                "leaderEpoch": it.leader_epoch,
                "replicaNodes": it.replicas,
                "isrNodes": it.isr,
            })
        };
        let topic = |it: &MetadataTopic| {
            json!({
                "errorCode": self.code(it.error),
                "name": it.name,
                "topicId": written(it.topic),
                "isInternal": is_internal_topic(&it.name),
                "partitions": it.partitions.iter().map(partition).collect::<Vec<_>>(),
            })
        };
        json!({
            "errorCode": 0,
            "brokers": it.brokers.iter().map(broker).collect::<Vec<_>>(),
            "topics": it.topics.iter().map(topic).collect::<Vec<_>>(),
        })
    }

    /// Partitions by topic; `name` is the field with the name of the topic, unless the version names
    /// topics by id.
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
        let all = topics.into_iter().map(|(id, rows)| match self.names_by_id() {
            true => json!({"topicId": written(id), of: rows}),
            false => json!({name: self.topics.name(id).unwrap_or("?"), of: rows}),
        });
        Value::Array(all.collect())
    }

    /// Whether the version of the request names topics by id.
    fn names_by_id(&self) -> bool {
        match self.api {
            "Produce" => self.version >= PRODUCE_BY_ID,
            "Fetch" => self.version >= FETCH_BY_ID,
            _ => false,
        }
    }

    /// The code of an error, in a version that may be too old for it.
    pub(super) fn code(&self, error: ErrorCode) -> i16 {
        let knows_fenced = match self.api {
            "InitProducerId" => self.version >= 4,
            "EndTxn" | "AddPartitionsToTxn" | "AddOffsetsToTxn" => self.version >= 2,
            _ => true,
        };
        let error = match error {
            ErrorCode::ProducerFenced if !knows_fenced => ErrorCode::InvalidProducerEpoch,
            ErrorCode::UnknownTopicId if !self.names_by_id() => ErrorCode::UnknownTopicOrPartition,
            error => error,
        };
        error.code()
    }

    fn fetched(&self, it: &FetchedPartition) -> Value {
        let unknown =
            [ErrorCode::UnknownTopicId, ErrorCode::UnknownTopicOrPartition].contains(&it.error);
        let aborted = it.aborted_transactions.as_ref().map(|all| {
            let row = |it: &crate::protocol::AbortedTransaction| {
                json!({"producerId": it.producer_id, "firstOffset": it.first_offset})
            };
            all.iter().map(row).collect::<Vec<_>>()
        });
        let mut fields = json!({
            "partitionIndex": it.partition.partition,
            "errorCode": self.code(it.error),
            "highWatermark": it.high_watermark,
            "lastStableOffset": it.last_stable_offset,
            "logStartOffset": it.log_start_offset,
            // A partition that is not looked up has the default of the field.
            "abortedTransactions": if unknown { Some(Vec::new()) } else { aborted },
            "recordsSizeInBytes": it.records.size(),
            "batches": it.records.0.iter().map(read).collect::<Vec<_>>(),
        });
        if let Some(end) = it.diverging_epoch {
            fields["divergingEpoch"] = json!({"epoch": end.epoch, "endOffset": end.end_offset});
        }
        if let Some(leader) = it.current_leader {
            fields["currentLeader"] = current_leader(leader);
        }
        fields
    }
}

fn node(id: Option<u16>) -> i64 {
    id.map_or(-1, i64::from)
}

fn current_leader(it: LeaderIdAndEpoch) -> Value {
    json!({"leaderId": node(it.leader), "leaderEpoch": it.epoch})
}

/// The leaders that a response names, each once.
fn nodes(leaders: impl Iterator<Item = LeaderIdAndEpoch>) -> Value {
    let mut ids: Vec<u16> = leaders.filter_map(|it| it.leader).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| json!({"nodeId": id, "rack": null})).collect()
}
