//! Reading a journal, and its possible damage.

use super::{End, Header, Line, Run, VERSION};
use crate::fuzz::record::{Failure, Hazard, SeedRecord};
use crate::result::{Errors, Outcome};
use machine::{Chain, unsealed};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read};

/// The maximum length of a line that is read, in bytes: far more than is ever written.
const LONGEST_LINE: u64 = 64 << 20;

/// The damage of a journal.
#[derive(Debug)]
pub enum Damage {
    /// It cannot be read.
    Io(io::Error),
    /// The number of a wrong line, from 1, and the mistake.
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
    /// If there is no header of this version.
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

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next run; `None` after the last.
    ///
    /// # Errors
    ///
    /// If a line is wrong. A torn last line is not an error, since a killed process leaves one.
    pub fn next_run(&mut self) -> Result<Option<SeedRecord>, Damage> {
        loop {
            let text = match whole_line(&mut self.source).map_err(Damage::Io)? {
                Found::Line(text) => text,
                // A killed process leaves an incomplete line.
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

    /// The last line, if any: a killed process leaves none.
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
            return Err(self.wrong("a run that does not belong to this part"));
        }
        let names = |numbers: &[usize]| -> Option<Vec<String>> {
            numbers.iter().map(|number| self.names.get(*number).cloned()).collect()
        };
        let hazards = run.hazards.iter().map(|(name, records, because)| {
            let (name, because) =
                (self.names.get(*name)?.clone(), self.names.get(*because)?.clone());
            Some(Hazard { name, records: *records, because })
        });
        let counts = |rows: &[(usize, u64)]| -> Option<BTreeMap<String, u64>> {
            rows.iter()
                .map(|(name, count)| Some((self.names.get(*name)?.clone(), *count)))
                .collect()
        };
        let errors = run.errors.each_ref().map(|rows| counts(rows));
        let (
            Some(exercised),
            Some(missing),
            Some(hazards),
            [Some(failed), Some(unknown), Some(retried)],
        ) = (names(&run.exercised), names(&run.missing), hazards.collect(), errors)
        else {
            return Err(self.wrong("a number without a name"));
        };
        if !run.digest.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(self.wrong("a value that is not a digest"));
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
            transactions: run.transactions,
            groups: run.groups,
            sum_held: run.sum_held,
            unconfirmed_lost: run.unconfirmed_lost,
            errors: Errors { failed, unknown, retried },
            waited: run.waited,
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

/// The error of a line with a wrong seal.
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
    source.take(LONGEST_LINE).read_until(b'\n', &mut text)?;
    if text.len() as u64 == LONGEST_LINE {
        let message = format!("a line is longer than {LONGEST_LINE} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(match text.last() {
        Some(b'\n') => Found::Line(String::from_utf8_lossy(&text).into_owned()),
        Some(_) => Found::Torn(text),
        None => Found::Nothing,
    })
}

fn parsed(text: &str) -> serde_json::Result<Line<'static>> {
    serde_json::from_str(unsealed(text).as_deref().unwrap_or(text))
}

/// Whether a line without a line break continues after its seal. No process leaves such a line: its
/// line break was damaged.
fn holds_a_seal(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.match_indices("\"}").any(|(at, end)| {
        let (line, rest) = text.split_at(at + end.len());
        !rest.is_empty() && unsealed(line).is_some()
    })
}
