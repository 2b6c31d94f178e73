//! The facts about groups of consumers: what a coordinator decides, and what a member experiences.
//! A committed offset is no fact of the coordinator: its record in `__consumer_offsets` is.

use crate::error::ErrorCode;
use crate::ids::{
    BrokerId, GroupId, GroupInstanceId, LeaderEpoch, MemberId, Offset, TopicPartition,
};
use crate::protocol::NamedPartition;
use std::sync::Arc;

/// An event at a coordinator of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupFact {
    /// A broker began to coordinate a partition of `__consumer_offsets`: it has read the log.
    Loaded {
        /// The partition.
        partition: TopicPartition,
        /// Its leader epoch, which is the coordinator epoch.
        coordinator_epoch: LeaderEpoch,
        /// The log up to this offset has been replayed.
        to: Offset,
        /// The groups that it found.
        groups: Vec<GroupState>,
    },
    /// A broker stopped coordinating a partition of `__consumer_offsets`.
    Resigned {
        /// The partition.
        partition: TopicPartition,
        /// The coordinator epoch in which it had loaded the partition.
        coordinator_epoch: LeaderEpoch,
        /// The log up to this offset was committed, as far as the coordinator knew.
        to: Offset,
        /// The groups as they are by the log up to there.
        groups: Vec<GroupState>,
    },
    /// The members of a generation have their assignments: the leader's SyncGroup is applied, which
    /// for a change of the group is when its record is committed. Also reported when the group has
    /// become empty, with the record that says so.
    GenerationComplete {
        /// `group.id`
        group: GroupId,
        /// The generation.
        generation: i32,
        /// The chosen assignor; `None` without members.
        protocol: Option<Arc<str>>,
        /// The member that assigned; `None` without members.
        leader: Option<MemberId>,
        /// The members with what they are assigned.
        members: Vec<AssignedMember>,
    },
    /// A member is no longer in its group.
    MemberRemoved {
        /// `group.id`
        group: GroupId,
        /// The generation in which it is removed.
        generation: i32,
        /// The member.
        member: MemberId,
        /// `group.instance.id`
        instance: Option<GroupInstanceId>,
        /// Why it is removed.
        why: MemberRemoval,
    },
    /// A response with committed offsets is sent (OffsetFetch).
    OffsetsServed {
        /// The partition of `__consumer_offsets`.
        partition: TopicPartition,
        /// The coordinator epoch.
        coordinator_epoch: LeaderEpoch,
        /// `group.id`
        group: GroupId,
        /// The log up to this offset is committed, as far as the coordinator knows: the offsets are
        /// those of the log up to there.
        to: Offset,
        /// Each partition with its committed offset; `None`: the group has none. Without the
        /// partitions that got an error.
        offsets: Vec<(NamedPartition, Option<Offset>)>,
    },
}

/// A group in the memory of its coordinator, without what has not been committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// `group.id`
    pub group: GroupId,
    /// The last generation; `None`: the group has committed offsets only.
    pub generation: Option<i32>,
    /// The ids of the members of that generation, in order.
    pub members: Vec<MemberId>,
    /// The group of the consumer protocol; `None`: it is none.
    pub consumer: Option<ConsumerGroupState>,
    /// The committed offsets, in order of partitions.
    pub offsets: Vec<(NamedPartition, Offset)>,
    /// The offsets that a transaction has brought and that wait for its marker, with its producer id,
    /// in order.
    pub pending: Vec<(NamedPartition, i64)>,
}

/// A group of the consumer protocol in the memory of its coordinator (KIP-848).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroupState {
    /// The group epoch.
    pub epoch: i32,
    /// The epoch of the target assignment.
    pub target_epoch: i32,
    /// The members, in order of their ids.
    pub members: Vec<ConsumerMemberState>,
}

/// A member of a group of the consumer protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerMemberState {
    /// Its id.
    pub member: MemberId,
    /// Its epoch; -2: it is static and away.
    pub epoch: i32,
    /// The epoch that it had before.
    pub previous_epoch: i32,
    /// What it is assigned, in order.
    pub assigned: Vec<TopicPartition>,
    /// What it has still to give up, in order.
    pub to_revoke: Vec<TopicPartition>,
    /// What it is to be assigned, in order.
    pub target: Vec<TopicPartition>,
}

/// A member of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedMember {
    /// Its id.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
    /// The host that it has joined from.
    pub host: Arc<str>,
    /// The partitions in its assignment; `None`: the assignment is not of a consumer.
    pub partitions: Option<Vec<NamedPartition>>,
}

/// Why a coordinator removed a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberRemoval {
    /// It left, or was removed by an administrator (LeaveGroup).
    Left,
    /// Its session ended: no heartbeat came within `session.timeout.ms`.
    SessionEnded,
    /// It did not join again within the rebalance time-out.
    DidNotRejoin,
    /// It joined, and did not sync within the rebalance time-out.
    DidNotSync,
    /// It did not give up partitions within the rebalance time-out (KIP-848).
    DidNotRevoke,
    /// It came to join again when the group was full (`group.max.size`).
    NoRoom,
    /// Another member came with its `group.instance.id` (KIP-345).
    Replaced {
        /// The id of that member.
        by: MemberId,
    },
}

