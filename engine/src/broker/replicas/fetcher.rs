//! Fetching from leaders (`ReplicaFetcherManager`, `ReplicaFetcherThread`,
//! `AbstractFetcherThread`).
//!
//! There is one fetcher for each broker that leads partitions followed here, with one fetch in
//! flight for all of these partitions. A response applies to a partition only if its fetch state
//! has not changed since the request.
//!
//! The partitions of a fetcher have an order. One whose records were appended, or that has to wait,
//! goes to the end, so that none starves behind a busy one. A fetch names only partitions that have
//! changed in its session (KIP-227), so that its cost grows with their number and not with the
//! number of all partitions.

use super::Partitions;

use super::partition::{AppendError, Changes, Partition};
use crate::broker::context::{Context, Cx, StorageError};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::fetch_session::{FetchSessionHandler, SessionFetch};
use crate::ids::{BrokerId, LeaderEpoch, Offset, TopicPartition, peer};
use crate::net::{ChannelConfig, Channels};
use crate::protocol::{
    FetchPartition, FetchRequest, FetchResponse, FetchedPartition, Isolation, ReplicaState,
    Response,
};
use crate::reach::Reach;
use crate::timer::{BrokerTimer, Channel, ReplicaTimer, Timer};
use machine::{Halt, Mono, Span};
use std::collections::{BTreeMap, BTreeSet};

/// All fetchers of a broker.
#[derive(Clone, Debug)]
pub(in crate::broker) struct Fetchers {
    pub(super) by_leader: BTreeMap<BrokerId, Fetcher>,
    pub(super) channels: Channels<Asked>,
}

/// The purpose of a request to a leader.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    /// A fetch of records.
    Fetch,
    /// The log end or log start offset of the leader, because the position is out of range.
    Offset { partition: TopicPartition, leader_epoch: LeaderEpoch, timestamp: i64 },
}

/// The fetcher of one leader.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetcher {
    partitions: BTreeMap<TopicPartition, FetchState>,
    /// The session with the leader, with every partition as it was last requested.
    session: FetchSessionHandler,
    /// The partitions whose request may have changed: in any order, some more than once, and some
    /// that have been removed since.
    touched: Vec<TopicPartition>,
    /// The partitions that were removed and may still be in the session.
    gone: BTreeSet<TopicPartition>,
    /// The partitions that wait after an error, by the time when they are ready.
    delayed: BTreeSet<(Mono, TopicPartition)>,
    next_place: u64,
    in_flight: bool,
    /// The number of requests for offsets in flight; there is no fetch until they have a response.
    pub(super) lookups: usize,
    /// No fetch before this time, after a failed request.
    not_before: Mono,
}

/// The fetch state of a partition (`PartitionFetchState`).
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchState {
    /// The log end offset of the replica.
    fetch_offset: Offset,
    pub(super) leader_epoch: LeaderEpoch,
    /// The epoch of the last batch; kept when a response has no records (KAFKA-15510).
    last_fetched_epoch: Option<LeaderEpoch>,
    log_start: Offset,
    /// No fetch of the partition before this time, after an error.
    not_before: Mono,
    /// Its position in the order of the fetcher.
    place: u64,
    /// Whether it was fetched without an error since it was added.
    fetched: bool,
}

