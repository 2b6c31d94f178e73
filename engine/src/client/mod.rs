//! Kafka's clients as state machines: producer, consumer and admin client.
//!
//! They are not processes. An application hosts at most one of each kind in its process, hands
//! on messages, connection events and timers (each returns whether they were its own), and takes
//! what has happened from the client's list of events. Time-outs that a blocking call has in
//! Kafka are events here.

pub mod admin;
pub mod consumer;
pub mod metadata;
pub mod partitioner;
pub mod producer;
mod random;
#[cfg(test)]
mod testing;

pub use admin::{Admin, AdminConfig, AdminEvent};
pub use consumer::{Consumer, ConsumerError, ConsumerEvent, Polled};
pub use metadata::{Metadata, Topic};
pub use producer::{
    Producer, ProducerEvent, ProducerRecord, ProducerStats, SendError, TransactionCall,
    TransactionError, TransactionFailure, TransactionState,
};
