//! What a person reads: about a screenful, the verdict first.

use crate::scenario::Told;
use crate::style::{Style, WIDTH, wrapped};
use scenarios::plan::Fate;
use scenarios::result::{
    Counts, Outcome, Permitted, RunRecord, SeedsReport, Verdict, Violation, fate, moment, what,
};
use scenarios::spec::{NotDefault, Scenario, reach};
use std::collections::{BTreeMap, BTreeSet};

/// The column at which text begins, behind the heads of paragraphs.
pub(crate) const INDENT: usize = 12;

/// How many lines one part may take before the rest is only counted.
const EXPLANATION: usize = 12;
const FAULTS: usize = 7;
const ROWS: usize = 4;

/// A page that is being written.
pub(crate) struct Page {
    style: Style,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref().trim_end());
        self.text.push('\n');
    }

    /// A paragraph with its head in the margin.
    pub(crate) fn paragraph(&mut self, head: &str, text: &str) {
        let mut head = self.style.strong(format!("{head:<INDENT$}"));
        for line in wrapped(text, WIDTH - INDENT) {
            self.line(format!("{head}{line}"));
            head = " ".repeat(INDENT);
        }
    }

    /// Items, each from a line of its own, at most so many.
    fn items(&mut self, head: &str, items: &[String], most: usize) {
        for (i, item) in items.iter().take(most).enumerate() {
            self.paragraph(if i == 0 { head } else { "" }, item);
        }
        if items.len() > most {
            self.paragraph("", &format!("and {} more", items.len() - most));
        }
    }
}

/// The summary of one run.
pub(crate) fn of_run(told: &Told, style: Style) -> String {
    let Told { verdict, record } = told;
    let mut page = Page::new(style);
    head(&mut page, verdict, &record.scenario);
    if let Some(first) = verdict.violations.first() {
        violation(&mut page, first, verdict.violations.len());
    }
    permitted(&mut page, &verdict.permitted);
    if verdict.outcome == Outcome::Unknown {
        page.items("cannot tell", &verdict.unknown, ROWS);
    }
    if verdict.outcome != Outcome::Panic {
        page.paragraph("records", &records(&verdict.counts));
        faults(&mut page, record);
        exercised(&mut page, "exercised", &verdict.exercised, &verdict.not_exercised);
    }
    for bug in &verdict.bugs {
        let text = format!("{}: its rule made a difference {} times", bug.id, bug.reached);
        page.paragraph("bug", &text);
    }
    configuration(&mut page, &record.not_default);
    if verdict.outcome != Outcome::Panic {
        let simulated = moment(verdict.simulated_ns);
        let digest = &verdict.digest;
        let text =
            format!("{} events in {simulated} of simulated time, digest {digest}", verdict.events);
        page.paragraph("run", &text);
    }
    if !verdict.out.is_empty() {
        page.paragraph("results", &verdict.out);
    }
    let again = pasteable(&record.command());
    page.line(format!("{}{again}", style.strong(format!("{:<INDENT$}", "again"))));
    page.text
}

fn head(page: &mut Page, verdict: &Verdict, scenario: &Scenario) {
    let style = page.style;
    let badge = badge(verdict.outcome, style);
    page.line(format!("{badge}  {}, seed {}", verdict.scenario, verdict.seed));
    for line in wrapped(&verdict.headline(), WIDTH - INDENT) {
        page.line(format!("{:INDENT$}{line}", ""));
    }
    page.line(format!("{:INDENT$}{}", "", style.faint(&scenario.title)));
    page.line("");
}

pub(crate) fn badge(outcome: Outcome, style: Style) -> String {
    let width = INDENT - 2;
    match outcome {
        Outcome::Pass => style.good(format!("{:<width$}", "PASS")),
        Outcome::Violation => style.bad(format!("{:<width$}", "VIOLATION")),
        Outcome::Unknown => style.doubtful(format!("{:<width$}", "UNKNOWN")),
        Outcome::Vacuous => style.doubtful(format!("{:<width$}", "VACUOUS")),
        Outcome::Panic => style.bad(format!("{:<width$}", "PANIC")),
        Outcome::Nondeterministic => style.bad(format!("{:<width$}", "DIFFERS")),
    }
}

fn violation(page: &mut Page, violation: &Violation, count: usize) {
    let at = moment(violation.at_ns);
    let mut place = format!("{} at {at}", violation.check);
    if !violation.partition.is_empty() {
        place.push_str(&format!(" in {}", violation.partition));
    }
    if let Some(offset) = violation.offset {
        place.push_str(&format!(" at offset {offset}"));
    }
    page.paragraph("found by", &place);
    page.items("because", &violation.explanation, EXPLANATION);
    if count > 1 {
        page.paragraph("", &format!("and {} more violations, in explain.md", count - 1));
    }
    page.line("");
}

