//! Configuration, field by field under Kafka's own property names and defaults (release 4.1).

mod property;
mod tables;

pub use property::{
    Acks, LogDirs, Partitioner, Property, PropertyError, Reset, TransactionVersion,
};
pub use tables::{BrokerConfig, ConsumerConfig, ControllerConfig, ProducerConfig, TopicConfig};
