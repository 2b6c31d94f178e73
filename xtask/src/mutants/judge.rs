//! Runs the seeds of each mutant, and judges their result.

use super::Outcome;
use super::plant::{self, CHOSEN, Planted, REACHED};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The file of results in the folder of a run.
const RESULTS: &str = "results.jsonl";
/// The CPU time of a mutant is limited to this multiple of that of the original, plus a constant.
const PATIENCE: u32 = 10;
const LEAST: Duration = Duration::from_secs(20);
/// The limit for a single run; a tenth of a second is usual.
const STALLED: Duration = Duration::from_secs(20);
/// The factor by which this limit is longer on a busy machine.
const BUSY: u32 = 50;
/// The address space of a program with a mutant, in KiB: a mutant that allocates without end
/// aborts, and does not exhaust the machine.
const MEMORY: &str = "6000000";

/// The combined result of the seeds of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// A check found a broken promise.
    Violation,
    /// The program panicked, or ended without a result.
    Panic,
    /// A run was undecided.
    Unknown,
    /// Too little was exercised.
    Vacuous,
    /// The runs did not end in time.
    Timeout,
    /// Every run passed, and the place was reached.
    Survived,
    /// No run reached the place.
    Unreached,
}

/// A judged mutant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) mutant: String,
    pub(super) verdict: Verdict,
    /// The number of runs until then.
    pub(super) runs: u64,
    /// The scenario and seed that caught it, or empty.
    pub(super) by: String,
    /// The seeds that were run.
    pub(super) budget: Budget,
    /// The date and the commit of the sources.
    pub(super) stand: (String, String),
}

/// The number of seeds for each mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Budget {
    /// Seeds of `swarm`.
    pub(super) swarm: u64,
    /// Seeds of each other scenario of the catalogue.
    pub(super) catalogue: u64,
}

impl Judged {
    pub(super) fn is_caught(&self) -> bool {
        !matches!(self.verdict, Verdict::Survived | Verdict::Unreached)
    }
}

/// All results in a folder, with several for a mutant that was judged again: the first is the
/// measured one.
pub(super) fn results(out: &Path) -> Vec<Vec<Judged>> {
    let mut all: Vec<Vec<Judged>> = Vec::new();
    for line in fs::read_to_string(out.join(RESULTS)).unwrap_or_default().lines() {
        // The last line may be torn.
        let Ok(judged) = serde_json::from_str::<Judged>(line) else { continue };
        match all.iter_mut().find(|of| of[0].mutant == judged.mutant) {
            Some(of) => of.push(judged),
            None => all.push(vec![judged]),
        }
    }
    all
}

/// Whether a mutant was judged and not caught.
pub(super) fn has_survived(results: &[Vec<Judged>], name: &str) -> bool {
    let of = results.iter().find(|of| of[0].mutant == name);
    of.and_then(|of| of.last()).is_some_and(|last| !last.is_caught())
}

/// Judges each mutant, and appends the result.
pub(super) fn judge(planted: &Planted, out: &Path, budget: Budget) -> Outcome<()> {
    let mut judge = Judge { program: &plant::program(out), out, budget, vacuous: u64::MAX };
    let Seeds { verdict, runs, by, vacuous, took: own } =
        judge.seeds(0, Duration::from_secs(3_600))?;
    if verdict != Verdict::Unreached {
        return Err(format!("without any mutant the seeds come to {verdict:?}: {by}").into());
    }
    // Seeds that exercise nothing do not indicate a mutant unless there are more of them than
    // without it.
    judge.vacuous = vacuous + runs / 20;
    println!("{runs} runs for each mutant take {:.1} s of CPU time without any", own.as_secs_f64());
    let patience = (own * PATIENCE).max(LEAST);
    let mut file = OpenOptions::new().create(true).append(true).open(out.join(RESULTS))?;
    for (i, (id, name)) in planted.mutants.iter().enumerate() {
        let Seeds { verdict, runs, by, .. } = judge.seeds(*id, patience)?;
        println!("{}/{}  {verdict:?}  {name}  {by}", i + 1, planted.mutants.len());
        let (mutant, stand) = (name.clone(), planted.stand.clone());
        let judged = Judged { mutant, verdict, runs, by, budget, stand };
        writeln!(file, "{}", serde_json::to_string(&judged)?)?;
    }
    Ok(())
}

struct Judge<'a> {
    program: &'a Path,
    out: &'a Path,
    budget: Budget,
    /// The number of runs that may exercise nothing.
    vacuous: u64,
}

