//! The journal of a part: a line of JSON for each run, appended as it ends. Whatever kills the
//! process costs the runs in flight and no others.
//!
//! ```text
//! {"header": …}            the plan and the parts, once
//! {"name": "crash"}        a name gets the next number
//! {"run": …}               what is kept of a run; names by number
//! {"end": …}               how many runs there are and why no part has more, once
//! ```
//!
//! Each line ends in its seal ([`machine::Chain`]). Journals travel as artefacts of CI, so what is
//! read from one is checked as a scenario file is.

use super::plan::{Part, Plan};
use super::record::{Failure, Hazard, SeedRecord};
use crate::result::Outcome;
use judge::outcome::Counts;
use machine::{Chain, unsealed};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, BufRead};

/// The version of this format.
const VERSION: u32 = 3;

/// What a journal is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    version: u32,
    /// What is run.
    pub plan: Plan,
    /// With which seeds. Several parts after a merge.
    pub parts: Vec<Part>,
}

impl Header {
    /// The header of a new journal.
    pub fn new(plan: Plan, parts: Vec<Part>) -> Self {
        Self { version: VERSION, plan, parts }
    }

    /// Checks that there can be such a journal, as far as it does not depend on this build; what is
    /// wrong, in words. Sums and remainders below rest on it.
    fn check(&self) -> Result<(), String> {
        let Self { plan, parts, .. } = self;
        if plan.targets.is_empty() || parts.is_empty() {
            return Err("it is about no run".to_owned());
        }
        let mut names = BTreeSet::new();
        let mut targets = plan.targets.iter().map(|target| &target.scenario.name);
        if let Some(twice) = targets.find(|name| !names.insert(*name)) {
            return Err(format!("two scenarios are called `{twice}`"));
        }
        for target in &plan.targets {
            if let Some(wrong) = target.scenario.impossible() {
                let name = &target.scenario.name;
                return Err(format!("its scenario `{name}` cannot be: {}", wrong.message));
            }
        }
        for (i, part) in parts.iter().enumerate() {
            part.check()?;
            if let Some(other) = parts[..i].iter().find(|other| other.overlaps(part)) {
                return Err(format!("parts overlap: {} and {}", other.name(), part.name()));
            }
        }
        Ok(())
    }
}

/// Why a part ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Every run has been made.
    Complete,
    /// The time given was over.
    Time,
    /// A run failed, and that was to be the end.
    FailFast,
    /// There was an interrupt.
    Interrupted,
    /// The process was killed, or runs are missing.
    Incomplete,
}

impl Stop {
    /// What follows the number of runs in a sentence, if there are fewer than planned.
    pub fn why(self) -> &'static str {
        match self {
            Self::Complete => "",
            Self::Time => " in the time given",
            Self::FailFast => " up to the first failure",
            Self::Interrupted => " before the interrupt",
            Self::Incomplete => "; the others are missing",
        }
    }
}

/// The last line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many runs it holds.
    pub runs: u64,
    /// How long they took together on a real clock, in milliseconds.
    pub wall_ms: u64,
    /// Why there are no more, for each of the header's parts: parts may be joined in any order, and
    /// what they come to depends on why each of them ended.
    pub stops: Vec<Stop>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Header(Box<Header>),
    Name(Cow<'a, str>),
    Run(Box<Run<'a>>),
    End(End),
}

/// A run as it is written: short, since there are many.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run<'a> {
    target: usize,
    seed: u64,
    outcome: Outcome,
    digest: Cow<'a, str>,
    events: u64,
    simulated_ns: u64,
    wall_us: u64,
    at_ms: u64,
    counts: Counts,
    #[serde(default, skip_serializing_if = "is_zero")]
    unconfirmed_lost: u64,
    /// Name, records, and what permits them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hazards: Vec<(usize, u64, usize)>,
    exercised: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reached: Vec<bool>,
    /// Check, signature and summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<[Cow<'a, str>; 3]>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Turns runs into lines.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    names: BTreeMap<String, usize>,
    chain: Chain,
}

impl Writer {
    /// The first line.
    pub fn header(&mut self, header: &Header) -> String {
        self.line(&Line::Header(Box::new(header.clone())))
    }

