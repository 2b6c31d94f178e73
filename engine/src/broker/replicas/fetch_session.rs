//! Fetch sessions on the side of the broker (`FetchSession`, `FetchSessionCache`; KIP-227).
//!
//! A session holds the last request and the last response for each partition, so that fetches name
//! only partitions that change, and responses omit partitions without news.
//!
//! Kafka reads every partition of a session for every fetch. Here a fetch reads only the partitions
//! that are *due*: those that the fetch has named, or that may have something to return. A
//! partition whose fetcher has everything is *at rest*; any change to it makes it due again. A
//! follower counts as caught up in a partition at rest: its last fetch is recorded when the
//! partition becomes due ([`Resting`]).

mod due;
#[cfg(test)]
mod tests;

use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, Offset, TopicPartition};
use crate::protocol::{FetchMetadata, FetchPartition, FetchRequest, FetchedPartition};
use crate::rules::Rulebook;
use crate::rules::session::Renamed;
use due::Due;
use machine::{ConnId, Mono, Span};
use std::collections::BTreeMap;

/// How long a session has to be unused before any fetcher may take its slot, and how old it has to
/// be at its last use before a larger one may (`MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`).
const EVICTION: Span = Span::secs(120);

/// How a fetch is served (`FetchContext`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum FetchContext {
    /// The fetch names an unknown session, or the wrong epoch of one.
    Refused(ErrorCode),
    /// All partitions, without a session.
    Sessionless,
    /// All partitions; a session is created with the response.
    Full,
    /// The partitions that are due in a session.
    Incremental(FetchMetadata),
}

/// A partition of a session that has become due after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resting {
    pub(super) follower: BrokerId,
    /// When it was last fetched.
    pub(super) fetched: Mono,
}

/// What a fetch of a partition without records returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) partition: TopicPartition,
    pub(super) high_watermark: Offset,
    pub(super) log_start: Offset,
}

/// All sessions of a broker (one shard of `FetchSessionCache`).
#[derive(Clone, Debug)]
pub(super) struct FetchSessions {
    /// `max.incremental.fetch.session.cache.slots`.
    slots: usize,
    /// The state of the generator of session ids.
    ids: u64,
    sessions: BTreeMap<i32, FetchSession>,
    /// The sessions that a partition is in.
    of_partition: BTreeMap<TopicPartition, Vec<i32>>,
}

/// The order in which sessions are evicted (`EvictableKey`): consumers before followers, small
/// sessions before large ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Evictable {
    is_follower: bool,
    size: usize,
    id: i32,
}

#[derive(Clone, Debug)]
struct FetchSession {
    /// The broker that fetches; `None`: a consumer.
    follower: Option<BrokerId>,
    created: Mono,
    last_used: Mono,
    /// The number of partitions when it was last used.
    size: usize,
    /// The epoch of the next fetch.
    epoch: i32,
    partitions: BTreeMap<TopicPartition, Cached>,
    /// The partitions that are due, in the order of the session.
    due: Due,
    next_place: u64,
    parked: Option<ConnId>,
}

/// A partition of a session (`CachedPartition`).
#[derive(Clone, Copy, Debug)]
struct Cached {
    /// Its position in the session; a partition that returned records moves to the end.
    place: u64,
    request: FetchPartition,
    /// The high watermark in the last response; -1: none, or the reader may not have received it.
    high_watermark: Offset,
    /// The log start offset of the last response; -1: none.
    log_start: Offset,
}

impl FetchSession {
    fn evictable(&self, id: i32) -> Evictable {
        Evictable { is_follower: self.follower.is_some(), size: self.size, id }
    }

    fn touch(&mut self, now: Mono) {
        (self.last_used, self.size) = (now, self.partitions.len());
    }

    /// Takes over the request for a partition. Returns whether the partition is new to the session.
    fn request(&mut self, request: FetchPartition, rules: &Rulebook, out: &mut Outbox) -> bool {
        let Some(cached) = self.partitions.get_mut(&request.partition) else {
            self.add(request);
            return true;
        };
        let renamed = Renamed {
            fetched: cached.request.fetch_offset,
            fetched_epoch: cached.request.current_leader_epoch,
            fetch: request.fetch_offset,
            epoch: request.current_leader_epoch,
        };
        if rules.repeats_high_watermark(out, renamed) {
            cached.high_watermark = -1;
        }
        cached.request = request;
        self.due.insert(cached.place, request);
        false
    }

    fn add(&mut self, request: FetchPartition) {
        let place = self.next_place;
        self.next_place += 1;
        let cached = Cached { place, request, high_watermark: -1, log_start: -1 };
        self.partitions.insert(request.partition, cached);
        self.due.insert(place, request);
    }

