//! Partitions of a member that is none any more (`transitionToFenced`, `transitionToStale`).

use super::{JOINS, Local, State};
use crate::Outbox;
use crate::client::group::GroupConsumer;
use crate::client::group::rebalance::Then;
use crate::fact::Revocation;
use crate::rules::member::Rejoin;
use machine::Now;

impl GroupConsumer {
    /// Has the listener run once the application polls, for partitions that are lost. A member that owns
    /// none goes on at once.
    pub(super) fn release_if_due(&mut self, now: Now, is_polling: bool, out: &mut Outbox) {
        let Some(membership) = &self.membership else { return };
        if membership.has_to_release && self.listening.is_none() {
            let rejoin = Rejoin { is_member: false, is_cooperative: true };
            if self.owned.is_empty() || !self.rules.gives_up_before_join(out, rejoin) {
                self.released();
            } else if is_polling {
                let why = Revocation::Lost { error: self.ended_by };
                self.listen(now.mono, self.owned.clone(), why, Then::Release);
            }
        }
        let Some(membership) = &self.membership else { return };
        let is_released = !membership.has_to_release;
        // A poll brings back a member that has left because there was none.
        if is_polling && is_released && membership.state == State::Stale {
            self.rejoin();
        }
    }

    /// All partitions are released.
    pub(in crate::client::group) fn released(&mut self) {
        let Some(membership) = &mut self.membership else { return };
        membership.has_to_release = false;
        membership.current = Local::default();
        membership.target = Local::default();
        membership.names.clear();
        if membership.state == State::Fenced {
            self.rejoin();
        }
    }

    /// The member joins with its next heartbeat.
    pub(super) fn rejoin(&mut self) {
        let Some(membership) = &mut self.membership else { return };
        membership.has_rejoined = membership.reconciliation.is_some();
        membership.state = State::Joining;
        membership.target = Local::default();
        membership.names.clear();
        self.take_epoch(JOINS);
    }
}
