//! A broker: partitions, their replication, and the requests of clients (`BrokerServer`,
//! `ReplicaManager`).
//!
//! | file | idea |
//! |---|---|
//! | `route.rs`, `serve.rs`, `part.rs` | routing of inputs to parts, with lanes and locks |
//! | `publisher.rs` | committed metadata, and its publication to the parts |
//! | `requests/` | requests in order, parked requests, responses |
//! | `context.rs` | the context that all parts share |
//! | `controller_channel.rs` | sends one kind of request to the active controller |
//! | `loopback.rs` | connections of a broker to itself |
//! | `internal_topics.rs`, `fields.rs` | where coordinators keep their state, and in which form |
//!
//! | part | idea |
//! |---|---|
//! | `metadata/` | observer of the quorum; the metadata image |
//! | `lifecycle.rs` | registration, heartbeats, controlled shutdown |
//! | `replicas/` | replicas, their ISR, fetchers, checkpoints |
//! | `forward.rs`, `producer_ids.rs` | requests that the controller handles; producer ids from the controller |
//! | `verification.rs` | requests to transaction coordinators before batches are appended |
//! | `assignments.rs` | reports of log directories of replicas to the controller |
//! | `transactions/` | transaction coordinators |
//! | `groups/` | group coordinators |
//!
//! Each part owns its state, its connections, its timers and the requests that it has parked, and
//! does not use other parts. A new coordinator is a new part.

mod assignments;
mod context;
mod controller_channel;
pub(crate) mod fields;
mod forward;
mod groups;
mod internal_topics;
mod lane;
mod lifecycle;
mod loopback;
mod metadata;
mod part;
mod producer_ids;
mod publisher;
mod replicas;
mod requests;
mod route;
mod serve;
mod transactions;
mod verification;
mod view;

#[cfg(test)]
mod tests;

pub use internal_topics::index_of as transaction_partition_of;
pub use view::PartitionView;

use crate::Outbox;
use crate::config::{BrokerConfig, ControllerConfig, TopicConfig};
use crate::ids::BrokerId;
use crate::log::LogConfig;
use crate::metadata::MetadataImage;
use crate::raft::{Quorum, QuorumConfig};
use crate::rules::Rulebook;
use assignments::Assignments;
use context::{Context, Io};
use forward::Forwards;
use groups::Groups;
use lifecycle::Lifecycle;
use loopback::Loopback;
use machine::{Boot, Disk, Halt, Lane, NodeId};
use metadata::Metadata;
use replicas::{LogDirs, Replicas};
use requests::Requests;
use transactions::Transactions;
use verification::Verification;

/// The configuration of a broker.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// The node of the broker.
    pub node: NodeId,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// The properties of the broker.
    pub config: BrokerConfig,
    /// The broker's values of topic properties, which are the defaults of topics.
    pub topic_defaults: TopicConfig,
    /// The controllers (`controller.quorum.voters`).
    pub voters: Vec<BrokerId>,
    /// The rules of the engine.
    pub rules: Rulebook,
}

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    context: Context,
    requests: Requests,
    loopback: Loopback,
    parts: Parts,
}

#[derive(Clone, Debug)]
struct Parts {
    metadata: Metadata,
    lifecycle: Lifecycle,
    replicas: Replicas,
    forwards: Forwards,
    assignments: Assignments,
    transactions: Transactions,
    groups: Groups,
    verification: Verification,
}

impl Broker {
    fn start(
        settings: &BrokerSettings,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Self, Halt> {
        let mut io = Io { now: boot.now, lane: Lane::Control, disk, out };
        let log_dirs = LogDirs::open(settings.config.log_dirs.paths(), &boot, &mut io)?;
        let previous_broker_epoch = log_dirs.previous_broker_epoch(&mut io);
        let quorum = Quorum::boot(quorum_config(settings), boot, settings.rules, io.disk, io.out)?;
        let setup_timeout = settings.config.connection_setup_timeout;
        let incarnation = (u128::from(boot.entropy) << 16) | u128::from(boot.incarnation);
        let lifecycle = Lifecycle::new(
            incarnation,
            previous_broker_epoch,
            settings.rack.clone(),
            log_dirs.online_ids(),
            &settings.config,
        );
        let mut broker = Self {
            context: Context {
                node: settings.node,
                id: settings.node.node,
                config: settings.config.clone(),
                rules: settings.rules,
                image: MetadataImage::new(settings.topic_defaults.clone()),
                broker_epoch: -1,
                controller: None,
                serving: false,
                stopping: false,
            },
            requests: Requests::new(),
            loopback: Loopback::default(),
            parts: Parts {
                metadata: Metadata::new(quorum),
                lifecycle,
                replicas: Replicas::new(log_dirs, &settings.config, boot.entropy),
                forwards: Forwards::new(setup_timeout),
                assignments: Assignments::new(setup_timeout),
                transactions: Transactions::new(setup_timeout),
                groups: Groups::new(boot.entropy),
                verification: Verification::new(setup_timeout),
            },
        };
        let (parts, mut cx) = broker.split(&mut io);
        parts.lifecycle.start(&mut cx);
        Ok(broker)
    }
}

/// The configuration of the broker's observer of the metadata quorum.
fn quorum_config(settings: &BrokerSettings) -> QuorumConfig {
    let defaults = ControllerConfig::default();
    QuorumConfig {
        id: settings.node.node,
        voters: settings.voters.clone(),
        election_timeout: defaults.election_timeout,
        fetch_timeout: settings.config.quorum_fetch_timeout,
        election_backoff_max: defaults.election_backoff_max,
        request_timeout: settings.config.controller_request_timeout,
        retry_backoff: defaults.retry_backoff,
        append_linger: defaults.append_linger,
        log: LogConfig::default(),
    }
}
