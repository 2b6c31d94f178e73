//! A broker: partitions, their replication, and the requests of clients (`BrokerServer`,
//! `ReplicaManager`).
//!
//! | file | idea |
//! |---|---|
//! | `dispatch.rs` | which input goes where, on which lane, under which locks |
//! | `connection.rs`, `purgatory.rs`, `waiting.rs` | requests in order, and those that wait |
//! | `produce.rs`, `fetch.rs`, `metadata_request.rs`, `forward.rs` | the requests |
//! | `partition/` | a replica |
//! | `fetcher.rs`, `lookup.rs` | following leaders |
//! | `publisher.rs` | what the metadata says, done |
//! | `alter_partition.rs` | changes of the ISR, on their way to the controller |
//! | `lifecycle.rs` | registration, heartbeats, shutdown |
//! | `checkpoints.rs` | start, checkpoints, periodic work |

mod alter_partition;
mod checkpoints;
mod connection;
mod context;
mod dispatch;
mod fetch;
mod fetcher;
mod forward;
mod lifecycle;
mod lookup;
mod metadata_request;
mod partition;
mod produce;
mod publisher;
mod purgatory;
mod view;
mod waiting;

#[cfg(test)]
mod tests;

pub use view::PartitionView;

use crate::Outbox;
use crate::config::{BrokerConfig, ControllerConfig, TopicConfig};
use crate::ids::{BrokerId, TopicPartition};
use crate::log::LogConfig;
use crate::metadata::MetadataImage;
use crate::raft::{Quorum, QuorumConfig};
use crate::rules::Rulebook;
use crate::timer::{BrokerTimer, Timer};
use alter_partition::AlterPartitions;
use context::{Context, Io};
use fetcher::Fetchers;
use forward::Forwards;
use lifecycle::Lifecycle;
use machine::{Boot, ConnId, Disk, Halt, Lane, NodeId};
use partition::{Changes, Partition};
use publisher::Metadata;
use purgatory::Purgatory;
use std::collections::BTreeMap;

/// What a broker is configured with.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// The node that it runs on.
    pub node: NodeId,
    /// `broker.rack`
    pub rack: Option<String>,
    /// Its own properties.
    pub config: BrokerConfig,
    /// Its values of topic properties, the defaults of topics that set no others.
    pub topic_defaults: TopicConfig,
    /// The controllers (`controller.quorum.voters`).
    pub voters: Vec<BrokerId>,
    /// The rules that it follows.
    pub rules: Rulebook,
}

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    node: NodeId,
    context: Context,
    quorum: Quorum,
    metadata: Metadata,
    lifecycle: Lifecycle,
    alterations: AlterPartitions,
    forwards: Forwards,
    partitions: BTreeMap<TopicPartition, Partition>,
    fetchers: Fetchers,
    purgatory: Purgatory,
    /// Kept for its capacity.
    woken: Vec<ConnId>,
}

impl Broker {
    fn start(
        settings: &BrokerSettings,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Self, Halt> {
        let mut io = Io { now: boot.now, lane: Lane::Control, disk, out };
        let loaded = checkpoints::load(&settings.topic_defaults, &mut io)?;
        let quorum = Quorum::boot(quorum_config(settings), boot, settings.rules, io.disk, io.out)?;
        let setup_timeout = settings.config.connection_setup_timeout;
        let incarnation = (u128::from(boot.entropy) << 16) | u128::from(boot.incarnation);
        let broker = Self {
            node: settings.node,
            context: Context {
                id: settings.node.node,
                config: settings.config.clone(),
                rules: settings.rules,
                image: MetadataImage::new(settings.topic_defaults.clone()),
                broker_epoch: -1,
            },
            quorum,
            metadata: Metadata::default(),
            lifecycle: Lifecycle::new(
                incarnation,
                loaded.previous_broker_epoch,
                settings.rack.clone(),
                boot.now.mono,
                setup_timeout,
            ),
            alterations: AlterPartitions::new(setup_timeout),
            forwards: Forwards::new(setup_timeout),
            partitions: loaded.partitions,
            fetchers: Fetchers::new(setup_timeout),
            purgatory: Purgatory::new(),
            woken: Vec::new(),
        };
        broker.start_periodic_work(&mut io);
        broker.heartbeat_soon(&mut io);
        Ok(broker)
    }

    /// Does what others wait for after something has happened to a partition.
    fn react(&mut self, id: TopicPartition, changes: Changes, io: &mut Io<'_>) -> Result<(), Halt> {
        if changes.truncated {
            self.checkpoint_recovery_points(io)?;
        }
        if changes.rolled {
            io.out.set_timer(Timer::Broker(BrokerTimer::FlushRolled(id)), io.now.mono);
        }
        if changes.proposed {
            self.submit_proposal(id, io);
        }
        if changes.high_watermark {
            self.complete_produces(id, io);
        }
        if changes.appended || changes.high_watermark {
            self.wake_fetches(id, changes.appended, changes.high_watermark, io)?;
        }
        Ok(())
    }
}

/// As a broker observes the metadata quorum.
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
