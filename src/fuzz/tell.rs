//! What a person reads in the end.

use crate::progress::plural;
use crate::style::Style;
use crate::summary::{Page, badge, stopped, wanted};
use scenarios::fuzz::{FuzzReport, Plan, SignatureGroup, Stop};
use spec::reach;
use std::collections::BTreeSet;

/// How many signatures are told at length.
const SIGNATURES: usize = 6;

/// The summary.
pub(super) fn summary(report: &FuzzReport, plan: &Plan, style: Style) -> String {
    let mut page = Page::new(style);
    let shard = report.shard.as_ref().map(|shard| format!(", part {shard}")).unwrap_or_default();
    let names: Vec<&str> = report.scenarios.iter().map(|row| row.scenario.as_str()).collect();
    let badge = match report.stopped {
        Stop::Interrupted => stopped(report.outcome, style),
        _ => badge(report.outcome, style),
    };
    page.line(format!("{badge}  {}, seeds {}{shard}", names.join(", "), report.seeds));
    page.paragraph("", &counts(report));
    page.faint(&speed(report));
    page.line("");
    if !plan.overrides.is_empty() {
        page.paragraph("set", &plan.overrides.join(", "));
        page.line("");
    }
    for group in report.signatures.iter().take(SIGNATURES) {
        failure(&mut page, group);
    }
    if let Some(more) = report.signatures.len().checked_sub(SIGNATURES).filter(|more| *more > 0) {
        let more = plural(more as u64, "more signature");
        page.paragraph("", &format!("and {more}, in fuzz.json"));
        page.line("");
    }
    exercised(&mut page, report, plan);
    for row in &report.scenarios {
        if let Some(vacuous) = &row.vacuous_seeds {
            let missing: Vec<String> = vacuous
                .not_exercised
                .iter()
                .map(|(name, count)| format!("{name} in {count}"))
                .collect();
            let text = format!(
                "{}: {} of {} seeds, the smallest is {}; not reached: {}",
                row.scenario,
                row.ran.vacuous,
                row.ran.ran,
                vacuous.smallest_seed,
                missing.join(", ")
            );
            page.paragraph("vacuous", &text);
        }
        if !row.never_reached.is_empty() {
            let text = format!("{}: in no seed: {}", row.scenario, row.never_reached.join(", "));
            page.paragraph("not reached", &text);
        }
    }
    for bug in &report.bugs {
        let text = format!(
            "{}: made a difference in {}, and in {} of them it was caught",
            bug.id,
            plural(bug.reached, "run"),
            bug.caught
        );
        page.paragraph("bug", &text);
    }
    page.paragraph("results", &report.out);
    page.text
}

fn counts(report: &FuzzReport) -> String {
    let ran = &report.ran;
    let mut parts = match report.ran.ran == report.planned {
        true => vec![format!("{} run", ran.ran)],
        false => vec![format!("{} of {} run{}", ran.ran, report.planned, report.stopped.why())],
    };
    parts.push(format!("{} passed", ran.passed));
    for (count, what) in [
        (ran.permitted, "of them with permitted anomalies"),
        (ran.violations, "with a violation"),
        (ran.unknown, "unknown"),
        (ran.vacuous, "vacuous"),
        (ran.panics, "panicked"),
        (ran.nondeterministic, "not the same again"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

fn speed(report: &FuzzReport) -> String {
    let (wall, rate, events) = (report.wall_s, report.runs_per_s, report.ran.events);
    let simulated = simulated(report.ran.simulated_ns);
    format!("{wall:.1} s, {rate:.0} runs/s, {events} events in {simulated}")
}

/// In a unit that leaves something before the point.
fn simulated(nanos: u64) -> String {
    let seconds = nanos as f64 / 1e9;
    match seconds {
        ..60.0 => format!("{seconds:.1} simulated seconds"),
        ..3_600.0 => format!("{:.1} simulated minutes", seconds / 60.0),
        _ => format!("{:.1} simulated hours", seconds / 3_600.0),
    }
}

fn failure(page: &mut Page, group: &SignatureGroup) {
    page.paragraph(&format!("{} x", group.count), &group.signature);
    let (name, seed) = (&group.scenario, group.smallest_seed);
    page.paragraph("", &format!("{name}, seed {seed}: {}", group.summary));
    if let Some(elsewhere) = group.elsewhere() {
        page.paragraph("", &elsewhere);
    }
    page.paragraph("", &group.out);
    page.command("", &group.reproduce);
    page.line("");
}

/// The protocol's own steps; what happened in the world beneath is in fuzz.json.
fn exercised(page: &mut Page, report: &FuzzReport, plan: &Plan) {
    let wanted: BTreeSet<&str> =
        plan.targets.iter().flat_map(|target| wanted(&target.scenario)).collect();

    let steps = report
        .exercised
        .iter()
        .filter(|(name, _)| {
            wanted.contains(name.as_str()) || reach::REACHES.iter().any(|(known, _)| known == name)
        })
        .map(|(name, runs)| format!("{name} {runs}"));
    page.paragraph("in runs", &steps.collect::<Vec<_>>().join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_time_has_a_unit_that_fits() {
        assert_eq!(simulated(5_840_000_000), "5.8 simulated seconds");
        assert_eq!(simulated(90_000_000_000), "1.5 simulated minutes");
        assert_eq!(simulated(9_000_000_000_000), "2.5 simulated hours");
    }
}
