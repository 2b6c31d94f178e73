//! A consumer that is a member of a group, classic protocol (`ClassicKafkaConsumer.subscribe`,
//! `ConsumerCoordinator`, `AbstractCoordinator`; KIP-62, KIP-345, KIP-394, KIP-429). With
//! `group.protocol=consumer` it has the protocol of KIP-848 (`reconciling/`), and of what follows only
//! commits, committed offsets, the look-up of the coordinator and closing.
//!
//! It is a [`Consumer`], which fetches and keeps positions, and a membership, which says what it reads.
//!
//! # States
//!
//! | state | meaning | leaves it by |
//! |---|---|---|
//! | unjoined | no member, or no member any more | a poll, which joins |
//! | preparing | JoinGroup is sent, or about to be sent again | its response: completing |
//! | completing | the member has a generation and waits for its assignment (SyncGroup) | the assignment: stable; `REBALANCE_IN_PROGRESS`: preparing |
//! | stable | the member has its assignment | a heartbeat that says the group rebalances, a changed topic: preparing, by the next poll |
//!
//! `UNKNOWN_MEMBER_ID`, `ILLEGAL_GENERATION` and `FENCED_INSTANCE_ID` lead from every state to unjoined,
//! and so does an application that does not poll within `max.poll.interval.ms`.
//!
//! # Inputs
//!
//! Two threads share a consumer in Kafka. What the application's thread does happens here while the
//! application *polls*: from [`GroupConsumer::poll`] until a poll returns records or its listener is
//! called. Only then are partitions given up, JoinGroup sent, assignments taken over, committed offsets
//! fetched and positions committed by interval. What the heartbeat thread does happens at any time:
//! heartbeats, finding the coordinator, leaving after `max.poll.interval.ms`; and responses are handled
//! when they come, so that a member syncs while its application is busy.
//!
//! A rebalance: positions are committed (`enable.auto.commit`), the listener runs, partitions are given
//! up (all of them with an eager assignor), JoinGroup, the leader assigns, SyncGroup, the assignment is
//! taken over, its committed offsets are fetched. A cooperative member gives up what the assignment
//! lacks, and then joins once more.
//!
//! A member that subscribes by pattern asks for the metadata of all topics. Each time that it learns new
//! metadata, its subscription becomes the topics that match; if that is not what it joined with, it
//! joins again, with metadata that is refreshed before. So a member that does not lead the group may begin the
//! rebalance that brings in a new topic.
//!
//! | error | class |
//! |---|---|
//! | `COORDINATOR_NOT_AVAILABLE`, `NOT_COORDINATOR`, a lost connection | the coordinator is looked for again |
//! | `COORDINATOR_LOAD_IN_PROGRESS`, `UNSTABLE_OFFSET_COMMIT`, `UNKNOWN_TOPIC_OR_PARTITION` of a commit | the request is repeated after a back-off |
//! | `MEMBER_ID_REQUIRED`, `REBALANCE_IN_PROGRESS`, `UNKNOWN_MEMBER_ID`, `ILLEGAL_GENERATION` | the member joins again at once |
//! | `FENCED_INSTANCE_ID` and all others | the poll throws ([`GroupEvent::Failed`]); the application has to close the consumer |
//!
//! # Invariants
//!
//! - The member owns what the consumer reads, no more and no less.
//! - It owns partitions only with the generation in which it got them; a cooperative member keeps them
//!   until an assignment lacks them.
//! - No request goes out without a coordinator, and heartbeats only in completing and stable.
//! - A listener is running or the member joins, not both.
//!
//! # Left out
//!
//! Racks, and a limit to the time of a poll. Finding the coordinator shares the
//! connections of the membership; in Kafka those of the fetcher.

mod assign;
mod commit;
mod coordinator;
mod heartbeat;
mod join;
mod leave;
mod offsets;
mod rebalance;
mod reconciling;
mod state;
mod subscription;
#[cfg(test)]
mod tests;

pub use state::{CommitError, GroupEvent, GroupMetadata};

