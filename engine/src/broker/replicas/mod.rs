//! The replicas on this broker (`ReplicaManager`).
//!
//! | file | idea |
//! |---|---|
//! | `partition/` | one replica: its decisions and its log |
//! | `produce.rs`, `fetch.rs`, `waiting.rs` | requests to replicas, and parked requests |
//! | `records.rs` | records of this broker's coordinators |
//! | `verify.rs`, `markers.rs` | begin and end of transactions in partitions |
//! | `fetch_session.rs` | fetch sessions |
//! | `alter_partition.rs` | changes of the ISR, on their way to the controller |
//! | `fetcher.rs`, `lookup.rs` | following leaders |
//! | `publish.rs` | leading and following according to the metadata |
//! | `loading.rs`, `checkpoints.rs` | loading logs, checkpoint files, periodic work |
//! | `log_dirs.rs`, `offline.rs` | the log directories, and their failure |
//!
//! [`Partitions`] are the replicas with their ISR proposals; [`Fetchers`] follow leaders and pass
//! fetched records to the partitions. [`Replicas`] contains both, and is the part of the broker.

mod alter_partition;
mod checkpoints;
mod fetch;
mod fetch_session;
mod fetcher;
mod loading;
mod log_dirs;
mod lookup;
mod markers;
mod offline;
mod offsets;
mod partition;
mod produce;
mod publish;
mod records;
mod verify;
mod waiting;

pub(super) use fetch::DelayedFetch;
pub(super) use log_dirs::{DirIndex, LogDirs};
pub(super) use markers::{DelayedMarkers, MarkedGroups};
pub(super) use partition::Partition;
#[cfg(test)]
pub(super) use partition::{FetchLimits, Reader};
pub(super) use produce::DelayedProduce;
pub(super) use records::Ticket;
pub(super) use verify::{Question, Verdicts};

use super::context::Cx;
use super::part::Part;
use super::requests::Parked;
use crate::config::BrokerConfig;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::protocol::{FetchPartition, Response};
use crate::timer::{BrokerTimer, Channel, ReplicaTimer, Timer};
use alter_partition::AlterPartitions;
use fetch::News;
use fetch_session::FetchSessions;
use fetcher::Fetchers;
use machine::{ConnId, Halt};
use partition::Changes;
use std::collections::{BTreeMap, BTreeSet};

/// The replicas and their fetchers.
#[derive(Clone, Debug)]
pub(super) struct Replicas {
    pub(super) partitions: Partitions,
    fetchers: Fetchers,
}

/// The replicas.
#[derive(Clone, Debug)]
pub(super) struct Partitions {
    /// The replicas that are online.
    pub(super) hosted: BTreeMap<TopicPartition, Partition>,
    /// The replicas in failed log directories.
    offline: BTreeSet<TopicPartition>,
    pub(super) dirs: LogDirs,
    alterations: AlterPartitions,
    sessions: FetchSessions,
    /// The outcomes of appends for coordinators, until they are taken.
    settled: Vec<(Ticket, ErrorCode)>,
    /// The guard of the last verification in this life of the broker.
    guards: u64,
    /// Reused to avoid allocations.
    due: Vec<FetchPartition>,
    /// Reused to avoid allocations.
    woken: Vec<ConnId>,
}

impl Replicas {
    /// No replicas: logs are loaded with the first metadata.
    pub(super) fn new(dirs: LogDirs, config: &BrokerConfig, entropy: u64) -> Self {
        let setup_timeout = config.connection_setup_timeout;
        Self {
            partitions: Partitions {
                hosted: BTreeMap::new(),
                offline: BTreeSet::new(),
                dirs,
                alterations: AlterPartitions::new(setup_timeout),
                sessions: FetchSessions::new(config.fetch_session_cache_slots, entropy),
                settled: Vec::new(),
                guards: 0,
                due: Vec::new(),
                woken: Vec::new(),
            },
            fetchers: Fetchers::new(setup_timeout),
        }
    }

    /// Adds the partitions that a timer reads or writes.
    pub(super) fn locks_of(&self, timer: &ReplicaTimer, locks: &mut Vec<TopicPartition>) {
        if *timer == ReplicaTimer::ForgetProducers {
            locks.extend(self.partitions.hosted.keys());
        }
        if *timer == ReplicaTimer::IsrShrink {
            let shrinkable = self.partitions.hosted.iter().filter(|(_, partition)| {
                partition.committed_isr().len() > 1 && !partition.has_pending_isr()
            });
            locks.extend(shrinkable.map(|(id, _)| *id));
        }
    }

