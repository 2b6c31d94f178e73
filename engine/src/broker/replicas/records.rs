//! Records that a coordinator of this broker writes to a partition that the broker leads
//! (`ReplicaManager.appendRecords` with acks=all and the origin `COORDINATOR`).
//!
//! A coordinator names each append by a [`Ticket`], and gets its outcome from
//! [`Partitions::take_settled`] after the input that settled it. Time-outs are up to the
//! coordinator.

use super::Partitions;
use crate::broker::context::Cx;
use crate::error::ErrorCode;
use crate::ids::{Offset, TopicPartition};
use crate::rules::produce;
use bytes::Bytes;
use machine::Halt;

/// The name of an append, unique in the life of the broker.
pub(in crate::broker) type Ticket = u64;

impl Partitions {
    /// Appends a batch. Its outcome is settled when the high watermark has passed the batch, or
    /// when this broker no longer leads the partition.
    pub(in crate::broker) fn append_records(
        &mut self,
        id: TopicPartition,
        batch: &Bytes,
        ticket: Ticket,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        const ALL: i16 = -1;
        let appended = match self.hosted.get_mut(&id) {
            Some(partition) => partition
                .append_as_leader(batch, ALL, None, cx.context, &mut cx.io)
                .unwrap_or_else(|error| Err(self.storage_failed(id, error, cx).into())),
            None => Err(self.error_of(id, cx).into()),
        };
        match appended {
            Ok(appended) => {
                let in_log = produce::Appended {
                    last_offset: appended.last_offset,
                    is_duplicate: appended.is_duplicate,
                };
                let required = cx.context.rules.required_high_watermark(cx.io.out, in_log);
                if let Some(partition) = self.hosted.get_mut(&id) {
                    partition.waiting.add_append(required, ticket);
                }
                self.react(id, appended.changes, cx)?;
                // Under a rule that waits for less, the high watermark may be there already.
                self.settle_appends(id, cx);
            }
            Err(refused) => {
                self.settled.push((ticket, refused.error));
                self.react(id, refused.changes, cx)?;
            }
        }
        Ok(())
    }

    /// The appends whose outcome has been settled since the last call.
    pub(in crate::broker) fn take_settled(&mut self) -> Vec<(Ticket, ErrorCode)> {
        std::mem::take(&mut self.settled)
    }

    /// Whether an outcome has been settled since the last call of [`Partitions::take_settled`].
    pub(in crate::broker) fn has_settled(&self) -> bool {
        !self.settled.is_empty()
    }

    /// Drops an append that has timed out. Its batch stays in the log and may still be committed.
    pub(in crate::broker) fn forget_append(&mut self, id: TopicPartition, ticket: Ticket) {
        if let Some(partition) = self.hosted.get_mut(&id) {
            partition.waiting.forget_append(ticket);
        }
    }

    /// Settles the appends at `id` that its high watermark has passed.
    pub(super) fn settle_appends(&mut self, id: TopicPartition, cx: &mut Cx<'_>) {
        let Some(partition) = self.hosted.get_mut(&id) else { return };
        let high_watermark = partition.high_watermark();
        while let Some((required, ticket)) = partition.waiting.pop_append(high_watermark) {
            let outcome = partition.outcome_of_produce(required, cx.context, &mut cx.io);
            self.settled.push((ticket, outcome.unwrap_or(ErrorCode::UnknownServerError)));
        }
    }

    /// Fails the appends at `id`, because this broker no longer leads the partition.
    pub(super) fn fail_appends(&mut self, id: TopicPartition, error: ErrorCode) {
        let Some(partition) = self.hosted.get_mut(&id) else { return };
        while let Some((_, ticket)) = partition.waiting.pop_append(Offset::MAX) {
            self.settled.push((ticket, error));
        }
    }
}
