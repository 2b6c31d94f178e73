//! A progress bar on standard error, if that is a terminal, with lines of text below. It is redrawn
//! in place, and removed at the end.

use crate::style::{columns_of, stderr_moves};
use scenarios::escape;
use std::io::Write;

/// The length of the bar in characters.
const LENGTH: u64 = 30;
/// The width of a terminal of unknown width.
const WIDTH: usize = 80;

/// The bar.
pub(crate) struct Bar {
    /// The number of its lines on the terminal.
    shown: usize,
}

impl Bar {
    /// A bar, if standard error can show one.
    pub(crate) fn new() -> Option<Self> {
        stderr_moves().then_some(Self { shown: 0 })
    }

    /// Draws the bar with `done` of `steps`, and `words`, whose later lines are below the bar. A
    /// line that is too long for the terminal is truncated, so that it stays one line.
    pub(crate) fn draw(&mut self, done: u64, steps: u64, words: &str) {
        let width = columns_of(&std::io::stderr()).unwrap_or(WIDTH);
        let mut text = erased(self.shown);
        let lines = format!("{} {done}/{steps} {}", filled(done, steps), escape::lines(words));
        self.shown = lines.lines().count();
        for line in lines.lines() {
            // A character in the last column can move the cursor to the next line.
            text.extend(line.chars().take(width.saturating_sub(1)));
            text.push('\n');
        }
        write(&text);
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        write(&erased(self.shown));
    }
}

/// The sequence that moves up `lines` lines and erases all below.
fn erased(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}A\r\x1b[J") }
}

fn filled(done: u64, steps: u64) -> String {
    let full = LENGTH * done.min(steps) / steps.max(1);
    let head = if full < LENGTH { ">" } else { "" };
    let (equal, rest) = ("=".repeat(full as usize), (LENGTH - full) as usize);
    format!("{equal}{head}{}", " ".repeat(rest.saturating_sub(head.len())))
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_one_length() {
        let bar = |done, steps| filled(done, steps);
        assert_eq!(bar(0, 10), format!(">{}", " ".repeat(29)));
        assert_eq!(bar(5, 10), format!("{}>{}", "=".repeat(15), " ".repeat(14)));
        assert_eq!((bar(10, 10), bar(0, 0).len()), ("=".repeat(30), 30));
        assert_eq!((erased(0), erased(3)), (String::new(), "\x1b[3A\r\x1b[J".to_owned()));
    }
}
