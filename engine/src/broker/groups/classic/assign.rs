//! SyncGroup and Heartbeat (`GroupMetadataManager.classicGroupSyncToClassicGroup`,
//! `classicGroupHeartbeatToClassicGroup`).

use super::{ClassicGroup, ClassicState};
use crate::broker::groups::effects::{After, Turn};
use crate::broker::requests::Reply;
use crate::error::ErrorCode;
use crate::ids::MemberId;
use crate::protocol::{HeartbeatRequest, SyncGroupRequest, SyncGroupResponse};
use bytes::Bytes;
use std::collections::BTreeMap;

impl ClassicGroup {
    /// A member asks for its assignment; the leader brings those of all.
    pub(in crate::broker::groups) fn sync(
        &mut self,
        request: &SyncGroupRequest,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        if let Err(error) = self.check_sync(request, turn) {
            return turn.refuse_sync(reply, error);
        }
        let id = &request.member;
        match self.state {
            ClassicState::CompletingRebalance => {
                self.pending_syncs.remove(id);
                if let Some(member) = self.members.get_mut(id) {
                    member.syncing = Some(reply);
                }
                if self.is_leader(id) {
                    let assignments: BTreeMap<MemberId, Bytes> =
                        request.assignments.iter().cloned().collect();
                    let record = self.record(&assignments);
                    turn.effects.records.push(record);
                    turn.effects.is_applied = true;
                    turn.effects.after = Some(After::Assigned {
                        group: self.id.clone(),
                        generation: self.generation,
                        assignments,
                    });
                }
            }
            ClassicState::Stable => {
                self.pending_syncs.remove(id);
                let assignment = self.members.get(id).map(|member| member.assignment.clone());
                turn.respond(reply, self.synced(assignment.unwrap_or_default()));
            }
            ClassicState::PreparingRebalance => {
                turn.refuse_sync(reply, ErrorCode::RebalanceInProgress);
            }
            // Neither has members.
            ClassicState::Empty | ClassicState::Dead => {
                turn.refuse_sync(reply, ErrorCode::UnknownMemberId);
            }
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        if self.state == ClassicState::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.check_member(&request.member, request.instance.as_ref(), turn)?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs =
            |named: &Option<_>, of_group: &Option<_>| named.is_some() && named != of_group;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn synced(&self, assignment: Bytes) -> SyncGroupResponse {
        SyncGroupResponse {
            error: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment,
        }
    }

    /// The record with the assignments of a generation is committed, or has failed. Meanwhile the group
    /// may have gone on.
    pub(in crate::broker::groups) fn on_assigned(
        &mut self,
        generation: i32,
        assignments: &BTreeMap<MemberId, Bytes>,
        outcome: Result<(), ErrorCode>,
        turn: &mut Turn<'_>,
    ) {
        if self.state != ClassicState::CompletingRebalance || generation != self.generation {
            return;
        }
        if let Err(error) = outcome {
            self.fail_syncs(error, turn);
            return self.rebalance(turn);
        }
        for (id, member) in &mut self.members {
            member.assignment = assignments.get(id).cloned().unwrap_or_default();
        }
        let synced = self.synced(Bytes::new());
        self.complete_syncs(
            |member| SyncGroupResponse { assignment: member.assignment.clone(), ..synced.clone() },
            turn,
        );
        let now_ms = turn.now_ms();
        self.enter(ClassicState::Stable, now_ms);
        self.report_generation(turn);
    }

    /// Extends the session of a member; the response says whether the group rebalances.
    pub(in crate::broker::groups) fn heartbeat(
        &mut self,
        request: &HeartbeatRequest,
        turn: &mut Turn<'_>,
    ) -> ErrorCode {
        let id = &request.member;
        if self.state == ClassicState::Dead {
            return ErrorCode::CoordinatorNotAvailable;
        }
        if let Err(error) = self.check_member(id, request.instance.as_ref(), turn) {
            return error;
        }
        if request.generation != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        match self.state {
            ClassicState::Empty | ClassicState::Dead => ErrorCode::UnknownMemberId,
            ClassicState::PreparingRebalance => {
                self.keep_session(id, turn);
                ErrorCode::RebalanceInProgress
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.keep_session(id, turn);
                ErrorCode::None
            }
        }
    }
}