/// An event of a member of a group, or of its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberFact {
    /// The member has an assignment of a generation (SyncGroup), or of a member epoch
    /// (ConsumerGroupHeartbeat), and owns these partitions from now on. What it has to give up was reported as [`Self::Revoked`] before.
    Joined {
        /// `group.id`
        group: GroupId,
        /// The member's id.
        member: MemberId,
        /// `group.instance.id`
        instance: Option<GroupInstanceId>,
        /// The generation, or the member epoch.
        generation: i32,
        /// The assignor; empty if the coordinator assigns.
        protocol: Arc<str>,
        /// All partitions that it owns.
        partitions: Vec<TopicPartition>,
    },
    /// The member no longer owns partitions: its listener (`onPartitionsRevoked` or
    /// `onPartitionsLost`) has run. Not reported if it owned none.
    Revoked {
        /// `group.id`
        group: GroupId,
        /// The member's id.
        member: MemberId,
        /// The generation in which it owned them.
        generation: i32,
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// The reason.
        why: Revocation,
    },
    /// The member leaves its group: it sends LeaveGroup, or, if it is static, stops its heartbeats.
    Left {
        /// `group.id`
        group: GroupId,
        /// The member's id.
        member: MemberId,
        /// The reason.
        why: Leaving,
    },
    /// A commit of offsets was requested, by the application or by the consumer.
    CommitAsked {
        /// `group.id`
        group: GroupId,
        /// The number of the commit, among those of this process.
        commit: u64,
        /// The member's id; empty if the consumer is in no group and was assigned its partitions.
        member: MemberId,
        /// The generation; -1 likewise.
        generation: i32,
        /// The positions.
        offsets: Vec<(TopicPartition, Offset)>,
        /// What kind of commit it is.
        kind: CommitKind,
    },
    /// A commit was answered, or given up. An asynchronous commit that is never answered has none.
    CommitAnswered {
        /// `group.id`
        group: GroupId,
        /// The number of the commit.
        commit: u64,
        /// The outcome by partition. A commit in a transaction takes effect with the transaction.
        results: Vec<(TopicPartition, ErrorCode)>,
    },
    /// The committed offsets of partitions are requested (OffsetFetch).
    CommittedAsked {
        /// `group.id`
        group: GroupId,
        /// The number of the request, among those of this process.
        question: u64,
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// Committed offsets came.
    CommittedShown {
        /// `group.id`
        group: GroupId,
        /// The number of the request.
        question: u64,
        /// The broker that responded.
        coordinator: BrokerId,
        /// The offsets; `None`: there is none. Without the partitions that got an error.
        offsets: Vec<(TopicPartition, Option<Offset>)>,
    },
    /// The application has finished with records: whatever they were to cause has happened.
    Processed {
        /// `group.id`
        group: GroupId,
        /// The partition.
        partition: TopicPartition,
        /// The offset of the first record.
        from: Offset,
        /// The offset after the last record.
        to: Offset,
    },
    /// The application gives its producer a record that is the result of one that it has read.
    Derived {
        /// `group.id`
        group: GroupId,
        /// The partition of the input.
        partition: TopicPartition,
        /// The offset of the input.
        offset: Offset,
        /// The number of the output.
        record: u64,
    },
}

/// Why a member no longer owns partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The group rebalances: the assignor is eager, or the partitions go to another member
    /// (`onPartitionsRevoked`).
    Rebalance,
    /// The member leaves of its own accord: `close` or `unsubscribe` (`onPartitionsRevoked`).
    Leaving,
    /// The member is not in the group any more (`onPartitionsLost`).
    Lost {
        /// The error from which it knows; `None`: it did not poll within `max.poll.interval.ms`.
        error: Option<ErrorCode>,
    },
    /// The member leaves of its own accord while its group rebalances (`onPartitionsLost`).
    LostLeaving,
}

impl Revocation {
    /// Whether the partitions are lost to the listener, and another member may have them.
    pub const fn is_lost(self) -> bool {
        matches!(self, Self::Lost { .. } | Self::LostLeaving)
    }
}

/// Why a member leaves its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The application closes its consumer, or unsubscribes.
    Closed,
    /// The application did not poll within `max.poll.interval.ms`.
    PollTimeout,
}

/// What kind of commit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitKind {
    /// `commitSync`
    Sync,
    /// `commitAsync`
    Async,
    /// `enable.auto.commit`: the interval has passed.
    Auto,
    /// Before partitions are revoked, or the consumer closes: by `enable.auto.commit`, or by the
    /// application in its listener.
    OnRevoke,
    /// `sendOffsetsToTransaction` of a producer (KIP-98, KIP-447).
    InTransaction {
        /// The producer id.
        producer_id: i64,
        /// The producer epoch.
        producer_epoch: i16,
        /// The number of the application's transaction.
        transaction: u64,
    },
}
