//! Scenarios that failed once. Each file describes its failure; each run has to have the result
//! that the file expects, and to reach the steps that led to the failure, because a pass without
//! them shows nothing. Files are plans, which list their faults, since the faults that a seed draws
//! change with every new kind of fault. `faultline replay DIR --freeze FILE` writes such a file.

#![expect(clippy::print_stdout, reason = "the last name printed is that of a run that panics")]

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

/// The scenario in a file, which begins with the history of the failure and has a step to reach.
fn scenario(path: &Path) -> Scenario {
    let text = fs::read_to_string(path).expect("readable");
    let file = path.display().to_string();
    let (scenario, warnings) = Scenario::parse(&file, &text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(warnings, [], "{file}");
    assert!(text.starts_with("# Found "), "{file} begins with what it was and when it was found");
    assert_eq!(path.file_stem().and_then(|name| name.to_str()), Some(scenario.name.as_str()));
    assert!(!scenario.must_reach.is_empty(), "{file} names nothing that has to be reached");
    assert!(!scenario.expect.seeds.is_empty(), "{file} names no seed");
    assert_eq!(scenario.swarm, None, "{file} is a plan");
    scenario
}

/// The differences between a verdict and the expected one.
fn mistakes(scenario: &Scenario, verdict: &Verdict) -> Vec<String> {
    let expected = match scenario.expect.outcome {
        Expected::Pass => Outcome::Pass,
        Expected::Violation => Outcome::Violation,
    };
    let mut mistakes = Vec::new();
    if verdict.outcome != expected {
        mistakes.push(verdict.headline());
    }
    // This is required of a violation as well, which is never vacuous.
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

/// The differences in all seeds that the scenario names.
fn mistakes_of_all(scenario: &Scenario) -> Vec<String> {
    let of = |seed: u64| {
        let resolved =
            Resolved { scenario: scenario.clone(), seed, bugs: Vec::new(), trace: false };
        match mistakes(scenario, &run(&resolved).verdict) {
            mistakes if mistakes.is_empty() => None,
            mistakes => Some(format!("{} seed {seed}: {}", scenario.name, mistakes.join("; "))),
        }
    };
    scenario.expect.seeds.iter().filter_map(|seed| of(*seed)).collect()
}

#[test]
fn every_entry_has_the_expected_result_and_reaches_its_steps() {
    let mut failed = Vec::new();
    for path in files() {
        let scenario = scenario(&path);
        println!("{} seeds {:?}", scenario.name, scenario.expect.seeds);
        failed.extend(mistakes_of_all(&scenario));
    }
    assert_eq!(failed, Vec::<String>::new());
}

/// Removes every fault from `tests/corpus/$FAULTLINE_SHRINK.toml` without which its runs have the
/// same result and reach the same steps. The comment at the top of the file stays.
#[test]
#[ignore = "rewrites an entry"]
#[expect(clippy::disallowed_methods, reason = "it is called by hand, and changes the repository")]
fn shrink() {
    let name = std::env::var("FAULTLINE_SHRINK").expect("FAULTLINE_SHRINK names an entry");
    let named = |path: &PathBuf| path.file_stem().is_some_and(|stem| *stem == *name);
    let path = files().into_iter().find(named).expect("there is such an entry");
    let mut least = scenario(&path);
    assert_eq!(mistakes_of_all(&least), Vec::<String>::new());
    for fault in (0..least.faults.len()).rev() {
        let mut less = least.clone();
        less.faults.remove(fault);
        if mistakes_of_all(&less).is_empty() {
            least = less;
        }
    }
    let text = fs::read_to_string(&path).expect("readable");
    let comment: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
    let shorter = format!("{}\n\n{}", comment.join("\n"), least.to_toml());
    fs::write(&path, shorter).expect("the corpus can be written");
}
