//! What happens to groups when nothing else does (`CoordinatorTimer`).

use crate::ids::{GroupId, MemberId};
use machine::{Mono, Span};
use std::collections::{BTreeMap, BTreeSet};

/// What is due at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Timeout {
    /// A member has been silent for its session timeout, or waits for too long.
    Session { group: GroupId, member: MemberId },
    /// The first rebalance of an empty group has waited for `delay`, and may wait for `remaining`.
    InitialJoin { group: GroupId, delay: Span, remaining: Span },
    /// Members have had the time that they may take to join.
    Join { group: GroupId },
    /// Members have had the time that they may take to sync.
    Sync { group: GroupId, generation: i32 },
    /// A timer of a member of the consumer protocol is due.
    Member { group: GroupId, member: MemberId, timer: MemberTimer },
    /// It is time to look for offsets that are too old.
    Expiration,
}

/// The name of a timer: setting it again replaces it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Session(GroupId, MemberId),
    Join(GroupId),
    Sync(GroupId),
    /// With the kind of the timer.
    Member(GroupId, MemberId, u8),
    Expiration,
}

/// A timer of a member of the consumer protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberTimer {
    /// The member has been silent for its session timeout.
    Session,
    /// The member is still in `epoch` because it has not given up partitions in time.
    Rebalance { epoch: i32 },
    /// A member of the classic protocol has not joined again in time.
    Join,
    /// A member of the classic protocol has not synced in time.
    Sync,
}

impl MemberTimer {
    /// All kinds.
    pub(super) const ALL: [Self; 4] =
        [Self::Session, Self::Rebalance { epoch: 0 }, Self::Join, Self::Sync];

    const fn kind(self) -> u8 {
        match self {
            Self::Session => 0,
            Self::Rebalance { .. } => 1,
            Self::Join => 2,
            Self::Sync => 3,
        }
    }
}

impl Timeout {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Session { group, member } => Key::Session(group.clone(), member.clone()),
            Self::InitialJoin { group, .. } | Self::Join { group } => Key::Join(group.clone()),
            Self::Sync { group, .. } => Key::Sync(group.clone()),
            Self::Member { group, member, timer } => {
                Key::Member(group.clone(), member.clone(), timer.kind())
            }
            Self::Expiration => Key::Expiration,
        }
    }
}

/// The timers of one partition of `__consumer_offsets`.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    by_key: BTreeMap<Key, (Mono, Timeout)>,
    by_time: BTreeSet<(Mono, Key)>,
}

impl Timers {
    /// Sets a timer.
    pub(super) fn set(&mut self, timeout: Timeout, at: Mono) {
        let key = timeout.key();
        self.cancel(&key);
        self.by_time.insert((at, key.clone()));
        self.by_key.insert(key, (at, timeout));
    }

    /// Sets a timer, unless it is already set.
    pub(super) fn set_if_absent(&mut self, timeout: Timeout, at: Mono) {
        if !self.by_key.contains_key(&timeout.key()) {
            self.set(timeout, at);
        }
    }

    /// Cancels a timer, if it is set.
    pub(super) fn cancel(&mut self, key: &Key) {
        if let Some((at, _)) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the timer that is due first, if one is due.
    pub(super) fn pop(&mut self, now: Mono) -> Option<Timeout> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key).map(|(_, timeout)| timeout)
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        assert_eq!(self.by_key.len(), self.by_time.len(), "each timer has one time");
    }
}