    /// A timer of the replicas is due.
    pub(super) fn on_timer(&mut self, timer: ReplicaTimer, cx: &mut Cx<'_>) {
        let Self { partitions, fetchers } = self;
        match timer {
            ReplicaTimer::AlterPartition => partitions.alterations.send(cx),
            ReplicaTimer::Fetch(leader) => fetchers.fetch_from(leader, cx),
            ReplicaTimer::FlushRolled(id) => partitions.flush_rolled(id, cx),
            ReplicaTimer::FlushEpochs(id) => partitions.flush_epochs(id, cx),
            ReplicaTimer::IsrShrink => {
                partitions.shrink_isrs(cx);
                checkpoints::again(timer, cx);
            }
            ReplicaTimer::HighWatermarkCheckpoint => {
                checkpoints::again(timer, cx);
                partitions.checkpoint_high_watermarks(cx);
            }
            ReplicaTimer::RecoveryPointCheckpoint => {
                checkpoints::again(timer, cx);
                partitions.checkpoint_recovery_points(cx);
            }
            ReplicaTimer::Flush => {
                checkpoints::again(timer, cx);
                partitions.flush_old_logs(cx);
            }
            ReplicaTimer::ForgetProducers => {
                checkpoints::again(timer, cx);
                partitions.forget_producers(cx);
            }
        }
    }
}

impl Part for Replicas {
    fn on_opened(&mut self, conn: ConnId) -> bool {
        self.fetchers.channels.on_opened(conn).is_some()
            || self.partitions.alterations.channel.on_opened(conn)
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> bool {
        let now = cx.io.now.mono;
        if let Some(failed) = self.fetchers.channels.on_closed(now, conn) {
            self.fetchers.on_failed(failed.peer.node, &failed.failed, cx);
            return true;
        }
        self.partitions.alterations.channel.on_closed(conn, cx)
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Self { partitions, fetchers } = self;
        match body {
            body @ Response::AlterPartition(_) => {
                match partitions.alterations.channel.on_response(conn, correlation_id, body, cx) {
                    Some((sent, Response::AlterPartition(response))) => {
                        partitions.on_altered(&sent, &response, cx)
                    }
                    _ => Ok(()),
                }
            }
            body => match fetchers.channels.on_response(conn, correlation_id) {
                Some((leader, asked)) => {
                    fetchers.on_response(leader.node, asked, &body, partitions, cx)
                }
                None => Ok(()),
            },
        }
    }

    fn on_requests_timer(&mut self, channel: Channel, cx: &mut Cx<'_>) {
        let now = cx.io.now.mono;
        if channel == Channel::Replica {
            for failed in self.fetchers.channels.on_timer(now, cx.io.out) {
                self.fetchers.on_failed(failed.peer.node, &failed.failed, cx);
            }
        } else {
            self.partitions.alterations.channel.on_requests_timer(cx);
        }
    }

    /// No request of this channel is ever given up.
    fn on_channel_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        self.partitions.alterations.channel.on_timer(cx);
    }

    fn on_client_closed(&mut self, conn: ConnId, parked: Option<&Parked>) {
        self.partitions.sessions.close(conn);
        if parked.is_some() {
            for partition in self.partitions.hosted.values_mut() {
                partition.waiting.forget(conn);
            }
        }
    }

    fn invariants(&self) {
        for partition in self.partitions.hosted.values() {
            partition.invariants();
        }
        self.partitions.sessions.invariants();
    }
}

impl Partitions {
    /// Reacts to the changes of a replica.
    fn react(&mut self, id: TopicPartition, changes: Changes, cx: &mut Cx<'_>) -> Result<(), Halt> {
        if changes.truncated {
            self.checkpoint_recovery_points(cx);
        }
        if changes.rolled {
            let timer = BrokerTimer::Replica(ReplicaTimer::FlushRolled(id));
            cx.io.out.set_timer(Timer::Broker(timer), cx.io.now.mono);
        }
        if changes.stale_epochs {
            let timer = BrokerTimer::Replica(ReplicaTimer::FlushEpochs(id));
            cx.io.out.set_timer(Timer::Broker(timer), cx.io.now.mono);
        }
        if changes.proposed {
            self.submit_proposal(id, cx);
        }
        if changes.high_watermark {
            self.complete_produces(id, cx);
            self.settle_appends(id, cx);
        }
        if changes.appended || changes.high_watermark || changes.truncated {
            let news = News {
                appended: changes.appended,
                committed: changes.high_watermark,
                rolled: changes.rolled,
            };
            self.wake_fetches(id, news, cx)?;
        }
        Ok(())
    }
}
