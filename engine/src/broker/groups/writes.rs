//! Records on their way to the log, and operations that wait for them (`CoordinatorRuntime`).
//!
//! | when | what |
//! |---|---|
//! | an operation has records | they change the state at once, and join the open batch |
//! | a batch has been open for `group.coordinator.append.linger.ms`, or is full, or its records belong to a transaction | it is appended |
//! | the high watermark has passed a batch | its operations succeed, and all that came before |
//! | a batch is refused | the state is as before it, and its operations fail |
//! | an operation has waited for `offsets.commit.timeout.ms` | it fails, but its records stay |
//!
//! An operation without records waits for those before it: what it has seen is not committed earlier.

use super::Groups;
use super::effects::{After, Answer, Effects, SetTimer, Turn};
use super::outcomes::of_coordinator;
use super::record::Record;
use super::shard::{Replay, State};
use super::shards::Shard;
use crate::broker::context::Cx;
use crate::broker::replicas::Partitions;
use crate::error::ErrorCode;
use crate::fact::GroupFact;
use crate::ids::Offset;
use crate::record::{BatchBuilder, NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use crate::rules::produce;
use machine::{Halt, Mono};
use std::collections::{BTreeMap, VecDeque};

/// How many tombstones of expired offsets are written at once.
const TOMBSTONES: usize = 500;

/// What is on its way to the log of one partition.
#[derive(Clone, Debug)]
pub(super) struct Writes {
    /// The offset of the next record.
    pub(super) next_offset: Offset,
    /// The log end offset.
    written: Offset,
    pub(super) batch: Option<OpenBatch>,
    /// The operations that wait, by number. All wait for the same time, so the first is due first.
    pub(super) waiting: BTreeMap<u64, Waiting>,
    /// The high watermark that an operation waits for, in order.
    pub(super) queue: VecDeque<(Offset, u64)>,
    last_number: u64,
    /// The high watermark at which the replica has been asked to wake the coordinator.
    awaited: Offset,
    /// The time that the timer is set for.
    pub(super) armed: Option<Mono>,
}

/// Records that wait for others before they are appended.
#[derive(Clone, Debug)]
pub(super) struct OpenBatch {
    builder: BatchBuilder,
    pub(super) base: Offset,
    pub(super) opened: Mono,
    operations: Vec<u64>,
    /// The guard of a transaction that has been verified.
    guard: Option<u64>,
}

/// An operation that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) after: Option<After>,
    pub(super) answer: Option<Answer>,
    /// What is reported if it succeeds.
    pub(super) fact: Option<GroupFact>,
    pub(super) deadline: Mono,
}

/// The producer of a transaction that writes records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Producer {
    pub(super) id: i64,
    pub(super) epoch: i16,
    /// The guard of its verification, if there was one.
    pub(super) guard: Option<u64>,
}

impl Writes {
    pub(super) fn new(log_end: Offset) -> Self {
        Self {
            next_offset: log_end,
            written: log_end,
            batch: None,
            waiting: BTreeMap::new(),
            queue: VecDeque::new(),
            last_number: 0,
            awaited: 0,
            armed: None,
        }
    }

    /// Somebody else, a marker of a transaction, has been appended up to `end`.
    pub(super) fn skip_to(&mut self, end: Offset) {
        self.next_offset = end;
        self.written = end;
    }

    fn wait(&mut self, waiting: Waiting) -> u64 {
        self.last_number += 1;
        self.waiting.insert(self.last_number, waiting);
        self.last_number
    }

    /// When something is due.
    pub(super) fn next_due(&self, linger: machine::Span) -> Option<Mono> {
        let batch = self.batch.as_ref().map(|batch| batch.opened + linger);
        let waiting = self.waiting.values().next().map(|waiting| waiting.deadline);
        batch.into_iter().chain(waiting).min()
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        let batched =
            self.batch.as_ref().map_or(0, |batch| i64::from(batch.builder.record_count()));
        assert_eq!(self.written + batched, self.next_offset, "offsets are given without holes");
        assert!(self.queue.iter().map(|(at, _)| at).is_sorted(), "high watermarks come in order");
    }
}

