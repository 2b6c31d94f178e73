//! The numbers and the texts of the page.

use super::*;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;

/// A run without findings.
fn run() -> Run {
    Run {
        scenario: "made-up".to_owned(),
        title: "a made-up run".to_owned(),
        description: String::new(),
        seed: 7,
        tone: Tone::Good,
        verdict: "PASS".to_owned(),
        headline: "every promise held".to_owned(),
        findings: Vec::new(),
        notes: Vec::new(),
        counts: vec![("sent".to_owned(), 1), ("lost".to_owned(), 0)],
        waits: Vec::new(),
        overrides: Vec::new(),
        faults: Vec::new(),
        exercised: Vec::new(),
        not_exercised: Vec::new(),
        not_default: Vec::new(),
        drawn: Vec::new(),
        min_isr: BTreeMap::from([(String::new(), 1), ("orders".to_owned(), 2)]),
        command: "faultline scenario made-up --seed 7".to_owned(),
        replay: "faultline replay results/made-up-7".to_owned(),
        digest: "0123456789abcdef".to_owned(),
        events: 3,
        simulated_ns: 5_820_000_000,
        faultline: "0.1.0".to_owned(),
    }
}

fn read(lines: &[Value]) -> Result<events::Trace, BadTrace> {
    events::read(&run(), lines.iter().map(|line| Ok::<_, String>(line.to_string())))
}

fn made(lines: &[Value], run: &Run) -> String {
    page(run, lines.iter().map(|line| Ok::<_, String>(line.to_string()))).expect("a page")
}

/// A fact at broker or controller `node`.
fn fact(id: u64, node: &str, mut fields: Value) -> Value {
    let common = json!({
        "id": id, "time_ns": 1_000 * id, "node": node, "cause": id - 1, "kind": "fact",
        "index": id, "fact": "a fact",
    });
    for (key, value) in common.as_object().expect("an object") {
        fields[key] = value.clone();
    }
    fields
}

/// A batch of the metadata log.
fn metadata(id: u64, node: &str, from: u64, changes: Value) -> Value {
    let fields = json!({
        "what": "appended", "partition": "__cluster_metadata-0", "as_leader": true, "from": from,
        "to": from + 1, "changes": changes,
    });
    fact(id, node, fields)
}

fn quorum_at(id: u64, node: &str, offset: u64) -> Value {
    let fields = json!({
        "what": "high_watermark", "partition": "__cluster_metadata-0", "as_leader": true,
        "offset": offset,
    });
    fact(id, node, fields)
}

/// The columns in a page.
fn columns(page: &str) -> Value {
    let (_, rest) = page.split_once("<script id=\"data\" type=\"text/plain\">").expect("data");
    let (text, _) = rest.split_once('<').expect("an end");
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let all = four.iter().fold(0_u32, |all, byte| all << 6 | u32::from(digit(*byte)));
        let all = all << (6 * (4 - four.len()));
        bytes.extend_from_slice(&all.to_be_bytes()[1..four.len()]);
    }
    let mut json = String::new();
    GzDecoder::new(&bytes[..]).read_to_string(&mut json).expect("gzip");
    serde_json::from_str(&json).expect("JSON")
}

