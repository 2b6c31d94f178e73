//! Requests about groups that were sent to Apache Kafka 4.1.1 one by one, and its responses: the same
//! requests to a broker here get the same responses, after the same time.
//!
//! A script is a file of JSON lines (`engine/tests/fixtures/transcripts/groups`). The first describes the
//! cluster. Each other line is a step: a request with its response in `answer`; one whose response is
//! taken later (`pending`), by a step `await` with the connection; or a pause in milliseconds (`sleep`).
//! A request with `retry` was sent again for as long as its response had one of these error codes.
//! `after_ms` is the time from the request to the response, or to the step that takes it, rounded to
//! 250 ms; less than 400 ms if it is left out.
//!
//! A script has a cluster of one broker; here broker 1 of the cluster has all partitions.

mod compare;
mod differences;
mod json;

use super::super::cluster::Cluster;
use crate::protocol::{CreatableTopic, CreateTopicsRequest};
use compare::{Bindings, difference};
use differences::DIFFERENCES;
use machine::{ConnId, Mono, Span};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// The broker that is asked.
const BROKER: u16 = 1;
/// How long after a response the next request was sent, at least.
const GAP: Span = Span::millis(10);

macro_rules! scripts {
    ($($name:ident $file:literal $compared:literal)*) => {$(
        #[test]
        fn $name() {
            let text = include_str!(concat!(
                "../../../../../tests/fixtures/transcripts/groups/", $file, ".jsonl"
            ));
            assert_eq!(Replay::new(text).run($file), $compared, "requests are compared");
        }
    )*};
}

scripts! {
    choice_of_protocol "choice-of-protocol" 15
    classic_timeouts "classic-timeouts" 24
    delete_groups "delete-groups" 29
    describe_groups "describe-groups" 30
    find_coordinator "find-coordinator" 21
    heartbeat_states "heartbeat-states" 33
    join_checks "join-checks" 24
    join_versions "join-versions" 26
    list_groups "list-groups" 49
    offset_commit_errors "offset-commit-errors" 26
    offset_commit_versions "offset-commit-versions" 29
    offset_delete "offset-delete" 32
    offset_fetch "offset-fetch" 32
    offset_metadata "offset-metadata" 11
    rebalance "rebalance" 25
    static_members "static-members" 32
    sync_states "sync-states" 34
}

/// A request without a response so far.
struct Pending {
    note: String,
    sent: Mono,
    api: String,
    version: i16,
    body: Value,
    save: Option<String>,
    /// How many requests were sent for it; `None`: it cannot be sent here.
    requests: Option<usize>,
}

/// A script at work.
struct Replay {
    cluster: Cluster,
    steps: Vec<Value>,
    connections: BTreeMap<String, (ConnId, VecDeque<Pending>)>,
    /// What was saved of responses, by name.
    saved: BTreeMap<String, Value>,
    bindings: Bindings,
    /// The requests whose responses differ, by note.
    differences: Vec<(String, String)>,
    compared: usize,
}

impl Replay {
    fn new(text: &str) -> Self {
        let mut lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let head: Value = lines.next().expect("a head");
        let (mut cluster, _) = Cluster::start_set_up(1, |cluster| {
            cluster.config.group_initial_rebalance_delay = Span::ZERO;
            for (name, value) in head["cluster"]["properties"].as_object().into_iter().flatten() {
                // Of what is not modelled.
                let _ = cluster.config.set(name, value.as_str().expect("a text"));
            }
        });
        for name in ["__transaction_state", "__consumer_offsets"] {
            create(&mut cluster, name, 1);
        }
        Self {
            cluster,
            steps: lines.collect(),
            connections: BTreeMap::new(),
            saved: BTreeMap::new(),
            bindings: Bindings::default(),
            differences: Vec::new(),
            compared: 0,
        }
    }

    /// Carries out all steps: every difference is named, and every name is a difference. Returns how many
    /// requests were compared.
    fn run(mut self, script: &str) -> usize {
        for step in std::mem::take(&mut self.steps) {
            if let Some(pause) = step["sleep"].as_u64() {
                self.cluster.pause(Span::millis(pause));
            } else if let Some(on) = step["await"].as_str() {
                let pending = self.next_pending(on);
                self.receive_and_compare(on, pending, &step);
            } else {
                self.cluster.pause(GAP);
                self.step(&step);
            }
        }
        let named = || DIFFERENCES.iter().filter(|it| it.script == script).flat_map(|it| it.notes);
        let unexpected: Vec<_> =
            self.differences.iter().filter(|(note, _)| !named().any(|it| it == note)).collect();
        assert!(unexpected.is_empty(), "{} differ: {unexpected:#?}", unexpected.len());
        for note in named() {
            let differs = self.differences.iter().any(|(differing, _)| differing == note);
            assert!(differs, "{note}: it no longer differs");
        }
        self.compared
    }

