//! Why a record of the metadata log cannot be replayed.

use super::codec::DecodeError;
use crate::ids::{BrokerId, Offset, TopicId, TopicPartition};
use std::fmt;

/// Why a record cannot be replayed: the image comes from another log, or no controller wrote the
/// record. The node halts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// The record does not follow the last one.
    OutOfOrder {
        /// The record's offset.
        offset: Offset,
        /// The last offset of the image.
        image: Offset,
    },
    /// The record names a broker that is not registered, or another life of a broker.
    NoSuchBroker(BrokerId),
    /// The record names a topic that does not exist.
    NoSuchTopic(TopicId),
    /// The record names a partition that does not exist, or leaves a gap before it.
    NoSuchPartition(TopicPartition),
    /// The name or id of a new topic is taken.
    TopicExists(TopicId),
    /// Producer ids that have been allocated would be allocated again.
    ProducerIds {
        /// The first free id by the record.
        record: i64,
        /// The first free id by the image.
        image: i64,
    },
    /// The property does not exist, or the value is not allowed.
    Config,
    /// The bytes are not a record.
    Decode(DecodeError),
    /// The batch cannot be read.
    Batch,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder { offset, image } => {
                write!(f, "record {offset} does not follow record {image}")
            }
            Self::NoSuchBroker(id) => write!(f, "broker {id} has no such registration"),
            Self::NoSuchTopic(id) => write!(f, "there is no topic {id}"),
            Self::NoSuchPartition(partition) => write!(f, "there is no partition {partition}"),
            Self::TopicExists(id) => write!(f, "the name or id of topic {id} is taken"),
            Self::ProducerIds { record, image } => {
                write!(f, "producer ids from {record} on are not free, those from {image} on are")
            }
            Self::Config => f.write_str("a property has no such name or value"),
            Self::Decode(error) => error.fmt(f),
            Self::Batch => f.write_str("a batch cannot be read"),
        }
    }
}

impl std::error::Error for ReplayError {}