/// A change counts once the quorum has committed it; one that another leader of the quorum replaced
/// never counts. A record with a leader begins an epoch, even if the leader is the same.
#[test]
fn partitions_have_the_states_that_the_controllers_committed() {
    let created = json!([{
        "offset": 5, "partition": "orders-0", "replicas": [1, 2, 3], "leader": 1, "epoch": 0,
        "isr": [1, 2, 3], "elr": [],
    }]);
    let shrunk = json!([{ "offset": 6, "partition": "orders-0", "isr": [1], "elr": [2] }]);
    let never = json!([{ "offset": 7, "partition": "orders-0", "leader": 3, "isr": [3] }]);
    let left = json!([{ "offset": 7, "partition": "orders-0", "leader": null, "isr": [] }]);
    let back = json!([{ "offset": 8, "partition": "orders-0", "leader": 1, "isr": [1] }]);
    let trace = read(&[
        metadata(1, "101", 5, created),
        quorum_at(2, "101", 6),
        metadata(3, "101", 6, shrunk),
        metadata(4, "101", 7, never),
        quorum_at(5, "101", 7),
        metadata(6, "102", 7, left),
        metadata(7, "102", 8, back),
        quorum_at(8, "102", 9),
    ]);
    let states = trace.expect("a trace").states;
    let short: Vec<_> = states
        .iter()
        .map(|it| (it.event, it.leader, it.epoch, it.isr.as_slice(), it.elr.as_slice()))
        .collect();
    assert_eq!(
        short,
        [
            (2, Some(1), 0, &[1, 2, 3][..], &[][..]),
            (5, Some(1), 0, &[1][..], &[2][..]),
            (8, None, 1, &[][..], &[2][..]),
            (8, Some(1), 2, &[1][..], &[2][..]),
        ]
    );
    assert!(states.iter().all(|it| it.replicas == [1, 2, 3] && it.partition == "orders-0"));
}

#[test]
fn names_of_partitions_include_another_cluster() {
    let created = json!([{ "offset": 0, "partition": "orders-0", "leader": 1, "epoch": 0 }]);
    let lines = [metadata(1, "1/101", 0, created), quorum_at(2, "1/101", 1)];
    assert_eq!(read(&lines).expect("a trace").states[0].partition, "1/orders-0");
    let data = columns(&made(&lines, &run()));
    assert_eq!(data["fields"][0]["partition"], "1/__cluster_metadata-0");
}

/// Columns are differences; every field without a column is kept.
#[test]
fn a_page_contains_the_events_of_the_trace() {
    let sent = json!({ "id": 3, "time_ns": -500, "node": "1", "cause": 0, "kind": "sent",
        "conn": "00", "to": "2", "message": "FetchRequest", "bytes": 80 });
    let received = json!({ "id": 4, "time_ns": 250, "node": "2", "cause": 3, "kind": "received",
        "conn": "00", "from": "1", "message": "FetchRequest" });
    let crashed = json!({ "id": 9, "time_ns": 250, "node": "2", "cause": 4, "kind": "crashed",
        "undone": 2 });
    let data = columns(&made(&[sent, received, crashed], &run()));
    assert_eq!(data["nodes"], json!(["1", "2"]));
    assert_eq!(data["kinds"], json!(["sent", "received", "crashed"]));
    assert_eq!([&data["id"], &data["time"]], [&json!([3, 1, 5]), &json!([-500, 750, 0])]);
    assert_eq!([&data["node"], &data["peer"]], [&json!([1, 2, 2]), &json!([2, 1, 0])]);
    assert_eq!([&data["cause"], &data["message"]], [&json!([0, 1, 5]), &json!([1, 1, 0])]);
    assert_eq!([&data["places"], &data["fields"]], [&json!([2]), &json!([{ "undone": 2 }])]);
    assert_eq!(data["min_isr"], json!({ "": 1, "orders": 2 }));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let lines = [quorum_at(1, "101", 1), quorum_at(2, "101", 2)];
    assert_eq!(made(&lines, &run()), made(&lines, &run()));
}

