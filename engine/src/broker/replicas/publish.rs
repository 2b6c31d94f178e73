//! Leading and following according to the metadata (`ReplicaManager.applyDelta`).

use super::fetch::News;
use super::fetcher::FetchState;
use super::{Partitions, Replicas, checkpoints};
use crate::broker::context::Cx;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, DirectoryId, Offset, TopicPartition};
use crate::metadata::{ImageDelta, MetadataRecord, PartitionChange, PartitionRecord};
use machine::Halt;
use std::collections::BTreeSet;

impl Replicas {
    /// Adds the partitions hosted here that a record concerns.
    pub(in crate::broker) fn touched_by(
        &self,
        record: &MetadataRecord,
        touched: &mut Vec<TopicPartition>,
    ) {
        let hosted = &self.partitions.hosted;
        match record {
            MetadataRecord::Partition(PartitionRecord { partition, .. })
            | MetadataRecord::PartitionChange(PartitionChange { partition, .. }) => {
                touched.extend(hosted.contains_key(partition).then_some(partition));
            }
            MetadataRecord::RemoveTopic { id } => {
                touched.extend(hosted.keys().filter(|hosted| hosted.topic == *id));
            }
            _ => {}
        }
    }

    /// Loads the logs, sets aside those of partitions that are no longer hosted here, and leads or
    /// follows the others according to the image. Called once after a start.
    pub(in crate::broker) fn publish_first(&mut self, cx: &mut Cx<'_>) -> Result<(), Halt> {
        self.partitions.load(cx)?;
        checkpoints::start(cx);
        let image = &cx.context.image;
        let own = cx.context.id;
        let is_replica = |id: &TopicPartition| {
            image.partition(*id).is_some_and(|partition| partition.is_replica(own))
        };
        let stray: Vec<_> =
            self.partitions.hosted.keys().filter(|id| !is_replica(id)).copied().collect();
        let hosted: BTreeSet<_> = image.partitions().map(|(id, _)| id).filter(is_replica).collect();
        for id in stray {
            self.set_aside(id, cx);
        }
        self.publish_partitions(&hosted, cx)
    }

    /// Sets aside the log of a partition that is no longer assigned to this broker.
    fn set_aside(&mut self, id: TopicPartition, cx: &mut Cx<'_>) {
        let Some(partition) = self.partitions.hosted.get(&id) else { return };
        let dir = partition.log().dir();
        let aside = format!("{dir}.{}{}", id.topic, super::loading::STRAY);
        if let Err(error) = cx.io.disk.rename(dir, &aside) {
            self.partitions.storage_failed(id, error.into(), cx);
        }
        self.partitions.hosted.remove(&id);
    }

    /// Applies the changes of the image.
    pub(in crate::broker) fn publish(
        &mut self,
        delta: &ImageDelta,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        if delta.is_empty() {
            return Ok(());
        }
        if delta.defaults || !delta.topics.is_empty() {
            self.publish_topics(delta, cx)?;
        }
        // Changes of brokers only update the image. A high watermark that a replica held back until
        // it was fenced advances with the next append, fetch or ISR change.
        self.publish_partitions(&delta.partitions, cx)
    }

    fn publish_topics(&mut self, delta: &ImageDelta, cx: &mut Cx<'_>) -> Result<(), Halt> {
        let concerned: Vec<_> = self
            .partitions
            .hosted
            .keys()
            .filter(|id| delta.defaults || delta.topics.contains(&id.topic))
            .copied()
            .collect();
        for id in concerned {
            if cx.context.image.topic(id.topic).is_none() {
                self.stop_replica(id, cx)?;
            } else {
                self.reconfigure(id, cx);
            }
        }
        Ok(())
    }

    fn reconfigure(&mut self, id: TopicPartition, cx: &Cx<'_>) {
        if let Some(config) = cx.context.image.topic_config(id.topic)
            && let Some(partition) = self.partitions.hosted.get_mut(&id)
        {
            partition.reconfigure(config);
        }
    }

    fn publish_partitions(
        &mut self,
        changed: &BTreeSet<TopicPartition>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let mut leaders = BTreeSet::new();
        for id in changed {
            leaders.extend(self.publish_partition(*id, cx)?);
        }
        self.fetchers.end_idle(cx);
        for leader in leaders {
            self.fetchers.fetch_from(leader, cx);
        }
        Ok(())
    }

