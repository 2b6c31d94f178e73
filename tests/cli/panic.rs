//! A panic during a run, which is a defect of Faultline, is reported as fully as a violation: with
//! the event being handled, the trace up to it, and whether the panic is reproduced.

use super::{Ended, Folder};
use scenarios::result::{RunRecord, files};
use serde_json::Value;
use std::fs;

const MESSAGE: &str = "a panic was asked for";

/// The verdict of a run that panics.
fn panicked(folder: &Folder, seed: u64) -> Value {
    let seed = seed.to_string();
    let args = ["scenario", "leader-crash", "--seed", &seed, "--provoke-panic", "--json"];
    let ended = folder.run(&args);
    assert_eq!(ended.code, Some(70), "{ended:#?}");
    ended.json()
}

fn lines(folder: &Folder, verdict: &Value) -> Vec<Value> {
    let out = folder.path().join(verdict["out"].as_str().expect("a directory"));
    let lines = files::read_trace(&out).expect("readable").expect("the trace is kept");
    lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON")).collect()
}

#[test]
fn the_trace_ends_with_the_event_being_handled() {
    let folder = Folder::new("panic-trace");
    let mut kinds = Vec::new();
    // In every second life it is a timer.
    for seed in 0..8 {
        let verdict = panicked(&folder, seed);
        let (panic, trace) = (&verdict["panic"], lines(&folder, &verdict));
        let last = trace.last().expect("events");
        assert_eq!(last["id"], panic["event"], "{panic:#}");
        assert_eq!(verdict["events"], panic["event"]);
        assert_eq!(trace.len() as u64, verdict["events"].as_u64().unwrap());
        assert_eq!(last["time_ns"], panic["at_ns"]);
        assert_eq!((&last["node"], &panic["node"]), (&"1".into(), &"1".into()));
        let handling = panic["handling"].as_str().expect("words");
        let cause = format!("event {}", last["cause"]);
        assert!(handling.contains(&cause), "{cause}: {handling}");
        let kind = last["kind"].as_str().expect("a kind").to_owned();
        let causes = panic["causes"].as_array().expect("a list");
        assert!(causes.len() > 1 && panic["of_node"].as_array().map(Vec::len) > Some(1));
        assert!(
            causes.last().unwrap().as_str().unwrap().trim().starts_with(&last["id"].to_string())
        );
        let input = panic["input"].as_str().expect("words");
        match kind.as_str() {
            "received" => {
                let (message, conn) = (last["message"].as_str(), last["conn"].as_str());
                assert!(handling.starts_with(message.unwrap()), "{handling}");
                assert!(handling.contains(conn.unwrap()), "{handling}");
                assert!(panic["of_connection"].as_array().map(Vec::len) > Some(1), "{panic:#}");
            }
            _ => {
                assert_eq!(kind, "woke");
                assert!(handling.starts_with("a timer"), "{handling}");
                assert!(!input.is_empty(), "it is known which: {panic:#}");
            }
        }
        kinds.push((kind, input.is_empty()));
    }
    for (kind, unknown) in [("received", false), ("woke", false)] {
        assert!(kinds.contains(&(kind.to_owned(), unknown)), "{kinds:?}");
    }
}

#[test]
fn the_terminal_and_the_directory_say_where_it_happened() {
    let folder = Folder::new("panic-shown");
    let ended = folder.run(&["scenario", "leader-crash", "--seed", "42", "--provoke-panic"]);
    assert_eq!(ended.code, Some(70), "{ended:#?}");
    assert!(ended.out.starts_with("PANIC "), "{}", ended.out);
    let words = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        MESSAGE,
        "(scenarios/src/museum/provoked.rs:",
        " s, in ",
        "at node 1 handling event ",
        "digest ",
        "faults ",
    ] {
        assert!(words.contains(part), "{part}\n{}", ended.out);
    }
    let folder_of_run = folder.path().join("results/latest");
    let explained = fs::read_to_string(folder_of_run.join("explain.md")).unwrap();
    for part in ["## Where the program failed", "The last events of the node", MESSAGE] {
        assert!(explained.contains(part), "{part}\n{explained}");
    }
    assert!(!explained.contains("| acked |"), "nothing was judged: {explained}");
    assert!(folder_of_run.join("history.jsonl").is_file());
    let record = files::read_record(&folder_of_run).unwrap();
    let name = fs::canonicalize(&folder_of_run).unwrap();
    assert!(name.ends_with(format!("leader-crash-42-{}", &record.digest[..8])), "{name:?}");
}

#[test]
fn one_clear_message_unless_a_backtrace_is_requested() {
    let folder = Folder::new("panic-stderr");
    let args = ["scenario", "no-faults", "--provoke-panic"];
    let plain = Ended::of(folder.program().env_remove("RUST_BACKTRACE").args(args));
    assert_eq!(plain.err.lines().count(), 2, "{}", plain.err);
    assert!(plain.err.starts_with("faultline panicked, which is a defect of its own: a panic"));
    let long = Ended::of(folder.program().env("RUST_BACKTRACE", "1").args(args));
    assert!(long.err.contains("stack backtrace:"), "{}", long.err);
}

/// Changes the record of a run, and seals it again.
fn forge(folder: &Folder, out: &str, change: impl FnOnce(&mut RunRecord)) {
    let path = folder.path().join(out);
    let mut record = files::read_record(&path).expect("it was just written");
    change(&mut record);
    record.seal();
    let text = serde_json::to_string_pretty(&record).expect("plain data");
    fs::write(path.join("run.json"), text).expect("the folder is writable");
}

#[test]
fn replay_says_whether_it_is_the_same_panic() {
    let folder = Folder::new("panic-replay");
    let verdict = panicked(&folder, 42);
    let out = verdict["out"].as_str().unwrap();
    let replay = |code: i32, head: &str, parts: &[&str]| {
        let ended = folder.run(&["replay", out]);
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert!(ended.out.starts_with(head), "{}", ended.out);
        for part in parts {
            assert!(ended.out.contains(part), "{part}\n{}", ended.out);
        }
    };
    let digest = verdict["digest"].as_str().unwrap();
    replay(70, &format!("the same panic: digest {digest}\n"), &["at node 1 handling event "]);
    let json = folder.run(&["replay", out, "--json"]).json();
    assert_eq!((&json["panic"], &json["digest"]), (&verdict["panic"], &verdict["digest"]));

    let other = "not reproduced: the run ended in a panic, and not as it was recorded";
    forge(&folder, out, |record| record.panic = Some("another one (a.rs:1:1)".to_owned()));
    replay(70, other, &["it was recorded with another panic: another one (a.rs:1:1)"]);
    forge(&folder, out, |record| {
        record.panic = None;
        record.outcome = scenarios::result::Outcome::Pass;
    });
    replay(70, other, &["it was recorded without a panic: pass"]);
    // Without the cause of the panic, the run continues beyond that event.
    forge(&folder, out, |record| {
        record.panic = Some("it".to_owned());
        record.bugs.clear();
    });
    let gone = "it was recorded with a panic, which did not come again: it";
    replay(
        5,
        "not reproduced: this is not the run that was recorded",
        &[gone, "then: (it had ended)"],
    );
}

#[test]
fn a_run_with_the_faults_of_another_may_panic_too() {
    let folder = Folder::new("panic-paired");
    let args = ["scenario", "acks-study", "--set", "acks=1", "--provoke-panic", "--json"];
    let ended = folder.run(&args);
    assert_eq!(ended.code, Some(70), "{ended:#?}");
    assert!(!lines(&folder, &ended.json()).is_empty());
}
