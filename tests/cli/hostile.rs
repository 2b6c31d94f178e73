//! Hostile input, and failures of the host.

use super::{Ended, Folder, small};
use scenarios::result::{RunRecord, files};
use std::fs;

/// A title with control sequences, escaped, as TOML allows no control characters.
const TITLE: &str = r#""a\u001B[2J\u202Eb\r::error title=x::y\n::stop-commands::z ##[error]c""#;

fn shown_safely(text: &str) {
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(steers), "{text:?}");
    assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
    assert!(!text.contains("##["), "{text}");
}

/// C8: on the terminal, in JSON, in explain.md and in errors.
#[test]
fn text_of_others_is_shown_and_never_interpreted() {
    let folder = Folder::new("hostile-text");
    folder.file("hostile.toml", &small("").replace("\"a small one\"", TITLE));
    let seeds = ["scenario", "hostile.toml", "--seeds", "1..3"];
    for args in
        [&["scenario", "hostile.toml"][..], &seeds, &["fuzz", "hostile.toml", "--seeds", "1..2"]]
    {
        for json in [&[][..], &["--json"]] {
            let ended = folder.run(&[args, json].concat());
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            shown_safely(&ended.out);
            shown_safely(&ended.err);
        }
    }
    let results = folder.path().join("results/latest");
    for file in ["explain.md", "verdict.json", "run.json"] {
        shown_safely(&fs::read_to_string(results.join(file)).unwrap());
    }
    let record = files::read_record(&results).unwrap();
    assert!(record.is_sealed() && record.scenario.title.contains('\u{202e}'), "as it was");
    let odd = "no\u{1b}[31m-\u{202e}such.toml";
    let ended = folder.run(&["scenario", odd]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    shown_safely(&ended.err);
    shown_safely(&folder.run(&["scenario", "no-faults", "--set", "\u{1b}[2J\r::error::=1"]).err);
    shown_safely(&folder.run(&["scenario", "no-faults", "--\u{1b}[2J"]).err);
}

/// C8: Markdown in GitHub's step summary.
#[test]
fn a_table_of_the_step_summary_keeps_its_cells() {
    let folder = Folder::new("hostile-step");
    let name = "a|b\r<img>`.toml";
    folder.file(name, &small(""));
    let mut command = folder.program();
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "step.md");
    let ended = Ended::of(command.args(["fuzz", name, "--seeds", "42..43", "--bug", "canary"]));
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let step = fs::read_to_string(folder.path().join("step.md")).unwrap();
    let rows: Vec<&str> = step.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 3, "{step}");
    let bars = |row: &str| row.replace("\\|", "").matches('|').count();
    assert!(rows.iter().all(|row| bars(row) == bars(rows[0])), "{step}");
    assert!(!step.contains('\r'), "{step:?}");
    let commands: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(commands.len(), 1, "{ended:#?}");
}

fn run(folder: &Folder, more: &[&str]) -> String {
    folder.file("small.toml", &small(""));
    let ended = folder.run(&[&["scenario", "small.toml", "--json"][..], more].concat());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.json()["out"].as_str().expect("a directory").to_owned()
}

/// C3: if no file may be larger than a KiB, the record survives its replay.
#[cfg(target_os = "linux")]
#[test]
fn a_replay_never_touches_the_record() {
    let folder = Folder::new("hostile-replay");
    let out = run(&folder, &[]);
    let read = |name: &str| fs::read(folder.path().join(&out).join(name)).unwrap();
    let all = ["run.json", "verdict.json", "explain.md", "repro.txt"];
    let before = all.map(read);
    assert!(before[0].len() > 1_024);
    let program = env!("CARGO_BIN_EXE_faultline");
    let line = format!("trap '' XFSZ; ulimit -f 2; exec '{program}' replay {out} --trace");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &line]).current_dir(folder.path()).env_remove("CARGO");
    let ended = Ended::of(&mut command);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.err.contains("File too large"), "the system's reason: {ended:#?}");
    assert_eq!(all.map(read), before);
    let names = fs::read_dir(folder.path().join(&out)).unwrap().count();
    assert_eq!(names, all.len(), "no partly written file remains");
    assert_eq!(folder.run(&["replay", &out, "--trace"]).code, Some(0));
    assert_eq!(all.map(read), before);
}

/// C6: notes stay, and so does the trace of the same run.
#[test]
fn a_rerun_replaces_only_files_of_a_run() {
    let folder = Folder::new("hostile-rerun");
    let out = run(&folder, &["--trace"]);
    let path = folder.path().join(&out);
    fs::write(path.join("notes.md"), "what I think of it").unwrap();
    fs::write(path.join("verdict.json"), "spoilt").unwrap();
    assert_eq!(run(&folder, &[]), out);
    for file in ["notes.md", "trace.jsonl.gz", "history.jsonl"] {
        assert!(path.join(file).is_file(), "{file} is gone");
    }
    assert!(fs::read_to_string(path.join("verdict.json")).unwrap().starts_with('{'));
    assert_eq!(fs::read_dir(folder.path().join("results")).unwrap().count(), 2, "no draft stays");
    // A trace of another run would be wrong beside this record.
    let mut record = files::read_record(&path).unwrap();
    record.digest = "0123456789abcdef0123456789abcdef".to_owned();
    write(&folder, &out, &mut record);
    assert_eq!(run(&folder, &[]), out);
    assert!(path.join("notes.md").is_file() && !path.join("trace.jsonl.gz").exists());
    // A file with the name of the link is not replaced either.
    let latest = folder.path().join("results/latest");
    fs::remove_file(&latest).unwrap();
    fs::write(&latest, "mine").unwrap();
    run(&folder, &[]);
    assert_eq!(fs::read_to_string(&latest).unwrap(), "mine");
}

