//! The summary of many seeds: about a screenful, the verdict first.

use crate::configuration::{applied, configuration};
use crate::progress::plural;
use crate::style::Style;
use crate::summary::{Page, ROWS, badge, exercised, records, stopped, wanted};
use scenarios::fuzz::{FuzzReport, Plan, ScenarioRow, SignatureGroup, Stop};
use scenarios::result::Outcome;
use spec::reach;
use std::collections::BTreeSet;

/// The number of signatures that are shown in detail.
const SIGNATURES: usize = 6;

/// The number of runs from which a step that none of them reached is worth mentioning.
const MANY: u64 = 20;

/// The summary.
pub(super) fn summary(report: &FuzzReport, plan: &Plan, style: Style) -> String {
    let mut page = Page::new(style);
    head(&mut page, report, plan, style);
    for group in report.signatures.iter().take(SIGNATURES) {
        failure(&mut page, group);
    }
    if let Some(more) = report.signatures.len().checked_sub(SIGNATURES).filter(|more| *more > 0) {
        let more = plural(more as u64, "more signature");
        page.paragraph("", &format!("and {more}, in fuzz.json"));
        page.line("");
    }
    match plan.targets.as_slice() {
        [only] => {
            let listed = "the explain.md of a single run";
            let not_default = only.scenario.not_default();
            let by_hand = applied(&plan.overrides, &only.scenario);
            configuration(&mut page, &by_hand, &not_default, listed);
        }
        _ if plan.overrides.is_empty() => {}
        _ => page.paragraph("set", &plan.overrides.join(", ")),
    }
    records_of_all(&mut page, report);
    reached(&mut page, report, plan);
    for bug in &report.bugs {
        let text = format!(
            "{}: made a difference in {}, and in {} of them it was caught",
            bug.id,
            plural(bug.reached, "run"),
            bug.caught
        );
        page.paragraph("bug", &text);
    }
    page.paragraph("runs", &speed(report));
    if !report.out.is_empty() {
        page.paragraph("results", &report.out);
    }
    page.text
}

fn head(page: &mut Page, report: &FuzzReport, plan: &Plan, style: Style) {
    let shard = report.shard.as_ref().map(|shard| format!(", part {shard}")).unwrap_or_default();
    let names: Vec<&str> = report.scenarios.iter().map(|row| row.scenario.as_str()).collect();
    let badge = match report.stopped {
        Stop::Interrupted => stopped(report.outcome, style),
        _ if report.outcome == Outcome::Pass && has_losses(report) => {
            style.doubtful("PASS, with permitted losses")
        }
        _ => badge(report.outcome, style),
    };
    page.line(format!("{badge}  {}, seeds {}{shard}", names.join(", "), report.seeds));
    page.paragraph("", &counts(report));
    if let [only] = plan.targets.as_slice() {
        page.faint(&only.scenario.title);
    }
    page.line("");
}

/// Whether records that an application considered written are lost in some run.
fn has_losses(report: &FuzzReport) -> bool {
    report.affected.lost > 0 || report.affected.unconfirmed_lost > 0
}

