//! An application that shares a group's partitions with others.
//!
//! It works as one thread would: it polls, processes what the poll returned, commits as its
//! habits say, and polls again. Its consumer sends heartbeats meanwhile. An exception that no other poll would
//! change ends its consumer; after a second it begins again with another.

mod storing;
mod thread;

use super::consumer::{ConsumerAppConfig, Thrown};
use super::habits::Habits;
use super::pipeline::{InputRecord, Pipeline, PipelineConfig};
use super::report_event;
use super::seeking::{self, next_seek};
use engine::client::{
    CommitError, ConsumerError, ConsumerEvent, GroupConsumer, GroupEvent, Pattern,
};
use engine::config::ConsumerConfig;
use engine::error::ErrorCode;
use engine::ids::{GroupId, Offset, TopicPartition};
use engine::rules::Rulebook;
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{Boot, Mono, NodeId, Now, Span};
use spec::{OnRevoke, SeekTo};
use std::collections::BTreeMap;
use storing::Storing;

/// The configuration of a member.
#[derive(Clone, Debug)]
pub struct MemberAppConfig {
    /// What it reads, and when.
    pub reading: ConsumerAppConfig,
    /// The pattern by which it subscribes, instead of the names of topics.
    pub pattern: Option<Pattern>,
    /// `group.id`
    pub group: GroupId,
    /// How it works.
    pub habits: Habits,
    /// What it makes of the records.
    pub pipeline: Option<PipelineConfig>,
    /// The store in which it keeps its results and positions.
    pub store: Option<NodeId>,
}

/// An application that is a member of a group.
#[derive(Clone, Debug)]
pub struct MemberApp {
    config: Box<MemberAppConfig>,
    rules: Rulebook,
    boot: Boot,
    /// The consumer; `None` while the application is away.
    member: Option<Box<GroupConsumer>>,
    phase: Phase,
    /// How often it has polled records.
    polls: u64,
    /// The number of consumers before the present one.
    replaced: u64,
    next_commit: u64,
    began: Mono,
    /// How much longer the next records take.
    stall: Span,
    /// Where the application seeks before it polls again, in all partitions that it owns then.
    seeks_due: Vec<SeekTo>,
    /// Whether it pauses (true) or resumes (false) before it polls again what it owns then.
    pauses_due: Vec<bool>,
    /// What became of its calls that users may want to know.
    remarks: Remarks,
    /// The application closes its consumer before it polls again, and this follows.
    wanted: Option<Next>,
    /// The listener waits for this commit.
    listener_waits: Option<u64>,
    thrown: Thrown,
    /// Its producing half, if it has one.
    pipeline: Option<Box<Pipeline>>,
    /// How many results it has sent.
    results: u64,
    /// Its side of the store, if it has one.
    storing: Option<Box<Storing>>,
}

/// Calls of an application that had no effect, and errors that ended its consumers.
#[derive(Clone, Debug, Default)]
pub struct Remarks {
    /// Seeks at times at which it owned no partition.
    pub seeks_of_nothing: u32,
    /// The errors that polls threw, with their numbers.
    pub failed: BTreeMap<ErrorCode, u32>,
    /// The errors of commits, with their numbers.
    pub commits: BTreeMap<ErrorCode, u32>,
}

/// What the application's thread does.
#[derive(Clone, Debug)]
enum Phase {
    /// It has no consumer: it has not begun, has left, or has ended.
    Away,
    /// It waits until its producer can begin.
    Starting,
    /// It polls.
    Polling,
    /// It processes records, until this time.
    Processing(Work, Mono),
    /// It waits for a commit, then goes on with the records; `None`: it polls.
    Committing(u64, Option<Work>),
    /// It waits until the results of records are written, or committed with their offsets.
    Finishing(Work, bool),
    /// It waits until its store has the results of records.
    Storing(Work),
    /// It closes its consumer.
    Closing(Next),
}

/// Records that a poll has returned and that are being processed.
#[derive(Clone, Debug)]
struct Work {
    /// Each partition, with the positions before and after.
    polled: Vec<(TopicPartition, Offset, Offset)>,
    /// The records, if a store is to have their results.
    inputs: Vec<InputRecord>,
    /// How long that takes from when it goes on.
    left: Span,
    /// The application commits when this much is left.
    commit_at: Option<Span>,
    /// The application commits afterwards.
    commits_after: bool,
}

impl Work {
    /// The application begins or goes on with the records.
    fn begin(self, now: Now) -> Phase {
        let until = now.mono + self.left;
        Phase::Processing(self, until)
    }
}

/// What follows when the consumer is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The process ends.
    Halt,
    /// The application begins again after this time.
    Return(Span),
    /// The application has ended.
    End,
}

