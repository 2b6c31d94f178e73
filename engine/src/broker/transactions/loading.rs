//! Taking over a partition of `__transaction_state`, and giving it up
//! (`TransactionStateManager.loadTransactionsForTxnTopicPartition`,
//! `removeTransactionsForTxnTopicPartition`).
//!
//! Reading the log takes as long as the disk takes. A separate input installs the result, unless
//! the partition has another leader epoch by then.

use super::record::{self, read_key, read_value};
use super::shards::{Loading, Shard};
use super::state::{Entry, TransactionMetadata};
use super::{Services, Transactions, level};
use crate::broker::context::Cx;
use crate::broker::internal_topics::{Internal, UNTIL_OPEN};
use crate::fact::Fact;
use crate::ids::{LeaderEpoch, TopicPartition, TransactionalId};
use crate::reach::Reach;
use crate::record::{Batch, records};
use crate::rules::transaction::LogEnds;
use crate::timer::{BrokerTimer, Timer, TransactionTimer};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The transactional ids in a log, with their last state.
type Entries = BTreeMap<TransactionalId, Entry>;

impl Transactions {
    /// Follows a change in the metadata of these partitions: takes over partitions of
    /// `__transaction_state` that this broker leads in a new epoch, and gives up those that it no
    /// longer leads.
    pub(in crate::broker) fn publish(
        &mut self,
        changed: &BTreeSet<TopicPartition>,
        cx: &mut Cx<'_>,
    ) {
        let topic = cx.context.image.topic_by_name(Internal::TransactionState.name());
        let Some(topic) = topic.map(|topic| topic.id) else {
            for index in self.shards.indexes() {
                self.resign(index, cx);
            }
            return;
        };
        for partition in changed.iter().filter(|partition| partition.topic == topic) {
            let index = partition.partition;
            let known = self.shards.epoch(index);
            let state = cx.context.image.partition(*partition);
            let led = state.filter(|state| state.leader == Some(cx.context.id));
            match led.map(|state| state.leader_epoch) {
                Some(epoch) if known != Some(epoch) => self.take_over(*partition, epoch, cx),
                None if known.is_some() => self.resign(index, cx),
                _ => {}
            }
        }
    }

    /// Begins to read the log of a partition that this broker leads in a new epoch.
    fn take_over(&mut self, partition: TopicPartition, epoch: LeaderEpoch, cx: &mut Cx<'_>) {
        let index = partition.partition;
        self.resign(index, cx);
        self.shards.loading.insert(index, Loading { partition, epoch, read: None });
        let timer = TransactionTimer::Load(index);
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Transaction(timer)), cx.io.now.mono);
        self.start_periodic(cx);
    }

    /// Stops coordinating a partition in the present epoch.
    fn resign(&mut self, index: i32, cx: &mut Cx<'_>) {
        self.shards.loading.remove(&index);
        self.markers.forget_shard(index);
        let Some(Shard { epoch: coordinator_epoch, entries, .. }) = self.shards.remove(index)
        else {
            return;
        };
        if !cx.context.rules.forgets_ids(cx.io.out, coordinator_epoch) {
            self.shards.kept.insert(index, entries);
        }
        if let Some(partition) = Internal::TransactionState.partition(&cx.context.image, index) {
            cx.io.out.observe(Fact::CoordinatorResigned { partition, coordinator_epoch });
        }
    }

    /// Reads the log of a partition, once the ports of the broker are open.
    pub(super) fn load(&mut self, index: i32, services: &mut Services<'_>, cx: &mut Cx<'_>) {
        let Some(loading) = self.shards.loading.get_mut(&index) else { return };
        if !cx.context.rules.may_load(cx.io.out, cx.context.serving) {
            let timer = Timer::Broker(BrokerTimer::Transaction(TransactionTimer::Load(index)));
            cx.io.out.set_timer(timer, cx.io.now.mono + UNTIL_OPEN);
            return;
        }
        loading.read = Some(read(loading.partition, services, cx));
        let timer = TransactionTimer::Loaded(index, loading.epoch);
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Transaction(timer)), cx.io.now.mono);
    }

    /// Begins to coordinate a partition whose log has been read, and sends markers for decided
    /// transactions.
    pub(super) fn install(&mut self, index: i32, epoch: LeaderEpoch, cx: &mut Cx<'_>) {
        let is_read = |loading: &Loading| loading.epoch == epoch && loading.read.is_some();
        if !self.shards.loading.get(&index).is_some_and(is_read) {
            return;
        }
        let Some(Loading { partition, read: Some(mut entries), .. }) =
            self.shards.loading.remove(&index)
        else {
            return;
        };
        entries.extend(self.shards.kept.remove(&index).unwrap_or_default());
        cx.io.out.observe(Fact::CoordinatorLoaded {
            partition,
            coordinator_epoch: epoch,
            ids: entries.len() as u64,
        });
        for (id, entry) in &entries {
            observe_state(partition, epoch, id, Some(&entry.metadata), cx);
        }
        let mut unfinished = Vec::new();
        for (id, entry) in &entries {
            let state = entry.metadata.state;
            if state.is_prepared() && cx.context.rules.finishes_when_loaded(cx.io.out, state) {
                unfinished.push(id.clone());
            }
        }
        self.shards.insert(index, Shard { partition, epoch, entries });
        for id in unfinished {
            cx.io.out.observe(Fact::Reached(Reach::TransactionTakenOver));
            self.send_markers_of(index, &id, cx);
        }
    }
}

/// Reports the state of a transactional id to the observers of a run.
pub(super) fn observe_state(
    partition: TopicPartition,
    coordinator_epoch: LeaderEpoch,
    id: &TransactionalId,
    metadata: Option<&TransactionMetadata>,
    cx: &mut Cx<'_>,
) {
    let level = level(cx);
    let value =
        metadata.and_then(|it| record::value(it, level, it.rotates()).ok()).map(Bytes::from);
    cx.io.out.observe(Fact::TransactionalIdChanged {
        partition,
        coordinator_epoch,
        transactional_id: id.clone(),
        value,
    });
}

/// Reads a log up to the first record that cannot be read; later records are ignored.
fn read(id: TopicPartition, services: &mut Services<'_>, cx: &mut Cx<'_>) -> Entries {
    let mut entries = Entries::new();
    let Some(partition) = services.replicas.hosted.get(&id) else { return entries };
    let log = partition.log();
    let ends = LogEnds { high_watermark: partition.high_watermark(), log_end: log.end_offset() };
    let end = cx.context.rules.load_to(cx.io.out, ends);
    let buffer = u64::from(cx.context.config.transaction_log_load_buffer);
    let mut offset = log.log_start();
    let mut failed = None;
    while offset < end {
        let read = match log.read(offset, buffer, end, true, cx.io.disk) {
            Ok(read) => read,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        if read.batches.is_empty()
            || read.batches.iter().any(|it| replay(it, &mut entries).is_none())
        {
            break;
        }
        offset = read.next_offset;
    }
    if let Some(error) = failed {
        services.replicas.reading_failed(id, error, cx);
    }
    entries
}

/// Applies the records of a batch; `None` if they cannot be read.
fn replay(bytes: &Bytes, entries: &mut Entries) -> Option<()> {
    let batch = Batch::new(bytes).ok()?;
    if batch.is_control() {
        return Some(());
    }
    for record in records(bytes).ok()? {
        let Some(id) = read_key(record.key?.as_ref()).ok()? else { continue };
        match record.value {
            None => {
                entries.remove(&id);
            }
            Some(value) => {
                entries.insert(id, Entry::new(read_value(&value).ok()?));
            }
        }
    }
    Some(())
}
