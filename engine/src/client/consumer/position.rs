//! The position of a consumer in each partition (`SubscriptionState`).

use super::buffer::Buffered;
use crate::config::Reset;
use crate::fact::Positioning;
use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use machine::{Mono, NodeId};

/// The offset of the next record to return, and the epochs of the log below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The offset.
    pub(super) offset: Offset,
    /// The leader epoch of the last record before it, if it is known (KIP-320).
    pub(super) offset_epoch: Option<LeaderEpoch>,
    /// The leader epoch in which the position was validated; `None` if it was not validated yet.
    pub(super) leader_epoch: Option<LeaderEpoch>,
}

impl Position {
    /// Moves past records of `epoch`.
    pub(super) fn advance(&mut self, offset: Offset, epoch: Option<LeaderEpoch>) {
        self.offset = offset;
        self.offset_epoch = epoch.or(self.offset_epoch);
    }
}

/// The step that has to precede fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The metadata of the topic has to arrive.
    Unresolved,
    /// The offset that the group has committed has to come.
    Initializing,
    /// The leader has to return the offset to start from.
    Resetting {
        /// Earliest or latest.
        to: Reset,
        /// The reason for the reset.
        why: Positioning,
    },
    /// The leader has to confirm that its log has not been truncated below the position (KIP-320).
    Validating {
        /// The leader's epoch.
        under: LeaderEpoch,
    },
    /// None: records can be fetched.
    Reading,
    /// The application has to seek: an error was reported.
    Stopped,
}

/// An assigned partition.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    /// The topic's name.
    pub(super) topic: String,
    /// The partition's index.
    pub(super) index: i32,
    /// The partition, once the topic is known.
    pub(super) partition: TopicPartition,
    /// The leader, as far as known, and its epoch.
    pub(super) leader: Option<(NodeId, LeaderEpoch)>,
    /// The position; only in [`State::Reading`] records can be fetched from it.
    pub(super) position: Option<Position>,
    /// The step that has to precede fetching.
    pub(super) state: State,
    /// The position of a seek that was made before the topic was known.
    pub(super) start: Option<(Offset, Option<LeaderEpoch>)>,
    /// The number of the last move; responses to requests with an earlier number are stale.
    pub(super) stamp: u64,
    /// Whether a reset or validation is in flight.
    pub(super) asked: bool,
    /// The number of failures in a row.
    pub(super) failures: u32,
    /// No retry is sent before this time.
    pub(super) not_before: Mono,
    /// Records that were fetched but not yet polled.
    pub(super) buffered: Option<Buffered>,
    /// The request of the application for the end offset.
    pub(super) end: End,
    /// The request of the application for the offset of a timestamp.
    pub(super) time: Time,
    /// The end of the readable records according to the last fetch.
    pub(super) readable_end: Option<Offset>,
    /// It is going to be given up, and not read any more (`markPendingRevocation`).
    pub(super) is_revoked: bool,
    /// The application has paused it: it is neither fetched nor handed out, and keeps its position
    /// and what is buffered.
    pub(super) is_paused: bool,
    /// Its place in the assignment changes.
    pub(super) has_moved: bool,
}

/// The state of a request for the first record of a time or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// There is none.
    NotWanted,
    /// To be sent, for this timestamp in milliseconds.
    Wanted(i64),
    /// In flight.
    Asked(i64),
}

/// The state of a request for the end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There is none.
    NotWanted,
    /// To be sent.
    Wanted,
    /// In flight.
    Asked,
}

impl Assigned {
    pub(super) fn new(topic: &str, index: i32, stamp: u64) -> Self {
        Self {
            topic: topic.to_owned(),
            index,
            partition: TopicPartition::default(),
            leader: None,
            position: None,
            state: State::Unresolved,
            start: None,
            stamp,
            asked: false,
            failures: 0,
            not_before: Mono::default(),
            buffered: None,
            end: End::NotWanted,
            time: Time::NotWanted,
            readable_end: None,
            is_revoked: false,
            is_paused: false,
            has_moved: false,
        }
    }

    /// Whether its topic is known.
    pub(super) fn is_resolved(&self) -> bool {
        self.state != State::Unresolved
    }

    /// Whether there is a request for the leader, once it is known and the back-off has ended.
    pub(super) fn has_question(&self) -> bool {
        let of_state =
            matches!(self.state, State::Resetting { .. } | State::Validating { .. }) && !self.asked;
        of_state || self.end == End::Wanted || matches!(self.time, Time::Wanted(_))
    }

    /// Changes to `state`; responses to requests in flight become stale.
    pub(super) fn turn(&mut self, state: State, stamp: u64) {
        self.state = state;
        self.stamp = stamp;
        self.asked = false;
        self.failures = 0;
        self.not_before = Mono::default();
        self.buffered = None;
    }

    /// Takes up a position. It is validated before the first fetch, if the epoch of the record
    /// before it is known.
    pub(super) fn take_position(&mut self, position: Position, stamp: u64) -> Option<Offset> {
        let before = self.position.map(|position| position.offset);
        self.position = Some(position);
        self.turn(State::Reading, stamp);
        before
    }

    /// The leader to fetch from next, if records are buffered that a poll would hand out.
    pub(super) fn buffered_at(&self) -> Option<NodeId> {
        let is_fetchable = self.state == State::Reading && !self.is_paused;
        let is_buffered = self.buffered.is_some() && is_fetchable;
        self.leader.filter(|_| is_buffered).map(|(node, _)| node)
    }

    /// The leader to fetch from, its epoch and the position, if records can be fetched now.
    pub(super) fn fetchable(&self, now: Mono) -> Option<(NodeId, LeaderEpoch, Offset)> {
        let (node, epoch) = self.leader?;
        let is_read = self.state == State::Reading && !self.is_revoked && !self.is_paused;
        let ready = is_read && self.buffered.is_none() && self.not_before <= now;
        ready.then_some((node, epoch, self.position?.offset))
    }
}
