//! The committed states of partitions, replayed from the metadata log as the controllers wrote it.

use super::Event;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The metadata log.
pub(super) const METADATA: &str = "__cluster_metadata-0";

/// A state of a partition that the controllers committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct State {
    /// The event with which the change was committed.
    pub(super) event: u64,
    /// The time of that event, in nanoseconds since the start of the load.
    pub(super) time: i64,
    /// The partition, with its cluster.
    pub(super) partition: String,
    /// The broker that leads.
    pub(super) leader: Option<u64>,
    /// The leader epoch.
    pub(super) epoch: u64,
    /// The in-sync replicas.
    pub(super) isr: Vec<u64>,
    /// The eligible leader replicas.
    pub(super) elr: Vec<u64>,
    /// All replicas, in order of preference.
    pub(super) replicas: Vec<u64>,
}

/// The metadata log of a cluster.
#[derive(Default)]
struct Log {
    /// The records that are appended and not yet committed, by offset.
    pending: BTreeMap<u64, Map<String, Value>>,
    /// The offset up to which it is committed.
    committed: u64,
}

/// The replay of the metadata logs of all clusters. A leader's append is committed once the high
/// watermark of a leader has passed it.
#[derive(Default)]
pub(super) struct Replay {
    logs: BTreeMap<String, Log>,
    now: BTreeMap<String, State>,
    /// Every committed state, in order of time.
    pub(super) states: Vec<State>,
}

impl Replay {
    /// Applies the next event of the trace.
    pub(super) fn add(&mut self, event: &Event) {
        let is_leader = event.rest.get("as_leader") == Some(&Value::Bool(true));
        if event.text("partition") != METADATA || !is_leader {
            return;
        }
        let number = |field: &str| event.rest.get(field).and_then(Value::as_u64);
        let log = self.logs.entry(event.cluster().to_owned()).or_default();
        match event.text("what") {
            "appended" => {
                let from = number("from").unwrap_or(0);
                // Records that a leader of a later epoch replaces were never committed.
                log.pending.retain(|offset, _| *offset < from);
                let changes = event.rest.get("changes").and_then(Value::as_array);
                for change in changes.into_iter().flatten().filter_map(Value::as_object) {
                    let offset = change.get("offset").and_then(Value::as_u64).unwrap_or(from);
                    log.pending.entry(offset).or_insert_with(|| change.clone());
                }
            }
            "high_watermark" => {
                log.committed = log.committed.max(number("offset").unwrap_or(0));
                let left = log.pending.split_off(&log.committed);
                for change in std::mem::replace(&mut log.pending, left).into_values() {
                    self.states.push(changed(&mut self.now, event, &change));
                }
            }
            _ => {}
        }
    }
}

/// The state of a partition after a change.
fn changed(now: &mut BTreeMap<String, State>, event: &Event, change: &Map<String, Value>) -> State {
    let name = change.get("partition").and_then(Value::as_str).unwrap_or_default();
    let partition = format!("{}{name}", event.cluster());
    let state = now.entry(partition.clone()).or_default();
    let ids = |field: &str| {
        let ids = change.get(field).and_then(Value::as_array)?;
        Some(ids.iter().filter_map(Value::as_u64).collect::<Vec<_>>())
    };
    (state.event, state.time, state.partition) = (event.id, event.time_ns, partition);
    if let Some(leader) = change.get("leader") {
        state.leader = leader.as_u64();
        // Only the record that creates a partition contains an epoch; each record with a leader
        // begins one.
        state.epoch = change.get("epoch").and_then(Value::as_u64).unwrap_or(state.epoch + 1);
    }
    state.isr = ids("isr").unwrap_or_else(|| std::mem::take(&mut state.isr));
    state.elr = ids("elr").unwrap_or_else(|| std::mem::take(&mut state.elr));
    state.replicas = ids("replicas").unwrap_or_else(|| std::mem::take(&mut state.replicas));
    state.clone()
}