fn counts(report: &FuzzReport) -> String {
    let ran = &report.ran;
    let mut parts = vec![match report.stopped {
        _ if ran.ran == report.planned => format!("{} run", ran.ran),
        stopped => format!("{} of {} run{}", ran.ran, report.planned, stopped.why()),
    }];
    parts.push(format!("{} passed", ran.passed));
    for (count, what) in [
        (ran.permitted, "of them with permitted anomalies"),
        (ran.violations, "with a violation"),
        (ran.unknown, "undecided"),
        (ran.vacuous, "vacuous"),
        (ran.panics, "panicked"),
        (ran.nondeterministic, "differed when repeated"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if let Some(affected) = report.affected.in_words() {
        let permitted = if ran.violations == 0 { ", all permitted" } else { "" };
        parts.push(format!("{affected}{permitted}"));
    }
    parts.join(", ")
}

fn failure(page: &mut Page, group: &SignatureGroup) {
    page.paragraph(&format!("{} x", group.count), &group.signature);
    if let Some(affected) = group.affected.in_words() {
        page.paragraph("", &format!("of them {affected}"));
    }
    let (name, seed) = (&group.scenario, group.smallest_seed);
    page.paragraph("", &format!("{name}, smallest seed {seed}: {}", group.summary));
    if let [case, ..] = group.cases.as_slice()
        && !case.drawn.is_empty()
    {
        page.paragraph("", &format!("that seed drew {}", case.drawn.join(", ")));
    }
    if group.count > 1 && !group.drawn.is_empty() {
        page.paragraph("", &format!("all of them drew {}", group.drawn.join(", ")));
    }
    if let Some(elsewhere) = group.elsewhere() {
        page.paragraph("", &elsewhere);
    }
    page.paragraph("", &group.out);
    page.command("", &group.reproduce);
    if let (Some(words), Some(worst)) = (worse(group), group.worse()) {
        page.paragraph("", &words);
        page.paragraph("", &worst.out);
        page.command("", &worst.reproduce);
    }
    page.line("");
}

/// The run of a signature with the worst harm, unless it has the smallest seed.
pub(super) fn worse(group: &SignatureGroup) -> Option<String> {
    let worst = group.worse()?;
    Some(format!("{}, worst seed {}: {}", worst.scenario, worst.seed, worst.summary))
}

/// The records of all runs, by outcome.
fn records_of_all(page: &mut Page, report: &FuzzReport) {
    if let Some(first) = report.losses.first() {
        let several = report.scenarios.len() > 1;
        let seed = |loss: &scenarios::fuzz::Loss| match several {
            true => format!("{} of {} ({})", loss.seed, loss.scenario, loss.lost),
            false => format!("{} ({})", loss.seed, loss.lost),
        };
        let seeds: Vec<String> = report.losses.iter().map(seed).collect();
        let more = match report.affected.lost - report.losses.len() as u64 {
            0 => String::new(),
            more => format!(" and {}", plural(more, "more run")),
        };
        page.paragraph("lost", &format!("in seed {}{more}; the first again:", seeds.join(", ")));
        page.command("", &first.reproduce);
    }
    let hazards = report.hazards.iter().map(|it| {
        let (records, runs) = (plural(it.records, "record"), plural(it.runs, "run"));
        format!(
            "{}: {records} in {runs}, smallest seed {}; {}",
            it.hazard, it.smallest_seed, it.because
        )
    });
    page.items("permitted", &hazards.collect::<Vec<_>>(), ROWS);
    page.paragraph("records", &records(&report.counts, report.unconfirmed_lost, &report.errors));
    if let Some(transactions) = &report.transactions {
        page.paragraph("outcomes", &transactions.in_words());
    }
    if let Some(groups) = &report.groups {
        page.paragraph("groups", &groups.in_words());
    }
    if let Some(sums) = report.sums {
        page.paragraph("sum", &format!("held in {} of {}", sums.held, plural(sums.runs, "run")));
    }
    if let Some(waits) = &report.waits {
        page.paragraph("writes", &waits.in_words(report.scenarios.len() > 1));
    }
    if let Some(read) = &report.longest_read {
        page.paragraph("reads", &read.in_words(report.scenarios.len() > 1));
    }
}

/// The number of runs that exercised each step or effect, and those that no run exercised.
fn reached(page: &mut Page, report: &FuzzReport, plan: &Plan) {
    if !report.drawn.is_empty() {
        let drawn = report.drawn.iter().map(|(name, runs)| format!("{name} {runs}"));
        page.paragraph("drawn", &drawn.collect::<Vec<_>>().join(", "));
    }
    let wanted: BTreeSet<&str> =
        plan.targets.iter().flat_map(|target| wanted(&target.scenario)).collect();
    exercised(page, "in runs", &wanted, &report.exercised, &[]);
    for row in &report.scenarios {
        vacuous(page, row);
        if !row.never_reached.is_empty() {
            let text = format!("{}: in no run: {}", row.scenario, row.never_reached.join(", "));
            page.paragraph("not reached", &text);
        }
    }
    // A scenario with one purpose does not reach most other steps.
    let is_broad =
        plan.targets.len() > 1 || plan.targets.iter().any(|it| it.scenario.swarm.is_some());
    if is_broad && report.ran.ran >= MANY && !report.not_reached.is_empty() {
        never(page, &report.not_reached);
    }
}

/// What no run reached, by kind: steps and effects by name, of errors and rules how many.
fn never(page: &mut Page, names: &[String]) {
    let mut head = "never";
    for (kind, names) in reach::by_kind(names.iter().map(String::as_str)) {
        let text = match (kind, names.len()) {
            (_, 0) => continue,
            ("errors" | "rules", count @ 7..) => {
                format!("{count} {kind}, such as {}; all in fuzz.json", names[..3].join(", "))
            }
            _ => format!("{kind}: {}", names.join(", ")),
        };
        page.paragraph(std::mem::take(&mut head), &text);
    }
}

fn vacuous(page: &mut Page, row: &ScenarioRow) {
    let Some(vacuous) = &row.vacuous_seeds else { return };
    let missing = vacuous.not_exercised.iter().map(|(name, count)| format!("{name} in {count}"));
    let text = format!(
        "{}: {} of {} runs ({:.1} %), smallest seed {}; not reached: {}",
        row.scenario,
        row.ran.vacuous,
        row.ran.ran,
        100.0 * row.ran.vacuous as f64 / row.ran.ran.max(1) as f64,
        vacuous.smallest_seed,
        missing.collect::<Vec<_>>().join(", ")
    );
    page.paragraph("vacuous", &text);
}

fn speed(report: &FuzzReport) -> String {
    let (wall, rate, events) = (report.wall_s, report.runs_per_s, report.ran.events);
    let simulated = simulated(report.ran.simulated_ns);
    // The rate of a few runs means nothing.
    match rate {
        1.0.. if wall >= 1.0 => {
            format!("{wall:.1} s, {rate:.0} runs/s, {events} events in {simulated}")
        }
        _ => format!("{wall:.1} s, {events} events in {simulated}"),
    }
}

/// In a unit in which the value is at least 1.
fn simulated(nanos: u64) -> String {
    let seconds = nanos as f64 / 1e9;
    match seconds {
        ..60.0 => format!("{seconds:.1} simulated seconds"),
        ..3_600.0 => format!("{:.1} simulated minutes", seconds / 60.0),
        _ => format!("{:.1} simulated hours", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_time_has_a_suitable_unit() {
        assert_eq!(simulated(5_840_000_000), "5.8 simulated seconds");
        assert_eq!(simulated(90_000_000_000), "1.5 simulated minutes");
        assert_eq!(simulated(9_000_000_000_000), "2.5 simulated hours");
    }
}
