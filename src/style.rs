//! Colour on a terminal, and lines of even length.

use std::fmt::Display;
use std::io::IsTerminal;

/// How wide lines are.
pub(crate) const WIDTH: usize = 100;

/// Whether there is colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// Colour if standard output is a terminal and `NO_COLOR` is not set (no-color.org).
    pub(crate) fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && std::io::stdout().is_terminal() }
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
