//! `send`: a record is added to a batch, or waits for memory or metadata for at most `max.block.ms`
//! (`KafkaProducer.doSend`).

use super::accumulator::Appended;
use super::{Blocked, Producer, ProducerEvent, ProducerRecord, SendError};
use crate::Outbox;
use crate::error::ErrorCode;
use machine::{Mono, Now};

impl Producer {
    /// Sends a record. `tag` names it in events, and need not be unique.
    ///
    /// # Errors
    ///
    /// If the record can never be sent, or there is no open transaction to which it can be added.
    /// Then there are no events.
    #[inline]
    pub fn send(
        &mut self,
        now: Now,
        record: ProducerRecord<'_>,
        tag: u64,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        if let Some(transactional) = &self.transactional {
            transactional.core.may_send().map_err(SendError::Transaction)?;
        }
        let size = record.size_upper_bound();
        if size > u64::from(self.config.max_request_size) || size > self.config.buffer_memory {
            self.fail_transaction(ErrorCode::MessageTooLarge, out);
            return Err(SendError::TooLarge { size });
        }
        if record.partition.is_some_and(|partition| partition < 0) {
            return Err(SendError::InvalidPartition);
        }
        if !self.blocked.is_empty() || !self.try_send(now, &record, tag, out) {
            self.block(now.mono, record, tag, out);
        }
        Ok(())
    }

    /// Appends the record if its partition is known and there is memory for it.
    #[inline]
    fn try_send(
        &mut self,
        now: Now,
        record: &ProducerRecord<'_>,
        tag: u64,
        out: &mut Outbox,
    ) -> bool {
        let spread = |partitions| self.rules.partitions_for_keys(out, partitions);
        let (config, random) = (&self.config, &mut self.random);
        let appended = self.accumulator.append(now, config, random, spread, record, tag);
        self.waits_for_memory = appended == Appended::NoMemory;
        match appended {
            Appended::Done { partition, new_batch, full } => {
                self.events.push(ProducerEvent::Sent { tag, partition });
                if let Some(transactional) = &mut self.transactional {
                    transactional.core.add(partition);
                }
                if new_batch {
                    let expires_at = now.mono + self.config.delivery_timeout;
                    self.expires_at = self.expires_at.min(expires_at);
                    self.arm((now.mono + self.config.linger).min(expires_at), out);
                }
                if full {
                    self.arm(now.mono, out);
                }
                true
            }
            Appended::NoPartition => {
                self.metadata.add_topic(record.topic);
                self.metadata.request_update();
                false
            }
            Appended::NoMemory => false,
        }
    }

    #[cold]
    fn block(&mut self, now: Mono, record: ProducerRecord<'_>, tag: u64, out: &mut Outbox) {
        let deadline = now + self.config.max_block;
        self.blocked.push_back(Blocked { record: record.to_owned(), tag, deadline });
        self.stats.blocked += 1;
        self.arm(now, out);
    }

    /// Continues waiting sends in order, and fails those that have waited too long.
    pub(super) fn unblock(&mut self, now: Now, out: &mut Outbox) {
        while let Some(blocked) = self.blocked.pop_front() {
            if let Some(failure) = self.transaction_failure() {
                self.fail_unsent(failure.error, blocked.tag);
                continue;
            }
            if blocked.record.with(|record| self.try_send(now, record, blocked.tag, out)) {
                continue;
            }
            if blocked.deadline > now.mono {
                self.blocked.push_front(blocked);
                return;
            }
            self.fail_unsent(ErrorCode::RequestTimedOut, blocked.tag);
            self.fail_transaction(ErrorCode::RequestTimedOut, out);
        }
        self.waits_for_memory = false;
    }

    /// Reports the failure of a record that was never in a batch.
    pub(super) fn fail_unsent(&mut self, error: ErrorCode, tag: u64) {
        self.stats.errors += 1;
        let (partition, tags) = (None, vec![tag]);
        let (maybe_written, over) = (false, None);
        self.events.push(ProducerEvent::Failed { partition, error, maybe_written, tags, over });
    }
}
