//! From a decision to the last record of its transaction: markers are sent to the leaders, and
//! again after retriable errors; each response takes partitions off the list
//! (`TransactionMarkerChannelManager`, `TransactionMarkerRequestCompletionHandler`).
//!
//! Kafka has no back-off between a response that refuses a marker and the request with the same marker:
//! while a partition has fewer in-sync replicas than `min.insync.replicas`, its leader and the
//! coordinators of transactions that have ended in it exchange a request with every round trip.

use super::decide::Decider;
use super::markers::{Completion, Destination, Marker, Sent, destination};
use super::state::Partitions;
use super::writes::Then;
use super::{Services, Transactions, level, now_ms};
use crate::broker::context::Cx;
use crate::fact::Fact;
use crate::ids::{BrokerId, TransactionalId, peer};
use crate::net::Disconnected;
use crate::protocol::{TransactionState, WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use crate::reach::Reach;
use crate::rules::transaction::Marked;
use crate::timer::{BrokerTimer, Timer, TransactionTimer};
use machine::{Halt, Mono};
use std::collections::BTreeMap;

impl Transactions {
    /// Sends the markers of a decided transaction to all of its partitions.
    pub(super) fn send_markers_of(&mut self, index: i32, id: &TransactionalId, cx: &mut Cx<'_>) {
        let Ok(shard) = self.shards.get_mut(index) else { return };
        let coordinator_epoch = shard.epoch;
        let Some(entry) = shard.entries.get_mut(id) else { return };
        let (now_ms, level) = (now_ms(cx), level(cx));
        let mut decider = Decider { rules: &cx.context.rules, out: cx.io.out, now_ms, level };
        let next = decider.complete(&entry.metadata);
        entry.pending = Some(next.state);
        let metadata = &entry.metadata;
        let own_epoch = cx.context.rules.bumps_epoch_at_end(cx.io.out, metadata.client_version);
        let marker = Marker {
            index,
            id: id.clone(),
            coordinator_epoch,
            producer_id: metadata.producer_id,
            producer_epoch: metadata.producer_epoch,
            committed: metadata.state == TransactionState::PrepareCommit,
            own_epoch,
            partitions: metadata.partitions.clone(),
        };
        let producer = (metadata.producer_id, metadata.producer_epoch);
        let completion = Completion { coordinator_epoch, producer, next };
        self.markers.pending.insert((index, id.clone()), completion);
        self.queue(&marker, cx);
        self.complete_if_marked(index, id, cx);
        self.send_markers(cx);
    }

    /// Puts markers into the queues of the brokers that lead their partitions now. Partitions that
    /// have been deleted need none.
    fn queue(&mut self, marker: &Marker, cx: &mut Cx<'_>) {
        let mut by_destination: BTreeMap<Option<BrokerId>, Partitions> = BTreeMap::new();
        let mut gone = Partitions::new();
        for (topic, indexes) in &marker.partitions {
            for index in indexes {
                let to = match destination(&cx.context.image, topic, *index) {
                    Destination::Broker(broker) => by_destination.entry(Some(broker)).or_default(),
                    Destination::Later => by_destination.entry(None).or_default(),
                    Destination::Gone => &mut gone,
                };
                to.entry(topic.clone()).or_default().insert(*index);
            }
        }
        for (broker, partitions) in by_destination {
            let marker = marker.of(partitions);
            match broker {
                Some(broker) => self.markers.queues.entry(broker).or_default().push(marker),
                None => self.markers.homeless.push(marker),
            }
        }
        if !gone.is_empty() {
            self.take_off(marker, &gone, cx);
        }
    }

    /// Removes partitions that need no marker any more from their transaction.
    fn take_off(&mut self, marker: &Marker, done: &Partitions, cx: &mut Cx<'_>) {
        if !self.is_current(marker) {
            return;
        }
        let Ok(Some(entry)) = self.shards.entry_in(marker.index, &marker.id, |_| true) else {
            return;
        };
        if entry.metadata.state.is_prepared() {
            for (topic, indexes) in done {
                let Some(left) = entry.metadata.partitions.get_mut(topic) else { continue };
                left.retain(|index| !indexes.contains(index));
                if left.is_empty() {
                    entry.metadata.partitions.remove(topic);
                }
            }
        }
        self.complete_if_marked(marker.index, &marker.id, cx);
    }

    /// Whether this coordinator epoch still waits for the marker. If not, the marker was refused as
    /// superseded, or a later epoch has begun, perhaps on this broker too.
    fn is_current(&mut self, marker: &Marker) -> bool {
        let key = (marker.index, marker.id.clone());
        let epoch_of = |it: &Completion| it.coordinator_epoch;
        self.markers.pending.get(&key).map(epoch_of) == Some(marker.coordinator_epoch)
            && self.shards.get(marker.index).is_ok_and(|it| it.epoch == marker.coordinator_epoch)
    }

    /// Schedules the last record of a transaction, if no partition needs a marker any more.
    fn complete_if_marked(&mut self, index: i32, id: &TransactionalId, cx: &mut Cx<'_>) {
        let is_marked = |shard: &super::shards::Shard| {
            shard.entries.get(id).is_some_and(|entry| entry.metadata.partitions.is_empty())
        };
        if !self.shards.get(index).is_ok_and(is_marked) {
            return;
        }
        let key = (index, id.clone());
        if let Some(completion) = self.markers.pending.remove(&key) {
            self.markers.due.insert(key, completion);
            let timer = BrokerTimer::Transaction(TransactionTimer::Complete(index));
            cx.io.out.set_timer(Timer::Broker(timer), cx.io.now.mono);
        }
    }

    /// Writes the last records of the transactions of a partition that are due.
    pub(super) fn write_completions(
        &mut self,
        index: i32,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let is_here = |key: &(i32, TransactionalId)| key.0 == index;
        let due: Vec<_> = self.markers.due.keys().filter(|key| is_here(key)).cloned().collect();
        for key in due {
            let Some(completion) = self.markers.due.remove(&key) else { continue };
            let Ok(shard) = self.shards.get(index) else { continue };
            if shard.epoch != completion.coordinator_epoch {
                continue;
            }
            let (partition, id) = (shard.partition, key.1);
            let Completion { producer, next, .. } = completion;
            self.write(partition, &id, next, Then::Completed(producer), services, cx)?;
        }
        Ok(())
    }

    /// Sends one request to each broker that has queued markers and no request in flight. Leaders
    /// that were missing are looked up again.
    pub(super) fn send_markers(&mut self, cx: &mut Cx<'_>) {
        for marker in std::mem::take(&mut self.markers.homeless) {
            self.queue(&marker, cx);
        }
        for (key, completion) in std::mem::take(&mut self.markers.retries) {
            let timer = BrokerTimer::Transaction(TransactionTimer::Complete(key.0));
            cx.io.out.set_timer(Timer::Broker(timer), cx.io.now.mono);
            self.markers.due.insert(key, completion);
        }
        let (now, image) = (cx.io.now.mono, &cx.context.image);
        let timeout = cx.context.config.request_timeout;
        let brokers: Vec<BrokerId> = self.markers.queues.keys().copied().collect();
        for broker in brokers {
            let node = peer(cx.context.node, broker);
            let channels = &mut self.markers.channels;
            if channels.in_flight(node) > 0 || !channels.is_ready(now, node) {
                continue;
            }
            let Some(markers) = self.markers.queues.remove(&broker) else { continue };
            let mut names = BTreeMap::new();
            let entries = markers.iter().map(|marker| marker.entry(image, &mut names)).collect();
            let request = WriteTxnMarkersRequest { markers: entries };
            channels.send(now, node, request, timeout, Sent { markers, names }, cx.io.out);
        }
        self.arm_markers(cx);
    }

    /// Sets the timer for markers and last records that could not be sent or written.
    pub(super) fn arm_markers(&mut self, cx: &mut Cx<'_>) {
        let now = cx.io.now.mono;
        let channels = &self.markers.channels;
        let idle = |broker: &&BrokerId| channels.in_flight(peer(cx.context.node, **broker)) == 0;
        let free = self.markers.queues.keys().filter(idle);
        let free = free.map(|broker| channels.not_before(peer(cx.context.node, *broker)));
        let mut next = free.min().unwrap_or(Mono::MAX);
        if !self.markers.homeless.is_empty() || !self.markers.retries.is_empty() {
            next = next.min(now + cx.context.config.request_timeout);
        }
        if next != Mono::MAX {
            let timer = BrokerTimer::Transaction(TransactionTimer::Markers);
            cx.io.out.set_timer(Timer::Broker(timer), next.max(now));
        }
    }

    /// Sends markers again, to the present leaders, because the connection has ended and their
    /// outcome is unknown.
    pub(super) fn on_markers_lost(&mut self, ended: Disconnected<Sent>, cx: &mut Cx<'_>) {
        let queued = self.markers.queues.remove(&ended.peer.node).unwrap_or_default();
        let sent = ended.failed.into_iter().flat_map(|sent| sent.markers);
        for marker in sent.chain(queued) {
            if self.is_current(&marker) {
                self.queue(&marker, cx);
            }
        }
        self.send_markers(cx);
    }

    /// Handles a leader's response to markers.
    pub(super) fn on_marked(
        &mut self,
        sent: Sent,
        response: &WriteTxnMarkersResponse,
        cx: &mut Cx<'_>,
    ) {
        for marker in &sent.markers {
            if !self.is_current(marker) {
                continue;
            }
            let written = response.markers.iter().find(|it| it.producer_id == marker.producer_id);
            let mut done = Partitions::new();
            let mut again = marker.partitions.clone();
            let mut superseded = false;
            for (partition, error) in written.iter().flat_map(|it| &it.partitions) {
                let Some(topic) = sent.names.get(partition) else { continue };
                match cx.context.rules.after_marker(cx.io.out, *error) {
                    Marked::Done => {
                        done.entry(topic.clone()).or_default().insert(partition.partition);
                        if let Some(left) = again.get_mut(topic) {
                            left.remove(&partition.partition);
                        }
                    }
                    Marked::Again => {}
                    Marked::Superseded => superseded = true,
                }
            }
            if superseded {
                cx.io.out.observe(Fact::Reached(Reach::MarkerRefused));
                self.markers.pending.remove(&(marker.index, marker.id.clone()));
                continue;
            }
            again.retain(|_, indexes| !indexes.is_empty());
            self.take_off(marker, &done, cx);
            if !again.is_empty() {
                cx.io.out.observe(Fact::Reached(Reach::MarkerRepeated));
                self.queue(&marker.of(again), cx);
            }
        }
        self.send_markers(cx);
    }
}
