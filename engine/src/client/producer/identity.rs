//! The id of an idempotent producer, its new epochs, and the sequences of batches that are not
//! confirmed (`TransactionManager`, `Sender.maybeSendAndPollTransactionalRequest`).

use super::sequences::{Refused, Sequence};
use super::{Batch, Context, Producer, ProducerEvent, Sending};
use crate::Outbox;
use crate::client::metadata::Choice;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::protocol::{InitProducerIdRequest, InitProducerIdResponse};
use crate::reach::Reach;
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use crate::rules::client::FailedBatch;
use crate::rules::producer::{Failure, Retry};
use machine::Mono;
use std::collections::VecDeque;

/// The request for a producer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdRequest {
    /// Not in flight; it is sent if an id is needed, but not before this time.
    Due(Mono),
    /// In flight.
    InFlight,
}

impl Producer {
    /// Whether an idempotent producer has no id. Until it has one, its sender sends no batches, and
    /// none expires.
    pub(super) fn lacks_id(&self) -> bool {
        self.sequences.as_ref().is_some_and(|sequences| !sequences.producer.is_valid())
    }

    /// Begins a new epoch if the sequences need one, and renumbers the batches in flight of the
    /// partitions that need it, in order.
    pub(super) fn settle_sequences(&mut self, out: &mut Outbox) {
        let Some(sequences) = &mut self.sequences else { return };
        if sequences.resolve()
            && let Some(transactional) = &mut self.transactional
        {
            transactional.core.on_unresolved();
        }
        let before = sequences.producer;
        let rewritten = sequences.bump();
        let producer = sequences.producer;
        if before == producer {
            return;
        }
        out.observe(Fact::Reached(Reach::ProducerEpochBumped));
        self.stats.epochs += 1;
        for queue in rewritten {
            self.renumber(queue);
        }
        if producer.is_valid() {
            self.identified(producer.id, producer.epoch);
        }
    }

    fn identified(&mut self, producer_id: i64, producer_epoch: i16) {
        self.events.push(ProducerEvent::Identified { producer_id, producer_epoch });
    }

    /// Gives new sequences to the batches of a partition that have one and no outcome. Requests in
    /// flight arrive with the old sequences.
    fn renumber(&mut self, queue: usize) {
        let Some(sequences) = &mut self.sequences else { return };
        let partition = self.accumulator.queues[queue].partition;
        let on_their_way = self.in_flight.values_mut().flatten();
        let on_their_way = on_their_way.filter(|sending| sending.queue == queue);
        let on_their_way = on_their_way.map(|sending| &mut sending.batch);
        let waiting = self.accumulator.queues[queue].batches.iter_mut();
        let mut batches: Vec<_> = on_their_way
            .chain(waiting)
            .filter(|batch| batch.sequence.is_some() && !batch.is_done)
            .collect();
        batches.sort_by_key(|batch| batch.sequence);
        let records: Vec<usize> = batches.iter().map(|batch| batch.tags.len()).collect();
        let renumbered: Vec<Sequence> = sequences.renumber(queue, &records);
        for (batch, sequence) in batches.into_iter().zip(renumbered) {
            batch.rename(sequence);
            let tags = batch.tags.clone();
            self.events.push(ProducerEvent::Renumbered { partition, tags });
        }
    }

    /// Requests an id from any broker. Returns the latest time for the next call.
    pub(super) fn ask_for_id(&mut self, now: Mono, out: &mut Outbox) -> Mono {
        let IdRequest::Due(due) = self.id_request else { return Mono::MAX };
        if now < due {
            return due;
        }
        match self.metadata.choose(now, &mut self.channels, &mut self.random, out) {
            Choice::Send(node) => {
                let request = InitProducerIdRequest::idempotent(NO_PRODUCER_ID, NO_PRODUCER_EPOCH);
                let (timeout, context) = (self.config.request_timeout, Context::InitProducerId);
                self.channels.send(now, node, request, timeout, context, out);
                self.id_request = IdRequest::InFlight;
                Mono::MAX
            }
            Choice::Connecting => Mono::MAX,
            Choice::NotBefore(at) => at,
        }
    }

    /// Handles a response: an id or a retriable error, as brokers return no other.
    pub(super) fn on_id(&mut self, now: Mono, response: &InitProducerIdResponse) {
        let Some(sequences) = &mut self.sequences else { return };
        if !response.error.is_none() {
            self.on_id_lost(now);
            return;
        }
        sequences.producer.id = response.producer_id;
        sequences.producer.epoch = response.producer_epoch;
        self.id_request = IdRequest::Due(Mono::default());
        self.identified(response.producer_id, response.producer_epoch);
    }

    /// Handles the loss of the request for an id.
    pub(super) fn on_id_lost(&mut self, now: Mono) {
        self.id_request = IdRequest::Due(now + self.config.retry_backoff);
    }

    /// Handles the expiry of a batch. If it had been sent again, it may or may not be written
    /// (KIP-360); if it had been sent once, Kafka ignores its sequence.
    pub(super) fn expire_sequence(&mut self, queue: usize, batch: &Batch, out: &mut Outbox) {
        if let (Some(sequences), Some(sequence)) = (&mut self.sequences, batch.sequence) {
            sequences.on_failed(queue, sequence, ErrorCode::RequestTimedOut, false);
            if batch.attempts > 0 {
                out.observe(Fact::Reached(Reach::SequenceUnresolved));
                sequences.on_expired(queue, sequence, batch.records);
            }
        }
    }

