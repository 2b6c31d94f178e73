//! Records of groups of the consumer protocol, byte for byte (`ConsumerGroupMetadataValue.json`,
//! `ConsumerGroupMemberMetadataValue.json` and their siblings; KIP-848, KIP-1101).
//!
//! | type | key | value, flexible, version 0 |
//! |---|---|---|
//! | 3 | group | group epoch i32; tag 0: hash of the topics i64, unless it is 0 |
//! | 4 | group | only tombstones are written: until Kafka 4.0 it held the metadata of topics |
//! | 5 | group, member | instance, rack, client id, host, topics, pattern, rebalance time-out i32, assignor; tag 0: what a member of the classic protocol has said |
//! | 6 | group | target assignment epoch i32 |
//! | 7 | group, member | target partitions by topic |
//! | 8 | group, member | member epoch i32, previous epoch i32, state i8, assigned partitions, partitions to be revoked |
//!
//! Records of patterns (type 16) do not occur, because members do not subscribe by pattern here.

use super::member::{Assignment, ClassicMetadata, MemberMetadata, MemberState};
use crate::broker::fields::{
    Malformed, put_compact_nullable_string, put_compact_string, put_string, put_unsigned, take,
    take_compact_nullable_string, take_compact_string, take_i16, take_i32, take_i64, take_string,
    take_tag, take_unsigned,
};
use crate::ids::{GroupId, MemberId, TopicId};
use bytes::Bytes;
use std::collections::BTreeSet;

/// The version of all values.
const VERSION: i16 = 0;

/// A record of a group; a value of `None` is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::groups) enum ConsumerRecord {
    /// The group epoch, with the hash of the topics that the group is subscribed to.
    Epoch(Option<(i32, i64)>),
    /// The group has no record of the metadata of its topics.
    NoTopicMetadata,
    /// What a member has said of itself.
    Member { member: MemberId, value: Option<MemberMetadata> },
    /// The epoch of the target assignment.
    TargetEpoch(Option<i32>),
    /// What a member is to be assigned.
    Target { member: MemberId, value: Option<Assignment> },
    /// What a member is assigned.
    Current { member: MemberId, value: Option<CurrentValue> },
}

/// What a member is assigned, and in which epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::groups) struct CurrentValue {
    pub(in crate::broker::groups) epoch: i32,
    pub(in crate::broker::groups) previous_epoch: i32,
    pub(in crate::broker::groups) state: MemberState,
    pub(in crate::broker::groups) assigned: Assignment,
    pub(in crate::broker::groups) to_revoke: Assignment,
}

impl ConsumerRecord {
    /// The key of the record of a group.
    pub(in crate::broker::groups) fn key(&self, group: &GroupId) -> Vec<u8> {
        let (kind, member): (i16, Option<&MemberId>) = match self {
            Self::Epoch(_) => (3, None),
            Self::NoTopicMetadata => (4, None),
            Self::Member { member, .. } => (5, Some(member)),
            Self::TargetEpoch(_) => (6, None),
            Self::Target { member, .. } => (7, Some(member)),
            Self::Current { member, .. } => (8, Some(member)),
        };
        let mut key = kind.to_be_bytes().to_vec();
        put_string(&mut key, group);
        if let Some(member) = member {
            put_string(&mut key, member);
        }
        key
    }

    /// The value; `None` for a tombstone.
    pub(in crate::broker::groups) fn value(&self) -> Option<Vec<u8>> {
        let mut to = VERSION.to_be_bytes().to_vec();
        match self {
            Self::NoTopicMetadata => return None,
            Self::Epoch(value) => {
                let (epoch, hash) = value.as_ref()?;
                to.extend(epoch.to_be_bytes());
                if *hash == 0 {
                    put_unsigned(&mut to, 0);
                } else {
                    put_tag_0(&mut to, &hash.to_be_bytes());
                }
            }
            Self::Member { value, .. } => put_member(&mut to, value.as_ref()?),
            Self::TargetEpoch(value) => {
                to.extend(value.as_ref()?.to_be_bytes());
                put_unsigned(&mut to, 0);
            }
            Self::Target { value, .. } => {
                put_assignment(&mut to, value.as_ref()?);
                put_unsigned(&mut to, 0);
            }
            Self::Current { value, .. } => {
                let value = value.as_ref()?;
                to.extend(value.epoch.to_be_bytes());
                to.extend(value.previous_epoch.to_be_bytes());
                to.push(value.state.code());
                put_assignment(&mut to, &value.assigned);
                put_assignment(&mut to, &value.to_revoke);
                put_unsigned(&mut to, 0);
            }
        }
        Some(to)
    }

