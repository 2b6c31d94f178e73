//! Replays a script against a cluster here, in virtual time.

use super::super::cluster::{BROKERS, Cluster, released};
use super::compare::{Bindings, difference};
use super::moves;
use super::requests::{requests, versions};
use super::responses::Written;
use super::script::{Expected, Script, Send, Step};
use super::topics::Topics;
use crate::config::{Property, TransactionVersion};
use crate::ids::BrokerId;
use crate::protocol::{CoordinatorType, FindCoordinatorRequest, Response};
use machine::{ConnId, Mono, Span};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// The time at which clusters here begin, in milliseconds since the Unix epoch: years after the
/// records of the scripts, as when Kafka was asked.
const BEGIN: i64 = 1_790_000_000_000;

/// How long after a response the next request was sent, at least.
const GAP: Span = Span::millis(10);

/// The outcome of the requests of a script.
#[derive(Default)]
pub(super) struct Outcome {
    /// How many have a response to compare.
    pub(super) compared: usize,
    /// The requests whose responses differ, or that could not be sent: the note, and the reason.
    pub(super) differences: Vec<(String, String)>,
}

/// A script at work.
struct Replay {
    cluster: Cluster,
    topics: Topics,
    connections: BTreeMap<String, Connection>,
    /// The saved values of responses, by name.
    saved: BTreeMap<String, Value>,
    bindings: Bindings,
    outcome: Outcome,
    /// Leaders move by restarts.
    moves: bool,
}

struct Connection {
    id: ConnId,
    broker: BrokerId,
    /// The requests without a response so far.
    pending: VecDeque<Pending>,
}

struct Pending {
    note: String,
    sent: Mono,
    /// How many requests were sent for it; why none could be.
    requests: Result<usize, String>,
    api: String,
    version: i16,
    body: Value,
    save: Option<String>,
}

/// A response, or that the connection was closed.
struct Actual {
    response: Option<Value>,
    after: Span,
}

/// Replays a script.
pub(super) fn replay(text: &str) -> Outcome {
    let mut script = Script::parse(text);
    let moves = moves::place(&mut script);
    let mut replay = Replay { moves, ..Replay::new(&script) };
    for step in &script.steps {
        match step {
            Step::Sleep(pause) => replay.cluster.pause(Span::millis(*pause)),
            Step::Close(on) => {
                let connection = replay.connections.remove(on).expect("it is open");
                replay.cluster.hang_up(connection.id);
            }
            Step::Await { on, expected } => {
                let pending = replay.next_pending(on);
                let actual = replay.receive(on, &pending);
                replay.compare(&pending, actual, expected);
            }
            Step::Send(send) => {
                replay.cluster.pause(GAP);
                replay.send_and_compare(send);
            }
        }
    }
    replay.outcome
}

impl Replay {
    fn new(script: &Script) -> Self {
        let brokers = &BROKERS[..usize::from(script.brokers)];
        let cluster = Cluster::start_bare(brokers, BEGIN, |cluster| {
            cluster.rules = released();
            let level = TransactionVersion::parse(&script.transaction_version.to_string());
            cluster.controller_config.transaction_version = level.expect("a level");
            cluster.controller_config.auto_leader_rebalance = false;
            let several = if script.brokers > 1 { "2" } else { "1" };
            let replicas = script.brokers.min(3).to_string();
            // The properties that every cluster of the scripts has, and then those of this script.
            let every = [
                ("transaction.state.log.num.partitions", "1"),
                ("transaction.state.log.replication.factor", &replicas),
                ("transaction.state.log.min.isr", several),
                ("offsets.topic.num.partitions", "1"),
                ("offsets.topic.replication.factor", &replicas),
                ("group.initial.rebalance.delay.ms", "0"),
                ("min.insync.replicas", several),
            ];
            let own = script.properties.iter().map(|(name, value)| (&**name, &**value));
            for (name, value) in every.into_iter().chain(own) {
                // A property that is not modelled shows in the responses.
                let _ = cluster.config.set(name, value);
                let of_topics = if name == "log.roll.ms" { "segment.ms" } else { name };
                let _ = cluster.topic.set(of_topics, value);
            }
        });
        let mut replay = Self {
            cluster,
            topics: Topics::default(),
            connections: BTreeMap::new(),
            saved: BTreeMap::new(),
            bindings: Bindings::default(),
            outcome: Outcome::default(),
            moves: false,
        };
        if script.expects_transactions() {
            replay.create_transaction_topic();
        }
        replay
    }

