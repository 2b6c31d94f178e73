//! An application that creates the topics of a cluster, and requests preferred elections when the
//! fault plan triggers them.

use engine::client::{Admin, AdminConfig, AdminEvent};
use engine::error::ErrorCode;
use engine::ids::{BrokerId, TopicId, TopicPartition};
use engine::protocol::{CreatableTopic, ElectionType};
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{Boot, Now, Span};
use std::collections::BTreeMap;

/// The configuration of an administering application.
#[derive(Clone, Debug)]
pub struct AdminAppConfig {
    /// The topics to create, with the number of partitions of each.
    pub topics: Vec<CreatableTopic>,
    /// The topics to create later, each with the time after the load has begun.
    pub later: Vec<(Span, CreatableTopic)>,
    /// The elections for which it may be woken: a number, and the topics; all topics if empty.
    pub elections: Vec<(u32, Vec<String>)>,
    /// `bootstrap.servers`.
    pub bootstrap: Vec<BrokerId>,
}

/// An administering application.
#[derive(Clone, Debug)]
pub struct AdminApp {
    config: Box<AdminAppConfig>,
    admin: Admin,
    /// The topics that exist.
    topics: BTreeMap<String, TopicId>,
    refused: Option<ErrorCode>,
}

const CREATE: Timer = Timer::Application(0);
/// Timers from here on are elections, by number.
const ELECTION: u32 = 1;
/// Timers from here on are topics to create later, by their place.
const LATER: u32 = 1_000_000;

/// The timer at which the load begins.
pub const LOAD_BEGINS: Timer = Timer::Application(LATER - 1);

/// The timer that wakes the application for the election with this number.
pub fn election_timer(number: u32) -> Timer {
    Timer::Application(ELECTION + number)
}

impl AdminApp {
    /// Starts, and creates the topics.
    pub fn boot(config: &AdminAppConfig, boot: Boot, out: &mut Outbox) -> Self {
        let properties = AdminConfig { request_timeout: Span::secs(1), ..AdminConfig::default() };
        let admin = Admin::new(&properties, &boot, &config.bootstrap);
        out.set_timer(CREATE, boot.now.mono);
        Self { config: Box::new(config.clone()), admin, topics: BTreeMap::new(), refused: None }
    }

    /// The names of the topics that exist already.
    pub fn topics(&self) -> &BTreeMap<String, TopicId> {
        &self.topics
    }

    /// Whether every topic exists.
    pub fn is_set_up(&self) -> bool {
        self.config.topics.iter().all(|topic| self.topics.contains_key(&topic.name))
    }

    /// The error with which a topic could not be created.
    pub fn refused(&self) -> Option<ErrorCode> {
        self.refused
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        match input {
            Input::Message { conn, message, .. } => {
                self.admin.on_message(now, conn, &message, out);
            }
            Input::Opened { conn, .. } => {
                self.admin.on_opened(now, conn, out);
            }
            Input::Closed { conn, .. } => {
                self.admin.on_closed(now, conn, out);
            }
            Input::Timer(Timer::Client(timer)) => {
                self.admin.on_timer(now, timer, out);
            }
            Input::Timer(Timer::Requests(channel)) => {
                self.admin.on_requests_timer(now, channel, out);
            }
            Input::Timer(CREATE) => {
                self.admin.create_topics(now, self.config.topics.clone(), out);
            }
            Input::Timer(LOAD_BEGINS) => {
                for (place, (at, _)) in (0..).zip(&self.config.later) {
                    out.set_timer(Timer::Application(LATER + place), now.mono + *at);
                }
            }
            Input::Timer(Timer::Application(number)) if number >= LATER => {
                if let Some((_, topic)) = self.config.later.get((number - LATER) as usize) {
                    self.admin.create_topics(now, vec![topic.clone()], out);
                }
            }
            Input::Timer(Timer::Application(number)) => self.elect(number - ELECTION, now, out),
            Input::Timer(_) => {}
            Input::Stop => out.halt(machine::Halt::Clean),
        }
        let events: Vec<AdminEvent> = self.admin.take_events().collect();
        for event in events {
            if let AdminEvent::TopicsCreated { topics, .. } = event {
                for topic in topics {
                    match topic.error {
                        // An earlier request created it: no other client does.
                        ErrorCode::None | ErrorCode::TopicAlreadyExists => {
                            self.topics.insert(topic.name, topic.topic);
                        }
                        // Brokers are still registering, and there are too few of them yet.
                        ErrorCode::InvalidReplicationFactor
                        | ErrorCode::InvalidReplicaAssignment => {
                            let mut later = (LATER..).zip(&self.config.later);
                            let its = later.find(|(_, (_, late))| late.name == topic.name);
                            let again =
                                its.map_or(CREATE, |(number, _)| Timer::Application(number));
                            out.set_timer(again, now.mono + Span::millis(20));
                        }
                        error => self.refused = Some(error),
                    }
                }
            }
        }
    }

    fn elect(&mut self, number: u32, now: Now, out: &mut Outbox) {
        let elections = &self.config.elections;
        let Some((_, names)) = elections.iter().find(|(n, _)| *n == number) else { return };
        let wanted = self.config.topics.iter().filter(|topic| names.contains(&topic.name));
        let partitions = wanted.flat_map(|topic| {
            let id = self.topics.get(&topic.name).copied().unwrap_or_default();
            let count = match topic.assignments.len() {
                0 => topic.num_partitions,
                count => count as i32,
            };
            (0..count).map(move |partition| TopicPartition::new(id, partition))
        });
        let partitions = (!names.is_empty()).then(|| partitions.collect());
        self.admin.elect_leaders(now, ElectionType::Preferred, partitions, out);
    }
}