use super::consumer::{Consumer, Polled};
use super::pattern::Pattern;
use super::random::{Backoff, Random};
use crate::config::ConsumerConfig;
use crate::error::ErrorCode;
use crate::fact::{ClientFact, Fact, MemberFact};
use crate::ids::{BrokerId, GroupId, TopicPartition};
use crate::net::{ChannelConfig, Channels};
use crate::protocol::NamedPartition;
use crate::rules::Rulebook;
use crate::rules::member::HandOut;
use crate::timer::{Channel, ClientTimer, Timer};
use crate::{Input, Outbox};
use assign::Snapshot;
use commit::Commits;
use coordinator::Lookup;
use heartbeat::Heartbeat;
use join::Join;
use leave::Closing;
use machine::{Boot, Mono, NodeId, Now, Span};
use offsets::Committed;
use rebalance::{Listening, Prepare};
use reconciling::Membership;
use state::{Context, Generation, MemberState, Memory};
use std::sync::Arc;
use subscription::Refreshed;

/// The stream of a member's random choices.
const STREAM: u64 = 4;
/// `max.in.flight.requests.per.connection` as consumers have it.
const MAX_IN_FLIGHT: usize = 100;

/// A consumer that is a member of a group.
#[derive(Clone, Debug)]
pub struct GroupConsumer {
    consumer: Consumer,
    config: ConsumerConfig,
    group: GroupId,
    client_id: Arc<str>,
    rules: Rulebook,
    node: NodeId,
    random: Random,
    backoff: Backoff,
    channels: Channels<Context>,
    /// The subscription.
    topics: Vec<Arc<str>>,
    /// The pattern that decides the subscription.
    pattern: Option<Pattern>,
    /// The subscription with which the member joined last.
    joined_topics: Option<Vec<Arc<str>>>,
    /// Whether metadata is refreshed for the next join, for a subscription by pattern.
    refreshed: Refreshed,
    coordinator: Option<NodeId>,
    lookup: Lookup,
    state: MemberState,
    generation: Generation,
    /// The member has to join again.
    needs_rejoin: bool,
    /// Partitions have to be given up before the next join.
    needs_prepare: bool,
    prepare: Prepare,
    join: Join,
    /// The listener of the application runs.
    listening: Option<Listening>,
    /// The listener is called when partitions are assigned, too.
    listens_to_assignments: bool,
    heartbeat: Heartbeat,
    /// The membership, if it is one of the consumer protocol.
    membership: Option<Box<Membership>>,
    /// What the member owns, and the membership in which it got that.
    owned: Vec<NamedPartition>,
    owned_in: Generation,
    /// The error that ended the last membership; `None`: its application did not poll in time.
    ended_by: Option<ErrorCode>,
    /// What the assignors remember.
    memory: Memory,
    /// Of a leader: what it has assigned from.
    snapshot: Option<Snapshot>,
    metadata_seen: u64,
    commits: Commits,
    /// When positions are committed by interval.
    auto_commit_at: Mono,
    committed: Committed,
    /// The application is in a poll.
    is_polling: bool,
    closing: Option<Closing>,
    /// The error that the next poll throws.
    failure: Option<ErrorCode>,
    armed: Mono,
    events: Vec<GroupEvent>,
}

impl GroupConsumer {
    /// A consumer of the process that `boot` starts, which subscribes to topics and joins with the
    /// first poll. Its commits are numbered from `first_commit`, so that numbers of several consumers
    /// of a process can differ.
    pub fn new(
        config: &ConsumerConfig,
        group: &GroupId,
        topics: &[&str],
        rules: Rulebook,
        boot: &Boot,
        bootstrap: &[BrokerId],
        first_commit: u64,
    ) -> Self {
        let mut consumer = Consumer::new(config, rules, boot, bootstrap);
        topics.iter().for_each(|topic| consumer.add_topic(topic));
        let channel_config = ChannelConfig {
            max_in_flight: MAX_IN_FLIGHT,
            reconnect_backoff: config.reconnect_backoff,
            reconnect_backoff_max: config.reconnect_backoff_max,
            setup_timeout: config.connection_setup_timeout,
        };
        let mut random = Random::new(boot.entropy, STREAM);
        let membership = Membership::new(config, &mut random);
        Self {
            consumer,
            group: Arc::clone(group),
            client_id: format!("consumer-{group}-{}", boot.node.node).into(),
            rules,
            node: boot.node,
            random,
            backoff: Backoff { initial: config.retry_backoff, max: config.retry_backoff_max },
            channels: Channels::new(Channel::Group, channel_config),
            topics: topics.iter().map(|topic| Arc::from(*topic)).collect(),
            pattern: None,
            joined_topics: None,
            refreshed: Refreshed::No,
            coordinator: None,
            lookup: Lookup::default(),
            state: MemberState::Unjoined,
            generation: Generation::default(),
            needs_rejoin: true,
            needs_prepare: true,
            prepare: Prepare::NotBegun,
            join: Join::None,
            listening: None,
            listens_to_assignments: false,
            heartbeat: Heartbeat::new(config),
            membership,
            owned: Vec::new(),
            owned_in: Generation::default(),
            ended_by: None,
            memory: Memory::default(),
            snapshot: None,
            metadata_seen: 0,
            commits: Commits::new(first_commit),
            auto_commit_at: boot.now.mono + config.auto_commit_interval,
            committed: Committed::default(),
            is_polling: false,
            closing: None,
            failure: None,
            armed: Mono::MAX,
            events: Vec::new(),
            config: config.clone(),
        }
    }

