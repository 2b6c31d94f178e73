//! Members of a group of the classic protocol that go on in the consumer protocol, and back
//! (`ConsumerGroup.fromClassicGroup`, `ClassicGroup.fromConsumerGroup`).

use super::{CONSUMER, ClassicGroup, ClassicState, Member, subscription};
use crate::broker::groups::effects::Turn;
use crate::broker::groups::record::Record;
use crate::error::ErrorCode;
use crate::ids::{GroupId, GroupInstanceId, MemberId};
use crate::protocol::{JoinGroupResponse, NamedPartition, SyncGroupResponse};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one protocol takes over from the other.
#[derive(Clone, Debug)]
pub(in crate::broker::groups) struct Taken {
    pub(in crate::broker::groups) instance: Option<GroupInstanceId>,
    pub(in crate::broker::groups) client_id: Arc<str>,
    pub(in crate::broker::groups) client_host: Arc<str>,
    pub(in crate::broker::groups) rebalance_timeout_ms: i32,
    pub(in crate::broker::groups) session_timeout_ms: i32,
    /// The assignors that the member has, the best first, each with the subscription.
    pub(in crate::broker::groups) protocols: Vec<(Arc<str>, Bytes)>,
    /// From the classic protocol, the bytes of its assignment; empty: none.
    pub(in crate::broker::groups) assignment: Bytes,
    /// From the classic protocol, its subscription for the chosen assignor.
    pub(in crate::broker::groups) subscription: Bytes,
    /// From the consumer protocol, its target.
    pub(in crate::broker::groups) assigned: Vec<NamedPartition>,
}

impl ClassicGroup {
    /// The members, for the consumer protocol.
    ///
    /// # Errors
    ///
    /// If no assignor was ever chosen, where Kafka's coordinator fails with an exception.
    pub(in crate::broker::groups) fn taken(&self) -> Result<Vec<(MemberId, Taken)>, ErrorCode> {
        if self.protocol.is_none() {
            return Err(ErrorCode::UnknownServerError);
        }
        let taken = |(id, member): (&MemberId, &Member)| {
            let taken = Taken {
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                session_timeout_ms: member.session_timeout_ms,
                protocols: member.protocols.clone(),
                assignment: member.assignment.clone(),
                subscription: self.metadata_of(member),
                assigned: Vec::new(),
            };
            (id.clone(), taken)
        };
        Ok(self.members.iter().map(taken).collect())
    }

    /// Members that wait in a join or a sync have to join again.
    pub(in crate::broker::groups) fn have_all_join_again(&mut self, turn: &mut Turn<'_>) {
        for (id, member) in &mut self.members {
            let error = ErrorCode::RebalanceInProgress;
            if let Some(reply) = member.joining.take() {
                turn.respond(reply, JoinGroupResponse::refused(error, id.clone()));
            }
            if let Some(reply) = member.syncing.take() {
                turn.respond(reply, SyncGroupResponse::refused(error));
            }
        }
    }

    /// A stable group of these members, with the assignments that they had as targets.
    pub(in crate::broker::groups) fn downgraded(
        id: GroupId,
        generation: i32,
        members: Vec<(MemberId, Taken)>,
        turn: &Turn<'_>,
    ) -> Self {
        let mut group = Self::new(id, turn.now_ms());
        group.state = ClassicState::Stable;
        group.generation = generation;
        group.protocol_type = Some(CONSUMER.into());
        let mut assigned = BTreeMap::new();
        for (id, taken) in members {
            let member = Member {
                instance: taken.instance,
                client_id: taken.client_id,
                client_host: taken.client_host,
                rebalance_timeout_ms: taken.rebalance_timeout_ms,
                session_timeout_ms: taken.session_timeout_ms,
                protocols: taken.protocols,
                assignment: Bytes::new(),
                joining: None,
                syncing: None,
                is_new: false,
            };
            assigned.insert(id.clone(), taken.assigned);
            group.insert(id, member);
        }
        group.protocol = group.chosen_protocol();
        group.subscribed = group.subscribed_topics();
        let protocol = group.protocol.clone().unwrap_or_else(|| "".into());
        for (id, member) in &mut group.members {
            let version = subscription::version(&member.metadata(&protocol).unwrap_or_default());
            let partitions = assigned.get(id).map_or(&[][..], Vec::as_slice);
            member.assignment = subscription::write_assignment(version, partitions);
        }
        group
    }

    /// The record of the group with the assignments that its members have.
    pub(in crate::broker::groups) fn record_as_is(&self) -> Record {
        let assignments = self.members.iter();
        let assignments = assignments.map(|(id, member)| (id.clone(), member.assignment.clone()));
        self.record(&assignments.collect())
    }
}