    /// The record with the rest of a key of type `kind`, and the group; `None` if it is of another type,
    /// or one that says nothing here.
    pub(in crate::broker::groups) fn read(
        kind: i16,
        key: &mut &[u8],
        value: Option<&[u8]>,
    ) -> Result<Option<(GroupId, Self)>, Malformed> {
        if !(3..=8).contains(&kind) {
            return Ok(None);
        }
        let group = take_string(key)?;
        let member = match kind {
            5 | 7 | 8 => take_string(key)?,
            _ => "".into(),
        };
        let mut value = value;
        if let Some(value) = &mut value
            && take_i16(value)? != VERSION
        {
            return Err(Malformed("a record of the consumer protocol of another version"));
        }
        let record = match kind {
            3 => Self::Epoch(value.map(|mut it| take_epoch(&mut it)).transpose()?),
            4 => match value {
                None => Self::NoTopicMetadata,
                // Of Kafka 4.0, which this version only removes.
                Some(_) => return Ok(None),
            },
            5 => Self::Member {
                member,
                value: value.map(|mut it| take_member(&mut it)).transpose()?,
            },
            6 => Self::TargetEpoch(value.map(|mut it| take_i32(&mut it)).transpose()?),
            7 => {
                let value = value.map(|mut it| take_assignment(&mut it)).transpose()?;
                Self::Target { member, value }
            }
            _ => {
                let value = value.map(|mut it| take_current(&mut it)).transpose()?;
                Self::Current { member, value }
            }
        };
        Ok(Some((group, record)))
    }
}

/// Tagged fields of which there is one, with number 0.
fn put_tag_0(to: &mut Vec<u8>, bytes: &[u8]) {
    put_unsigned(to, 1);
    put_unsigned(to, 0);
    put_unsigned(to, bytes.len() as u64);
    to.extend(bytes);
}

/// The bytes of tag 0, if it is among the tagged fields.
fn take_tag_0<'a>(from: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let mut found = None;
    for _ in 0..take_unsigned(from)? {
        let (tag, bytes) = take_tag(from)?;
        if tag == 0 {
            found = Some(bytes);
        }
    }
    Ok(found)
}

/// How many elements an array has; a null array is refused.
fn take_count(from: &mut &[u8]) -> Result<u64, Malformed> {
    take_unsigned(from)?.checked_sub(1).ok_or(Malformed("an array is null"))
}

fn take_epoch(from: &mut &[u8]) -> Result<(i32, i64), Malformed> {
    let epoch = take_i32(from)?;
    let hash = take_tag_0(from)?.map(|mut bytes| take_i64(&mut bytes)).transpose()?;
    Ok((epoch, hash.unwrap_or(0)))
}

fn put_member(to: &mut Vec<u8>, it: &MemberMetadata) {
    put_compact_nullable_string(to, it.instance.as_deref());
    put_compact_nullable_string(to, it.rack.as_deref());
    put_compact_string(to, &it.client_id);
    put_compact_string(to, &it.client_host);
    put_unsigned(to, it.topics.len() as u64 + 1);
    for topic in &it.topics {
        put_compact_string(to, topic);
    }
    // No pattern.
    put_compact_string(to, "");
    to.extend(it.rebalance_timeout_ms.to_be_bytes());
    put_compact_nullable_string(to, it.assignor.as_deref());
    // Kafka writes this tagged field even if it has its default.
    put_tag_0(to, &it.classic.as_ref().map_or(vec![0], classic_bytes));
}