    /// The consumer that reads what the group assigns.
    pub fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// The same, for its events and for seeks.
    pub fn consumer_mut(&mut self) -> &mut Consumer {
        &mut self.consumer
    }

    /// What a producer needs to commit offsets of the group in its transactions (KIP-447).
    pub fn group_metadata(&self) -> GroupMetadata {
        // An epoch counts at once, a generation only with its assignment.
        let of = match self.membership {
            Some(_) => &self.generation,
            None => &self.owned_in,
        };
        GroupMetadata {
            group: Arc::clone(&self.group),
            generation: of.id,
            member: Arc::clone(&of.member),
            instance: self.config.group_instance_id.0.clone(),
        }
    }

    /// The partitions that the member owns.
    pub fn owned(&self) -> &[NamedPartition] {
        &self.owned
    }

    /// Whether the member has its assignment, has taken it over, and knows of no rebalance.
    pub fn is_settled(&self) -> bool {
        if let Some(membership) = &self.membership {
            return membership.is_settled() && self.listening.is_none();
        }
        self.state == MemberState::Stable && !self.needs_rejoin && matches!(self.join, Join::None)
    }

    /// The number that the next commit gets.
    pub fn next_commit(&self) -> u64 {
        self.commits.next
    }

    /// The application polls, or goes on polling: it joins, takes over assignments, and gets records.
    /// A poll that returns records is over; one that returns none goes on with every input, until the
    /// application calls this again after the input and it returns records, or until
    /// [`GroupEvent::Revoking`] or [`GroupEvent::Failed`].
    pub fn poll(&mut self, now: Now, out: &mut Outbox) -> Vec<Polled> {
        if self.closing.is_some() || self.listening.is_some() || self.failure.is_some() {
            self.run(now, out);
            return Vec::new();
        }
        self.is_polling = true;
        self.heartbeat.polled(now.mono);
        self.run(now, out);
        let hand_out = HandOut { is_revoking: self.is_revoking() };
        if !self.is_polling || !self.consumer.has_records() || !self.rules.hands_out(out, hand_out)
        {
            return Vec::new();
        }
        let polled = self.consumer.poll(now, out);
        if polled.iter().any(|polled| polled.records > 0) {
            self.is_polling = false;
        }
        polled
    }

    /// Positions are being committed before all partitions are given up.
    fn is_revoking(&self) -> bool {
        let is_eager = !self.config.assignors.are_cooperative();
        is_eager && matches!(self.prepare, Prepare::Committing { .. } | Prepare::Waiting { .. })
    }

