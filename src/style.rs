//! Colour on a terminal, and the width of lines.

use std::fmt::Display;
use std::io::IsTerminal;

/// The width of lines if neither a terminal nor `COLUMNS` has another.
const WIDTH: usize = 100;
/// The minimum and maximum width.
const WIDTHS: (usize, usize) = (60, 120);

/// The colour and width of text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colour: bool,
    width: usize,
}

impl Style {
    /// Colour if standard output is a terminal that supports it, unless `NO_COLOR` is set; the
    /// width of the terminal, otherwise that of `COLUMNS`.
    pub(crate) fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        let columns = stdout.is_terminal().then(|| columns_of(&stdout)).flatten();
        let columns = columns.or_else(wanted_columns);
        let width = columns.map_or(WIDTH, |columns| columns.clamp(WIDTHS.0, WIDTHS.1));
        Self { colour: stdout.is_terminal() && sequences_are_wanted(), width }
    }

    /// Whether colours are shown.
    pub(crate) fn has_colour(self) -> bool {
        self.colour
    }

    /// The width of lines.
    pub(crate) fn width(self) -> usize {
        self.width
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.paint("1;32", text)
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn doubtful(self, text: impl Display) -> String {
        self.paint("1;33", text)
    }

    pub(crate) fn strong(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    pub(crate) fn faint(self, text: impl Display) -> String {
        self.paint("2", text)
    }
}

/// The number of columns that a terminal reports. It may know its columns but not its rows.
#[cfg(unix)]
pub(crate) fn columns_of(terminal: &impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The number of columns in the environment.
fn wanted_columns() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok()?.parse().ok();
    columns.filter(|columns| *columns > 0)
}

#[cfg(not(unix))]
pub(crate) fn columns_of(terminal: &impl std::os::windows::io::AsHandle) -> Option<usize> {
    terminal_size::terminal_size_of(terminal)
        .map(|(terminal_size::Width(columns), _)| columns.into())
}

/// Whether standard error can show a moving bar.
pub(crate) fn stderr_moves() -> bool {
    std::io::stderr().is_terminal() && sequences_are_wanted()
}

/// Whether a terminal may be sent escape sequences: not if `NO_COLOR` is set (no-color.org), nor if
/// the terminal does not support them.
fn sequences_are_wanted() -> bool {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !no_colour && !is_dumb
}

/// Breaks a text between words into lines of at most `width` characters.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let word_length = word.chars().count();
        match lines.last_mut() {
            Some(line) if length + 1 + word_length <= width => {
                line.push(' ');
                line.push_str(word);
                length += 1 + word_length;
            }
            _ => {
                lines.push(word.to_owned());
                length = word_length;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 4), ["unbreakable"]);
        assert!(wrapped("  ", 4).is_empty());
    }
}
