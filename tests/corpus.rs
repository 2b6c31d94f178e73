//! Every failure ever found, as a scenario that once failed. Each file says what it was; each run
//! has to come to what the file expects, and to reach what made it fail then: a pass that no longer
//! gets there shows nothing.

#![expect(clippy::print_stdout, reason = "a run that panics is the last one named")]

use scenarios::result::{Outcome, Verdict};
use scenarios::run::run;
use spec::{Expected, Resolved, Scenario};
use std::fs;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = fs::read_dir(folder).expect("the corpus is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

/// The scenario in a file, which says where it comes from and has a fact to reach.
fn scenario(path: &Path) -> Scenario {
    let text = fs::read_to_string(path).expect("readable");
    let file = path.display().to_string();
    let (scenario, warnings) = Scenario::parse(&file, &text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(warnings, [], "{file}");
    assert!(text.starts_with("# Found "), "{file} begins with what it was and when it was found");
    assert_eq!(path.file_stem().and_then(|name| name.to_str()), Some(scenario.name.as_str()));
    assert!(!scenario.must_reach.is_empty(), "{file} names nothing that has to be reached");
    assert!(!scenario.expect.seeds.is_empty(), "{file} names no seed");
    scenario
}

/// What is not as expected.
fn mistakes(scenario: &Scenario, verdict: &Verdict) -> Vec<String> {
    let expected = match scenario.expect.outcome {
        Expected::Pass => Outcome::Pass,
        Expected::Violation => Outcome::Violation,
    };
    let mut mistakes = Vec::new();
    if verdict.outcome != expected {
        mistakes.push(verdict.headline());
    }
    // Asked of a violation, too, which does not become vacuous by it.
    mistakes.extend(verdict.not_exercised.iter().map(|name| format!("did not reach {name}")));
    if let Some(check) = &scenario.expect.check
        && !verdict.violations.iter().any(|violation| violation.check == *check)
    {
        mistakes.push(format!("{check} found nothing"));
    }
    for hazard in &scenario.expect.permitted {
        if !verdict.permitted.iter().any(|permitted| permitted.hazard == *hazard) {
            mistakes.push(format!("{hazard} was not there to be permitted"));
        }
    }
    mistakes
}

#[test]
fn what_once_failed_comes_to_what_is_expected_and_still_gets_there() {
    let mut failed = Vec::new();
    for path in files() {
        let scenario = scenario(&path);
        for seed in scenario.expect.seeds.clone() {
            println!("{} seed {seed}", scenario.name);
            let resolved =
                Resolved { scenario: scenario.clone(), seed, bugs: Vec::new(), trace: false };
            let verdict = run(&resolved).verdict;
            let mistakes = mistakes(&scenario, &verdict);
            if !mistakes.is_empty() {
                failed.push(format!("{} seed {seed}: {}", scenario.name, mistakes.join("; ")));
            }
        }
    }
    assert_eq!(failed, Vec::<String>::new());
}
