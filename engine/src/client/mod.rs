//! Kafka's clients as state machines: producer, consumer and admin client.
//!
//! They are not processes. An application has at most one client of each kind in its process. It
//! passes messages, connection events and timers to the clients, whose methods return whether the
//! input belonged to the client, and takes their events. A time-out of a blocking call in Kafka is
//! an event here.

pub mod admin;
pub(crate) mod assignor;
pub mod consumer;
pub mod group;
pub mod metadata;
pub mod partitioner;
pub mod pattern;
pub mod producer;
pub(crate) mod random;
#[cfg(test)]
mod testing;

pub use admin::{Admin, AdminConfig, AdminEvent};
pub use consumer::{Consumer, ConsumerError, ConsumerEvent, Polled};
pub use group::{CommitError, GroupConsumer, GroupEvent, GroupMetadata};
pub use metadata::{Metadata, Topic};
pub use pattern::Pattern;
pub use producer::{
    Producer, ProducerEvent, ProducerRecord, ProducerStats, SendError, TransactionCall,
    TransactionError, TransactionFailure, TransactionState,
};
