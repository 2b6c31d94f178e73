//! The data that is kept of a run: enough for every sum, and small enough for millions of runs.

use super::harm::Harm;
use super::latency::Waited;
use crate::result::{Errors, Outcome, Verdict};
use judge::outcome::{Counts, GroupCounts, Sum, Transactions};
use std::collections::BTreeMap;

/// The data that is kept of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedRecord {
    /// The index of the scenario in the plan.
    pub target: usize,
    /// The seed.
    pub seed: u64,
    /// The outcome of the run.
    pub outcome: Outcome,
    /// The digest; after a panic, of the trace until then.
    pub digest: String,
    /// The number of events.
    pub events: u64,
    /// Its simulated time, in nanoseconds.
    pub simulated_ns: u64,
    /// The records, counted by outcome.
    pub counts: Counts,
    /// The outcomes of its transactions.
    pub transactions: Transactions,
    /// What the members of all its groups of consumers did.
    pub groups: GroupCounts,
    /// Whether the sum over accounts held; `None` if there is none, or it is not known.
    pub sum_held: Option<bool>,
    /// The number of lost records sent with acks=0. `counts.lost` does not include them.
    pub unconfirmed_lost: u64,
    /// Why records were not acknowledged.
    pub errors: Errors,
    /// The longest waits of its clients.
    pub waited: Waited,
    /// Its permitted anomalies, by hazard.
    pub hazards: Vec<Hazard>,
    /// Its duration on a real clock, in microseconds. Nothing else depends on it.
    pub wall_us: u64,
    /// When it ended, in milliseconds on a real clock since the first run began. For a part that
    /// was killed, that of the last run is the duration of the part.
    pub at_ms: u64,
    /// The steps and effects that it exercised.
    pub exercised: Vec<String>,
    /// The wanted steps that it did not exercise.
    pub missing: Vec<String>,
    /// Whether each of the plan's bugs made a difference.
    pub reached: Vec<bool>,
    /// The failure, if any.
    pub failure: Option<Failure>,
}

/// Permitted anomalies of one kind in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hazard {
    /// The row of the permission table.
    pub name: String,
    /// The number of records.
    pub records: u64,
    /// The setting that permits them, without the event of this run.
    pub because: String,
}

/// The failure of a run: its first violation, its panic, or why it is undecided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The check; `panic` or `unknown` if no check found it.
    pub check: String,
    /// The signature, which failures of one kind share.
    pub signature: String,
    /// The worst violation in one line. Another check may have found it.
    pub summary: String,
}

impl SeedRecord {
    /// The data that is kept of a run with this verdict.
    pub fn new(target: usize, verdict: Verdict, wall_us: u64, at_ms: u64) -> Self {
        let failure = Failure::of(&verdict);
        let mut groups = GroupCounts::default();
        verdict.groups.values().for_each(|group| groups.add(group));
        Self {
            target,
            seed: verdict.seed,
            outcome: verdict.outcome,
            unconfirmed_lost: verdict.unconfirmed_lost(),
            hazards: Hazard::all(&verdict),
            digest: verdict.digest,
            events: verdict.events,
            simulated_ns: verdict.simulated_ns,
            counts: verdict.counts,
            transactions: verdict.transactions.unwrap_or_default(),
            groups,
            sum_held: verdict.sum.as_ref().and_then(Sum::held),
            errors: verdict.errors,
            waited: Waited::of(verdict.writes, verdict.reads),
            wall_us,
            at_ms,
            exercised: verdict.exercised.into_keys().collect(),
            missing: verdict.not_exercised,
            reached: verdict.bugs.iter().map(|bug| bug.reached > 0).collect(),
            failure,
        }
    }

    /// Whether it detected a bug: the rule made a difference, and the run broke a promise. A panic
    /// is a defect of Faultline and detects nothing.
    pub fn caught(&self, bug: usize) -> bool {
        self.outcome == Outcome::Violation && self.reached.get(bug) == Some(&true)
    }

    /// The worst harm to its records.
    pub(super) fn harm(&self) -> Harm {
        Harm::of(&self.counts)
    }
}

impl Hazard {
    /// The permitted anomalies of a run, by hazard.
    fn all(verdict: &Verdict) -> Vec<Self> {
        let mut by_name: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        for permitted in &verdict.permitted {
            // The part before the first comma is the setting, which is the same in every run.
            let because = permitted.because.split(", ").next().unwrap_or_default();
            by_name.entry(&permitted.hazard).or_insert((0, because)).0 += permitted.count;
        }
        let hazard = |(name, (records, because)): (&str, (u64, &str))| Self {
            name: name.to_owned(),
            records,
            because: because.to_owned(),
        };
        by_name.into_iter().map(hazard).collect()
    }
}

