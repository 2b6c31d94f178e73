//! What a membership consists of, and what it reports to its application.

use crate::error::ErrorCode;
use crate::fact::Revocation;
use crate::ids::{GroupId, GroupInstanceId, MemberId, TopicPartition};
use crate::protocol::NamedPartition;
use std::sync::Arc;

/// The progress of a membership (`AbstractCoordinator.MemberState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberState {
    /// Not a member.
    Unjoined,
    /// JoinGroup is in flight, or will be sent again.
    Preparing,
    /// The member has its generation and waits for its assignment.
    Completing,
    /// The member has its assignment.
    Stable,
}

/// A membership in one generation (`AbstractCoordinator.Generation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    /// The generation; -1: none.
    pub(super) id: i32,
    /// The member's id; empty: none.
    pub(super) member: MemberId,
    /// The assignor that the coordinator has chosen.
    pub(super) protocol: Option<Arc<str>>,
}

impl Default for Generation {
    fn default() -> Self {
        Self { id: Self::NONE, member: "".into(), protocol: None }
    }
}

impl Generation {
    /// No generation.
    pub(super) const NONE: i32 = -1;

    /// Whether it names neither a generation nor an assignor.
    pub(super) fn is_reset(&self) -> bool {
        self.id == Self::NONE && self.protocol.is_none()
    }

    /// Whether it is a membership that the coordinator knew.
    pub(super) fn is_member(&self) -> bool {
        self.id != Self::NONE && !self.member.is_empty()
    }
}

/// What assignors keep from one assignment to the next, for their user data.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// The sticky one: the last assignment, and its generation.
    pub(super) sticky: Option<(Vec<NamedPartition>, i32)>,
    /// The cooperative sticky one: the generation of the last assignment.
    pub(super) cooperative: Option<i32>,
}

/// The purpose of a request to a coordinator, with the membership in whose name it was sent.
#[derive(Clone, Debug)]
pub(super) enum Context {
    FindCoordinator,
    Join(Generation),
    Sync(Generation),
    Heartbeat(Generation),
    /// A heartbeat of the consumer protocol.
    Beat,
    /// The last one of a member that has not polled in time, whose response means nothing.
    Farewell,
    Leave,
    /// The number of the commit.
    Commit(u64, Generation),
    /// The number of the question.
    Fetch(u64),
}

/// What a producer needs to commit offsets of a group in its transactions
/// (`ConsumerGroupMetadata`, KIP-447).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// `group.id`
    pub group: GroupId,
    /// The generation of the last assignment; -1: there was none.
    pub generation: i32,
    /// The member's id in it; empty: it had none.
    pub member: MemberId,
    /// `group.instance.id`
    pub instance: Option<GroupInstanceId>,
}

/// An event of a member of a group, apart from those of reading
/// ([`crate::client::ConsumerEvent`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// The listener of the application is called: these partitions are given up when it returns
    /// ([`super::GroupConsumer::listener_returned`]). Until then the member does not join.
    Revoking {
        /// The partitions, at least one.
        partitions: Vec<TopicPartition>,
        /// The reason. Partitions that are lost may have another owner already.
        why: Revocation,
    },
    /// The member has an assignment of a generation. With
    /// [`super::GroupConsumer::listen_to_assignments`], its listener is called, and the poll goes on when
    /// it returns.
    Assigned {
        /// The partitions that it did not own before.
        added: Vec<TopicPartition>,
    },
    /// A commit has ended.
    Committed {
        /// Its number.
        commit: u64,
        /// Why it failed; `None`: it did not.
        error: Option<CommitError>,
    },
    /// The poll threw an exception that no other poll would change: the application has to close the
    /// consumer.
    Failed(ErrorCode),
    /// The consumer is closed.
    Closed,
}

/// The exception of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// The commit may be tried again (`RetriableCommitFailedException`, of asynchronous commits).
    Retriable(ErrorCode),
    /// The group rebalances: after a poll, the commit may be tried again
    /// (`RebalanceInProgressException`).
    RebalanceInProgress,
    /// The member has been removed, so that others own its partitions, or its epoch has risen since
    /// (`CommitFailedException`).
    NotMember(ErrorCode),
    /// Any other error.
    Fatal(ErrorCode),
    /// A synchronous commit did not succeed within `default.api.timeout.ms`
    /// (`TimeoutException`).
    TimedOut,
}

impl CommitError {
    /// The error that the coordinator returned, or would have returned.
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Retriable(error) | Self::NotMember(error) | Self::Fatal(error) => error,
            Self::RebalanceInProgress => ErrorCode::RebalanceInProgress,
            Self::TimedOut => ErrorCode::RequestTimedOut,
        }
    }

    /// Whether the consumer itself tries again: a synchronous commit, or one before a rebalance.
    pub(super) fn is_retriable(self) -> bool {
        matches!(self, Self::Retriable(_))
    }
}
