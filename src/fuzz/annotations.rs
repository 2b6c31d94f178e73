//! Annotations for GitHub Actions: what a pull request shows beside its checks.
//! (docs.github.com, "Workflow commands".) They go to standard error, which the runner reads as
//! well: standard output may be one JSON object.

use scenarios::fuzz::FuzzReport;
use scenarios::result::Outcome;

/// GitHub shows no more than ten of a step.
const MOST: usize = 10;

/// A line for whatever makes the result less than a pass: that runs are missing, each signature,
/// the worst first, and each scenario that shows too little.
pub(super) fn lines(report: &FuzzReport) -> Vec<String> {
    let missing = report.lacks().map(|why| error("faultline: runs are missing", &why));
    let groups = report.signatures.iter().map(|group| {
        let (count, ran) = (group.count, report.ran.ran);
        let elsewhere = group.elsewhere().map(|there| format!("; {there}")).unwrap_or_default();
        let text = format!(
            "{}\n{count} of {ran} runs; the smallest seed is {}{elsewhere}\n{}",
            group.summary, group.smallest_seed, group.reproduce
        );
        error(&format!("faultline {}: {}", group.scenario, group.signature), &text)
    });
    let vacuous = report.scenarios.iter().filter(|row| row.outcome == Outcome::Vacuous);
    let vacuous = vacuous.map(|row| {
        let why = row.shows_too_little().join("; ");
        error(&format!("faultline {}: vacuous", row.scenario), &why)
    });
    missing.into_iter().chain(groups).chain(vacuous).take(MOST).collect()
}

fn error(title: &str, text: &str) -> String {
    format!("::error title={}::{}", property(title), data(text))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_command() {
        assert_eq!(data("50 % of\r\nall: a, b"), "50 %25 of%0D%0Aall: a, b");
        assert_eq!(property("a:b,c\n::error::"), "a%3Ab%2Cc%0A%3A%3Aerror%3A%3A");
    }
}
