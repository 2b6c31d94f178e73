//! `docs/mutants.md`, from the results and from `docs/mutants.toml`, where people write why a mutant
//! survives.

use super::Outcome;
use super::judge::{self, Judged, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes the page.
pub(super) fn write(root: &Path, out: &Path) -> Outcome<()> {
    let results = judge::results(out)?;
    if results.is_empty() {
        return Err(format!("there are no results in {}", out.display()).into());
    }
    let explained: BTreeMap<String, String> =
        toml::from_str(&fs::read_to_string(root.join("docs/mutants.toml")).unwrap_or_default())?;
    let date = output("date", &["-u", "+%Y-%m-%d"])?;
    let commit = output("git", &["rev-parse", "--short", "HEAD"])?;
    let (page, unexplained) = page(&results, &explained, &date, &commit);
    fs::write(root.join("docs/mutants.md"), page)?;
    println!("docs/mutants.md is written; {} survivors have no explanation", unexplained.len());
    unexplained.iter().for_each(|name| println!("{name}"));
    Ok(())
}

fn output(program: &str, args: &[&str]) -> Outcome<String> {
    let output = Command::new(program).args(args).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The page, and the survivors that nobody has explained. An explanation that begins with
/// `equivalent:` takes its mutant out of the score.
fn page<'a>(
    results: &'a [Judged],
    explained: &BTreeMap<String, String>,
    date: &str,
    commit: &str,
) -> (String, Vec<&'a str>) {
    let why = |it: &Judged| explained.get(&it.mutant).map(String::as_str);
    let is_equivalent = |it: &&Judged| why(it).is_some_and(|why| why.starts_with("equivalent"));
    let count = |verdict| results.iter().filter(|it| it.verdict == verdict).count();
    let lost = |it: &&Judged| matches!(it.verdict, Verdict::Survived | Verdict::Unreached);
    let equivalent = results.iter().filter(lost).filter(is_equivalent).count();
    let caught = results.len() - results.iter().filter(lost).count();
    let counted = results.len() - equivalent;
    let mut text = String::from(
        "# Mutants of the engine\n\n\
         Wrong edits planted in `engine/src` by `cargo xtask mutants`, one at a time: another comparison, a \
         condition\nnegated, an off by one, a flag turned, a statement left out. The same seeds run with each; a \
         mutant is caught\nif they do not all pass. Written by `cargo xtask mutants --report`.\n\n",
    );
    let (swarm, catalogue) = results[0].budget;
    let percent = 100.0 * caught as f64 / counted.max(1) as f64;
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "Measured on {date} at {commit}: **{caught} of {counted} caught ({percent:.0} %)**, \
         {equivalent} more are equivalent. Budget for each: {swarm} seeds of\n`swarm` and {catalogue} of each \
         other scenario of the catalogue.\n"
    );
    text.push_str("| what the seeds came to | mutants |\n|---|---:|\n");
    for (verdict, what) in [
        (Verdict::Violation, "a check found a broken promise"),
        (Verdict::Panic, "a panic"),
        (Verdict::Unknown, "undecided runs"),
        (Verdict::Vacuous, "too little was exercised"),
        (Verdict::Timeout, "runs that did not end in time"),
        (Verdict::Survived, "all pass, and the place was reached"),
        (Verdict::Unreached, "all pass, and the place was never reached"),
    ] {
        let _ = writeln!(text, "| {what} | {} |", count(verdict));
    }
    let mut unexplained = Vec::new();
    for (verdict, head) in
        [(Verdict::Survived, "Reached and not caught"), (Verdict::Unreached, "Never reached")]
    {
        let _ = writeln!(text, "\n## {head}\n\n| mutant | why |\n|---|---|");
        for it in results.iter().filter(|it| it.verdict == verdict) {
            let why = why(it).unwrap_or_else(|| {
                unexplained.push(it.mutant.as_str());
                "not explained yet"
            });
            let _ = writeln!(text, "| {} | {why} |", it.mutant.replace('|', "\\|"));
        }
    }
    (text, unexplained)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equivalent_mutant_is_not_in_the_score() {
        let judged = |mutant: &str, verdict| Judged {
            mutant: mutant.to_owned(),
            verdict,
            runs: 1,
            by: String::new(),
            budget: (400, 10),
        };
        let results = [
            judged("a", Verdict::Violation),
            judged("b", Verdict::Survived),
            judged("c", Verdict::Survived),
            judged("d", Verdict::Unreached),
        ];
        let explained = BTreeMap::from([("b".to_owned(), "equivalent: it is sorted".to_owned())]);
        let (text, unexplained) = page(&results, &explained, "today", "0123");
        assert!(text.contains("**1 of 3 caught (33 %)**, 1 more are equivalent"), "{text}");
        assert_eq!(unexplained, ["c", "d"]);
    }
}
