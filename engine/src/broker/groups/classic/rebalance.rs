//! From one generation to the next: members join, or lose their place
//! (`GroupMetadataManager.prepareRebalance`, `completeClassicGroupJoin`).
//!
//! | from | rebalance completes |
//! |---|---|
//! | Empty | after `group.initial.rebalance.delay.ms`, and again that long if a member has come meanwhile |
//! | another state | when all members have joined, and every id that was issued has come back; at the latest after the longest rebalance timeout |

use super::{ClassicGroup, ClassicState};
use crate::broker::groups::effects::Turn;
use crate::broker::groups::timers::{Key, Timeout};
use crate::error::ErrorCode;
use crate::fact::{Fact, MemberRemoval};
use crate::ids::MemberId;
use crate::protocol::SyncGroupResponse;
use crate::reach::Reach;
use bytes::Bytes;
use machine::Span;
use std::collections::BTreeMap;

impl ClassicGroup {
    /// Begins a rebalance where that is possible; otherwise one has begun, which may be complete now.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            ClassicState::Empty | ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.prepare_rebalance(turn);
            }
            ClassicState::PreparingRebalance | ClassicState::Dead => self.maybe_complete_join(turn),
        }
    }

    /// Members have to join.
    pub(in crate::broker::groups) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        turn.out.observe(Fact::Reached(Reach::GroupRebalanced));
        if self.state == ClassicState::CompletingRebalance {
            self.fail_syncs(ErrorCode::RebalanceInProgress, turn);
        }
        self.pending_syncs.clear();
        turn.cancel_timer(Key::Sync(self.id.clone()));
        let is_initial = self.state == ClassicState::Empty;
        let now_ms = turn.now_ms();
        if is_initial {
            let delay = turn.config.group_initial_rebalance_delay;
            let remaining = Span(self.rebalance_timeout().0.saturating_sub(delay.0));
            let timeout = Timeout::InitialJoin { group: self.id.clone(), delay, remaining };
            turn.set_timer(timeout, delay);
            self.enter(ClassicState::PreparingRebalance, now_ms);
            return;
        }
        self.enter(ClassicState::PreparingRebalance, now_ms);
        if self.all_have_joined() {
            self.complete_join(turn);
        } else {
            let timeout = Timeout::Join { group: self.id.clone() };
            turn.set_timer(timeout, self.rebalance_timeout());
        }
    }

    /// Completes a rebalance that all members have joined, unless it is the first one, which waits for
    /// its time.
    pub(super) fn maybe_complete_join(&mut self, turn: &mut Turn<'_>) {
        if self.state == ClassicState::PreparingRebalance
            && self.previous_state != ClassicState::Empty
            && self.all_have_joined()
        {
            self.complete_join(turn);
        }
    }

    /// The first rebalance has waited for `delay`: it waits again if a member has come meanwhile, as long
    /// as the members have time.
    pub(in crate::broker::groups) fn on_initial_join(
        &mut self,
        delay: Span,
        remaining: Span,
        turn: &mut Turn<'_>,
    ) {
        if self.new_member_added && remaining > Span::ZERO {
            self.new_member_added = false;
            let next = turn.config.group_initial_rebalance_delay.min(remaining);
            let remaining = Span(remaining.0.saturating_sub(delay.0));
            let timeout = Timeout::InitialJoin { group: self.id.clone(), delay: next, remaining };
            turn.set_timer(timeout, next);
        } else {
            self.complete_join(turn);
        }
    }

    /// Begins the next generation with the members that have joined. Static members stay without having
    /// joined, until their session ends.
    pub(in crate::broker::groups) fn complete_join(&mut self, turn: &mut Turn<'_>) {
        turn.cancel_timer(Key::Join(self.id.clone()));
        let has_failed = |(id, member): (&MemberId, &super::Member)| {
            (member.joining.is_none() && member.instance.is_none()).then(|| id.clone())
        };
        let failed: Vec<MemberId> = self.members.iter().filter_map(has_failed).collect();
        for id in failed {
            self.remove(&id, MemberRemoval::DidNotRejoin, turn);
            self.end_session(&id, turn);
        }
        if self.state == ClassicState::Dead {
            return;
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            let timeout = Timeout::Join { group: self.id.clone() };
            return turn.set_timer(timeout, self.rebalance_timeout());
        }
        self.begin_generation(turn);
        if self.state == ClassicState::Empty {
            let record = self.record(&BTreeMap::new());
            turn.effects.records.push(record);
            turn.effects.is_applied = true;
            return self.report_generation(turn);
        }
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for id in ids {
            let members = if self.is_leader(&id) { self.joined_members() } else { Vec::new() };
            let response = self.joined(&id, members);
            if let Some(member) = self.members.get_mut(&id) {
                if let Some(reply) = member.joining.take() {
                    turn.respond(reply, response);
                }
                member.is_new = false;
            }
            self.keep_session(&id, turn);
            self.pending_syncs.insert(id);
        }
        let timeout = Timeout::Sync { group: self.id.clone(), generation: self.generation };
        turn.set_timer(timeout, self.rebalance_timeout());
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.generation += 1;
        self.protocol = self.chosen_protocol();
        self.subscribed = self.subscribed_topics();
        let state = match self.members.is_empty() {
            true => ClassicState::Empty,
            false => ClassicState::CompletingRebalance,
        };
        self.enter(state, turn.now_ms());
        self.pending_syncs.clear();
    }

    /// The leader stays if it has joined; otherwise one that has joined becomes the leader. Returns
    /// whether there is one.
    fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(|member| member.joining.is_some()) {
            return true;
        }
        let mut joined = self.members.iter().filter(|(_, member)| member.joining.is_some());
        match joined.next() {
            Some((id, _)) => {
                self.leader = Some(id.clone());
                true
            }
            None => false,
        }
    }

    /// No assignment comes: the syncs that wait get an error.
    pub(super) fn fail_syncs(&mut self, error: ErrorCode, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        self.complete_syncs(|_| SyncGroupResponse::refused(error), turn);
    }

    /// Responds to the syncs that wait, and restarts the sessions of their members.
    pub(super) fn complete_syncs(
        &mut self,
        response: impl Fn(&super::Member) -> SyncGroupResponse,
        turn: &mut Turn<'_>,
    ) {
        let mut answered = Vec::new();
        for (id, member) in &mut self.members {
            if let Some(reply) = member.syncing.take() {
                turn.respond(reply, response(member));
                answered.push(id.clone());
            }
        }
        for id in answered {
            self.keep_session(&id, turn);
        }
    }

    /// Members of a generation have had the time that they may take to sync: those that have not synced
    /// lose their place.
    pub(in crate::broker::groups) fn on_sync_overdue(
        &mut self,
        generation: i32,
        turn: &mut Turn<'_>,
    ) {
        let has_members =
            matches!(self.state, ClassicState::CompletingRebalance | ClassicState::Stable);
        if generation != self.generation || !has_members || self.pending_syncs.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.pending_syncs) {
            self.remove(&id, MemberRemoval::DidNotSync, turn);
            self.end_session(&id, turn);
        }
        self.prepare_rebalance(turn);
    }

    /// The session of a member has ended, or an id that was given away has not been used.
    pub(in crate::broker::groups) fn on_session_end(&mut self, id: &MemberId, turn: &mut Turn<'_>) {
        if self.state == ClassicState::Dead {
            return;
        }
        if self.pending_joins.contains(id) {
            self.remove(id, MemberRemoval::SessionEnded, turn);
            if self.state == ClassicState::PreparingRebalance && self.all_have_joined() {
                self.complete_join(turn);
            }
            return;
        }
        let Some(member) = self.members.get_mut(id).filter(|member| !member.is_awaited()) else {
            return;
        };
        turn.out.observe(Fact::Reached(Reach::GroupSessionEnded));
        if let Some(reply) = member.joining.take() {
            turn.refuse_join(reply, ErrorCode::UnknownMemberId, "".into());
        }
        self.remove(id, MemberRemoval::SessionEnded, turn);
        match self.state {
            ClassicState::Stable | ClassicState::CompletingRebalance => self.rebalance(turn),
            ClassicState::PreparingRebalance if self.all_have_joined() => self.complete_join(turn),
            _ => {}
        }
    }
}
