//! A mistake in a file, its place in the document, and what serde reports about it, in plain words.

use super::diagnostic::Kind;
use super::properties::TABLES;
use super::text::nearest;
use super::unmodelled;
use serde::de::{self, Expected, Unexpected};
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A mistake, and the bytes of the document that contain it.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) kind: Kind,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The key of the table being read that it concerns; its place is looked up there.
    key: Option<Box<str>>,
    pub(super) span: Option<Range<usize>>,
    /// The span of the innermost value of a table or a list that contains the mistake.
    pub(super) value: Option<Range<usize>>,
}

impl Mistake {
    pub(super) fn new(kind: Kind, message: String) -> Self {
        Self { kind, message, hint: None, key: None, span: None, value: None }
    }

    pub(super) fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// Gives the mistake the place of its key, if `value` is the table that has this key, or the
    /// place of `value` if the mistake concerns no key.
    pub(super) fn within(self, value: &Spanned<DeValue<'_>>) -> Self {
        let span = match (&self.key, value.get_ref()) {
            (Some(key), DeValue::Table(table)) => key_span(table, key),
            (Some(_), _) => None,
            (None, _) => Some(value.span()),
        };
        match span {
            Some(span) => self.at(span),
            None => self,
        }
    }

    /// Records that the mistake is in `value`, an entry of a table or an element of a list.
    pub(super) fn inside(mut self, value: &Spanned<DeValue<'_>>) -> Self {
        self.value.get_or_insert(value.span());
        self
    }
}

/// The place of `key` in `table`; a dotted key may stand there as nested tables.
pub(super) fn key_span(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let (found, value, rest) = entry(table, key)?;
    match (rest, value.get_ref()) {
        ("", _) => Some(found.span()),
        (rest, DeValue::Table(inner)) => {
            key_span(inner, rest).map(|last| found.span().start..last.end)
        }
        _ => None,
    }
}

/// The entry that `key` or its beginning names, and the rest of `key`.
pub(super) fn entry<'t, 'k>(
    table: &'t DeTable<'t>,
    key: &'k str,
) -> Option<(&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>, &'k str)> {
    if let Some((found, value)) = table.get_key_value(key) {
        return Some((found, value, ""));
    }
    let (first, rest) = key.split_once('.')?;
    table.get_key_value(first).map(|(found, value)| (found, value, rest))
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::WrongValue, message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (found, expected) = (in_words(found), plain(expected));
        Self::new(Kind::WrongValue, format!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let message = format!("there is no `{found}` here; {}", one_of(expected));
        Self {
            hint: nearest(found, expected.iter().copied()).map(did_you_mean),
            ..Self::new(Kind::WrongValue, message)
        }
    }

    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        let table = TABLES.iter().find(|(_, names)| *names == expected);
        let (kind, message) = match table {
            Some((of, _)) => (Kind::UnknownProperty, format!("{of} have no property `{key}`")),
            None => {
                (Kind::UnknownKey, format!("there is no key `{key}` here; {}", one_of(expected)))
            }
        };
        Self {
            hint: unknown_key_hint(key, expected),
            key: Some(key.into()),
            ..Self::new(kind, message)
        }
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::MissingKey, format!("`{key}` is missing"))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::new(Kind::Malformed, format!("`{key}` is given twice"))
        }
    }
}

fn unknown_key_hint(key: &str, expected: &[&str]) -> Option<String> {
    if let Some((of, _)) = TABLES.iter().find(|(_, names)| names.contains(&key)) {
        return Some(format!("`{key}` is a property of {of}"));
    }
    if TABLES.iter().any(|(_, names)| *names == expected)
        && let Some(meant) = unmodelled::also_called(key)
    {
        return Some(did_you_mean(meant));
    }
    nearest(key, expected.iter().copied()).map(did_you_mean)
}

/// The hint that suggests the nearest valid name.
pub(super) fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing was expected".to_owned(),
        names => format!("expected one of {}", names.join(", ")),
    }
}

fn plain(expected: &dyn Expected) -> String {
    in_plain_words(&expected.to_string())
}

/// Serde's names of expected values (`u16`, `struct RunRecord`) in words.
pub fn in_plain_words(expected: &str) -> String {
    let most = match expected {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" => return "a whole number from 0".to_owned(),
        "a sequence" => return "a list".to_owned(),
        "a boolean" => return "true or false".to_owned(),
        "a string" => return "a text in quotes".to_owned(),
        _ if expected.starts_with("struct ") => return "a table".to_owned(),
        _ if expected.contains("enum ") => return "a name".to_owned(),
        _ if expected.contains("variant") => return "a name".to_owned(),
        expected => return expected.to_owned(),
    };
    format!("a whole number from 0 to {most}")
}

fn in_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("\"{text}\""),
        Unexpected::Map => "a table".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        other => other.to_string(),
    }
}
