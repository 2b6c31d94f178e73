//! One request at a time to each other member, and which answer is waited for (`RequestManager`).
//!
//! ```text
//!            asked                  answered
//!    ready --------> awaiting ----------------------> ready
//!      ^               |  |  refused, disconnected
//!      |   timed out   |  '------------------------> backing off --.
//!      '---------------'<------------------------------------------'  after the retry back-off
//! ```
//!
//! Whoever changes its role forgets all of it: it may ask everybody, and an answer to what it asked
//! before is not looked at. What was asked may still be on its way then; that is the business of
//! [`super::outgoing`].

use crate::ids::BrokerId;
use machine::{Mono, Span};
use std::collections::BTreeMap;

/// Names a request of this member, over all connections.
pub(super) type RequestId = u64;

/// What is waited for from other members. Who is not in it is ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    timeout: Span,
    backoff: Span,
    next: RequestId,
    busy: BTreeMap<BrokerId, Busy>,
}

#[derive(Clone, Copy, Debug)]
struct Busy {
    /// The request that is to be answered; none while backing off.
    awaited: Option<RequestId>,
    until: Mono,
}

impl Requests {
    pub(super) fn new(timeout: Span, backoff: Span) -> Self {
        Self { timeout, backoff, next: 0, busy: BTreeMap::new() }
    }

    /// Lets everybody be asked whose answer is overdue or whose back-off is over. An answer that
    /// comes yet is not waited for.
    pub(super) fn expire(&mut self, now: Mono) {
        self.busy.retain(|_, busy| now < busy.until);
    }

    /// From when on somebody may be asked who now may not.
    pub(super) fn next_ready(&self) -> Option<Mono> {
        self.busy.values().map(|busy| busy.until).min()
    }

    pub(super) fn is_ready(&self, member: BrokerId) -> bool {
        !self.busy.contains_key(&member)
    }

    /// Whether a member backs off, or has not answered in time.
    pub(super) fn has_failed(&self, now: Mono, member: BrokerId) -> bool {
        self.busy.get(&member).is_some_and(|busy| busy.awaited.is_none() || busy.until <= now)
    }

    /// How many requests are to be answered (`hasAnyInflightRequest`).
    pub(super) fn awaited(&self) -> usize {
        self.busy.values().filter(|busy| busy.awaited.is_some()).count()
    }

    /// A member is asked.
    pub(super) fn on_asked(&mut self, now: Mono, member: BrokerId) -> RequestId {
        let id = self.next;
        self.next += 1;
        let replaced =
            self.busy.insert(member, Busy { awaited: Some(id), until: now + self.timeout });
        assert!(replaced.is_none(), "only who is ready is asked");
        id
    }

    /// Whether an answer to this request is waited for.
    pub(super) fn expects(&self, member: BrokerId, id: RequestId) -> bool {
        self.busy.get(&member).is_some_and(|busy| busy.awaited == Some(id))
    }

    /// A request was answered well, and the next may follow at once.
    pub(super) fn on_answered(&mut self, member: BrokerId, id: RequestId) {
        if self.expects(member, id) {
            self.busy.remove(&member);
        }
    }

    /// A request was refused, or lost with its connection, or never left.
    pub(super) fn on_failed(&mut self, now: Mono, member: BrokerId, id: RequestId) {
        if self.expects(member, id) {
            self.busy.insert(member, Busy { awaited: None, until: now + self.backoff });
        }
    }

    /// Everybody may be asked, and no answer is waited for.
    pub(super) fn reset_all(&mut self) {
        self.busy.clear();
    }
}