/// By hazard, with the partitions that it struck.
fn permitted(page: &mut Page, permitted: &[Permitted]) {
    let mut hazards: BTreeMap<&str, (u64, BTreeSet<&str>, &str)> = BTreeMap::new();
    for it in permitted {
        let entry = hazards.entry(&it.hazard).or_insert((0, BTreeSet::new(), &it.because));
        entry.0 += it.count;
        entry.1.insert(&it.partition);
    }
    let items: Vec<String> = hazards
        .into_iter()
        .map(|(hazard, (count, partitions, because))| {
            let times = if count == 1 { "once" } else { &format!("{count} times") };
            let partitions: Vec<&str> = partitions.into_iter().collect();
            format!("{hazard}: {times} in {}, because {because}", partitions.join(", "))
        })
        .collect();
    page.items("permitted", &items, ROWS);
}

fn records(counts: &Counts) -> String {
    let rows = counts.rows();
    let always = ["sent", "acked", "read", "lost"];
    let shown = rows.iter().filter(|(name, count)| *count > 0 || always.contains(name));
    shown.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

fn faults(page: &mut Page, record: &RunRecord) {
    let items: Vec<String> = record
        .faults
        .iter()
        .map(|planned| match &planned.fate {
            Fate::Fired { at_ns, injected, .. } => {
                let (at, what) = (moment(*at_ns), what(&planned.fault));
                let lasts =
                    planned.fault.lasts.map(|lasts| format!(" for {}", moment(lasts.nanos())));
                format!("{at}: {what}{}: {}", lasts.unwrap_or_default(), injected.join("; "))
            }
            other => format!("{}: {}", what(&planned.fault), fate(other)),
        })
        .collect();
    page.items("faults", &items, FAULTS);
}

/// Steps of the protocol, and what happened to nodes and messages, each with a count.
fn exercised(page: &mut Page, head: &str, exercised: &BTreeMap<String, u64>, missing: &[String]) {
    let is_step = |name: &str| reach::REACHES.iter().any(|(known, _)| *known == name);
    let list = |wanted: &dyn Fn(&str) -> bool| {
        let shown = exercised.iter().filter(|(name, _)| wanted(name));
        shown.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    page.paragraph(head, &list(&is_step));
    page.paragraph("world", &list(&|name| !is_step(name)));
    if !missing.is_empty() {
        page.paragraph("not reached", &missing.join(", "));
    }
}

fn configuration(page: &mut Page, not_default: &[NotDefault]) {
    let mut by_owner: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for it in not_default {
        by_owner.entry(&it.of).or_default().push(format!("{}={}", it.property, it.value));
    }
    let mut text = String::new();
    for (of, values) in by_owner {
        text.push_str(&format!("{of}: {}; ", values.join(", ")));
    }
    match text.trim_end_matches("; ") {
        "" => page.paragraph("config", "Kafka's defaults"),
        text => page.paragraph("config", text),
    }
}

/// The command as it can be pasted where this program was started from.
pub(crate) fn pasteable(command: &str) -> String {
    let arguments = command.strip_prefix("faultline ").unwrap_or(command);
    if std::env::var_os("CARGO").is_some() {
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        return format!("cargo run{release} -- {arguments}");
    }
    let program = std::env::args().next().unwrap_or_else(|| "faultline".to_owned());
    format!("{} {arguments}", scenarios::result::quoted(&program))
}

/// The summary of many seeds.
pub(crate) fn of_seeds(report: &SeedsReport, scenario: &Scenario, style: Style) -> String {
    let mut page = Page::new(style);
    let badge = badge(report.outcome, style);
    page.line(format!("{badge}  {}, seeds {}", report.scenario, report.seeds));
    page.line(format!("{:INDENT$}{}", "", tally(report)));
    page.line(format!("{:INDENT$}{}", "", style.faint(&scenario.title)));
    page.line("");
    let failures: Vec<String> = report
        .failures
        .iter()
        .map(|it| format!("seed {}: {}: {}", it.seed, it.outcome.name(), it.summary))
        .collect();
    page.items("failures", &failures, 10);
    let hazards: Vec<String> = report
        .hazards
        .iter()
        .map(|it| {
            format!(
                "{}: {} records in {} seeds; in seed {} because {}",
                it.hazard, it.records, it.seeds, it.smallest_seed, it.because
            )
        })
        .collect();
    page.items("permitted", &hazards, ROWS);
    page.paragraph("records", &records(&report.counts));
    exercised(&mut page, "in seeds", &report.exercised, &report.not_exercised);
    for bug in &report.bugs {
        let text = format!("{}: its rule made a difference in {} seeds", bug.id, bug.reached);
        page.paragraph("bug", &text);
    }
    configuration(&mut page, &scenario.not_default());
    let text =
        format!("{} events in {} of simulated time", report.events, moment(report.simulated_ns));
    page.paragraph("runs", &text);
    if !report.out.is_empty() {
        page.paragraph("results", &report.out);
    }
    let again = match report.failures.first() {
        Some(first) => pasteable(&first.reproduce),
        None => pasteable(&report.reproduce),
    };
    page.line(format!("{}{again}", style.strong(format!("{:<INDENT$}", "again"))));
    page.text
}

fn tally(report: &SeedsReport) -> String {
    let mut parts = vec![format!("{} run", report.ran), format!("{} passed", report.passed)];
    for (count, what) in [
        (report.permitted, "of them with permitted anomalies"),
        (report.violations, "with a violation"),
        (report.unknown, "unknown"),
        (report.vacuous, "vacuous"),
        (report.panics, "panicked"),
        (report.with_loss, "lost acknowledged records"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}
