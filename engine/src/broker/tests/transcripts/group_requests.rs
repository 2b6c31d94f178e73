//! From JSON to requests about groups and their offsets.

use super::requests::{NotModelled, list, long, text};
use super::topics::parsed;
use crate::ids::{GroupId, GroupInstanceId};
use crate::protocol::{
    AddOffsetsToTxnRequest, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest,
    DeleteGroupsRequest, DescribeGroupsRequest, GroupState, GroupType, HeartbeatRequest,
    JoinGroupRequest, LeaveGroupRequest, LeavingMember, ListGroupsRequest, NamedPartition,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetToCommit, Request,
    SyncGroupRequest, TxnOffsetCommitRequest,
};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// The requests that a request about groups stands for.
pub(super) fn requests(api: &str, version: i16, body: &Value) -> Result<Vec<Request>, NotModelled> {
    Ok(match api {
        "DescribeGroups" => {
            let describe = |group: &Value| DescribeGroupsRequest { version, group: name(group) };
            list(&body["groups"]).map(|it| describe(it).into()).collect()
        }
        "ConsumerGroupDescribe" => {
            let describe = |group: &Value| ConsumerGroupDescribeRequest { group: name(group) };
            list(&body["groupIds"]).map(|it| describe(it).into()).collect()
        }
        "DeleteGroups" => {
            let delete = |group| Request::from(DeleteGroupsRequest { group });
            distinct(&body["groupsNames"]).into_iter().map(delete).collect()
        }
        "OffsetFetch" => {
            let require_stable = body["requireStable"].as_bool().unwrap_or(false);
            let fetch = |of: &Value| {
                let partitions = of["topics"].as_array().map(|_| indexes(&of["topics"]));
                let group = name(&of["groupId"]);
                let member = optional(&of["memberId"]);
                let epoch = int(&of["memberEpoch"]);
                Request::from(OffsetFetchRequest {
                    group,
                    partitions,
                    member,
                    epoch,
                    require_stable,
                })
            };
            match version {
                ..8 => vec![fetch(body)],
                _ => list(&body["groups"]).map(fetch).collect(),
            }
        }
        _ => vec![request(api, version, body)?],
    })
}

fn request(api: &str, version: i16, body: &Value) -> Result<Request, NotModelled> {
    let group: GroupId = name(&body["groupId"]);
    let instance: Option<GroupInstanceId> = optional(&body["groupInstanceId"]);
    let member = name(&body["memberId"]);
    let generation = int(&body["generationId"]);
    Ok(match api {
        "JoinGroup" => join(version, body).into(),
        "ConsumerGroupHeartbeat" => consumer_heartbeat(version, body)?.into(),
        "SyncGroup" => {
            let assignment = |it: &Value| (name(&it["memberId"]), bytes(&it["assignment"]));
            SyncGroupRequest {
                version,
                group,
                generation,
                member,
                instance,
                protocol_type: optional(&body["protocolType"]),
                protocol_name: optional(&body["protocolName"]),
                assignments: list(&body["assignments"]).map(assignment).collect(),
            }
            .into()
        }
        "Heartbeat" => HeartbeatRequest { group, generation, member, instance }.into(),
        "LeaveGroup" => {
            let leaving = |it: &Value| LeavingMember {
                member: name(&it["memberId"]),
                instance: optional(&it["groupInstanceId"]),
            };
            let members = match version {
                ..3 => vec![leaving(body)],
                _ => list(&body["members"]).map(leaving).collect(),
            };
            LeaveGroupRequest { group, members }.into()
        }
        "OffsetCommit" => OffsetCommitRequest {
            version,
            group,
            generation: int(&body["generationIdOrMemberEpoch"]),
            member,
            instance,
            retention_ms: body["retentionTimeMs"].as_i64().filter(|it| *it >= 0),
            offsets: offsets(&body["topics"]),
        }
        .into(),
        "TxnOffsetCommit" => TxnOffsetCommitRequest {
            version,
            transactional_id: name(&body["transactionalId"]),
            group,
            producer_id: long(&body["producerId"]),
            producer_epoch: long(&body["producerEpoch"]) as i16,
            generation,
            member,
            instance,
            offsets: offsets(&body["topics"]),
        }
        .into(),
        "AddOffsetsToTxn" => AddOffsetsToTxnRequest {
            transactional_id: name(&body["transactionalId"]),
            producer_id: long(&body["producerId"]),
            producer_epoch: long(&body["producerEpoch"]) as i16,
            group,
        }
        .into(),
        "OffsetDelete" => {
            let mut partitions = Vec::new();
            for topic in list(&body["topics"]) {
                let all = list(&topic["partitions"]);
                partitions.extend(all.map(|it| (name(&topic["name"]), int(&it["partitionIndex"]))));
            }
            OffsetDeleteRequest { group, partitions }.into()
        }
        "ListGroups" => list_groups(body).into(),
        _ => return Err("the request does not exist here"),
    })
}

