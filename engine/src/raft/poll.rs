//! The requests that the present role has to send (`pollCurrentState`).
//!
//! After every input a member looks at its role: a follower owes its leader a fetch, a candidate
//! owes a vote request to every voter whose vote is not recorded, a leader that resigned owes the
//! end of its epoch to every voter that has not acknowledged it. So a lost request is sent again,
//! and none is sent twice: a member whose response is awaited, or from which this member backs off,
//! is not ready ([`super::requests`]). Only the announcement of a leader has a timer of its own.

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
    /// Sends the requests that the role owes to members that are ready for a request.
    pub(super) fn poll(&mut self, now: Now, out: &mut Outbox) {
        let overdue = self.outgoing.on_time(now.mono, out);
        self.on_failed(now.mono, overdue);
        let leader_failed =
            self.leader().is_some_and(|leader| self.requests.has_failed(now.mono, leader));
        self.requests.expire(now.mono);
        match self.role {
            // Another voter may know of a new leader (`maybeSendFetchToBestNode`).
            Role::Follower { fetch_expired, .. } if leader_failed || fetch_expired => {
                self.fetch_from_any(now.mono, out);
            }
            Role::Follower { leader, .. } if self.requests.awaited() == 0 => {
                self.fetch(now.mono, leader, out);
            }
            Role::Unattached => self.fetch_from_any(now.mono, out),
            Role::Prospective { .. } | Role::Candidate { .. } => {
                self.request_votes(now.mono, out);
            }
            Role::Resigned { .. } => self.announce_end(now.mono, out),
            Role::Leader(_) | Role::Follower { .. } => {}
        }
        self.arm_poll(out);
    }

    /// Fetches from the first voter that is ready, beginning with a random one, unless a request is
    /// in flight (`findReadyBootstrapServer`).
    fn fetch_from_any(&mut self, now: Mono, out: &mut Outbox) {
        if self.requests.awaited() > 0 {
            return;
        }
        let voters: Vec<BrokerId> = self.other_voters().collect();
        if voters.is_empty() {
            return;
        }
        let start = self.rng.random_range(0..voters.len() as u32) as usize;
        let mut from_start = voters[start..].iter().chain(&voters[..start]).copied();
        if let Some(voter) = from_start.find(|voter| self.requests.is_ready(*voter)) {
            self.fetch(now, voter, out);
        }
    }

    fn fetch(&mut self, now: Mono, from: BrokerId, out: &mut Outbox) {
        if self.requests.is_ready(from) {
            let request = self.fetch_request();
            self.send_request(now, from, request, out);
        }
    }

    /// Sends a request to a member that is ready for one (`maybeSendRequest`).
    pub(super) fn send_request(
        &mut self,
        now: Mono,
        to: BrokerId,
        request: impl Into<Request>,
        out: &mut Outbox,
    ) {
        if self.requests.is_ready(to) {
            let id = self.requests.on_sent(now, to);
            let node = self.peer(to);
            let retry_at = self.outgoing.send(now, node, id, request.into(), out);
            if let Some(retry_at) = retry_at {
                self.requests.on_unreachable(now, to, id, retry_at);
            }
        }
    }

    /// Backs off from the members whose requests failed.
    pub(super) fn on_failed(&mut self, now: Mono, failed: Vec<Failed>) {
        for (member, id) in failed {
            self.requests.on_failed(now, member, id);
        }
    }

    /// Wakes up when there may be more to send.
    fn arm_poll(&mut self, out: &mut Outbox) {
        let next = self.requests.next_ready().into_iter().chain(self.outgoing.next_due()).min();
        if let Some(next) = next.filter(|next| *next < self.polls_at) {
            self.polls_at = next;
            out.set_timer(Timer::Quorum(QuorumTimer::Poll), next);
        }
    }
}
