//! Annotations for GitHub Actions, which a pull request shows beside its checks. (docs.github.com,
//! "Workflow commands".) They go to standard error, which the runner reads as well, since standard
//! output may be one JSON object.

use super::summary::worse;
use scenarios::escape;
use scenarios::fuzz::FuzzReport;
use scenarios::result::Outcome;

/// GitHub shows at most ten annotations of a step.
const MOST: usize = 10;

/// A line for everything that keeps the result from being a pass: missing runs, each signature, the
/// worst first, and each scenario that shows too little.
pub(super) fn lines(report: &FuzzReport) -> Vec<String> {
    let missing = report.lacks().map(|why| error("faultline: runs are missing", &why));
    let groups = report.signatures.iter().map(|group| {
        let (count, ran) = (group.count, report.ran.ran);
        let elsewhere = group.elsewhere().map(|there| format!("; {there}")).unwrap_or_default();
        let text = format!(
            "{}\n{count} of {ran} runs{}; smallest seed {}{elsewhere}\n{}{}",
            group.summary,
            group.affected.in_words().map(|words| format!(" ({words})")).unwrap_or_default(),
            group.smallest_seed,
            group.reproduce,
            worse(group).map(|words| format!("\n{words}")).unwrap_or_default()
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
    escape::lines(text).replace('%', "%25").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_command() {
        assert_eq!(data("50 % of\r\nall: a, b"), "50 %25 of\\u{d}%0Aall: a, b");
        assert_eq!(property("a:b,c\n::error::"), "a%3Ab%2Cc%0A\\u{3a}%3Aerror%3A%3A");
    }
}
