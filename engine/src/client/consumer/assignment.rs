//! Partitions that a group assigns (`SubscriptionState.assignFromSubscribed`): partitions that stay keep
//! their positions and buffers, and new ones begin at the committed offset of the group.

use super::position::{Assigned, End, State, Time};
use super::{Consumer, ConsumerError};
use crate::Outbox;
use crate::fact::{ClientFact, Fact, Positioning};
use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use crate::protocol::NamedPartition;
use crate::reach::Reach;
use crate::rules::member::Progress;
use machine::Now;
use std::sync::Arc;

/// A position that can be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committable {
    /// The partition by name.
    pub(crate) named: NamedPartition,
    /// The partition.
    pub(crate) partition: TopicPartition,
    /// The next offset to read.
    pub(crate) offset: Offset,
    /// The leader epoch of the record before it, if it is known.
    pub(crate) leader_epoch: Option<LeaderEpoch>,
}

impl Consumer {
    /// Makes a topic one of interest.
    pub(crate) fn add_topic(&mut self, topic: &str) {
        self.metadata.add_topic(topic);
    }

    /// Makes all topics of the cluster of interest.
    pub(crate) fn add_all_topics(&mut self) {
        self.metadata.add_all_topics();
    }

    /// Asks for new metadata.
    pub(crate) fn request_metadata(&mut self) {
        self.metadata.request_update();
    }

    /// Refreshes the metadata if that is due.
    pub(crate) fn refresh_metadata(&mut self, now: Now, out: &mut Outbox) {
        if self.metadata.is_due(now.mono) {
            self.run(now, out);
        }
    }

    /// Reads these partitions and no others. A partition that it reads already goes on as it is; a new
    /// one waits for [`Self::set_committed`].
    pub(crate) fn assign_group(
        &mut self,
        now: Now,
        partitions: &[NamedPartition],
        out: &mut Outbox,
    ) {
        self.is_in_group = true;
        let ready: Vec<u64> =
            self.ready.drain(..).map(|place| self.partitions[place].stamp).collect();
        let mut before = std::mem::take(&mut self.partitions);
        self.places = super::Places::default();
        // Partitions that stay come first, in their order, so that their places rarely change.
        let mut after = Vec::with_capacity(partitions.len());
        for (place, mut assigned) in before.drain(..).enumerate() {
            if partitions.iter().any(|it| assigned.is(it)) {
                if place != after.len() {
                    assigned.move_place();
                }
                after.push(assigned);
            }
        }
        for (topic, index) in partitions {
            if !after.iter().any(|it| *it.topic == **topic && it.index == *index) {
                self.metadata.add_topic(topic);
                let stamp = self.stamp();
                after.push(Assigned::new(topic, *index, stamp));
            }
        }
        for (place, assigned) in after.iter_mut().enumerate() {
            if ready.contains(&assigned.stamp) {
                self.ready.push_back(place);
            }
            if assigned.has_moved {
                assigned.has_moved = false;
                assigned.stamp = self.stamp();
            }
            self.places.add(&assigned.topic, assigned.index, place);
            if assigned.is_resolved() {
                self.places.resolve(assigned.partition, place);
            }
            if assigned.has_question() {
                self.places.ask(place);
            }
            if assigned.not_before > now.mono {
                self.places.delay(place);
            }
        }
        self.partitions = after;
        self.seen = 0;
        self.run(now, out);
    }

    /// Reads no more of these partitions, which are going to be given up: what was fetched and not polled is
    /// dropped, and what is on its way is ignored. Their positions stay.
    pub(crate) fn stop_reading(&mut self, partitions: &[NamedPartition]) {
        for (topic, index) in partitions {
            let Some(place) = self.find(topic, *index) else { continue };
            let stamp = self.stamp();
            let assigned = &mut self.partitions[place];
            (assigned.is_revoked, assigned.stamp, assigned.buffered) = (true, stamp, None);
            self.ready.retain(|ready| *ready != place);
        }
    }

    /// The partitions that wait for the committed offset of the group.
    pub(crate) fn awaiting_committed(&self) -> Vec<NamedPartition> {
        let waiting = self.partitions.iter().filter(|it| it.state == State::Initializing);
        waiting.map(|it| (Arc::from(it.topic.as_str()), it.index)).collect()
    }

