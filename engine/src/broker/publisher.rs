//! From the metadata log to leading and following (`MetadataLoader`, `BrokerMetadataPublisher`,
//! `ReplicaManager.applyDelta`).
//!
//! A broker observes the metadata quorum and replays what is committed. After a start it publishes
//! nothing until it is registered and has caught up once: what it would do in between belongs to
//! leaderships that are long over. Then each step goes to the cache that requests are checked against first, and to
//! the replicas afterwards.

use super::Broker;
use super::context::{Io, disk_failed};
use super::fetcher::FetchState;
use crate::fact::Fact;
use crate::ids::{BrokerId, Offset, TopicPartition};
use crate::metadata::{
    ImageDelta, MetadataRecord, PartitionChange, PartitionRecord, ReplayError, decode_batch,
};
use crate::raft::QuorumChange;
use crate::record::Batch;
use crate::timer::{BrokerTimer, Timer};
use bytes::Bytes;
use machine::Halt;
use std::collections::BTreeSet;

/// Committed metadata that is not applied yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    /// Records with their offsets.
    pending: Vec<(Offset, MetadataRecord)>,
    /// The partitions hosted here that they change; applying waits until nobody works on them.
    touched: Vec<TopicPartition>,
    /// Where to read on.
    next: Offset,
    /// It has caught up once, and the replicas do what it says.
    published: bool,
}

impl Metadata {
    pub(super) fn touched(&self) -> &[TopicPartition] {
        &self.touched
    }
}

impl Broker {
    /// Whether requests are served: the metadata has been read once.
    pub(super) fn is_serving(&self) -> bool {
        self.metadata.published
    }

    /// Something may have happened in the quorum.
    pub(super) fn on_quorum_changes(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        for change in self.quorum.take_changes() {
            match change {
                QuorumChange::LeaderKnown { .. } => {
                    self.send_proposals(io);
                    self.send_forwards(io);
                }
                QuorumChange::Committed { .. } => self.on_committed(io)?,
                // Of voters only.
                QuorumChange::BecameLeader { .. } | QuorumChange::LostLeadership { .. } => {}
            }
        }
        Ok(())
    }

    fn on_committed(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        loop {
            let batches = self.quorum.read_committed(self.metadata.next, io.disk)?;
            if batches.is_empty() {
                break;
            }
            for batch in &batches {
                self.decode(batch).map_err(cannot_replay)?;
            }
        }
        if self.metadata.touched.is_empty() {
            return self.apply_metadata(io);
        }
        io.out.set_timer(Timer::Broker(BrokerTimer::Metadata), io.now.mono);
        Ok(())
    }

    pub(super) fn decode(&mut self, batch: &Bytes) -> Result<(), ReplayError> {
        for (offset, record) in decode_batch(batch)? {
            if self.metadata.published {
                self.touch(&record);
            }
            self.metadata.pending.push((offset, record));
        }
        let view = Batch::new(batch).map_err(|_| ReplayError::Batch)?;
        self.metadata.next = view.last_offset() + 1;
        Ok(())
    }

    /// Notes which partitions hosted here a record is about.
    fn touch(&mut self, record: &MetadataRecord) {
        let touched = &mut self.metadata.touched;
        match record {
            MetadataRecord::Partition(PartitionRecord { partition, .. })
            | MetadataRecord::PartitionChange(PartitionChange { partition, .. }) => {
                touched.extend(self.partitions.contains_key(partition).then_some(partition));
            }
            MetadataRecord::RemoveTopic { id } => {
                touched.extend(self.partitions.keys().filter(|hosted| hosted.topic == *id));
            }
            _ => {}
        }
    }

    /// Replays what is pending, and publishes it.
    pub(super) fn apply_metadata(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        self.metadata.touched.clear();
        let mut delta = ImageDelta::default();
        let image = &mut self.context.image;
        for (offset, record) in self.metadata.pending.drain(..) {
            delta.note(image.replay(offset, &record).map_err(cannot_replay)?);
        }
        let last = self.metadata.next - 1;
        if last > image.offset() {
            image.skip_to(last).map_err(cannot_replay)?;
        }
        io.out.observe(Fact::MetadataApplied { offset: last });
        if self.metadata.published {
            return self.publish(&delta, io);
        }
        self.maybe_publish_first(io)
    }

    /// Begins to do what the metadata says, once this life is registered and has read so. Before
    /// that, the metadata speaks of an earlier life: one that led, and had what this one may have
    /// lost.
    pub(super) fn maybe_publish_first(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let caught_up = self.lifecycle.is_caught_up()
            && self.metadata.next > 0
            && self.metadata.next >= self.quorum.high_watermark();
        if self.metadata.published || !caught_up {
            return Ok(());
        }
        self.metadata.published = true;
        self.publish_all(io)?;
        self.heartbeat_soon(io);
        Ok(())
    }

    fn publish_all(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let image = &self.context.image;
        let own = self.context.id;
        let is_replica = |id: &TopicPartition| {
            image.partition(*id).is_some_and(|partition| partition.is_replica(own))
        };
        let stray: Vec<_> = self.partitions.keys().filter(|id| !is_replica(id)).copied().collect();
        let hosted: BTreeSet<_> = image.partitions().map(|(id, _)| id).filter(is_replica).collect();
        for id in stray {
            self.set_aside(id, io)?;
        }
        let known: Vec<_> = self.partitions.keys().copied().collect();
        for id in known {
            self.reconfigure(id);
        }
        self.publish_partitions(&hosted, io)
    }

