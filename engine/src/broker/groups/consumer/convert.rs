//! From one protocol to the other while a group has members (`convertToConsumerGroup`,
//! `convertToClassicGroup`; KIP-848, online migration).
//!
//! | when | what |
//! |---|---|
//! | a member of the consumer protocol joins a group of the classic protocol | its members go on as members of a consumer group, with what they have |
//! | the last member of the consumer protocol leaves, or is replaced by one of the classic protocol | the others go on as a group of the classic protocol, with their targets |

use super::heartbeat::Update;
use super::member::{Assignment, ClassicMetadata, Member, MemberMetadata, MemberState};
use super::{ConsumerGroup, ConsumerRecord, hash};
use crate::broker::groups::classic::{ClassicGroup, Taken, subscription};
use crate::broker::groups::effects::Turn;
use crate::broker::groups::group::Group;
use crate::broker::groups::record::Record;
use crate::broker::groups::shard::State;
use crate::broker::groups::timers::MemberTimer;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::MemberId;
use crate::metadata::MetadataImage;
use crate::protocol::NamedPartition;
use crate::reach::Reach;
use bytes::Bytes;
use machine::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

impl ConsumerGroup {
    /// The members of a group of the classic protocol as those of a consumer group. Those that wait in a
    /// rebalance have to join again. The records are among the effects.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::GroupIdNotFound`] if the group cannot be converted, or may not be.
    pub(super) fn upgraded(
        classic: &mut ClassicGroup,
        turn: &mut Turn<'_>,
    ) -> Result<Self, ErrorCode> {
        let is_allowed = turn.config.consumer_migration_policy.allows_upgrade()
            && classic.is_of_consumers()
            && classic.members().count() <= turn.config.consumer_group_max_size as usize;
        if !is_allowed {
            return Err(ErrorCode::GroupIdNotFound);
        }
        classic.have_all_join_again(turn);
        let mut group = Self::new(classic.id().clone());
        (group.epoch, group.target_epoch) = (classic.generation(), classic.generation());
        for (id, member) in classic.taken()? {
            let member = upgraded(member, classic.generation(), turn.image)?;
            group.targets.insert(id.clone(), Arc::new(member.assigned.clone()));
            group.owners.extend(member.owned().map(|partition| (partition, id.clone())));
            group.members.insert(id, Arc::new(member));
        }
        turn.out.observe(Fact::Reached(Reach::GroupUpgraded));
        group.hash = hash::of_topics(&group.topics_without(|_| false), turn.image);
        turn.effects.records.push(Record::Group { group: group.id.clone(), value: None });
        turn.effects.records.extend(group.records());
        for (id, member) in group.members() {
            if let Some(classic) = &member.metadata.classic {
                group.set_timer(id, MemberTimer::Session, session_of(classic), turn);
            }
        }
        Ok(group)
    }

    /// The records of the whole group.
    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for (id, member) in self.members() {
            let (member, value) = (id.clone(), Some(member.metadata.clone()));
            records.push(ConsumerRecord::Member { member, value });
        }
        records.push(ConsumerRecord::Epoch(Some((self.epoch, self.hash))));
        for (id, target) in &self.targets {
            let (member, value) = (id.clone(), Some((**target).clone()));
            records.push(ConsumerRecord::Target { member, value });
        }
        records.push(ConsumerRecord::TargetEpoch(Some(self.epoch)));
        for (id, member) in self.members() {
            let (member, value) = (id.clone(), Some(member.current()));
            records.push(ConsumerRecord::Current { member, value });
        }
        records.into_iter().map(|record| self.record(record)).collect()
    }

    /// Whether the group becomes one of the classic protocol when these members are gone.
    pub(super) fn may_downgrade_without(
        &self,
        leaving: &BTreeSet<MemberId>,
        turn: &Turn<'_>,
    ) -> bool {
        let left = self.members().filter(|(id, _)| !leaving.contains(*id));
        let (mut count, mut all_classic) = (0, true);
        for (_, member) in left {
            count += 1;
            all_classic &= member.is_classic();
        }
        all_classic
            && count > 0
            && turn.config.consumer_migration_policy.allows_downgrade()
            && count <= turn.config.group_max_size as usize
    }

    /// Whether the group becomes one of the classic protocol when a member of it takes the place of this
    /// one.
    pub(super) fn may_downgrade_with_replaced(&self, replaced: &Member, turn: &Turn<'_>) -> bool {
        self.classic_count() == self.members.len() - 1
            && !replaced.is_classic()
            && turn.config.consumer_migration_policy.allows_downgrade()
            && self.members.len() <= turn.config.group_max_size as usize
    }

    /// The member as one of the classic protocol, assigned `target`.
    fn taken(
        id: &MemberId,
        member: &Member,
        target: &Assignment,
        image: &MetadataImage,
    ) -> Option<(MemberId, Taken)> {
        let classic = member.metadata.classic.as_ref()?;
        let taken = Taken {
            instance: member.metadata.instance.clone(),
            client_id: member.metadata.client_id.clone(),
            client_host: member.metadata.client_host.clone(),
            rebalance_timeout_ms: member.metadata.rebalance_timeout_ms,
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic.protocols.clone(),
            assigned: named(target, image),
            assignment: Bytes::new(),
            subscription: Bytes::new(),
        };
        Some((id.clone(), taken))
    }
}

