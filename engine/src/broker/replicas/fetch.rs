//! Fetch requests (`ReplicaManager.fetchMessages`, `DelayedFetch`; KIP-74).
//!
//! A fetch that finds less than `min_bytes` is parked. It gets its response when there are enough
//! bytes, when there is an error or a divergence, when its position is in an earlier segment than
//! the end of the readable records, or when `max_wait` has passed.

use super::Partitions;
use super::fetch_session::{FetchContext, Resting, Seen};
use super::partition::{Changes, FetchLimits, Reader, refused_fetch};
use crate::broker::context::Cx;
use crate::broker::metadata::current_leader;
use crate::broker::requests::Served;
use crate::broker::requests::{Delayed, Parked};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::TopicPartition;
use crate::protocol::{FetchMetadata, FetchRequest, FetchResponse, FetchedPartition};
use crate::reach::Reach;
use machine::{ConnId, Halt};
use std::sync::Arc;

/// A fetch that is being served, and how its partitions are read.
#[derive(Clone, Debug)]
pub(in crate::broker) struct DelayedFetch {
    request: FetchRequest,
    context: FetchContext,
}

/// The result of reading for a fetch.
struct Fetched {
    answers: Vec<FetchedPartition>,
    /// The bytes that count towards `min_bytes` when the fetch arrives, and once it is parked.
    bytes: u64,
    while_parked: u64,
    /// The fetch must not wait: there is an error, a divergence, an earlier segment, or no
    /// partition was requested.
    urgent: bool,
    changes: Vec<(TopicPartition, Changes)>,
}

/// A change of a partition for which fetches wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    /// There may be new records for followers.
    pub(super) appended: bool,
    /// There may be new records for consumers.
    pub(super) committed: bool,
    /// The append has begun a new segment.
    pub(super) rolled: bool,
}

impl News {
    /// A change for followers and consumers, in the same segment.
    pub(super) const ANY: Self = Self { appended: true, committed: true, rolled: false };
}

impl DelayedFetch {
    fn reader(&self) -> Reader {
        match self.request.replica {
            Some(replica) => Reader::Follower(replica),
            None => Reader::Consumer(self.request.isolation),
        }
    }

    /// The session that it continues.
    fn session(&self) -> Option<i32> {
        match self.context {
            FetchContext::Incremental(asked) => Some(asked.session_id),
            _ => None,
        }
    }

    /// The number of bytes for which it waits, at most the size limit of the response.
    fn min_bytes(&self, cx: &Cx<'_>) -> u64 {
        let max_bytes = self.request.max_bytes.min(cx.context.config.fetch_max_bytes);
        u64::from(self.request.min_bytes.min(max_bytes))
    }
}

impl Fetched {
    /// Whether the fetch gets its response now.
    fn ends_wait(&self, min_bytes: u64) -> bool {
        self.urgent || self.while_parked >= min_bytes
    }

    fn has_records_of(&self, id: TopicPartition) -> bool {
        self.answers.iter().any(|answer| answer.partition == id && !answer.records.is_empty())
    }
}

impl Partitions {
    /// Handles a fetch of a consumer or follower.
    pub(in crate::broker) fn on_fetch(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: FetchRequest,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let context = self.sessions.context(&request, cx.io.now.mono, &cx.context.rules, cx.io.out);
        if let FetchContext::Refused(error) = context {
            cx.io.out.observe(Fact::Reached(Reach::FetchSessionRefused));
            return Ok(Served::Response(without_partitions(error).into()));
        }
        let fetch = DelayedFetch { request, context };
        let fetched = self.read_for(&fetch, true, cx)?;
        let min_bytes = fetch.min_bytes(cx);
        let is_enough = fetched.bytes >= min_bytes || fetched.ends_wait(min_bytes);
        let served = if is_enough || fetch.request.max_wait.0 == 0 {
            Served::Response(self.respond(&fetch, fetched.answers, cx).into())
        } else {
            let deadline = Some(cx.io.now.mono + fetch.request.max_wait);
            self.watch(conn, &fetch, &fetched.answers, cx);
            let body = Delayed::Fetch(Arc::new(fetch));
            cx.requests.park(conn, Parked { correlation_id, deadline, body }, cx.io.out);
            Served::Parked
        };
        for (partition, changes) in fetched.changes {
            self.react(partition, changes, cx)?;
        }
        Ok(served)
    }

