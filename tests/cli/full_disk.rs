//! On a full disk, findings are reported all the same.
//!
//! The size of files is limited instead (`ulimit -f`, in blocks of 512 bytes), which causes the
//! same errors of writes.

use super::{Ended, Folder};
use std::process::Command;

/// Starts the program with this limit to the size of files, in blocks.
fn limited(folder: &Folder, blocks: u32, args: &str) -> Ended {
    let program = env!("CARGO_BIN_EXE_faultline");
    let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec '{program}' {args}");
    shell(folder, &line)
}

fn shell(folder: &Folder, line: &str) -> Ended {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder.path());
    Ended::of(command.env_remove("CARGO").env("NO_COLOR", "1"))
}

const BROKEN: &str = "scenario museum-kip-497 --bug KIP-497";
const AGAIN: &str = "scenario museum-kip-497 --seed 1 --bug KIP-497";

#[test]
fn a_violation_is_reported_although_its_results_cannot_be_written() {
    let folder = Folder::new("full-violation");
    let ended = limited(&folder, 1, BROKEN);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.out.starts_with("VIOLATION "), "{ended:#?}");
    assert!(ended.out.contains(AGAIN), "{ended:#?}");
    assert!(!ended.out.contains("results "), "there are none: {ended:#?}");
    assert!(ended.err.contains("cannot write into results: "), "{ended:#?}");
    let ended = limited(&folder, 1, &format!("{BROKEN} --json"));
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let verdict = ended.json();
    assert_eq!((&verdict["outcome"], &verdict["out"]), (&"violation".into(), &"".into()));
    assert!(verdict["reproduce"].as_str().unwrap().contains(AGAIN), "{verdict:#}");
}

#[test]
fn a_pass_whose_results_cannot_be_written_is_no_success() {
    let folder = Folder::new("full-pass");
    let ended = limited(&folder, 1, "scenario no-faults --set records=50");
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.out.starts_with("PASS "), "{ended:#?}");
    assert!(ended.err.contains("cannot write into results: "), "{ended:#?}");
}

#[test]
fn many_seeds_are_run_to_the_end() {
    let folder = Folder::new("full-seeds");
    let ended = limited(&folder, 1, "scenario museum-kip-497 --bug KIP-497 --seeds 1..4 --json");
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(ended.json()["ran"], 3, "{ended:#?}");
    assert!(ended.err.contains("cannot write into results: "), "{ended:#?}");
}

#[test]
fn findings_of_fuzz_are_reported_although_they_cannot_be_written() {
    let folder = Folder::new("full-fuzz");
    // There is room for the journal, but not for the trace of the failure.
    let fuzz = "fuzz museum-kip-497 --bug KIP-497 --seeds 1..3 --jobs 1";
    let ended = limited(&folder, 64, fuzz);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.out.starts_with("VIOLATION "), "{ended:#?}");
    assert!(ended.out.contains(AGAIN), "{ended:#?}");
    assert!(ended.err.contains("cannot write into "), "{ended:#?}");
    // The journal itself cannot be continued; the finished runs count.
    let ended = limited(&folder, 24, "fuzz no-faults --seeds 0..1000 --set records=20 --json");
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let report = ended.json();
    assert_eq!(report["stopped"], "incomplete", "{report:#}");
    let ran = report["ran"].as_u64().unwrap();
    assert!((1..1000).contains(&ran) && report["passed"] == ran, "{report:#}");
}

#[test]
fn findings_of_a_report_are_reported_although_its_page_cannot_be_written() {
    let folder = Folder::new("full-report");
    let report = "report acks --seeds 3..5 --set records=300 --set rate=60 --out kept";
    let whole = limited(&folder, 1 << 20, &format!("{report} --json"));
    // Two seeds are too few to test any setting.
    assert_eq!(whole.code, Some(4), "{whole:#?}");
    let page = || std::fs::read(folder.path().join("kept/index.html")).expect("the page");
    let (before, names) = (page(), folder.names());

    let ended = limited(&folder, 1, report);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.out.starts_with("VACUOUS "), "{ended:#?}");
    assert!(ended.out.contains("acks=all, min ISR 2"), "{ended:#?}");
    assert!(!ended.out.contains("page "), "there is none: {ended:#?}");
    assert!(ended.err.contains("cannot write into kept: "), "{ended:#?}");

    let ended = limited(&folder, 1, &format!("{report} --json"));
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let (whole, shown) = (whole.json(), ended.json());
    assert_eq!((&shown["outcome"], &shown["out"]), (&"vacuous".into(), &"".into()));
    assert_eq!(shown["settings"], whole["settings"], "the same numbers");

    // The earlier report is complete, and there are no other files beside it.
    assert!(page() == before && folder.names() == names, "{:?}", folder.names());
    let ended = limited(&folder, 1, "report acks --from kept/study.jsonl --out kept");
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.out.contains("acks=all, min ISR 2"), "{ended:#?}");
    assert!(page() == before);
}

#[test]
fn a_verdict_that_standard_output_does_not_take_goes_to_standard_error() {
    let folder = Folder::new("full-stdout");
    let program = env!("CARGO_BIN_EXE_faultline");
    for (args, code) in [(BROKEN, 1), ("scenario no-faults --set records=50", 2)] {
        let ended = shell(&folder, &format!("'{program}' {args} >/dev/full"));
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        let verdict = ended.err.find("again ").expect("the verdict");
        let failure = ended.err.find("cannot write to standard output").expect("the failure");
        assert!(verdict < failure, "{ended:#?}");
    }
}

#[test]
fn findings_are_reported_although_standard_error_cannot_be_written() {
    let folder = Folder::new("full-stderr");
    let program = env!("CARGO_BIN_EXE_faultline");
    let fuzz = "fuzz no-faults --set records=20 --seeds 42..43 --bug canary";
    let ended = shell(&folder, &format!("GITHUB_ACTIONS=true '{program}' {fuzz} 2>/dev/full"));
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.out.starts_with("VIOLATION "), "{ended:#?}");
}
