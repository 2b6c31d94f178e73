//! Produce requests (`ReplicaManager.appendRecords`, `DelayedProduce`).
//!
//! | acks | time of the response |
//! |---|---|
//! | 0 | never; on an error the connection is closed |
//! | 1 | after the leader's append |
//! | -1 | when the high watermark has passed every batch of the request |
//!
//! A parked request keeps no leader epoch. It fails if this broker becomes a follower of the
//! partition, but not if one metadata update takes the broker from one leader epoch to a later one.

use super::Partitions;
use super::partition::{Appended, Changes};
use super::verify::Verdicts;
use crate::broker::context::Cx;
use crate::broker::metadata::current_leader;
use crate::broker::requests::Served;
use crate::broker::requests::{Delayed, Parked};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{Offset, TopicPartition};
use crate::metadata::is_internal_topic;
use crate::protocol::{ProducePartition, ProduceRequest, ProduceResponse, ProducedPartition};
use crate::reach::Reach;
use crate::record::{Invalid, validate_request};
use crate::rules::produce;
use machine::{ConnId, Halt};

/// Errors of an append whose response does not have the log start
/// (`ReplicaManager.appendToLocalLog`).
const WITHOUT_LOG_START: [ErrorCode; 6] = [
    ErrorCode::UnknownTopicOrPartition,
    ErrorCode::NotLeaderOrFollower,
    ErrorCode::MessageTooLarge,
    ErrorCode::RecordListTooLarge,
    ErrorCode::CorruptMessage,
    ErrorCode::KafkaStorageError,
];

/// A produce request whose batches are appended.
#[derive(Clone, Debug)]
pub(in crate::broker) struct DelayedProduce {
    acks: i16,
    partitions: Vec<ProducedBatch>,
}

/// The batch of a produce request for one partition.
#[derive(Clone, Debug)]
struct ProducedBatch {
    answer: ProducedPartition,
    last_offset: Offset,
    /// The high watermark for which it waits.
    required: Offset,
    /// Its outcome is not known yet.
    waits: bool,
    /// The fact to report when the response is sent, with the state at the time it was settled.
    acknowledged: Option<Fact>,
}

impl Partitions {
    /// Handles a produce request with the coordinator's `verdicts`. `from` is its connection and
    /// its correlation id there; `None` if the connection has ended.
    pub(in crate::broker) fn on_produce(
        &mut self,
        from: Option<(ConnId, u32)>,
        request: &ProduceRequest,
        verdicts: &Verdicts,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let mut changes = Vec::with_capacity(request.partitions.len());
        let mut produce = DelayedProduce {
            acks: request.acks,
            partitions: Vec::with_capacity(request.partitions.len()),
        };
        for partition in &request.partitions {
            let verdict = verdicts.of(partition.partition);
            let checked = self.check(request, partition, cx);
            let batch = self.append(request.acks, partition, checked, verdict, &mut changes, cx)?;
            produce.partitions.push(batch);
        }
        let served = match request.acks {
            0 if produce.partitions.iter().any(|batch| !batch.answer.error.is_none()) => {
                Served::Close
            }
            0 => Served::Unanswered,
            -1 if self.settle_known(&mut produce, cx) => match from {
                Some(from) => {
                    cx.io.out.observe(Fact::Reached(Reach::ProduceWaited));
                    self.park_produce(from, produce, request, cx);
                    Served::Parked
                }
                None => Served::Unanswered,
            },
            _ => Self::produced(produce, cx),
        };
        for (partition, changes) in changes {
            self.react(partition, changes, cx)?;
        }
        Ok(served)
    }

    /// The defects of a partition of a request, which do not depend on its leader; the size of its
    /// batch (`KafkaApis.handleProduceRequest`, `ReplicaManager.appendToLocalLog`).
    fn check(
        &self,
        request: &ProduceRequest,
        partition: &ProducePartition,
        cx: &Cx<'_>,
    ) -> Result<usize, ErrorCode> {
        let id = partition.partition;
        let image = &cx.context.image;
        if !self.hosted.contains_key(&id) && image.partition(id).is_none() {
            return Err(self.error_of(id, cx));
        }
        let size = validate_request(&partition.records, request.version).map_err(Invalid::code)?;
        if !(-1..=1).contains(&request.acks) {
            return Err(ErrorCode::InvalidRequiredAcks);
        }
        // Only coordinators write to them.
        if image.topic(id.topic).is_some_and(|topic| is_internal_topic(&topic.name)) {
            return Err(ErrorCode::InvalidTopicException);
        }
        Ok(size)
    }