impl Next {
    /// What counts if something else is wanted as well: an application that has ended does not return,
    /// and a process that is stopped ends.
    fn then(self, other: Self) -> Self {
        match (self, other) {
            (Self::Halt, _) | (_, Self::Halt) => Self::Halt,
            (Self::End, _) | (_, Self::End) => Self::End,
            (_, later) => later,
        }
    }
}

const START: Timer = Timer::Application(0);
const STOP: Timer = Timer::Application(1);
const ASK_END: Timer = Timer::Application(2);
/// Something of processing is due.
const WORK: Timer = Timer::Application(3);
/// Timers of a kind, by index, begin here and at the multiples.
const KIND: u32 = 10_000;
const SEEK: u32 = 1;
const STALL: u32 = 2;
const LEAVE: u32 = 3;
const PAUSING: u32 = 4;
const RESUMING: u32 = 5;
/// The time from an error to the application's next consumer.
const PAUSE: Span = Span::secs(1);

impl MemberApp {
    /// Starts the application.
    pub fn boot(config: &MemberAppConfig, rules: Rulebook, boot: Boot, out: &mut Outbox) -> Self {
        let began = config.reading.began.unwrap_or(boot.now.mono);
        let app = Self {
            config: Box::new(config.clone()),
            rules,
            boot,
            member: None,
            phase: Phase::Away,
            polls: 0,
            replaced: 0,
            next_commit: 0,
            began,
            stall: Span::ZERO,
            seeks_due: Vec::new(),
            pauses_due: Vec::new(),
            remarks: Remarks::default(),
            wanted: None,
            listener_waits: None,
            thrown: Thrown::default(),
            pipeline: None,
            results: 0,
            storing: None,
        };
        out.set_timer(START, (began + config.reading.start).max(boot.now.mono));
        if let Some(stop) = config.reading.stop {
            out.set_timer(STOP, began + stop);
        }
        app.set_timers(SEEK, config.reading.seeks.len(), boot.now.mono, out);
        app.set_timers(STALL, config.habits.stalls.len(), boot.now.mono, out);
        app.set_timers(PAUSING, config.habits.pauses.len(), boot.now.mono, out);
        app.set_timers(LEAVE, config.habits.leaves.len(), boot.now.mono, out);
        app
    }

    fn set_timers(&self, kind: u32, count: usize, now: Mono, out: &mut Outbox) {
        (0..count as u32).for_each(|index| self.set_timer(kind, index, now, out));
    }

    /// Sets the timer of the next seek, stall or leave, at or after `now`.
    fn set_timer(&self, kind: u32, index: u32, now: Mono, out: &mut Outbox) {
        let (habits, place) = (&self.config.habits, index as usize);
        let at = match kind {
            SEEK => next_seek(&self.config.reading.seeks[place], self.began, now),
            STALL => habits.stalls[place].next(self.began, habits.load, now),
            PAUSING => habits.pauses[place].next(self.began, habits.load, now),
            RESUMING => return,
            _ => habits.leaves[place].next(self.began, habits.load, now),
        };
        if let Some(at) = at {
            out.set_timer(Timer::Application(kind * KIND + index), at);
        }
    }

    /// The consumer's properties.
    pub fn properties(&self) -> &ConsumerConfig {
        &self.config.reading.consumer
    }

    /// `group.id`
    pub fn group(&self) -> &GroupId {
        &self.config.group
    }

    /// The topics of its subscription, each with its number of partitions.
    pub fn topics(&self) -> &[(String, i32)] {
        &self.config.reading.topics
    }

    /// The position in a partition that it owns.
    pub fn position(&self, partition: TopicPartition) -> Option<Offset> {
        self.member.as_ref()?.consumer().position(partition)
    }

    /// Whether it owns a partition.
    pub fn reads(&self, partition: TopicPartition) -> bool {
        let owns = |member: &GroupConsumer| {
            let metadata = member.consumer().metadata();
            let mut owned = member.owned().iter().filter(|it| it.1 == partition.partition);
            owned.any(|(name, _)| metadata.topic(name).is_some_and(|it| it.id == partition.topic))
        };
        self.member.as_ref().is_some_and(|member| owns(member))
    }

    /// Whether it is part of its group or wants to be.
    pub fn is_reading(&self) -> bool {
        !matches!(self.phase, Phase::Away | Phase::Closing(_)) && self.wanted.is_none()
    }

    /// Whether it works on records that it has polled.
    pub fn is_busy(&self) -> bool {
        let is_claiming = self.storing.as_ref().is_some_and(|it| it.is_claiming());
        let is_working = matches!(
            self.phase,
            Phase::Processing(..)
                | Phase::Committing(..)
                | Phase::Finishing(..)
                | Phase::Storing(_)
        );
        is_claiming || is_working
    }