    /// The lines for a run; to be written in one piece.
    pub fn run(&mut self, record: &SeedRecord) -> String {
        let mut text = String::new();
        let exercised = self.numbers(&record.exercised, &mut text);
        let missing = self.numbers(&record.missing, &mut text);
        let mut hazards = Vec::new();
        for Hazard { name, records, because } in &record.hazards {
            let (name, because) = (self.number(name, &mut text), self.number(because, &mut text));
            hazards.push((name, *records, because));
        }
        let failure = record.failure.as_ref();
        let run = Run {
            target: record.target,
            seed: record.seed,
            outcome: record.outcome,
            digest: Cow::Borrowed(&record.digest),
            events: record.events,
            simulated_ns: record.simulated_ns,
            wall_us: record.wall_us,
            at_ms: record.at_ms,
            counts: record.counts.clone(),
            unconfirmed_lost: record.unconfirmed_lost,
            hazards,
            exercised,
            missing,
            reached: record.reached.clone(),
            failure: failure.map(|failure| {
                [&failure.check, &failure.signature, &failure.summary]
                    .map(|text| Cow::Borrowed(text.as_str()))
            }),
        };
        text.push_str(&self.line(&Line::Run(Box::new(run))));
        text
    }

    /// The last line.
    pub fn end(&mut self, end: End) -> String {
        self.line(&Line::End(end))
    }

    fn numbers(&mut self, names: &[String], text: &mut String) -> Vec<usize> {
        names.iter().map(|name| self.number(name, text)).collect()
    }

    /// The number of a name; the line of a new name goes to `text`.
    fn number(&mut self, name: &str, text: &mut String) -> usize {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        let number = self.names.len();
        self.names.insert(name.to_owned(), number);
        text.push_str(&self.line(&Line::Name(Cow::Borrowed(name))));
        number
    }

    fn line(&mut self, line: &Line<'_>) -> String {
        self.chain.seal(&serde_json::to_string(line).expect("a line is plain data"))
    }
}

/// What is wrong with a journal.
#[derive(Debug)]
pub enum Damage {
    /// It cannot be read.
    Io(io::Error),
    /// A line, from 1, is not what belongs there.
    Line(u64, String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Line(number, what) => write!(f, "line {number}: {what}"),
        }
    }
}