    /// Sets aside the log of a partition that this broker is no replica of any more.
    fn set_aside(&mut self, id: TopicPartition, io: &mut Io<'_>) -> Result<(), Halt> {
        if let Some(partition) = self.partitions.remove(&id) {
            let dir = partition.log().dir();
            let aside = format!("{dir}.{}{}", id.topic, super::checkpoints::STRAY);
            io.disk.rename(dir, &aside).map_err(disk_failed)?;
        }
        Ok(())
    }

    fn publish(&mut self, delta: &ImageDelta, io: &mut Io<'_>) -> Result<(), Halt> {
        if delta.is_empty() {
            return Ok(());
        }
        if delta.defaults || !delta.topics.is_empty() {
            self.publish_topics(delta, io)?;
        }
        // What only concerns brokers is in the cache by now, and that is all: a high watermark that
        // a fenced replica has held back waits for the next append, fetch or change of the ISR.
        self.publish_partitions(&delta.partitions, io)
    }

    fn publish_topics(&mut self, delta: &ImageDelta, io: &mut Io<'_>) -> Result<(), Halt> {
        let concerned: Vec<_> = self
            .partitions
            .keys()
            .filter(|id| delta.defaults || delta.topics.contains(&id.topic))
            .copied()
            .collect();
        for id in concerned {
            if self.context.image.topic(id.topic).is_none() {
                self.stop_replica(id, io)?;
            } else {
                self.reconfigure(id);
            }
        }
        Ok(())
    }

    fn reconfigure(&mut self, id: TopicPartition) {
        if let Some(config) = self.context.image.topic_config(id.topic)
            && let Some(partition) = self.partitions.get_mut(&id)
        {
            partition.reconfigure(config);
        }
    }

    fn publish_partitions(
        &mut self,
        changed: &BTreeSet<TopicPartition>,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        let mut leaders = BTreeSet::new();
        for id in changed {
            leaders.extend(self.publish_partition(*id, io)?);
        }
        self.fetchers.end_idle(self.node, io);
        for leader in leaders {
            self.fetch_from(leader, io);
        }
        Ok(())
    }

    /// Leads or follows as the metadata says. Answers whom to fetch from, if that is new.
    fn publish_partition(
        &mut self,
        id: TopicPartition,
        io: &mut Io<'_>,
    ) -> Result<Option<BrokerId>, Halt> {
        let Some(state) = self.context.image.partition(id).cloned() else { return Ok(None) };
        let own = self.context.id;
        if !state.is_replica(own) {
            self.stop_replica(id, io)?;
            return Ok(None);
        }
        if !self.partitions.contains_key(&id) {
            self.create_replica(id, io)?;
        }
        let Some(partition) = self.partitions.get_mut(&id) else { return Ok(None) };
        if state.leader == Some(own) {
            let before = partition.leader_epoch();
            let changes = partition.become_leader(&state, &self.context, io)?;
            let is_new_epoch = partition.leader_epoch() > before;
            self.fetchers.remove(id);
            self.react(id, changes, io)?;
            if is_new_epoch {
                // Coordinators hear of a leadership gained from here.
                self.wake_fetches(id, true, true, io)?;
            }
            return Ok(None);
        }
        let Some(is_new_epoch) = partition.become_follower(&state, io) else { return Ok(None) };
        // Coordinators hear of a leadership lost from here.
        self.fail_produces(id, io);
        let stays_out = self.lifecycle.is_stopping() && !state.isr.contains(&own);
        if is_new_epoch || stays_out {
            self.fetchers.remove(id);
            self.wake_fetches(id, true, true, io)?;
        }
        match state.leader {
            // A broker that is shutting down does not catch up any more (KAFKA-13916).
            Some(leader) if is_new_epoch && !stays_out => self.follow(id, leader, io),
            _ => Ok(None),
        }
    }

    fn follow(
        &mut self,
        id: TopicPartition,
        leader: BrokerId,
        io: &mut Io<'_>,
    ) -> Result<Option<BrokerId>, Halt> {
        let Some(partition) = self.partitions.get_mut(&id) else { return Ok(None) };
        let changes = partition.start_following(&self.context, io)?;
        let state = FetchState::new(partition);
        self.react(id, changes, io)?;
        self.fetchers.by_leader.entry(leader).or_default().partitions.insert(id, state);
        Ok(Some(leader))
    }

    /// This broker is no replica any more, or the topic is gone.
    fn stop_replica(&mut self, id: TopicPartition, io: &mut Io<'_>) -> Result<(), Halt> {
        self.fetchers.remove(id);
        let Some(partition) = self.partitions.remove(&id) else { return Ok(()) };
        io.disk.remove(partition.log().dir()).map_err(disk_failed)?;
        let mut waiting = partition.waiting;
        let mut woken = Vec::new();
        while let Some(conn) = waiting.pop_produce(Offset::MAX) {
            self.complete_produce(conn, io);
        }
        waiting.take_followers(&mut woken);
        waiting.take_consumers(&mut woken);
        for conn in woken {
            self.wake_fetch(conn, id, io)?;
        }
        Ok(())
    }
}

/// A broker that cannot understand the metadata cannot know what it may do.
fn cannot_replay(error: ReplayError) -> Halt {
    Halt::Failed(format!("the metadata log cannot be replayed: {error}"))
}
