//! Writes `docs/mutants.md` from the results and from `docs/mutants.toml`, in which people explain
//! why a mutant survives.

use super::Outcome;
use super::judge::{self, Judged, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes the page.
pub(super) fn write(root: &Path, out: &Path) -> Outcome<()> {
    let results = judge::results(out);
    if results.is_empty() {
        return Err(format!("there are no results in {}", out.display()).into());
    }
    let explained: BTreeMap<String, String> =
        toml::from_str(&fs::read_to_string(root.join("docs/mutants.toml")).unwrap_or_default())?;
    let (page, unexplained) = page(&results, &explained);
    fs::write(root.join("docs/mutants.md"), page)?;
    println!("docs/mutants.md is written; {} survivors have no explanation", unexplained.len());
    unexplained.iter().for_each(|name| println!("{name}"));
    Ok(())
}

/// The date and the commit of the sources.
pub(super) fn stand() -> Outcome<(String, String)> {
    let date = output("date", &["-u", "+%Y-%m-%d"])?;
    Ok((date, output("git", &["rev-parse", "--short", "HEAD"])?))
}

fn output(program: &str, args: &[&str]) -> Outcome<String> {
    let output = Command::new(program).args(args).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The page, and the survivors without an explanation. A mutant whose explanation begins with
/// `equivalent:` does not count in the score.
fn page<'a>(
    results: &'a [Vec<Judged>],
    explained: &BTreeMap<String, String>,
) -> (String, Vec<&'a str>) {
    let why = |it: &Judged| explained.get(&it.mutant).map(String::as_str);
    let is_equivalent = |it: &Judged| why(it).is_some_and(|why| why.starts_with("equivalent"));
    let first: Vec<&Judged> = results.iter().map(|of| &of[0]).collect();
    let last: Vec<&Judged> = results.iter().filter_map(|of| of.last()).collect();
    let mut text = String::from(
        "# Mutants of the engine\n\n\
         Wrong edits planted in `engine/src` by `cargo xtask mutants`, one at a time: another comparison, a \
         negated\ncondition, an off-by-one, an inverted flag, an omitted statement. The same seeds run with each; a \
         mutant is caught\nif they do not all pass. Reports of processes to the judge are not mutated. Written by\n\
         `cargo xtask mutants --report`; the explanations are in `mutants.toml`.\n\n",
    );
    let Judged { budget, stand: (date, commit), .. } = first[0];
    let count = |of: &[&Judged]| of.iter().filter(|it| it.is_caught()).count();
    let equivalent = last.iter().filter(|it| !it.is_caught() && is_equivalent(it)).count();
    let counted = first.len() - equivalent;
    let percent = |caught: usize| 100.0 * caught as f64 / counted.max(1) as f64;
    let caught = count(&first);
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "Measured on {date} at {commit}, {} drawn at random: **{caught} of {counted} caught ({:.0} %)**, \
         {equivalent} more are\nequivalent. Budget per mutant: {} seeds of every other scenario of the \
         catalogue and {} of `swarm`.\n",
        first.len(),
        percent(caught),
        budget.catalogue,
        budget.swarm,
    );
    if let Some(later) =
        last.iter().filter(|it| it.stand != first[0].stand).max_by_key(|it| &it.stand.0)
    {
        let (date, commit) = &later.stand;
        let caught = count(&last);
        let _ = writeln!(
            text,
            "The survivors were run with the same seeds again on {date} at {commit}, after changes made because \
             of them:\n**{caught} of {counted} ({:.0} %)**.\n",
            percent(caught)
        );
    }
    let again = first.iter().zip(&last).any(|(first, last)| first.verdict != last.verdict);
    text.push_str(match again {
        true => "| result of the seeds | at first | now |\n|---|---:|---:|\n",
        false => "| result of the seeds | mutants |\n|---|---:|\n",
    });
    for (verdict, what) in [
        (Verdict::Violation, "a check found a broken promise"),
        (Verdict::Panic, "a panic, or an abort"),
        (Verdict::Unknown, "undecided runs"),
        (Verdict::Vacuous, "too little was exercised"),
        (Verdict::Timeout, "runs that did not end in time"),
        (Verdict::Survived, "all pass, and the place was reached"),
        (Verdict::Unreached, "all pass, and the place was never reached"),
    ] {
        let count = |of: &[&Judged]| of.iter().filter(|it| it.verdict == verdict).count();
        let now = if again { format!(" {} |", count(&last)) } else { String::new() };
        let _ = writeln!(text, "| {what} | {} |{now}", count(&first));
    }
    checks(&last, &mut text);
    let mut unexplained = Vec::new();
    for (verdict, head) in
        [(Verdict::Survived, "Reached and not caught"), (Verdict::Unreached, "Never reached")]
    {
        let _ = writeln!(text, "\n## {head}\n\n| mutant | why |\n|---|---|");
        for it in last.iter().filter(|it| it.verdict == verdict) {
            let why = why(it).unwrap_or_else(|| {
                unexplained.push(it.mutant.as_str());
                "not explained yet"
            });
            let _ = writeln!(text, "| {} | {why} |", it.mutant.replace('|', "\\|"));
        }
    }
    let since = results.iter().filter(|of| !of[0].is_caught());
    let since: Vec<&Judged> =
        since.filter_map(|of| of.last()).filter(|it| it.is_caught()).collect();
    if !since.is_empty() {
        text.push_str(
            "\n## Caught since\n\n| mutant | by | how it became visible |\n|---|---|---|\n",
        );
        for it in since {
            let (mutant, why) = (it.mutant.replace('|', "\\|"), why(it).unwrap_or_default());
            let _ = writeln!(text, "| {mutant} | {} | {why} |", it.by);
        }
    }
    (text, unexplained)
}

