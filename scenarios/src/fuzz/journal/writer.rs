//! Writing a journal.

use super::{End, Header, Line, Run};
use crate::fuzz::record::{Hazard, SeedRecord};
use crate::result::Errors;
use machine::Chain;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Writes runs as lines.
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

    /// The lines of a run, which are written together.
    pub fn run(&mut self, record: &SeedRecord) -> String {
        let mut text = String::new();
        let exercised = self.numbers(&record.exercised, &mut text);
        let missing = self.numbers(&record.missing, &mut text);
        let mut hazards = Vec::new();
        for Hazard { name, records, because } in &record.hazards {
            let (name, because) = (self.number(name, &mut text), self.number(because, &mut text));
            hazards.push((name, *records, because));
        }
        let Errors { failed, unknown, retried } = &record.errors;
        let errors = [failed, unknown, retried].map(|counts| {
            counts.iter().map(|(name, count)| (self.number(name, &mut text), *count)).collect()
        });
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
            transactions: record.transactions.clone(),
            groups: record.groups.clone(),
            sum_held: record.sum_held,
            unconfirmed_lost: record.unconfirmed_lost,
            errors,
            waited: record.waited.clone(),
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
