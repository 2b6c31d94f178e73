//! `cargo xtask`: tasks in this repository other than building and testing.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a tool for developers: it reads files, starts programs and prints"
)]

mod mutants;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Tasks for developers of Faultline.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Plant wrong edits in the engine, and count how many of them a fixed budget of seeds detects
    Mutants(mutants::Args),
}

fn main() -> ExitCode {
    let Task::Mutants(args) = Cli::parse().task;
    match mutants::command(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