impl State {
    /// The members that stay go on as a group of the classic protocol, which rebalances.
    pub(super) fn downgrade_without(
        &mut self,
        group: &ConsumerGroup,
        leaving: &BTreeSet<MemberId>,
        turn: &mut Turn<'_>,
    ) {
        turn.effects.records.extend(group.tombstones());
        let stay = group.members().filter(|(id, _)| !leaving.contains(*id));
        let taken = stay.filter_map(|(id, member)| {
            ConsumerGroup::taken(id, member, &group.target_of(id), turn.image)
        });
        let taken: Vec<_> = taken.collect();
        self.downgrade(group, taken, true, turn);
    }

    /// A member of the classic protocol has taken the place of the last one of the consumer protocol, as
    /// records among the effects say.
    pub(super) fn downgrade_with_replaced(
        &mut self,
        group: &ConsumerGroup,
        update: &Update,
        rebalances: bool,
        turn: &mut Turn<'_>,
    ) {
        let replaced = group.replaced_by(update);
        let now = |id: &MemberId| match replaced {
            Some(replaced) if replaced == id => update.id.clone(),
            _ => id.clone(),
        };
        let ids: Vec<MemberId> = group.members().map(|(id, _)| now(id)).collect();
        turn.effects.records.extend(group.tombstones_of(ids.iter()));
        let taken = group.members().filter_map(|(id, member)| {
            let target = group.target_of(id);
            let new = now(id);
            let member = if new == update.id { &update.after } else { member };
            ConsumerGroup::taken(&new, member, &target, turn.image)
        });
        let taken: Vec<_> = taken.collect();
        self.downgrade(group, taken, rebalances, turn);
    }

    fn downgrade(
        &mut self,
        group: &ConsumerGroup,
        members: Vec<(MemberId, Taken)>,
        rebalances: bool,
        turn: &mut Turn<'_>,
    ) {
        turn.out.observe(Fact::Reached(Reach::GroupDowngraded));
        let mut classic = ClassicGroup::downgraded(group.id.clone(), group.epoch, members, turn);
        turn.effects.records.push(classic.record_as_is());
        turn.effects.is_applied = true;
        for (id, _) in classic.members() {
            classic.keep_session(id, turn);
        }
        if rebalances {
            classic.prepare_rebalance(turn);
        }
        self.groups.put(turn.next_offset, group.id.clone(), Some(Group::Classic(classic)));
    }
}

/// A member of the classic protocol as one of a consumer group.
fn upgraded(taken: Taken, generation: i32, image: &MetadataImage) -> Result<Member, ErrorCode> {
    let mut assigned = Assignment::new();
    // A member that has never synced has no assignment.
    if !taken.assignment.is_empty() {
        let read = subscription::assignment(&taken.assignment).ok_or(ErrorCode::GroupIdNotFound)?;
        if read.has_user_data {
            return Err(ErrorCode::GroupIdNotFound);
        }
        for (topic, partition) in read.partitions {
            if let Some(topic) = image.topic_by_name(&topic) {
                assigned.entry(topic.id).or_default().insert(partition);
            }
        }
    }
    let said = subscription::read(&taken.subscription).ok_or(ErrorCode::GroupIdNotFound)?;
    Ok(Member {
        metadata: MemberMetadata {
            instance: taken.instance,
            rack: said.rack,
            client_id: taken.client_id,
            client_host: taken.client_host,
            topics: said.topics.into_iter().collect(),
            rebalance_timeout_ms: taken.rebalance_timeout_ms,
            assignor: None,
            classic: Some(ClassicMetadata {
                session_timeout_ms: taken.session_timeout_ms,
                protocols: taken.protocols,
            }),
        },
        epoch: generation,
        previous_epoch: generation,
        state: MemberState::Stable,
        assigned,
        to_revoke: Assignment::new(),
    })
}

/// The session time-out of a member of the classic protocol.
pub(super) fn session_of(classic: &ClassicMetadata) -> Span {
    Span::millis(u64::try_from(classic.session_timeout_ms).unwrap_or(0))
}

/// Partitions by the names of their topics, of those that exist.
pub(super) fn named(assignment: &Assignment, image: &MetadataImage) -> Vec<NamedPartition> {
    let mut all = Vec::new();
    for (topic, partitions) in assignment {
        if let Some(topic) = image.topic(*topic) {
            let name: Arc<str> = topic.name.as_str().into();
            all.extend(partitions.iter().map(|partition| (name.clone(), *partition)));
        }
    }
    all
}
