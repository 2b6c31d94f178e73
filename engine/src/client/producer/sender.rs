//! Takes batches to the leaders and settles their outcome (`Sender`).
//!
//! Whatever may be sent again is, until `delivery.timeout.ms`. Without idempotence a batch that is
//! sent again may be stored again, and may overtake or be overtaken, unless only one request is in
//! flight (then its partition is muted meanwhile, and order holds). With idempotence its sequence
//! keeps it in its place (`sequences.rs`).

use super::{Batch, Context, Producer, ProducerEvent, Sending};
use crate::Outbox;
use crate::config::Acks;
use crate::error::ErrorCode;
use crate::protocol::{ProducePartition, ProduceRequest, ProduceResponse, ProducedPartition};
use machine::{Mono, NodeId, Now};

impl Producer {
    /// Does all that can be done now, and sets the timer for the rest.
    pub(super) fn run(&mut self, now: Now, out: &mut Outbox) {
        self.adopt(out);
        self.settle_sequences(out);
        let held_until = match self.transactional {
            Some(_) => self.run_transactions(now.mono, out),
            None => self.lacks_id().then(|| self.ask_for_id(now.mono, out)),
        };
        self.is_held = held_until.is_some();
        if self.is_held {
            self.unblock(now, out);
        } else {
            if now.mono >= self.expires_at {
                self.expire(now.mono, out);
                self.settle_sequences(out);
            }
            self.unblock(now, out);
            self.send_ready(now.mono, out);
            if self.is_transaction_due() {
                self.arm(now.mono, out);
            }
        }
        if self.config.acks == Acks::None {
            // Without results to wait for, memory came free just now.
            self.unblock(now, out);
        }
        if self.flushing && self.is_idle() {
            self.flushing = false;
        }
        let metadata_due = self.metadata.maintain(
            now.mono,
            &mut self.channels,
            Context::Metadata,
            self.config.request_timeout,
            &mut self.random,
            out,
        );
        let held_until = held_until.unwrap_or(Mono::MAX);
        let wake = metadata_due.min(held_until).min(self.next_wake(now.mono));
        if wake != Mono::MAX {
            self.arm(wake, out);
        }
    }

    /// Applies the metadata.
    fn adopt(&mut self, out: &mut Outbox) {
        let changed = self.accumulator.adopt(&self.metadata);
        let Some(sequences) = self.sequences.as_mut().filter(|_| changed) else { return };
        for (index, queue) in self.accumulator.queues.iter().enumerate() {
            if !self.rules.keeps_sequences(out, queue.leader.is_some()) {
                sequences.forget(index);
            }
        }
    }

    /// When something is due that no message or connection event leads to.
    pub(super) fn next_wake(&self, now: Mono) -> Mono {
        let blocked = self.blocked.front().map_or(Mono::MAX, |blocked| blocked.deadline);
        let calls = blocked.min(self.call_by());
        if self.is_held {
            return calls;
        }
        let mut wake = self.expires_at.min(calls);
        for queue in self.accumulator.waiting() {
            let (Some((node, _)), false) = (queue.leader, queue.muted) else { continue };
            match queue.ready_at(&self.config) {
                Some(at) if at > now => wake = wake.min(at),
                Some(_) if !self.channels.has_connection(node) => {
                    wake = wake.min(self.channels.not_before(node));
                }
                _ => {}
            }
        }
        wake
    }

    /// Fails batches that have reached `delivery.timeout.ms`, waiting or in flight (KIP-91).
    fn expire(&mut self, now: Mono, out: &mut Outbox) {
        let timeout = self.config.delivery_timeout;
        let is_due = |batch: &Batch| batch.created + timeout <= now;
        let mut in_flight = std::mem::take(&mut self.in_flight);
        for Sending { queue, batch } in in_flight.values_mut().flatten() {
            if is_due(batch) && !batch.is_done {
                batch.is_done = true;
                self.doubt(batch, ErrorCode::RequestTimedOut, out);
                self.fail(*queue, batch, ErrorCode::RequestTimedOut);
                self.fail_transaction(ErrorCode::RequestTimedOut, out);
                self.expire_sequence(*queue, batch, out);
            }
        }
        self.in_flight = in_flight;
        for index in self.accumulator.waiting_from(0) {
            while self.accumulator.queues[index].batches.front().is_some_and(is_due) {
                let mut batch = self.accumulator.queues[index].take_first();
                self.fail(index, &mut batch, ErrorCode::RequestTimedOut);
                self.fail_transaction(ErrorCode::RequestTimedOut, out);
                self.expire_sequence(index, &batch, out);
                self.accumulator.free += batch.charge;
            }
        }
        // A batch that waits behind a younger one, which was sent again after it, does not expire
        // before that one has left (`RecordAccumulator.expiredBatches`).
        let waiting = self.accumulator.waiting().filter_map(|queue| queue.batches.front());
        let sent = self.in_flight.values().flatten().map(|sending| &sending.batch);
        let oldest = waiting.chain(sent.filter(|batch| !batch.is_done)).map(|b| b.created).min();
        self.expires_at = oldest.map_or(Mono::MAX, |created| created + timeout);
    }

