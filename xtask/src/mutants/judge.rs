//! The seeds of each mutant, and what they come to.

use super::Outcome;
use super::plant::{CHOSEN, Planted, REACHED};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The file of results in the folder of a run.
const RESULTS: &str = "results.jsonl";
/// A mutant may take so many times as long as none, and a little longer.
const PATIENCE: u32 = 10;
const LEAST: Duration = Duration::from_secs(20);

/// What the seeds of a mutant came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// A check found a broken promise.
    Violation,
    /// The program panicked.
    Panic,
    /// A run was undecided.
    Unknown,
    /// Too little was exercised.
    Vacuous,
    /// The runs did not end in time.
    Timeout,
    /// Every run passed, and the place was reached.
    Survived,
    /// No run came to the place.
    Unreached,
}

/// A mutant that was judged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) mutant: String,
    pub(super) verdict: Verdict,
    /// How many runs there were until then.
    pub(super) runs: u64,
    /// The scenario and seed that caught it, or empty.
    pub(super) by: String,
    /// The budget: seeds of `swarm`, and of each other scenario.
    pub(super) budget: (u64, u64),
}

/// All results in a folder.
pub(super) fn results(out: &Path) -> Outcome<Vec<Judged>> {
    let mut all = Vec::new();
    for line in fs::read_to_string(out.join(RESULTS)).unwrap_or_default().lines() {
        // The last may be torn.
        all.extend(serde_json::from_str::<Judged>(line));
    }
    Ok(all)
}

/// The names of the mutants that are judged already.
pub(super) fn known(out: &Path) -> Outcome<BTreeSet<String>> {
    Ok(results(out)?.into_iter().map(|judged| judged.mutant).collect())
}

/// Judges each mutant, and appends the result.
pub(super) fn judge(planted: &Planted, out: &Path, swarm: u64, catalogue: u64) -> Outcome<()> {
    let mut judge = Judge { program: &planted.program, out, swarm, catalogue, vacuous: u64::MAX };
    let begin = Instant::now();
    let Seeds { verdict, runs, by, vacuous } = judge.seeds(0, Duration::from_secs(3_600))?;
    if verdict != Verdict::Unreached {
        return Err(format!("without any mutant the seeds come to {verdict:?}: {by}").into());
    }
    let own = begin.elapsed();
    // Seeds that exercise nothing are no sign of a mutant unless there are more of them.
    judge.vacuous = vacuous + runs / 20;
    println!("{runs} runs for each mutant take {:.1} s without any", own.as_secs_f64());
    let patience = (own * PATIENCE).max(LEAST);
    let mut file = OpenOptions::new().create(true).append(true).open(out.join(RESULTS))?;
    for (i, (id, mutant)) in planted.mutants.iter().enumerate() {
        let Seeds { verdict, runs, by, .. } = judge.seeds(*id, patience)?;
        let name = mutant.name();
        println!("{}/{}  {verdict:?}  {name}  {by}", i + 1, planted.mutants.len());
        let budget = (swarm, catalogue);
        let judged = Judged { mutant: name, verdict, runs, by, budget };
        writeln!(file, "{}", serde_json::to_string(&judged)?)?;
    }
    Ok(())
}

struct Judge<'a> {
    program: &'a Path,
    out: &'a Path,
    swarm: u64,
    catalogue: u64,
    /// How many runs may exercise nothing.
    vacuous: u64,
}

/// What seeds came to, and how many of them exercised nothing.
struct Seeds {
    verdict: Verdict,
    runs: u64,
    by: String,
    vacuous: u64,
}

impl Judge<'_> {
    /// Runs the seeds with a mutant, or with none for 0.
    fn seeds(&self, id: u32, patience: Duration) -> Outcome<Seeds> {
        let reached = self.out.join("reached");
        let _ = fs::remove_file(&reached);
        let (mut runs, mut vacuous) = (0, 0);
        let others = self.others()?;
        let mut others: Vec<&str> = others.iter().map(String::as_str).collect();
        others.retain(|name| *name != "swarm");
        let end = Instant::now() + patience;
        for (scenarios, seeds) in [(&others[..], self.catalogue), (&["swarm"][..], self.swarm)] {
            let left = end.saturating_duration_since(Instant::now());
            let Some(report) = self.fuzz(id, scenarios, seeds, &reached, left)? else {
                return Ok(Seeds { verdict: Verdict::Timeout, runs, by: String::new(), vacuous });
            };
            let count = |key: &str| report[key].as_u64().unwrap_or(0);
            runs += count("ran");
            vacuous += count("vacuous");
            let verdict = match report["outcome"].as_str() {
                Some("pass") => continue,
                Some("vacuous") if vacuous <= self.vacuous => continue,
                Some("violation") => Verdict::Violation,
                Some("unknown") => Verdict::Unknown,
                Some("vacuous") => Verdict::Vacuous,
                _ => Verdict::Panic,
            };
            let group = &report["signatures"][0];
            let text = |key: &str| group[key].as_str().unwrap_or_default();
            let by = match verdict {
                Verdict::Vacuous => "too little was exercised".to_owned(),
                _ => format!(
                    "{} by {} {}",
                    text("signature"),
                    text("scenario"),
                    group["smallest_seed"]
                ),
            };
            return Ok(Seeds { verdict, runs, by, vacuous });
        }
        let verdict = if reached.exists() { Verdict::Survived } else { Verdict::Unreached };
        Ok(Seeds { verdict, runs, by: String::new(), vacuous })
    }

    /// The scenarios of the catalogue.
    fn others(&self) -> Outcome<Vec<String>> {
        let listed = Command::new(self.program).args(["list", "scenarios", "--json"]).output()?;
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
        let names = listed["scenarios"].as_array().into_iter().flatten();
        Ok(names.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect())
    }

    /// What `fuzz --json` prints; none if it takes too long. A program that ends without printing
    /// anything has failed.
    fn fuzz(
        &self,
        id: u32,
        scenarios: &[&str],
        seeds: u64,
        reached: &Path,
        patience: Duration,
    ) -> Outcome<Option<serde_json::Value>> {
        let (results, printed) = (self.out.join("fuzz"), self.out.join("printed.json"));
        let _ = fs::remove_dir_all(&results);
        let mut child = Command::new(self.program)
            .arg("fuzz")
            .args(scenarios)
            .args(["--seeds", &format!("0..{seeds}"), "--jobs", "1", "--fail-fast", "--json"])
            .args([Path::new("--out"), &results])
            .env(CHOSEN, id.to_string())
            .env(REACHED, reached)
            .stdout(File::create(&printed)?)
            .stderr(Stdio::null())
            .spawn()?;
        let end = Instant::now() + patience;
        while child.try_wait()?.is_none() {
            if Instant::now() >= end {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(read(&printed)))
    }
}

fn read(path: &PathBuf) -> serde_json::Value {
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(serde_json::Value::Null)
}
