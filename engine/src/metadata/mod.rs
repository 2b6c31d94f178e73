//! The records of the metadata log, and the image that their replay yields (KIP-500, KIP-631).
//!
//! Controllers base their decisions on the image, brokers their leadership. Both replay the same
//! records in the same way, so two images at the same offset are equal.

pub mod batch;
pub mod broker;
mod checksum;
mod codec;
pub mod delta;
mod error;
pub mod image;
pub mod partition;
pub mod record;
mod topic_name;

pub use batch::decode_batch;
pub use broker::BrokerRegistration;
pub use codec::DecodeError;
pub use delta::{ImageDelta, Touched};
pub use error::ReplayError;
pub use image::{MetadataImage, TopicImage};
pub use partition::PartitionRegistration;
pub use record::{
    BrokerRegistrationChange, ConfigResource, Feature, MetadataRecord, PartitionChange,
    PartitionRecord, RegisterBroker,
};
pub use topic_name::{is_internal_topic, is_valid_topic_name};

#[cfg(test)]
mod tests;
