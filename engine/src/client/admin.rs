//! The admin client (`KafkaAdminClient`): creates topics, holds elections, and describes the
//! cluster.
//!
//! A call goes to any broker, which forwards it to the controller, and is repeated until each of
//! its topics or partitions has succeeded or finally failed. A call whose response was lost may
//! have taken effect; the event says so, because the next response then reads as if another client
//! had made the call.

use super::metadata::{Choice, choose_node};
use super::random::{Backoff, Random};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, TopicPartition, peer};
use crate::net::{ChannelConfig, Channels, Disconnected};
use crate::protocol::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
    ElectLeadersRequest, ElectLeadersResponse, ElectionType, Message, MetadataRequest,
    MetadataResponse, Request, Response,
};
use crate::timer::{Channel, ClientTimer, Timer};
use machine::{Boot, ConnId, Mono, NodeId, Now, Span};
use std::collections::BTreeMap;

/// The stream of an admin client's random choices.
const STREAM: u64 = 3;

/// The configuration of an admin client, with the names of Kafka's `AdminClientConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// `request.timeout.ms`: the time-out of a request, also sent to the broker.
    pub request_timeout: Span,
    /// `retry.backoff.ms`: the first wait before a request is sent again.
    pub retry_backoff: Span,
    /// `retry.backoff.max.ms`: the longest such wait.
    pub retry_backoff_max: Span,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            request_timeout: Span::secs(30),
            retry_backoff: Span::millis(100),
            retry_backoff_max: Span::secs(1),
        }
    }
}

/// The outcome of a call. `call` is the number that the call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminEvent {
    /// Topics were created, or not.
    TopicsCreated {
        /// The call.
        call: u64,
        /// The result of each topic.
        topics: Vec<CreatableTopicResult>,
        /// An earlier result was lost: `TOPIC_ALREADY_EXISTS` may be due to this call.
        repeated: bool,
    },
    /// Elections were held, or not.
    LeadersElected {
        /// The call.
        call: u64,
        /// An error of the whole call.
        error: ErrorCode,
        /// The result of each requested partition; of a call for all partitions, only those that
        /// changed or failed.
        partitions: Vec<(TopicPartition, ErrorCode)>,
        /// An earlier result was lost: `ELECTION_NOT_NEEDED` may be due to this call.
        repeated: bool,
    },
    /// The cluster as a broker sees it.
    Described {
        /// The call.
        call: u64,
        /// Its response.
        metadata: MetadataResponse,
    },
}

/// An admin client.
#[derive(Clone, Debug)]
pub struct Admin {
    config: AdminConfig,
    random: Random,
    backoff: Backoff,
    channels: Channels<u64>,
    bootstrap: Vec<NodeId>,
    calls: BTreeMap<u64, Call>,
    next_call: u64,
    armed: Mono,
    events: Vec<AdminEvent>,
}

#[derive(Clone, Debug)]
struct Call {
    /// The request for the topics or partitions without a final outcome.
    request: Request,
    /// Topics whose outcome is final.
    topics: Vec<CreatableTopicResult>,
    /// Partitions whose outcome is final.
    partitions: Vec<(TopicPartition, ErrorCode)>,
    in_flight: bool,
    repeated: bool,
    failures: u32,
    not_before: Mono,
}

impl Admin {
    /// An admin client of the process that `boot` starts; `bootstrap` are the brokers it connects
    /// to first.
    pub fn new(config: &AdminConfig, boot: &Boot, bootstrap: &[BrokerId]) -> Self {
        Self {
            config: config.clone(),
            random: Random::new(boot.entropy, STREAM),
            backoff: Backoff { initial: config.retry_backoff, max: config.retry_backoff_max },
            channels: Channels::new(Channel::Admin, ChannelConfig::default()),
            bootstrap: bootstrap.iter().map(|id| peer(boot.node, *id)).collect(),
            calls: BTreeMap::new(),
            next_call: 0,
            armed: Mono::MAX,
            events: Vec::new(),
        }
    }

    /// Creates topics. Returns the number of the call.
    pub fn create_topics(
        &mut self,
        now: Now,
        topics: Vec<CreatableTopic>,
        out: &mut Outbox,
    ) -> u64 {
        let timeout = self.config.request_timeout;
        self.call(now, CreateTopicsRequest { topics, timeout }.into(), out)
    }

    /// Holds elections; `None`: for all partitions. Returns the number of the call.
    pub fn elect_leaders(
        &mut self,
        now: Now,
        election_type: ElectionType,
        partitions: Option<Vec<TopicPartition>>,
        out: &mut Outbox,
    ) -> u64 {
        let timeout = self.config.request_timeout;
        self.call(now, ElectLeadersRequest { election_type, partitions, timeout }.into(), out)
    }

    /// Requests the metadata of topics by name, or of all topics. Returns the number of the call.
    pub fn describe(&mut self, now: Now, topics: Option<Vec<String>>, out: &mut Outbox) -> u64 {
        self.call(now, MetadataRequest { topics }.into(), out)
    }

    fn call(&mut self, now: Now, request: Request, out: &mut Outbox) -> u64 {
        let number = self.next_call;
        self.next_call += 1;
        let call = Call {
            request,
            topics: Vec::new(),
            partitions: Vec::new(),
            in_flight: false,
            repeated: false,
            failures: 0,
            not_before: now.mono,
        };
        self.calls.insert(number, call);
        self.run(now.mono, out);
        number
    }

