//! The small language of conditions and targets: words, numbers and a cursor that knows its
//! column.

use std::fmt;

/// A mistake in a condition or a target, and its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// How many bytes precede the place.
    pub at: usize,
    /// How many bytes the place has.
    pub length: usize,
    /// The defect and the expected text.
    pub message: String,
    /// The nearest valid word, if there is one.
    pub nearest: Option<&'static str>,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Reads a text from left to right.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

/// How deep parentheses can be nested.
const MOST_NESTED: u32 = 64;

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes to the next character that is not a space.
    pub(super) fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_spaces();
        self.rest().is_empty()
    }

    /// Takes `token` if it comes next.
    pub(super) fn takes(&mut self, token: &str) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes `word` if it comes next as a whole word.
    pub(super) fn takes_word(&mut self, word: &str) -> bool {
        let before = self.at;
        let found = self.word() == word;
        if !found {
            self.at = before;
        }
        found
    }

    /// The run of letters, digits, `.`, `_`, `-`, `/` and `%` that comes next; it may be empty.
    pub(super) fn word(&mut self) -> &'a str {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"._-/%".contains(c))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes an opening parenthesis if it comes next.
    ///
    /// # Errors
    ///
    /// If too many parentheses are open already.
    pub(super) fn opens(&mut self) -> Result<bool, TextError> {
        if !self.takes("(") {
            return Ok(false);
        }
        self.depth += 1;
        if self.depth > MOST_NESTED {
            let message = format!("parentheses can be nested {MOST_NESTED} deep at most");
            return Err(self.behind(1, message));
        }
        Ok(true)
    }

    /// Takes the closing parenthesis, which has to come next.
    pub(super) fn closes(&mut self) -> Result<(), TextError> {
        self.depth = self.depth.saturating_sub(1);
        self.require(")")
    }

    /// An error about the last `length` bytes.
    pub(super) fn behind(&self, length: usize, message: String) -> TextError {
        TextError { at: self.at - length, length: length.max(1), message, nearest: None }
    }

    /// An error about the next word or character, which is not `expected`.
    pub(super) fn expected(&mut self, expected: &str) -> TextError {
        self.skip_spaces();
        let at = self.at;
        let found = match self.word() {
            "" => self.rest().chars().next().map(String::from).unwrap_or_default(),
            word => word.to_owned(),
        };
        let message = match found.as_str() {
            "" => format!("it ends where {expected} was expected"),
            found => format!("found `{found}` where {expected} was expected"),
        };
        TextError { at, length: found.len().max(1), message, nearest: None }
    }

    /// Takes `token`, which has to come next.
    pub(super) fn require(&mut self, token: &str) -> Result<(), TextError> {
        if self.takes(token) { Ok(()) } else { Err(self.expected(&format!("`{token}`"))) }
    }
}

/// The name in `names` that `word` was probably meant to be.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], ".");
    let meant = plain(word);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&meant, &plain(name)), name))
        .filter(|(distance, name)| {
            *distance <= (name.len() / 3).max(1)
                || (meant.len() >= 4 && plain(name).contains(&meant))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
