//! The leader's state of a follower (`Replica`, `ReplicaState`).

use crate::ids::{BrokerEpoch, BrokerId, Offset};
use machine::{Mono, Span};

/// The log end offset of a follower that has not fetched in this leadership.
pub(super) const UNKNOWN: Offset = -1;

/// A remote replica. Position and broker epoch come from one fetch: the position of one broker
/// epoch together with a later broker epoch would let a replica that has lost its disk join the ISR
/// (KAFKA-15221).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RemoteReplica {
    pub(super) id: BrokerId,
    /// Log end offset of the follower: the offset of its last fetch.
    pub(super) log_end: Offset,
    pub(super) log_start: Offset,
    /// The broker epoch in its last fetch.
    pub(super) broker_epoch: Option<BrokerEpoch>,
    /// When it was last caught up; for in-sync replicas at least the start of the leader epoch.
    /// `None`: not in the ISR at that start and not caught up since.
    pub(super) last_caught_up: Option<Mono>,
    /// When it last fetched, or the start of the leader epoch if that is later (in-sync replicas
    /// only).
    last_fetch: Option<Mono>,
    /// The highest leader log end seen at a fetch or at the start of the epoch.
    last_fetch_leader_end: Offset,
}

/// The values of a follower's fetch that the leader keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct FollowerFetch {
    pub(super) fetch_offset: Offset,
    pub(super) log_start: Offset,
    pub(super) broker_epoch: BrokerEpoch,
    /// The leader's log end before the fetch was read.
    pub(super) leader_end: Offset,
}

impl RemoteReplica {
    /// A replica that has not fetched in this leadership.
    pub(super) fn unknown(id: BrokerId) -> Self {
        Self {
            id,
            log_end: UNKNOWN,
            log_start: UNKNOWN,
            broker_epoch: None,
            last_caught_up: None,
            last_fetch: None,
            last_fetch_leader_end: UNKNOWN,
        }
    }

    /// A leader epoch begins. In-sync replicas get the full `replica.lag.time.max.ms` to fetch.
    /// Without `keep`, the leader forgets the followers' positions and cannot advance its high
    /// watermark until they have fetched (`Replica.resetReplicaState`,
    /// [`crate::rules::leadership`]).
    pub(super) fn begin_epoch(&mut self, now: Mono, leader_end: Offset, keep: bool, in_isr: bool) {
        if keep {
            self.last_fetch_leader_end = leader_end;
            self.last_fetch = in_isr.then_some(now);
        } else {
            *self = Self::unknown(self.id);
        }
        self.last_caught_up = in_isr.then_some(now);
    }

    /// Records a fetch. A follower that now has all that the leader had at the follower's previous
    /// fetch was caught up at that fetch: otherwise a follower that is always one fetch behind a
    /// busy leader would never count as caught up (KIP-16).
    pub(super) fn on_fetch(&mut self, now: Mono, fetch: FollowerFetch) {
        if fetch.fetch_offset >= fetch.leader_end {
            self.last_caught_up = self.last_caught_up.max(Some(now));
        } else if fetch.fetch_offset >= self.last_fetch_leader_end {
            self.last_caught_up = self.last_caught_up.max(self.last_fetch);
        }
        self.log_end = fetch.fetch_offset;
        self.log_start = fetch.log_start;
        self.broker_epoch = Some(fetch.broker_epoch);
        self.last_fetch_leader_end = self.last_fetch_leader_end.max(fetch.leader_end);
        self.last_fetch = Some(now);
    }

    /// The follower also fetched at `at`; the partition was left out of that incremental fetch
    /// because the follower already had everything.
    pub(super) fn rested_until(&mut self, at: Mono) {
        self.last_caught_up = self.last_caught_up.max(Some(at));
        self.last_fetch = self.last_fetch.max(Some(at));
    }

    /// Whether it is at the leader's log end, or was caught up no longer than `max_lag` ago.
    pub(super) fn is_caught_up(&self, leader_end: Offset, now: Mono, max_lag: Span) -> bool {
        self.log_end == leader_end || self.last_caught_up.is_some_and(|at| now.since(at) <= max_lag)
    }
}
