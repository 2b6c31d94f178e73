//! Fetching from leaders (`ReplicaFetcherManager`, `ReplicaFetcherThread`,
//! `AbstractFetcherThread`).
//!
//! One fetcher for each broker that is followed, with one fetch in flight that covers all
//! partitions followed there. An answer counts for a partition only if nothing has happened to it
//! since it was asked for.

use super::Partitions;

use super::partition::{AppendError, Changes, Partition};
use crate::broker::context::{Context, Cx, StorageError};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition, peer};
use crate::net::{ChannelConfig, Channels};
use crate::protocol::{
    FetchPartition, FetchRequest, FetchResponse, FetchedPartition, Isolation, ReplicaState,
    Response,
};
use crate::reach::Reach;
use crate::timer::{BrokerTimer, Channel, ReplicaTimer, Timer};
use machine::{Halt, Mono, Span};
use std::collections::BTreeMap;

/// All fetchers of a broker.
#[derive(Clone, Debug)]
pub(in crate::broker) struct Fetchers {
    pub(super) by_leader: BTreeMap<BrokerId, Fetcher>,
    pub(super) channels: Channels<Asked>,
}

/// What a leader was asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    /// To be fetched from.
    Fetch,
    /// Where its log ends, or starts, since the position is out of its range.
    Offset { partition: TopicPartition, leader_epoch: LeaderEpoch, timestamp: i64 },
}

/// The fetcher of one leader.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetcher {
    pub(super) partitions: BTreeMap<TopicPartition, FetchState>,
    /// A fetch is in flight, of these.
    asked_for: Vec<AskedFor>,
    in_flight: bool,
    /// How many questions for offsets are in flight; there is no fetch until they are answered.
    pub(super) lookups: usize,
    /// After a failed request.
    not_before: Mono,
}

#[derive(Clone, Copy, Debug)]
struct AskedFor {
    partition: TopicPartition,
    fetch_offset: Offset,
    leader_epoch: LeaderEpoch,
}

/// Where a partition is (`PartitionFetchState`).
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchState {
    /// The log end offset of the replica.
    fetch_offset: Offset,
    pub(super) leader_epoch: LeaderEpoch,
    /// The epoch of the last batch; kept when an answer is empty (KAFKA-15510).
    last_fetched_epoch: Option<LeaderEpoch>,
    log_start: Offset,
    /// After an error.
    not_before: Mono,
}

/// What to do after an answer for one partition.
enum Applied {
    /// Go on.
    Done(Changes),
    /// Wait a while.
    BackOff,
    /// Stop until there is newer metadata.
    Stop,
    /// Ask where the leader's log is.
    LookUp,
}

impl FetchState {
    pub(super) fn new(partition: &Partition) -> Self {
        let mut state = Self {
            fetch_offset: 0,
            leader_epoch: partition.leader_epoch(),
            last_fetched_epoch: None,
            log_start: 0,
            not_before: Mono::default(),
        };
        state.update(partition);
        state
    }

    /// Goes on from the end of the log.
    pub(super) fn update(&mut self, partition: &Partition) {
        let log = partition.log();
        self.fetch_offset = log.end_offset();
        self.last_fetched_epoch = log.latest_epoch();
        self.log_start = log.log_start();
    }

    pub(super) fn back_off(&mut self, until: Mono) {
        self.not_before = until;
    }

    fn request(&self, partition: TopicPartition, max_bytes: u32) -> FetchPartition {
        FetchPartition {
            partition,
            current_leader_epoch: Some(self.leader_epoch),
            fetch_offset: self.fetch_offset,
            last_fetched_epoch: self.last_fetched_epoch,
            log_start_offset: self.log_start,
            partition_max_bytes: max_bytes,
            high_watermark: None,
        }
    }
}

impl Fetchers {
    pub(super) fn new(setup_timeout: Span) -> Self {
        // Failed requests wait for `replica.fetch.backoff.ms`; connections need no time of their
        // own.
        let config = ChannelConfig {
            reconnect_backoff: Span::ZERO,
            reconnect_backoff_max: Span::ZERO,
            setup_timeout,
            ..ChannelConfig::default()
        };
        Self { by_leader: BTreeMap::new(), channels: Channels::new(Channel::Replica, config) }
    }

