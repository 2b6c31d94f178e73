//! The bytes of a [`MetadataRecord`]: its type, its version, then its fields, big-endian.
//!
//! Decoding is total: whatever the bytes, it returns a record or an error. Every record has exactly
//! one encoding: bytes that decode are those that `encode` returns for the result.

use super::record::{
    BrokerRegistrationChange, ConfigResource, Feature, MetadataRecord, PartitionChange,
    PartitionRecord, RegisterBroker,
};
use crate::ids::{BrokerId, DirectoryId, TopicId, TopicPartition};
use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;

/// Why bytes are not a metadata record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end too early.
    Truncated,
    /// There are bytes after the record.
    TrailingBytes,
    /// No record has this type.
    UnknownType(u8),
    /// The record is of a version that this build does not know.
    UnknownVersion {
        /// The record's type.
        kind: u8,
        /// Its version.
        version: u8,
    },
    /// The bytes are not a valid value of this kind.
    Invalid(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the record ends too early"),
            Self::TrailingBytes => f.write_str("there are bytes after the record's last field"),
            Self::UnknownType(kind) => write!(f, "there is no record type {kind}"),
            Self::UnknownVersion { kind, version } => {
                write!(f, "record type {kind} has no version {version}")
            }
            Self::Invalid(what) => write!(f, "invalid {what}"),
        }
    }
}

impl std::error::Error for DecodeError {}

// Type numbers are never reused; a changed record gets another version.
const REGISTER_BROKER: u8 = 0;
const UNREGISTER_BROKER: u8 = 1;
const BROKER_REGISTRATION_CHANGE: u8 = 2;
const TOPIC: u8 = 3;
const PARTITION: u8 = 4;
const PARTITION_CHANGE: u8 = 5;
const REMOVE_TOPIC: u8 = 6;
const CONFIG: u8 = 7;
const FEATURE_LEVEL: u8 = 8;
const NO_OP: u8 = 9;
const PRODUCER_IDS: u8 = 10;

/// All records are still in their first version.
const VERSION: u8 = 0;

impl MetadataRecord {
    fn kind(&self) -> u8 {
        match self {
            Self::RegisterBroker(_) => REGISTER_BROKER,
            Self::UnregisterBroker { .. } => UNREGISTER_BROKER,
            Self::BrokerRegistrationChange(_) => BROKER_REGISTRATION_CHANGE,
            Self::Topic { .. } => TOPIC,
            Self::Partition(_) => PARTITION,
            Self::PartitionChange(_) => PARTITION_CHANGE,
            Self::RemoveTopic { .. } => REMOVE_TOPIC,
            Self::Config { .. } => CONFIG,
            Self::FeatureLevel { .. } => FEATURE_LEVEL,
            Self::NoOp => NO_OP,
            Self::ProducerIds { .. } => PRODUCER_IDS,
        }
    }

    /// Encodes it as the value of a Kafka record in the metadata log.
    pub fn encode(&self) -> Bytes {
        let mut to = BytesMut::with_capacity(64);
        to.put_u8(self.kind());
        to.put_u8(VERSION);
        self.put_fields(&mut to);
        to.freeze()
    }