    /// Parks a fetch until one of its partitions changes.
    fn watch(
        &mut self,
        conn: ConnId,
        fetch: &DelayedFetch,
        answers: &[FetchedPartition],
        cx: &mut Cx<'_>,
    ) {
        if let Some(session) = fetch.session() {
            for seen in answers.iter().filter_map(seen) {
                self.rest(session, fetch.reader(), &seen, cx);
            }
            self.sessions.park(session, conn);
            return;
        }
        for read in &fetch.request.partitions {
            if let Some(partition) = self.hosted.get_mut(&read.partition) {
                partition.waiting.add_fetch(conn, fetch.request.replica.is_some());
            }
        }
    }

    /// Reads the partitions of a fetch within its limits. The first batch found is read whatever
    /// its size; otherwise a reader could not get past a large one.
    fn read_for(
        &mut self,
        fetch: &DelayedFetch,
        is_first: bool,
        cx: &mut Cx<'_>,
    ) -> Result<Fetched, Halt> {
        let DelayedFetch { request, .. } = fetch;
        let mut due = std::mem::take(&mut self.due);
        let reads = match fetch.session() {
            Some(session) => {
                due.extend(self.sessions.due(session));
                &due
            }
            None => &request.partitions,
        };
        let max_bytes = u64::from(request.max_bytes.min(cx.context.config.fetch_max_bytes));
        let mut answers = Vec::with_capacity(reads.len());
        let (mut bytes, mut while_parked, mut changes) = (0_u64, 0_u64, Vec::new());
        let mut urgent = fetch.session().is_none() && reads.is_empty();
        for read in reads {
            let limits = FetchLimits {
                max_bytes: max_bytes.saturating_sub(bytes),
                min_one_batch: bytes == 0,
            };
            let Some(partition) = self.hosted.get_mut(&read.partition) else {
                urgent = true;
                let error = self.error_of(read.partition, cx);
                let mut refused = refused_fetch(read, error);
                if error == ErrorCode::NotLeaderOrFollower {
                    refused.current_leader = current_leader(&cx.context.image, read.partition);
                }
                answers.push(refused);
                continue;
            };
            let fetched =
                partition.fetch(fetch.reader(), read, limits, is_first, cx.context, &mut cx.io);
            let fetched = match fetched {
                Ok(fetched) => fetched,
                Err(error) => {
                    urgent = true;
                    answers
                        .push(refused_fetch(read, self.storage_failed(read.partition, error, cx)));
                    continue;
                }
            };
            bytes += fetched.readable.bytes;
            while_parked += fetched.readable.while_parked;
            urgent |= !fetched.answer.error.is_none()
                || fetched.answer.diverging_epoch.is_some()
                || fetched.readable.on_older_segment;
            if fetched.changes != Changes::default() {
                changes.push((read.partition, fetched.changes));
            }
            answers.push(fetched.answer);
        }
        due.clear();
        self.due = due;
        Ok(Fetched { answers, bytes, while_parked, urgent, changes })
    }

    /// The response to a fetch; an incremental response omits partitions without news.
    fn respond(
        &mut self,
        fetch: &DelayedFetch,
        mut answers: Vec<FetchedPartition>,
        cx: &mut Cx<'_>,
    ) -> FetchResponse {
        let replica = fetch.request.replica.map(|replica| replica.id);
        for refused in answers.iter().filter(|answer| !answer.error.is_none()) {
            let (partition, error) = (refused.partition, refused.error);
            cx.io.out.observe(Fact::FetchRefused { partition, replica, error });
        }
        let session_id = match fetch.context {
            FetchContext::Full => self.sessions.create(&fetch.request, &answers, cx.io.now.mono),
            FetchContext::Incremental(asked) => asked.session_id,
            FetchContext::Sessionless | FetchContext::Refused(_) => FetchMetadata::NO_SESSION,
        };
        let quiet: Vec<Seen> = answers.iter().filter_map(seen).collect();
        if let FetchContext::Incremental(asked) = fetch.context
            && let Err(error) = self.sessions.retain_news(asked, &mut answers)
        {
            cx.io.out.observe(Fact::Reached(Reach::FetchSessionRefused));
            return without_partitions(error);
        }
        for seen in quiet {
            self.rest(session_id, fetch.reader(), &seen, cx);
        }
        FetchResponse { error: ErrorCode::None, session_id, partitions: answers }
    }