    /// The scripts about groups were recorded on a cluster that had had transactions before.
    fn create_transaction_topic(&mut self) {
        let conn = self.cluster.connect(1);
        for _ in 0..50 {
            let key_type = CoordinatorType::Transaction;
            self.cluster.ask(conn, FindCoordinatorRequest { key_type, key: "any".into() });
            if let Response::FindCoordinator(found) = self.cluster.answer(conn)
                && found.node.is_some()
            {
                break;
            }
            self.cluster.run_for(Span::millis(100));
        }
        self.cluster.run_for(Span::secs(1));
    }

    fn send_and_compare(&mut self, send: &Send) {
        self.send(send);
        // The response to a request that nothing awaits is not looked at.
        let Some(expected) = &send.expected else { return };
        let again = |actual: &Actual| {
            let response = actual.response.as_ref();
            response.is_some_and(|it| codes(it).iter().any(|code| send.retry.contains(code)))
        };
        let mut pending = self.next_pending(&send.on);
        let mut actual = self.receive(&send.on, &pending);
        for _ in 0..200 {
            if !again(&actual) {
                break;
            }
            self.cluster.run_for(Span::millis(100));
            self.send(send);
            pending = self.next_pending(&send.on);
            actual = self.receive(&send.on, &pending);
        }
        self.compare(&pending, actual, expected);
    }

    fn send(&mut self, send: &Send) {
        if send.api == moves::API {
            moves::carry_out(send, &mut self.cluster);
        }
        // A broker that was restarted has closed its connections.
        self.connections.retain(|_, it| !self.cluster.closed.contains(&it.id));
        let connection = self.connections.entry(send.on.clone()).or_insert_with(|| Connection {
            id: self.cluster.connect(send.broker),
            broker: send.broker,
            pending: VecDeque::new(),
        });
        self.topics.refresh(self.cluster.broker(connection.broker));
        let versions = versions(&send.api);
        let version = send.version.or(versions.map(|(_, newest)| newest)).unwrap_or(0);
        // A server closes the connection at a version that it does not know.
        let is_unknown =
            versions.is_some_and(|(oldest, newest)| !(oldest..=newest).contains(&version));
        let body = filled_in(&send.body, &self.saved);
        let sent = match body {
            Ok(_) if is_unknown => Ok(Vec::new()),
            Ok(_) if self.moves && send.api == "ElectLeaders" => {
                Err("the leader was restarted before".to_owned())
            }
            Ok(ref body) => {
                requests(&mut self.topics, &send.api, version, body).map_err(str::to_owned)
            }
            Err(ref missing) => Err(missing.clone()),
        };
        let count = sent.map(|all| {
            let count = all.len();
            for request in all {
                self.cluster.ask(connection.id, request);
            }
            count
        });
        if is_unknown {
            self.cluster.hang_up(connection.id);
            self.cluster.closed.insert(connection.id);
        }
        connection.pending.push_back(Pending {
            note: send.note.clone(),
            sent: self.cluster.now,
            requests: count,
            api: send.api.clone(),
            version,
            body: body.unwrap_or_default(),
            save: send.save.clone(),
        });
    }

    /// The request on a connection whose response comes next.
    fn next_pending(&mut self, on: &str) -> Pending {
        let connection = self.connections.get_mut(on).expect("it is open");
        connection.pending.pop_front().expect("a request waits")
    }