fn join(version: i16, body: &Value) -> JoinGroupRequest {
    let session_timeout_ms = int(&body["sessionTimeoutMs"]);
    // Version 0 has one time-out.
    let rebalance_timeout_ms = match version {
        0 => session_timeout_ms,
        _ => int(&body["rebalanceTimeoutMs"]),
    };
    JoinGroupRequest {
        version,
        client_id: "<client>".into(),
        group: name(&body["groupId"]),
        session_timeout_ms,
        rebalance_timeout_ms,
        member: name(&body["memberId"]),
        instance: optional(&body["groupInstanceId"]),
        protocol_type: name(&body["protocolType"]),
        protocols: list(&body["protocols"])
            .map(|it| (name(&it["name"]), bytes(&it["metadata"])))
            .collect(),
    }
}

fn consumer_heartbeat(
    version: i16,
    body: &Value,
) -> Result<ConsumerGroupHeartbeatRequest, NotModelled> {
    if body["subscribedTopicRegex"].as_str().is_some() {
        return Err("members do not subscribe by pattern");
    }
    let owned = |it: &Value| {
        let partitions = list(&it["partitions"]).map(int).collect();
        (parsed(text(&it["topicId"])), partitions)
    };
    let topics = body["subscribedTopicNames"].as_array();
    Ok(ConsumerGroupHeartbeatRequest {
        version,
        client_id: "<client>".into(),
        group: name(&body["groupId"]),
        member: name(&body["memberId"]),
        epoch: body["memberEpoch"].as_i64().unwrap_or(0) as i32,
        instance: optional(&body["instanceId"]),
        rack: optional(&body["rackId"]),
        rebalance_timeout_ms: int(&body["rebalanceTimeoutMs"]),
        topics: topics.map(|all| all.iter().map(name).collect()),
        assignor: optional(&body["serverAssignor"]),
        owned: body["topicPartitions"].as_array().map(|all| all.iter().map(owned).collect()),
    })
}

/// A filter that names nothing is none. Names are in letters of any case; those that do not exist
/// match no group.
fn list_groups(body: &Value) -> ListGroupsRequest {
    fn known<T: Copy>(
        filter: &Value,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Option<Vec<T>> {
        let named: Vec<&str> = list(filter).map(text).collect();
        let is_named = |it: &T| named.iter().any(|other| other.eq_ignore_ascii_case(name(*it)));
        (!named.is_empty()).then(|| all.iter().copied().filter(is_named).collect())
    }
    ListGroupsRequest {
        states: known(&body["statesFilter"], GroupState::ALL, GroupState::name),
        types: known(&body["typesFilter"], GroupType::ALL, GroupType::name),
    }
}

fn offsets(topics: &Value) -> Vec<OffsetToCommit> {
    let mut all = Vec::new();
    for topic in list(topics) {
        all.extend(list(&topic["partitions"]).map(|it| OffsetToCommit {
            partition: (name(&topic["name"]), int(&it["partitionIndex"])),
            offset: long(&it["committedOffset"]),
            leader_epoch: int(&it["committedLeaderEpoch"]),
            metadata: optional(&it["committedMetadata"]),
        }));
    }
    all
}

fn indexes(topics: &Value) -> Vec<NamedPartition> {
    let of = |topic: &Value| {
        let name = name(&topic["name"]);
        let all = list(&topic["partitionIndexes"]).map(|it| (Arc::clone(&name), int(it)));
        all.collect::<Vec<_>>()
    };
    list(topics).flat_map(of).collect()
}

/// The names of a list, each once.
pub(super) fn distinct(names: &Value) -> Vec<Arc<str>> {
    let mut all: Vec<Arc<str>> = list(names).map(name).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn name(value: &Value) -> Arc<str> {
    text(value).into()
}

fn optional(value: &Value) -> Option<Arc<str>> {
    value.as_str().map(Into::into)
}

fn int(value: &Value) -> i32 {
    long(value) as i32
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes that a text in base 64 stands for.
fn bytes(text: &Value) -> Bytes {
    let digits = text.as_str().unwrap_or_default().bytes().filter(|byte| *byte != b'=');
    let (mut bits, mut count, mut all) = (0_u32, 0, Vec::new());
    for digit in digits {
        let six = DIGITS.iter().position(|it| *it == digit).expect("a digit of base 64");
        (bits, count) = ((bits << 6 | six as u32) & 0xffff, count + 6);
        if count >= 8 {
            count -= 8;
            all.push((bits >> count) as u8);
        }
    }
    all.into()
}

/// Bytes in base 64.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[test]
fn bytes_in_base_64_come_back() {
    for text in ["", "AA==", "AAEA", "/////w==", "AAEAAAABAAlyZWJhbGFuY2X/////AAAAAA=="] {
        assert_eq!(base64(&bytes(&Value::from(text))), text);
    }
}
