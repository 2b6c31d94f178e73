//! What is kept of a run: enough for every sum, and little enough for millions.

use crate::result::{Outcome, Verdict};

/// What is kept of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedRecord {
    /// The index of the scenario in the plan.
    pub target: usize,
    /// The seed.
    pub seed: u64,
    /// What it came to.
    pub outcome: Outcome,
    /// Its digest; after a panic that of what had happened until then.
    pub digest: String,
    /// Its events.
    pub events: u64,
    /// Its simulated time, in nanoseconds.
    pub simulated_ns: u64,
    /// Whether it had anomalies that are permitted.
    pub permitted: bool,
    /// How long it took on a real clock, in microseconds. Nothing else depends on it.
    pub wall_us: u64,
    /// How long after the first run began it ended on a real clock, in milliseconds. That of the
    /// last is how long a part took that was killed.
    pub at_ms: u64,
    /// What it exercised.
    pub exercised: Vec<String>,
    /// What it should have exercised and did not.
    pub missing: Vec<String>,
    /// Which of the plan's bugs made a difference.
    pub reached: Vec<bool>,
    /// What failed, if something did.
    pub failure: Option<Failure>,
}

/// What failed in a run: its first violation, its panic, or why it cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The check; `panic` or `unknown` where no check says it.
    pub check: String,
    /// The same for failures of one kind.
    pub signature: String,
    /// What is wrong, in one line: the worst of it, which another check may have found.
    pub summary: String,
}

impl SeedRecord {
    /// What is kept of a run that ended with `verdict`.
    pub fn new(target: usize, verdict: Verdict, wall_us: u64, at_ms: u64) -> Self {
        let failure = Failure::of(&verdict);
        Self {
            target,
            seed: verdict.seed,
            outcome: verdict.outcome,
            digest: verdict.digest,
            events: verdict.events,
            simulated_ns: verdict.simulated_ns,
            permitted: !verdict.permitted.is_empty(),
            wall_us,
            at_ms,
            exercised: verdict.exercised.into_keys().collect(),
            missing: verdict.not_exercised,
            reached: verdict.bugs.iter().map(|bug| bug.reached > 0).collect(),
            failure,
        }
    }

    /// Whether it found a bug: a rule that made a difference, in a run that broke a promise. A
    /// panic is a mistake of ours and finds nothing.
    pub fn caught(&self, bug: usize) -> bool {
        self.outcome == Outcome::Violation && self.reached.get(bug) == Some(&true)
    }
}

impl Failure {
    /// What failed in a run; `None` if nothing did. The signature is that of [`Verdict::cause`]; the
    /// summary tells the worst.
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

/// Where a panic began, if its message ends with that; else the message without its numbers.
fn place(message: &str) -> String {
    let place = message.strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
    match place {
        Some((_, place)) if place.contains(".rs:") => place.to_owned(),
        _ => normal(message),
    }
}

/// A text without what differs from seed to seed: numbers.
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
    use crate::result::{Panic, SeedsReport};
    use judge::outcome::Violation;

    #[test]
    fn panics_are_known_by_their_place_and_else_by_their_words() {
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
    fn a_run_is_known_by_what_was_found_first_and_told_by_what_is_worst() {
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
        let mut seeds = SeedsReport::new("swarm", &(7..8), String::new());
        seeds.add(&verdict);
        let told = (&seeds.failures[0].signature, &seeds.failures[0].summary);
        assert_eq!(told, (&failure.signature, &failure.summary), "both tell the same of a seed");
        assert!(failure.summary.contains("worst broken"), "{}", failure.summary);
    }
}
