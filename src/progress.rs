//! The progress of many runs, on standard error: a bar on a terminal, elsewhere a line
//! every ten seconds.

use crate::style::stderr_moves;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// How often a line is written where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often the words beside the bar change.
const WORDS_EVERY: Duration = Duration::from_millis(200);

/// The progress of something that has a number of steps.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    steps: u64,
    what: &'static str,
    begin: Instant,
    due: Instant,
}

impl Progress {
    /// Nothing is done yet of so many of `what`, such as `runs`.
    pub(crate) fn new(steps: u64, what: &'static str) -> Self {
        let begin = Instant::now();
        let bar = stderr_moves().then(|| bar(steps, what));
        let first = if bar.is_some() { WORDS_EVERY } else { LINE_EVERY };
        Self { bar, steps, what, begin, due: begin + first }
    }

    /// Shows that `done` steps are done, if an update is due. `words` gets the seconds since the
    /// beginning and returns the text beside the bar; without a bar only its first line is written.
    pub(crate) fn show_if_due(&mut self, done: u64, words: impl FnOnce(f64) -> String) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        let seconds = now.duration_since(self.begin).as_secs_f64();
        let words = words(seconds);
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(words);
                bar.tick();
                self.due = now + WORDS_EVERY;
            }
            None => {
                let Self { steps, what, .. } = self;
                let words = words.lines().next().unwrap_or_default();
                crate::exit::say(&format!("{seconds:.0} s: {done} of {steps} {what}, {words}"));
                self.due = now + LINE_EVERY;
            }
        }
    }

    /// The end: removes the bar.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(steps: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(5));
    let template = format!("{{bar:30}} {{pos}}/{{len}} {what}, {{eta}} left, {{msg}}");
    let style = ProgressStyle::with_template(&template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

/// `1 seed`, `2 seeds`.
pub(crate) fn plural(count: u64, word: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {word}{s}")
}

/// `once`, `3 times`.
pub(crate) fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