    fn put_fields(&self, to: &mut BytesMut) {
        match self {
            Self::RegisterBroker(r) => {
                to.put_u16(r.broker);
                to.put_u128(r.incarnation);
                to.put_i64(r.broker_epoch);
                put_option(to, r.rack.as_ref(), |to, rack| put_string(to, rack));
                put_bool(to, r.fenced);
                put_bool(to, r.in_controlled_shutdown);
                put_directories(to, &r.log_dirs);
            }
            Self::UnregisterBroker { broker, broker_epoch } => {
                to.put_u16(*broker);
                to.put_i64(*broker_epoch);
            }
            Self::BrokerRegistrationChange(r) => {
                to.put_u16(r.broker);
                to.put_i64(r.broker_epoch);
                put_option(to, r.fenced, put_bool);
                put_option(to, r.in_controlled_shutdown, put_bool);
                put_option(to, r.log_dirs.as_ref(), |to, dirs| put_directories(to, dirs));
            }
            Self::Topic { name, id } => {
                put_string(to, name);
                to.put_u128(id.0);
            }
            Self::Partition(r) => {
                put_partition(to, r.partition);
                put_brokers(to, &r.replicas);
                put_directories(to, &r.directories);
                put_brokers(to, &r.isr);
                put_brokers(to, &r.elr);
                put_option(to, r.last_known_leader, BytesMut::put_u16);
                put_option(to, r.leader, BytesMut::put_u16);
                to.put_i32(r.leader_epoch);
                to.put_i32(r.partition_epoch);
            }
            Self::PartitionChange(r) => {
                put_partition(to, r.partition);
                put_option(to, r.isr.as_ref(), |to, isr| put_brokers(to, isr));
                put_option(to, r.elr.as_ref(), |to, elr| put_brokers(to, elr));
                put_option(to, r.last_known_leader, |to, leader| {
                    put_option(to, leader, BytesMut::put_u16);
                });
                put_option(to, r.leader, |to, leader| put_option(to, leader, BytesMut::put_u16));
                put_option(to, r.directories.as_ref(), |to, dirs| put_directories(to, dirs));
            }
            Self::RemoveTopic { id } => to.put_u128(id.0),
            Self::Config { resource, name, value } => {
                match resource {
                    ConfigResource::Cluster => to.put_u8(0),
                    ConfigResource::Topic(id) => {
                        to.put_u8(1);
                        to.put_u128(id.0);
                    }
                }
                put_string(to, name);
                put_option(to, value.as_ref(), |to, value| put_string(to, value));
            }
            Self::FeatureLevel { feature, level } => {
                to.put_u8(match feature {
                    Feature::MetadataVersion => 0,
                    Feature::EligibleLeaderReplicas => 1,
                    Feature::TransactionVersion => 2,
                });
                to.put_u16(*level);
            }
            Self::NoOp => {}
            Self::ProducerIds { broker, broker_epoch, next_producer_id } => {
                to.put_u16(*broker);
                to.put_i64(*broker_epoch);
                to.put_i64(*next_producer_id);
            }
        }
    }

    /// Decodes the value of a Kafka record in the metadata log.
    ///
    /// # Errors
    ///
    /// If the bytes are not the encoding of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader { bytes };
        let kind = from.u8()?;
        let version = from.u8()?;
        if kind > PRODUCER_IDS {
            return Err(DecodeError::UnknownType(kind));
        }
        if version != VERSION {
            return Err(DecodeError::UnknownVersion { kind, version });
        }
        let record = Self::read_fields(kind, &mut from)?;
        if from.bytes.is_empty() { Ok(record) } else { Err(DecodeError::TrailingBytes) }
    }

    fn read_fields(kind: u8, from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // Fields of a struct expression are evaluated in the order in which they are written.
        Ok(match kind {
            REGISTER_BROKER => Self::RegisterBroker(RegisterBroker {
                broker: from.u16()?,
                incarnation: from.u128()?,
                broker_epoch: from.i64()?,
                rack: from.option(Reader::string)?,
                fenced: from.bool()?,
                in_controlled_shutdown: from.bool()?,
                log_dirs: from.directories()?,
            }),
            UNREGISTER_BROKER => {
                Self::UnregisterBroker { broker: from.u16()?, broker_epoch: from.i64()? }
            }
            BROKER_REGISTRATION_CHANGE => {
                Self::BrokerRegistrationChange(BrokerRegistrationChange {
                    broker: from.u16()?,
                    broker_epoch: from.i64()?,
                    fenced: from.option(Reader::bool)?,
                    in_controlled_shutdown: from.option(Reader::bool)?,
                    log_dirs: from.option(Reader::directories)?,
                })
            }
            TOPIC => Self::Topic { name: from.string()?, id: TopicId(from.u128()?) },
            PARTITION => Self::Partition(PartitionRecord {
                partition: from.partition()?,
                replicas: from.brokers()?,
                directories: from.directories()?,
                isr: from.brokers()?,
                elr: from.brokers()?,
                last_known_leader: from.option(Reader::u16)?,
                leader: from.option(Reader::u16)?,
                leader_epoch: from.i32()?,
                partition_epoch: from.i32()?,
            }),
            PARTITION_CHANGE => Self::PartitionChange(PartitionChange {
                partition: from.partition()?,
                isr: from.option(Reader::brokers)?,
                elr: from.option(Reader::brokers)?,
                last_known_leader: from.option(|from| from.option(Reader::u16))?,
                leader: from.option(|from| from.option(Reader::u16))?,
                directories: from.option(Reader::directories)?,
            }),
            REMOVE_TOPIC => Self::RemoveTopic { id: TopicId(from.u128()?) },
            CONFIG => Self::Config {
                resource: match from.u8()? {
                    0 => ConfigResource::Cluster,
                    1 => ConfigResource::Topic(TopicId(from.u128()?)),
                    _ => return Err(DecodeError::Invalid("resource type")),
                },
                name: from.string()?,
                value: from.option(Reader::string)?,
            },
            FEATURE_LEVEL => Self::FeatureLevel {
                feature: match from.u8()? {
                    0 => Feature::MetadataVersion,
                    1 => Feature::EligibleLeaderReplicas,
                    2 => Feature::TransactionVersion,
                    _ => return Err(DecodeError::Invalid("feature")),
                },
                level: from.u16()?,
            },
            NO_OP => Self::NoOp,
            PRODUCER_IDS => Self::ProducerIds {
                broker: from.u16()?,
                broker_epoch: from.i64()?,
                next_producer_id: from.i64()?,
            },
            _ => return Err(DecodeError::UnknownType(kind)),
        })
    }
}