    /// The group has committed this offset of a partition that waits for it; `None`: it has committed
    /// none.
    pub(crate) fn set_committed(
        &mut self,
        now: Now,
        partition: &NamedPartition,
        committed: Option<(Offset, Option<LeaderEpoch>)>,
        out: &mut Outbox,
    ) {
        let Some(index) = self.find(&partition.0, partition.1) else { return };
        if self.partitions[index].state != State::Initializing {
            return;
        }
        match committed {
            Some((offset, epoch)) => {
                if let Some(epoch) = epoch {
                    // Another leader than that of the epoch might not know it, as if records were lost.
                    self.metadata.see_epoch(self.partitions[index].partition, epoch);
                }
                self.begin_at(index, offset, epoch, Positioning::Committed);
            }
            None => self.reset(index, Positioning::Start, ConsumerError::NoOffset),
        }
        self.run(now, out);
    }

    /// The valid positions in these partitions (`SubscriptionState.allConsumed`).
    pub(crate) fn positions_to_commit(
        &self,
        partitions: &[NamedPartition],
        out: &mut Outbox,
    ) -> Vec<Committable> {
        let position = |named: &NamedPartition| {
            let assigned = &self.partitions[self.find(&named.0, named.1)?];
            let position = assigned.position.filter(|_| assigned.state == State::Reading)?;
            let polled = position.offset;
            let fetched = assigned.buffered.as_ref().map_or(polled, |it| it.end().max(polled));
            let offset = self.rules.position_to_commit(out, Progress { polled, fetched });
            let (named, partition) = (named.clone(), assigned.partition);
            Some(Committable { named, partition, offset, leader_epoch: position.offset_epoch })
        };
        partitions.iter().filter_map(position).collect()
    }

    /// Pauses partitions (`KafkaConsumer.pause`): polls return no records of them and no fetch asks for
    /// them, until they are resumed or assigned anew. Their positions and what is fetched stay. Those
    /// that are not assigned have no effect; in Kafka the call throws. Returns the paused ones.
    pub fn pause(
        &mut self,
        now: Now,
        partitions: &[NamedPartition],
        out: &mut Outbox,
    ) -> Vec<TopicPartition> {
        let changed = self.set_paused(partitions, true);
        if !changed.is_empty() {
            out.observe(Fact::Reached(Reach::PartitionsPaused));
            let partitions = changed.clone();
            out.observe(Fact::Client(ClientFact::Paused { partitions }));
            // What is buffered of them no longer keeps the others of its node from being fetched.
            self.run(now, out);
        }
        changed
    }

    /// Resumes partitions (`KafkaConsumer.resume`). Those that are not assigned or not paused have no
    /// effect. Returns the resumed ones.
    pub fn resume(
        &mut self,
        now: Now,
        partitions: &[NamedPartition],
        out: &mut Outbox,
    ) -> Vec<TopicPartition> {
        let changed = self.set_paused(partitions, false);
        if !changed.is_empty() {
            out.observe(Fact::Reached(Reach::PartitionsResumed));
            let partitions = changed.clone();
            out.observe(Fact::Client(ClientFact::Resumed { partitions }));
            self.run(now, out);
        }
        changed
    }

    /// The partitions that changed. One whose topic is not known yet is left as it is.
    fn set_paused(&mut self, partitions: &[NamedPartition], to: bool) -> Vec<TopicPartition> {
        let mut changed = Vec::new();
        for (topic, index) in partitions {
            let Some(place) = self.find(topic, *index) else { continue };
            let assigned = &mut self.partitions[place];
            if assigned.is_resolved() && assigned.is_paused != to {
                assigned.is_paused = to;
                changed.push(assigned.partition);
            }
        }
        changed
    }

    /// The id of a partition, if its topic is known and has it.
    pub(crate) fn id_of(&self, partition: &NamedPartition) -> Option<TopicPartition> {
        let topic = self.metadata.topic(&partition.0)?;
        let exists = partition.1 < topic.partitions;
        exists.then(|| TopicPartition::new(topic.id, partition.1))
    }

    /// The name of a partition that is assigned.
    pub(crate) fn name_of(&self, partition: TopicPartition) -> Option<NamedPartition> {
        let assigned = self.assigned(partition)?;
        Some((assigned.topic.as_str().into(), assigned.index))
    }

    /// Closes all connections.
    pub(crate) fn close(&mut self, now: machine::Mono, out: &mut Outbox) {
        self.channels.close_all(now, out);
        self.fetching.clear();
        self.ready.clear();
        self.partitions.clear();
        self.places = super::Places::default();
    }
}

impl Assigned {
    fn is(&self, partition: &NamedPartition) -> bool {
        *self.topic == *partition.0 && self.index == partition.1
    }

    /// Requests in flight name the place that it had: they are repeated.
    fn move_place(&mut self) {
        self.has_moved = true;
        self.asked = false;
        if self.end == End::Asked {
            self.end = End::Wanted;
        }
        if let Time::Asked(timestamp) = self.time {
            self.time = Time::Wanted(timestamp);
        }
    }
}