/// The result of seeds, and the number of seeds that exercised nothing.
struct Seeds {
    verdict: Verdict,
    runs: u64,
    by: String,
    vacuous: u64,
    /// Their CPU time.
    took: Duration,
}

impl Judge<'_> {
    /// Runs the seeds with a mutant, or without any for 0.
    fn seeds(&self, id: u32, patience: Duration) -> Outcome<Seeds> {
        let reached = self.out.join("reached");
        let _ = fs::remove_file(&reached);
        let (mut runs, mut vacuous) = (0, 0);
        let others = self.others()?;
        let mut others: Vec<&str> = others.iter().map(String::as_str).collect();
        others.retain(|name| *name != "swarm");
        let mut took = Duration::ZERO;
        let Budget { swarm, catalogue } = self.budget;
        for (scenarios, seeds) in [(&others[..], catalogue), (&["swarm"][..], swarm)] {
            let left = patience.saturating_sub(took);
            let (ended, of_these) = self.fuzz(id, scenarios, seeds, &reached, left)?;
            took += of_these;
            let report = match ended {
                Ended::Report(report) => report,
                Ended::Failed(by) => {
                    return Ok(Seeds { verdict: Verdict::Panic, runs, by, vacuous, took });
                }
                Ended::Killed(by) => {
                    return Ok(Seeds { verdict: Verdict::Timeout, runs, by, vacuous, took });
                }
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
            return Ok(Seeds { verdict, runs, by, vacuous, took });
        }
        let verdict = if reached.exists() { Verdict::Survived } else { Verdict::Unreached };
        Ok(Seeds { verdict, runs, by: String::new(), vacuous, took })
    }

    /// The scenarios of the catalogue.
    fn others(&self) -> Outcome<Vec<String>> {
        let listed = Command::new(self.program).args(["list", "scenarios", "--json"]).output()?;
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
        let names = listed["scenarios"].as_array().into_iter().flatten();
        Ok(names.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect())
    }

    /// Runs `fuzz` up to the first failure. Also returns its CPU time.
    fn fuzz(
        &self,
        id: u32,
        scenarios: &[&str],
        seeds: u64,
        reached: &Path,
        patience: Duration,
    ) -> Outcome<(Ended, Duration)> {
        let (results, printed) = (self.out.join("fuzz"), self.out.join("printed.json"));
        let _ = fs::remove_dir_all(&results);
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -v $0 && exec \"$@\"", MEMORY])
            .arg(self.program)
            .arg("fuzz")
            .args(scenarios)
            .args(["--seeds", &format!("0..{seeds}"), "--jobs", "1", "--fail-fast", "--json"])
            .args([Path::new("--out"), &results])
            .env(CHOSEN, id.to_string())
            .env(REACHED, reached)
            .stdout(File::create(&printed)?)
            .stderr(Stdio::null())
            .spawn()?;
        let journal = results.join("journal.jsonl");
        let begin = Instant::now();
        let (mut bytes, mut since, mut took) = (0, Duration::ZERO, Duration::ZERO);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            took = cpu_time(child.id()).unwrap_or_else(|| begin.elapsed()).max(took);
            let written = fs::metadata(&journal).map_or(0, |it| it.len());
            if written != bytes {
                (bytes, since) = (written, took);
            }
            let is_stalled = took.saturating_sub(since) >= STALLED;
            if took >= patience || is_stalled || begin.elapsed() >= patience * BUSY {
                child.kill()?;
                child.wait()?;
                return Ok((Ended::Killed(scenarios.join(" ")), took));
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = fs::read_to_string(&printed).unwrap_or_default();
        let ended = match serde_json::from_str(&text) {
            Ok(report) => Ended::Report(report),
            Err(_) => Ended::Failed(format!("{status} in {}", scenarios.join(" "))),
        };
        Ok((ended, took))
    }
}

/// The CPU time of a process, if the system reports it (`/proc`), in ticks of a hundredth of a
/// second.
fn cpu_time(pid: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may contain anything.
    let (_, rest) = text.rsplit_once(')')?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.collect::<Result<Vec<_>, _>>().ok()?.iter().sum();
    Some(Duration::from_millis(10 * ticks))
}

/// How a program with a mutant ended.
enum Ended {
    /// It printed the output of `fuzz --json`.
    Report(serde_json::Value),
    /// It printed no result: an abort, for example for lack of memory.
    Failed(String),
    /// It took too long.
    Killed(String),
}