    fn append(
        &mut self,
        acks: i16,
        request: &ProducePartition,
        checked: Result<usize, ErrorCode>,
        verdict: Result<Option<u64>, ErrorCode>,
        changes: &mut Vec<(TopicPartition, Changes)>,
        cx: &mut Cx<'_>,
    ) -> Result<ProducedBatch, Halt> {
        let id = request.partition;
        let checked = checked.and_then(|size| Ok((size, verdict?)));
        let reaches_log = checked.is_ok();
        let appended = match (checked, self.hosted.get_mut(&id)) {
            (Err(error), _) => Err(error.into()),
            (Ok((size, guard)), Some(partition)) => partition
                .append_as_leader(
                    &request.records.slice(..size),
                    acks,
                    guard,
                    cx.context,
                    &mut cx.io,
                )
                .unwrap_or_else(|error| Err(self.storage_failed(id, error, cx).into())),
            (Ok(_), None) => Err(self.error_of(id, cx).into()),
        };
        let mut batch = ProducedBatch {
            answer: ProducedPartition {
                partition: id,
                error: ErrorCode::None,
                base_offset: -1,
                log_append_time: -1,
                log_start_offset: -1,
                current_leader: None,
            },
            last_offset: -1,
            required: 0,
            waits: acks == -1,
            acknowledged: None,
        };
        match appended {
            Ok(appended) => {
                batch.answer.base_offset = appended.base_offset;
                batch.answer.log_append_time = appended.append_time;
                batch.answer.log_start_offset = self.hosted[&id].log().log_start();
                batch.last_offset = appended.last_offset;
                let Appended { last_offset, is_duplicate, .. } = appended;
                let in_log = produce::Appended { last_offset, is_duplicate };
                batch.required = cx.context.rules.required_high_watermark(cx.io.out, in_log);
                changes.push((id, appended.changes));
                if acks == 1 {
                    self.settle(&mut batch, acks);
                }
            }
            Err(refused) => {
                Self::refuse(&mut batch, refused.error, cx);
                let known = reaches_log && !WITHOUT_LOG_START.contains(&refused.error);
                if let Some(partition) = self.hosted.get(&id).filter(|_| known) {
                    batch.answer.log_start_offset = partition.log().log_start();
                    changes.push((id, refused.changes));
                }
            }
        }
        Ok(batch)
    }

    fn settle(&self, batch: &mut ProducedBatch, acks: i16) {
        batch.waits = false;
        let id = batch.answer.partition;
        batch.acknowledged = self.hosted.get(&id).map(|partition| Fact::Acknowledged {
            partition: id,
            leader_epoch: partition.leader_epoch(),
            base_offset: batch.answer.base_offset,
            last_offset: batch.last_offset,
            acks,
            high_watermark: partition.high_watermark(),
            isr: partition.committed_isr().to_vec(),
        });
    }

    fn refuse(batch: &mut ProducedBatch, error: ErrorCode, cx: &mut Cx<'_>) {
        let partition = batch.answer.partition;
        cx.io.out.observe(Fact::ProduceRefused { partition, error });
        batch.waits = false;
        batch.answer.error = error;
        batch.answer.base_offset = -1;
        batch.answer.log_append_time = -1;
        if error == ErrorCode::NotLeaderOrFollower {
            batch.answer.current_leader = current_leader(&cx.context.image, partition);
        }
    }

    /// Settles every batch whose outcome is known. Returns whether any batch still waits.
    fn settle_known(&self, produce: &mut DelayedProduce, cx: &mut Cx<'_>) -> bool {
        let mut waits = false;
        for batch in produce.partitions.iter_mut().filter(|batch| batch.waits) {
            let partition = self.hosted.get(&batch.answer.partition);
            let required = batch.required;
            let outcome = match partition {
                Some(partition) => partition.outcome_of_produce(required, cx.context, &mut cx.io),
                None if self.offline.contains(&batch.answer.partition) => {
                    Some(ErrorCode::KafkaStorageError)
                }
                None => Some(ErrorCode::NotLeaderOrFollower),
            };
            match outcome {
                None => waits = true,
                Some(ErrorCode::None) => self.settle(batch, produce.acks),
                Some(error) => Self::refuse(batch, error, cx),
            }
        }
        waits
    }

