//! The command line from outside: the built binary, its exit codes, its output and its files.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "these tests read files, start the program and wait for it"
)]

mod bad_input;
mod exit_codes;
mod fidelity;
mod formats;
#[cfg(target_os = "linux")]
mod full_disk;
mod fuzz;
mod fuzz_merge;
mod guide;
mod hints;
mod hostile;
mod lists;
mod page;
mod panic;
mod replay;
mod report;
mod results;
mod series;
mod terminal;
mod transactions;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for one test, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let name = format!("faultline-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the folder for temporary files is writable");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it.
    pub(crate) fn file(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("the folder is writable");
    }

    /// The program, to be started in it.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultline"));
        command.current_dir(&self.0).env_remove("CARGO").env_remove("COLUMNS");
        command.env("NO_COLOR", "1");
        command
    }

    /// Starts the program in it and waits for its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.program().args(args))
    }

    /// The names of its files and directories.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder is there");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("readable").file_name().to_string_lossy().into_owned()
        };
        entries.map(name).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The exit code and the output of a program.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Starts a program and waits for its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program starts"))
    }

    /// Standard output, which has to be one JSON object and nothing else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{self:#?}"))
    }
}

impl From<Output> for Ended {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        Self {
            code: status.code(),
            out: String::from_utf8(stdout).expect("UTF-8"),
            err: String::from_utf8(stderr).expect("UTF-8"),
        }
    }
}

/// A small scenario; `extra` goes to its end.
pub(crate) fn small(extra: &str) -> String {
    format!(
        r#"name = "small"
title = "a small one"

[[clusters]]
brokers = 3

[[topics]]
name = "orders"
partitions = 1

[[producers]]
records = 50
rate = 100

[durations]
load = "3s"
{extra}"#
    )
}
