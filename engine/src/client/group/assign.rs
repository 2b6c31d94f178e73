//! What a member says of itself, and how the leader of a group shares the partitions
//! (`ConsumerCoordinator.metadata`, `onLeaderElected`).

use super::GroupConsumer;
use crate::Outbox;
use crate::client::assignor::{
    Assignments, Counts, Subscription, Subscriptions, cooperative_sticky, range, round_robin,
    sticky, wire,
};
use crate::config::Assignor;
use crate::fact::Fact;
use crate::ids::MemberId;
use crate::protocol::{JoinGroupResponse, NamedPartition};
use crate::reach::Reach;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The topics of a group as its leader knew them when it assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    topics: BTreeSet<Arc<str>>,
    counts: Counts,
}

/// What the leader needs to assign: the response to its join, and the number of metadata responses
/// that it had when it came.
#[derive(Clone, Debug)]
pub(super) struct Assigning {
    pub(super) assignor: Assignor,
    pub(super) subscriptions: Subscriptions,
    pub(super) metadata_answered: u64,
}

impl GroupConsumer {
    /// The assignors of the member, each with what the member says of itself.
    pub(super) fn protocols(&self) -> Vec<(Arc<str>, Bytes)> {
        let subscription = Subscription {
            topics: self.topics.clone(),
            instance: None,
            owned: self.owned.clone(),
            generation: Some(self.generation.id).filter(|id| *id >= 0),
        };
        let protocol = |assignor: &Assignor| {
            let user_data = self.user_data(*assignor);
            let bytes = wire::write_subscription(wire::NEWEST, &subscription, user_data.as_deref());
            (assignor.name().into(), bytes)
        };
        self.config.assignors.0.iter().map(protocol).collect()
    }

    fn user_data(&self, assignor: Assignor) -> Option<Bytes> {
        match assignor {
            Assignor::Range | Assignor::RoundRobin => None,
            Assignor::Sticky => {
                let last = self.memory.sticky.as_ref();
                last.map(|(assigned, generation)| wire::write_sticky(assigned, *generation))
            }
            Assignor::CooperativeSticky => Some(wire::write_cooperative(self.memory.cooperative)),
        }
    }

    /// The assignor has learned of an assignment (`onAssignment`).
    pub(super) fn remember(&mut self, assignor: Assignor, assigned: &[NamedPartition], id: i32) {
        match assignor {
            Assignor::Range | Assignor::RoundRobin => {}
            Assignor::Sticky => self.memory.sticky = Some((assigned.to_vec(), id)),
            Assignor::CooperativeSticky => self.memory.cooperative = Some(id),
        }
    }

    /// What the members of the group have said; `None` if it cannot be read.
    pub(super) fn read_members(
        &mut self,
        assignor: Assignor,
        response: &JoinGroupResponse,
    ) -> Option<Assigning> {
        let mut subscriptions = Subscriptions::new();
        for joined in &response.members {
            let mut sent = wire::read_subscription(&joined.metadata).ok()?;
            if assignor == Assignor::Sticky {
                // An eager member has given up its partitions; its user data has the last ones.
                let user_data = sent.user_data.unwrap_or_default();
                let (owned, generation) = wire::read_sticky(&user_data);
                (sent.subscription.owned, sent.subscription.generation) = (owned, generation);
            }
            sent.subscription.instance = joined.instance.clone();
            for topic in &sent.subscription.topics {
                self.consumer.add_topic(topic);
            }
            subscriptions.insert(Arc::clone(&joined.member), sent.subscription);
        }
        let metadata_answered = self.consumer.metadata().answered();
        Some(Assigning { assignor, subscriptions, metadata_answered })
    }

    /// Whether the leader knows the topics of its group: a topic that the metadata lacks after a response
    /// that was asked for it does not exist.
    pub(super) fn knows_topics(&self, assigning: &Assigning) -> bool {
        let metadata = self.consumer.metadata();
        let is_known = |topic: &Arc<str>| metadata.topic(topic).is_some();
        metadata.answered() > assigning.metadata_answered && !metadata.lacks_topics()
            || assigning.subscriptions.values().flat_map(|it| &it.topics).all(is_known)
    }

    /// Shares the partitions, and remembers from what.
    pub(super) fn assign(&mut self, assigning: &Assigning) -> Vec<(MemberId, Bytes)> {
        let Assigning { assignor, subscriptions, .. } = assigning;
        let snapshot = self.snapshot_of(subscriptions);
        let assign = match assignor {
            Assignor::Range => range,
            Assignor::RoundRobin => round_robin,
            Assignor::Sticky => sticky,
            Assignor::CooperativeSticky => cooperative_sticky,
        };
        let assignments: Assignments = assign(&snapshot.counts, subscriptions);
        self.snapshot = Some(snapshot);
        let bytes = |(member, partitions): (MemberId, Vec<NamedPartition>)| {
            (member, wire::write_assignment(&partitions))
        };
        assignments.into_iter().map(bytes).collect()
    }

    /// Remembers the topics without assigning: a static leader has come back (KIP-814).
    pub(super) fn skip_assignment(&mut self, assigning: &Assigning) {
        self.snapshot = Some(self.snapshot_of(&assigning.subscriptions));
    }

    fn snapshot_of(&self, subscriptions: &Subscriptions) -> Snapshot {
        let topics = subscriptions.values().flat_map(|it| it.topics.iter().cloned()).collect();
        let counts = self.counts(&topics);
        Snapshot { topics, counts }
    }

    fn counts(&self, topics: &BTreeSet<Arc<str>>) -> Counts {
        let metadata = self.consumer.metadata();
        let count = |topic: &Arc<str>| Some((Arc::clone(topic), metadata.topic(topic)?.partitions));
        topics.iter().filter_map(count).collect()
    }

    /// A leader begins a rebalance when its group's topics have changed.
    pub(super) fn notice_metadata(&mut self, out: &mut Outbox) {
        let version = self.consumer.metadata().version();
        if std::mem::replace(&mut self.metadata_seen, version) == version {
            return;
        }
        self.match_topics();
        let is_joined_otherwise =
            self.joined_topics.as_ref().is_some_and(|joined| *joined != self.topics);
        if is_joined_otherwise && !self.needs_rejoin {
            out.observe(Fact::Reached(Reach::TopicMatched));
        }
        self.needs_rejoin |= self.is_outdated() || is_joined_otherwise;
    }

    /// Whether the topics of a leader's group have changed since it assigned them
    /// (`rejoinNeededOrPending`).
    pub(super) fn is_outdated(&self) -> bool {
        let changed = |it: &Snapshot| self.counts(&it.topics) != it.counts;
        self.snapshot.as_ref().is_some_and(changed)
    }
}
