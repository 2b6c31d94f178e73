//! Errors and warnings about an input: what is wrong, where, what was expected, and a suggestion.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// An error or a warning about an input: a file, or an argument of the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// What kind of mistake it is.
    pub kind: Kind,
    /// The defect and the expected text.
    pub message: String,
    /// The file; none if the mistake is in no file.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// A suggestion, mostly the nearest valid name.
    pub hint: Option<String>,
    /// The line itself, and how many of its characters the mistake spans from `column` onwards. Not
    /// part of the JSON form.
    #[serde(skip)]
    pub excerpt: Option<(String, usize)>,
    /// Further mistakes in the same input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Diagnostic>,
}

/// The kinds of mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// A file cannot be read.
    Unreadable,
    /// Results cannot be written.
    Unwritable,
    /// There is no scenario of that name.
    UnknownScenario,
    /// There is no museum bug of that id.
    UnknownBug,
    /// A file is not TOML, or not JSON.
    Malformed,
    /// There is no such key.
    UnknownKey,
    /// A key is missing.
    MissingKey,
    /// There is no such Kafka property.
    UnknownProperty,
    /// A value has the wrong type, unit or form.
    WrongValue,
    /// A name of something that does not exist: a topic, a cluster, a broker, something to reach.
    UnknownName,
    /// An impossible value, alone or together with others.
    Impossible,
    /// The run was interrupted before it was finished.
    Interrupted,
    /// Faultline itself failed before anything was finished.
    Panic,
    /// Kafka accepts it, but it is hardly what was wanted. A warning.
    Unwise,
}

impl Diagnostic {
    /// A diagnostic that is in no file.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            hint: None,
            excerpt: None,
            also: Vec::new(),
        }
    }

    /// All mistakes in an input as one diagnostic: the first, with the others in `also`. `None` if
    /// there are none.
    pub fn joined(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut all = all.into_iter();
        let mut first = all.next()?;
        first.also.extend(all);
        Some(first)
    }

    /// The diagnostic with this hint.
    #[must_use]
    pub fn with_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// The diagnostic at the bytes `span` of `text`, which is the content of `file`.
    #[must_use]
    pub fn located(self, file: &str, text: &str, span: Range<usize>) -> Self {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let end = floor(text, span.end.clamp(start, line_end));
        let count = |text: &str| text.chars().count();
        Self {
            file: Some(file.to_owned()),
            line: Some(as_u32(text[..line_start].matches('\n').count() + 1)),
            column: Some(as_u32(count(&text[line_start..start]) + 1)),
            excerpt: Some((
                text[line_start..line_end].trim_end().to_owned(),
                count(&text[start..end]).max(1),
            )),
            ..self
        }
    }

    /// Whether it is a warning only.
    pub fn is_warning(&self) -> bool {
        self.kind == Kind::Unwise
    }
}

/// The last character boundary that is not after `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

fn as_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// How many characters of a longer line are shown around a place in it.
const SHOWN: usize = 120;

/// The part of `line` around its character `at`, and how many characters before it are not shown
/// (less those of the ellipsis).
fn around(line: &str, at: usize) -> (String, usize) {
    let length = line.chars().count();
    if length <= SHOWN {
        return (line.to_owned(), 0);
    }
    let from = at.saturating_sub(SHOWN / 3).min(length.saturating_sub(SHOWN));
    let shown: String = line.chars().skip(from).take(SHOWN).collect();
    let more = if from + SHOWN < length { "..." } else { "" };
    match from {
        0..=3 => (line.chars().take(SHOWN).chain(more.chars()).collect(), 0),
        from => (format!("...{shown}{more}"), from - 3),
    }
}

/// As a compiler prints it: the message, the place, the line with a caret, the hint; then the
/// further mistakes.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_one(f)?;
        self.also.iter().try_for_each(|other| write!(f, "\n{other}"))
    }
}

impl Diagnostic {
    /// Writes the diagnostic without the further mistakes.
    fn write_one(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.is_warning() { "warning" } else { "error" };
        write!(f, "{severity}: {}", self.message)?;
        let line = self.line.map(|line| line.to_string()).unwrap_or_default();
        let margin = " ".repeat(line.len().max(1));
        // Without a line, the file is shown only if the message does not name it.
        let unnamed = |file: &&String| self.line.is_some() || !self.message.contains(*file);
        if let Some(file) = self.file.as_ref().filter(unnamed) {
            write!(f, "\n{margin}--> {file}")?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                self.column.map_or(Ok(()), |column| write!(f, ":{column}"))?;
            }
        }
        if let (Some((text, length)), Some(column)) = (&self.excerpt, self.column) {
            let (text, skipped) = around(text, column as usize - 1);
            let before: String = text
                .chars()
                .take(column as usize - 1 - skipped)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            let left = text.chars().count().saturating_sub(before.chars().count());
            let carets = "^".repeat((*length).min(left.max(1)));
            write!(f, "\n{margin} |\n{line} | {text}\n{margin} | {before}{carets}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n{margin} = help: {hint}")?;
        }
        Ok(())
    }
}

/// The error object that `--json` prints.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReport {
    /// The version of the format.
    pub version: u32,
    /// The error.
    pub error: Diagnostic,
}
