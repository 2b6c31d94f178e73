//! Whom the present role has to ask (`pollCurrentState`).
//!
//! After whatever has happened a member looks at its role: a follower owes its leader a fetch, one
//! that stands for election owes a question to every voter that has not answered, one that resigned
//! tells every voter that does not know it yet. So what was lost is asked again, and nothing is
//! asked twice: who has not answered, or backs off, is not ready ([`super::requests`]). Only what a
//! leader says of itself has a rhythm of its own.

use super::Quorum;
use super::outgoing::Failed;
use super::role::Role;
use crate::Outbox;
use crate::ids::BrokerId;
use crate::protocol::Request;
use crate::timer::{QuorumTimer, Timer};
use machine::{Mono, Now};
use rand::RngExt;

impl Quorum {
    /// Asks whoever is to be asked and may be by now.
    pub(super) fn poll(&mut self, now: Now, out: &mut Outbox) {
        let overdue = self.outgoing.on_time(now.mono, out);
        self.on_failed(now.mono, overdue);
        let leader_failed =
            self.leader().is_some_and(|leader| self.requests.has_failed(now.mono, leader));
        self.requests.expire(now.mono);
        match self.role {
            Role::Follower { leader, .. } if self.is_voter() => self.fetch(now.mono, leader, out),
            // An observer looks whether another voter knows of a new leader.
            Role::Follower { .. } if leader_failed => self.fetch_from_any(now.mono, out),
            Role::Follower { leader, .. } if self.requests.awaited() == 0 => {
                self.fetch(now.mono, leader, out);
            }
            Role::Unattached if !self.is_voter() => self.fetch_from_any(now.mono, out),
            Role::Prospective { .. } | Role::Candidate { .. } => self.ask_for_votes(now.mono, out),
            Role::Resigned { .. } => self.ask_to_elect(now.mono, out),
            Role::Leader(_) | Role::Follower { .. } | Role::Unattached => {}
        }
        self.arm_poll(out);
    }

    /// Fetches from some voter, unless a fetch is on its way (`findReadyBootstrapServer`).
    fn fetch_from_any(&mut self, now: Mono, out: &mut Outbox) {
        let ready: Vec<BrokerId> =
            self.other_voters().filter(|voter| self.requests.is_ready(*voter)).collect();
        if ready.is_empty() || self.requests.awaited() > 0 {
            return;
        }
        let at = self.rng.random_range(0..ready.len() as u32);
        self.fetch(now, ready[at as usize], out);
    }

    fn fetch(&mut self, now: Mono, from: BrokerId, out: &mut Outbox) {
        if self.requests.is_ready(from) {
            let request = self.fetch_request();
            self.ask(now, from, request, out);
        }
    }

    /// Asks another member, if it is ready to be asked (`maybeSendRequest`).
    pub(super) fn ask(
        &mut self,
        now: Mono,
        to: BrokerId,
        request: impl Into<Request>,
        out: &mut Outbox,
    ) {
        if self.requests.is_ready(to) {
            let id = self.requests.on_asked(now, to);
            let node = self.peer(to);
            self.outgoing.send(now, node, id, request.into(), out);
        }
    }

    /// These requests came to nothing.
    pub(super) fn on_failed(&mut self, now: Mono, failed: Vec<Failed>) {
        for (member, id) in failed {
            self.requests.on_failed(now, member, id);
        }
    }

    /// Wakes up when there may be more to ask.
    fn arm_poll(&mut self, out: &mut Outbox) {
        let next = self.requests.next_ready().into_iter().chain(self.outgoing.next_due()).min();
        if let Some(next) = next.filter(|next| *next < self.polls_at) {
            self.polls_at = next;
            out.set_timer(Timer::Quorum(QuorumTimer::Poll), next);
        }
    }
}