    /// Sends to every node that has a batch due and room on its connection.
    fn send_ready(&mut self, now: Mono, out: &mut Outbox) {
        loop {
            let mut sent = false;
            for node in self.ready_nodes(now) {
                if !self.channels.is_open(node) {
                    self.channels.connect(now, node, out);
                } else if self.channels.is_ready(now, node) {
                    sent |= self.send_to(now, node, out);
                    if now >= self.expires_at {
                        self.expire(now, out);
                        // An expired batch may leave a gap, which is checked next.
                        self.arm(now, out);
                    }
                }
            }
            if !sent {
                return;
            }
        }
    }

    /// The leaders of partitions whose first batch is due (`RecordAccumulator.ready`).
    fn ready_nodes(&mut self, now: Mono) -> Vec<NodeId> {
        let hurry = self.waits_for_memory || self.flushing || self.is_completing();
        let mut nodes = Vec::new();
        for queue in self.accumulator.waiting() {
            let Some(ready_at) = queue.ready_at(&self.config) else { continue };
            let Some((node, _)) = queue.leader else {
                self.metadata.request_update();
                continue;
            };
            let in_hurry = hurry && queue.backs_off_until().is_none_or(|until| until <= now);
            let is_due = ready_at <= now || in_hurry;
            if is_due && !queue.muted && !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        nodes
    }

    /// Sends one request with the first batch of every partition that `node` leads, due or not, as
    /// far as `max.request.size` allows (`drainBatchesForOneNode`). Returns whether there was any.
    ///
    /// A batch that has to wait because of its sequence ends the request: the partitions after it
    /// wait with it, as in Kafka.
    fn send_to(&mut self, now: Mono, node: NodeId, out: &mut Outbox) -> bool {
        let max_in_flight = self.config.max_in_flight as usize;
        let (transactional_id, version) = self.produce_as();
        let from = self.drain_from.get(&node).copied().unwrap_or(0);
        let mut sendings = Vec::new();
        let mut partitions = Vec::new();
        let mut size = 0;
        for index in self.accumulator.waiting_from(from) {
            let queue = &mut self.accumulator.queues[index];
            let Some((_, epoch)) = queue.leader.filter(|(leader, _)| *leader == node) else {
                continue;
            };
            let waits = queue.muted || queue.backs_off_until().is_some_and(|until| until > now);
            let (Some(first), false) = (queue.batches.front(), waits) else { continue };
            size += first.size();
            if size > self.config.max_request_size as usize && !sendings.is_empty() {
                self.drain_from.insert(node, index);
                break;
            }
            if let Some(sequences) = &mut self.sequences {
                let rules = &self.rules;
                let sends = || rules.sends_behind_unresolved(out, first.attempts);
                let transactional = self.transactional.as_ref();
                let is_added = transactional.is_none_or(|it| it.core.may_send_to(queue.partition));
                if !is_added || sequences.holds(index, first.sequence, sends) {
                    self.drain_from.insert(node, index);
                    break;
                }
            }
            let mut batch = queue.take_first();
            if let Some(sequences) = self.sequences.as_mut().filter(|_| batch.sequence.is_none()) {
                batch.sequence = Some(sequences.assign(index, batch.tags.len()));
            }
            batch.records = batch.tags.len();
            batch.is_transactional = transactional_id.is_some();
            let next = queue.batches.front().map_or(batch.created, |next| next.created);
            let oldest = batch.created.min(next);
            self.expires_at = self.expires_at.min(oldest + self.config.delivery_timeout);
            batch.sent_epoch = Some(epoch);
            queue.muted = self.rules.mutes_partition(out, max_in_flight);
            partitions.push(ProducePartition { partition: queue.partition, records: batch.seal() });
            sendings.push(Sending { queue: index, batch });
        }
        if sendings.is_empty() {
            return false;
        }
        let acks = self.config.acks.code();
        let request = ProduceRequest {
            version,
            transactional_id,
            acks,
            timeout: self.config.request_timeout,
            partitions,
        };
        self.stats.requests += 1;
        if self.config.acks == Acks::None {
            let over = self.channels.send_unanswered(now, node, request, out);
            for mut sending in sendings {
                sending.batch.sent_over = Some(over);
                self.on_unanswered(sending);
            }
            return true;
        }
        let number = self.next_request;
        self.next_request += 1;
        let timeout = self.config.request_timeout;
        let context = Context::Produce(number);
        let over = self.channels.send(now, node, request, timeout, context, out);
        sendings.iter_mut().for_each(|sending| sending.batch.sent_over = Some(over));
        self.in_flight.insert(number, sendings);
        true
    }

    /// With acks=0 a batch is complete when it has been sent.
    fn on_unanswered(&mut self, Sending { queue, mut batch }: Sending) {
        self.accumulator.queues[queue].muted = false;
        self.accumulator.free += batch.charge;
        self.confirm(queue, &mut batch, None);
    }

    /// A produce response arrived.
    pub(super) fn on_produced(
        &mut self,
        now: Mono,
        number: u64,
        response: &ProduceResponse,
        out: &mut Outbox,
    ) {
        let sendings = self.in_flight.remove(&number).expect("its response was awaited");
        for (position, sending) in sendings.into_iter().enumerate() {
            let partition = self.accumulator.queues[sending.queue].partition;
            let is_its = |result: &&ProducedPartition| result.partition == partition;
            let result = response
                .partitions
                .get(position)
                .filter(is_its)
                .or_else(|| response.partitions.iter().find(is_its));
            let Some(result) = result else {
                self.settle(now, sending, ErrorCode::UnknownServerError, -1, out);
                continue;
            };
            if let Some(hint) = result.current_leader {
                self.metadata.learn_leader(partition, hint);
            }
            if result.error.is_none() {
                self.on_confirmed(sending, result.base_offset);
            } else {
                self.settle(now, sending, result.error, result.log_start_offset, out);
            }
        }
    }

    /// No response to a produce request will arrive.
    pub(super) fn on_produce_lost(
        &mut self,
        now: Mono,
        number: u64,
        error: ErrorCode,
        out: &mut Outbox,
    ) {
        for sending in self.in_flight.remove(&number).expect("its response was awaited") {
            self.settle(now, sending, error, -1, out);
        }
    }

    fn on_confirmed(&mut self, Sending { queue, mut batch }: Sending, base_offset: i64) {
        self.accumulator.queues[queue].muted = false;
        self.accumulator.free += batch.charge;
        if let (Some(sequences), Some(sequence)) = (&mut self.sequences, batch.sequence) {
            sequences.on_confirmed(queue, sequence, batch.records);
        }
        if !batch.is_done {
            self.confirm(queue, &mut batch, Some(base_offset));
        }
    }

    /// A batch was not confirmed: sends it again, or in parts, or gives it up.
    fn settle(
        &mut self,
        now: Mono,
        sending: Sending,
        error: ErrorCode,
        log_start: i64,
        out: &mut Outbox,
    ) {
        let Sending { queue: index, mut batch } = sending;
        self.accumulator.queues[index].muted = false;
        if error.is_invalid_metadata() {
            self.metadata.request_update();
        }
        if batch.is_done {
            self.accumulator.free += batch.charge;
            return;
        }
        if error == ErrorCode::MessageTooLarge && batch.tags.len() > 1 {
            self.tell_retried(index, &batch, error);
            self.split(index, batch, out);
            return;
        }
        self.doubt(&mut batch, error, out);
        let expired = batch.created + self.config.delivery_timeout <= now;
        let may_retry = batch.attempts < self.config.retries;
        if expired || !may_retry || !self.can_retry(index, &batch, error, log_start) {
            if error == ErrorCode::DuplicateSequenceNumber && batch.sequence.is_some() {
                // The batch is in the log, at an offset that the leader does not remember.
                self.on_confirmed(Sending { queue: index, batch }, -1);
                return;
            }
            self.fail(index, &mut batch, error);
            self.fail_transaction(error, out);
            self.give_up_sequence(index, &batch, error, may_retry, out);
            self.accumulator.free += batch.charge;
            return;
        }
        self.stats.retries += 1;
        self.tell_retried(index, &batch, error);
        batch.attempts += 1;
        batch.retry_at = now + self.backoff.after(batch.attempts, &mut self.random);
        let place = self.place_of_retry(index, &batch, out);
        self.accumulator.put_back(index, place, batch);
    }

    /// Batches in flight behind a batch that is sent again, as a whole or in parts, may overtake
    /// it.
    fn tell_retried(&mut self, index: usize, batch: &Batch, error: ErrorCode) {
        let (partition, tags) = (self.accumulator.queues[index].partition, batch.tags.clone());
        self.events.push(ProducerEvent::Retried { partition, error, tags });
    }

    /// Remembers that a transmission may have succeeded.
    fn doubt(&self, batch: &mut Batch, error: ErrorCode, out: &mut Outbox) {
        batch.maybe_written |= self.rules.leaves_produce_unknown(out, error);
    }

    fn split(&mut self, index: usize, batch: Batch, out: &mut Outbox) {
        self.stats.splits += 1;
        self.accumulator.free += batch.charge;
        if let (Some(sequences), Some(sequence)) = (&mut self.sequences, batch.sequence) {
            sequences.untrack(index, sequence);
        }
        let parts = batch.split(self.config.batch_size as usize);
        let parts = parts.expect("a batch that was built here can be read");
        for part in parts.into_iter().rev() {
            if let (Some(sequences), Some(sequence)) = (&mut self.sequences, part.sequence) {
                sequences.track(index, sequence);
            }
            let place = match part.sequence {
                None => 0,
                Some(_) => self.place_of_retry(index, &part, out),
            };
            self.accumulator.put_back(index, place, part);
        }
    }
}