    /// Fetches `partition` from nobody any more.
    pub(super) fn remove(&mut self, partition: TopicPartition) {
        for fetcher in self.by_leader.values_mut() {
            fetcher.partitions.remove(&partition);
        }
    }

    /// Ends fetchers that have nothing left to do (`shutdownIdleFetcherThreads`).
    pub(super) fn end_idle(&mut self, cx: &mut Cx<'_>) {
        let channels = &mut self.channels;
        self.by_leader.retain(|leader, fetcher| {
            if fetcher.partitions.is_empty() {
                channels.close(cx.io.now.mono, peer(cx.context.node, *leader), cx.io.out);
                cx.io.out.cancel_timer(fetch_timer(*leader));
            }
            !fetcher.partitions.is_empty()
        });
    }
}

impl Fetcher {
    /// The next fetch; `Err`: when there may be one, if ever.
    fn next(&mut self, context: &Context, now: Mono) -> Result<FetchRequest, Option<Mono>> {
        if now < self.not_before {
            return Err(Some(self.not_before));
        }
        let config = &context.config;
        self.asked_for.clear();
        let mut partitions = Vec::with_capacity(self.partitions.len());
        for (id, state) in self.partitions.iter().filter(|(_, state)| state.not_before <= now) {
            self.asked_for.push(AskedFor {
                partition: *id,
                fetch_offset: state.fetch_offset,
                leader_epoch: state.leader_epoch,
            });
            partitions.push(state.request(*id, config.replica_fetch_max_bytes));
        }
        if partitions.is_empty() {
            return Err(self.partitions.values().map(|state| state.not_before).min());
        }
        Ok(FetchRequest {
            replica: Some(ReplicaState { id: context.id, epoch: context.broker_epoch }),
            max_wait: config.replica_fetch_wait_max,
            min_bytes: config.replica_fetch_min_bytes,
            max_bytes: config.replica_fetch_response_max_bytes,
            isolation: Isolation::ReadUncommitted,
            partitions,
        })
    }
}

impl Fetchers {
    /// Fetches from `leader`, unless that is under way already or has to wait.
    pub(super) fn fetch_from(&mut self, leader: BrokerId, cx: &mut Cx<'_>) {
        let now = cx.io.now.mono;
        let node = peer(cx.context.node, leader);
        let Some(fetcher) = self.by_leader.get_mut(&leader) else { return };
        if fetcher.in_flight || fetcher.lookups > 0 {
            return;
        }
        match fetcher.next(cx.context, now) {
            Ok(request) => {
                fetcher.in_flight = true;
                let timeout = cx.context.config.replica_socket_timeout;
                self.channels.send(now, node, request, timeout, Asked::Fetch, cx.io.out);
            }
            Err(Some(at)) => cx.io.out.set_timer(fetch_timer(leader), at),
            Err(None) => {}
        }
    }

    /// A leader answered what it was asked.
    pub(super) fn on_response(
        &mut self,
        leader: BrokerId,
        asked: Asked,
        body: &Response,
        partitions: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        match (asked, body) {
            (Asked::Fetch, Response::Fetch(response)) => {
                self.on_fetched(leader, response, partitions, cx)
            }
            (asked, Response::ListOffsets(response)) => {
                self.on_looked_up(leader, asked, response.partitions.first(), partitions, cx)
            }
            _ => Ok(()),
        }
    }

    /// A leader answered a fetch.
    fn on_fetched(
        &mut self,
        leader: BrokerId,
        response: &FetchResponse,
        partitions: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Some(fetcher) = self.by_leader.get_mut(&leader) else { return Ok(()) };
        fetcher.in_flight = false;
        let asked_for = std::mem::take(&mut fetcher.asked_for);
        if !response.error.is_none() {
            self.fetch_failed(leader, &asked_for, cx);
            return Ok(());
        }
        for (asked, answer) in asked_for.iter().zip(&response.partitions) {
            self.on_fetched_partition(leader, *asked, answer, partitions, cx)?;
        }
        if let Some(fetcher) = self.by_leader.get_mut(&leader) {
            fetcher.asked_for = asked_for;
        }
        self.fetch_from(leader, cx);
        Ok(())
    }

