//! Taking over a partition of `__consumer_offsets`, and giving it up (`CoordinatorRuntime`,
//! `CoordinatorLoaderImpl`).
//!
//! Reading the log takes as long as the disk takes. What was read is installed by an input of its own. A
//! coordinator that leads on in a later epoch keeps what it knows.

use super::Groups;
use super::record::Record;
use super::shard::{Replay, State};
use super::shards::{Loading, Read, Shard};
use super::timers::Timers;
use super::writes::Writes;
use crate::broker::context::Cx;
use crate::broker::internal_topics::{Internal, UNTIL_OPEN};
use crate::broker::replicas::Partitions;
use crate::fact::Fact;
use crate::ids::{LeaderEpoch, TopicPartition};
use crate::reach::Reach;
use crate::record::{Batch, EndTransactionMarker, records};
use crate::rules::transaction::LogEnds;
use crate::timer::{BrokerTimer, GroupTimer, Timer};
use bytes::Bytes;
use machine::Halt;
use std::collections::BTreeSet;

impl Groups {
    /// The metadata of these partitions has changed: takes over those of `__consumer_offsets` that this
    /// broker leads, and gives up those that it does not lead any more.
    pub(in crate::broker) fn publish(
        &mut self,
        changed: &BTreeSet<TopicPartition>,
        cx: &mut Cx<'_>,
    ) {
        let topic = cx.context.image.topic_by_name(Internal::ConsumerOffsets.name());
        let Some(topic) = topic.map(|topic| topic.id) else {
            for index in self.shards.indexes() {
                self.resign(index, cx);
            }
            return;
        };
        for partition in changed.iter().filter(|partition| partition.topic == topic) {
            let state = cx.context.image.partition(*partition);
            let led = state.filter(|state| state.leader == Some(cx.context.id));
            match led.map(|state| state.leader_epoch) {
                Some(epoch) => self.lead(*partition, epoch, cx),
                None => self.resign(partition.partition, cx),
            }
        }
    }

    /// This broker leads a partition.
    fn lead(&mut self, partition: TopicPartition, epoch: LeaderEpoch, cx: &mut Cx<'_>) {
        let index = partition.partition;
        if let Some(loading) = self.shards.loading.get_mut(&index) {
            loading.epoch = loading.epoch.max(epoch);
        } else if let Some(shard) = self.shards.loaded.get_mut(&index) {
            shard.epoch = shard.epoch.max(epoch);
        } else {
            self.begin_loading(partition, epoch, cx);
        }
    }

    fn begin_loading(&mut self, partition: TopicPartition, epoch: LeaderEpoch, cx: &mut Cx<'_>) {
        let loading = Loading { partition, began: epoch, epoch, read: None };
        self.shards.loading.insert(partition.partition, loading);
        let timer = BrokerTimer::Group(GroupTimer::Load(partition.partition));
        cx.io.out.set_timer(Timer::Broker(timer), cx.io.now.mono);
    }

    /// This broker does not lead a partition any more.
    fn resign(&mut self, index: i32, cx: &mut Cx<'_>) {
        self.shards.loading.remove(&index);
        self.unload(index, cx);
        self.shards.loaded.remove(&index);
    }

    /// The state of a partition is not that of its log: reads the log again.
    pub(super) fn reload(&mut self, index: i32, cx: &mut Cx<'_>) {
        self.unload(index, cx);
        if let Some(shard) = self.shards.loaded.remove(&index) {
            self.begin_loading(shard.partition, shard.epoch, cx);
        }
    }

    /// Reads the log of a partition, once the ports of the broker are open, to its end.
    pub(super) fn load(&mut self, index: i32, replicas: &mut Partitions, cx: &mut Cx<'_>) {
        let Some(loading) = self.shards.loading.get(&index) else { return };
        let (partition, began) = (loading.partition, loading.began);
        if !cx.context.rules.may_load(cx.io.out, cx.context.serving) {
            let timer = Timer::Broker(BrokerTimer::Group(GroupTimer::Load(index)));
            cx.io.out.set_timer(timer, cx.io.now.mono + UNTIL_OPEN);
            return;
        }
        match read(partition, replicas, cx) {
            Some(read) => {
                if let Some(loading) = self.shards.loading.get_mut(&index) {
                    loading.read = Some(read);
                }
                let timer = BrokerTimer::Group(GroupTimer::Loaded(index, began));
                cx.io.out.set_timer(Timer::Broker(timer), cx.io.now.mono);
            }
            // It does not coordinate before it leads in another epoch.
            None => {
                self.shards.loading.remove(&index);
            }
        }
    }

    /// The log has been read: begins to coordinate.
    pub(super) fn install(
        &mut self,
        index: i32,
        began: LeaderEpoch,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let is_read = |loading: &Loading| loading.began == began && loading.read.is_some();
        if !self.shards.loading.get(&index).is_some_and(is_read) {
            return Ok(());
        }
        let Some(Loading { partition, epoch, read: Some(read), .. }) =
            self.shards.loading.remove(&index)
        else {
            return Ok(());
        };
        let Read { state, end } = read;
        let (writes, timers) = (Writes::new(end), Timers::default());
        let shard = Shard { partition, began: epoch, epoch, state, writes, timers };
        cx.io.out.observe(Fact::Group(shard.loaded()));
        self.shards.loaded.insert(index, shard);
        if end > 0 {
            cx.io.out.observe(Fact::Reached(Reach::GroupsTakenOver));
        }
        self.operate(index, replicas, cx, State::on_loaded)
    }
}

/// Reads a log; `None` if it cannot be read.
fn read(id: TopicPartition, replicas: &mut Partitions, cx: &mut Cx<'_>) -> Option<Read> {
    let partition = replicas.hosted.get(&id)?;
    let log = partition.log();
    let ends = LogEnds { high_watermark: partition.high_watermark(), log_end: log.end_offset() };
    let end = cx.context.rules.load_groups_to(cx.io.out, ends);
    let buffer = u64::from(cx.context.config.offsets_load_buffer);
    let mut state = State::new();
    let mut offset = log.log_start();
    while offset < end {
        let read = match log.read(offset, buffer, end, true, cx.io.disk) {
            Ok(read) => read,
            Err(error) => {
                replicas.reading_failed(id, error, cx);
                return None;
            }
        };
        if read.batches.is_empty() {
            break;
        }
        for batch in &read.batches {
            replay(batch, &mut state, cx)?;
        }
        offset = read.next_offset;
    }
    state.commit(ends.high_watermark);
    Some(Read { state, end: ends.log_end })
}

/// Replays the records of a batch; `None` if they cannot be read.
fn replay(bytes: &Bytes, state: &mut State, cx: &mut Cx<'_>) -> Option<()> {
    let batch = Batch::new(bytes).ok()?;
    let now_ms = cx.io.now.wall.0;
    if let Some(marker) = EndTransactionMarker::of(batch).ok()? {
        let (at, producer_id) = (batch.base_offset(), batch.producer_id());
        state.replay_marker(at, producer_id, marker.committed, &cx.context.rules, cx.io.out);
        return Some(());
    }
    if batch.is_control() {
        return Some(());
    }
    let producer_id = batch.is_transactional().then(|| batch.producer_id());
    for record in records(bytes).ok()? {
        let key = record.key?;
        if let Some(read) = Record::read(&key, record.value.as_deref()).ok()? {
            let mut with = Replay { now_ms, rules: &cx.context.rules, out: &mut *cx.io.out };
            state.replay(record.offset, producer_id, read, &mut with);
        }
    }
    Some(())
}
