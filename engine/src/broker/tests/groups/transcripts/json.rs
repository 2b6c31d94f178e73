//! Requests about groups, and their responses, from and to JSON with Kafka's names.

use crate::error::ErrorCode;
use crate::protocol::{
    AddOffsetsToTxnRequest, CoordinatorType, DeleteGroupsRequest, DescribeGroupsRequest,
    DescribeGroupsResponse, EndTxnRequest, FetchedOffset, FindCoordinatorRequest, GroupState,
    GroupType, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeavingMember, ListGroupsRequest, NamedPartition, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, OffsetToCommit, Request, Response, SyncGroupRequest,
    TxnOffsetCommitRequest,
};
use bytes::Bytes;
use machine::Span;
use serde_json::{Value, json};
use std::sync::Arc;

/// The requests that a request stands for; `None` if it cannot be sent here.
pub(super) fn requests(api: &str, version: i16, body: &Value) -> Option<Vec<Request>> {
    let group = name(&body["groupId"]);
    let instance = optional(&body["groupInstanceId"]);
    let member = name(&body["memberId"]);
    let generation = int(&body["generationId"]);
    let one = |request: Request| Some(vec![request]);
    match api {
        "JoinGroup" => one(join(version, body).into()),
        "SyncGroup" => {
            let assignment = |it: &Value| (name(&it["memberId"]), bytes(&it["assignment"]));
            one(SyncGroupRequest {
                version,
                group,
                generation,
                member,
                instance,
                protocol_type: optional(&body["protocolType"]),
                protocol_name: optional(&body["protocolName"]),
                assignments: list(&body["assignments"]).map(assignment).collect(),
            }
            .into())
        }
        "Heartbeat" => one(HeartbeatRequest { group, generation, member, instance }.into()),
        "LeaveGroup" => {
            let leaving = |it: &Value| LeavingMember {
                member: name(&it["memberId"]),
                instance: optional(&it["groupInstanceId"]),
            };
            let members = match version {
                ..3 => vec![leaving(body)],
                _ => list(&body["members"]).map(leaving).collect(),
            };
            one(LeaveGroupRequest { group, members }.into())
        }
        "OffsetCommit" => {
            let retention_ms = body["retentionTimeMs"].as_i64().filter(|it| *it >= 0);
            let generation = int(&body["generationIdOrMemberEpoch"]);
            let offsets = offsets(&body["topics"]);
            let request = OffsetCommitRequest {
                version,
                group,
                generation,
                member,
                instance,
                retention_ms,
                offsets,
            };
            one(request.into())
        }
        "TxnOffsetCommit" => one(TxnOffsetCommitRequest {
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
        .into()),
        "AddOffsetsToTxn" => one(AddOffsetsToTxnRequest {
            transactional_id: name(&body["transactionalId"]),
            producer_id: long(&body["producerId"]),
            producer_epoch: long(&body["producerEpoch"]) as i16,
            group,
        }
        .into()),
        "OffsetFetch" => {
            let require_stable = body["requireStable"].as_bool().unwrap_or(false);
            let fetch = |of: &Value| {
                let partitions = of["topics"].as_array().map(|_| indexes(&of["topics"]));
                let group = name(&of["groupId"]);
                Request::from(OffsetFetchRequest { group, partitions, require_stable })
            };
            match version {
                ..8 => one(fetch(body)),
                _ => Some(list(&body["groups"]).map(fetch).collect()),
            }
        }
        "OffsetDelete" => {
            let mut partitions = Vec::new();
            for topic in list(&body["topics"]) {
                let all = list(&topic["partitions"]);
                partitions.extend(all.map(|it| (name(&topic["name"]), int(&it["partitionIndex"]))));
            }
            one(OffsetDeleteRequest { group, partitions }.into())
        }
        "DescribeGroups" => {
            let describe = |group: &Value| DescribeGroupsRequest { version, group: name(group) };
            Some(list(&body["groups"]).map(|it| describe(it).into()).collect())
        }
        "DeleteGroups" => {
            let delete = |group| Request::from(DeleteGroupsRequest { group });
            Some(distinct(&body["groupsNames"]).into_iter().map(delete).collect())
        }
        "ListGroups" => {
            let known = |filter: &Value, all: &[(&str, usize)]| {
                let named: Vec<&str> = list(filter).filter_map(Value::as_str).collect();
                let of = |(name, place): &(&str, usize)| {
                    named.iter().any(|it| it.eq_ignore_ascii_case(name)).then_some(*place)
                };
                (!named.is_empty()).then(|| all.iter().filter_map(of).collect::<Vec<usize>>())
            };
            let states: Vec<_> =
                GroupState::ALL.iter().enumerate().map(|(at, it)| (it.name(), at)).collect();
            let states = known(&body["statesFilter"], &states);
            let states = states.map(|all| all.into_iter().map(|at| GroupState::ALL[at]).collect());
            let types = known(&body["typesFilter"], &[(GroupType::Classic.name(), 0)]);
            let types = types.map(|all| all.into_iter().map(|_| GroupType::Classic).collect());
            one(ListGroupsRequest { states, types }.into())
        }
        "FindCoordinator" => {
            let key_type = match body["keyType"].as_i64() {
                Some(0) | None => CoordinatorType::Group,
                Some(1) => CoordinatorType::Transaction,
                Some(_) => return None,
            };
            let find = |key: &Value| FindCoordinatorRequest { key_type, key: name(key) }.into();
            Some(match body["coordinatorKeys"].as_array() {
                Some(keys) => keys.iter().map(find).collect(),
                None => vec![find(&body["key"])],
            })
        }
        "InitProducerId" => one(InitProducerIdRequest {
            transactional_id: optional(&body["transactionalId"]),
            transaction_timeout: Span::millis(body["transactionTimeoutMs"].as_u64().unwrap_or(0)),
            producer_id: long(&body["producerId"]),
            producer_epoch: long(&body["producerEpoch"]) as i16,
        }
        .into()),
        "EndTxn" => one(EndTxnRequest {
            version,
            transactional_id: name(&body["transactionalId"]),
            producer_id: long(&body["producerId"]),
            producer_epoch: long(&body["producerEpoch"]) as i16,
            committed: body["committed"].as_bool().unwrap_or(false),
        }
        .into()),
        _ => None,
    }
}

/// The response to a request, as JSON.
pub(super) fn response(api: &str, version: i16, request: &Value, mut all: Vec<Response>) -> Value {
    let errors = |partitions: &[(NamedPartition, ErrorCode)]| {
        let rows = partitions.iter().map(|((topic, index), error)| {
            (topic, json!({"partitionIndex": index, "errorCode": error.code()}))
        });
        by_topic(rows)
    };
    match api {
        "DescribeGroups" => {
            let groups = list(&request["groups"]).zip(&all).map(|(id, it)| described(id, it));
            json!({"groups": groups.collect::<Vec<_>>()})
        }
        "DeleteGroups" => {
            let ids = distinct(&request["groupsNames"]);
            let result = |(id, it): (Arc<str>, &Response)| {
                let Response::DeleteGroups(it) = it else { panic!("{it:?}") };
                json!({"groupId": &*id, "errorCode": it.error.code()})
            };
            json!({"results": ids.into_iter().zip(&all).map(result).collect::<Vec<_>>()})
        }
        "OffsetFetch" if version >= 8 => {
            let groups = list(&request["groups"]).zip(&all).map(|(of, it)| {
                let (error, topics) = fetched(it);
                json!({"groupId": of["groupId"], "topics": topics, "errorCode": error})
            });
            json!({"groups": groups.collect::<Vec<_>>()})
        }
        "OffsetFetch" => {
            let (error, topics) = fetched(&all[0]);
            json!({"topics": topics, "errorCode": error})
        }
        "FindCoordinator" if version >= 4 => {
            let keys = list(&request["coordinatorKeys"]).zip(&all).map(|(key, it)| {
                let Response::FindCoordinator(it) = it else { panic!("{it:?}") };
                json!({"key": key, "nodeId": it.node, "errorCode": it.error.code()})
            });
            json!({"coordinators": keys.collect::<Vec<_>>()})
        }
        _ => match all.pop().expect("a response") {
            Response::JoinGroup(it) => joined(version, &it),
            Response::SyncGroup(it) => json!({
                "errorCode": it.error.code(),
                "protocolType": it.protocol_type.as_deref(),
                "protocolName": it.protocol_name.as_deref(),
                "assignment": base64(&it.assignment),
            }),
            Response::Heartbeat(it) => json!({"errorCode": it.error.code()}),
            Response::AddOffsetsToTxn(it) => json!({"errorCode": it.error.code()}),
            Response::LeaveGroup(it) if version < 3 => {
                let of_member = it.members.first().map_or(ErrorCode::None, |(_, error)| *error);
                let error = if it.error.is_none() { of_member } else { it.error };
                json!({"errorCode": error.code()})
            }
            Response::LeaveGroup(it) => {
                let member = |(member, error): &(LeavingMember, ErrorCode)| {
                    json!({
                        "memberId": &*member.member,
                        "groupInstanceId": member.instance.as_deref(),
                        "errorCode": error.code(),
                    })
                };
                let members: Vec<_> = it.members.iter().map(member).collect();
                json!({"errorCode": it.error.code(), "members": members})
            }
            Response::OffsetCommit(it) => json!({"topics": errors(&it.partitions)}),
            Response::TxnOffsetCommit(it) => json!({"topics": errors(&it.partitions)}),
            Response::OffsetDelete(it) => {
                json!({"errorCode": it.error.code(), "topics": errors(&it.partitions)})
            }
            Response::ListGroups(it) => {
                let groups = it.groups.iter().map(|it| {
                    json!({
                        "groupId": &*it.group,
                        "protocolType": &*it.protocol_type,
                        "groupState": it.state.name(),
                        "groupType": it.group_type.name(),
                    })
                });
                json!({"errorCode": it.error.code(), "groups": groups.collect::<Vec<_>>()})
            }
            Response::FindCoordinator(it) => {
                json!({"errorCode": it.error.code(), "nodeId": it.node})
            }
            Response::InitProducerId(it) => json!({
                "errorCode": it.error.code(),
                "producerId": it.producer_id,
                "producerEpoch": it.producer_epoch,
            }),
            Response::EndTxn(it) => json!({
                "errorCode": it.error.code(),
                "producerId": it.producer_id,
                "producerEpoch": it.producer_epoch,
            }),
            other => panic!("{other:?}"),
        },
    }
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

fn joined(version: i16, it: &JoinGroupResponse) -> Value {
    // A name that may not be null up to version 6.
    let protocol = match it.protocol_name.as_deref() {
        None if version < 7 => Some(""),
        name => name,
    };
    let members = it.members.iter().map(|it| {
        json!({
            "memberId": &*it.member,
            "groupInstanceId": it.instance.as_deref(),
            "metadata": base64(&it.metadata),
        })
    });
    json!({
        "errorCode": it.error.code(),
        "generationId": it.generation,
        "protocolType": it.protocol_type.as_deref(),
        "protocolName": protocol,
        "leader": &*it.leader,
        "skipAssignment": it.skip_assignment,
        "memberId": &*it.member,
        "members": members.collect::<Vec<_>>(),
    })
}

fn described(id: &Value, it: &Response) -> Value {
    let Response::DescribeGroups(it) = it else { panic!("{it:?}") };
    let DescribeGroupsResponse { error, state, protocol_type, protocol, members } = it;
    let members = members.iter().map(|it| {
        json!({
            "memberId": &*it.member,
            "groupInstanceId": it.instance.as_deref(),
            "memberMetadata": base64(&it.metadata),
            "memberAssignment": base64(&it.assignment),
        })
    });
    json!({
        "errorCode": error.code(),
        "groupId": id,
        "groupState": state.map_or("", GroupState::name),
        "protocolType": &**protocol_type,
        "protocolData": &**protocol,
        "members": members.collect::<Vec<_>>(),
    })
}

fn fetched(it: &Response) -> (i16, Value) {
    let Response::OffsetFetch(it) = it else { panic!("{it:?}") };
    let row = |it: &FetchedOffset| {
        json!({
            "partitionIndex": it.partition.1,
            "committedOffset": it.offset,
            "committedLeaderEpoch": it.leader_epoch,
            "metadata": &*it.metadata,
            "errorCode": it.error.code(),
        })
    };
    let rows = it.offsets.iter().map(|it| (&it.partition.0, row(it)));
    (it.error.code(), by_topic(rows))
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

fn by_topic<'a>(rows: impl Iterator<Item = (&'a Arc<str>, Value)>) -> Value {
    let mut topics: Vec<(&str, Vec<Value>)> = Vec::new();
    for (topic, row) in rows {
        match topics.iter_mut().find(|(name, _)| **name == **topic) {
            Some((_, rows)) => rows.push(row),
            None => topics.push((topic, vec![row])),
        }
    }
    topics.into_iter().map(|(name, rows)| json!({"name": name, "partitions": rows})).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The names of a list, each once.
fn distinct(names: &Value) -> Vec<Arc<str>> {
    let mut all: Vec<Arc<str>> = list(names).map(name).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn name(value: &Value) -> Arc<str> {
    value.as_str().unwrap_or_default().into()
}

fn optional(value: &Value) -> Option<Arc<str>> {
    value.as_str().map(Into::into)
}

/// A number; a field that is left out is -1.
fn long(value: &Value) -> i64 {
    value.as_i64().unwrap_or(-1)
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
fn base64(bytes: &[u8]) -> String {
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
        assert_eq!(base64(&bytes(&json!(text))), text);
    }
}
