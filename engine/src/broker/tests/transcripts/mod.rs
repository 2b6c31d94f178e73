//! Requests of transactions that were sent to Apache Kafka 4.1.1 one by one, and its responses: the same
//! requests to a broker here get the same responses.
//!
//! A script has a cluster of one broker; here broker 1 of the cluster has all partitions, so that it
//! asks itself where Kafka's asks itself. Requests about groups are left out, and with them what
//! follows from them.

mod compare;
mod gateway;
mod responses;

use super::cluster::{Cluster, released};
use crate::config::{Property, TransactionVersion};
use crate::protocol::{CreatableTopic, CreateTopicsRequest, Response};
use compare::{Bindings, difference};
use gateway::Gateway;
use machine::{ConnId, Span};
use serde_json::Value;
use std::collections::BTreeMap;

/// The broker that is asked.
const BROKER: u16 = 1;

macro_rules! scripts {
    ($($name:ident $file:literal [$(($note:literal, $why:literal)),*])*) => {$(
        #[test]
        fn $name() {
            let text = include_str!(concat!("../../../../tests/fixtures/transactions/", $file));
            Run::new(text).run(&[$(($note, $why)),*]);
        }
    )*};
}

scripts! {
    find_coordinator "txn-find-coordinator.jsonl" [
        ("version 0 knows groups only: the key counts as a group", "there are no groups"),
        ("type 7, which does not exist", "types are those that exist"),
        ("type 7 in version 3", "types are those that exist"),
        ("type 2 (share) in version 5, which does not know it", "types are those that exist"),
        ("type 2 (share) with a key that is no group:topic:partition", "types are those that exist")
    ]
    init "txn-init.jsonl" []
    init_while_open_1 "txn1-init-open.jsonl" []
    add_partitions_of_clients "txn-add-partitions-client.jsonl" []
    add_partitions_of_brokers "txn-add-partitions-broker.jsonl" []
    end_4 "txn-end-v4.jsonl" []
    end_4_at_level_1 "txn1-end-v4.jsonl" []
    end_5 "txn-end-v5.jsonl" []
    time_out "txn-timeout.jsonl" []
    id_expiry "txn-id-expiry.jsonl" []
    list_and_describe "txn-list-describe.jsonl" [
        ("a pattern that is no regular expression", "there are no patterns"),
        ("longer than an hour", "the clock of the cluster has begun at 0")
    ]
    fencing "txn-fencing.jsonl" []
    fencing_at_level_1 "txn1-fencing.jsonl" []
    prepare_commit "txn-prepare-commit.jsonl" []
    prepare_commit_at_level_1 "txn1-prepare-commit.jsonl" []
    produce "txn-produce.jsonl" []
    produce_at_level_1 "txn1-produce.jsonl" []
    describe_producers "txn-describe-producers.jsonl" []
    write_markers "txn-write-markers.jsonl" []
    without_verification_at_level_0 "txn0-unverified.jsonl" [
        ("the same EndTxn once more: the write of before stays pending", "O1: the id goes on")
    ]
    read_committed "txn-read-committed.jsonl" [
        ("small partitionMaxBytes", "O8: the list reaches as far as what was read")
    ]
}

/// A script at work.
struct Run {
    cluster: Cluster,
    gateway: Gateway,
    steps: Vec<Value>,
    connections: BTreeMap<String, ConnId>,
    /// What was saved of responses, by name.
    saved: BTreeMap<String, Value>,
    bindings: Bindings,
    differences: Vec<String>,
    compared: usize,
}

impl Run {
    fn new(text: &str) -> Self {
        let mut lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let head: Value = lines.next().expect("a head");
        let level = head["cluster"]["features"]["transaction.version"].as_u64().unwrap_or(2);
        let (mut cluster, _) = Cluster::start_set_up(1, |cluster| {
            let version = TransactionVersion::parse(&level.to_string()).expect("a level");
            cluster.controller_config.transaction_version = version;
            cluster.rules = released();
            let properties = head["cluster"]["properties"].as_object().expect("properties");
            for (name, value) in properties {
                // Of what is not modelled, and of the age of segments, whose records are old.
                let _ = cluster.config.set(name, value.as_str().expect("a text"));
            }
        });
        let mut gateway = Gateway::default();
        let state = create(&mut cluster, "__transaction_state", 1);
        gateway.add("__transaction_state", state);
        Self {
            cluster,
            gateway,
            steps: lines.collect(),
            connections: BTreeMap::new(),
            saved: BTreeMap::new(),
            bindings: Bindings::default(),
            differences: Vec::new(),
            compared: 0,
        }
    }

