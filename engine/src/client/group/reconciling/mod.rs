//! A membership of the consumer protocol (`AbstractMembershipManager`, `ConsumerMembershipManager`;
//! KIP-848, KIP-1082): the coordinator says in the responses to heartbeats what the member is to own,
//! and the member comes to it by itself.
//!
//! # States
//!
//! | state | meaning | leaves it by |
//! |---|---|---|
//! | unsubscribed | no member | the first poll: joining |
//! | joining | heartbeats with epoch 0 | a response: reconciling or stable |
//! | reconciling | the assignment is another one than what it owns | partitions given up and taken over: acknowledging |
//! | acknowledging | the next heartbeat says what it owns | that heartbeat: stable, or reconciling if there is a newer assignment |
//! | stable | it owns what it is assigned | another assignment: reconciling |
//! | fenced | the coordinator does not know it with its epoch | its partitions are released: joining |
//! | leaving | the heartbeat with epoch -1 or -2 is about to be sent | that heartbeat: unsubscribed or stale |
//! | stale | it has left because its application did not poll in time | a poll, once its partitions are released: joining |
//! | fatal | an error that no heartbeat would mend | nothing |
//!
//! # A reconciliation
//!
//! Partitions that are to be given up are not read any more. Positions are committed
//! (`enable.auto.commit`; repeated for `max.poll.interval.ms` at most), the listener runs, the partitions
//! are given up, the new ones taken over, and a heartbeat with all that the member owns acknowledges it.
//! With `enable.auto.commit` only a poll begins one, so that no positions are committed that the
//! application is still working on. An assignment that comes meanwhile is the next one.
//!
//! | error of a heartbeat | class |
//! |---|---|
//! | `NOT_COORDINATOR`, `COORDINATOR_NOT_AVAILABLE` | the coordinator is looked for again, and the heartbeat is repeated at once |
//! | `COORDINATOR_LOAD_IN_PROGRESS`, a lost connection | it is repeated after a back-off; with a joining, acknowledging or leaving member at once |
//! | `FENCED_MEMBER_EPOCH`, `UNKNOWN_MEMBER_ID` | fenced |
//! | all others | fatal, and the poll throws |
//!
//! After every error the next heartbeat says everything; otherwise each says what has changed.
//!
//! # Invariants
//!
//! - The member acknowledges an assignment only after it has given up what the assignment lacks.
//! - It joins again only after it has released all its partitions.
//! - One reconciliation is under way, and heartbeats go on meanwhile.

mod heartbeat;
mod reconcile;
mod release;

use super::GroupConsumer;
use crate::Outbox;
use crate::client::random::Random;
use crate::config::{ConsumerConfig, GroupProtocol};
use crate::fact::CommitKind;
use crate::ids::{MemberId, TopicId};
use heartbeat::{Beats, Said};
use machine::{Mono, Now};
use reconcile::Reconciliation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The epoch with which a member joins.
const JOINS: i32 = 0;
/// The epoch with which a member leaves.
const LEAVES: i32 = -1;
/// The epoch with which a static member leaves, and keeps its place.
const LEAVES_FOR_A_TIME: i32 = -2;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Unsubscribed,
    Joining,
    Reconciling,
    Acknowledging,
    Stable,
    Fenced,
    Leaving,
    Stale,
    Fatal,
}

/// Partitions as the coordinator names them. The number distinguishes an assignment from an equal one before it,
/// which has to be acknowledged as well (`LocalAssignment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Local {
    /// `None`: there is no assignment.
    number: Option<u64>,
    partitions: BTreeMap<TopicId, BTreeSet<i32>>,
}

/// A membership.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    state: State,
    /// The id that the member has given itself, the same as long as the consumer lives (KIP-1082).
    member: MemberId,
    epoch: i32,
    /// What the coordinator has assigned.
    target: Local,
    /// What the member has taken over of it.
    current: Local,
    reconciliation: Option<Reconciliation>,
    /// The member has joined again while a reconciliation was under way, which counts for nothing then.
    has_rejoined: bool,
    /// All partitions are to be released: the member is fenced or stale.
    has_to_release: bool,
    /// The names of the topics that have been assigned.
    names: BTreeMap<TopicId, Arc<str>>,
    beats: Beats,
    said: Said,
}

