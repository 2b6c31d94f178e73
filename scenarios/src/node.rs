//! The process on a node: a broker, a controller or a client application.
//!
//! It is an enum, not a trait object, so that a world is plain data and can be cloned.

use crate::museum::provoked::Provoked;
use crate::workload::{Application, ApplicationConfig};
use engine::broker::{Broker, BrokerSettings};
use engine::controller::{Controller, ControllerSettings};
use engine::ids::TopicPartition;
use engine::protocol::Message;
use engine::rules::Rulebook;
use engine::{Input, Kafka, Outbox};
use machine::{Boot, Disk, Halt, Lane, Marks, Now, Output, Process};

/// A process on a node.
#[derive(Clone, Debug)]
pub enum Node {
    /// A broker.
    Broker(Box<Broker>),
    /// A controller.
    Controller(Box<Controller>),
    /// A client application.
    Client(Box<Application>),
    /// Any of these, which panics on request.
    Provoked(Box<Provoked>),
}

/// The configuration of a node.
#[derive(Clone, Debug)]
pub enum NodeConfig {
    /// A broker.
    Broker(Box<BrokerSettings>),
    /// A controller.
    Controller(Box<ControllerSettings>),
    /// A client application, with the rules that its clients follow.
    Client(Box<ApplicationConfig>, Box<Rulebook>),
    /// Any of these, which is to panic.
    Provoked(Box<NodeConfig>),
}

impl Node {
    /// The broker, if it is one.
    pub fn broker(&self) -> Option<&Broker> {
        match self {
            Self::Broker(broker) => Some(broker),
            Self::Provoked(provoked) => provoked.node.broker(),
            _ => None,
        }
    }

    /// The controller, if it is one.
    pub fn controller(&self) -> Option<&Controller> {
        match self {
            Self::Controller(controller) => Some(controller),
            Self::Provoked(provoked) => provoked.node.controller(),
            _ => None,
        }
    }

    /// The application, if it is one.
    pub fn client(&self) -> Option<&Application> {
        match self {
            Self::Client(client) => Some(client),
            Self::Provoked(provoked) => provoked.node.client(),
            _ => None,
        }
    }
}

/// Records the errors in responses that are about to be sent.
#[inline]
fn mark_errors(out: &mut Outbox) {
    let mut marks = Marks::default();
    for output in out.outputs() {
        if let Output::Send { message: Message::Response { body, .. }, .. } = output {
            body.errors(|error| marks.set(error.mark()));
        }
    }
    out.mark_all(marks);
}

impl Process for Node {
    type Vocabulary = Kafka;
    type Config = NodeConfig;

    fn boot(
        config: &NodeConfig,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Self, Halt> {
        Ok(match config {
            NodeConfig::Broker(config) => {
                Self::Broker(Box::new(Broker::boot(config, boot, disk, out)?))
            }
            NodeConfig::Controller(config) => {
                Self::Controller(Box::new(Controller::boot(config, boot, disk, out)?))
            }
            NodeConfig::Client(config, rules) => {
                Self::Client(Box::new(Application::boot(config, **rules, boot, out)))
            }
            NodeConfig::Provoked(config) => {
                Self::Provoked(Box::new(Provoked::boot(config, boot, disk, out)?))
            }
        })
    }

    #[inline]
    fn handle(&mut self, now: Now, input: Input, disk: &mut dyn Disk, out: &mut Outbox) {
        match self {
            Self::Broker(broker) => broker.handle(now, input, disk, out),
            Self::Controller(controller) => controller.handle(now, input, disk, out),
            Self::Client(client) => return client.handle(now, input, out),
            Self::Provoked(provoked) => provoked.handle(now, input, disk, out),
        }
        mark_errors(out);
    }

    #[inline]
    fn lane(&self, input: &Input) -> Lane {
        match self {
            Self::Broker(broker) => broker.lane(input),
            Self::Controller(controller) => controller.lane(input),
            // An application has one thread.
            Self::Client(_) => Lane::Request,
            Self::Provoked(provoked) => provoked.node.lane(input),
        }
    }

    #[inline]
    fn locks(&self, input: &Input, locks: &mut Vec<TopicPartition>) {
        match self {
            Self::Broker(broker) => broker.locks(input, locks),
            Self::Controller(controller) => controller.locks(input, locks),
            Self::Client(_) => {}
            Self::Provoked(provoked) => provoked.node.locks(input, locks),
        }
    }

    fn invariants(&self) {
        match self {
            Self::Broker(broker) => broker.invariants(),
            Self::Controller(controller) => controller.invariants(),
            Self::Client(client) => client.invariants(),
            Self::Provoked(provoked) => provoked.node.invariants(),
        }
    }
}
