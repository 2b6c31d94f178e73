//! Configuration: each field has the name and the default of a Kafka property (release 4.1).

mod group;
mod property;
mod tables;

pub use group::{GroupProtocol, MigrationPolicy, RemoteAssignor, ServerAssignor, ServerAssignors};
pub use property::{
    Acks, Assignor, Assignors, InstanceIdProperty, IsolationLevel, LogDirs, Partitioner, Property,
    PropertyError, Reset, TransactionVersion, TransactionalIdProperty,
};
pub use tables::{BrokerConfig, ConsumerConfig, ControllerConfig, ProducerConfig, TopicConfig};
