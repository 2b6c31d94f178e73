//! Produce requests (`ReplicaManager.appendRecords`, `DelayedProduce`).
//!
//! | acks | answered |
//! |---|---|
//! | 0 | never; on an error the connection is closed |
//! | 1 | after the leader's append |
//! | -1 | when the high watermark has passed every batch of the request |
//!
//! No leader epoch is kept with a request that waits. Passing through the follower's role fails it;
//! metadata that jumps from one leadership of this broker to its next does not.

use super::Broker;
use super::connection::Served;
use super::context::Io;
use super::partition::Changes;
use super::purgatory::{Delayed, Parked};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{Offset, TopicPartition};
use crate::protocol::{ProducePartition, ProduceRequest, ProduceResponse, ProducedPartition};
use machine::{ConnId, Halt};

/// A produce request whose batches are appended.
#[derive(Clone, Debug)]
pub(super) struct DelayedProduce {
    acks: i16,
    partitions: Vec<Batch>,
}

/// One batch of it.
#[derive(Clone, Debug)]
struct Batch {
    answer: ProducedPartition,
    last_offset: Offset,
    /// Its answer is not known yet.
    waits: bool,
    /// What to tell the observers when it is answered, as things were when it was settled.
    acknowledged: Option<Fact>,
}

impl Broker {
    /// Handles a produce request.
    pub(super) fn on_produce(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: &ProduceRequest,
        io: &mut Io<'_>,
    ) -> Result<Served, Halt> {
        let mut changes = Vec::with_capacity(request.partitions.len());
        let mut produce = DelayedProduce {
            acks: request.acks,
            partitions: Vec::with_capacity(request.partitions.len()),
        };
        for partition in &request.partitions {
            let batch = self.append(request.acks, partition, &mut changes, io)?;
            produce.partitions.push(batch);
        }
        let served = match request.acks {
            0 if produce.partitions.iter().any(|batch| !batch.answer.error.is_none()) => {
                Served::Close
            }
            0 => Served::Unanswered,
            -1 if self.is_incomplete(&mut produce, io) => {
                io.out.observe(Fact::Reached("produce_waited"));
                self.park_produce(conn, correlation_id, produce, request, io);
                Served::Parked
            }
            _ => Self::produced(produce, io),
        };
        for (partition, changes) in changes {
            self.react(partition, changes, io)?;
        }
        Ok(served)
    }

    fn append(
        &mut self,
        acks: i16,
        request: &ProducePartition,
        changes: &mut Vec<(TopicPartition, Changes)>,
        io: &mut Io<'_>,
    ) -> Result<Batch, Halt> {
        let id = request.partition;
        let appended = match self.partitions.get_mut(&id) {
            _ if !(-1..=1).contains(&acks) => Err(ErrorCode::InvalidRequiredAcks),
            Some(partition) => {
                partition.append_as_leader(&request.records, acks, &self.context, io)?
            }
            None => Err(self.error_of_unhosted(id)),
        };
        let mut batch = Batch {
            answer: ProducedPartition {
                partition: id,
                error: ErrorCode::None,
                base_offset: -1,
                log_start_offset: -1,
                current_leader: None,
            },
            last_offset: -1,
            waits: acks == -1,
            acknowledged: None,
        };
        match appended {
            Ok(appended) => {
                batch.answer.base_offset = appended.base_offset;
                batch.answer.log_start_offset = self.partitions[&id].log().log_start();
                batch.last_offset = appended.last_offset;
                changes.push((id, appended.changes));
                if acks == 1 {
                    self.settle(&mut batch, acks);
                }
            }
            Err(error) => self.refuse(&mut batch, error, io),
        }
        Ok(batch)
    }

    fn settle(&self, batch: &mut Batch, acks: i16) {
        batch.waits = false;
        let id = batch.answer.partition;
        batch.acknowledged = self.partitions.get(&id).map(|partition| Fact::Acknowledged {
            partition: id,
            leader_epoch: partition.leader_epoch(),
            base_offset: batch.answer.base_offset,
            last_offset: batch.last_offset,
            acks,
            high_watermark: partition.high_watermark(),
            isr: partition.committed_isr().to_vec(),
        });
    }

    fn refuse(&self, batch: &mut Batch, error: ErrorCode, io: &mut Io<'_>) {
        let partition = batch.answer.partition;
        io.out.observe(Fact::ProduceRefused { partition, error });
        batch.waits = false;
        batch.answer.error = error;
        batch.answer.base_offset = -1;
        if error == ErrorCode::NotLeaderOrFollower {
            batch.answer.current_leader = self.current_leader(partition);
        }
    }