/// The checks that detected mutants first, with their counts.
fn checks(last: &[&Judged], text: &mut String) {
    let mut checks: BTreeMap<&str, usize> = BTreeMap::new();
    for it in last.iter().filter(|it| it.verdict == Verdict::Violation) {
        *checks.entry(it.by.split([':', ' ']).next().unwrap_or_default()).or_default() += 1;
    }
    let noticed: Vec<String> =
        checks.into_iter().map(|(check, count)| format!("`{check}` {count}")).collect();
    if !noticed.is_empty() {
        let _ = writeln!(
            text,
            "\nThe check that noticed each violation first: {}.",
            noticed.join(", ")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::judge::Budget;

    fn judged(mutant: &str, verdict: Verdict, commit: &str) -> Judged {
        Judged {
            mutant: mutant.to_owned(),
            verdict,
            runs: 1,
            by: "converges by swarm 7".to_owned(),
            budget: Budget { swarm: 400, catalogue: 10 },
            stand: ("2026-11-30".to_owned(), commit.to_owned()),
        }
    }

    #[test]
    fn an_equivalent_mutant_is_not_in_the_score() {
        let results = [
            vec![judged("a", Verdict::Violation, "01")],
            vec![judged("b", Verdict::Survived, "01")],
            vec![judged("c", Verdict::Survived, "01")],
            vec![judged("d", Verdict::Unreached, "01")],
        ];
        let explained = BTreeMap::from([("b".to_owned(), "equivalent: it is sorted".to_owned())]);
        let (text, unexplained) = page(&results, &explained);
        assert!(text.contains("4 drawn at random: **1 of 3 caught (33 %)**, 1 more are"), "{text}");
        assert!(!text.contains("Caught since") && !text.contains("again"), "{text}");
        assert!(text.contains("violation first: `converges` 1.\n"), "{text}");
        assert_eq!(unexplained, ["c", "d"]);
    }

    #[test]
    fn mutants_caught_later_have_a_separate_score() {
        let survivor = judged("a", Verdict::Survived, "01");
        let results = [
            vec![survivor, judged("a", Verdict::Violation, "02")],
            vec![judged("b", Verdict::Violation, "01")],
        ];
        let (text, unexplained) = page(&results, &BTreeMap::new());
        assert!(text.contains("**1 of 2 caught (50 %)**"), "{text}");
        assert!(text.contains("at 02, after changes made"), "{text}");
        assert!(text.contains("**2 of 2 (100 %)**"), "{text}");
        assert!(text.contains("| a | converges by swarm 7 |  |"), "{text}");
        assert!(unexplained.is_empty());
    }
}