    /// The events since the last call, in order.
    pub fn take_events(&mut self) -> std::vec::Drain<'_, AdminEvent> {
        self.events.drain(..)
    }

    /// Whether no call is under way.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    /// Handles a message. Returns whether it was for this client.
    pub fn on_message(
        &mut self,
        now: Now,
        conn: ConnId,
        message: &Message,
        out: &mut Outbox,
    ) -> bool {
        let Message::Response { correlation_id, body } = message else { return false };
        let Some((_, number)) = self.channels.on_response(conn, *correlation_id) else {
            return false;
        };
        match body {
            Response::CreateTopics(response) => self.on_created(now.mono, number, response),
            Response::ElectLeaders(response) => self.on_elected(now.mono, number, response),
            Response::Metadata(metadata) => {
                self.calls.remove(&number);
                let metadata = metadata.clone();
                self.events.push(AdminEvent::Described { call: number, metadata });
            }
            body => panic!("an admin client got the response {}", body.name()),
        }
        self.run(now.mono, out);
        true
    }

    fn on_created(&mut self, now: Mono, number: u64, response: &CreateTopicsResponse) {
        let call = self.calls.get_mut(&number).expect("its response was awaited");
        let (again, settled): (Vec<_>, Vec<_>) =
            response.topics.iter().cloned().partition(|topic| topic.error.is_retriable());
        call.topics.extend(settled);
        call.repeated |= again.iter().any(|topic| topic.error == ErrorCode::RequestTimedOut);
        let Request::CreateTopics(request) = &mut call.request else {
            panic!("a result of another kind than the request");
        };
        request.topics.retain(|topic| again.iter().any(|result| result.name == topic.name));
        if request.topics.is_empty() {
            let (topics, repeated) = (std::mem::take(&mut call.topics), call.repeated);
            self.calls.remove(&number);
            self.events.push(AdminEvent::TopicsCreated { call: number, topics, repeated });
        } else {
            self.back_off(now, number);
        }
    }

    fn on_elected(&mut self, now: Mono, number: u64, response: &ElectLeadersResponse) {
        let call = self.calls.get_mut(&number).expect("its response was awaited");
        call.repeated |= response.error == ErrorCode::RequestTimedOut;
        let Request::ElectLeaders(request) = &mut call.request else {
            panic!("a result of another kind than the request");
        };
        let mut again = response.error.is_retriable();
        if !again {
            let (retriable, settled): (Vec<_>, Vec<_>) =
                response.partitions.iter().partition(|(_, error)| error.is_retriable());
            call.partitions.extend(settled);
            again = !retriable.is_empty();
            request.partitions = Some(retriable.into_iter().map(|(key, _)| key).collect())
                .filter(|_| again)
                .or(request.partitions.take());
        }
        if again {
            self.back_off(now, number);
            return;
        }
        let (partitions, repeated) = (std::mem::take(&mut call.partitions), call.repeated);
        let error = response.error;
        self.calls.remove(&number);
        let event = AdminEvent::LeadersElected { call: number, error, partitions, repeated };
        self.events.push(event);
    }

    /// A connection was opened. Returns whether it belongs to this client.
    pub fn on_opened(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        let own = self.channels.on_opened(conn).is_some();
        if own {
            self.run(now.mono, out);
        }
        own
    }

    /// A connection has ended. Returns whether it belonged to this client.
    pub fn on_closed(&mut self, now: Now, conn: ConnId, out: &mut Outbox) -> bool {
        let Some(lost) = self.channels.on_closed(now.mono, conn) else { return false };
        self.on_lost(now.mono, lost);
        self.run(now.mono, out);
        true
    }

    /// A timer has fired. Returns whether it belonged to this client.
    pub fn on_timer(&mut self, now: Now, timer: ClientTimer, out: &mut Outbox) -> bool {
        let own = timer == ClientTimer::Admin;
        if own {
            self.armed = Mono::MAX;
            self.run(now.mono, out);
        }
        own
    }

    /// [`Timer::Requests`] has fired. Returns whether it belonged to this client.
    pub fn on_requests_timer(&mut self, now: Now, channel: Channel, out: &mut Outbox) -> bool {
        let own = channel == Channel::Admin;
        if own {
            for lost in self.channels.on_timer(now.mono, out) {
                self.on_lost(now.mono, lost);
            }
            self.run(now.mono, out);
        }
        own
    }

    fn on_lost(&mut self, now: Mono, lost: Disconnected<u64>) {
        for number in lost.failed {
            if let Some(call) = self.calls.get_mut(&number) {
                call.repeated = true;
                self.back_off(now, number);
            }
        }
    }

    fn back_off(&mut self, now: Mono, number: u64) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.in_flight = false;
        call.failures += 1;
        call.not_before = now + self.backoff.after(call.failures, &mut self.random);
    }

    /// Sends the requests that are due, and sets the timer for the others.
    fn run(&mut self, now: Mono, out: &mut Outbox) {
        let mut wake = Mono::MAX;
        for (number, call) in self.calls.iter_mut().filter(|(_, call)| !call.in_flight) {
            if call.not_before > now {
                wake = wake.min(call.not_before);
                continue;
            }
            let lists = [&self.bootstrap[..], &[]];
            match choose_node(now, lists, &mut self.channels, &mut self.random, out) {
                Choice::Send(node) => {
                    let timeout = self.config.request_timeout;
                    let request = call.request.clone();
                    self.channels.send(now, node, request, timeout, *number, out);
                    call.in_flight = true;
                }
                Choice::Connecting => {}
                Choice::NotBefore(at) => wake = wake.min(at),
            }
        }
        if wake < self.armed {
            self.armed = wake;
            out.set_timer(Timer::Client(ClientTimer::Admin), wake);
        }
    }
}

#[cfg(test)]
mod tests;
