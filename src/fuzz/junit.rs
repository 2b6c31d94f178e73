//! JUnit's XML: a suite with a case for each scenario, and one more if runs are missing. There is
//! no standard; this is the form that Jenkins, GitLab and actions for GitHub read
//! (github.com/testmoapp/junitxml).

use crate::progress::plural;
use scenarios::escape;
use scenarios::fuzz::{FuzzReport, ScenarioRow};
use scenarios::result::Outcome;
use std::fmt::Write;

/// The document.
pub(super) fn document(report: &FuzzReport) -> String {
    let lacks = report.lacks();
    let missing = usize::from(lacks.is_some());
    let count =
        |is: fn(Outcome) -> bool| report.scenarios.iter().filter(|row| is(row.outcome)).count();
    let bad = count(|outcome| outcome != Outcome::Pass);
    let own = count(is_error);
    let (tests, errors) = (report.scenarios.len() + missing, own + missing);
    let failures = bad - own;
    let numbers = format!(
        r#"tests="{tests}" failures="{failures}" errors="{errors}" time="{:.3}""#,
        report.wall_s
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, r#"<testsuites name="faultline" {numbers}>"#);
    let _ = writeln!(xml, r#"  <testsuite name="fuzz {}" {numbers}>"#, escaped(&report.seeds));
    for row in &report.scenarios {
        case(&mut xml, report, row);
    }
    if let Some(why) = lacks {
        let open = r#"    <testcase classname="faultline" name="all runs were made" time="0.000">"#;
        let why = escaped(&why);
        let _ = writeln!(xml, "{open}\n      <error type=\"missing\" message=\"{why}\"/>");
        xml.push_str("    </testcase>\n");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// A defect of Faultline and missing runs are errors; a finding is a failure.
fn is_error(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Panic | Outcome::Nondeterministic)
}

fn case(xml: &mut String, report: &FuzzReport, row: &ScenarioRow) {
    let (name, time) = (escaped(&row.scenario), row.wall_s);
    let open = format!(r#"    <testcase classname="faultline" name="{name}" time="{time:.3}""#);
    if row.outcome == Outcome::Pass {
        let _ = writeln!(xml, "{open}/>");
        return;
    }
    let element = if is_error(row.outcome) { "error" } else { "failure" };
    let (message, text) = words(report, row);
    let _ = writeln!(xml, "{open}>");
    let _ = writeln!(
        xml,
        "      <{element} type=\"{}\" message=\"{}\">{}</{element}>",
        row.outcome.name(),
        escaped(&message),
        escaped(&text)
    );
    xml.push_str("    </testcase>\n");
}

/// The failure of a scenario: in one line, and in detail.
fn words(report: &FuzzReport, row: &ScenarioRow) -> (String, String) {
    let mut message = String::new();
    let mut text = String::new();
    let several = report.failures_of(row).count();
    if several > 1 {
        let _ = write!(message, "{several} signatures");
    }
    for (i, (signature, there)) in report.failures_of(row).enumerate() {
        let (count, summary) = (there.count, &there.smallest.summary);
        if several > 1 {
            let sign = if i == 0 { ": " } else { "; " };
            let _ = write!(message, "{sign}{signature} ({count})");
        } else {
            message.clone_from(summary);
        }
        let _ = writeln!(text, "{signature}: {count} of {} runs", row.ran.ran);
        if let Some(affected) = there.affected.in_words() {
            let _ = writeln!(text, "of them {affected}");
        }
        let _ = writeln!(text, "seed {}: {summary}", there.smallest.seed);
        let _ = writeln!(text, "{}", there.smallest.reproduce);
        if there.worst.seed != there.smallest.seed {
            let _ = writeln!(text, "worst seed {}: {}", there.worst.seed, there.worst.summary);
            let _ = writeln!(text, "{}", there.worst.reproduce);
        }
        text.push('\n');
    }
    if row.ran.nondeterministic > 0 {
        let count = plural(row.ran.nondeterministic, "run");
        let _ = writeln!(text, "different when made again: {count}");
        message = format!("{count} different when made again: {message}");
    }
    if row.outcome == Outcome::Vacuous {
        message = row.shows_too_little().join("; ");
        if let Some(vacuous) = &row.vacuous_seeds {
            let _ = writeln!(text, "smallest seed {}", vacuous.smallest_seed);
            for (name, count) in &vacuous.not_exercised {
                let _ = writeln!(text, "not reached in {count} runs: {name}");
            }
        }
        for name in &row.never_reached {
            let _ = writeln!(text, "not reached in any run: {name}");
        }
    }
    (message, text)
}

/// Text escaped for XML 1.0, without characters that control display.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in escape::lines(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_markup() {
        assert_eq!(
            escaped("a<b>&\"c\"\n\u{0}\u{1b}[1m"),
            "a&lt;b&gt;&amp;&quot;c&quot;&#10;\\u{0}\\u{1b}[1m"
        );
    }
}
