//! Every exit code, through the binary; 2 is in `bad_input.rs`, 5 in `replay.rs`.

use super::{Folder, small};
#[cfg(unix)]
use {
    super::Ended,
    std::process::{Command, Stdio},
    std::thread,
    std::time::Duration,
};

#[test]
fn zero_when_every_promise_was_kept() {
    let folder = Folder::new("exit-0");
    let ended = folder.run(&["scenario", "leader-crash", "--seed", "42"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.starts_with("PASS "), "{}", ended.out);
    assert!(ended.out.lines().count() <= 24, "a screenful:\n{}", ended.out);
    assert!(ended.out.lines().all(|line| line.chars().count() <= 110), "{}", ended.out);
    for noise in ["message_delivered", "controller.quorum"] {
        assert!(!ended.out.contains(noise), "that is for explain.md:\n{}", ended.out);
    }
    assert!(!ended.out.contains('\x1b'), "no colour in a pipe");
    let again = "scenario leader-crash --seed 42";
    assert!(ended.out.contains(again), "{}", ended.out);
}

#[test]
fn one_when_a_promise_was_broken_and_when_a_replay_breaks_it_again() {
    let folder = Folder::new("exit-1");
    let ended = folder.run(&["scenario", "museum-kip-497", "--bug", "KIP-497", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let verdict = ended.json();
    assert_eq!(verdict["outcome"], "violation");
    assert!(verdict["bugs"][0]["reached"].as_u64() > Some(0), "{verdict:#}");
    assert!(!verdict["violations"][0]["explanation"].as_array().unwrap().is_empty());
    let out = verdict["out"].as_str().unwrap();
    for file in ["trace.jsonl.gz", "history.jsonl"] {
        assert!(folder.path().join(out).join(file).is_file(), "a failing run keeps its {file}");
    }
    let ended = folder.run(&["replay", out]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.out.contains("the same run: digest"), "{}", ended.out);
    let ended = folder.run(&["scenario", "museum-kip-497", "--bug", "KIP-497"]);
    assert!(ended.out.starts_with("VIOLATION "), "{}", ended.out);
    assert!(ended.out.lines().count() <= 40, "about a screenful:\n{}", ended.out);
}

#[test]
fn three_when_the_result_is_undecided() {
    let folder = Folder::new("exit-3");
    folder.file("hasty.toml", &small("setup = \"1ms\"\n"));
    let ended = folder.run(&["scenario", "hasty.toml", "--json"]);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    let verdict = ended.json();
    assert_eq!(verdict["outcome"], "unknown");
    assert!(!verdict["unknown"].as_array().unwrap().is_empty(), "{verdict:#}");
}

#[test]
fn four_when_nothing_was_exercised() {
    let folder = Folder::new("exit-4");
    let must = small("").replace("title =", "must_reach = [\"election_unclean\"]\ntitle =");
    folder.file("must.toml", &must);
    let fault = "
[[faults]]
kind = \"crash\"
target = \"leader(orders-0)\"
when = \"hw(orders-0) >= 1_000_000\"
";
    folder.file("fault.toml", &small(fault));
    folder.file("silent.toml", &small("").replace("records = 50", "records = 0"));
    for (file, missing) in [("must", "election_unclean"), ("fault", "crash"), ("silent", "")] {
        let ended = folder.run(&["scenario", &format!("{file}.toml"), "--json"]);
        assert_eq!(ended.code, Some(4), "{file}: {ended:#?}");
        let verdict = ended.json();
        assert_eq!(verdict["outcome"], "vacuous");
        let shown = verdict["not_exercised"].to_string();
        assert!(shown.contains(missing), "{file}: {shown}");
    }
}

#[test]
fn seventy_after_a_panic() {
    let folder = Folder::new("exit-70");
    let ended = folder.run(&["scenario", "no-faults", "--provoke-panic", "--json"]);
    assert_eq!(ended.code, Some(70), "{ended:#?}");
    let verdict = ended.json();
    assert_eq!(verdict["outcome"], "panic");
    let again = "faultline scenario no-faults --seed 1 --bug provoke-panic";
    assert_eq!(verdict["reproduce"], again);
    assert!(verdict["replay"].as_str().unwrap().starts_with("faultline replay "));
    let ended =
        folder.run(&["scenario", "no-faults", "--seeds", "0..4", "--provoke-panic", "--json"]);
    assert_eq!((ended.code, &ended.json()["panics"]), (Some(70), &4.into()), "{ended:#?}");
}

/// How a run of more seeds than anyone waits for ends when it is interrupted after a while.
#[cfg(unix)]
fn interrupted(folder: &Folder, args: &[&str]) -> Ended {
    let mut program = folder.program();
    program.args(["scenario", "no-faults", "--seeds", "0..100_000_000"]).args(args);
    let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_secs(3));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    ended
}

#[test]
#[cfg(unix)]
fn one_hundred_and_thirty_when_interrupted_and_finished_runs_are_reported() {
    let report = interrupted(&Folder::new("exit-130"), &["--json"]).json();
    assert!(report["ran"].as_u64() < Some(100_000_000), "{report:#}");
    assert_eq!(report["planned"], 100_000_000);
    assert_eq!(report["stopped"], "interrupted");
    assert_eq!(report["ran"], report["passed"], "{report:#}");
}

#[test]
#[cfg(unix)]
fn the_summary_of_interrupted_runs_says_so() {
    let text = interrupted(&Folder::new("exit-130-text"), &[]).out;
    assert!(text.starts_with("STOPPED "), "{text}");
    assert!(text.contains(" of 100000000 run before the interrupt"), "{text}");
}

/// C11: the system refuses memory, or the thread that needs it.
#[test]
#[cfg(target_os = "linux")]
fn seventy_one_in_one_line_when_the_system_refuses_memory_or_a_thread() {
    let folder = Folder::new("exit-71");
    let program = env!("CARGO_BIN_EXE_faultline");
    let mut refused = 0;
    // In KiB of address space: from too little for a thread to nearly enough for the run.
    for limit in [60_000, 100_000, 150_000] {
        let run =
            "scenario no-faults --set partitions=3000 --set records=1000000 --set rate=1000000";
        let line = format!("ulimit -v {limit}; exec '{program}' {run}");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(folder.path()).env_remove("CARGO");
        let ended = Ended::of(&mut command);
        if ended.code == Some(71) {
            refused += 1;
            assert_eq!(ended.err.lines().count(), 1, "{ended:#?}");
            assert!(ended.err.starts_with("error: "), "{ended:#?}");
        }
    }
    assert!(refused > 0, "some limit is too small");
}