    /// Settles what can be settled; answers whether something has to wait.
    fn is_incomplete(&self, produce: &mut DelayedProduce, io: &mut Io<'_>) -> bool {
        let mut waits = false;
        for batch in produce.partitions.iter_mut().filter(|batch| batch.waits) {
            let partition = self.partitions.get(&batch.answer.partition);
            let required = batch.last_offset + 1;
            let outcome = match partition {
                Some(partition) => partition.outcome_of_produce(required, &self.context, io),
                None => Some(ErrorCode::NotLeaderOrFollower),
            };
            match outcome {
                None => waits = true,
                Some(ErrorCode::None) => self.settle(batch, produce.acks),
                Some(error) => self.refuse(batch, error, io),
            }
        }
        waits
    }

    fn park_produce(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        produce: DelayedProduce,
        request: &ProduceRequest,
        io: &mut Io<'_>,
    ) {
        for batch in produce.partitions.iter().filter(|batch| batch.waits) {
            if let Some(partition) = self.partitions.get_mut(&batch.answer.partition) {
                partition.waiting.add_produce(batch.last_offset + 1, conn);
            }
        }
        let deadline = io.now.mono + request.timeout;
        let body = Delayed::Produce(produce);
        self.purgatory.park(conn, Parked { correlation_id, deadline, body }, io.out);
    }

    /// The produces of `id` that wait are looked at: its high watermark moved.
    pub(super) fn complete_produces(&mut self, id: TopicPartition, io: &mut Io<'_>) {
        while let Some(conn) = self.partitions.get_mut(&id).and_then(|partition| {
            let high_watermark = partition.high_watermark();
            partition.waiting.pop_produce(high_watermark)
        }) {
            self.complete_produce(conn, io);
        }
    }

    /// The produces of `id` that wait fail, as far as they concern it: its leadership is gone.
    pub(super) fn fail_produces(&mut self, id: TopicPartition, io: &mut Io<'_>) {
        while let Some(conn) = self
            .partitions
            .get_mut(&id)
            .and_then(|partition| partition.waiting.pop_produce(Offset::MAX))
        {
            io.out.observe(Fact::Reached("produce_lost_leader"));
            self.complete_produce(conn, io);
        }
    }

    /// Looks at a produce again that waits.
    pub(super) fn complete_produce(&mut self, conn: ConnId, io: &mut Io<'_>) {
        let Some(Parked { body: Delayed::Produce(_), .. }) = self.purgatory.get(conn) else {
            return;
        };
        let Some(mut parked) = self.purgatory.take(conn) else { return };
        let Delayed::Produce(produce) = &mut parked.body else { return };
        if self.is_incomplete(produce, io) {
            self.purgatory.put_back(conn, parked);
            return;
        }
        self.answer_produce(conn, parked, io);
    }

    /// A produce has waited for too long. Its batches stand, and may yet be committed.
    pub(super) fn time_out_produce(&mut self, conn: ConnId, mut parked: Parked, io: &mut Io<'_>) {
        if let Delayed::Produce(produce) = &mut parked.body {
            for batch in produce.partitions.iter_mut().filter(|batch| batch.waits) {
                self.refuse(batch, ErrorCode::RequestTimedOut, io);
            }
            self.forget_produce(conn, produce);
        }
        self.answer_produce(conn, parked, io);
    }

    fn forget_produce(&mut self, conn: ConnId, produce: &DelayedProduce) {
        for batch in &produce.partitions {
            if let Some(partition) = self.partitions.get_mut(&batch.answer.partition) {
                partition.waiting.forget(conn);
            }
        }
    }

    fn answer_produce(&mut self, conn: ConnId, parked: Parked, io: &mut Io<'_>) {
        if let Delayed::Produce(produce) = parked.body {
            let served = Self::produced(produce, io);
            self.finish(conn, parked.correlation_id, served, io);
        }
    }

    fn produced(produce: DelayedProduce, io: &mut Io<'_>) -> Served {
        let answers = produce.partitions.into_iter().map(|batch| {
            if let Some(acknowledged) = batch.acknowledged {
                io.out.observe(acknowledged);
            }
            batch.answer
        });
        Served::Response(ProduceResponse { partitions: answers.collect() }.into())
    }
}
