//! Progress while the runs of a report are made.

use crate::progress::{Progress as Steps, plural};
use reports::acks::Run;

/// The progress of a report.
pub(super) struct Progress {
    steps: Steps,
    settings: usize,
    done: u64,
    with_loss: u64,
    broken: u64,
}

impl Progress {
    pub(super) fn new(seeds: u64, settings: usize) -> Self {
        Self { steps: Steps::new(seeds, "seeds"), settings, done: 0, with_loss: 0, broken: 0 }
    }

    /// Adds the runs of a seed.
    pub(super) fn add(&mut self, runs: &[Run]) {
        self.done += 1;
        self.with_loss += u64::from(runs.iter().any(|run| run.records.lost > 0));
        self.broken += runs.iter().filter(|run| !run.violations.is_empty()).count() as u64;
    }

    /// Shows the progress if an update is due.
    pub(super) fn show_if_due(&mut self) {
        let Self { steps, settings, done, with_loss, broken } = self;
        steps.show_if_due(*done, |_| {
            let broken = match broken {
                0 => "no promise broken".to_owned(),
                runs => format!("a promise broken in {}", plural(*runs, "run")),
            };
            format!("{settings} settings each; {with_loss} lost something, {broken}")
        });
    }

    /// The end: removes the bar.
    pub(super) fn clear(&self) {
        self.steps.clear();
    }
}
