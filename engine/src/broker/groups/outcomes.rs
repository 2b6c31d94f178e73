//! Operations whose outcome is known, and what is due (`CoordinatorRuntime`).

use super::Groups;
use super::effects::{After, Turn};
use super::shard::State;
use super::timers::Timeout;
use super::writes::Waiting;
use crate::broker::context::Cx;
use crate::broker::replicas::Partitions;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::timer::{BrokerTimer, GroupTimer, Timer};
use machine::Halt;

impl Groups {
    /// The high watermark of a partition may have moved: completes the operations that it has passed.
    pub(super) fn complete_committed(
        &mut self,
        index: i32,
        replicas: &Partitions,
        cx: &mut Cx<'_>,
    ) {
        let Ok(shard) = self.shards.get_mut(index) else { return };
        let Some(partition) = replicas.hosted.get(&shard.partition) else { return };
        let high_watermark = partition.high_watermark();
        shard.state.commit(high_watermark);
        let mut passed = Vec::new();
        while shard.writes.queue.front().is_some_and(|(required, _)| *required <= high_watermark) {
            passed.extend(shard.writes.queue.pop_front().map(|(_, number)| number));
        }
        for number in passed {
            self.complete_number(index, number, Ok(()), cx);
        }
    }

    pub(super) fn complete_number(
        &mut self,
        index: i32,
        number: u64,
        outcome: Result<(), ErrorCode>,
        cx: &mut Cx<'_>,
    ) {
        let Ok(shard) = self.shards.get_mut(index) else { return };
        if let Some(waiting) = shard.writes.waiting.remove(&number) {
            self.complete(index, waiting, outcome, cx);
        }
    }

    /// The outcome of an operation is known.
    pub(super) fn complete(
        &mut self,
        index: i32,
        waiting: Waiting,
        outcome: Result<(), ErrorCode>,
        cx: &mut Cx<'_>,
    ) {
        if let Some(after) = waiting.after {
            let effects =
                self.take_turn(index, cx, |state, turn| follow(state, after, outcome, turn));
            if let Some(effects) = effects {
                // Records that follow from a failure are not written: a later operation writes the same.
                self.respond_and_time(index, effects, cx);
            }
        }
        if let (Some(fact), Ok(())) = (waiting.fact, outcome) {
            cx.io.out.observe(Fact::Group(fact));
        }
        if let Some((reply, response)) = waiting.answer.and_then(|answer| answer.resolve(outcome)) {
            reply.send(response, cx);
        }
    }

    /// Something is due: a batch to append, an operation that has waited for too long, a timer.
    pub(super) fn on_due(
        &mut self,
        index: i32,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let now = cx.io.now.mono;
        let Ok(shard) = self.shards.get_mut(index) else { return Ok(()) };
        shard.writes.armed = None;
        let linger = cx.context.config.group_append_linger;
        if shard.writes.batch.as_ref().is_some_and(|batch| batch.opened + linger <= now) {
            // Its operations have the error.
            let _ = self.flush(index, replicas, cx)?;
        }
        while let Ok(shard) = self.shards.get_mut(index)
            && let Some((number, waiting)) = shard.writes.waiting.first_key_value()
            && waiting.deadline <= now
        {
            let (number, error) = (*number, of_coordinator(ErrorCode::RequestTimedOut));
            self.complete_number(index, number, Err(error), cx);
        }
        while let Ok(shard) = self.shards.get_mut(index)
            && let Some(timeout) = shard.timers.pop(now)
        {
            self.on_timeout(index, timeout, replicas, cx)?;
        }
        self.arm(index, cx);
        Ok(())
    }

    fn on_timeout(
        &mut self,
        index: i32,
        timeout: Timeout,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        self.operate(index, replicas, cx, |state, turn| state.on_timeout(timeout, turn))
    }

    /// Sets the timer for what is due first.
    pub(super) fn arm(&mut self, index: i32, cx: &mut Cx<'_>) {
        let Ok(shard) = self.shards.get_mut(index) else { return };
        let due = shard.writes.next_due(cx.context.config.group_append_linger);
        let Some(at) = due.into_iter().chain(shard.timers.next()).min() else { return };
        if shard.writes.armed != Some(at) {
            shard.writes.armed = Some(at);
            let timer = BrokerTimer::Group(GroupTimer::Due(index));
            cx.io.out.set_timer(Timer::Broker(timer), at);
        }
    }

    /// Gives up all that waits in a partition, which another broker coordinates now.
    pub(super) fn unload(&mut self, index: i32, cx: &mut Cx<'_>) {
        let Ok(shard) = self.shards.get_mut(index) else { return };
        cx.io.out.observe(Fact::Group(shard.resigned()));
        let waiting = std::mem::take(&mut shard.writes.waiting);
        if let Some(batch) = shard.writes.batch.take() {
            shard.state.revert(batch.base);
        }
        for waiting in waiting.into_values() {
            self.complete(index, waiting, Err(ErrorCode::NotCoordinator), cx);
        }
        let effects = self.take_turn(index, cx, State::on_unloaded);
        if let Some(effects) = effects {
            self.respond_and_time(index, effects, cx);
        }
    }
}

/// What follows in a group when its record is committed, or fails.
pub(super) fn follow(
    state: &mut State,
    after: After,
    outcome: Result<(), ErrorCode>,
    turn: &mut Turn<'_>,
) {
    match after {
        After::Assigned { group: id, generation, assignments } => {
            if let Some(group) = state.classic(&id) {
                group.on_assigned(generation, &assignments, outcome, turn);
            }
        }
        After::Replaced(replaced) => {
            if let Some(group) = state.classic(&replaced.group) {
                group.on_replaced(*replaced, outcome, turn);
            }
        }
        After::JoinedConsumers(joined) => state.on_classic_joined(joined, outcome, turn),
    }
}

/// The error that a client gets for an operation that failed (`CoordinatorOperationExceptionHelper`).
pub(super) fn of_coordinator(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::UnknownTopicId
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::NetworkException => ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
        error => error,
    }
}
