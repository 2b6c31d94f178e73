//! Kafka as state machines without I/O: log, replication, controller and clients.
//!
//! Nothing here knows the simulator, a real clock, a thread or a real file: time, messages and
//! the disk come as arguments ([`machine::Process`]), so that every run can be repeated.

pub mod broker;
pub mod client;
pub mod config;
pub mod controller;
pub mod error;
pub mod fact;
mod fetch_session;
pub mod ids;
pub mod log;
pub mod metadata;
pub mod net;
pub mod protocol;
pub mod raft;
pub mod reach;
pub mod record;
pub mod rules;
#[cfg(test)]
mod script;
pub mod timer;

use ids::TopicPartition;
use machine::Vocabulary;

/// The types that brokers, controllers and clients share.
#[derive(Clone, Copy, Debug)]
pub struct Kafka;

impl Vocabulary for Kafka {
    type Message = protocol::Message;
    type Timer = timer::Timer;
    type Fact = fact::Fact;
    type Lock = TopicPartition;
}

/// The outbox of every process here.
pub type Outbox = machine::Outbox<Kafka>;

/// What happens to every process here.
pub type Input = machine::Input<Kafka>;