    /// Handles the final failure of a batch after a response, or after its request was lost.
    pub(super) fn give_up_sequence(
        &mut self,
        queue: usize,
        batch: &Batch,
        error: ErrorCode,
        retries_left: bool,
        out: &mut Outbox,
    ) {
        let (Some(sequences), Some(sequence)) = (&mut self.sequences, batch.sequence) else {
            return;
        };
        let failure = Failure {
            retries_left,
            maybe_written: batch.maybe_written,
            in_front: self.transactional.is_none() && sequences.has_in_front(queue, sequence),
        };
        let leaves_gap = self.rules.leaves_gap(out, failure);
        sequences.on_failed(queue, sequence, error, leaves_gap);
        if leaves_gap {
            self.close_gap(queue, sequence, batch.records);
        }
        let Some(sequences) = &mut self.sequences else { return };
        if retries_left && !leaves_gap {
            out.observe(Fact::Reached(Reach::SequenceUnresolved));
            sequences.on_expired(queue, sequence, batch.records);
        }
    }

    /// Decreases the sequences of a transactional producer's batches after a missing one.
    fn close_gap(&mut self, queue: usize, missing: Sequence, records: usize) {
        let Some(sequences) = &mut self.sequences else { return };
        let pairs = sequences.close_gap(queue, missing, records);
        let on_their_way = self.in_flight.values_mut().flatten();
        let on_their_way = on_their_way.filter(|sending| sending.queue == queue);
        let on_their_way = on_their_way.map(|sending| &mut sending.batch);
        let batches = on_their_way.chain(self.accumulator.queues[queue].batches.iter_mut());
        for batch in batches.filter(|batch| !batch.is_done) {
            let renamed = pairs.iter().find(|(before, _)| batch.sequence == Some(*before));
            if let Some((_, after)) = renamed {
                batch.rename(*after);
            }
        }
    }

    /// Makes the producer's transaction, if it has one, abortable after this error of a batch.
    pub(super) fn fail_transaction(&mut self, error: ErrorCode, out: &mut Outbox) {
        let is_completing = self.is_completing();
        let Some(transactional) = &mut self.transactional else { return };
        // With transaction version 2 the end of the transaction increases the epoch in any case.
        let bumps = !transactional.core.is_v2()
            && self.rules.bumps_after_failure(out, FailedBatch { is_completing });
        transactional.core.on_batch_failed(error, bumps);
    }

    /// Gives up the batches that have never been sent (`abortUndrainedBatches`).
    pub(super) fn abort_undrained(&mut self, error: ErrorCode) {
        for index in self.accumulator.waiting_from(0) {
            let batches = std::mem::take(&mut self.accumulator.queues[index].batches);
            let (undrained, sent) = batches.into_iter().partition(|batch| batch.sequence.is_none());
            self.accumulator.queues[index].batches = sent;
            self.abort_all(index, undrained, error);
        }
    }

    /// Gives up all batches. Those in flight keep their memory until their requests have ended
    /// (`abortBatches`).
    pub(super) fn abort_batches(&mut self, error: ErrorCode) {
        for index in self.accumulator.waiting_from(0) {
            let batches = std::mem::take(&mut self.accumulator.queues[index].batches);
            self.abort_all(index, batches, error);
        }
        let mut in_flight = std::mem::take(&mut self.in_flight);
        for Sending { queue, batch } in in_flight.values_mut().flatten() {
            if !batch.is_done {
                batch.is_done = true;
                batch.maybe_written = true;
                self.fail(*queue, batch, error);
            }
        }
        self.in_flight = in_flight;
    }

    fn abort_all(&mut self, queue: usize, batches: VecDeque<Batch>, error: ErrorCode) {
        for mut batch in batches {
            self.fail(queue, &mut batch, error);
            self.accumulator.free += batch.charge;
        }
    }

    /// Whether a batch may be sent again after this error.
    pub(super) fn can_retry(
        &mut self,
        queue: usize,
        batch: &Batch,
        error: ErrorCode,
        log_start: i64,
    ) -> bool {
        match (&mut self.sequences, batch.sequence) {
            (Some(sequences), Some(sequence)) => {
                let is_reset = batch.is_reset;
                sequences.can_retry(queue, Refused { sequence, is_reset, error, log_start })
            }
            _ => error.is_retriable(),
        }
    }

    /// The index in the queue at which a batch to be sent again is inserted.
    pub(super) fn place_of_retry(&self, queue: usize, batch: &Batch, out: &mut Outbox) -> usize {
        let queue = &self.accumulator.queues[queue];
        if batch.sequence.is_none() {
            // To the front, and so before a batch that failed earlier: without sequences their
            // order is unknown.
            return self.rules.place_of_retry(out, queue.batches.len());
        }
        queue.place_in_sequence(batch, |sequence, front| {
            self.rules.place_in_sequence(out, Retry { sequence, front })
        })
    }
}
