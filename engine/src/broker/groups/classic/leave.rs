//! LeaveGroup (`GroupMetadataManager.classicGroupLeaveToClassicGroup`; KIP-345).

use super::{ClassicGroup, ClassicState};
use crate::broker::groups::effects::Turn;
use crate::error::ErrorCode;
use crate::fact::MemberRemoval;
use crate::ids::MemberId;
use crate::protocol::{LeaveGroupRequest, LeaveGroupResponse, LeavingMember};

impl ClassicGroup {
    /// Members leave. Nobody waits for their sessions.
    pub(in crate::broker::groups) fn leave(
        &mut self,
        request: &LeaveGroupRequest,
        turn: &mut Turn<'_>,
    ) -> LeaveGroupResponse {
        if self.state == ClassicState::Dead {
            let error = ErrorCode::CoordinatorNotAvailable;
            return LeaveGroupResponse { error, members: Vec::new() };
        }
        let mut members = Vec::new();
        for leaving in &request.members {
            let outcome = self.leave_one(leaving, turn);
            members.push((leaving.clone(), outcome.err().unwrap_or(ErrorCode::None)));
        }
        if members.iter().any(|(_, error)| error.is_none()) {
            match self.state {
                ClassicState::Stable | ClassicState::CompletingRebalance => self.rebalance(turn),
                ClassicState::PreparingRebalance => self.maybe_complete_join(turn),
                ClassicState::Empty | ClassicState::Dead => {}
            }
        }
        LeaveGroupResponse { error: ErrorCode::None, members }
    }

    fn leave_one(&mut self, leaving: &LeavingMember, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        let LeavingMember { member: id, instance } = leaving;
        if id.is_empty() {
            let owner = instance.as_ref().and_then(|instance| self.static_members.get(instance));
            let owner = owner.cloned().ok_or(ErrorCode::UnknownMemberId)?;
            self.leave_as(&owner, turn);
        } else if self.pending_joins.contains(id) {
            self.remove(id, MemberRemoval::Left, turn);
            self.end_session(id, turn);
        } else {
            self.check_member(id, instance.as_ref(), turn)?;
            self.leave_as(id, turn);
        }
        Ok(())
    }

    fn leave_as(&mut self, id: &MemberId, turn: &mut Turn<'_>) {
        self.end_session(id, turn);
        if let Some(reply) = self.members.get_mut(id).and_then(|member| member.joining.take()) {
            turn.refuse_join(reply, ErrorCode::UnknownMemberId, "".into());
        }
        self.remove(id, MemberRemoval::Left, turn);
    }
}
