//! Exit codes, all output, and errors that end the program before anything is run.
//!
//! All output goes through this module, which escapes external text ([`escape`]).

use crate::near_path;
use crate::style::Style;
use scenarios::escape;
use scenarios::result::{VERSION, files};
use spec::{Diagnostic, ErrorReport, Kind};
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Wrong usage, configuration or input, and nothing was run; or the results could not be written.
pub(crate) const USAGE: u8 = 2;
/// The operating system refused a thread or memory (`EX_OSERR` of sysexits.h).
pub(crate) const NO_RESOURCES: u8 = 71;
/// Interrupted; finished results are written.
pub(crate) const INTERRUPTED: u8 = 130;

/// An error in the user's input.
#[derive(Debug)]
pub(crate) struct Failure(Box<Diagnostic>);

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(Box::new(diagnostic))
    }
}

impl From<Box<Diagnostic>> for Failure {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Self(diagnostic)
    }
}

impl Failure {
    /// A file or folder could not be read. If it does not exist, the hint has the nearest path.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let near = (error.kind() == io::ErrorKind::NotFound).then(|| near_path::hint(path));
        Self::file(Kind::Unreadable, "read", path, error).with_hint(near.flatten())
    }

    /// Results could not be written.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Self {
        Self::file(Kind::Unwritable, "write into", path, error)
    }

    fn file(kind: Kind, what: &str, path: &Path, error: &io::Error) -> Self {
        let path = path.display().to_string();
        let message = format!("cannot {what} {path}: {error}");
        Diagnostic { file: Some(path), ..Diagnostic::new(kind, message) }.into()
    }

    /// The error with this hint, if there is one.
    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint.or(self.0.hint);
        self
    }

    /// Reports the error after a result, and returns the exit code: the result has priority over
    /// the failure to write it.
    pub(crate) fn after_result(self, code: u8) -> u8 {
        say(&self.0);
        worse(code)
    }

    /// Reports the error, and returns the exit code.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        say(&self.0);
        if json {
            self.print_json();
        }
        ExitCode::from(USAGE)
    }

    /// Prints the error object.
    pub(crate) fn print_json(self) {
        print_json(&ErrorReport { version: VERSION, error: *self.0 });
    }
}

/// The error of a JSON file, without the words of the library that reads it.
pub(crate) fn json_in_words(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let text = error.to_string();
    let plain = text.split(" at line ").next().unwrap_or(&text);
    match error.classify() {
        Category::Io | Category::Syntax => format!("it is not JSON: {plain}"),
        Category::Eof => "it ends too early".to_owned(),
        Category::Data => match plain
            .split_once('`')
            .and_then(|(head, rest)| rest.split_once('`').map(|(name, _)| (head.trim_end(), name)))
        {
            Some(("missing field", name)) => format!("`{name}` is missing"),
            Some(("unknown field", name)) => format!("there is no key `{name}` in it"),
            Some(("duplicate field", name)) => format!("`{name}` is given twice"),
            _ => match plain.split_once(", expected ") {
                Some((found, expected)) if found.starts_with("invalid ") => {
                    let expected = spec::in_plain_words(expected);
                    format!("a value is wrong: expected {expected}")
                }
                _ => plain.to_owned(),
            },
        },
    }
}

/// Reports that a run was not finished, and returns the exit code.
pub(crate) fn interrupted(so: &str, json: bool) -> u8 {
    let message = format!("interrupted: the run was not finished, and {so}");
    let _ = Failure::from(Diagnostic::new(Kind::Interrupted, message)).report(json);
    INTERRUPTED
}

/// The exit code of a run whose results could not be written: its own, unless that means success or
/// nothing exercised.
fn worse(code: u8) -> u8 {
    match code {
        1 | 3 | 5 | 70 | INTERRUPTED => code,
        _ => USAGE,
    }
}

/// Prints one object on standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) {
    let text = json(value);
    print(&text);
}

fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("what is printed is plain data");
    escape::json(&text)
}

/// Prints a text on standard output. The reader may stop early (`| head`); any other failure to
/// write is an error of the environment, and ends the program.
pub(crate) fn print(text: &str) {
    if let Err(error) = write(text) {
        say(&unprinted(&error));
        std::process::exit(USAGE.into());
    }
}

/// Prints the result of a run, as one object or in words, and then the parts that could not be
/// written. Returns the exit code. If standard output fails, the result goes to standard error, so
/// that a full disk does not lose the seed that broke a promise.
pub(crate) fn print_result(
    value: Option<&impl serde::Serialize>,
    words: impl FnOnce() -> String,
    unwritten: Option<Failure>,
    code: u8,
) -> u8 {
    let text = match value {
        Some(value) => json(value),
        None => words(),
    };
    let code = match write(&text) {
        Ok(()) => code,
        Err(error) => {
            say(text.trim_end());
            say(&unprinted(&error));
            worse(code)
        }
    };
    match unwritten {
        Some(failure) => failure.after_result(code),
        None => code,
    }
}

/// Writes to standard output. A reader that is gone is not a failure.
fn write(text: &str) -> io::Result<()> {
    use io::Write;
    let text = escape::coloured(text, Style::of_stdout().has_colour());
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

fn unprinted(error: &io::Error) -> String {
    format!("error: cannot write to standard output: {error}")
}

/// Writes to standard error. A failure to write is ignored.
pub(crate) fn say(text: &(impl std::fmt::Display + ?Sized)) {
    say_as_it_is(&escape::lines(&text.to_string()));
}

/// Writes a text with escape sequences to standard error. Its external text must be escaped.
pub(crate) fn say_as_it_is(text: &str) {
    use io::Write;
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Ends the program: it was refused a thread.
pub(crate) fn no_thread(error: &io::Error) -> ! {
    say(&format!("error: the operating system refuses a thread: {error}"));
    std::process::exit(NO_RESOURCES.into())
}

/// Makes the link to the latest results. If that fails, a warning suffices: the results are
/// complete.
pub(crate) fn point_latest_at(base: &Path, name: &str) {
    if let Err(error) = files::point_latest_at(base, name) {
        let link = base.join(files::name::LATEST);
        say(&format!("warning: cannot make the link {}: {error}", link.display()));
    }
}

/// Prints warnings.
pub(crate) fn warn(warnings: &[Diagnostic]) {
    for warning in warnings {
        say(warning);
    }
}
