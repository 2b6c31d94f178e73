//! The table that GitHub shows on the page of a run: Markdown in the file that
//! `GITHUB_STEP_SUMMARY` names. (docs.github.com, "Adding a job summary".)

use crate::exit;
use scenarios::escape::{markdown, markdown_code};
use scenarios::fuzz::{FuzzReport, Stop};
use scenarios::result::Outcome;
use std::fmt::Write;
use std::fs::OpenOptions;
use std::io::{self, Write as _};

/// The number of signatures shown; fuzz.json has all of them.
const MOST: usize = 20;

/// Appends the table, if the variable is set. A failure to write is a warning.
pub(super) fn append(report: &FuzzReport) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return;
    };
    let append = || -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(table(report).as_bytes())
    };
    if let Err(error) = append() {
        exit::say(&format!("warning: cannot write the step summary: {error}"));
    }
}

/// The outcome, and a row for each signature, the most frequent first.
fn table(report: &FuzzReport) -> String {
    let (ran, passed) = (report.ran.ran, report.ran.passed);
    let outcome = match (report.outcome, report.stopped) {
        (Outcome::Pass, Stop::Interrupted) => "interrupted",
        (outcome, _) => outcome.name(),
    };
    let of = match report.stopped {
        Stop::Complete => String::new(),
        stopped => format!("; {ran} of {} were made{}", report.planned, stopped.why()),
    };
    let mut text = format!(
        "### faultline fuzz, seeds {}: {outcome}\n\n{passed} of {ran} runs passed{of}.\n\n",
        report.seeds
    );
    if let Some(transactions) = &report.transactions {
        let _ = writeln!(text, "{}.\n", markdown(&transactions.in_words()));
    }
    if let Some(groups) = &report.groups {
        let _ = writeln!(text, "Groups: {}.\n", markdown(&groups.in_words()));
    }
    let rows = report.scenarios.iter().filter(|row| row.outcome == Outcome::Vacuous);
    let vacuous = rows
        .map(|row| format!("{} is vacuous: {}", row.scenario, row.shows_too_little().join("; ")));
    for why in report.lacks().into_iter().chain(vacuous) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}\n", markdown(&why));
    }
    if report.signatures.is_empty() {
        return text;
    }
    text.push_str("| runs | lost | duplicated | reordered | signature | smallest seed | again | worst seed |\n");
    text.push_str("|---:|---:|---:|---:|---|---|---|---|\n");
    for group in report.signatures.iter().take(MOST) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} of {} | {} | {} |",
            group.count,
            group.affected.lost,
            group.affected.duplicated,
            group.affected.reordered,
            markdown(&group.signature),
            group.smallest_seed,
            markdown(&group.scenario),
            markdown_code(&group.reproduce),
            group.worse().map(|worst| markdown_code(&worst.reproduce)).unwrap_or_default()
        );
    }
    if report.signatures.len() > MOST {
        let _ = writeln!(text, "\nand {} more in fuzz.json", report.signatures.len() - MOST);
    }
    text.push('\n');
    text
}
