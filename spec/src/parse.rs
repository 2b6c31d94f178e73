//! Parses the text of a file into a valid scenario, or reports its first mistake.

use super::Scenario;
use super::check::{Finding, findings};
use super::diagnostic::{Diagnostic, Kind};
use super::extend::{Load, Named, Sources};
use super::reader::{Mistake, Node, entry, key_span};
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

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
        let root = sources.document()?;
        let mut scenario = Self::deserialize(Node(&root)).map_err(|mistake| {
            let Mistake { kind, message, hint, span, .. } = mistake;
            // A key missing in the file as a whole is reported at its beginning.
            let span = span.filter(|span| *span != root.span()).unwrap_or(0..0);
            Box::new(sources.located(Diagnostic::new(kind, message).with_hint(hint), span))
        })?;
        scenario.beyond_kafka |= beyond_kafka;
        let located = |Finding { kind, message, hint, path }: Finding| {
            let span = locate(&root, &path).unwrap_or(0..0);
            sources.located(Diagnostic::new(kind, message).with_hint(hint), span)
        };
        let mut all = findings(&scenario).into_iter().map(located);
        let mut warnings = Vec::new();
        match all.find_map(|diagnostic| {
            if !diagnostic.is_warning() {
                return Some(diagnostic);
            }
            warnings.push(diagnostic);
            None
        }) {
            Some(error) => Err(Box::new(error)),
            None => Ok((scenario, warnings)),
        }
    }
}

/// The message for malformed TOML at byte `at`; for the commonest mistakes it says what was
/// expected.
pub(super) fn malformed(message: &str, text: &str, at: usize) -> String {
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
