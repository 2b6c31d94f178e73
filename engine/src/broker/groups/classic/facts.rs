//! What a coordinator reports of the members of a group.

use super::{ClassicGroup, subscription};
use crate::broker::groups::effects::Turn;
use crate::fact::{AssignedMember, GroupFact, MemberRemoval};
use crate::ids::{GroupInstanceId, MemberId};

impl ClassicGroup {
    /// The members of the generation have their assignments, or there are no members.
    pub(super) fn report_generation(&self, turn: &mut Turn<'_>) {
        let members = self.members.iter().map(|(id, member)| AssignedMember {
            member: id.clone(),
            instance: member.instance.clone(),
            host: member.client_host.clone(),
            partitions: subscription::partitions(&member.assignment),
        });
        let has_members = !self.members.is_empty();
        turn.report(GroupFact::GenerationComplete {
            group: self.id.clone(),
            generation: self.generation,
            protocol: self.protocol.clone().filter(|_| has_members),
            leader: self.leader.clone().filter(|_| has_members),
            members: members.collect(),
        });
    }

    /// A member is no longer in the group.
    pub(super) fn report_removed(
        &self,
        member: &MemberId,
        instance: Option<GroupInstanceId>,
        why: MemberRemoval,
        turn: &mut Turn<'_>,
    ) {
        turn.report(GroupFact::MemberRemoved {
            group: self.id.clone(),
            generation: self.generation,
            member: member.clone(),
            instance,
            why,
        });
    }
}
