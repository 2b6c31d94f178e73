//! Client applications, which use Kafka's clients. Each is a state machine in a process of its own,
//! so that it crashes or pauses with its node, and its clone is a clone of its state.

mod admin;
mod again;
mod arrivals;
mod consumer;
mod habits;
mod member;
mod pipeline;
mod producer;
mod reader;
mod seeking;
mod store;
mod transactional;
mod transactions;

pub use admin::{AdminApp, AdminAppConfig, LOAD_BEGINS, election_timer};
pub use again::Repeats;
pub use arrivals::{Arrival, Arrivals, Schedule, producer_of, record_number, write_value};
pub use consumer::{ConsumerApp, ConsumerAppConfig};
pub use habits::{Absence, Habits};
pub use member::{MemberApp, MemberAppConfig, Remarks};
pub use pipeline::PipelineConfig;
pub use producer::{Owed, ProducerApp, ProducerAppConfig};
pub use reader::{ReaderApp, ReaderAppConfig};
pub use store::{StoreApp, StoreAppConfig};
pub use transactional::TransactionalApp;
pub use transactions::Transactions;

use engine::client::{ConsumerEvent, Polled};
use engine::fact::{ClientFact, Fact};
use engine::ids::{Offset, TopicPartition};
use engine::rules::Rulebook;
use engine::{Input, Outbox};
use machine::{Boot, Mono, Now};

/// A client application.
#[derive(Clone, Debug)]
pub enum Application {
    /// Sends records.
    Producer(Box<ProducerApp>),
    /// Sends records in transactions.
    Transactional(Box<TransactionalApp>),
    /// Reads during the load.
    Consumer(Box<ConsumerApp>),
    /// Reads during the load what its group assigns to it.
    Member(Box<MemberApp>),
    /// Creates topics and requests elections.
    Admin(Box<AdminApp>),
    /// Reads everything back after the load.
    Reader(Box<ReaderApp>),
    /// Keeps the results and positions of members.
    Store(StoreApp),
}

/// The configuration of an application.
#[derive(Clone, Debug)]
pub enum ApplicationConfig {
    /// See [`ProducerApp`], and [`TransactionalApp`] if it has [`ProducerAppConfig::transactions`].
    Producer(ProducerAppConfig),
    /// See [`ConsumerApp`].
    Consumer(ConsumerAppConfig),
    /// See [`MemberApp`].
    Member(Box<MemberAppConfig>),
    /// See [`AdminApp`].
    Admin(AdminAppConfig),
    /// See [`ReaderApp`].
    Reader(ReaderAppConfig),
    /// See [`StoreApp`].
    Store(StoreAppConfig),
}

impl ApplicationConfig {
    /// How many records a producer is to send.
    pub fn due(&self) -> u64 {
        match self {
            Self::Producer(config) => config.schedule.due(),
            Self::Consumer(_)
            | Self::Member(_)
            | Self::Admin(_)
            | Self::Reader(_)
            | Self::Store(_) => 0,
        }
    }

    /// Sets when the load began, on the host's monotonic clock. Times of a schedule count from
    /// then, in all lives of the application.
    pub fn set_began(&mut self, began: Mono) {
        match self {
            Self::Producer(config) => config.began = Some(began),
            Self::Consumer(config) => config.began = Some(began),
            Self::Member(config) => config.reading.began = Some(began),
            Self::Admin(_) | Self::Reader(_) | Self::Store(_) => {}
        }
    }
}

impl Application {
    /// Starts an application.
    pub fn boot(config: &ApplicationConfig, rules: Rulebook, boot: Boot, out: &mut Outbox) -> Self {
        match config {
            ApplicationConfig::Producer(config) => match &config.transactions {
                None => Self::Producer(Box::new(ProducerApp::boot(config, rules, boot, out))),
                Some(transactions) => {
                    let app = TransactionalApp::boot(config, transactions, rules, boot, out);
                    Self::Transactional(Box::new(app))
                }
            },
            ApplicationConfig::Consumer(config) => {
                Self::Consumer(Box::new(ConsumerApp::boot(config, rules, boot, out)))
            }
            ApplicationConfig::Member(config) => {
                Self::Member(Box::new(MemberApp::boot(config, rules, boot, out)))
            }
            ApplicationConfig::Admin(config) => {
                Self::Admin(Box::new(AdminApp::boot(config, boot, out)))
            }
            ApplicationConfig::Reader(config) => {
                Self::Reader(Box::new(ReaderApp::boot(config, rules, boot, out)))
            }
            ApplicationConfig::Store(config) => Self::Store(StoreApp::boot(config)),
        }
    }

