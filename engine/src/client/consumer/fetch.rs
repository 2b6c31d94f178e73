//! Fetching (`AbstractFetch`, `FetchCollector`).

use super::aborted::Aborted;
use super::buffer::Buffered;
use super::in_step::InStep;
use super::{Consumer, ConsumerError, Context};
use crate::Outbox;
use crate::config::IsolationLevel;
use crate::error::ErrorCode;
use crate::fact::Positioning;
use crate::protocol::{FetchPartition, FetchRequest, FetchResponse, FetchedPartition, Isolation};
use machine::{Mono, NodeId};

impl Consumer {
    /// Sends a fetch for all partitions of a leader, to each leader without a fetch in flight and
    /// without buffered records (`AbstractFetch.prepareFetchRequests`). A partition that waits for
    /// a seek after a corrupt batch does not count as buffered, which differs from Kafka.
    ///
    /// A fetch without a buffered partition would wait `fetch.max.wait.ms` for the other
    /// partitions, and the buffered one could not be fetched meanwhile. So the next fetch is sent
    /// after the application has taken the buffered records (KAFKA-17182).
    pub(super) fn fetch(&mut self, now: Mono, out: &mut Outbox) {
        if self.places.is_leaderless() {
            self.metadata.request_update();
        }
        let idle = self.places.by_leader().iter().filter(|(node, _)| !self.is_busy(**node));
        let first = |(node, places): (&NodeId, &Vec<usize>)| {
            let is_fetchable = |place: &&usize| self.partitions[**place].fetchable(now).is_some();
            Some((*places.iter().find(is_fetchable)?, *node))
        };
        let mut due: Vec<(usize, NodeId)> = idle.filter_map(first).collect();
        due.sort_unstable();
        for (_, node) in due {
            if self.can_send(now, node, out) {
                self.fetch_from(now, node, out);
            }
        }
    }

    /// Whether a fetch from a leader is in flight, or records from it are buffered.
    fn is_busy(&self, node: NodeId) -> bool {
        let is_buffered = |place: &usize| self.partitions[*place].buffered_at() == Some(node);
        self.fetching.contains(&node) || self.ready.iter().any(is_buffered)
    }

    /// Whether a request can go to `node`; opens a connection if there is none.
    pub(super) fn can_send(&mut self, now: Mono, node: NodeId, out: &mut Outbox) -> bool {
        if self.channels.is_open(node) {
            return self.channels.is_ready(now, node);
        }
        self.channels.connect(now, node, out);
        false
    }

    /// The isolation level of requests.
    pub(super) fn isolation(&self) -> Isolation {
        match self.config.isolation_level {
            IsolationLevel::ReadUncommitted => Isolation::ReadUncommitted,
            IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
        }
    }

    fn fetch_from(&mut self, now: Mono, node: NodeId, out: &mut Outbox) {
        let places = self.places.by_leader().get(&node).map_or(&[][..], Vec::as_slice);
        let mut asked = Vec::with_capacity(places.len());
        let mut partitions = Vec::with_capacity(places.len());
        for index in places.iter().copied() {
            let assigned = &self.partitions[index];
            let Some((_, epoch, fetch_offset)) = assigned.fetchable(now) else { continue };
            asked.push((index, assigned.stamp));
            partitions.push(FetchPartition {
                partition: assigned.partition,
                current_leader_epoch: Some(epoch),
                fetch_offset,
                last_fetched_epoch: None,
                log_start_offset: -1,
                partition_max_bytes: self.config.max_partition_fetch_bytes,
                high_watermark: None,
            });
        }
        let fetch = self.sessions.entry(node).or_default().build(partitions);
        let request = FetchRequest {
            replica: None,
            max_wait: self.config.fetch_max_wait,
            min_bytes: self.config.fetch_min_bytes,
            max_bytes: self.config.fetch_max_bytes,
            isolation: self.isolation(),
            session: fetch.metadata,
            partitions: fetch.partitions,
            forgotten: fetch.forgotten,
        };
        self.fetching.push(node);
        let timeout = self.config.request_timeout;
        self.channels.send(now, node, request, timeout, Context::Fetch(asked), out);
    }

    /// A node responded to a fetch. If the response does not fit the fetch session, its partitions
    /// are ignored, and the next fetch is a full one.
    pub(super) fn on_fetched(
        &mut self,
        now: Mono,
        node: NodeId,
        asked: &[(usize, u64)],
        response: &FetchResponse,
    ) {
        self.fetching.retain(|other| *other != node);
        if !self.sessions.entry(node).or_default().on_response(response) {
            return;
        }
        // Both are in the order of the session, except partitions that have moved within it.
        let mut asked = InStep::new(asked);
        for result in &response.partitions {
            let found = asked.find(|(index, _)| {
                self.partitions.get(*index).is_some_and(|it| it.partition == result.partition)
            });
            let Some(asked) = found.copied() else { continue };
            if self.unmoved(asked).is_some() {
                self.on_fetched_partition(now, asked.0, result);
            }
        }
    }

    fn on_fetched_partition(&mut self, now: Mono, index: usize, result: &FetchedPartition) {
        if let Some(hint) = result.current_leader {
            self.metadata.learn_leader(result.partition, hint);
        }
        let assigned = &mut self.partitions[index];
        match result.error {
            ErrorCode::None => {
                assigned.failures = 0;
                assigned.readable_end = Some(match self.config.isolation_level {
                    IsolationLevel::ReadUncommitted => result.high_watermark,
                    IsolationLevel::ReadCommitted => result.last_stable_offset,
                });
                if !result.records.is_empty() {
                    let is_filtered = self.config.isolation_level == IsolationLevel::ReadCommitted;
                    let transactions = result.aborted_transactions.as_deref().unwrap_or(&[]);
                    let aborted = is_filtered.then(|| Aborted::new(transactions));
                    assigned.buffered = Some(Buffered::new(result.records.0.clone(), aborted));
                    self.ready.push_back(index);
                }
            }
            ErrorCode::OffsetOutOfRange => {
                let position = assigned.position.map_or(-1, |position| position.offset);
                let error = ConsumerError::OffsetOutOfRange { position };
                self.reset(index, Positioning::OutOfRange, error);
            }
            error => self.on_fetch_error(now, index, error),
        }
    }

    fn on_fetch_error(&mut self, now: Mono, index: usize, error: ErrorCode) {
        self.on_retriable(error);
        if error == ErrorCode::CorruptMessage || !error.is_retriable() {
            self.error(index, ConsumerError::Unexpected(error));
        }
        self.back_off(now, index);
    }

    /// Handles a retriable error. Most of them mean that the metadata is out of date.
    pub(super) fn on_retriable(&mut self, error: ErrorCode) {
        if error.is_invalid_metadata() || error == ErrorCode::OffsetNotAvailable {
            self.metadata.request_update();
        }
    }
}
