//! Reads `study.jsonl`; an error names the place of the mistake.

use super::study::{FORMAT, Header, KIND, Run, Study};
use machine::{Chain, unsealed};
use std::fmt;

/// Why a file is not a study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The line, from 1; 0 if the error is about the file as a whole.
    pub line: usize,
    /// The column, from 1; 0 if the error is about the whole line.
    pub column: usize,
    /// The mistake.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.message),
            (line, 0) => write!(f, "line {line}: {}", self.message),
            (line, column) => write!(f, "line {line}, column {column}: {}", self.message),
        }
    }
}

impl std::error::Error for ReadError {}

fn whole(message: impl Into<String>) -> ReadError {
    ReadError { line: 0, column: 0, message: message.into() }
}

fn at(line: usize, message: impl Into<String>) -> ReadError {
    ReadError { line, column: 0, message: message.into() }
}

fn parse<'a, T: serde::Deserialize<'a>>(line: usize, text: &'a str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| {
        // serde_json counts lines within the text that it was given, which is a single line.
        ReadError { line, column: error.column(), message: in_words(&error) }
    })
}

/// The error of a line, without the words of the library that reads the line.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" at line ").next().unwrap_or(&text);
    let named = |head: &str| plain.strip_prefix(head)?.strip_prefix(" `")?.split('`').next();
    if let Some(key) = named("missing field") {
        return format!("`{key}` is missing");
    }
    if let Some(key) = named("unknown field") {
        return format!("there is no key `{key}` here");
    }
    match error.classify() {
        serde_json::error::Category::Data if plain.starts_with("invalid ") => {
            "a value is not of the kind that belongs here".to_owned()
        }
        serde_json::error::Category::Data => plain.to_owned(),
        serde_json::error::Category::Eof => "the line ends too early".to_owned(),
        _ => format!("it is not JSON: {plain}"),
    }
}

const CUT_OFF: &str = "the line is cut off: the file was not written to its end";
const CHANGED: &str =
    "the line was changed after it was written: the file is damaged or was edited";

/// Reads a study.
///
/// # Errors
///
/// If the text is not a study, is of another version, is cut off, was changed after it was written,
/// or its runs are not those of its header.
pub fn read(text: &str) -> Result<Study, ReadError> {
    let mut lines = text.split_inclusive('\n').enumerate().map(|(i, line)| (i + 1, line));
    let (_, first) = lines.next().ok_or_else(|| whole("the file is empty"))?;
    let header = read_header(first)?;
    let mut chain = Chain::default();
    check_seal(&mut chain, first, 1)?;
    let mut runs = Vec::new();
    for (number, line) in lines {
        if !line.ends_with('\n') {
            return Err(at(number, CUT_OFF));
        }
        // The exact mistake in a line helps more than the message that the line was changed.
        runs.push(parse_sealed::<Run>(number, line)?);
        check_place(&header, &runs, number)?;
        check_seal(&mut chain, line, number)?;
    }
    let expected = header.seeds.count() as usize * header.settings.len();
    if runs.len() != expected {
        let message = format!(
            "the file is cut off: it has {} runs, and seeds {} with {} settings are {expected}",
            runs.len(),
            header.seeds.text(),
            header.settings.len()
        );
        // The line after which the missing run should be.
        return Err(at(runs.len() + 1, message));
    }
    Ok(Study { header, runs })
}

fn parse_sealed<T: serde::de::DeserializeOwned>(number: usize, line: &str) -> Result<T, ReadError> {
    parse(number, unsealed(line).as_deref().unwrap_or(line))
}

fn check_seal(chain: &mut Chain, line: &str, number: usize) -> Result<(), ReadError> {
    if chain.follows(line) { Ok(()) } else { Err(at(number, CHANGED)) }
}

fn read_header(line: &str) -> Result<Header, ReadError> {
    let any: serde_json::Value = parse(1, line)?;
    if any.get("kind").and_then(|kind| kind.as_str()) != Some(KIND) {
        return Err(at(1, format!("this is not a study: \"kind\" is not \"{KIND}\"")));
    }
    let version = any.get("version").and_then(serde_json::Value::as_u64);
    if version != Some(FORMAT.into()) {
        let found = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        return Err(at(1, format!("version {FORMAT} of the format is read here, this is {found}")));
    }
    if !line.ends_with('\n') {
        return Err(at(1, CUT_OFF));
    }
    let header: Header = parse_sealed(1, line)?;
    if header.seeds.from >= header.seeds.to || header.settings.is_empty() {
        return Err(at(1, "a study has at least one seed and one setting"));
    }
    Ok(header)
}

/// Checks that the last run has the expected seed and setting.
fn check_place(header: &Header, runs: &[Run], line: usize) -> Result<(), ReadError> {
    let (Some(run), place) = (runs.last(), runs.len() - 1) else { return Ok(()) };
    let seed = header.seeds.from + (place / header.settings.len()) as u64;
    let setting = header.settings[place % header.settings.len()];
    if seed >= header.seeds.to {
        return Err(at(line, format!("a run beyond seeds {}", header.seeds.text())));
    }
    if run.seed != seed || run.setting != setting {
        let (found, expected) = (run.setting.label(), setting.label());
        let message =
            format!("seed {} with {found}, where seed {seed} with {expected} belongs", run.seed);
        return Err(at(line, message));
    }
    if run.records.lost > run.records.at_stake() {
        return Err(at(line, "more records lost than were at stake"));
    }
    Ok(())
}