    /// Sends all requests. `allowed` are the notes of those whose responses may differ, with reasons.
    fn run(mut self, allowed: &[(&str, &str)]) {
        for step in std::mem::take(&mut self.steps) {
            if let Some(pause) = step["sleep"].as_u64() {
                self.cluster.run_for(Span::millis(pause));
            } else {
                self.step(&step);
            }
        }
        let is_allowed = |it: &&String| !allowed.iter().any(|(note, _)| it.starts_with(note));
        let unexpected: Vec<_> = self.differences.iter().filter(is_allowed).collect();
        assert!(
            unexpected.is_empty(),
            "{} of {}: {unexpected:#?}",
            unexpected.len(),
            self.compared
        );
        assert!(self.compared > 7, "{} were compared", self.compared);
    }

    fn step(&mut self, step: &Value) {
        let (api, note) =
            (step["api"].as_str().expect("an API"), step["note"].as_str().expect("a note"));
        let version = step["version"].as_i64().expect("a version") as i16;
        let request = self.filled_in(&step["request"]);
        if api == "CreateTopics" {
            for topic in request["topics"].as_array().expect("topics") {
                let name = topic["name"].as_str().expect("a name");
                let count = topic["numPartitions"].as_i64().expect("a count") as usize;
                let id = create(&mut self.cluster, name, count);
                self.gateway.add(name, id);
            }
            return;
        }
        let Some(expected) = step.get("answer") else {
            // Uses up the first producer id.
            self.ask(step, api, version, &request);
            return;
        };
        let again: Vec<i64> =
            step["retry"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        let Some(mut actual) = self.ask(step, api, version, &request) else { return };
        for _ in 0..400 {
            if !codes(&actual).iter().any(|code| again.contains(code)) {
                break;
            }
            self.cluster.run_for(Span::millis(20));
            actual = self.ask(step, api, version, &request).expect("it was understood before");
        }
        self.compared += 1;
        if let Some(name) = step["save"].as_str() {
            self.saved.insert(name.to_owned(), actual.clone());
        }
        if let Some(found) = difference(expected, &actual, &mut self.bindings) {
            self.differences
                .push(format!("{note}: {found}\n  expected {expected}\n  actual {actual}"));
        }
    }

    /// The response, as JSON; `None` if the request is about something that is not there.
    fn ask(&mut self, step: &Value, api: &str, version: i16, request: &Value) -> Option<Value> {
        let typed = self.gateway.request(api, version, request)?;
        let on = step["on"].as_str().unwrap_or_default();
        let mut answers = Vec::new();
        for request in typed {
            let conn = match self.connections.get(on) {
                Some(conn) => *conn,
                None => {
                    let conn = self.cluster.connect(BROKER);
                    self.connections.insert(on.to_owned(), conn);
                    conn
                }
            };
            self.cluster.ask(conn, request);
            answers.push(self.cluster.answer(conn));
        }
        Some(self.gateway.response(api, version, request, answers))
    }

    /// A request with what was saved in the places of `${name.field}`.
    fn filled_in(&self, request: &Value) -> Value {
        match request {
            Value::String(text) => {
                match text.strip_prefix("${").and_then(|it| it.strip_suffix('}')) {
                    Some(path) => {
                        let mut parts = path.split('.');
                        let name = parts.next().expect("a name");
                        parts.fold(self.saved[name].clone(), |value, part| value[part].clone())
                    }
                    None => request.clone(),
                }
            }
            Value::Array(all) => all.iter().map(|it| self.filled_in(it)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.filled_in(value))).collect()
            }
            other => other.clone(),
        }
    }
}

/// Creates a topic whose partitions are all on the broker that is asked.
fn create(cluster: &mut Cluster, name: &str, partitions: usize) -> crate::ids::TopicId {
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
    let Response::CreateTopics(created) = cluster.answer(conn) else { panic!("no topic") };
    cluster.run_for(Span::secs(1));
    created.topics[0].topic
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
