//! The lines of a trace.

use super::states::{METADATA, Replay, State};
use super::{MOST_EVENTS, Run};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;
use std::ops::Range;

/// An event of the trace.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Event {
    /// Its number.
    pub(super) id: u64,
    /// Nanoseconds since the start of the load; negative before it.
    pub(super) time_ns: i64,
    /// The node.
    #[serde(default)]
    pub(super) node: Option<String>,
    /// The event that caused it; 0 for none.
    pub(super) cause: u64,
    /// The kind of the event.
    pub(super) kind: String,
    /// All other fields.
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

impl Event {
    /// The text field of this name; empty if there is none.
    pub(super) fn text(&self, field: &str) -> &str {
        self.rest.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The cluster of its node as a prefix: `1/`, or nothing for the first cluster.
    pub(super) fn cluster(&self) -> &str {
        let node = self.node.as_deref().unwrap_or_default();
        node.find('/').map_or("", |slash| &node[..=slash])
    }
}

/// A trace that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTrace {
    /// The number of the line, from 1.
    pub line: usize,
    /// The defect of that line.
    pub what: String,
}

impl fmt::Display for BadTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The parts of a trace that a page needs.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// The events that the page holds.
    pub(super) events: Vec<Event>,
    /// The committed states of partitions.
    pub(super) states: Vec<State>,
    /// The number of events in the trace.
    pub(super) total: usize,
    /// The interval, in nanoseconds, in which no event is missing.
    pub(super) whole: Option<(i64, i64)>,
}

/// Reads the events, which have to be in order. Of more than [`MOST_EVENTS`] events, only the rare
/// ones and those around the findings are kept.
pub(super) fn read<E: ToString>(
    run: &Run,
    lines: impl Iterator<Item = Result<String, E>>,
) -> Result<Trace, BadTrace> {
    let (mut trace, mut replay, mut rare) = (Trace::default(), Replay::default(), 0);
    let window = window(run);
    let mut last = (0, i64::MIN);
    for (place, line) in lines.enumerate() {
        let bad = |what: String| BadTrace { line: place + 1, what };
        let line = line.map_err(|error| bad(error.to_string()))?;
        trace.total += 1;
        // The trace of a long run is not parsed in full: the numbers of its lines are those of its
        // events.
        let is_inside = window.contains(&(place as u64 + 1));
        if !is_inside && is_common(&line) {
            continue;
        }
        let event: Event =
            serde_json::from_str(&line).map_err(|error| bad(format!("no event: {error}")))?;
        if event.id <= last.0 || event.time_ns < last.1 || event.cause >= event.id {
            return Err(bad("the event is not in order".to_owned()));
        }
        // In a trace of an earlier version, facts have no fields.
        if event.text("fact").starts_with("appended ") && !event.rest.contains_key("what") {
            return Err(bad("the facts have no fields: another build wrote the trace".to_owned()));
        }
        last = (event.id, event.time_ns);
        replay.add(&event);
        if is_inside {
            let from = trace.whole.map_or(event.time_ns, |(from, _)| from);
            trace.whole = Some((from, event.time_ns));
            trace.events.push(event);
        } else if rare < MOST_RARE && !is_common(&line) && event.text("partition") != METADATA {
            rare += 1;
            trace.events.push(event);
        }
    }
    trace.states = replay.states;
    Ok(trace)
}

/// The most events that are kept because they are rare.
const MOST_RARE: usize = MOST_EVENTS / 5;

/// The numbers of the events of all kinds that are kept: of all events, or those that precede the
/// last finding, and a tenth of that number after it. Without a finding, the first events are kept.
fn window(run: &Run) -> Range<u64> {
    if run.events <= MOST_EVENTS as u64 {
        return 0..u64::MAX;
    }
    let room = (MOST_EVENTS - MOST_RARE) as u64;
    let last = run.findings.iter().flat_map(|it| it.events.iter().copied()).max().unwrap_or(0);
    let end = (last + room / 10).max(room + 1);
    end - room..end
}

/// Frequent kinds of events and facts, which change only offsets.
const COMMON: [&str; 20] = [
    "\"kind\":\"sent\"",
    "\"kind\":\"received\"",
    "\"kind\":\"woke\"",
    "\"kind\":\"disk_done\"",
    "\"kind\":\"opened\"",
    "\"kind\":\"closed\"",
    "\"kind\":\"connecting\"",
    "\"kind\":\"closing\"",
    "\"kind\":\"cut\"",
    "\"kind\":\"unexpected\"",
    "\"what\":\"appended\"",
    "\"what\":\"high_watermark\"",
    "\"what\":\"acknowledged\"",
    "\"what\":\"sent\"",
    "\"what\":\"confirmed\"",
    "\"what\":\"delivered\"",
    "\"what\":\"produce_refused\"",
    "\"what\":\"fetch_refused\"",
    "\"what\":\"retried\"",
    "\"what\":\"transaction_begun\"",
];

/// Whether a line is an event of a frequent kind, and not about the metadata log. The test of the
/// text suffices, because quotation marks within values are escaped.
fn is_common(line: &str) -> bool {
    let is_bare_fact = line.contains("\"kind\":\"fact\"") && !line.contains("\"what\":\"");
    (is_bare_fact || COMMON.iter().any(|kind| line.contains(kind)))
        && !line.contains("\"partition\":\"__cluster_metadata-0\"")
}
