//! Tests in the form of readable transcripts (after etcd's `rafttest`): a file of commands, each
//! followed by its output.
//!
//! ```text
//! # A comment.
//! start 101
//! run 5s
//! ----
//! 1234.5  101  sends pre-votes in epoch 0
//!
//! state
//! ----
//! 101  prospective, epoch 0
//! ```
//!
//! A block ends at an empty line. `UPDATE_TRANSCRIPTS=1 cargo test -p engine` rewrites the output
//! of every block; read the difference before you commit it.

use machine::Span;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// A line of a transcript: a name, words, and options of the form `key=value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    line: String,
    /// The first word.
    pub(crate) name: String,
    /// The words after the name that are not options.
    pub(crate) words: Vec<String>,
    options: BTreeMap<String, String>,
}

impl Command {
    fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let mut command = Self { line: line.to_owned(), ..Self::default() };
        command.name = words.next().unwrap_or_default().to_owned();
        for word in words {
            match word.split_once('=') {
                Some((key, value)) => {
                    command.options.insert(key.to_owned(), value.to_owned());
                }
                None => command.words.push(word.to_owned()),
            }
        }
        command
    }

    /// Word `at` as a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, at: usize) -> T {
        let word = self.words.get(at).unwrap_or_else(|| panic!("a word is missing: {}", self.line));
        word.parse().unwrap_or_else(|_| panic!("not a number: {}", self.line))
    }

    /// All words as numbers.
    pub(crate) fn numbers<T: std::str::FromStr>(&self) -> Vec<T> {
        (0..self.words.len()).map(|at| self.number(at)).collect()
    }

    /// Word `at` as a duration: `5s`, `300ms`.
    pub(crate) fn duration(&self, at: usize) -> Span {
        let word = self.words.get(at).map_or("", String::as_str);
        let parsed = word
            .strip_suffix("ms")
            .map(|number| number.parse().map(Span::millis))
            .or_else(|| word.strip_suffix('s').map(|number| number.parse().map(Span::secs)));
        match parsed {
            Some(Ok(span)) => span,
            _ => panic!("not a duration: {}", self.line),
        }
    }

    /// The value of an option.
    pub(crate) fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    /// The values of an option, separated by commas; none if it is not given.
    pub(crate) fn list<T: std::str::FromStr>(&self, key: &str) -> Vec<T> {
        let values = self.option(key).unwrap_or_default();
        let values = values.split(',').filter(|value| !value.is_empty());
        let parsed = values.map(|value| value.parse().ok());
        parsed.map(|value| value.unwrap_or_else(|| panic!("wrong value: {}", self.line))).collect()
    }

    /// Whether a word is among the words.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// Fails the test, because there is no command of this name.
    pub(crate) fn unknown(&self) -> ! {
        panic!("unknown command: {}", self.line)
    }
}

/// Runs the transcript at `path`, relative to `engine/src`, and compares its output with that in
/// the file; with `UPDATE_TRANSCRIPTS=1` in the environment, writes the output into the file
/// instead.
#[expect(clippy::disallowed_methods, reason = "a test reads and rewrites its own transcript")]
pub(crate) fn check(path: &str, mut run: impl FnMut(&Command) -> String) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    let expected = String::from_utf8(std::fs::read(&file).expect("a transcript")).expect("text");
    let actual = transcribe(&expected, &mut run);
    if std::env::var("UPDATE_TRANSCRIPTS").is_ok_and(|value| value == "1") {
        std::fs::write(&file, actual).expect("the transcript can be written");
        return;
    }
    let differing = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
    let line = differing.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    assert!(
        expected == actual,
        "{path} differs from line {} on; UPDATE_TRANSCRIPTS=1 rewrites it. It is now:\n{actual}",
        line + 1
    );
}

/// The transcript with the actual output of its commands.
fn transcribe(text: &str, run: &mut impl FnMut(&Command) -> String) -> String {
    let mut transcript = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let commands: Vec<&str> = block.lines().take_while(|line| *line != "----").collect();
        let mut output = String::new();
        for line in commands.iter().filter(|line| !line.starts_with('#')) {
            output.push_str(&run(&Command::parse(line)));
        }
        let separator = if transcript.is_empty() { "" } else { "\n" };
        let _ = writeln!(transcript, "{separator}{}", commands.join("\n"));
        if commands.iter().any(|line| !line.starts_with('#')) {
            let output = if output.is_empty() { "ok\n" } else { &output };
            let _ = write!(transcript, "----\n{output}");
        }
    }
    transcript
}

/// A time as milliseconds with one decimal.
pub(crate) fn millis(at: machine::Mono) -> String {
    let tenths = at.0 / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[test]
fn a_transcript_is_rewritten_with_the_actual_output() {
    let text = "# Why.\n\nadd 1 2 by=3\nadd 4\n----\nwrong\n\nnothing\n";
    let mut run = |command: &Command| match command.name.as_str() {
        "add" => {
            let by: i32 = command.option("by").map_or(1, |by| by.parse().unwrap());
            let sum: i32 = command.numbers::<i32>().into_iter().sum();
            format!("{}\n", sum * by)
        }
        _ => String::new(),
    };
    let expected = "# Why.\n\nadd 1 2 by=3\nadd 4\n----\n9\n4\n\nnothing\n----\nok\n";
    assert_eq!(transcribe(text, &mut run), expected);
    assert_eq!(transcribe(expected, &mut run), expected);
}
