//! From the fields of Kafka's requests, as JSON, to requests here: the names, defaults and versions
//! of Kafka's message definitions.

use super::group_requests;
use super::records::batch;
use super::topics::{Topics, parsed};
use super::transactional::{
    add_partitions, end_txn, find_coordinator, init_producer_id, list_transactions, write_markers,
};
use crate::ids::TopicPartition;
use crate::protocol::{
    AllocateProducerIdsRequest, AlterPartitionRequest, ApiKey, AssignReplicasToDirsRequest,
    BrokerHeartbeatRequest, BrokerRegistrationRequest, CreatableTopic, CreateTopicsRequest,
    DescribeProducersRequest, DescribeTransactionsRequest, ElectLeadersRequest, ElectionType,
    FetchMetadata, FetchPartition, FetchRequest, Isolation, ListOffset, ListOffsetsRequest,
    MetadataRequest, OffsetForLeaderEpoch, OffsetForLeaderEpochRequest, ProducePartition,
    ProduceRequest, ReplicaState, Request, VoteRequest,
};
use machine::Span;
use serde_json::Value;

/// Why a request cannot be sent here.
pub(super) type NotModelled = &'static str;

/// The first version of these requests that names topics by id.
pub(super) const PRODUCE_BY_ID: i16 = 13;
pub(super) const FETCH_BY_ID: i16 = 13;

/// Properties of topics that are not modelled, without which a topic is created all the same.
const LEFT_OUT: [&str; 4] = [
    "cleanup.policy",
    "compression.type",
    "message.timestamp.type",
    "follower.replication.throttled.replicas",
];

/// The oldest and newest version of a request; `None` if it does not exist here.
pub(super) fn versions(api: &str) -> Option<(i16, i16)> {
    let all = ApiKey::ALL.iter().copied();
    let named = |it: &ApiKey| format!("{it:?}") == api;
    all.into_iter().find(named).map(ApiKey::versions)
}