fn write(folder: &Folder, out: &str, record: &mut RunRecord) {
    record.seal();
    let text = serde_json::to_string_pretty(record).expect("plain data");
    fs::write(folder.path().join(out).join("run.json"), text).expect("the folder is writable");
}

/// C10: that a run differs is reported, even if its trace is damaged.
#[test]
fn a_damaged_trace_hides_no_nondeterminism() {
    let folder = Folder::new("hostile-trace");
    let out = run(&folder, &["--trace"]);
    let mut record = files::read_record(&folder.path().join(&out)).unwrap();
    record.seed += 1;
    write(&folder, &out, &mut record);
    let trace = folder.path().join(&out).join("trace.jsonl.gz");
    let whole = fs::read(&trace).unwrap();
    for damaged in [&whole[..whole.len() / 2], &b"no gzip"[..], &[]] {
        fs::write(&trace, damaged).unwrap();
        let ended = folder.run(&["replay", &out]);
        assert_eq!(ended.code, Some(5), "{ended:#?}");
        let found = ended.out.find("runs of one seed differ").expect("the finding");
        let damage = ended.out.find("can be read up to event").expect("the damage");
        assert!(found < damage && ended.out.contains("trace.jsonl.gz"), "{}", ended.out);
    }
}

/// C2: a scenario in an artefact is checked as strictly as a file.
#[test]
fn a_record_is_checked_as_a_scenario_file_is() {
    let folder = Folder::new("hostile-record");
    let out = run(&folder, &[]);
    let mut record = files::read_record(&folder.path().join(&out)).unwrap();
    record.scenario.name = "../../evil".to_owned();
    write(&folder, &out, &mut record);
    let ended = folder.run(&["replay", &out, "--trace"]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.err.contains("`../../evil` is not a name"), "{ended:#?}");
}

/// C12: reported before the run, with the reason.
#[cfg(unix)]
#[test]
fn an_impossible_directory_is_reported_before_the_run() {
    let folder = Folder::new("hostile-out");
    folder.file("small.toml", &small(""));
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    let long = "x".repeat(300);
    for (out, why) in
        [("dangling", "a link that leads nowhere"), ("dangling/in", "a link"), (&long, "too long")]
    {
        for what in [&["scenario", "small.toml"][..], &["fuzz", "small.toml", "--seeds", "0..2"]] {
            let ended = folder.run(&[what, &["--out", out]].concat());
            assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:#?}");
            assert!(ended.err.contains(why), "{why}: {ended:#?}");
            assert_eq!(ended.err.lines().count(), 1, "{ended:#?}");
        }
    }
    assert_eq!(folder.names().len(), 2, "{:?}", folder.names());
}

/// C12: wherever a file is read, a pipe is refused without waiting for it.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = Folder::new("hostile-pipe");
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.toml")).status();
    if made.is_err() {
        return;
    }
    for args in [
        &["scenario", "./pipe.toml"][..],
        &["replay", "pipe.toml"],
        &["fuzz", "merge", "pipe.toml"],
        &["report", "acks", "--from", "pipe.toml"],
        &["scenario", "/dev/zero"],
    ] {
        let ended = folder.run(args);
        assert_eq!(ended.code, Some(2), "{args:?} {ended:#?}");
        assert!(ended.err.contains("not a regular file"), "{args:?} {ended:#?}");
    }
}

/// C12: that help cannot be written is an error.
#[cfg(target_os = "linux")]
#[test]
fn help_on_a_full_disk_fails() {
    let folder = Folder::new("hostile-help");
    let program = env!("CARGO_BIN_EXE_faultline");
    for args in ["--help", "--version", "fuzz --help", "list", "schema run"] {
        let mut command = std::process::Command::new("sh");
        let line = format!("exec '{program}' {args} >/dev/full");
        let ended = Ended::of(command.args(["-c", &line]).current_dir(folder.path()));
        assert_eq!(ended.code, Some(2), "{args} {ended:#?}");
        assert!(ended.err.contains("No space left on device"), "{args} {ended:#?}");
    }
}

/// C12: only the part of a long line around the mistake is shown.
#[test]
fn a_long_line_is_not_printed_whole() {
    let folder = Folder::new("hostile-line");
    let list = "1, ".repeat(300_000);
    folder.file("long.toml", &small("").replace("rate = 100", &format!("rte = [{list}]")));
    let ended = folder.run(&["scenario", "long.toml"]);
    assert_eq!(ended.code, Some(2), "{}", ended.err.len());
    assert!(ended.err.len() < 2_000, "{}", ended.err.len());
    assert!(ended.err.contains("rte = [1, 1,"), "{}", ended.err);
}
