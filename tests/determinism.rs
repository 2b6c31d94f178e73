//! The same seed gives the same run: twice in one process, on several threads, in other processes,
//! and in another build.

#![expect(
    clippy::disallowed_methods,
    reason = "threads, processes and the environment are what is tested"
)]

use scenarios::catalog;
use scenarios::result::Verdict;
use scenarios::run::run;
use spec::Resolved;
use std::process::Command;

const RUNS: [(&str, u64); 4] =
    [("leader-crash", 42), ("network-partition", 7), ("swarm", 1), ("swarm", 2)];

fn verdict(name: &str, seed: u64) -> Verdict {
    let (scenario, _) = catalog::scenario(name).unwrap_or_else(|error| panic!("{error}"));
    run(&Resolved { scenario, seed, bugs: Vec::new(), trace: false }).verdict
}

/// The digest of a run of the program in another process.
fn digest_by(program: &str, name: &str, seed: u64) -> String {
    let out = std::env::temp_dir().join(format!("faultline-determinism-{}", std::process::id()));
    let output = Command::new(program)
        .args(["scenario", name, "--seed", &seed.to_string(), "--json", "--out"])
        .arg(&out)
        .output()
        .expect("the program starts");
    let _ = std::fs::remove_dir_all(&out);
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{name} {seed}: {}", String::from_utf8_lossy(&output.stderr)));
    verdict["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn runs_are_equal_one_after_another_and_in_parallel() {
    for (name, seed) in RUNS {
        let first = verdict(name, seed);
        let beside: Vec<_> =
            (0..2).map(|_| std::thread::spawn(move || verdict(name, seed))).collect();
        for thread in beside {
            assert_eq!(first, thread.join().expect("a run does not panic"), "{name} {seed}");
        }
    }
}

#[test]
fn in_other_processes() {
    for (name, seed) in RUNS {
        let here = verdict(name, seed).digest;
        let program = env!("CARGO_BIN_EXE_faultline");
        assert_eq!(here, digest_by(program, name, seed), "{name} {seed}");
        assert_eq!(here, digest_by(program, name, seed), "{name} {seed}");
    }
}

/// `FAULTLINE_OTHER` names the program in another build; `.ci/run` gives the release build.
#[test]
#[ignore = "needs FAULTLINE_OTHER, the program in another build"]
fn in_another_build() {
    let other = std::env::var("FAULTLINE_OTHER").expect("FAULTLINE_OTHER names a program");
    for (name, seed) in RUNS {
        assert_eq!(verdict(name, seed).digest, digest_by(&other, name, seed), "{name} {seed}");
    }
}