    fn park_produce(
        &mut self,
        (conn, correlation_id): (ConnId, u32),
        produce: DelayedProduce,
        request: &ProduceRequest,
        cx: &mut Cx<'_>,
    ) {
        for batch in produce.partitions.iter().filter(|batch| batch.waits) {
            if let Some(partition) = self.hosted.get_mut(&batch.answer.partition) {
                partition.waiting.add_produce(batch.required, conn);
            }
        }
        let deadline = Some(cx.io.now.mono + request.timeout);
        let body = Delayed::Produce(produce);
        cx.requests.park(conn, Parked { correlation_id, deadline, body }, cx.io.out);
    }

    /// Completes the produce requests parked at `id` that its new high watermark satisfies.
    pub(super) fn complete_produces(&mut self, id: TopicPartition, cx: &mut Cx<'_>) {
        while let Some(conn) = self.hosted.get_mut(&id).and_then(|partition| {
            let high_watermark = partition.high_watermark();
            partition.waiting.pop_produce(high_watermark)
        }) {
            self.complete_append(conn, cx);
        }
    }

    /// Completes requests that are parked until the high watermark advances or this broker stops
    /// leading.
    pub(super) fn complete_append(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        match cx.requests.get(conn) {
            Some(Parked { body: Delayed::Produce(_), .. }) => self.complete_produce(conn, cx),
            Some(Parked { body: Delayed::Markers(_), .. }) => self.complete_markers(conn, cx),
            _ => {}
        }
    }

    /// Fails the produce requests parked at `id` for this partition: this broker no longer leads
    /// it.
    pub(super) fn fail_produces(&mut self, id: TopicPartition, cx: &mut Cx<'_>) {
        while let Some(conn) = self
            .hosted
            .get_mut(&id)
            .and_then(|partition| partition.waiting.pop_produce(Offset::MAX))
        {
            cx.io.out.observe(Fact::Reached(Reach::ProduceLostLeader));
            self.complete_append(conn, cx);
        }
    }

    /// Checks a parked produce request again, and completes it if no partition still waits.
    fn complete_produce(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(mut parked) = cx.requests.take(conn) else { return };
        let Delayed::Produce(produce) = &mut parked.body else { return };
        if self.settle_known(produce, cx) {
            cx.requests.put_back(conn, parked);
            return;
        }
        self.answer_produce(conn, parked, cx);
    }

    /// Completes a parked produce request with `REQUEST_TIMED_OUT` for the partitions that still
    /// wait. Their batches stay in the log and may still be committed.
    pub(in crate::broker) fn time_out_produce(
        &mut self,
        conn: ConnId,
        mut parked: Parked,
        cx: &mut Cx<'_>,
    ) {
        if let Delayed::Produce(produce) = &mut parked.body {
            for batch in produce.partitions.iter_mut().filter(|batch| batch.waits) {
                Self::refuse(batch, ErrorCode::RequestTimedOut, cx);
            }
            self.forget_produce(conn, produce);
        }
        self.answer_produce(conn, parked, cx);
    }

    fn forget_produce(&mut self, conn: ConnId, produce: &DelayedProduce) {
        for batch in &produce.partitions {
            if let Some(partition) = self.hosted.get_mut(&batch.answer.partition) {
                partition.waiting.forget(conn);
            }
        }
    }

    fn answer_produce(&mut self, conn: ConnId, parked: Parked, cx: &mut Cx<'_>) {
        if let Delayed::Produce(produce) = parked.body {
            let served = Self::produced(produce, cx);
            cx.requests.finish(conn, parked.correlation_id, served, &mut cx.io);
        }
    }

    fn produced(produce: DelayedProduce, cx: &mut Cx<'_>) -> Served {
        let answers = produce.partitions.into_iter().map(|batch| {
            if let Some(acknowledged) = batch.acknowledged {
                cx.io.out.observe(acknowledged);
            }
            batch.answer
        });
        Served::Response(ProduceResponse { partitions: answers.collect() }.into())
    }
}
