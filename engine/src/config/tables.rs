//! The tables of properties.

use super::group::{GroupProtocol, MigrationPolicy, RemoteAssignor, ServerAssignors};
use super::property::{
    Acks, Assignors, InstanceIdProperty, IsolationLevel, LogDirs, Partitioner, Property,
    PropertyError, Reset, TransactionVersion, TransactionalIdProperty,
};
use machine::Span;

macro_rules! properties {
    ($(#[$doc:meta])* $config:ident {
        $($(#[doc = $field_doc:literal])* $name:literal $field:ident: $type:ty = $default:expr;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $config {
            $(#[doc = concat!("`", $name, "`: ")] $(#[doc = $field_doc])* pub $field: $type,)*
        }

        impl Default for $config {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $config {
            /// The names of all properties of this table.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// The meaning of each property, in one line, in the order of [`Self::NAMES`].
            pub const SUMMARIES: &'static [&'static str] =
                &[$(concat!($($field_doc),*).trim_ascii(),)*];

            /// Sets the property called `name`.
            ///
            /// # Errors
            ///
            /// If there is no such property, or it cannot have that value.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
                match name {
                    $($name => {
                        self.$field = <$type as Property>::parse(value)
                            .ok_or(PropertyError::Expected(<$type as Property>::EXPECTED))?;
                    })*
                    _ => return Err(PropertyError::Unknown),
                }
                Ok(())
            }

            /// The value of the property called `name`, as [`Self::set`] would read it.
            pub fn get(&self, name: &str) -> Option<String> {
                match name {
                    $($name => Some(self.$field.render()),)*
                    _ => None,
                }
            }
        }
    };
}

properties! {
    /// The properties of a topic; a broker's own values are the defaults of its topics.
    TopicConfig {
        /// how many in-sync replicas acks=all needs.
        "min.insync.replicas" min_insync_replicas: u32 = 1;
        /// whether a replica out of sync may lead when none in sync can.
        "unclean.leader.election.enable" unclean_leader_election: bool = false;
        /// the largest batch accepted, in bytes.
        "max.message.bytes" max_message_bytes: u32 = 1_048_588;
        /// the size at which a segment is rolled, in bytes.
        "segment.bytes" segment_bytes: u32 = 1 << 30;
        /// the age at which a segment is rolled.
        "segment.ms" segment_ms: Span = Span::secs(7 * 24 * 3600);
        /// the size at which an index is full, in bytes.
        "segment.index.bytes" segment_index_bytes: u32 = 10 << 20;
        /// how many bytes lie between index entries.
        "index.interval.bytes" index_interval_bytes: u32 = 4096;
        /// fsync after this many messages.
        "flush.messages" flush_messages: i64 = i64::MAX;
        /// fsync messages that are this old.
        "flush.ms" flush_ms: Span = Span::MAX;
        /// how far a record's timestamp may be ahead of the broker's clock.
        "message.timestamp.after.max.ms" timestamp_after_max: Span = Span::secs(3600);
        /// how far a record's timestamp may be behind the broker's clock.
        "message.timestamp.before.max.ms" timestamp_before_max: Span = Span::MAX;
    }
}

properties! {
    /// The properties of a broker.
    BrokerConfig {
        /// how long a follower may lack something before it leaves the ISR.
        "replica.lag.time.max.ms" replica_lag_time_max: Span = Span::secs(30);
        /// how long a leader lets a follower's fetch wait for records.
        "replica.fetch.wait.max.ms" replica_fetch_wait_max: Span = Span::millis(500);
        /// how many bytes end that wait.
        "replica.fetch.min.bytes" replica_fetch_min_bytes: u32 = 1;
        /// how many bytes of one partition a follower requests.
        "replica.fetch.max.bytes" replica_fetch_max_bytes: u32 = 1 << 20;
        /// how many bytes a follower requests.
        "replica.fetch.response.max.bytes" replica_fetch_response_max_bytes: u32 = 10 << 20;
        /// how long a follower waits after an error.
        "replica.fetch.backoff.ms" replica_fetch_backoff: Span = Span::secs(1);
        /// how long a follower waits for a response.
        "replica.socket.timeout.ms" replica_socket_timeout: Span = Span::secs(30);
        /// how often high watermarks are written.
        "replica.high.watermark.checkpoint.interval.ms" high_watermark_checkpoint: Span =
            Span::secs(5);
        /// how often recovery points are written.
        "log.flush.offset.checkpoint.interval.ms" recovery_point_checkpoint: Span =
            Span::secs(60);
        /// how often logs are looked through for `flush.ms`.
        "log.flush.scheduler.interval.ms" flush_scheduler: Span = Span::MAX;
        /// how many bytes one fetch may return.
        "fetch.max.bytes" fetch_max_bytes: u32 = 55 << 20;
        /// how many fetch sessions a broker keeps (KIP-227).
        "max.incremental.fetch.session.cache.slots" fetch_session_cache_slots: u32 = 1000;
        /// how often a broker sends a heartbeat to the controller.
        "broker.heartbeat.interval.ms" heartbeat_interval: Span = Span::secs(2);
        /// how long a broker may take to register before it gives up.
        "initial.broker.registration.timeout.ms" initial_registration_timeout: Span =
            Span::secs(60);
        /// how long a request to another member of the quorum may take.
        "controller.quorum.request.timeout.ms" controller_request_timeout: Span = Span::secs(2);
        /// how long fetches of the metadata log may fail before another controller is asked.
        "controller.quorum.fetch.timeout.ms" quorum_fetch_timeout: Span = Span::secs(2);
        /// how long a request to the controller may take, on the way and there.
        "controller.socket.timeout.ms" controller_socket_timeout: Span = Span::secs(30);
        /// how long a new connection may take.
        "socket.connection.setup.timeout.ms" connection_setup_timeout: Span = Span::secs(10);
        /// the directories of logs, relative to the top of the disk.
        "log.dirs" log_dirs: LogDirs = LogDirs::default();
        /// how long a silent producer is remembered.
        "producer.id.expiration.ms" producer_id_expiration: Span = Span::secs(24 * 3600);
        /// how often silent producers are looked for.
        "producer.id.expiration.check.interval.ms" producer_id_expiration_check: Span =
            Span::secs(600);
        /// how long a leader of a transaction's partitions, or its coordinator, waits for a marker.
        "request.timeout.ms" request_timeout: Span = Span::secs(30);
        /// how many partitions `__transaction_state` is created with.
        "transaction.state.log.num.partitions" transaction_log_partitions: u32 = 50;
        /// how many replicas each of them has.
        "transaction.state.log.replication.factor" transaction_log_replication_factor: u32 = 3;
        /// how many in-sync replicas a write to them needs.
        "transaction.state.log.min.isr" transaction_log_min_isr: u32 = 2;
        /// the size at which their segments are rolled, in bytes.
        "transaction.state.log.segment.bytes" transaction_log_segment_bytes: u32 = 100 << 20;
        /// how many bytes a new coordinator reads at once.
        "transaction.state.log.load.buffer.size" transaction_log_load_buffer: u32 = 5 << 20;
        /// the longest `transaction.timeout.ms` that a producer may request.
        "transaction.max.timeout.ms" transaction_max_timeout: Span = Span::secs(900);
        /// how often transactions that are open for too long are looked for.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms" transaction_abort_interval:
            Span = Span::secs(10);
        /// how long an unused transactional id is remembered.
        "transactional.id.expiration.ms" transactional_id_expiration: Span =
            Span::secs(7 * 24 * 3600);
        /// how often unused transactional ids are looked for.
        "transaction.remove.expired.transaction.cleanup.interval.ms"
            transactional_id_expiration_check: Span = Span::secs(3600);
        /// whether a leader asks the coordinator before it opens a transaction of version 1.
        "transaction.partition.verification.enable" transaction_partition_verification: bool =
            true;
        /// how long a leader waits before it asks a coordinator again in whose hands a transaction
        /// is.
        "add.partitions.to.txn.retry.backoff.ms" add_partitions_retry_backoff: Span =
            Span::millis(20);
        /// how long a leader repeats its requests.
        "add.partitions.to.txn.retry.backoff.max.ms" add_partitions_retry_backoff_max: Span =
            Span::millis(100);
        /// how many partitions `__consumer_offsets` is created with.
        "offsets.topic.num.partitions" offsets_topic_partitions: u32 = 50;
        /// how many replicas each of them has.
        "offsets.topic.replication.factor" offsets_topic_replication_factor: u32 = 3;
        /// the size at which their segments are rolled, in bytes.
        "offsets.topic.segment.bytes" offsets_topic_segment_bytes: u32 = 100 << 20;
        /// how many bytes a new group coordinator reads at once.
        "offsets.load.buffer.size" offsets_load_buffer: u32 = 5 << 20;
        /// how long a group coordinator waits until its records are committed.
        "offsets.commit.timeout.ms" offsets_commit_timeout: Span = Span::secs(5);
        /// how many characters the metadata of a committed offset may have.
        "offset.metadata.max.bytes" offset_metadata_max: u32 = 4096;
        /// how long the offsets of a group without members are kept, in minutes.
        "offsets.retention.minutes" offsets_retention_minutes: u32 = 7 * 24 * 60;
        /// how often offsets that are too old are looked for.
        "offsets.retention.check.interval.ms" offsets_retention_check: Span = Span::secs(600);
        /// how long the records of a group coordinator wait for others before they are appended.
        "group.coordinator.append.linger.ms" group_append_linger: Span = Span::millis(5);
        /// how long the first rebalance of an empty group waits for more members.
        "group.initial.rebalance.delay.ms" group_initial_rebalance_delay: Span = Span::secs(3);
        /// the shortest `session.timeout.ms` that a member may ask for.
        "group.min.session.timeout.ms" group_min_session_timeout: Span = Span::secs(6);
        /// the longest `session.timeout.ms` that a member may ask for.
        "group.max.session.timeout.ms" group_max_session_timeout: Span = Span::secs(1800);
        /// how many members a group may have.
        "group.max.size" group_max_size: u32 = i32::MAX as u32;
        /// how long a member of the consumer protocol may be silent (KIP-848).
        "group.consumer.session.timeout.ms" consumer_session_timeout: Span = Span::secs(45);
        /// how often such a member sends a heartbeat.
        "group.consumer.heartbeat.interval.ms" consumer_heartbeat_interval: Span = Span::secs(5);
        /// the shortest `group.consumer.session.timeout.ms` with which a broker starts.
        "group.consumer.min.session.timeout.ms" consumer_min_session_timeout: Span = Span::secs(45);
        /// the longest.
        "group.consumer.max.session.timeout.ms" consumer_max_session_timeout: Span = Span::secs(60);
        /// the shortest `group.consumer.heartbeat.interval.ms` with which a broker starts.
        "group.consumer.min.heartbeat.interval.ms" consumer_min_heartbeat_interval: Span =
            Span::secs(5);
        /// the longest.
        "group.consumer.max.heartbeat.interval.ms" consumer_max_heartbeat_interval: Span =
            Span::secs(15);
        /// how many members a group of the consumer protocol may have.
        "group.consumer.max.size" consumer_group_max_size: u32 = i32::MAX as u32;
        /// the assignors that its members may name, the default first.
        "group.consumer.assignors" consumer_assignors: ServerAssignors = ServerAssignors::default();
        /// which groups with members may go from one protocol to the other.
        "group.consumer.migration.policy" consumer_migration_policy: MigrationPolicy =
            MigrationPolicy::Bidirectional;
        /// how long the controller may not know of a failed log directory before the broker stops.
        "log.dir.failure.timeout.ms" log_dir_failure_timeout: Span = Span::secs(30);
    }
}

properties! {
    /// The properties of a controller.
    ControllerConfig {
        /// how long a broker without heartbeats counts as alive.
        "broker.session.timeout.ms" session_timeout: Span = Span::secs(9);
        /// how long a voter waits for an election to be decided, at least.
        "controller.quorum.election.timeout.ms" election_timeout: Span = Span::secs(1);
        /// how long a voter waits for the leader, or the leader (times 1.5) for a majority.
        "controller.quorum.fetch.timeout.ms" fetch_timeout: Span = Span::secs(2);
        /// how long a voter waits after an election without winner, at most.
        "controller.quorum.election.backoff.max.ms" election_backoff_max: Span = Span::secs(1);
        /// how long a request between voters may take.
        "controller.quorum.request.timeout.ms" request_timeout: Span = Span::secs(2);
        /// how long to wait before a request between voters is sent again.
        "controller.quorum.retry.backoff.ms" retry_backoff: Span = Span::millis(20);
        /// how long records wait for others before they are appended.
        "controller.quorum.append.linger.ms" append_linger: Span = Span::millis(25);
        /// how long the log may be idle before an empty record is written.
        "metadata.max.idle.interval.ms" max_idle: Span = Span::millis(500);
        /// whether leadership is moved back to preferred replicas.
        "auto.leader.rebalance.enable" auto_leader_rebalance: bool = true;
        /// how often that is done, in seconds.
        "leader.imbalance.check.interval.seconds" imbalance_check_seconds: u64 = 300;
        /// how often leaderless partitions are elected uncleanly, where that is allowed.
        "unclean.leader.election.interval.ms" unclean_interval: Span = Span::secs(300);
        /// whether replicas that leave a small ISR stay eligible to lead (KIP-966).
        "eligible.leader.replicas.enable" eligible_leader_replicas: bool = true;
        /// which version of the transaction protocol the cluster has agreed on (KIP-890).
        "transaction.version" transaction_version: TransactionVersion = TransactionVersion::V2;
    }
}

properties! {
    /// The properties of a producer.
    ProducerConfig {
        /// which replicas need a record before it is confirmed.
        "acks" acks: Acks = Acks::All;
        /// whether copies and gaps of what is sent again are known to the leader.
        "enable.idempotence" enable_idempotence: bool = true;
        /// how many bytes a batch holds.
        "batch.size" batch_size: u32 = 16_384;
        /// how long a batch waits for more records.
        "linger.ms" linger: Span = Span::millis(5);
        /// how many bytes may wait to be sent.
        "buffer.memory" buffer_memory: u64 = 32 << 20;
        /// how long a send may wait for metadata and memory.
        "max.block.ms" max_block: Span = Span::secs(60);
        /// how many requests may be in flight on one connection.
        "max.in.flight.requests.per.connection" max_in_flight: u32 = 5;
        /// how large a record may be, in bytes.
        "max.request.size" max_request_size: u32 = 1 << 20;
        /// how often a batch is sent again.
        "retries" retries: u32 = i32::MAX as u32;
        /// how long to wait before that, at first.
        "retry.backoff.ms" retry_backoff: Span = Span::millis(100);
        /// how long to wait before that, at most.
        "retry.backoff.max.ms" retry_backoff_max: Span = Span::secs(1);
        /// how long a request may take.
        "request.timeout.ms" request_timeout: Span = Span::secs(30);
        /// how long a record may take from the send to its outcome.
        "delivery.timeout.ms" delivery_timeout: Span = Span::secs(120);
        /// how old metadata may become.
        "metadata.max.age.ms" metadata_max_age: Span = Span::secs(300);
        /// how long to wait before connecting again, at first.
        "reconnect.backoff.ms" reconnect_backoff: Span = Span::millis(50);
        /// how long to wait before connecting again, at most.
        "reconnect.backoff.max.ms" reconnect_backoff_max: Span = Span::secs(1);
        /// how long a new connection may take.
        "socket.connection.setup.timeout.ms" connection_setup_timeout: Span = Span::secs(10);
        /// which partition a record goes to that names none.
        "partitioner.class" partitioner: Partitioner = Partitioner::Default;
        /// whether a broker's load counts when a sticky partition is chosen.
        "partitioner.adaptive.partitioning.enable" partitioner_adaptive: bool = true;
        /// whether keys are left out of the choice.
        "partitioner.ignore.keys" partitioner_ignore_keys: bool = false;
        /// the name under which it sends in transactions; several producers of a group have it with
        /// `-1`, `-2` and so on behind it.
        "transactional.id" transactional_id: TransactionalIdProperty =
            TransactionalIdProperty(None);
        /// how long a transaction may be open before the coordinator aborts it.
        "transaction.timeout.ms" transaction_timeout: Span = Span::secs(60);
    }
}

properties! {
    /// The properties of a consumer.
    ConsumerConfig {
        /// where to start without a position, or with one out of range.
        "auto.offset.reset" auto_offset_reset: Reset = Reset::Latest;
        /// how many bytes end the wait of a fetch.
        "fetch.min.bytes" fetch_min_bytes: u32 = 1;
        /// how many bytes a fetch requests.
        "fetch.max.bytes" fetch_max_bytes: u32 = 50 << 20;
        /// how long a broker lets a fetch wait.
        "fetch.max.wait.ms" fetch_max_wait: Span = Span::millis(500);
        /// how many bytes of one partition a fetch requests.
        "max.partition.fetch.bytes" max_partition_fetch_bytes: u32 = 1 << 20;
        /// how many records one poll returns.
        "max.poll.records" max_poll_records: u32 = 500;
        /// how long a request may take.
        "request.timeout.ms" request_timeout: Span = Span::secs(30);
        /// how long to wait before a request is sent again, at first.
        "retry.backoff.ms" retry_backoff: Span = Span::millis(100);
        /// how long to wait before a request is sent again, at most.
        "retry.backoff.max.ms" retry_backoff_max: Span = Span::secs(1);
        /// how old metadata may become.
        "metadata.max.age.ms" metadata_max_age: Span = Span::secs(300);
        /// how long to wait before connecting again, at first.
        "reconnect.backoff.ms" reconnect_backoff: Span = Span::millis(50);
        /// how long to wait before connecting again, at most.
        "reconnect.backoff.max.ms" reconnect_backoff_max: Span = Span::secs(1);
        /// how long a new connection may take.
        "socket.connection.setup.timeout.ms" connection_setup_timeout: Span = Span::secs(10);
        /// whether it is given what belongs to open or aborted transactions.
        "isolation.level" isolation_level: IsolationLevel = IsolationLevel::ReadUncommitted;
        /// whether CRCs are checked.
        "check.crcs" check_crcs: bool = true;
        /// how often a member of a group sends a heartbeat.
        "heartbeat.interval.ms" heartbeat_interval: Span = Span::secs(3);
        /// how long the coordinator keeps a member of a group without a heartbeat.
        "session.timeout.ms" session_timeout: Span = Span::secs(45);
        /// how long a member of a group may take from one poll to the next, and to join again.
        "max.poll.interval.ms" max_poll_interval: Span = Span::secs(300);
        /// how a group shares partitions: the assignors that a member knows, the best first.
        "partition.assignment.strategy" assignors: Assignors = Assignors::default();
        /// the protocol of the group (KIP-848).
        "group.protocol" group_protocol: GroupProtocol = GroupProtocol::Classic;
        /// the assignor of the coordinator that the member prefers, in the consumer protocol.
        "group.remote.assignor" group_remote_assignor: RemoteAssignor = RemoteAssignor(None);
        /// the name under which a static member goes on after a restart.
        "group.instance.id" group_instance_id: InstanceIdProperty = InstanceIdProperty(None);
        /// whether a consumer commits its positions by itself, at the next poll.
        "enable.auto.commit" enable_auto_commit: bool = true;
        /// how often it does.
        "auto.commit.interval.ms" auto_commit_interval: Span = Span::secs(5);
        /// how long a synchronous commit may take.
        "default.api.timeout.ms" default_api_timeout: Span = Span::secs(60);
    }
}

impl ProducerConfig {
    /// Whether the producer is idempotent. A producer without acks=all or without retries is not,
    /// even though `enable.idempotence` is true by default
    /// (`postProcessAndValidateIdempotenceConfigs`); setting it explicitly together with them is
    /// refused elsewhere.
    pub fn is_idempotent(&self) -> bool {
        self.enable_idempotence && self.acks == Acks::All && self.retries > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_survive_being_written_and_read() {
        let defaults = ProducerConfig::default();
        let mut read = ProducerConfig::default();
        read.set("acks", "0").unwrap();
        assert_ne!(read, defaults);
        for name in ProducerConfig::NAMES {
            read.set(name, &defaults.get(name).unwrap()).unwrap();
        }
        assert_eq!(read, defaults);
    }

    #[test]
    fn a_wrong_value_is_refused_with_the_expected_form_and_changes_nothing() {
        let mut config = TopicConfig::default();
        assert_eq!(
            config.set("min.insync.replicas", "two"),
            Err(PropertyError::Expected("a whole number from 0 to 4294967295"))
        );
        assert_eq!(config.set("min.isr", "2"), Err(PropertyError::Unknown));
        assert_eq!(config, TopicConfig::default());
    }
}
