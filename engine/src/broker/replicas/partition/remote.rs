//! A follower as its leader sees it (`Replica`, `ReplicaState`).

use crate::ids::{BrokerEpoch, BrokerId, Offset};
use machine::{Mono, Span};

/// The log end offset of a follower that has not fetched in this leadership.
pub(super) const UNKNOWN: Offset = -1;

/// A remote replica. Position and broker epoch are of one and the same fetch: a position of one
/// life with the epoch of another would let a replica join that has lost its disk (KAFKA-15221).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RemoteReplica {
    pub(super) id: BrokerId,
    /// Its log end offset, by its last fetch.
    pub(super) log_end: Offset,
    pub(super) log_start: Offset,
    /// The life that its last fetch came from.
    pub(super) broker_epoch: Option<BrokerEpoch>,
    /// The last time at which it had everything that the leader had; `None`: never, in this
    /// leadership.
    pub(super) last_caught_up: Option<Mono>,
    /// When it last fetched.
    last_fetch: Option<Mono>,
    /// The leader's log end when it last fetched.
    last_fetch_leader_end: Offset,
}

/// A follower's fetch, as far as the leader remembers it.
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

    /// A leader epoch begins. In-sync replicas get the full `replica.lag.time.max.ms` to fetch. A
    /// leader that does not `keep` what it knows holds its high watermark until they have fetched
    /// (`Replica.resetReplicaState`, [`crate::rules::leadership`]).
    pub(super) fn begin_epoch(&mut self, now: Mono, leader_end: Offset, keep: bool, in_isr: bool) {
        if keep {
            self.last_fetch_leader_end = leader_end;
            self.last_fetch = in_isr.then_some(now);
        } else {
            *self = Self::unknown(self.id);
        }
        self.last_caught_up = in_isr.then_some(now);
    }

    /// Records a fetch. A follower that has all that the leader had when it *last* fetched
    /// was caught up then: without this, one that is always a fetch behind a busy leader would
    /// never count as caught up (KIP-16).
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

    /// It was fetched at `at` as well, when its partition rested in a fetch session: it had all
    /// that the leader had.
    pub(super) fn rested_until(&mut self, at: Mono) {
        self.last_caught_up = self.last_caught_up.max(Some(at));
        self.last_fetch = self.last_fetch.max(Some(at));
    }

    /// Whether it is at the leader's end, or was within `max_lag`.
    pub(super) fn is_caught_up(&self, leader_end: Offset, now: Mono, max_lag: Span) -> bool {
        self.log_end == leader_end || self.last_caught_up.is_some_and(|at| now.since(at) <= max_lag)
    }
}
