//! Scenario files that extend another: `extend = "short-timeouts"`, a scenario of the catalogue, or
//! a file beside it.
//!
//! Tables are merged key by key, where keys of the file itself take precedence; `[[clusters]]` are
//! merged one by one; any other list replaces that of the extended file. Spans of the extended file
//! follow those of the file itself, so that each mistake is reported in the file that contains it.

use super::diagnostic::{Diagnostic, Kind};
use super::mistake::did_you_mean;
use super::parse::malformed;
use super::text::nearest;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Built-in files to extend: name and text.
pub const BASES: &[(&str, &str)] = &[("short-timeouts", include_str!("base/short-timeouts.toml"))];

/// The key that names the extended file.
const KEY: &str = "extend";
/// The largest number of files in a chain.
const MOST_FILES: usize = 8;

/// Scenarios that can be extended by their names: name and text of each.
pub type Named<'a> = &'a [(&'a str, &'a str)];

/// Reads the file `name`, which the file `from` extends: the name to report it by, and its text.
pub type Load<'a> = &'a dyn Fn(&str, &str) -> Result<(String, String), String>;

/// The files that make up a scenario: the requested one, then the files that it extends.
pub(super) struct Sources {
    files: Vec<File>,
}

struct File {
    name: String,
    text: String,
    /// The offset of its spans in the merged document.
    start: usize,
}

impl Sources {
    /// Reads everything that `text`, the content of `file`, extends.
    pub(super) fn read(
        file: &str,
        text: &str,
        named: Named<'_>,
        load: Load<'_>,
    ) -> Result<Self, Box<Diagnostic>> {
        let first = File { name: file.to_owned(), text: text.to_owned(), start: 0 };
        let mut sources = Self { files: vec![first] };
        while let Some((name, span)) = sources.extended()? {
            let from = sources.files.last().map_or(file, |last| last.name.as_str());
            let start = sources.files.last().map_or(0, |last| last.start + last.text.len() + 1);
            let wrong = |kind, message: String| {
                Box::new(sources.located(Diagnostic::new(kind, message), span.clone()))
            };
            let known = || BASES.iter().chain(named);
            let (name, text) = match known().find(|(known, _)| *known == name) {
                Some((known, text)) => (format!("built-in {known}.toml"), (*text).to_owned()),
                None if !name.ends_with(".toml") => {
                    let message = format!(
                        "there is nothing called `{name}` to extend: expected a file, such as \
                         \"base.toml\", `short-timeouts`, or a scenario of the catalogue"
                    );
                    let near = nearest(&name, known().map(|(known, _)| *known)).map(did_you_mean);
                    return Err(Box::new(wrong(Kind::UnknownName, message).with_hint(near)));
                }
                None => load(from, &name).map_err(|why| {
                    wrong(Kind::Unreadable, format!("`{name}` cannot be read: {why}"))
                })?,
            };
            if sources.files.iter().any(|file| file.name == name) {
                return Err(wrong(Kind::Impossible, format!("`{name}` extends itself")));
            }
            if sources.files.len() == MOST_FILES {
                let message = format!("a scenario is made of {MOST_FILES} files at most");
                return Err(wrong(Kind::Impossible, message));
            }
            sources.files.push(File { name, text, start });
        }
        Ok(sources)
    }

    /// The name of the file that the last file extends, and its span.
    fn extended(&self) -> Result<Option<(String, Range<usize>)>, Box<Diagnostic>> {
        let Some(last) = self.files.last() else { return Ok(None) };
        let table = self.parse(last)?;
        let Some(value) = table.get_ref().get(KEY) else { return Ok(None) };
        let span = value.span().start + last.start..value.span().end + last.start;
        match value.get_ref() {
            DeValue::String(name) => Ok(Some((name.to_string(), span))),
            _ => {
                let message = format!("`{KEY}` expects the name of a file in quotes");
                let wrong = Diagnostic::new(Kind::WrongValue, message);
                Err(Box::new(self.located(wrong, span)))
            }
        }
    }

    fn parse<'a>(&self, file: &'a File) -> Result<Spanned<DeTable<'a>>, Box<Diagnostic>> {
        DeTable::parse(&file.text).map_err(|error| {
            let deep = || too_deep(&file.text);
            let span = error.span().unwrap_or_else(deep);
            let message = malformed(error.message(), &file.text, &span);
            let span = span.start + file.start..span.end + file.start;
            Box::new(self.located(Diagnostic::new(Kind::Malformed, message), span))
        })
    }

    /// The merged document.
    pub(super) fn document(&self) -> Result<Spanned<DeValue<'_>>, Box<Diagnostic>> {
        let mut files = self.files.iter();
        let Some(first) = files.next() else {
            return Ok(Spanned::new(0..0, DeValue::Table(DeTable::new())));
        };
        let first = self.parse(first)?;
        let span = first.span();
        let mut root = first.into_inner();
        root.remove(KEY);
        for file in files {
            let mut base = self.parse(file)?.into_inner();
            base.remove(KEY);
            shift_table(&mut base, file.start);
            merge(&mut root, base, true);
        }
        Ok(Spanned::new(span, DeValue::Table(root)))
    }

    /// `diagnostic` at `span` of the merged document.
    pub(super) fn located(&self, diagnostic: Diagnostic, span: Range<usize>) -> Diagnostic {
        let Some(file) = self.files.iter().rev().find(|file| file.start <= span.start) else {
            return diagnostic;
        };
        let end = span.end.saturating_sub(file.start);
        diagnostic.located(&file.name, &file.text, span.start - file.start..end)
    }

    /// Whether the requested file has no keys.
    pub(super) fn is_empty(&self) -> bool {
        self.files.first().is_none_or(|file| {
            DeTable::parse(&file.text).is_ok_and(|table| table.get_ref().is_empty())
        })
    }
}

/// Adds to `table` the keys of `base` that it does not have.
fn merge<'a>(table: &mut DeTable<'a>, base: DeTable<'a>, is_root: bool) {
    for (key, value) in base {
        let name = key.get_ref().as_ref();
        let Some(own) = table.get_mut(name) else {
            table.insert(key, value);
            continue;
        };
        let merges_items = is_root && name == "clusters";
        match (own.get_mut(), value.into_inner()) {
            (DeValue::Table(own), DeValue::Table(base)) => merge(own, base, false),
            (DeValue::Array(own), DeValue::Array(base)) if merges_items => {
                for (own, base) in own.iter_mut().zip(base) {
                    if let (DeValue::Table(own), DeValue::Table(base)) =
                        (own.get_mut(), base.into_inner())
                    {
                        merge(own, base, false);
                    }
                }
            }
            _ => {}
        }
    }
}

fn shift_table(table: &mut DeTable<'_>, by: usize) {
    let entries = std::mem::replace(table, DeTable::new());
    for (key, value) in entries {
        let span = key.span().start + by..key.span().end + by;
        table.insert(Spanned::new(span, key.into_inner()), shifted(value, by));
    }
}

fn shifted<'a>(value: Spanned<DeValue<'a>>, by: usize) -> Spanned<DeValue<'a>> {
    let span = value.span().start + by..value.span().end + by;
    let value = match value.into_inner() {
        DeValue::Table(mut table) => {
            shift_table(&mut table, by);
            DeValue::Table(table)
        }
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|item| shifted(item, by)).collect())
        }
        other => other,
    };
    Spanned::new(span, value)
}

/// The place where brackets are nested deepest, for an error that has no place of its own.
fn too_deep(text: &str) -> Range<usize> {
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth > deepest {
            (deepest, at) = (depth, i);
        }
    }
    at..at + 1
}