/// Reads a journal.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    chain: Chain,
    header: Header,
    names: Vec<String>,
    line: u64,
    runs: u64,
    end: Option<End>,
    torn: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// If there is none of this version.
    pub fn open(mut source: R) -> Result<Self, Damage> {
        let first = whole_line(&mut source).map_err(Damage::Io)?;
        let wrong = |what: String| Damage::Line(1, what);
        let text = match first {
            Found::Line(text) => text,
            Found::Torn(_) | Found::Nothing => return Err(wrong("it has no header".to_owned())),
        };
        let header = match parsed(&text) {
            Ok(Line::Header(header)) => *header,
            Ok(_) => return Err(wrong("it does not begin with a header".to_owned())),
            Err(error) => return Err(wrong(format!("not the journal of a fuzz run: {error}"))),
        };
        if header.version != VERSION {
            let found = header.version;
            return Err(wrong(format!("version {found} of the format; this is {VERSION}")));
        }
        let mut chain = Chain::default();
        if !chain.follows(&text) {
            return Err(wrong(CHANGED.to_owned()));
        }
        header.check().map_err(wrong)?;
        Ok(Self {
            source,
            chain,
            header,
            names: Vec::new(),
            line: 1,
            runs: 0,
            end: None,
            torn: false,
        })
    }

    /// What it is about.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next run; `None` after the last.
    ///
    /// # Errors
    ///
    /// If a line is not what belongs there. A torn last line is no error: that is how a killed
    /// process leaves it.
    pub fn next_run(&mut self) -> Result<Option<SeedRecord>, Damage> {
        loop {
            let text = match whole_line(&mut self.source).map_err(Damage::Io)? {
                Found::Line(text) => text,
                // Only the end of a line is missing where a process was killed.
                Found::Torn(text) if self.end.is_none() && !holds_a_seal(&text) => {
                    self.torn = true;
                    return Ok(None);
                }
                Found::Torn(_) => {
                    self.line += 1;
                    return Err(self.wrong(CHANGED));
                }
                Found::Nothing => return Ok(None),
            };
            self.line += 1;
            if self.end.is_some() {
                return Err(self.wrong("something follows the end"));
            }
            if !self.chain.follows(&text) {
                return Err(self.wrong(CHANGED));
            }
            match parsed(&text) {
                Ok(Line::Name(name)) => self.names.push(name.into_owned()),
                Ok(Line::Run(run)) => return self.record(*run).map(Some),
                Ok(Line::End(end)) => self.end = Some(self.ended(end)?),
                Ok(Line::Header(_)) => return Err(self.wrong("a second header")),
                Err(error) => return Err(self.wrong(&format!("not a line of a journal: {error}"))),
            }
        }
    }

    /// The last line, if there is one: a process that was killed leaves none.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Whether the last line is torn.
    pub fn torn(&self) -> bool {
        self.torn
    }

    fn wrong(&self, what: &str) -> Damage {
        Damage::Line(self.line, what.to_owned())
    }

    fn ended(&self, end: End) -> Result<End, Damage> {
        let (runs, said) = (self.runs, end.runs);
        if runs != said {
            return Err(self.wrong(&format!("it holds {runs} runs, not {said}")));
        }
        let (parts, stops) = (self.header.parts.len(), end.stops.len());
        if parts != stops {
            return Err(self.wrong(&format!("it ends {stops} parts, not {parts}")));
        }
        Ok(end)
    }

    fn record(&mut self, run: Run<'_>) -> Result<SeedRecord, Damage> {
        let Header { plan, parts, .. } = &self.header;
        if run.target >= plan.targets.len() || !parts.iter().any(|part| part.has(run.seed)) {
            return Err(self.wrong("a run that is none of this part's"));
        }
        let names = |numbers: &[usize]| -> Option<Vec<String>> {
            numbers.iter().map(|number| self.names.get(*number).cloned()).collect()
        };
        let hazards = run.hazards.iter().map(|(name, records, because)| {
            let (name, because) =
                (self.names.get(*name)?.clone(), self.names.get(*because)?.clone());
            Some(Hazard { name, records: *records, because })
        });
        let (Some(exercised), Some(missing), Some(hazards)) =
            (names(&run.exercised), names(&run.missing), hazards.collect())
        else {
            return Err(self.wrong("a number without a name"));
        };
        if !run.digest.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(self.wrong("a digest that is none"));
        }
        let fails = !matches!(run.outcome, Outcome::Pass | Outcome::Vacuous);
        if fails != run.failure.is_some() {
            return Err(self.wrong("a run whose outcome and failure contradict each other"));
        }
        self.runs += 1;
        Ok(SeedRecord {
            target: run.target,
            seed: run.seed,
            outcome: run.outcome,
            digest: run.digest.into_owned(),
            events: run.events,
            simulated_ns: run.simulated_ns,
            counts: run.counts,
            unconfirmed_lost: run.unconfirmed_lost,
            hazards,
            wall_us: run.wall_us,
            at_ms: run.at_ms,
            exercised,
            missing,
            reached: run.reached,
            failure: run.failure.map(|failure| {
                let [check, signature, summary] = failure.map(Cow::into_owned);
                Failure { check, signature, summary }
            }),
        })
    }
}

/// What is wrong with a line whose seal does not fit.
const CHANGED: &str = "the journal was changed or damaged after it was written: the seal of this \
                       line does not fit";

enum Found {
    Line(String),
    /// The last line, without a line break.
    Torn(Vec<u8>),
    Nothing,
}

/// The next line. Bytes that are not UTF-8 are replaced, so that no seal fits.
fn whole_line(source: &mut impl BufRead) -> io::Result<Found> {
    let mut text = Vec::new();
    source.read_until(b'\n', &mut text)?;
    Ok(match text.last() {
        Some(b'\n') => Found::Line(String::from_utf8_lossy(&text).into_owned()),
        Some(_) => Found::Torn(text),
        None => Found::Nothing,
    })
}

fn parsed(text: &str) -> serde_json::Result<Line<'static>> {
    serde_json::from_str(unsealed(text).as_deref().unwrap_or(text))
}

/// Whether a line without a line break goes on behind its seal: no process leaves that. It is a
/// line whose line break was damaged.
fn holds_a_seal(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.match_indices("\"}").any(|(at, end)| {
        let (line, rest) = text.split_at(at + end.len());
        !rest.is_empty() && unsealed(line).is_some()
    })
}