impl Groups {
    /// Carries out an operation on the groups of a partition that is coordinated here.
    pub(super) fn operate(
        &mut self,
        index: i32,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
        operation: impl FnOnce(&mut State, &mut Turn<'_>),
    ) -> Result<(), Halt> {
        self.operate_for(index, None, replicas, cx, operation)
    }

    /// The same; the records belong to a producer's transaction.
    pub(super) fn operate_for(
        &mut self,
        index: i32,
        producer: Option<Producer>,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
        operation: impl FnOnce(&mut State, &mut Turn<'_>),
    ) -> Result<(), Halt> {
        self.complete_committed(index, replicas, cx);
        let Some(effects) = self.take_turn(index, cx, operation) else { return Ok(()) };
        let effects = self.respond_and_time(index, effects, cx);
        self.write(index, effects, producer, replicas, cx)?;
        self.arm(index, cx);
        Ok(())
    }

    /// What an operation changes and brings about; `None` if the partition is not coordinated here.
    pub(super) fn take_turn(
        &mut self,
        index: i32,
        cx: &mut Cx<'_>,
        operation: impl FnOnce(&mut State, &mut Turn<'_>),
    ) -> Option<Effects> {
        let shard = self.shards.get_mut(index).ok()?;
        let mut turn = Turn {
            now: cx.io.now,
            config: &cx.context.config,
            rules: &cx.context.rules,
            out: cx.io.out,
            random: &mut self.random,
            partition: shard.partition,
            epoch: shard.epoch,
            image: &cx.context.image,
            next_offset: shard.writes.next_offset,
            effects: Effects::default(),
        };
        operation(&mut shard.state, &mut turn);
        Some(turn.effects)
    }

    /// Sends the responses that wait for nothing, and sets timers.
    pub(super) fn respond_and_time(
        &mut self,
        index: i32,
        mut effects: Effects,
        cx: &mut Cx<'_>,
    ) -> Effects {
        for (reply, response) in effects.responses.drain(..) {
            reply.send(response, cx);
        }
        if let Ok(shard) = self.shards.get_mut(index) {
            for change in effects.timers.drain(..) {
                match change {
                    SetTimer::Set(timeout, after) => {
                        shard.timers.set(timeout, cx.io.now.mono + after);
                    }
                    SetTimer::SetIfAbsent(timeout, after) => {
                        shard.timers.set_if_absent(timeout, cx.io.now.mono + after);
                    }
                    SetTimer::Cancel(key) => shard.timers.cancel(&key),
                }
            }
        }
        effects
    }

    /// Writes the records of an operation, which waits until they are committed.
    fn write(
        &mut self,
        index: i32,
        effects: Effects,
        producer: Option<Producer>,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Effects { records, is_applied, after, answer, fact, .. } = effects;
        let deadline = cx.io.now.mono + cx.context.config.offsets_commit_timeout;
        let is_awaited = after.is_some() || answer.is_some();
        let waiting = Waiting { after, answer, fact, deadline };
        if records.is_empty() {
            if is_awaited {
                self.wait_for_earlier(index, waiting, replicas, cx);
            }
            return Ok(());
        }
        // The records of an operation that somebody waits for are in one batch.
        let chunk = if is_awaited { records.len() } else { TOMBSTONES };
        let mut waiting = Some(waiting);
        for records in records.chunks(chunk) {
            if (producer.is_some() || !self.has_room(index, records, cx))
                && let Err(error) = self.flush(index, replicas, cx)?
            {
                if let Some(waiting) = waiting {
                    self.complete(index, waiting, Err(error), cx);
                }
                return Ok(());
            }
            let Ok(shard) = self.shards.get_mut(index) else { return Ok(()) };
            let number = waiting.take().map(|waiting| shard.writes.wait(waiting));
            append(shard, records, is_applied, number, producer, cx);
        }
        let Ok(shard) = self.shards.get_mut(index) else { return Ok(()) };
        let linger = cx.context.config.group_append_linger;
        let opened = shard.writes.batch.as_ref().map_or(Mono::MAX, |batch| batch.opened);
        if producer.is_some() || cx.io.now.mono >= opened + linger {
            // The operation is among those that fail with the batch.
            let _ = self.flush(index, replicas, cx)?;
        }
        Ok(())
    }

    /// An operation without records waits for those that have been written before.
    fn wait_for_earlier(
        &mut self,
        index: i32,
        waiting: Waiting,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) {
        let Ok(shard) = self.shards.get_mut(index) else { return };
        if shard.writes.batch.is_some() {
            let number = shard.writes.wait(waiting);
            if let Some(batch) = &mut shard.writes.batch {
                batch.operations.push(number);
            }
            return;
        }
        let written = shard.writes.written;
        let committed =
            replicas.hosted.get(&shard.partition).map_or(0, |partition| partition.high_watermark());
        if committed >= written {
            return self.complete(index, waiting, Ok(()), cx);
        }
        let number = shard.writes.wait(waiting);
        shard.writes.queue.push_back((written, number));
        if shard.writes.awaited < written {
            shard.writes.awaited = written;
            replicas.await_high_watermark(shard.partition, written);
        }
    }

    /// Whether the open batch has room for these records.
    fn has_room(&self, index: i32, records: &[Record], cx: &Cx<'_>) -> bool {
        let Ok(shard) = self.shards.get(index) else { return true };
        let Some(batch) = &shard.writes.batch else { return true };
        let size = |it: &Record| it.key().len() + it.value().map_or(0, |value| value.len()) + 32;
        let size: usize = records.iter().map(size).sum();
        let config = cx.context.image.topic_config(shard.partition.topic);
        let max = config.unwrap_or(cx.context.image.default_topic_config()).max_message_bytes;
        batch.builder.estimated_size() + size <= max as usize
    }

    /// Appends the open batch, if there is one.
    ///
    /// # Errors
    ///
    /// The error of the operations in the batch, if it is refused: the state is as before it.
    pub(super) fn flush(
        &mut self,
        index: i32,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Result<(), ErrorCode>, Halt> {
        let Ok(shard) = self.shards.get_mut(index) else { return Ok(Ok(())) };
        let Some(OpenBatch { builder, base, operations, guard, .. }) = shard.writes.batch.take()
        else {
            return Ok(Ok(()));
        };
        let partition = shard.partition;
        let appended = replicas.append_group_records(partition, &builder.build(), guard, cx)?;
        let Ok(shard) = self.shards.get_mut(index) else { return Ok(Ok(())) };
        match appended {
            Ok(end) if end == shard.writes.next_offset => {
                let in_log = produce::Appended { last_offset: end - 1, is_duplicate: false };
                let required = cx.context.rules.required_high_watermark(cx.io.out, in_log);
                shard.writes.written = end;
                shard.writes.awaited = end;
                shard.writes.queue.extend(operations.into_iter().map(|it| (required, it)));
                replicas.await_high_watermark(partition, required);
                self.complete_committed(index, replicas, cx);
                Ok(Ok(()))
            }
            // The log is not what the coordinator has taken it for.
            Ok(_) => {
                self.reload(index, cx);
                Ok(Err(ErrorCode::NotCoordinator))
            }
            Err(error) => {
                shard.state.revert(base);
                shard.writes.next_offset = base;
                let error = of_coordinator(error);
                for number in operations {
                    self.complete_number(index, number, Err(error), cx);
                }
                Ok(Err(error))
            }
        }
    }
}

/// Adds the records of an operation to the open batch, and replays them.
fn append(
    shard: &mut Shard,
    records: &[Record],
    is_applied: bool,
    number: Option<u64>,
    producer: Option<Producer>,
    cx: &mut Cx<'_>,
) {
    let now = cx.io.now;
    let mut with = Replay { now_ms: now.wall.0, rules: &cx.context.rules, out: &mut *cx.io.out };
    let Shard { writes, state, .. } = shard;
    let base = writes.next_offset;
    let batch = writes.batch.get_or_insert_with(|| {
        let (id, epoch) =
            producer.map_or((NO_PRODUCER_ID, NO_PRODUCER_EPOCH), |it| (it.id, it.epoch));
        let builder = BatchBuilder::new().producer(id, epoch, 0).transactional(producer.is_some());
        let guard = producer.and_then(|producer| producer.guard);
        OpenBatch { builder, base, opened: now.mono, operations: Vec::new(), guard }
    });
    batch.operations.extend(number);
    for record in records {
        let value = record.value();
        batch.builder.append(now.wall.0, Some(&record.key()), value.as_deref(), &[]);
        let producer_id = producer.map(|producer| producer.id);
        state.write(writes.next_offset, producer_id, record, is_applied, &mut with);
        writes.next_offset += 1;
    }
}