/// A structure that may be null begins with a byte that says whether it is.
fn classic_bytes(classic: &ClassicMetadata) -> Vec<u8> {
    let mut to = vec![1];
    to.extend(classic.session_timeout_ms.to_be_bytes());
    put_unsigned(&mut to, classic.protocols.len() as u64 + 1);
    for (name, metadata) in &classic.protocols {
        put_compact_string(&mut to, name);
        put_unsigned(&mut to, metadata.len() as u64 + 1);
        to.extend(metadata);
        put_unsigned(&mut to, 0);
    }
    put_unsigned(&mut to, 0);
    to
}

fn take_member(from: &mut &[u8]) -> Result<MemberMetadata, Malformed> {
    let (instance, rack) =
        (take_compact_nullable_string(from)?, take_compact_nullable_string(from)?);
    let (client_id, client_host) = (take_compact_string(from)?, take_compact_string(from)?);
    let mut topics = BTreeSet::new();
    for _ in 0..take_count(from)? {
        topics.insert(take_compact_string(from)?);
    }
    if take_compact_nullable_string(from)?.is_some_and(|pattern| !pattern.is_empty()) {
        return Err(Malformed("a subscription by pattern"));
    }
    let rebalance_timeout_ms = take_i32(from)?;
    let assignor = take_compact_nullable_string(from)?;
    let classic = take_tag_0(from)?.map(|mut bytes| take_classic(&mut bytes)).transpose()?;
    Ok(MemberMetadata {
        instance,
        rack,
        client_id,
        client_host,
        topics,
        rebalance_timeout_ms,
        assignor,
        classic: classic.flatten(),
    })
}

fn take_classic(from: &mut &[u8]) -> Result<Option<ClassicMetadata>, Malformed> {
    if take::<1>(from)? != [1] {
        return Ok(None);
    }
    let session_timeout_ms = take_i32(from)?;
    let mut protocols = Vec::new();
    for _ in 0..take_count(from)? {
        let name = take_compact_string(from)?;
        let size = usize::try_from(take_count(from)?).map_err(|_| Malformed("bytes end early"))?;
        let (metadata, rest) = from.split_at_checked(size).ok_or(Malformed("bytes end early"))?;
        *from = rest;
        take_tag_0(from)?;
        protocols.push((name, Bytes::copy_from_slice(metadata)));
    }
    take_tag_0(from)?;
    Ok(Some(ClassicMetadata { session_timeout_ms, protocols }))
}

fn put_assignment(to: &mut Vec<u8>, assignment: &Assignment) {
    put_unsigned(to, assignment.len() as u64 + 1);
    for (topic, partitions) in assignment {
        to.extend(topic.0.to_be_bytes());
        put_unsigned(to, partitions.len() as u64 + 1);
        for partition in partitions {
            to.extend(partition.to_be_bytes());
        }
        put_unsigned(to, 0);
    }
}

fn take_assignment(from: &mut &[u8]) -> Result<Assignment, Malformed> {
    let mut assignment = Assignment::new();
    for _ in 0..take_count(from)? {
        let topic = TopicId(u128::from_be_bytes(take(from)?));
        let mut partitions = BTreeSet::new();
        for _ in 0..take_count(from)? {
            partitions.insert(take_i32(from)?);
        }
        take_tag_0(from)?;
        assignment.insert(topic, partitions);
    }
    Ok(assignment)
}

fn take_current(from: &mut &[u8]) -> Result<CurrentValue, Malformed> {
    let (epoch, previous_epoch) = (take_i32(from)?, take_i32(from)?);
    let [state] = take(from)?;
    let state = MemberState::of_code(state).ok_or(Malformed("an unknown state of a member"))?;
    let (assigned, to_revoke) = (take_assignment(from)?, take_assignment(from)?);
    Ok(CurrentValue { epoch, previous_epoch, state, assigned, to_revoke })
}
