//! What is told while the runs of a report are made, on standard error: a bar on a terminal,
//! elsewhere a line every ten seconds.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::acks::Run;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line is written where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress of a report.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    seeds: u64,
    settings: usize,
    done: u64,
    with_loss: u64,
    broken: u64,
    begin: Instant,
    due: Instant,
}

impl Progress {
    pub(super) fn new(seeds: u64, settings: usize) -> Self {
        let begin = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| bar(seeds));
        let due = begin + LINE_EVERY;
        Self { bar, seeds, settings, done: 0, with_loss: 0, broken: 0, begin, due }
    }

    /// The runs of a seed are made.
    pub(super) fn add(&mut self, runs: &[Run]) {
        self.done += 1;
        self.with_loss += u64::from(runs.iter().any(|run| run.records.lost > 0));
        self.broken += runs.iter().filter(|run| !run.violations.is_empty()).count() as u64;
        if let Some(bar) = &self.bar {
            bar.set_message(self.words());
            bar.set_position(self.done);
        }
    }

    /// Tells something if it is time to.
    pub(super) fn glance(&mut self) {
        let now = Instant::now();
        if let Some(bar) = &self.bar {
            bar.tick();
        } else if now >= self.due {
            let seconds = now.duration_since(self.begin).as_secs();
            let (done, seeds) = (self.done, self.seeds);
            eprintln!("{seconds} s: {done} of {seeds} seeds, {}", self.words());
            self.due = now + LINE_EVERY;
        }
    }

    /// The end: takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn words(&self) -> String {
        let Self { settings, with_loss, broken, .. } = self;
        let broken = match broken {
            0 => "no promise broken".to_owned(),
            1 => "a promise broken in 1 run".to_owned(),
            runs => format!("a promise broken in {runs} runs"),
        };
        format!("{settings} settings each; {with_loss} lost something, {broken}")
    }
}

fn bar(seeds: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(seeds), ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {eta} left, {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}