    fn step(&mut self, step: &Value) {
        if step["api"] == "CreateTopics" {
            for topic in step["request"]["topics"].as_array().expect("topics") {
                let count = topic["numPartitions"].as_i64().expect("a count") as usize;
                create(&mut self.cluster, topic["name"].as_str().expect("a name"), count);
            }
            return;
        }
        // The topics are there.
        if step["api"] == "Metadata" {
            return;
        }
        let on = step["on"].as_str().unwrap_or("main");
        let again: Vec<i64> =
            step["retry"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        for _ in 0..100 {
            self.send(on, step);
            if step["pending"].as_bool().unwrap_or(false) {
                return;
            }
            let pending = self.next_pending(on);
            if again.is_empty() {
                return self.receive_and_compare(on, pending, step);
            }
            let response = self.receive(on, &pending).unwrap_or_default();
            if !codes(&response).iter().any(|code| again.contains(code)) {
                return self.compare(pending, Some(response), step);
            }
            self.cluster.pause(Span::millis(100));
        }
        panic!("it does not end: {step}");
    }

    fn send(&mut self, on: &str, step: &Value) {
        let text = |key: &str| step[key].as_str().map(str::to_owned);
        let api = text("api").expect("an API");
        let version = step["version"].as_i64().expect("a version") as i16;
        let body = filled_in(&step["request"], &self.saved);
        let connect = || (self.cluster.connect(BROKER), VecDeque::new());
        let (conn, pending) = self.connections.entry(on.to_owned()).or_insert_with(connect);
        let requests = json::requests(&api, version, &body).map(|all| {
            let count = all.len();
            all.into_iter().for_each(|request| self.cluster.ask(*conn, request));
            count
        });
        let (note, sent) = (text("note").expect("a note"), self.cluster.now);
        pending.push_back(Pending { note, sent, api, version, body, save: text("save"), requests });
    }

    fn next_pending(&mut self, on: &str) -> Pending {
        let (_, pending) = self.connections.get_mut(on).expect("it is open");
        pending.pop_front().expect("a request waits")
    }

    /// Waits for the response to a request; `None` if it was not sent.
    fn receive(&mut self, on: &str, pending: &Pending) -> Option<Value> {
        let (conn, _) = self.connections[on];
        let responses = (0..pending.requests?).map(|_| self.cluster.answer(conn)).collect();
        let Pending { api, version, body, .. } = pending;
        let response = json::response(api, *version, body, responses);
        if let Some(name) = &pending.save {
            self.saved.insert(name.clone(), response.clone());
        }
        Some(response)
    }

    fn receive_and_compare(&mut self, on: &str, pending: Pending, step: &Value) {
        let response = self.receive(on, &pending);
        self.compare(pending, response, step);
    }

    fn compare(&mut self, pending: Pending, response: Option<Value>, step: &Value) {
        self.compared += 1;
        let found = match (response, step.get("answer")) {
            (None, _) => Some("it cannot be sent".to_owned()),
            (Some(_), None) => Some("the connection was not closed".to_owned()),
            (Some(actual), Some(expected)) => difference(expected, &actual, &mut self.bindings)
                .map(|it| format!("{it}\n  expected {expected}\n  actual {actual}")),
        };
        let millis = self.cluster.now.since(pending.sent).as_millis();
        let after = if millis < 400 { 0 } else { (millis + 125) / 250 * 250 };
        let expected = step["after_ms"].as_u64().unwrap_or(0);
        let late = || format!("after {millis} ms, not {expected}");
        let found = found.or_else(|| (after != expected).then(late));
        self.differences.extend(found.map(|it| (pending.note, it)));
    }
}

/// Creates a topic whose partitions are all on the broker that is asked.
fn create(cluster: &mut Cluster, name: &str, partitions: usize) {
    let conn = cluster.connect(2);
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: -1,
        replication_factor: -1,
        assignments: vec![vec![BROKER]; partitions],
        configs: vec![],
    };
    let timeout = Span::secs(30);
    cluster.ask(conn, CreateTopicsRequest { topics: vec![topic], timeout });
    cluster.answer(conn);
    cluster.run_for(Span::secs(1));
}

/// A request with what was saved in the places of `${name.field}`.
fn filled_in(request: &Value, saved: &BTreeMap<String, Value>) -> Value {
    match request {
        Value::String(text) => match text.strip_prefix("${").and_then(|it| it.strip_suffix('}')) {
            Some(path) => {
                let mut parts = path.split('.');
                let found = parts.next().and_then(|name| saved.get(name)).cloned();
                parts.fold(found.unwrap_or_default(), |value, part| value[part].clone())
            }
            None => request.clone(),
        },
        Value::Array(all) => all.iter().map(|it| filled_in(it, saved)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), filled_in(value, saved))).collect()
        }
        other => other.clone(),
    }
}

/// All error codes in a response.
fn codes(response: &Value) -> Vec<i64> {
    match response {
        Value::Array(all) => all.iter().flat_map(codes).collect(),
        Value::Object(fields) => {
            let of = |(key, value): (&String, &Value)| match key.as_str() {
                "errorCode" => value.as_i64().into_iter().collect(),
                _ => codes(value),
            };
            fields.iter().flat_map(of).collect()
        }
        _ => Vec::new(),
    }
}
