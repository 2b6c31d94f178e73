//! Records of `__consumer_offsets`, byte for byte (`GroupCoordinatorRecordHelpers`,
//! `OffsetCommitKey.json`, `OffsetCommitValue.json`, `GroupMetadataKey.json`, `GroupMetadataValue.json`).
//!
//! | record | key | value |
//! |---|---|---|
//! | offset | type i16 = 1, group, topic, partition i32 | version i16 = 4: offset i64, leader epoch i32, metadata, commit time i64, tagged fields (flexible); version 1 if the request has said how long the offset is kept: offset, metadata, commit time, expire time |
//! | group | type i16 = 2, group | version i16 = 3: protocol type, generation i32, protocol, leader, time of the state i64, members |
//!
//! Those of the consumer protocol are in `consumer/record.rs`. A record without a value is a tombstone. Types that a reader does not know are skipped.

use super::consumer::ConsumerRecord;
use crate::broker::fields::{
    Malformed, put_bytes, put_compact_string, put_nullable_string, put_string, put_unsigned,
    take_bytes, take_compact_string, take_i16, take_i32, take_i64, take_nullable_string,
    take_string, take_tag, take_unsigned,
};
use crate::ids::{GroupId, GroupInstanceId, MemberId};
use crate::protocol::NamedPartition;
use bytes::Bytes;
use std::sync::Arc;

const OFFSET: i16 = 1;
const GROUP: i16 = 2;
const OFFSET_WITH_EXPIRY: i16 = 1;
const OFFSET_VALUE: i16 = 4;
const GROUP_VALUE: i16 = 3;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A group has committed an offset; `None`: the offset is deleted.
    Offset { group: GroupId, partition: NamedPartition, value: Option<OffsetValue> },
    /// The generation of a group of the classic protocol; `None`: there is no such group any more.
    Group { group: GroupId, value: Option<GroupValue> },
    /// What a group of the consumer protocol is.
    Consumer { group: GroupId, record: ConsumerRecord },
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OffsetValue {
    pub(super) offset: i64,
    /// -1: unknown.
    pub(super) leader_epoch: i32,
    pub(super) metadata: Arc<str>,
    /// In milliseconds since the Unix epoch, by the coordinator's clock.
    pub(super) commit_ms: i64,
    /// When it expires, if the request has said so.
    pub(super) expire_ms: Option<i64>,
}

/// A generation of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupValue {
    /// Empty: none.
    pub(super) protocol_type: Arc<str>,
    pub(super) generation: i32,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) leader: Option<MemberId>,
    /// When the group has entered its state, in milliseconds since the Unix epoch; -1: unknown.
    pub(super) state_ms: i64,
    pub(super) members: Vec<MemberValue>,
}

/// A member of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemberValue {
    pub(super) member: MemberId,
    pub(super) instance: Option<GroupInstanceId>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    pub(super) subscription: Bytes,
    pub(super) assignment: Bytes,
}

impl Record {
    /// The key.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::Offset { group, partition: (topic, index), .. } => {
                let mut key = OFFSET.to_be_bytes().to_vec();
                put_string(&mut key, group);
                put_string(&mut key, topic);
                key.extend(index.to_be_bytes());
                key
            }
            Self::Group { group, .. } => {
                let mut key = GROUP.to_be_bytes().to_vec();
                put_string(&mut key, group);
                key
            }
            Self::Consumer { group, record } => record.key(group),
        }
    }

    /// The value; `None` for a tombstone.
    pub(super) fn value(&self) -> Option<Vec<u8>> {
        match self {
            Self::Offset { value, .. } => value.as_ref().map(OffsetValue::bytes),
            Self::Group { value, .. } => value.as_ref().map(GroupValue::bytes),
            Self::Consumer { record, .. } => record.value(),
        }
    }

    /// The record of a key and a value; `None` if it is of a type that is skipped.
    pub(super) fn read(mut key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, Malformed> {
        let key = &mut key;
        Ok(match take_i16(key)? {
            OFFSET => {
                let (group, topic, index) = (take_string(key)?, take_string(key)?, take_i32(key)?);
                let value = value.map(OffsetValue::read).transpose()?;
                Some(Self::Offset { group, partition: (topic, index), value })
            }
            GROUP => {
                let group = take_string(key)?;
                Some(Self::Group { group, value: value.map(GroupValue::read).transpose()? })
            }
            kind => {
                let read = ConsumerRecord::read(kind, key, value)?;
                read.map(|(group, record)| Self::Consumer { group, record })
            }
        })
    }
}