    fn forget(&mut self, partition: TopicPartition) -> bool {
        let Some(cached) = self.partitions.remove(&partition) else { return false };
        self.due.remove(cached.place);
        true
    }

    /// Records what was returned for a partition. Returns whether an incremental response has to
    /// include it (`CachedPartition.maybeUpdateResponseData`).
    fn record_returned(&mut self, answer: &FetchedPartition) -> bool {
        let Some(cached) = self.partitions.get_mut(&answer.partition) else { return false };
        let has_records = !answer.records.is_empty();
        let refused = !answer.error.is_none();
        let news = has_records
            || refused
            || answer.diverging_epoch.is_some()
            || cached.high_watermark != answer.high_watermark
            || cached.log_start != answer.log_start_offset;
        cached.high_watermark = if refused { -1 } else { answer.high_watermark };
        cached.log_start = answer.log_start_offset;
        if has_records {
            self.due.remove(cached.place);
            cached.place = self.next_place;
            self.next_place += 1;
            self.due.insert(cached.place, cached.request);
        }
        news
    }
}

impl FetchSessions {
    pub(super) fn new(slots: u32, entropy: u64) -> Self {
        Self {
            slots: slots as usize,
            ids: entropy,
            sessions: BTreeMap::new(),
            of_partition: BTreeMap::new(),
        }
    }

    /// Returns how a fetch is served, and applies to its session the partitions that it adds,
    /// changes and forgets (`FetchManager.newContext`).
    pub(super) fn context(
        &mut self,
        request: &FetchRequest,
        now: Mono,
        rules: &Rulebook,
        out: &mut Outbox,
    ) -> FetchContext {
        let asked = request.session;
        if asked.is_full() {
            self.remove(asked.session_id);
            return if asked.is_final() { FetchContext::Sessionless } else { FetchContext::Full };
        }
        let id = asked.session_id;
        let Some(session) = self.sessions.get_mut(&id) else {
            return FetchContext::Refused(ErrorCode::FetchSessionIdNotFound);
        };
        if session.epoch != asked.epoch {
            return FetchContext::Refused(ErrorCode::InvalidFetchSessionEpoch);
        }
        for read in &request.partitions {
            if session.request(*read, rules, out) {
                self.of_partition.entry(read.partition).or_default().push(id);
            }
        }
        for partition in &request.forgotten {
            if session.forget(*partition) {
                leave(&mut self.of_partition, *partition, id);
            }
        }
        if session.partitions.is_empty() {
            self.remove(id);
            return FetchContext::Sessionless;
        }
        session.epoch = asked.next().epoch;
        session.touch(now);
        FetchContext::Incremental(asked)
    }

    /// Creates a session for a full fetch, if a slot is free or can be freed. Returns its id, or
    /// [`FetchMetadata::NO_SESSION`] (`maybeCreateSession`).
    pub(super) fn create(
        &mut self,
        request: &FetchRequest,
        answers: &[FetchedPartition],
        now: Mono,
    ) -> i32 {
        let follower = request.replica.map(|replica| replica.id);
        let wanted = Evictable { is_follower: follower.is_some(), size: answers.len(), id: 0 };
        if answers.is_empty() || (self.sessions.len() >= self.slots && !self.evict(wanted, now)) {
            return FetchMetadata::NO_SESSION;
        }
        let id = self.new_id();
        let mut session = FetchSession {
            follower,
            created: now,
            last_used: now,
            size: answers.len(),
            epoch: 1,
            partitions: BTreeMap::new(),
            due: Due::default(),
            next_place: 0,
            parked: None,
        };
        for read in &request.partitions {
            session.add(*read);
            self.of_partition.entry(read.partition).or_default().push(id);
        }
        for answer in answers {
            let _ = session.record_returned(answer);
        }
        session.touch(now);
        self.sessions.insert(id, session);
        id
    }