    /// Handles an input.
    #[inline]
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        match self {
            Self::Producer(app) => app.handle(now, input, out),
            Self::Transactional(app) => app.handle(now, input, out),
            Self::Consumer(app) => app.handle(now, input, out),
            Self::Member(app) => app.handle(now, input, out),
            Self::Admin(app) => app.handle(now, input, out),
            Self::Reader(app) => app.handle(now, input, out),
            Self::Store(app) => app.handle(&input, out),
        }
    }

    /// The position of a reading application in a partition, if it has one.
    pub fn position(&self, partition: TopicPartition) -> Option<Offset> {
        match self {
            Self::Consumer(app) => app.position(partition),
            Self::Member(app) => app.position(partition),
            Self::Reader(app) => app.position(partition),
            Self::Producer(_) | Self::Transactional(_) | Self::Admin(_) | Self::Store(_) => None,
        }
    }

    /// The remaining work of a producing application.
    pub fn owes(&self) -> Option<Owed> {
        match self {
            Self::Producer(app) => app.owes(),
            Self::Transactional(app) => app.owes(),
            Self::Consumer(_)
            | Self::Member(_)
            | Self::Admin(_)
            | Self::Reader(_)
            | Self::Store(_) => None,
        }
    }

    /// Panics if the state of a producer contradicts itself.
    pub fn invariants(&self) {
        match self {
            Self::Producer(app) => app.invariants(),
            Self::Transactional(app) => app.invariants(),
            Self::Member(app) => app.invariants(),
            Self::Consumer(_) | Self::Admin(_) | Self::Reader(_) | Self::Store(_) => {}
        }
    }
}

/// Passes an input to a consumer.
fn to_consumer(consumer: &mut engine::client::Consumer, now: Now, input: &Input, out: &mut Outbox) {
    use engine::timer::Timer;
    match input {
        Input::Message { conn, message, .. } => {
            consumer.on_message(now, *conn, message, out);
        }
        Input::Opened { conn, .. } => {
            consumer.on_opened(now, *conn, out);
        }
        Input::Closed { conn, .. } => {
            consumer.on_closed(now, *conn, out);
        }
        Input::Timer(Timer::Client(timer)) => {
            consumer.on_timer(now, *timer, out);
        }
        Input::Timer(Timer::Requests(channel)) => {
            consumer.on_requests_timer(now, *channel, out);
        }
        Input::Timer(_) => {}
        Input::Stop => out.halt(machine::Halt::Clean),
    }
}

/// Reports the result of a poll.
fn report_polled(polled: Polled, out: &mut Outbox) {
    let Polled { partition, from, to, batches, .. } = polled;
    out.observe(Fact::Client(ClientFact::Delivered { partition, from, to, batches }));
}

/// Reports an event of a consumer.
fn report_event(event: &ConsumerEvent, out: &mut Outbox) {
    let fact = match *event {
        ConsumerEvent::Positioned { partition, from, to, why } => {
            ClientFact::Positioned { partition, from, to, why }
        }
        ConsumerEvent::EndShown { partition, offset, broker, question } => {
            ClientFact::EndShown { partition, offset, broker, question }
        }
        ConsumerEvent::TimeShown { partition, timestamp, offset, broker } => {
            ClientFact::TimeShown { partition, timestamp, offset, broker }
        }
        ConsumerEvent::Error { partition, error } if error.ends_reading() => {
            ClientFact::Threw { partition, exception: error.exception() }
        }
        // The consumer tries again.
        ConsumerEvent::Error { .. } => return,
    };
    out.observe(Fact::Client(fact));
}