    /// Leads or follows according to the metadata. Returns the leader if fetching from it has to
    /// start.
    fn publish_partition(
        &mut self,
        id: TopicPartition,
        cx: &mut Cx<'_>,
    ) -> Result<Option<BrokerId>, Halt> {
        let Some(state) = cx.context.image.partition(id).cloned() else { return Ok(None) };
        let own = cx.context.id;
        if !state.is_replica(own) {
            self.stop_replica(id, cx)?;
            return Ok(None);
        }
        if !self.partitions.hosted.contains_key(&id) && !self.partitions.offline.contains(&id) {
            self.partitions.create_replica(id, cx);
        }
        self.partitions.note_news(id);
        let Some(partition) = self.partitions.hosted.get_mut(&id) else { return Ok(None) };
        if state.leader == Some(own) {
            let before = partition.leader_epoch();
            let led = partition.become_leader(&state, cx.context, &mut cx.io);
            let is_new_epoch = partition.leader_epoch() > before;
            let changes = match led {
                Ok(changes) => changes,
                Err(error) => {
                    self.partitions.storage_failed(id, error, cx);
                    return Ok(None);
                }
            };
            self.fetchers.remove(id);
            self.partitions.react(id, changes, cx)?;
            if is_new_epoch {
                self.partitions.wake_fetches(id, News::ANY, cx)?;
            }
            return Ok(None);
        }
        let Some(is_new_epoch) = partition.become_follower(&state, &mut cx.io) else {
            return Ok(None);
        };
        self.partitions.fail_produces(id, cx);
        self.partitions.fail_appends(id, ErrorCode::NotLeaderOrFollower);
        let stays_out = cx.context.stopping && !state.isr.contains(&own);
        if is_new_epoch || stays_out {
            self.fetchers.remove(id);
            self.partitions.wake_fetches(id, News::ANY, cx)?;
        }
        match state.leader {
            // A broker that is shutting down does not start to follow (KAFKA-13916).
            Some(leader) if is_new_epoch && !stays_out => self.follow(id, leader, cx),
            _ => Ok(None),
        }
    }

    fn follow(
        &mut self,
        id: TopicPartition,
        leader: BrokerId,
        cx: &mut Cx<'_>,
    ) -> Result<Option<BrokerId>, Halt> {
        let Some(partition) = self.partitions.hosted.get_mut(&id) else { return Ok(None) };
        let changes = match partition.start_following(cx.context, &mut cx.io) {
            Ok(changes) => changes,
            Err(error) => {
                self.partitions.storage_failed(id, error, cx);
                return Ok(None);
            }
        };
        let state = FetchState::new(partition);
        self.partitions.react(id, changes, cx)?;
        self.fetchers.by_leader.entry(leader).or_default().insert(id, state);
        Ok(Some(leader))
    }

    /// Stops a replica and deletes its log, because this broker is no longer a replica or the topic
    /// was deleted (`ReplicaManager.stopReplicas`).
    fn stop_replica(&mut self, id: TopicPartition, cx: &mut Cx<'_>) -> Result<(), Halt> {
        self.fetchers.remove(id);
        self.partitions.offline.remove(&id);
        let Some(partition) = self.partitions.hosted.get(&id) else { return Ok(()) };
        if let Err(error) = cx.io.disk.remove(partition.log().dir()) {
            self.partitions.storage_failed(id, error.into(), cx);
        }
        self.partitions.remove(id, cx)
    }

    /// The replicas among `ids` that are in another directory than in the metadata, with their
    /// directory (`ReplicaManager.maybeUpdateTopicAssignment`).
    pub(in crate::broker) fn misplaced(
        &self,
        ids: impl Iterator<Item = TopicPartition>,
        cx: &Cx<'_>,
    ) -> Vec<(TopicPartition, DirectoryId)> {
        let assigned = |id| Some(cx.context.image.partition(id)?.directory(cx.context.id));
        let placed = ids.filter_map(|id| Some((id, self.partitions.directory_of(id)?)));
        placed.filter(|(id, actual)| assigned(*id) != Some(*actual)).collect()
    }

    /// Closes all logs.
    pub(in crate::broker) fn close(&mut self, cx: &mut Cx<'_>) {
        self.partitions.close(cx);
    }
}

impl Partitions {
    /// Removes a replica. Parked produce requests fail for this partition, and are completed unless
    /// they wait for another one; parked fetches are checked again.
    pub(super) fn remove(&mut self, id: TopicPartition, cx: &mut Cx<'_>) -> Result<(), Halt> {
        let is_offline = self.offline.contains(&id);
        self.fail_appends(
            id,
            if is_offline { ErrorCode::KafkaStorageError } else { ErrorCode::NotLeaderOrFollower },
        );
        let Some(partition) = self.hosted.remove(&id) else { return Ok(()) };
        let mut waiting = partition.waiting;
        let mut woken = Vec::new();
        while let Some(conn) = waiting.pop_produce(Offset::MAX) {
            self.complete_append(conn, cx);
        }
        waiting.take_followers(&mut woken);
        waiting.take_consumers(&mut woken);
        for conn in woken {
            self.wake_fetch(conn, id, false, cx)?;
        }
        self.wake_fetches(id, News::ANY, cx)
    }
}