fn put_bool(to: &mut BytesMut, value: bool) {
    to.put_u8(u8::from(value));
}

fn put_option<T>(to: &mut BytesMut, value: Option<T>, put: impl FnOnce(&mut BytesMut, T)) {
    put_bool(to, value.is_some());
    if let Some(value) = value {
        put(to, value);
    }
}

fn put_string(to: &mut BytesMut, value: &str) {
    to.put_u32(u32::try_from(value.len()).expect("names and values are short"));
    to.put_slice(value.as_bytes());
}

fn put_partition(to: &mut BytesMut, value: TopicPartition) {
    to.put_u128(value.topic.0);
    to.put_i32(value.partition);
}

fn put_brokers(to: &mut BytesMut, value: &[BrokerId]) {
    to.put_u16(u16::try_from(value.len()).expect("no more replicas than there are brokers"));
    for broker in value {
        to.put_u16(*broker);
    }
}

fn put_directories(to: &mut BytesMut, value: &[DirectoryId]) {
    to.put_u16(u16::try_from(value.len()).expect("few log directories and replicas"));
    for directory in value {
        to.put_u128(directory.0);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        fn $type(&mut self) -> Result<$type, DecodeError> {
            self.array().map($type::from_be_bytes)
        }
    )*};
}

impl<'a> Reader<'a> {
    integers! { u8 u16 u32 i32 i64 u128 }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid("boolean")),
        }
    }

    fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    fn string(&mut self) -> Result<String, DecodeError> {
        let length = self.u32()?;
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated)?;
        let text = std::str::from_utf8(self.take(length)?);
        text.map(str::to_owned).map_err(|_| DecodeError::Invalid("UTF-8 string"))
    }

    fn partition(&mut self) -> Result<TopicPartition, DecodeError> {
        Ok(TopicPartition { topic: TopicId(self.u128()?), partition: self.i32()? })
    }

    fn directories(&mut self) -> Result<Vec<DirectoryId>, DecodeError> {
        let count = usize::from(self.u16()?);
        (0..count).map(|_| self.u128().map(DirectoryId)).collect()
    }

    fn brokers(&mut self) -> Result<Vec<BrokerId>, DecodeError> {
        let count = usize::from(self.u16()?);
        let bytes = self.take(count * 2)?;
        Ok(bytes.chunks_exact(2).map(|id| BrokerId::from_be_bytes([id[0], id[1]])).collect())
    }
}