    /// What has happened since it was last asked, in order.
    pub fn take_events(&mut self) -> std::vec::Drain<'_, GroupEvent> {
        self.events.drain(..)
    }

    /// Whether there are events to take, of the membership or of reading.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty() || self.consumer.has_events()
    }

    /// Handles an input of the process. Returns whether it was one of this client.
    pub fn on_input(&mut self, now: Now, input: &Input, out: &mut Outbox) -> bool {
        let own = match input {
            Input::Message { conn, message, .. } => {
                self.consumer.on_message(now, *conn, message, out)
                    || self.on_response(now, *conn, message, out)
            }
            Input::Opened { conn, .. } => {
                self.consumer.on_opened(now, *conn, out) || self.channels.on_opened(*conn).is_some()
            }
            Input::Closed { conn, .. } => {
                self.consumer.on_closed(now, *conn, out) || self.on_closed(now.mono, *conn, out)
            }
            Input::Timer(Timer::Client(ClientTimer::Group)) => {
                self.armed = Mono::MAX;
                true
            }
            Input::Timer(Timer::Requests(Channel::Group)) => {
                for lost in self.channels.on_timer(now.mono, out) {
                    self.on_lost(now.mono, lost, out);
                }
                true
            }
            Input::Timer(Timer::Client(timer)) => self.consumer.on_timer(now, *timer, out),
            Input::Timer(Timer::Requests(channel)) => {
                self.consumer.on_requests_timer(now, *channel, out)
            }
            Input::Timer(_) | Input::Stop => false,
        };
        if own {
            self.run(now, out);
        }
        own
    }

    /// Does all that can be done now, and sets the timer for the rest.
    fn run(&mut self, now: Now, out: &mut Outbox) {
        self.consumer.refresh_metadata(now, out);
        if self.membership.is_some() {
            if self.needs_coordinator() {
                self.look_up(now.mono, out);
            }
            self.run_membership(now, out);
        } else {
            self.run_classic(now, out);
        }
        self.send_commits(now.mono, out);
        self.go_on_closing(now, out);
        self.fetch_committed(now.mono, out);
        // The topics of other members may have come to be of interest.
        self.consumer.refresh_metadata(now, out);
        self.arm(now.mono, out);
    }

    fn run_classic(&mut self, now: Now, out: &mut Outbox) {
        self.notice_metadata(out);
        self.beat(now.mono, out);
        if self.needs_coordinator() {
            self.look_up(now.mono, out);
        }
        self.assign_when_known(now.mono, out);
        if self.is_polling && self.failure.is_none() {
            self.coordinate(now, out);
        }
    }

    fn needs_coordinator(&self) -> bool {
        let is_closing = self.closing.as_ref().is_some_and(Closing::needs_coordinator);
        if let Some(membership) = &self.membership
            && membership.needs_coordinator()
            && self.closing.is_none()
        {
            return true;
        }
        self.is_polling && self.failure.is_none()
            || is_closing
            || self.heartbeat.is_enabled
            || self.commits.are_pending()
    }

    /// The error that the poll throws: the application has to close the consumer.
    fn fail(&mut self, error: ErrorCode) {
        self.is_polling = false;
        self.failure = Some(error);
        self.events.push(GroupEvent::Failed(error));
    }

    fn arm(&mut self, now: Mono, out: &mut Outbox) {
        let mut wake = self.heartbeat.next(now, self.coordinator.is_some(), self.is_polling);
        if self.needs_coordinator() && self.coordinator.is_none() {
            wake = wake.min(later(self.lookup.not_before, now));
        }
        if let Some(node) = self.coordinator {
            wake = wake.min(later(self.channels.not_before(node), now));
        }
        if self.membership.is_some() {
            wake = wake.min(self.next_of_membership(now));
        } else if self.is_polling {
            wake = wake.min(self.next_of_rebalance(now));
            if self.config.enable_auto_commit && self.is_settled() {
                wake = wake.min(later(self.auto_commit_at, now));
            }
        }
        wake = wake.min(later(self.committed.not_before, now));
        wake = wake.min(self.commits.next_due(now)).min(self.next_of_closing(now));
        if wake < self.armed {
            self.armed = wake;
            out.set_timer(Timer::Client(ClientTimer::Group), wake);
        }
    }

    /// The ids of partitions whose topics are known.
    fn ids<'a>(
        &'a self,
        partitions: impl IntoIterator<Item = &'a NamedPartition>,
    ) -> Vec<TopicPartition> {
        partitions.into_iter().filter_map(|it| self.consumer.id_of(it)).collect()
    }

    fn observe(&self, fact: MemberFact, out: &mut Outbox) {
        out.observe(Fact::Client(ClientFact::Member(fact)));
    }

    /// `retry.backoff.ms`, after which a failed join is repeated.
    fn pause(&self) -> Span {
        self.config.retry_backoff
    }
}

/// A time to wake up at, unless it has passed.
fn later(at: Mono, now: Mono) -> Mono {
    if at > now { at } else { Mono::MAX }
}