impl Failure {
    /// The failure of a run; `None` if it passed or is vacuous. The signature is that of
    /// [`Verdict::cause`]; the summary is about the worst violation.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let why = verdict.unknown.first().map_or("", String::as_str);
        let (check, signature) = match (verdict.outcome, verdict.cause()) {
            (Outcome::Pass | Outcome::Vacuous, _) => return None,
            (Outcome::Violation, Some(cause)) => (cause.check.clone(), cause.signature.clone()),
            (Outcome::Panic, _) => ("panic".to_owned(), format!("panic:{}", place(why))),
            (outcome, _) => {
                (outcome.name().to_owned(), format!("{}:{}", outcome.name(), normal(why)))
            }
        };
        Some(Self { check, signature, summary: verdict.headline() })
    }
}

/// The place of a panic, if its message ends with the place; otherwise the message without its
/// numbers.
fn place(message: &str) -> String {
    let place = message.strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
    match place {
        Some((_, place)) if place.contains(".rs:") => place.to_owned(),
        _ => normal(message),
    }
}

/// A text without its numbers, which differ from seed to seed.
fn normal(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut normal = String::new();
    for c in text.chars().take(LONGEST) {
        match c {
            c if c.is_ascii_digit() && normal.ends_with('#') => {}
            c if c.is_ascii_digit() => normal.push('#'),
            c if c.is_whitespace() => normal.push('-'),
            c => normal.push(c),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Panic;
    use judge::outcome::{Permitted, Violation};

    #[test]
    fn panics_are_identified_by_their_place_or_else_by_their_message() {
        let of = |message: &str| {
            let panic = Panic { message: message.to_owned(), ..Panic::default() };
            let verdict = Verdict::of_panic("swarm", 7, &[], panic);
            Failure::of(&verdict).expect("a panic is a failure").signature
        };
        assert_eq!(
            of("offset 17 is gone (engine/src/log.rs:12:9)"),
            "panic:engine/src/log.rs:12:9"
        );
        assert_eq!(of("offset 17 is gone (twice)"), "panic:offset-#-is-gone-(twice)");
        assert_eq!(of("offset 4711 is gone"), of("offset 1 is gone"));
    }

    #[test]
    fn the_signature_is_that_of_the_first_violation_and_the_summary_of_the_worst() {
        let found = |check: &str, at_ns| Violation {
            check: check.to_owned(),
            signature: format!("{check}:why"),
            at_ns,
            summary: format!("{check} broken"),
            ..Violation::default()
        };
        let verdict = Verdict {
            outcome: Outcome::Violation,
            violations: vec![found("worst", 30), found("cause", 10), found("other", 20)],
            ..Verdict::of_panic("swarm", 7, &[], Panic::default())
        };
        let failure = Failure::of(&verdict).expect("it failed");
        assert_eq!((failure.check.as_str(), failure.signature.as_str()), ("cause", "cause:why"));
        assert!(failure.summary.contains("worst broken"), "{}", failure.summary);
    }

    /// One run and a series count losses with acks=0 in the same way.
    #[test]
    fn losses_of_acks_0_are_kept_beside_those_of_acknowledged_records() {
        let mut verdict = Verdict::of_panic("swarm", 7, &[], Panic::default());
        verdict.outcome = Outcome::Pass;
        verdict.counts = Counts { unconfirmed: 9, ..Counts::default() };
        for (partition, count) in [("orders-0", 2), ("orders-1", 3)] {
            verdict.permitted.push(Permitted {
                hazard: "acks0-unwritten".to_owned(),
                because: "with acks=0 the producer waits for no response, and so on".to_owned(),
                partition: partition.to_owned(),
                count,
                ..Permitted::default()
            });
        }
        let unconfirmed_lost = verdict.unconfirmed_lost();
        let record = SeedRecord::new(0, verdict, 0, 0);
        assert_eq!((record.unconfirmed_lost, unconfirmed_lost, record.counts.lost), (5, 5, 0));
        let because = "with acks=0 the producer waits for no response".to_owned();
        let name = "acks0-unwritten".to_owned();
        assert_eq!(record.hazards, [Hazard { name, records: 5, because }]);
    }
}
