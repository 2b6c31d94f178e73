//! The progress of a series of runs.

use crate::progress::{Progress as Steps, plural};
use scenarios::escape;
use scenarios::fuzz::Tally;
use std::fmt::Write;
use std::time::Instant;

/// The number of signatures that are shown under the bar.
const SHOWN: usize = 6;

/// The progress of a fuzz run.
pub(super) struct Progress {
    steps: Steps,
    last_new: Option<Instant>,
}

impl Progress {
    pub(super) fn new(planned: u64) -> Self {
        Self { steps: Steps::new(planned, "runs"), last_new: None }
    }

    /// Adds a run; `new` if its signature is new.
    pub(super) fn add(&mut self, new: bool) {
        if new {
            self.last_new = Some(Instant::now());
        }
    }

    /// Shows the progress if an update is due.
    pub(super) fn show_if_due(&mut self, tally: &Tally) {
        let last_new = self.last_new;
        self.steps.show_if_due(tally.ran().ran, |seconds| words(tally, last_new, seconds));
    }

    /// The end: removes the bar.
    pub(super) fn clear(&self) {
        self.steps.clear();
    }
}

fn words(tally: &Tally, last_new: Option<Instant>, seconds: f64) -> String {
    let rate = tally.ran().ran as f64 / seconds.max(0.001);
    let mut words = format!("{rate:.0} runs/s, ");
    let all = tally.signatures();
    let failures: u64 = all.iter().map(|(_, count)| count).sum();
    match last_new {
        None => words.push_str("no failure"),
        Some(last) => {
            let ago = last.elapsed().as_secs();
            let (failures, kinds) =
                (plural(failures, "failure"), plural(all.len() as u64, "signature"));
            let _ = write!(words, "{failures} of {kinds}, the last new one {ago} s ago");
        }
    }
    if let Some(affected) = tally.affected().in_words() {
        let _ = write!(words, "; {affected}");
    }
    for (signature, count) in all.iter().take(SHOWN) {
        let short: String = escape::line(signature).chars().take(90).collect();
        let _ = write!(words, "\n{count:>8}  {short}");
    }
    if all.len() > SHOWN {
        let _ = write!(words, "\n{:>8}  more signatures", all.len() - SHOWN);
    }
    words
}