    /// Lets a partition rest in a session if its reader has everything.
    fn rest(&mut self, session: i32, reader: Reader, seen: &Seen, cx: &mut Cx<'_>) {
        let partition = self.hosted.get(&seen.partition);
        self.sessions.rest(session, seen, |position| {
            partition.is_some_and(|partition| {
                partition.has_nothing_for(reader, position, cx.context, cx.io.out)
            })
        });
    }

    /// The partitions that an incremental fetch reads in addition to those that it names.
    pub(in crate::broker) fn due(
        &self,
        session: FetchMetadata,
    ) -> impl Iterator<Item = TopicPartition> {
        self.sessions.due(session.session_id).map(|read| read.partition)
    }

    /// Makes a partition due in its fetch sessions, since it may have changed.
    pub(super) fn note_news(&mut self, id: TopicPartition) {
        self.on_news(id, false, false, &mut Vec::new());
    }

    fn on_news(
        &mut self,
        id: TopicPartition,
        for_followers: bool,
        for_consumers: bool,
        woken: &mut Vec<ConnId>,
    ) {
        let resting = self.sessions.on_news(id, for_followers, for_consumers, woken);
        if resting.is_empty() {
            return;
        }
        if let Some(partition) = self.hosted.get_mut(&id) {
            for Resting { follower, fetched } in resting {
                partition.rested_until(follower, fetched);
            }
        }
    }

    /// Checks the fetches parked at `id` again, after a change.
    pub(super) fn wake_fetches(
        &mut self,
        id: TopicPartition,
        news: News,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let mut woken = std::mem::take(&mut self.woken);
        self.on_news(id, news.appended, news.committed, &mut woken);
        if let Some(partition) = self.hosted.get_mut(&id) {
            if news.appended {
                partition.waiting.take_followers(&mut woken);
            }
            if news.committed {
                partition.waiting.take_consumers(&mut woken);
            }
        }
        for conn in woken.drain(..) {
            self.wake_fetch(conn, id, news.rolled, cx)?;
        }
        self.woken = woken;
        Ok(())
    }

    /// Checks a parked fetch again, after a change of `id`. If a new segment has begun (`rolled`),
    /// a follower that was parked before is in an earlier segment, even at the log end.
    pub(super) fn wake_fetch(
        &mut self,
        conn: ConnId,
        id: TopicPartition,
        rolled: bool,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Some(Parked { body: Delayed::Fetch(fetch), correlation_id, .. }) =
            cx.requests.get(conn)
        else {
            return Ok(());
        };
        let (fetch, correlation_id) = (Arc::clone(fetch), *correlation_id);
        let fetched = self.read_for(&fetch, false, cx)?;
        let left_behind = rolled && fetch.request.replica.is_some() && fetched.has_records_of(id);
        if left_behind || fetched.ends_wait(fetch.min_bytes(cx)) {
            cx.requests.take(conn);
            self.finish_fetch(conn, correlation_id, &fetch, fetched, cx);
        } else if fetch.session().is_none()
            && fetch.request.partitions.iter().any(|read| read.partition == id)
            && let Some(partition) = self.hosted.get_mut(&id)
        {
            partition.waiting.add_fetch(conn, fetch.request.replica.is_some());
        }
        Ok(())
    }

    fn finish_fetch(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        fetch: &DelayedFetch,
        fetched: Fetched,
        cx: &mut Cx<'_>,
    ) {
        if let Some(session) = fetch.session() {
            self.sessions.unpark(session, conn);
        }
        let served = Served::Response(self.respond(fetch, fetched.answers, cx).into());
        cx.requests.finish(conn, correlation_id, served, &mut cx.io);
    }

    /// Completes a fetch whose `max_wait` has passed, with the records that there are.
    pub(in crate::broker) fn complete_fetch(
        &mut self,
        conn: ConnId,
        parked: Parked,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        if let Delayed::Fetch(fetch) = &parked.body {
            let fetched = self.read_for(fetch, false, cx)?;
            self.finish_fetch(conn, parked.correlation_id, fetch, fetched, cx);
        }
        Ok(())
    }
}

fn without_partitions(error: ErrorCode) -> FetchResponse {
    FetchResponse { error, session_id: FetchMetadata::NO_SESSION, partitions: Vec::new() }
}

/// The entry of a response for a partition without news.
fn seen(answer: &FetchedPartition) -> Option<Seen> {
    let has_news =
        !answer.error.is_none() || answer.diverging_epoch.is_some() || !answer.records.is_empty();
    (!has_news).then_some(Seen {
        partition: answer.partition,
        high_watermark: answer.high_watermark,
        log_start: answer.log_start_offset,
    })
}