/// The requests that a request of a script means.
pub(super) fn requests(
    topics: &mut Topics,
    api: &str,
    version: i16,
    body: &Value,
) -> Result<Vec<Request>, NotModelled> {
    let one = |request: Request| Ok(vec![request]);
    match api {
        "Produce" => one(produce(topics, version, body).into()),
        "Fetch" => one(fetch(topics, version, body)?.into()),
        "ListOffsets" => one(list_offsets(topics, body)?.into()),
        "OffsetForLeaderEpoch" => one(offset_for_leader_epoch(topics, body).into()),
        "Metadata" => one(metadata(topics, version, body)?.into()),
        "CreateTopics" => one(create_topics(body)?.into()),
        "ElectLeaders" => one(elect_leaders(topics, body).into()),
        "DescribeProducers" => {
            let partitions = partitions(topics, &body["topics"], "name", "partitionIndexes");
            one(DescribeProducersRequest { partitions }.into())
        }
        "FindCoordinator" => find_coordinator(body),
        "InitProducerId" => one(init_producer_id(body)),
        "AddPartitionsToTxn" => one(add_partitions(topics, version, body).into()),
        "EndTxn" => one(end_txn(version, body).into()),
        "WriteTxnMarkers" => one(write_markers(topics, body).into()),
        "DescribeTransactions" => {
            let ids = list(&body["transactionalIds"]).map(|id| text(id).into());
            one(DescribeTransactionsRequest { transactional_ids: ids.collect() }.into())
        }
        "ListTransactions" => one(list_transactions(body).into()),
        "ConsumerGroupHeartbeat"
        | "ConsumerGroupDescribe"
        | "JoinGroup"
        | "SyncGroup"
        | "Heartbeat"
        | "LeaveGroup"
        | "DescribeGroups"
        | "ListGroups"
        | "DeleteGroups"
        | "OffsetCommit"
        | "OffsetFetch"
        | "OffsetDelete"
        | "AddOffsetsToTxn"
        | "TxnOffsetCommit" => group_requests::requests(api, version, body),
        "BrokerHeartbeat"
        | "AlterPartition"
        | "AllocateProducerIds"
        | "AssignReplicasToDirs"
        | "BrokerRegistration"
        | "Vote" => one(of_controllers(api)),
        _ => Err("the request does not exist here"),
    }
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number; a field that is left out is -1.
pub(super) fn long(value: &Value) -> i64 {
    value.as_i64().unwrap_or(-1)
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// An epoch; a negative one means none.
fn epoch(value: &Value) -> Option<i32> {
    value.as_i64().filter(|epoch| *epoch >= 0).map(|epoch| epoch as i32)
}

fn size(value: &Value, default: u32) -> Result<u32, NotModelled> {
    match value.as_i64() {
        None => Ok(default),
        Some(size) => u32::try_from(size).map_err(|_| "sizes are not negative here"),
    }
}

fn isolation(body: &Value) -> Result<Isolation, NotModelled> {
    match body["isolationLevel"].as_i64() {
        Some(0) | None => Ok(Isolation::ReadUncommitted),
        Some(1) => Ok(Isolation::ReadCommitted),
        Some(_) => Err("levels of isolation are those that exist"),
    }
}

pub(super) fn partitions(
    topics: &mut Topics,
    all: &Value,
    name: &str,
    indexes: &str,
) -> Vec<TopicPartition> {
    let mut found = Vec::new();
    for topic in list(all) {
        let id = topics.id(text(&topic[name]));
        found.extend(list(&topic[indexes]).map(|it| TopicPartition::new(id, long(it) as i32)));
    }
    found
}

fn produce(topics: &mut Topics, version: i16, body: &Value) -> ProduceRequest {
    let mut partitions = Vec::new();
    for topic in list(&body["topicData"]) {
        let id = match version >= PRODUCE_BY_ID {
            true => parsed(text(&topic["topicId"])),
            false => topics.id(text(&topic["name"])),
        };
        for partition in list(&topic["partitionData"]) {
            partitions.push(ProducePartition {
                partition: TopicPartition::new(id, long(&partition["index"]) as i32),
                records: batch(&partition["batch"]),
            });
        }
    }
    ProduceRequest {
        version,
        transactional_id: body["transactionalId"].as_str().map(Into::into),
        acks: long(&body["acks"]) as i16,
        timeout: Span::millis(body["timeoutMs"].as_u64().unwrap_or(0)),
        partitions,
    }
}

fn fetch(topics: &mut Topics, version: i16, body: &Value) -> Result<FetchRequest, NotModelled> {
    let by_id = version >= FETCH_BY_ID;
    let mut id = |topic: &Value| match by_id {
        true => parsed(text(&topic["topicId"])),
        false => topics.id(text(&topic["topic"])),
    };
    let (mut partitions, mut forgotten) = (Vec::new(), Vec::new());
    for topic in list(&body["topics"]) {
        let id = id(topic);
        for partition in list(&topic["partitions"]) {
            partitions.push(FetchPartition {
                partition: TopicPartition::new(id, long(&partition["partition"]) as i32),
                current_leader_epoch: epoch(&partition["currentLeaderEpoch"]),
                fetch_offset: long(&partition["fetchOffset"]),
                last_fetched_epoch: epoch(&partition["lastFetchedEpoch"]),
                log_start_offset: long(&partition["logStartOffset"]),
                partition_max_bytes: size(&partition["partitionMaxBytes"], 0)?,
                high_watermark: None,
            });
        }
    }
    for topic in list(&body["forgottenTopicsData"]) {
        let id = id(topic);
        let indexes = list(&topic["partitions"]).map(long);
        forgotten.extend(indexes.map(|index| TopicPartition::new(id, index as i32)));
    }
    let state = &body["replicaState"];
    let replica = if version >= 15 { &state["replicaId"] } else { &body["replicaId"] };
    let epoch = if version >= 15 { long(&state["replicaEpoch"]) } else { -1 };
    let replica = u16::try_from(long(replica)).ok().map(|id| ReplicaState { id, epoch });
    Ok(FetchRequest {
        replica,
        max_wait: Span::millis(body["maxWaitMs"].as_u64().unwrap_or(0)),
        // A negative value means 0.
        min_bytes: body["minBytes"].as_u64().unwrap_or(0) as u32,
        max_bytes: size(&body["maxBytes"], i32::MAX as u32)?,
        isolation: isolation(body)?,
        session: FetchMetadata {
            session_id: body["sessionId"].as_i64().unwrap_or(0) as i32,
            epoch: long(&body["sessionEpoch"]) as i32,
        },
        partitions,
        forgotten,
    })
}

fn list_offsets(topics: &mut Topics, body: &Value) -> Result<ListOffsetsRequest, NotModelled> {
    let mut partitions = Vec::new();
    for topic in list(&body["topics"]) {
        let id = topics.id(text(&topic["name"]));
        for partition in list(&topic["partitions"]) {
            partitions.push(ListOffset {
                partition: TopicPartition::new(id, long(&partition["partitionIndex"]) as i32),
                current_leader_epoch: epoch(&partition["currentLeaderEpoch"]),
                timestamp: long(&partition["timestamp"]),
            });
        }
    }
    let replica = u16::try_from(long(&body["replicaId"])).ok();
    Ok(ListOffsetsRequest { replica, isolation: isolation(body)?, partitions })
}

fn offset_for_leader_epoch(topics: &mut Topics, body: &Value) -> OffsetForLeaderEpochRequest {
    let mut partitions = Vec::new();
    for topic in list(&body["topics"]) {
        let id = topics.id(text(&topic["topic"]));
        for partition in list(&topic["partitions"]) {
            partitions.push(OffsetForLeaderEpoch {
                partition: TopicPartition::new(id, long(&partition["partition"]) as i32),
                current_leader_epoch: epoch(&partition["currentLeaderEpoch"]),
                leader_epoch: long(&partition["leaderEpoch"]) as i32,
            });
        }
    }
    OffsetForLeaderEpochRequest { partitions }
}

/// Topics that are requested by id are looked up by the name that they have.
fn metadata(topics: &Topics, version: i16, body: &Value) -> Result<MetadataRequest, NotModelled> {
    let Some(all) = body["topics"].as_array() else { return Ok(MetadataRequest { topics: None }) };
    if all.is_empty() && version == 0 {
        return Ok(MetadataRequest { topics: None });
    }
    let mut names = Vec::new();
    for topic in all {
        let id = topic["topicId"].as_str().map(parsed).filter(|id| id.0 != 0);
        names.push(match (id, topic["name"].as_str()) {
            (Some(_), _) | (None, None) if version < 12 => {
                return Err("a request that contradicts itself cannot be written here");
            }
            (Some(id), _) => {
                let name = topics.known_name(id).ok_or("topics are requested by name")?;
                name.to_owned()
            }
            (None, Some(name)) => name.to_owned(),
            (None, None) => return Err("a request that contradicts itself cannot be written here"),
        });
    }
    Ok(MetadataRequest { topics: Some(names) })
}

fn create_topics(body: &Value) -> Result<CreateTopicsRequest, NotModelled> {
    if body["validateOnly"].as_bool() == Some(true) {
        return Err("topics are created, not only validated");
    }
    let topic = |topic: &Value| {
        let replicas = |it: &Value| list(&it["brokerIds"]).map(|id| long(id) as u16).collect();
        let property = |it: &Value| (text(&it["name"]).to_owned(), text(&it["value"]).to_owned());
        CreatableTopic {
            name: text(&topic["name"]).to_owned(),
            num_partitions: long(&topic["numPartitions"]) as i32,
            replication_factor: long(&topic["replicationFactor"]) as i16,
            assignments: list(&topic["assignments"]).map(replicas).collect(),
            configs: list(&topic["configs"])
                .map(property)
                .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
                .collect(),
        }
    };
    let timeout = Span::millis(body["timeoutMs"].as_u64().unwrap_or(0));
    Ok(CreateTopicsRequest { topics: list(&body["topics"]).map(topic).collect(), timeout })
}

fn elect_leaders(topics: &mut Topics, body: &Value) -> ElectLeadersRequest {
    ElectLeadersRequest {
        election_type: match body["electionType"].as_i64() {
            Some(1) => ElectionType::Unclean,
            _ => ElectionType::Preferred,
        },
        partitions: Some(partitions(topics, &body["topicPartitions"], "topic", "partitions")),
        timeout: Span::millis(body["timeoutMs"].as_u64().unwrap_or(0)),
    }
}

/// A request that only controllers serve; a broker does not look at its fields.
fn of_controllers(api: &str) -> Request {
    let (broker, broker_epoch) = (1, 1);
    match api {
        "BrokerHeartbeat" => BrokerHeartbeatRequest {
            broker,
            broker_epoch,
            current_metadata_offset: 1,
            want_fence: false,
            want_shut_down: false,
            offline_log_dirs: Vec::new(),
        }
        .into(),
        "AlterPartition" => {
            AlterPartitionRequest { broker, broker_epoch, partitions: Vec::new() }.into()
        }
        "AllocateProducerIds" => AllocateProducerIdsRequest { broker, broker_epoch }.into(),
        "BrokerRegistration" => BrokerRegistrationRequest {
            broker,
            incarnation: 1,
            rack: None,
            log_dirs: Vec::new(),
            previous_broker_epoch: None,
        }
        .into(),
        "Vote" => VoteRequest {
            replica: broker,
            replica_epoch: 1,
            last_offset_epoch: 1,
            last_offset: 1,
            pre_vote: false,
        }
        .into(),
        _ => AssignReplicasToDirsRequest { broker, broker_epoch, directories: Vec::new() }.into(),
    }
}
