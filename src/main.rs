//! Faultline's command line. It reads arguments and files, runs scenarios on threads, and prints;
//! `scenarios` defines runs and their results.

// The only crate that uses the outside world.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the command line reads files and starts threads"
)]

mod args;
mod bar;
mod configuration;
mod execute;
mod exit;
mod freeze;
mod fuzz;
mod list;
mod memory;
mod near_path;
mod pool;
mod progress;
mod replay;
mod report;
mod scenario;
mod schema;
mod style;
mod summary;

use clap::Parser;
use clap::error::ErrorKind;
use exit::Failure;
use spec::{Diagnostic, Kind};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    let args = match args::Cli::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let json = args.command.json();
    execute::watch_interrupt();
    execute::watch_panics();
    let result = match args.command {
        args::Command::Scenario(args) => scenario::command(&args),
        args::Command::Fuzz(args) => fuzz::command(&args),
        args::Command::Report(args) => report::command(&args),
        args::Command::List(args) => list::command(&args),
        args::Command::Replay(args) => replay::command(&args),
        args::Command::Schema(args) => schema::command(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(json),
    }
}

/// Reports an error in the arguments, or prints the requested help.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        match style::Style::of_stdout().has_colour() {
            true => exit::print(&text.ansi().to_string()),
            false => exit::print(&text.to_string()),
        }
        return ExitCode::SUCCESS;
    }
    exit::say(text.to_string().trim_end());
    if std::env::args().any(|arg| arg == "--json") {
        let text = error.to_string();
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let hint = rest.lines().find_map(|line| line.trim().strip_prefix("tip: "));
        let diagnostic = Diagnostic::new(Kind::Usage, first.trim_start_matches("error: "))
            .with_hint(hint.map(str::to_owned));
        Failure::from(diagnostic).print_json();
    }
    ExitCode::from(exit::USAGE)
}
