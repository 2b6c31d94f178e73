//! Records that a coordinator of this broker writes to a partition that the broker leads
//! (`ReplicaManager.appendRecords` with the origin `COORDINATOR`; acks=all for transactions, acks=1 for
//! groups).
//!
//! A transaction coordinator names each append by a [`Ticket`], and gets its outcome from
//! [`Partitions::take_settled`] after the input that settled it. Time-outs are up to the
//! coordinator. A group coordinator appends one batch after another, and is only woken when the high
//! watermark has moved.

use super::Partitions;
use crate::broker::context::Cx;
use crate::error::ErrorCode;
use crate::ids::{Offset, TopicPartition};
use crate::rules::produce;
use bytes::Bytes;
use machine::Halt;

/// What waits for a high watermark on behalf of a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum Ticket {
    /// An append of the transaction coordinators, by a number that is unique in the life of the broker.
    Transaction(u64),
    /// The group coordinator of a partition with this index, which keeps a list of what waits there.
    Group(i32),
}

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

    /// Appends a batch of the group coordinator, whatever the size of the ISR (acks=1). Returns the log
    /// end offset after it. `guard` is that of the verification of a transaction, if there was one.
    pub(in crate::broker) fn append_group_records(
        &mut self,
        id: TopicPartition,
        batch: &Bytes,
        guard: Option<u64>,
        cx: &mut Cx<'_>,
    ) -> Result<Result<Offset, ErrorCode>, Halt> {
        let appended = match self.hosted.get_mut(&id) {
            Some(partition) => partition
                .append_as_coordinator(batch, guard, cx.context, &mut cx.io)
                .unwrap_or_else(|error| Err(self.storage_failed(id, error, cx).into())),
            None => Err(self.error_of(id, cx).into()),
        };
        let (end, changes) = match appended {
            Ok(appended) => (Ok(appended.last_offset + 1), appended.changes),
            Err(refused) => (Err(refused.error), refused.changes),
        };
        self.react(id, changes, cx)?;
        Ok(end)
    }

    /// The group coordinator of a partition waits until the high watermark has reached `offset`.
    pub(in crate::broker) fn await_high_watermark(&mut self, id: TopicPartition, offset: Offset) {
        if let Some(partition) = self.hosted.get_mut(&id) {
            partition.waiting.add_append(offset, Ticket::Group(id.partition));
        }
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
            let outcome = match ticket {
                Ticket::Transaction(_) => {
                    partition.outcome_of_produce(required, cx.context, &mut cx.io)
                }
                Ticket::Group(_) => Some(ErrorCode::None),
            };
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
