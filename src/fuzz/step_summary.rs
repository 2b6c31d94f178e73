//! What GitHub shows on the page of a run: a table in the file that `GITHUB_STEP_SUMMARY` names.
//! (docs.github.com, "Adding a job summary".)

use crate::exit;
use scenarios::fuzz::{FuzzReport, Stop};
use scenarios::result::Outcome;
use std::fmt::Write;
use std::fs::OpenOptions;
use std::io::{self, Write as _};

/// More signatures are in fuzz.json.
const MOST: usize = 20;

/// Appends the table, if somebody wants it. That it cannot be written is said and changes nothing.
pub(super) fn append(report: &FuzzReport) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return;
    };
    let append = || -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(table(report).as_bytes())
    };
    if let Err(error) = append() {
        exit::tell(&format!("warning: cannot write the step summary: {error}"));
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
    let rows = report.scenarios.iter().filter(|row| row.outcome == Outcome::Vacuous);
    let vacuous = rows
        .map(|row| format!("{} is vacuous: {}", row.scenario, row.shows_too_little().join("; ")));
    for why in report.lacks().into_iter().chain(vacuous) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}\n", cell(&why));
    }
    if report.signatures.is_empty() {
        return text;
    }
    text.push_str("| runs | signature | smallest seed | again |\n|---:|---|---|---|\n");
    for group in report.signatures.iter().take(MOST) {
        let _ = writeln!(
            text,
            "| {} | {} | {} of {} | {} |",
            group.count,
            cell(&group.signature),
            group.smallest_seed,
            cell(&group.scenario),
            code(&group.reproduce)
        );
    }
    if report.signatures.len() > MOST {
        let _ = writeln!(text, "\nand {} more in fuzz.json", report.signatures.len() - MOST);
    }
    text.push('\n');
    text
}

/// A text that stays within its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
}

/// A text as code within a cell, where nothing stands for something else but a bar, which ends the
/// cell even there. (github.github.com/gfm, 6.3 and 4.10.) More backticks than are in the text
/// stand around it.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|").replace('\n', " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let ticks = "`".repeat(longest + 1);
    // One space on each side belongs to the ticks.
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_cell() {
        assert_eq!(cell("a|b\n<c"), "a\\|b &lt;c");
        assert_eq!(code("a <b|c>\nd"), "`a <b\\|c> d`");
        assert_eq!(code("a `b``c` d"), "```a `b``c` d```");
        assert_eq!(code("'`a'`"), "`` '`a'` ``");
    }
}
