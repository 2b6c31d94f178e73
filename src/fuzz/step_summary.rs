//! What GitHub shows on the page of a run: a table in the file that `GITHUB_STEP_SUMMARY` names.
//! (docs.github.com, "Adding a job summary".)

use crate::exit;
use scenarios::fuzz::FuzzReport;
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
    let outcome = report.outcome.name();
    let mut text = format!(
        "### faultline fuzz, seeds {}: {outcome}\n\n{passed} of {ran} runs passed.\n\n",
        report.seeds
    );
    if report.signatures.is_empty() {
        return text;
    }
    text.push_str("| runs | signature | smallest seed | again |\n|---:|---|---|---|\n");
    for group in report.signatures.iter().take(MOST) {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} of {} | `{}` |",
            group.count,
            cell(&group.signature),
            group.smallest_seed,
            cell(&group.scenario),
            cell(&group.reproduce)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_cell() {
        assert_eq!(cell("a|b\n<c"), "a\\|b &lt;c");
    }
}