    /// Panics if the state of its producer contradicts itself.
    pub fn invariants(&self) {
        self.pipeline.iter().for_each(|pipeline| pipeline.invariants());
    }

    /// Whether it has its assignment and knows of no rebalance.
    pub fn is_settled(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.is_settled())
    }

    /// What became of its calls that users may want to know.
    pub fn remarks(&self) -> &Remarks {
        &self.remarks
    }

    /// The partitions that it does not read any more, each with the exception of its poll.
    pub fn thrown(&self) -> &BTreeMap<TopicPartition, ConsumerError> {
        &self.thrown.0
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        match input {
            Input::Timer(START) => self.begin(now, out),
            Input::Timer(STOP) => self.want(Next::End, out),
            Input::Timer(ASK_END) => self.ask_end(now, out),
            Input::Timer(WORK) => {}
            Input::Timer(Timer::Application(number)) if number >= KIND => {
                self.on_time(number, now, out);
            }
            Input::Stop => self.want(Next::Halt, out),
            input if self.on_store_input(now, &input, out) => {}
            input => {
                let member = self.member.as_mut();
                let own = member.is_some_and(|member| member.on_input(now, &input, out));
                if let Some(pipeline) = self.pipeline.as_mut().filter(|_| !own) {
                    pipeline.on_input(now, &input, out);
                }
            }
        }
        self.go_on(now, out);
    }

    /// Subscribes, with a new consumer.
    fn begin(&mut self, now: Now, out: &mut Outbox) {
        let reading = &self.config.reading;
        let is_over = reading.stop.is_some_and(|stop| self.began + stop <= now.mono);
        if is_over || !matches!(self.phase, Phase::Away) {
            return;
        }
        let entropy = self.boot.entropy.wrapping_add(self.replaced);
        let boot = Boot { entropy, now, ..self.boot };
        let named = reading.topics.iter().filter(|_| self.config.pattern.is_none());
        let topics: Vec<&str> = named.map(|(topic, _)| topic.as_str()).collect();
        let member = GroupConsumer::new(
            &reading.consumer,
            &self.config.group,
            &topics,
            self.rules,
            &boot,
            &reading.bootstrap,
            self.next_commit,
        );
        let mut member = Box::new(member);
        if let Some(pattern) = &self.config.pattern {
            member.subscribe_to(pattern.clone());
        }
        self.storing = self.config.store.map(|store| Box::new(Storing::new(store)));
        if self.storing.is_some() {
            member.listen_to_assignments();
        }
        self.member = Some(member);
        self.phase = Phase::Polling;
        if let Some(config) = &self.config.pipeline {
            let (group, bootstrap) = (&self.config.group, &reading.bootstrap);
            let mut pipeline =
                Pipeline::new(config, group, self.rules, &boot, bootstrap, self.results);
            if pipeline.start(now, out) {
                self.phase = Phase::Starting;
            }
            self.pipeline = Some(Box::new(pipeline));
        }
        self.thrown = Thrown::default();
        self.ask_end_later(now, out);
    }

    /// Closes the consumer when the application would poll next.
    fn want(&mut self, next: Next, out: &mut Outbox) {
        match &mut self.phase {
            Phase::Away if next == Next::Halt => out.halt(machine::Halt::Clean),
            Phase::Away => {}
            Phase::Closing(after) => *after = after.then(next),
            _ => self.wanted = Some(self.wanted.map_or(next, |wanted| wanted.then(next))),
        }
    }

    /// A seek, a stall or a leave is due.
    fn on_time(&mut self, number: u32, now: Now, out: &mut Outbox) {
        let (kind, index) = (number / KIND, number % KIND);
        self.set_timer(kind, index, now.mono + Span(1), out);
        let (config, place) = (&self.config, index as usize);
        match kind {
            SEEK => self.seeks_due.push(config.reading.seeks[place].to),
            STALL => self.stall_for(config.habits.stalls[place].lasts),
            PAUSING => {
                let lasts = config.habits.pauses[place].lasts;
                self.pauses_due.push(true);
                out.set_timer(Timer::Application(RESUMING * KIND + index), now.mono + lasts);
            }
            RESUMING => self.pauses_due.push(false),
            _ => self.want(Next::Return(config.habits.leaves[place].lasts), out),
        }
    }

    fn stall_for(&mut self, lasts: Span) {
        match &mut self.phase {
            Phase::Processing(_, until) => *until += lasts,
            _ => self.stall = self.stall.saturating_add(lasts),
        }
    }

    fn ask_end(&mut self, now: Now, out: &mut Outbox) {
        let Some(member) = &mut self.member else { return };
        for (topic, partitions) in &self.config.reading.topics {
            for partition in 0..*partitions {
                member.consumer_mut().request_end(now, topic, partition, out);
            }
        }
        self.ask_end_later(now, out);
    }

    fn ask_end_later(&self, now: Now, out: &mut Outbox) {
        if let Some(every) = self.config.reading.ask_end_every {
            out.set_timer(ASK_END, now.mono + every);
        }
    }

    fn on_events(&mut self, now: Now, out: &mut Outbox) {
        self.finish(now, out);
        let done = self.pipeline.as_mut().and_then(|pipeline| pipeline.advance(now, out));
        if let Some(done) = done {
            self.on_pipeline(done, now, out);
        }
        let Some(member) = &mut self.member else { return };
        let events: Vec<GroupEvent> = member.take_events().collect();
        let read: Vec<ConsumerEvent> = member.consumer_mut().take_events().collect();
        for event in read {
            self.on_read(&event, now, out);
        }
        for event in events {
            self.on_event(event, now, out);
        }
    }

    /// An event of reading.
    fn on_read(&mut self, event: &ConsumerEvent, now: Now, out: &mut Outbox) {
        if let ConsumerEvent::TimeShown { partition, offset: Some(offset), .. } = *event
            && let Some(member) = &mut self.member
        {
            let topics = &self.config.reading.topics;
            seeking::go_to(member.consumer_mut(), topics, (partition, offset), now, out);
        }
        self.thrown.on_event(event);
        report_event(event, out);
        if !self.thrown.0.is_empty() && !self.seeks_later(now.mono) {
            // Nothing handles the exception: the application ends.
            self.want(Next::End, out);
        }
    }

    /// Whether it seeks once more, which is how an application goes on after an exception.
    fn seeks_later(&self, now: Mono) -> bool {
        let mut seeks = self.config.reading.seeks.iter();
        seeks.any(|seek| next_seek(seek, self.began, now).is_some())
    }

    /// An event of the membership.
    fn on_event(&mut self, event: GroupEvent, now: Now, out: &mut Outbox) {
        let Some(member) = &mut self.member else { return };
        match event {
            GroupEvent::Revoking { why, .. } => {
                let is_lost = why.is_lost();
                if self.config.habits.on_revoke == OnRevoke::Commit && !is_lost {
                    self.listener_waits = Some(member.commit_sync(now, None, out));
                } else {
                    member.listener_returned(now, out);
                }
            }
            GroupEvent::Assigned { added } => self.on_assigned(added, now, out),
            GroupEvent::Committed { commit, error } => self.on_commit(commit, error, now, out),
            GroupEvent::Failed(error) => {
                *self.remarks.failed.entry(error).or_default() += 1;
                let next = match error {
                    ErrorCode::FencedInstanceId => Next::End,
                    _ => Next::Return(PAUSE),
                };
                self.want(next, out);
            }
            GroupEvent::Closed => self.on_closed(now, out),
        }
    }

    /// A commit has ended. An application goes on after an exception that the next poll mends.
    fn on_commit(&mut self, commit: u64, error: Option<CommitError>, now: Now, out: &mut Outbox) {
        if let Some(error) = error {
            *self.remarks.commits.entry(error.code()).or_default() += 1;
        }
        if let Some(CommitError::Fatal(error)) = error {
            let is_fenced = error == ErrorCode::FencedInstanceId;
            self.want(if is_fenced { Next::End } else { Next::Return(PAUSE) }, out);
        }
        if self.listener_waits == Some(commit) {
            self.listener_waits = None;
            if let Some(member) = &mut self.member {
                member.listener_returned(now, out);
            }
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Away) {
            Phase::Committing(awaited, work) if awaited == commit => {
                self.phase = work.map_or(Phase::Polling, |work| work.begin(now));
            }
            other => self.phase = other,
        }
    }

    fn on_closed(&mut self, now: Now, out: &mut Outbox) {
        if let Some(member) = self.member.take() {
            self.next_commit = member.next_commit();
            self.replaced += 1;
        }
        if let Some(mut pipeline) = self.pipeline.take() {
            pipeline.close(now, out);
            self.results = pipeline.count();
        }
        if let Some(mut storing) = self.storing.take() {
            storing.close(out);
        }
        self.listener_waits = None;
        if let Phase::Closing(next) = std::mem::replace(&mut self.phase, Phase::Away) {
            match next {
                Next::Halt => out.halt(machine::Halt::Clean),
                Next::Return(after) => out.set_timer(START, now.mono + after),
                Next::End => {}
            }
        }
    }
}