/// The next step for a partition after a response.
enum Applied {
    /// Fetch again.
    Done(Changes),
    /// Fetch again after a back-off.
    BackOff,
    /// Stop until there is newer metadata: this fetcher is fenced.
    Fenced,
    /// Stop until there is newer metadata: the log refuses the leader's records.
    Failed,
    /// Ask for the offsets of the leader's log.
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
            place: 0,
            fetched: false,
        };
        state.update(partition);
        state
    }

    /// The fetch state at the end of the log.
    fn update(&mut self, partition: &Partition) {
        let log = partition.log();
        self.fetch_offset = log.end_offset();
        self.last_fetched_epoch = log.latest_epoch();
        self.log_start = log.log_start();
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

impl Fetcher {
    /// Adds a partition, after all others.
    pub(super) fn insert(&mut self, id: TopicPartition, mut state: FetchState) {
        self.remove(id);
        self.gone.remove(&id);
        state.place = self.next_place;
        self.next_place += 1;
        self.touched.push(id);
        self.partitions.insert(id, state);
    }

    /// Removes a partition.
    pub(super) fn remove(&mut self, id: TopicPartition) {
        let Some(state) = self.partitions.remove(&id) else { return };
        self.delayed.remove(&(state.not_before, id));
        self.gone.insert(id);
    }

    /// The leader epoch under which a partition is fetched.
    pub(super) fn leader_epoch(&self, id: TopicPartition) -> Option<LeaderEpoch> {
        self.partitions.get(&id).map(|state| state.leader_epoch)
    }

    /// Sets the fetch state of a partition to the end of its log.
    pub(super) fn update(&mut self, id: TopicPartition, partition: &Partition) {
        if let Some(state) = self.partitions.get_mut(&id) {
            state.update(partition);
            self.touched.push(id);
        }
    }

    /// Delays a partition after an error (`handlePartitionsWithErrors`).
    pub(super) fn back_off(&mut self, id: TopicPartition, until: Mono) {
        if let Some(state) = self.partitions.get_mut(&id) {
            self.delayed.remove(&(state.not_before, id));
            state.not_before = until;
            self.delayed.insert((until, id));
        }
        self.move_to_end(id);
    }

    /// `PartitionStates.updateAndMoveToEnd`.
    fn move_to_end(&mut self, id: TopicPartition) {
        if let Some(state) = self.partitions.get_mut(&id) {
            state.place = self.next_place;
            self.next_place += 1;
            self.touched.push(id);
        }
    }

    /// The next fetch; `Err`: the earliest time of the next one.
    fn next(&mut self, context: &Context, now: Mono) -> Result<FetchRequest, Option<Mono>> {
        if now < self.not_before {
            return Err(Some(self.not_before));
        }
        self.wake_delayed(now);
        let config = &context.config;
        let fetch = self.session_fetch(now, config.replica_fetch_max_bytes);
        if self.session.is_empty() && fetch.forgotten.is_empty() {
            return Err(self.delayed.first().map(|(at, _)| *at));
        }
        let SessionFetch { metadata, partitions, forgotten } = fetch;
        Ok(FetchRequest {
            replica: Some(ReplicaState { id: context.id, epoch: context.broker_epoch }),
            max_wait: config.replica_fetch_wait_max,
            min_bytes: config.replica_fetch_min_bytes,
            max_bytes: config.replica_fetch_response_max_bytes,
            isolation: Isolation::ReadUncommitted,
            session: metadata,
            partitions,
            forgotten,
        })
    }

    /// Makes partitions ready again whose back-off has ended.
    fn wake_delayed(&mut self, now: Mono) {
        while let Some((at, id)) = self.delayed.first().copied().filter(|(at, _)| *at <= now) {
            self.delayed.remove(&(at, id));
            self.touched.push(id);
        }
    }

    /// The partitions that the next fetch has to name: all that are ready, or only those that have
    /// changed.
    fn session_fetch(&mut self, now: Mono, max_bytes: u32) -> SessionFetch {
        let ready = |state: &&FetchState| state.not_before <= now;
        let gone = std::mem::take(&mut self.gone);
        if self.session.is_full() {
            let mut all: Vec<_> =
                self.partitions.iter().filter(|(_, state)| ready(state)).collect();
            all.sort_unstable_by_key(|(_, state)| state.place);
            self.touched.clear();
            let wanted = all.into_iter().map(|(id, state)| state.request(*id, max_bytes));
            return self.session.build(wanted.collect());
        }
        let partitions = &self.partitions;
        self.touched.retain(|id| partitions.contains_key(id));
        self.touched.sort_unstable_by_key(|id| partitions[id].place);
        self.touched.dedup();
        let changed = self.touched.drain(..).map(|id| {
            let state = partitions.get(&id).filter(ready);
            (id, state.map(|state| state.request(id, max_bytes)))
        });
        self.session.change(gone.into_iter().map(|id| (id, None)).chain(changed))
    }
}

impl Fetchers {
    pub(super) fn new(setup_timeout: Span) -> Self {
        // Failed requests are retried after `replica.fetch.backoff.ms`, so connections need no
        // back-off.
        let config = ChannelConfig {
            reconnect_backoff: Span::ZERO,
            reconnect_backoff_max: Span::ZERO,
            setup_timeout,
            ..ChannelConfig::default()
        };
        Self { by_leader: BTreeMap::new(), channels: Channels::new(Channel::Replica, config) }
    }

    /// Stops fetching `partition`.
    pub(super) fn remove(&mut self, partition: TopicPartition) {
        for fetcher in self.by_leader.values_mut() {
            fetcher.remove(partition);
        }
    }

    /// Removes fetchers without partitions (`shutdownIdleFetcherThreads`).
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

    /// Sends the next fetch to `leader`, unless one is in flight or has to wait.
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

    /// Handles a response of a leader.
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

    /// Handles the response to a fetch. If it does not fit the session, its partitions are ignored,
    /// and a full fetch follows at once.
    fn on_fetched(
        &mut self,
        leader: BrokerId,
        response: &FetchResponse,
        partitions: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Some(fetcher) = self.by_leader.get_mut(&leader) else { return Ok(()) };
        fetcher.in_flight = false;
        if fetcher.session.on_response(response) {
            for answer in &response.partitions {
                self.on_fetched_partition(leader, answer, partitions, cx)?;
            }
        } else {
            cx.io.out.observe(Fact::Reached(Reach::FetchSessionLost));
        }
        self.fetch_from(leader, cx);
        Ok(())
    }

    fn on_fetched_partition(
        &mut self,
        leader: BrokerId,
        answer: &FetchedPartition,
        partitions: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let id = answer.partition;
        let Some(fetcher) = self.by_leader.get_mut(&leader) else { return Ok(()) };
        let Some(asked) = fetcher.session.requested(id) else { return Ok(()) };
        let Some(state) = fetcher.partitions.get_mut(&id) else { return Ok(()) };
        let Some(partition) = partitions.hosted.get_mut(&id) else { return Ok(()) };
        let unchanged = state.fetch_offset == asked.fetch_offset
            && asked.current_leader_epoch == Some(state.leader_epoch)
            && state.not_before <= cx.io.now.mono;
        if !unchanged {
            cx.io.out.observe(Fact::Reached(Reach::FetchOutdated));
            return Ok(());
        }
        let (before, is_first) = (state.fetch_offset, !state.fetched);
        let applied = match apply(partition, state, answer, cx) {
            Ok(applied) => applied,
            Err(error) => {
                // The log directory is going offline.
                fetcher.remove(id);
                partitions.storage_failed(id, error, cx);
                return Ok(());
            }
        };
        match applied {
            Applied::Done(changes) => {
                state.fetched = true;
                if answer.diverging_epoch.is_none() && (is_first || state.fetch_offset > before) {
                    fetcher.move_to_end(id);
                } else {
                    fetcher.touched.push(id);
                }
                partitions.react(id, changes, cx)?;
            }
            Applied::BackOff => {
                let until = cx.io.now.mono + cx.context.config.replica_fetch_backoff;
                fetcher.back_off(id, until);
            }
            Applied::Fenced => {
                cx.io.out.observe(Fact::Reached(Reach::FollowerFenced));
                fetcher.remove(id);
            }
            Applied::Failed => {
                cx.io.out.observe(Fact::Reached(Reach::FollowerFailed));
                fetcher.remove(id);
            }
            Applied::LookUp => {
                cx.io.out.observe(Fact::Reached(Reach::FollowerOutOfRange));
                let leader_epoch = state.leader_epoch;
                self.look_up(leader, id, leader_epoch, cx);
            }
        }
        Ok(())
    }

    /// Handles requests to a leader that failed with their connection.
    pub(super) fn on_failed(&mut self, leader: BrokerId, failed: &[Asked], cx: &mut Cx<'_>) {
        for asked in failed {
            let Some(fetcher) = self.by_leader.get_mut(&leader) else { return };
            match *asked {
                Asked::Fetch => {
                    fetcher.in_flight = false;
                    fetcher.session.on_error();
                    fetcher.not_before = cx.io.now.mono + cx.context.config.replica_fetch_backoff;
                    self.fetch_from(leader, cx);
                }
                Asked::Offset { partition, leader_epoch, .. } => {
                    self.look_up_failed(leader, partition, leader_epoch, cx);
                }
            }
        }
    }
}

fn fetch_timer(leader: BrokerId) -> Timer {
    Timer::Broker(BrokerTimer::Replica(ReplicaTimer::Fetch(leader)))
}

/// Applies the response for a partition to the replica, and updates its fetch state.
fn apply(
    partition: &mut Partition,
    state: &mut FetchState,
    answer: &FetchedPartition,
    cx: &mut Cx<'_>,
) -> Result<Applied, StorageError> {
    match answer.error {
        ErrorCode::None => {}
        ErrorCode::OffsetOutOfRange => return Ok(Applied::LookUp),
        ErrorCode::FencedLeaderEpoch => return Ok(Applied::Fenced),
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
        Err(error) => Ok(not_appended(error)),
    }
}

/// The next step after the log refused records. A corrupt batch may be a transient state of the
/// leader's file, such as a write in progress; any other error is permanent
/// (`markPartitionFailed`).
fn not_appended(AppendError(error): AppendError) -> Applied {
    match error {
        ErrorCode::CorruptMessage => Applied::BackOff,
        _ => Applied::Failed,
    }
}

#[cfg(test)]
mod tests;
