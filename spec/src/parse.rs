//! Parses the text of a file into a valid scenario, or reports its mistakes.

use super::Scenario;
use super::check::{Finding, findings};
use super::diagnostic::{Diagnostic, Kind};
use super::extend::{Load, Named, Sources};
use super::mistake::{Mistake, entry, key_span};
use super::reader::Node;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeValue};

/// The largest number of mistakes that are reported together.
const MOST_MISTAKES: usize = 10;

impl Scenario {
    /// Reads the TOML `text` of `file`, which can extend [`super::BASES`] only. Warnings come with
    /// the scenario.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place.
    pub fn parse(file: &str, text: &str) -> Result<(Self, Vec<Diagnostic>), Box<Diagnostic>> {
        Self::parse_with(file, text, &[], &|_, _| Err("files are not read here".to_owned()))
    }

    /// Like [`parse`](Self::parse), with the scenarios that it may extend by name, and `load` for
    /// the files that it extends.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place.
    pub fn parse_with(
        file: &str,
        text: &str,
        named: Named<'_>,
        load: Load<'_>,
    ) -> Result<(Self, Vec<Diagnostic>), Box<Diagnostic>> {
        Self::parse_beyond((file, text), named, load, false)
    }

    /// Like [`parse_with`](Self::parse_with), as if the text said `beyond_kafka = true` if
    /// `beyond_kafka` is true.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place.
    pub fn parse_beyond(
        (file, text): (&str, &str),
        named: Named<'_>,
        load: Load<'_>,
        beyond_kafka: bool,
    ) -> Result<(Self, Vec<Diagnostic>), Box<Diagnostic>> {
        let sources = Sources::read(file, text, named, load)?;
        if sources.is_empty() {
            return Err(Box::new(empty(file, text)));
        }
        let mut root = sources.document()?;
        let span = root.span();
        let mistaken = |Mistake { kind, message, hint, span: at, .. }: Mistake| {
            // A key missing in the file as a whole is reported at its beginning.
            let at = at.filter(|at| *at != span).unwrap_or(0..0);
            sources.located(Diagnostic::new(kind, message).with_hint(hint), at)
        };
        let mut scenario = match read(&mut root) {
            Ok(scenario) => scenario,
            Err(mistakes) => return Err(joined(mistakes.into_iter().map(mistaken))),
        };
        scenario.beyond_kafka |= beyond_kafka;
        let located = |Finding { kind, message, hint, path }: Finding| {
            let span = locate(&root, &path).unwrap_or(0..0);
            sources.located(Diagnostic::new(kind, message).with_hint(hint), span)
        };
        let all = findings(&scenario).into_iter().map(located);
        let (warnings, errors): (Vec<_>, Vec<_>) = all.partition(Diagnostic::is_warning);
        match errors.is_empty() {
            true => Ok((scenario, warnings)),
            false => Err(joined(errors)),
        }
    }
}

/// The first mistakes, which are not none, as one diagnostic.
fn joined(mistakes: impl IntoIterator<Item = Diagnostic>) -> Box<Diagnostic> {
    let all = Diagnostic::joined(mistakes.into_iter().take(MOST_MISTAKES));
    Box::new(all.expect("there is a mistake"))
}

/// Reads a document, or returns its mistakes in the order of their places. A value that contains a
/// mistake is left out, and the rest of the document is read again.
fn read(root: &mut Spanned<DeValue<'_>>) -> Result<Scenario, Vec<Mistake>> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    loop {
        let mistake = match Scenario::deserialize(Node(root)) {
            Ok(scenario) if mistakes.is_empty() => return Ok(scenario),
            Ok(_) => break,
            Err(mistake) => mistake,
        };
        let value = mistake.value.clone();
        // After another mistake, a key may be missing only because it was left out or misspelt.
        if mistakes.is_empty() || mistake.kind != Kind::MissingKey {
            mistakes.push(mistake);
        }
        if !value.is_some_and(|value| leave_out(root.get_mut(), &value)) {
            break;
        }
    }
    mistakes.sort_by_key(|mistake| mistake.span.as_ref().map_or(0, |span| span.start));
    Err(mistakes)
}

/// Removes the innermost value at `span` from the table or list that contains it. Returns whether
/// there is one. A list of tables has the span of its first table.
fn leave_out(from: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match from {
        DeValue::Table(table) => {
            if table.iter_mut().any(|(_, value)| leave_out(value.get_mut(), span)) {
                return true;
            }
            let found = table.iter().find(|(_, value)| value.span() == *span);
            let key = found.map(|(key, _)| key.get_ref().to_string());
            key.is_some_and(|key| table.remove(key.as_str()).is_some())
        }
        DeValue::Array(array) => {
            if array.iter_mut().any(|value| leave_out(value.get_mut(), span)) {
                return true;
            }
            let count = array.len();
            let all = std::mem::replace(array, DeArray::new());
            *array = all.into_iter().filter(|value| value.span() != *span).collect();
            array.len() < count
        }
        _ => false,
    }
}

/// The message for malformed TOML at the bytes `span`; for the commonest mistakes it says what was
/// expected.
pub(super) fn malformed(message: &str, text: &str, span: &Range<usize>) -> String {
    let at = span.start;
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let rest = text.get(at..).unwrap_or_default().lines().next().unwrap_or_default();
    let after_equals = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    const VALUES: &str = "a number, true, false, a text in quotes or a list in brackets";
    match after_equals {
        Some((key, "")) if rest.trim().is_empty() || rest.trim().starts_with('#') => {
            format!("malformed TOML: a value is missing: `{key} = ` expects {VALUES}")
        }
        Some((key, _)) if message.contains("string values must be quoted") => {
            format!("malformed TOML: `{key} = ` expects {VALUES}")
        }
        None if message.contains("key with no value") => {
            let key = line.trim();
            format!("malformed TOML: a value is missing: expected `{key} = ` and {VALUES}")
        }
        _ if message == "duplicate key" => {
            let key = text.get(span.clone()).unwrap_or_default().trim();
            format!("malformed TOML: duplicate key `{key}`")
        }
        _ => format!("malformed TOML: {}", message.replace('\n', ", ")),
    }
}

fn empty(file: &str, text: &str) -> Diagnostic {
    let message =
        "the file is empty: a scenario needs `name`, `title` and `[[topics]]` at the least";
    let hint = "docs/scenarios.md shows a whole one, and `faultline schema scenario` its format";
    let missing = Diagnostic::new(Kind::MissingKey, message).with_hint(Some(hint.to_owned()));
    Diagnostic { excerpt: None, ..missing.located(file, text, 0..0) }
}

/// The place of the value that `path` leads to, or of the nearest value around it that exists.
fn locate(root: &Spanned<DeValue<'_>>, path: &[String]) -> Option<Range<usize>> {
    let (step, rest) = path.split_first()?;
    match root.get_ref() {
        DeValue::Array(array) => {
            let value = array.get(step.parse::<usize>().ok()?)?;
            locate(value, rest).or_else(|| Some(value.span()))
        }
        DeValue::Table(table) => {
            let (key, value, left) = entry(table, step)?;
            if !left.is_empty() {
                return key_span(table, step);
            }
            match (locate(value, rest), value.get_ref()) {
                (Some(inner), _) => Some(inner),
                // A table's own place is its header; its key says more.
                (None, DeValue::Table(_)) => Some(key.span()),
                (None, DeValue::Array(_)) if !rest.is_empty() => Some(key.span()),
                (None, _) => Some(value.span()),
            }
        }
        _ => None,
    }
}
