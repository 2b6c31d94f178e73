//! What an operation on groups brings about, beside the change of the groups themselves.

use super::consumer::Joined;
use super::record::Record;
use super::timers::{Key, MemberTimer, Timeout};
use crate::Outbox;
use crate::broker::requests::Reply;
use crate::client::random::Random;
use crate::config::BrokerConfig;
use crate::error::ErrorCode;
use crate::fact::{Fact, GroupFact};
use crate::ids::{GroupId, GroupInstanceId, LeaderEpoch, MemberId, TopicPartition};
use crate::metadata::MetadataImage;
use crate::protocol::{
    ConsumerGroupHeartbeatResponse, JoinGroupResponse, Response, SyncGroupResponse,
};
use crate::rules::Rulebook;
use bytes::Bytes;
use machine::{Now, Span};
use std::collections::BTreeMap;

/// One operation at work.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a BrokerConfig,
    pub(super) rules: &'a Rulebook,
    pub(super) out: &'a mut Outbox,
    pub(super) random: &'a mut Random,
    /// The partition of `__consumer_offsets`.
    pub(super) partition: TopicPartition,
    /// The coordinator epoch.
    pub(super) epoch: LeaderEpoch,
    /// The metadata of the cluster.
    pub(super) image: &'a MetadataImage,
    /// The offset of the next record.
    pub(super) next_offset: i64,
    pub(super) effects: Effects,
}

/// What follows from an operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    /// Responses that wait for nothing.
    pub(super) responses: Vec<(Reply, Response)>,
    pub(super) timers: Vec<SetTimer>,
    pub(super) records: Vec<Record>,
    /// What the records change in the groups has been changed already: they are not replayed.
    pub(super) is_applied: bool,
    /// What follows when the records are committed, or fail.
    pub(super) after: Option<After>,
    /// What the client of the operation gets, when all that has been written before is committed, or
    /// fails.
    pub(super) answer: Option<Answer>,
    /// What is reported when that answer is a success.
    pub(super) fact: Option<GroupFact>,
}

/// A change of a timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SetTimer {
    Set(Timeout, Span),
    /// If it is not set.
    SetIfAbsent(Timeout, Span),
    Cancel(Key),
}

/// What follows when the record of a group is committed, or fails.
#[derive(Clone, Debug)]
pub(super) enum After {
    /// The assignments of the leader hold.
    Assigned { group: GroupId, generation: i32, assignments: BTreeMap<MemberId, Bytes> },
    /// A static member has been replaced.
    Replaced(Box<Replaced>),
    /// A member of the classic protocol is in a group of the consumer protocol.
    JoinedConsumers(Joined),
}

/// A static member that has been replaced while its group was stable.
#[derive(Clone, Debug)]
pub(super) struct Replaced {
    pub(super) group: GroupId,
    pub(super) instance: GroupInstanceId,
    pub(super) reply: Reply,
    /// The version of the request.
    pub(super) version: i16,
    pub(super) old: MemberId,
    pub(super) new: MemberId,
    /// The leader before.
    pub(super) leader: Option<MemberId>,
    /// What the member before had said.
    pub(super) protocols: Vec<(std::sync::Arc<str>, Bytes)>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
}

/// What a client gets when the outcome of its operation is known.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// This, or its refusal.
    Response(Reply, Response),
    /// If the operation fails, an error for a JoinGroup that has no response so far.
    FailedJoin(Reply),
    /// If the operation fails, an error for a SyncGroup that has no response so far.
    FailedSync(Reply),
}

impl Turn<'_> {
    /// The wall clock, in milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        self.now.wall.0
    }

    /// Reports something to the observers of a run.
    pub(super) fn report(&mut self, fact: GroupFact) {
        self.out.observe(Fact::Group(fact));
    }

    pub(super) fn respond(&mut self, reply: Reply, response: impl Into<Response>) {
        self.effects.responses.push((reply, response.into()));
    }

    pub(super) fn refuse_join(&mut self, reply: Reply, error: ErrorCode, member: MemberId) {
        self.respond(reply, JoinGroupResponse::refused(error, member));
    }

    pub(super) fn refuse_sync(&mut self, reply: Reply, error: ErrorCode) {
        self.respond(reply, SyncGroupResponse::refused(error));
    }

    pub(super) fn set_timer(&mut self, timeout: Timeout, after: Span) {
        self.effects.timers.push(SetTimer::Set(timeout, after));
    }

    pub(super) fn set_timer_if_absent(
        &mut self,
        group: GroupId,
        member: MemberId,
        timer: MemberTimer,
        after: Span,
    ) {
        let timeout = Timeout::Member { group, member, timer };
        self.effects.timers.push(SetTimer::SetIfAbsent(timeout, after));
    }

    pub(super) fn cancel_timer(&mut self, key: Key) {
        self.effects.timers.push(SetTimer::Cancel(key));
    }
}

impl Answer {
    /// The response for an outcome.
    pub(super) fn resolve(self, outcome: Result<(), ErrorCode>) -> Option<(Reply, Response)> {
        match (self, outcome) {
            (Self::Response(reply, response), Ok(())) => Some((reply, response)),
            (Self::Response(reply, response), Err(error)) => {
                Some((reply, refusal(response, error)))
            }
            (Self::FailedJoin(_) | Self::FailedSync(_), Ok(())) => None,
            (Self::FailedJoin(reply), Err(error)) => {
                Some((reply, JoinGroupResponse::refused(error, "".into()).into()))
            }
            (Self::FailedSync(reply), Err(error)) => {
                Some((reply, SyncGroupResponse::refused(error).into()))
            }
        }
    }
}

/// The response that takes the place of one whose operation has failed.
fn refusal(response: Response, error: ErrorCode) -> Response {
    match response {
        Response::OffsetCommit(mut it) => {
            it.partitions.iter_mut().for_each(|(_, code)| *code = error);
            it.into()
        }
        Response::TxnOffsetCommit(mut it) => {
            it.partitions.iter_mut().for_each(|(_, code)| *code = error);
            it.into()
        }
        Response::OffsetFetch(mut it) => {
            // A coordinator that cannot be read is another's.
            it.error = match error {
                ErrorCode::CoordinatorNotAvailable => ErrorCode::NotCoordinator,
                error => error,
            };
            it.offsets.clear();
            it.into()
        }
        Response::OffsetDelete(mut it) => {
            it.error = error;
            it.partitions.clear();
            it.into()
        }
        Response::LeaveGroup(mut it) => {
            it.error = error;
            it.members.clear();
            it.into()
        }
        Response::Heartbeat(mut it) => {
            it.error = error;
            it.into()
        }
        Response::DeleteGroups(mut it) => {
            it.error = error;
            it.into()
        }
        Response::JoinGroup(_) => JoinGroupResponse::refused(error, "".into()).into(),
        Response::SyncGroup(_) => SyncGroupResponse::refused(error).into(),
        Response::ConsumerGroupHeartbeat(_) => {
            ConsumerGroupHeartbeatResponse::refused(error).into()
        }
        other => other,
    }
}