    fn new_id(&mut self) -> i32 {
        loop {
            // SplitMix64, so that different lives of the broker have different ids.
            self.ids = self.ids.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.ids;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let id = (mixed >> 33) as i32;
            if id != FetchMetadata::NO_SESSION && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    /// Frees a slot for `wanted`, if it may: evicts the session that has been unused for longest,
    /// if that is longer than [`EVICTION`], else the first one that `wanted` may replace, if it
    /// comes before `wanted` in the order of eviction. A follower may replace the session of any
    /// consumer; any other session has to have been older than [`EVICTION`] when it was last used
    /// (`tryEvict`, `touch`).
    fn evict(&mut self, wanted: Evictable, now: Mono) -> bool {
        let last_used = self.sessions.iter().map(|(id, session)| (session.last_used, *id));
        let Some((used, stalest)) = last_used.min() else { return false };
        if now.since(used) > EVICTION {
            return self.remove(stalest);
        }
        let is_open = |key: &Evictable| {
            let session = &self.sessions[&key.id];
            let was_old = session.last_used.since(session.created) > EVICTION;
            was_old || (wanted.is_follower && !key.is_follower)
        };
        let evictable = self.sessions.iter().map(|(id, session)| session.evictable(*id));
        let Some(least) = evictable.filter(is_open).min() else { return false };
        wanted >= least && self.remove(least.id)
    }

    /// Removes a session. Returns whether it existed.
    fn remove(&mut self, id: i32) -> bool {
        let Some(session) = self.sessions.remove(&id) else { return false };
        for partition in session.partitions.keys() {
            leave(&mut self.of_partition, *partition, id);
        }
        true
    }

    /// The partitions that an incremental fetch reads, in order.
    pub(super) fn due(&self, session: i32) -> impl Iterator<Item = FetchPartition> {
        let due = self.sessions.get(&session).map_or(&[][..], |session| session.due.places());
        due.iter().map(|(_, request)| *request)
    }

    /// Keeps only those of `answers` that an incremental response has to include. Returns an error
    /// if a later fetch has advanced the session, or it no longer exists
    /// (`updateAndGenerateResponseData`).
    pub(super) fn retain_news(
        &mut self,
        asked: FetchMetadata,
        answers: &mut Vec<FetchedPartition>,
    ) -> Result<(), ErrorCode> {
        let Some(session) = self.sessions.get_mut(&asked.session_id) else {
            return Err(ErrorCode::FetchSessionIdNotFound);
        };
        if session.epoch != asked.next().epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        answers.retain(|answer| session.record_returned(answer));
        Ok(())
    }

    /// Handles a fetch of a partition that returned no records, only `answer`. If the reader has
    /// everything, as `has_all` decides from its position, the partition rests until it changes,
    /// unless the reader does not know this high watermark or log start yet.
    pub(super) fn rest(
        &mut self,
        session: i32,
        answer: &Seen,
        has_all: impl FnOnce(Offset) -> bool,
    ) {
        if let Some(session) = self.sessions.get_mut(&session)
            && let Some(cached) = session.partitions.get(&answer.partition)
            && cached.high_watermark == answer.high_watermark
            && cached.log_start == answer.log_start
            && has_all(cached.request.fetch_offset)
        {
            session.due.remove(cached.place);
        }
    }

    /// Makes a changed partition due in all sessions that contain it. Adds to `woken` the
    /// connections of their parked fetches: those of followers if `for_followers`, those of
    /// consumers if `for_consumers`. Returns the followers for which the partition was at rest.
    pub(super) fn on_news(
        &mut self,
        partition: TopicPartition,
        for_followers: bool,
        for_consumers: bool,
        woken: &mut Vec<ConnId>,
    ) -> Vec<Resting> {
        let mut resting = Vec::new();
        for id in self.of_partition.get(&partition).into_iter().flatten() {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            let Some(cached) = session.partitions.get(&partition) else { continue };
            let was_at_rest = session.due.insert(cached.place, cached.request);
            if let (true, Some(follower)) = (was_at_rest, session.follower) {
                resting.push(Resting { follower, fetched: session.last_used });
            }
            let wakes = if session.follower.is_some() { for_followers } else { for_consumers };
            woken.extend(session.parked.filter(|_| wakes));
        }
        resting
    }

    /// Records that the current fetch of a session is parked on `conn`.
    pub(super) fn park(&mut self, session: i32, conn: ConnId) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.parked = Some(conn);
        }
    }

    /// Records that the fetch of a session on `conn` is no longer parked.
    pub(super) fn unpark(&mut self, session: i32, conn: ConnId) {
        if let Some(session) = self.sessions.get_mut(&session)
            && session.parked == Some(conn)
        {
            session.parked = None;
        }
    }

    /// A connection has ended: no fetch is parked on it.
    pub(super) fn close(&mut self, conn: ConnId) {
        for session in self.sessions.values_mut().filter(|session| session.parked == Some(conn)) {
            session.parked = None;
        }
    }

    /// Panics if the state of the sessions contradicts itself.
    pub(super) fn invariants(&self) {
        assert!(self.sessions.len() <= self.slots, "a session has a slot");
    }
}

fn leave(of: &mut BTreeMap<TopicPartition, Vec<i32>>, partition: TopicPartition, id: i32) {
    if let Some(sessions) = of.get_mut(&partition) {
        sessions.retain(|other| *other != id);
        if sessions.is_empty() {
            of.remove(&partition);
        }
    }
}
