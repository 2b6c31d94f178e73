//! What is told while runs are made, on standard error: a bar on a terminal, elsewhere a line
//! every ten seconds.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scenarios::fuzz::Tally;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line is written where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often the words beside the bar change.
const WORDS_EVERY: Duration = Duration::from_millis(200);
/// How many signatures are shown under the bar.
const SHOWN: usize = 6;

/// The progress of a fuzz run.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    planned: u64,
    begin: Instant,
    last_new: Option<Instant>,
    due: Instant,
}

impl Progress {
    pub(super) fn new(planned: u64) -> Self {
        let begin = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| bar(planned));
        let first = if bar.is_some() { WORDS_EVERY } else { LINE_EVERY };
        Self { bar, planned, begin, last_new: None, due: begin + first }
    }

    /// A run has ended; `new` if its signature is a new one.
    pub(super) fn add(&mut self, tally: &Tally, new: bool) {
        if new {
            self.last_new = Some(Instant::now());
        }
        if let Some(bar) = &self.bar {
            bar.set_position(tally.ran().ran);
        }
    }

    /// Tells something if it is time to.
    pub(super) fn glance(&mut self, tally: &Tally) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        let words = self.words(tally, now);
        match &self.bar {
            Some(bar) => {
                bar.set_message(words + &signatures(tally));
                bar.tick();
                self.due = now + WORDS_EVERY;
            }
            None => {
                let (ran, planned) = (tally.ran().ran, self.planned);
                let seconds = now.duration_since(self.begin).as_secs();
                crate::exit::tell(&format!("{seconds} s: {ran} of {planned} runs, {words}"));
                self.due = now + LINE_EVERY;
            }
        }
    }

    /// The end: takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn words(&self, tally: &Tally, now: Instant) -> String {
        let seconds = now.duration_since(self.begin).as_secs_f64();
        let rate = tally.ran().ran as f64 / seconds.max(0.001);
        let mut words = format!("{rate:.0} seeds/s, ");
        let all = tally.signatures();
        let failures: u64 = all.iter().map(|(_, count)| count).sum();
        match self.last_new {
            None => words.push_str("no failure"),
            Some(last) => {
                let ago = now.duration_since(last).as_secs();
                let plural = |count: u64| if count == 1 { "" } else { "s" };
                let kinds = all.len() as u64;
                let _ = write!(
                    words,
                    "{failures} failure{} of {kinds} signature{}, the last new one {ago} s ago",
                    plural(failures),
                    plural(kinds)
                );
            }
        }
        words
    }
}

fn signatures(tally: &Tally) -> String {
    let all = tally.signatures();
    let mut lines = String::new();
    for (signature, count) in all.iter().take(SHOWN) {
        let short: String = signature.chars().take(90).collect();
        let _ = write!(lines, "\n{count:>8}  {short}");
    }
    if all.len() > SHOWN {
        let _ = write!(lines, "\n{:>8}  more signatures", all.len() - SHOWN);
    }
    lines
}

fn bar(planned: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(planned), ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} left, {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}