/// Explanations link to events and records; names are text, whatever characters they contain.
#[test]
fn findings_link_to_their_events_and_no_text_becomes_markup() {
    let evil = "</script><script>alert(1)</script>\u{202e}\0";
    let mut run = run();
    run.title = evil.to_owned();
    run.findings.push(Finding {
        broken: false,
        name: "acks1-unreplicated".to_owned(),
        summary: format!("an acknowledged record was lost: record 3#739, {evil}"),
        because: "acks=1".to_owned(),
        partition: format!("orders-0{evil}"),
        lines: vec![
            Line { text: format!("1.5 s  broker 3 acknowledged record 3#739 {evil}"), event: 51 },
            Line { text: "held then by {3}".to_owned(), event: 0 },
        ],
        events: vec![51],
    });
    let mut lines = vec![quorum_at(1, "101", 1)];
    lines.push(fact(2, "1", json!({ "what": "sent", "partition": evil, "record": "3#739" })));
    let page = made(&lines, &run);
    // The data, and the script of the page.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(page.contains("e=51\">1.5 s</a>"), "the time of a line links to its event");
    assert!(page.contains("r=3.739\">3#739</a>"), "a record links to its life");
    assert!(page.contains("PASS") && page.contains("--seed 7</span>"));
    assert_eq!(columns(&page)["fields"][1]["partition"], evil);
}

#[test]
fn a_run_without_events_gives_a_page_that_says_so() {
    let page = made(&[], &run());
    assert!(page.contains("Nothing happened") && page.contains("every promise held"));
    assert!(!page.contains("<canvas"));
}

#[test]
fn a_malformed_trace_is_refused_with_the_number_of_the_line() {
    let bad = |lines: &[Value]| read(lines).map(|_| ()).expect_err("no trace");
    let good = quorum_at(1, "101", 1);
    let missing = bad(&[good.clone(), json!({ "id": 2 })]);
    assert!(missing.line == 2 && missing.what.contains("time_ns"), "{missing}");
    let same = bad(&[good.clone(), good.clone()]);
    assert!(same.line == 2 && same.what.contains("not in order"), "{same}");
    // A fact without fields.
    let mut old = quorum_at(2, "101", 1);
    old.as_object_mut().expect("an object").remove("what");
    old["fact"] = json!("appended 0..1 to orders-0 as leader, epoch 0");
    let old = bad(&[good, old]);
    assert!(old.line == 2 && old.what.contains("another build"), "{old}");
    let torn = [Ok("{}".to_owned()), Err("the file ends too early")];
    assert_eq!(page(&run(), torn.into_iter().skip(1)).unwrap_err().what, "the file ends too early");
}

/// Of a trace that is too long, the page keeps rare events and those that precede the last finding.
#[test]
fn a_long_trace_is_shortened_and_the_page_says_so() {
    let mut lines = vec![quorum_at(1, "101", 1)];
    let woke = |id: u64| json!({ "id": id, "time_ns": 1_000 * id, "node": "1", "cause": id - 1, "kind": "woke" });
    let more = MOST_EVENTS as u64 + 50_000;
    lines.extend((2..more).map(woke));
    let crashed = json!({ "id": more, "time_ns": 1_000 * more, "node": "1", "cause": 0,
        "kind": "crashed", "undone": 0 });
    lines.insert(1_000, {
        let mut early = crashed.clone();
        (early["id"], early["time_ns"]) = (json!(1_001), json!(1_001_000));
        early
    });
    lines.remove(1_001);
    let mut run = Run { events: more, ..run() };
    let early = made(&lines, &run);
    assert!(early.contains("Not every event is here") && early.contains("trace.jsonl.gz"));
    let ids = |page: &str| {
        let deltas = columns(page)["id"].clone();
        let deltas = deltas.as_array().expect("a column").clone();
        deltas
            .iter()
            .scan(0, |id, delta| {
                *id += delta.as_u64().expect("a number");
                Some(*id)
            })
            .collect::<Vec<u64>>()
    };
    let held = ids(&early);
    assert!(held.len() <= MOST_EVENTS && held[..3] == [1, 2, 3]);
    run.findings.push(Finding {
        broken: true,
        name: "check".to_owned(),
        summary: String::new(),
        because: String::new(),
        partition: String::new(),
        lines: Vec::new(),
        events: vec![more - 1],
    });
    let late = ids(&made(&lines, &run));
    assert!(late.contains(&(more - 1)) && late.contains(&1_001), "the finding and the crash");
    assert!(!late.contains(&500), "a frequent event long before the finding");
}