impl OffsetValue {
    fn bytes(&self) -> Vec<u8> {
        let Self { offset, leader_epoch, metadata, commit_ms, expire_ms } = self;
        let Some(expire_ms) = expire_ms else {
            let mut to = OFFSET_VALUE.to_be_bytes().to_vec();
            to.extend(offset.to_be_bytes());
            to.extend(leader_epoch.to_be_bytes());
            put_compact_string(&mut to, metadata);
            to.extend(commit_ms.to_be_bytes());
            put_unsigned(&mut to, 0);
            return to;
        };
        let mut to = OFFSET_WITH_EXPIRY.to_be_bytes().to_vec();
        to.extend(offset.to_be_bytes());
        put_string(&mut to, metadata);
        to.extend(commit_ms.to_be_bytes());
        to.extend(expire_ms.to_be_bytes());
        to
    }

    fn read(mut from: &[u8]) -> Result<Self, Malformed> {
        let from = &mut from;
        match take_i16(from)? {
            OFFSET_VALUE => {
                let (offset, leader_epoch) = (take_i64(from)?, take_i32(from)?);
                let (metadata, commit_ms) = (take_compact_string(from)?, take_i64(from)?);
                for _ in 0..take_unsigned(from)? {
                    take_tag(from)?;
                }
                Ok(Self { offset, leader_epoch, metadata, commit_ms, expire_ms: None })
            }
            OFFSET_WITH_EXPIRY => {
                let (offset, metadata) = (take_i64(from)?, take_string(from)?);
                let (commit_ms, expire_ms) = (take_i64(from)?, Some(take_i64(from)?));
                Ok(Self { offset, leader_epoch: -1, metadata, commit_ms, expire_ms })
            }
            _ => Err(Malformed("an offset of another version")),
        }
    }
}

impl GroupValue {
    fn bytes(&self) -> Vec<u8> {
        let mut to = GROUP_VALUE.to_be_bytes().to_vec();
        put_string(&mut to, &self.protocol_type);
        to.extend(self.generation.to_be_bytes());
        put_nullable_string(&mut to, self.protocol.as_deref());
        put_nullable_string(&mut to, self.leader.as_deref());
        to.extend(self.state_ms.to_be_bytes());
        to.extend((self.members.len() as i32).to_be_bytes());
        for it in &self.members {
            put_string(&mut to, &it.member);
            put_nullable_string(&mut to, it.instance.as_deref());
            put_string(&mut to, &it.client_id);
            put_string(&mut to, &it.client_host);
            to.extend(it.rebalance_timeout_ms.to_be_bytes());
            to.extend(it.session_timeout_ms.to_be_bytes());
            put_bytes(&mut to, &it.subscription);
            put_bytes(&mut to, &it.assignment);
        }
        to
    }

    fn read(mut from: &[u8]) -> Result<Self, Malformed> {
        let from = &mut from;
        if take_i16(from)? != GROUP_VALUE {
            return Err(Malformed("a group of another version"));
        }
        let (protocol_type, generation) = (take_string(from)?, take_i32(from)?);
        let (protocol, leader) = (take_nullable_string(from)?, take_nullable_string(from)?);
        let state_ms = take_i64(from)?;
        let mut members = Vec::new();
        for _ in 0..take_i32(from)? {
            members.push(MemberValue {
                member: take_string(from)?,
                instance: take_nullable_string(from)?,
                client_id: take_string(from)?,
                client_host: take_string(from)?,
                rebalance_timeout_ms: take_i32(from)?,
                session_timeout_ms: take_i32(from)?,
                subscription: Bytes::copy_from_slice(take_bytes(from)?),
                assignment: Bytes::copy_from_slice(take_bytes(from)?),
            });
        }
        Ok(Self { protocol_type, generation, protocol, leader, state_ms, members })
    }
}