    /// Waits for the response to a request; `None` if it was not sent.
    fn receive(&mut self, on: &str, pending: &Pending) -> Actual {
        let Connection { id, broker, .. } = self.connections[on];
        if self.cluster.closed.contains(&id) && pending.requests == Ok(0) {
            return Actual { response: None, after: Span::ZERO };
        }
        let mut responses = Vec::new();
        for _ in 0..*pending.requests.as_ref().unwrap_or(&0) {
            let came =
                |cluster: &Cluster| cluster.answers.get(&id).is_some_and(|it| !it.is_empty());
            self.cluster.until(|cluster| came(cluster) || cluster.closed.contains(&id));
            if !came(&self.cluster) {
                let after = self.cluster.now.since(pending.sent);
                return Actual { response: None, after };
            }
            responses.push(self.cluster.answer(id));
        }
        let after = self.cluster.now.since(pending.sent);
        self.topics.refresh(self.cluster.broker(broker));
        let Pending { api, version, body: request, .. } = pending;
        let written = Written { topics: &self.topics, api, version: *version, request };
        let response = match pending.requests {
            Ok(_) => written.response(responses),
            Err(_) => json!({}),
        };
        if let (Some(name), Ok(_)) = (&pending.save, &pending.requests) {
            self.saved.insert(name.clone(), response.clone());
        }
        Actual { response: Some(response), after }
    }

    fn compare(&mut self, pending: &Pending, actual: Actual, expected: &Expected) {
        self.outcome.compared += 1;
        let found = match (&pending.requests, &expected.response, &actual.response) {
            (Err(reason), ..) => Some(format!("not sent: {reason}")),
            (Ok(_), None, None) => None,
            (Ok(_), Some(_), None) => Some("the connection was closed".to_owned()),
            (Ok(_), None, Some(_)) => Some("the connection was not closed".to_owned()),
            (Ok(_), Some(expected), Some(actual)) => {
                let now = BEGIN + self.cluster.now.0 as i64 / 1_000_000;
                difference(expected, actual, now, &mut self.bindings)
                    .map(|it| format!("{it}\n  expected {expected}\n  actual {actual}"))
            }
        };
        let after = rounded(actual.after);
        let late = || format!("after {after} ms, not {}", expected.after);
        let found = found.or_else(|| (after != expected.after).then(late));
        self.outcome.differences.extend(found.map(|it| (pending.note.clone(), it)));
    }
}

/// A time in the normal form of the scripts.
fn rounded(after: Span) -> u64 {
    let millis = after.as_millis();
    if millis < 400 { 0 } else { (millis + 125) / 250 * 250 }
}

/// A request with the saved values in place of `${name.field}`.
fn filled_in(request: &Value, saved: &BTreeMap<String, Value>) -> Result<Value, String> {
    Ok(match request {
        Value::String(text) => match text.strip_prefix("${").and_then(|it| it.strip_suffix('}')) {
            Some(path) => {
                let mut parts = path.split('.');
                let mut found = saved.get(parts.next().expect("a name"));
                for part in parts {
                    found = found.and_then(|it| match part.parse::<usize>() {
                        Ok(at) => it.get(at),
                        Err(_) => it.get(part),
                    });
                }
                found.cloned().ok_or_else(|| format!("nothing is saved as {path}"))?
            }
            None => request.clone(),
        },
        Value::Array(all) => all.iter().map(|it| filled_in(it, saved)).collect::<Result<_, _>>()?,
        Value::Object(fields) => {
            let field =
                |(key, value): (&String, &Value)| Ok((key.clone(), filled_in(value, saved)?));
            Value::Object(fields.iter().map(field).collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

/// All error codes in a response.
fn codes(response: &Value) -> Vec<i64> {
    match response {
        Value::Array(all) => all.iter().flat_map(codes).collect(),
        Value::Object(fields) => {
            let of = |(key, value): (&String, &Value)| match key.as_str() {
                "errorCode" | "partitionErrorCode" => value.as_i64().into_iter().collect(),
                _ => codes(value),
            };
            fields.iter().flat_map(of).collect()
        }
        _ => Vec::new(),
    }
}
