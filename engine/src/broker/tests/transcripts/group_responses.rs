//! Responses about groups and their offsets as JSON, with the names that their fields have in Kafka.

use super::group_requests::{base64, distinct};
use super::requests::list;
use super::responses::Written;
use super::topics::written;
use crate::error::ErrorCode;
use crate::protocol::{
    DescribeGroupsResponse, FetchedOffset, GroupState, JoinGroupResponse, LeaveGroupResponse,
    LeavingMember, ListGroupsResponse, NamedPartition, OwnedPartitions, Response,
};
use serde_json::{Value, json};
use std::sync::Arc;

impl Written<'_> {
    /// The response to a request about groups; `None` if it is about something else.
    pub(super) fn of_groups(&self, all: &[Response]) -> Option<Value> {
        let Self { api, version, request, .. } = *self;
        match api {
            "DescribeGroups" => {
                let groups = list(&request["groups"]).zip(all);
                let groups: Vec<_> = groups.map(|(id, it)| described(id, it)).collect();
                return Some(json!({"groups": groups}));
            }
            "ConsumerGroupDescribe" => {
                let groups = list(&request["groupIds"]).zip(all);
                let groups: Vec<_> = groups.map(|(id, it)| self.consumers(id, it)).collect();
                return Some(json!({"groups": groups}));
            }
            "DeleteGroups" => {
                let result = |(id, it): (Arc<str>, &Response)| {
                    let Response::DeleteGroups(it) = it else { panic!("{it:?}") };
                    json!({"groupId": &*id, "errorCode": it.error.code()})
                };
                let results = distinct(&request["groupsNames"]).into_iter().zip(all).map(result);
                return Some(json!({"results": results.collect::<Vec<_>>()}));
            }
            "OffsetFetch" if version >= 8 => {
                let groups = list(&request["groups"]).zip(all).map(|(of, it)| {
                    let (error, topics) = fetched(it);
                    json!({"groupId": of["groupId"], "topics": topics, "errorCode": error})
                });
                return Some(json!({"groups": groups.collect::<Vec<_>>()}));
            }
            _ => {}
        }
        Some(match all.first()? {
            it @ Response::OffsetFetch(_) => {
                let (error, topics) = fetched(it);
                json!({"topics": topics, "errorCode": error})
            }
            Response::JoinGroup(it) => joined(version, it),
            Response::ConsumerGroupHeartbeat(it) => {
                let assignment = it.assignment.as_ref();
                json!({
                    "errorCode": it.error.code(),
                    "memberId": it.member.as_deref(),
                    "memberEpoch": it.epoch,
                    "heartbeatIntervalMs": it.heartbeat_interval_ms,
                    "assignment": assignment.map(|all| json!({"topicPartitions": by_id(all)})),
                })
            }
            Response::SyncGroup(it) => json!({
                "errorCode": it.error.code(),
                "protocolType": it.protocol_type.as_deref(),
                "protocolName": it.protocol_name.as_deref(),
                "assignment": base64(&it.assignment),
            }),
            Response::Heartbeat(it) => json!({"errorCode": it.error.code()}),
            Response::AddOffsetsToTxn(it) => json!({"errorCode": self.code(it.error)}),
            Response::LeaveGroup(it) => left(version, it),
            Response::OffsetCommit(it) => json!({"topics": errors(&it.partitions)}),
            Response::TxnOffsetCommit(it) => json!({"topics": errors(&it.partitions)}),
            Response::OffsetDelete(it) => {
                json!({"errorCode": it.error.code(), "topics": errors(&it.partitions)})
            }
            Response::ListGroups(it) => listed(it),
            _ => return None,
        })
    }
}

impl Written<'_> {
    /// A group whose coordinator assigns.
    fn consumers(&self, id: &Value, it: &Response) -> Value {
        let Response::ConsumerGroupDescribe(it) = it else { panic!("{it:?}") };
        let named = |all: &[OwnedPartitions]| {
            let topic = |(topic, partitions): &OwnedPartitions| {
                json!({
                    "topicId": written(*topic),
                    "topicName": self.topics.name(*topic),
                    "partitions": partitions,
                })
            };
            json!({"topicPartitions": all.iter().map(topic).collect::<Vec<_>>()})
        };
        let members = it.members.iter().map(|it| {
            json!({
                "memberId": &*it.member,
                "instanceId": it.instance.as_deref(),
                "rackId": it.rack.as_deref(),
                "memberEpoch": it.epoch,
                "subscribedTopicNames": it.topics.iter().map(|it| &**it).collect::<Vec<_>>(),
                // Without a pattern it is empty.
                "subscribedTopicRegex": "",
                "assignment": named(&it.assignment),
                "targetAssignment": named(&it.target),
                // Versions before 1 do not say which protocol a member speaks.
                "memberType": match (self.version, it.is_classic) {
                    (..1, _) => -1,
                    (_, true) => 0,
                    (_, false) => 1,
                },
            })
        });
        json!({
            "errorCode": it.error.code(),
            "groupId": id,
            "groupState": it.state.map_or("", GroupState::name),
            "groupEpoch": it.epoch,
            "assignmentEpoch": it.assignment_epoch,
            "assignorName": &*it.assignor,
            "members": members.collect::<Vec<_>>(),
        })
    }
}

/// Partitions by the ids of their topics.
fn by_id(all: &[OwnedPartitions]) -> Vec<Value> {
    let topic = |(topic, partitions): &OwnedPartitions| json!({"topicId": written(*topic), "partitions": partitions});
    all.iter().map(topic).collect()
}

fn joined(version: i16, it: &JoinGroupResponse) -> Value {
    // A name that may not be null before version 7.
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

/// Before version 3 a request names one member, whose error is that of the response.
fn left(version: i16, it: &LeaveGroupResponse) -> Value {
    if version < 3 {
        let of_member = it.members.first().map_or(ErrorCode::None, |(_, error)| *error);
        let error = if it.error.is_none() { of_member } else { it.error };
        return json!({"errorCode": error.code()});
    }
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

fn listed(it: &ListGroupsResponse) -> Value {
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
    (it.error.code(), by_name(rows))
}

fn errors(partitions: &[(NamedPartition, ErrorCode)]) -> Value {
    by_name(partitions.iter().map(|((topic, index), error)| {
        (topic, json!({"partitionIndex": index, "errorCode": error.code()}))
    }))
}

/// Partitions by the name of their topic.
fn by_name<'a>(rows: impl Iterator<Item = (&'a Arc<str>, Value)>) -> Value {
    let mut topics: Vec<(&str, Vec<Value>)> = Vec::new();
    for (topic, row) in rows {
        match topics.iter_mut().find(|(name, _)| **name == **topic) {
            Some((_, rows)) => rows.push(row),
            None => topics.push((topic, vec![row])),
        }
    }
    topics.into_iter().map(|(name, rows)| json!({"name": name, "partitions": rows})).collect()
}
