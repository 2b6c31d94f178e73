//! The events of a run as one JSON object of columns, compressed, for the script of the page.

use super::events::Trace;
use super::states::State;
use super::{Event, Run};
use flate2::{Compression, GzBuilder};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Write;

/// The events of the trace that the page contains.
pub(super) struct Packed {
    /// The columns: gzip in base64.
    pub(super) data: String,
    /// The number of events that it contains.
    pub(super) held: usize,
    /// The number of events in the trace.
    pub(super) total: usize,
}

/// The columns, each with an entry per event. `js/data.js` reads them.
#[derive(Default, Serialize)]
struct Columns<'a> {
    /// The names to which the columns refer by index.
    nodes: Vec<&'a str>,
    kinds: Vec<&'a str>,
    messages: Vec<&'a str>,
    /// The event's number, as the difference to the previous event.
    id: Vec<u64>,
    /// Its time, as the difference to the previous event.
    time: Vec<i64>,
    /// Its node, from 1; 0 for none.
    node: Vec<usize>,
    kind: Vec<usize>,
    /// Its number minus that of its cause; 0 for no cause.
    cause: Vec<u64>,
    /// The other node of a message or connection, from 1; 0 for none.
    peer: Vec<usize>,
    /// The name of its message, from 1; 0 for none.
    message: Vec<usize>,
    /// The indexes of events with further fields, as differences, and those fields.
    places: Vec<usize>,
    fields: Vec<Map<String, Value>>,
    states: &'a [State],
    min_isr: BTreeMap<&'a str, u64>,
    /// The time of the first finding, and its partition.
    finding: Option<(u64, &'a str)>,
    total: usize,
    /// The interval, in nanoseconds, in which no event is missing.
    whole: Option<(i64, i64)>,
}

/// Packs the events.
pub(super) fn pack(run: &Run, trace: &Trace) -> Packed {
    let mut columns = Columns {
        states: &trace.states,
        min_isr: run.min_isr.iter().map(|(topic, count)| (topic.as_str(), *count)).collect(),
        finding: run.findings.first().map(|it| {
            let event = it.lines.iter().find(|line| line.event > 0).map(|line| line.event);
            (event.or(it.events.first().copied()).unwrap_or(0), it.partition.as_str())
        }),
        total: trace.total,
        whole: trace.whole,
        ..Columns::default()
    };
    let mut last = (0, 0, 0);
    for (place, event) in trace.events.iter().enumerate() {
        columns.id.push(event.id - last.0);
        columns.time.push(event.time_ns - last.1);
        let node = event.node.as_deref();
        columns.node.push(node.map_or(0, |node| 1 + index(&mut columns.nodes, node)));
        columns.kind.push(index(&mut columns.kinds, &event.kind));
        columns.cause.push(if event.cause == 0 { 0 } else { event.id - event.cause });
        let is_message = matches!(event.kind.as_str(), "sent" | "received");
        let peer = match event.kind.as_str() {
            "sent" => event.text("to"),
            "received" => event.text("from"),
            _ => event.text("peer"),
        };
        columns.peer.push(match peer {
            "" => 0,
            peer => 1 + index(&mut columns.nodes, peer),
        });
        columns.message.push(match is_message {
            true => 1 + index(&mut columns.messages, event.text("message")),
            false => 0,
        });
        (last.0, last.1) = (event.id, event.time_ns);
        let fields = if is_message { Map::new() } else { fields(event) };
        if !fields.is_empty() {
            columns.places.push(place - last.2);
            columns.fields.push(fields);
            last.2 = place;
        }
    }
    let json = serde_json::to_vec(&columns).expect("columns are plain data");
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let packed = gzip.write_all(&json).and_then(|()| gzip.finish());
    let packed = packed.expect("a vector takes every byte");
    Packed { data: base64(&packed), held: trace.events.len(), total: trace.total }
}

/// The fields of an event that have no column. The names of partitions include their cluster.
fn fields(event: &Event) -> Map<String, Value> {
    let mut fields = event.rest.clone();
    for known in ["index", "conn", "peer", "operations", "changes"] {
        fields.remove(known);
    }
    if let (Some(Value::String(partition)), false) =
        (fields.get_mut("partition"), event.cluster().is_empty())
    {
        partition.insert_str(0, event.cluster());
    }
    fields
}

/// The index of a name in a list, to which it is added if it is new.
fn index<'a>(names: &mut Vec<&'a str>, name: &'a str) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

/// Base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let all = three.iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        let all = all << (8 * (3 - three.len()));
        for digit in 0..4 {
            let is_there = digit <= three.len();
            let bits = (all >> (18 - 6 * digit)) as usize & 63;
            text.push(if is_there { char::from(DIGITS[bits]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    /// The examples of RFC 4648.
    #[test]
    fn base64_is_padded() {
        let of = |text: &str| base64(text.as_bytes());
        assert_eq!([of(""), of("f"), of("fo"), of("foo")], ["", "Zg==", "Zm8=", "Zm9v"]);
        assert_eq!(of("foobar"), "Zm9vYmFy");
    }
}