impl Membership {
    /// The membership of a consumer that is configured to have one.
    pub(super) fn new(config: &ConsumerConfig, random: &mut Random) -> Option<Box<Self>> {
        (config.group_protocol == GroupProtocol::Consumer).then(|| {
            Box::new(Self {
                state: State::Unsubscribed,
                member: random.base64_uuid().into(),
                epoch: JOINS,
                target: Local::default(),
                current: Local::default(),
                reconciliation: None,
                has_rejoined: false,
                has_to_release: false,
                names: BTreeMap::new(),
                beats: Beats::default(),
                said: Said::default(),
            })
        })
    }

    /// Whether the coordinator does not know it as a member, as far as it knows (`isNotInGroup`).
    fn is_out(&self) -> bool {
        use State::{Fatal, Fenced, Stale, Unsubscribed};
        matches!(self.state, Unsubscribed | Fenced | Fatal | Stale)
    }

    /// Whether it has all that it is assigned, and has said so.
    pub(super) fn is_settled(&self) -> bool {
        self.state == State::Stable && self.reconciliation.is_none()
    }

    /// Whether it needs to know its coordinator.
    pub(super) fn needs_coordinator(&self) -> bool {
        !self.is_out()
    }
}

impl GroupConsumer {
    /// What happens at any time: a reconciliation goes on, and heartbeats are sent. `has_polled`: the
    /// application is in a poll.
    pub(super) fn run_membership(&mut self, now: Now, out: &mut Outbox) {
        let Some(membership) = &mut self.membership else { return };
        let is_polling = self.is_polling && self.failure.is_none() && self.closing.is_none();
        if is_polling && membership.state == State::Unsubscribed {
            self.rejoin();
        }
        self.release_if_due(now, is_polling, out);
        self.reconcile(now, is_polling, out);
        self.commit_by_interval(now, is_polling, out);
        self.send_heartbeat(now.mono, out);
    }

    /// A poll commits positions when the interval has passed and no such commit is under way.
    fn commit_by_interval(&mut self, now: Now, is_polling: bool, out: &mut Outbox) {
        let is_due = self.config.enable_auto_commit && now.mono >= self.auto_commit_at;
        if is_polling && is_due && self.listening.is_none() && !self.commits.has_auto_commit() {
            self.auto_commit_at = now.mono + self.config.auto_commit_interval;
            self.commit_positions(now, CommitKind::Auto, out);
        }
    }

    /// The epoch of requests to commit and to fetch committed offsets: those of a consumer that is no
    /// member have none.
    fn take_epoch(&mut self, epoch: i32) {
        let Some(membership) = &mut self.membership else { return };
        membership.epoch = epoch;
        let none = super::state::Generation::NONE;
        self.generation.id = if epoch > JOINS { epoch } else { none };
        self.generation.member = Arc::clone(&membership.member);
    }

    /// When there is something to do without an input.
    pub(super) fn next_of_membership(&self, now: Mono) -> Mono {
        let Some(membership) = &self.membership else { return Mono::MAX };
        let reconciliation = membership.reconciliation.as_ref();
        let reconciliation = reconciliation.map_or(Mono::MAX, Reconciliation::next);
        let beat = match self.coordinator {
            Some(_) => membership.next_beat(self.is_polling, self.heartbeat.poll_by()),
            None => Mono::MAX,
        };
        let waits = self.config.enable_auto_commit && self.is_polling;
        let commit = if waits { self.auto_commit_at } else { Mono::MAX };
        let all = [reconciliation, beat, commit];
        all.into_iter().fold(Mono::MAX, |first, at| first.min(super::later(at, now)))
    }
}