    fn on_fetched_partition(
        &mut self,
        leader: BrokerId,
        asked: AskedFor,
        answer: &FetchedPartition,
        partitions: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let id = asked.partition;
        let Some(fetcher) = self.by_leader.get_mut(&leader) else { return Ok(()) };
        let Some(state) = fetcher.partitions.get_mut(&id) else { return Ok(()) };
        let Some(partition) = partitions.hosted.get_mut(&id) else { return Ok(()) };
        let unchanged =
            state.fetch_offset == asked.fetch_offset && state.leader_epoch == asked.leader_epoch;
        if !unchanged || answer.partition != id {
            cx.io.out.observe(Fact::Reached(Reach::FetchOutdated));
            return Ok(());
        }
        let applied = match apply(partition, state, answer, cx) {
            Ok(applied) => applied,
            Err(error) => {
                // Its directory is on its way offline.
                fetcher.partitions.remove(&id);
                partitions.storage_failed(id, error, cx);
                return Ok(());
            }
        };
        match applied {
            Applied::Done(changes) => partitions.react(id, changes, cx)?,
            Applied::BackOff => {
                state.back_off(cx.io.now.mono + cx.context.config.replica_fetch_backoff);
            }
            Applied::Stop => {
                cx.io.out.observe(Fact::Reached(Reach::FollowerFenced));
                fetcher.partitions.remove(&id);
            }
            Applied::LookUp => {
                cx.io.out.observe(Fact::Reached(Reach::FollowerOutOfRange));
                self.look_up(leader, id, asked.leader_epoch, cx);
            }
        }
        Ok(())
    }

    /// Requests to a leader failed with their connection.
    pub(super) fn on_failed(&mut self, leader: BrokerId, failed: &[Asked], cx: &mut Cx<'_>) {
        for asked in failed {
            let Some(fetcher) = self.by_leader.get_mut(&leader) else { return };
            match *asked {
                Asked::Fetch => {
                    fetcher.in_flight = false;
                    let asked_for = std::mem::take(&mut fetcher.asked_for);
                    self.fetch_failed(leader, &asked_for, cx);
                }
                Asked::Offset { partition, leader_epoch, .. } => {
                    self.look_up_failed(leader, partition, leader_epoch, cx);
                }
            }
        }
    }

    fn fetch_failed(&mut self, leader: BrokerId, asked_for: &[AskedFor], cx: &mut Cx<'_>) {
        let until = cx.io.now.mono + cx.context.config.replica_fetch_backoff;
        if let Some(fetcher) = self.by_leader.get_mut(&leader) {
            fetcher.not_before = until;
            for asked in asked_for {
                if let Some(state) = fetcher.partitions.get_mut(&asked.partition)
                    && state.leader_epoch == asked.leader_epoch
                {
                    state.back_off(until);
                }
            }
        }
        self.fetch_from(leader, cx);
    }
}

fn fetch_timer(leader: BrokerId) -> Timer {
    Timer::Broker(BrokerTimer::Replica(ReplicaTimer::Fetch(leader)))
}

/// Applies an answer to the replica, and moves its fetch state with it.
fn apply(
    partition: &mut Partition,
    state: &mut FetchState,
    answer: &FetchedPartition,
    cx: &mut Cx<'_>,
) -> Result<Applied, StorageError> {
    match answer.error {
        ErrorCode::None => {}
        ErrorCode::OffsetOutOfRange => return Ok(Applied::LookUp),
        ErrorCode::FencedLeaderEpoch => return Ok(Applied::Stop),
        _ => return Ok(Applied::BackOff),
    }
    if let Some(diverging) = answer.diverging_epoch {
        let changes = partition.truncate_diverged(diverging, cx.context, &mut cx.io)?;
        state.update(partition);
        return Ok(Applied::Done(changes));
    }
    let appended = partition.append_fetched(answer, state.leader_epoch, cx.context, &mut cx.io)?;
    if partition.log().end_offset() != state.fetch_offset {
        state.update(partition);
    }
    state.log_start = partition.log().log_start();
    match appended {
        Ok(changes) => Ok(Applied::Done(changes)),
        Err(AppendError(ErrorCode::OffsetOutOfRange)) => Ok(Applied::LookUp),
        Err(_) => Ok(Applied::BackOff),
    }
}
