//! The request in flight to each other member, whose response is awaited (`RequestManager`).
//!
//! ```text
//!            sent                   response
//!    ready --------> awaiting ----------------------> ready
//!      ^               |  |  refused, disconnected
//!      |   timed out   |  '------------------------> backing off --.
//!      '---------------'<------------------------------------------'  after the retry back-off
//! ```
//!
//! A change of role resets all of it: every member is ready, and a response to an earlier request
//! is ignored. That request may still be in flight then; [`super::outgoing`] keeps track of it.

use crate::ids::BrokerId;
use machine::{Mono, Span};
use std::collections::BTreeMap;

/// The number of a request of this member, unique over all connections.
pub(super) type RequestId = u64;

/// The responses that are awaited. A member that is not listed is ready for a request.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    timeout: Span,
    backoff: Span,
    next: RequestId,
    busy: BTreeMap<BrokerId, Busy>,
}

#[derive(Clone, Copy, Debug)]
struct Busy {
    /// The request in flight; none while backing off.
    awaited: Option<RequestId>,
    until: Mono,
}

impl Requests {
    pub(super) fn new(timeout: Span, backoff: Span) -> Self {
        Self { timeout, backoff, next: 0, busy: BTreeMap::new() }
    }

    /// Makes members ready whose response is overdue or whose back-off has ended. A response that
    /// arrives later is ignored.
    pub(super) fn expire(&mut self, now: Mono) {
        if !self.busy.is_empty() {
            self.busy.retain(|_, busy| now < busy.until);
        }
    }

    /// When the next member becomes ready.
    pub(super) fn next_ready(&self) -> Option<Mono> {
        self.busy.values().map(|busy| busy.until).min()
    }

    pub(super) fn is_ready(&self, member: BrokerId) -> bool {
        !self.busy.contains_key(&member)
    }

    /// Whether a member still backs off, or its response is overdue (`isBackingOff`,
    /// `hasRequestTimedOut`).
    pub(super) fn has_failed(&self, now: Mono, member: BrokerId) -> bool {
        self.busy.get(&member).is_some_and(|busy| match busy.awaited {
            None => now < busy.until,
            Some(_) => busy.until <= now,
        })
    }

    /// The number of requests in flight (`hasAnyInflightRequest`).
    pub(super) fn awaited(&self) -> usize {
        self.busy.values().filter(|busy| busy.awaited.is_some()).count()
    }

    /// Records that a request leaves for a member.
    pub(super) fn on_sent(&mut self, now: Mono, member: BrokerId) -> RequestId {
        let id = self.next;
        self.next += 1;
        let replaced =
            self.busy.insert(member, Busy { awaited: Some(id), until: now + self.timeout });
        assert!(replaced.is_none(), "only a ready member is sent a request");
        id
    }

    /// Whether the response to this request is awaited.
    pub(super) fn expects(&self, member: BrokerId, id: RequestId) -> bool {
        self.busy.get(&member).is_some_and(|busy| busy.awaited == Some(id))
    }

    /// Records that a request succeeded; the next one may follow without a wait.
    pub(super) fn on_answered(&mut self, member: BrokerId, id: RequestId) {
        if self.expects(member, id) {
            self.busy.remove(&member);
        }
    }

    /// Records that a request was refused, was lost with its connection, or was never sent.
    pub(super) fn on_failed(&mut self, now: Mono, member: BrokerId, id: RequestId) {
        if self.expects(member, id) {
            self.busy.insert(member, Busy { awaited: None, until: now + self.backoff });
        }
    }

    /// Records that a request could not be sent, because the connection may not be opened before
    /// `retry_at`. Until then, Kafka tries without success after every retry back-off.
    pub(super) fn on_unreachable(
        &mut self,
        now: Mono,
        member: BrokerId,
        id: RequestId,
        retry_at: Mono,
    ) {
        if self.expects(member, id) {
            let until = retry_at.max(now + self.backoff);
            self.busy.insert(member, Busy { awaited: None, until });
        }
    }

    /// Makes every member ready and awaits no response.
    pub(super) fn reset_all(&mut self) {
        self.busy.clear();
    }
}
