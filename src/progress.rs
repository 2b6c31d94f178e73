//! The progress of many runs, on standard error: a bar on a terminal, otherwise a line every ten
//! seconds.

use crate::bar::Bar;
use std::time::{Duration, Instant};

/// How often a line is written without a bar.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often the words beside the bar change.
const WORDS_EVERY: Duration = Duration::from_millis(200);

/// The progress of an activity with a known number of steps.
pub(crate) struct Progress {
    bar: Option<Bar>,
    steps: u64,
    what: &'static str,
    begin: Instant,
    due: Instant,
}

impl Progress {
    /// Begins at zero of `steps`; `what` is their plural noun, such as `runs`.
    pub(crate) fn new(steps: u64, what: &'static str) -> Self {
        let begin = Instant::now();
        let bar = Bar::new();
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
        match &mut self.bar {
            Some(bar) => {
                let left = left(done, self.steps, seconds);
                bar.draw(done, self.steps, &format!("{}, {left}{words}", self.what));
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
            bar.clear();
        }
    }
}

/// The remaining time at the pace so far, followed by a comma; empty until it is known.
fn left(done: u64, steps: u64, seconds: f64) -> String {
    if done == 0 {
        return String::new();
    }
    let rest = (seconds / done as f64 * steps.saturating_sub(done) as f64).round() as u64;
    match (rest / 3_600, rest / 60 % 60, rest % 60) {
        (0, 0, seconds) => format!("{seconds} s left, "),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s left, "),
        (hours, minutes, _) => format!("{hours} h {minutes} min left, "),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_is_known_after_the_first_step() {
        assert_eq!(left(0, 10, 5.0), "");
        assert_eq!(left(5, 10, 5.0), "5 s left, ");
        assert_eq!(left(10, 100, 10.0), "1 min 30 s left, ");
        assert_eq!(left(1, 8_001, 1.0), "2 h 13 min left, ");
    }
}
