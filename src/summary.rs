//! The summary of a run: about a screenful, the verdict first.

use crate::configuration::{applied, configuration, environment};
use crate::progress::{plural, times};
use crate::report;
use crate::scenario::Told;
use crate::style::{Style, wrapped};
use judge::outcome::{Counts, Permitted, Violation};
use scenarios::escape::{lines, shell};
use scenarios::plan::{Fate, PlannedFault};
use scenarios::result::{
    Errors, Outcome, RunRecord, Verdict, fate, moment, span_in_words, what, where_in_run,
};
use spec::{Scenario, reach};
use std::collections::{BTreeMap, BTreeSet};

/// The column at which text begins, after the heads of paragraphs.
pub(crate) const INDENT: usize = 12;

/// The number of lines of one part before the rest is only counted.
const EXPLANATION: usize = 18;
const FAULTS: usize = 7;
pub(crate) const ROWS: usize = 4;

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
        let mut head = self.head(head);
        for line in wrapped(&lines(text), self.style.width() - INDENT) {
            self.line(format!("{head}{line}"));
            head = " ".repeat(INDENT);
        }
    }

    /// A less important text without a head.
    pub(crate) fn faint(&mut self, text: &str) {
        for line in wrapped(&lines(text), self.style.width() - INDENT) {
            self.line(format!("{:INDENT$}{}", "", self.style.faint(line)));
        }
    }

    /// A command to paste, in one line of any length.
    pub(crate) fn command(&mut self, head: &str, command: &str) {
        let head = self.head(head);
        self.line(format!("{head}{}", lines(&pasteable(command))));
    }

    fn head(&self, head: &str) -> String {
        let padded = format!("{head:<INDENT$}");
        if head.is_empty() { padded } else { self.style.strong(padded) }
    }

    /// At most `most` items, each beginning on a line of its own.
    pub(crate) fn items(&mut self, head: &str, items: &[String], most: usize) {
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
    let Told { verdict, record, .. } = told;
    let mut page = Page::new(style);
    head(&mut page, verdict, &record.scenario);
    if let Some(first) = verdict.violations.first() {
        violation(&mut page, first, verdict);
    }
    if let Some(panic) = &verdict.panic {
        page.paragraph("failed", &where_in_run(panic));
        page.items("", &verdict.unknown[1..], ROWS);
        page.line("");
    }
    if !record.drawn.is_empty() {
        page.paragraph("drawn", &record.drawn.join(", "));
    }
    let by_hand = applied(&record.overrides, &record.scenario);
    configuration(&mut page, &by_hand, &record.not_default, "explain.md");
    let elsewhere = environment(&record.scenario);
    if !elsewhere.is_empty() {
        page.paragraph("", &elsewhere.join(", "));
    }
    permitted(&mut page, &verdict.permitted);
    if verdict.outcome == Outcome::Unknown {
        page.items("undecided", &verdict.unknown, ROWS);
    }
    if verdict.outcome != Outcome::Panic {
        let text = records(&verdict.counts, verdict.unconfirmed_lost(), &verdict.errors);
        page.paragraph("records", &text);
        if let Some(transactions) = &verdict.transactions {
            page.paragraph("outcomes", &transactions.in_words());
        }
        for (group, counts) in &verdict.groups {
            page.paragraph("group", &format!("{group}: {}", counts.in_words()));
        }
        if let Some(sum) = &verdict.sum {
            page.paragraph("sum", &sum.in_words());
        }
        if let Some(writes) = &verdict.writes {
            page.paragraph("writes", &writes.in_words());
        }
        if let Some(reads) = &verdict.reads {
            page.paragraph("reads", &reads.in_words());
        }
    }
    let notices = verdict.notices.iter().map(|it| format!("{}: {}", it.node, it.what));
    page.items("clients", &notices.collect::<Vec<_>>(), ROWS);
    faults(&mut page, record);
    if verdict.outcome != Outcome::Panic {
        let wanted = wanted(&record.scenario);
        exercised(&mut page, "exercised", &wanted, &verdict.exercised, &verdict.not_exercised);
    }
    for bug in &verdict.bugs {
        let times = times(bug.reached);
        page.paragraph("bug", &format!("{}: its rule made a difference {times}", bug.id));
    }
    if verdict.events > 0 {
        let simulated = moment(verdict.simulated_ns);
        let digest = &verdict.digest;
        let text =
            format!("{} events in {simulated} of simulated time, digest {digest}", verdict.events);
        page.paragraph("run", &text);
    }
    if !verdict.out.is_empty() {
        page.paragraph("results", &verdict.out);
    }
    if let Some(of_run) = report::run::beside(&verdict.out) {
        page.paragraph("page", &of_run.display().to_string());
    }
    page.command("again", &record.command());
    page.text
}

fn head(page: &mut Page, verdict: &Verdict, scenario: &Scenario) {
    let style = page.style;
    let badge = match verdict.outcome == Outcome::Pass && verdict.has_losses() {
        true => style.doubtful("PASS, with permitted losses"),
        false => badge(verdict.outcome, style),
    };
    let bugs = verdict.bugs.iter().map(|bug| match bug.reached {
        0 => format!(", with --bug {}, which made no difference", bug.id),
        _ => format!(", with --bug {}", bug.id),
    });
    let bugs: String = bugs.collect();
    page.line(format!("{badge}  {}, seed {}{bugs}", verdict.scenario, verdict.seed));
    for line in wrapped(&lines(&verdict.headline()), style.width() - INDENT) {
        page.line(format!("{:INDENT$}{line}", ""));
    }
    page.faint(&scenario.title);
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

/// The worst violation, and where the others are described.
fn violation(page: &mut Page, violation: &Violation, verdict: &Verdict) {
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
    if let Some(more) = verdict.violations.len().checked_sub(1).filter(|more| *more > 0) {
        let more = plural(more as u64, "more violation");
        page.paragraph("", &format!("and {more}, in explain.md"));
    }
    if let Some(cause) = verdict.cause() {
        let mut text = cause.signature.clone();
        if cause.check != violation.check {
            text.push_str(&format!(" (noticed first, at {})", moment(cause.at_ns)));
        }
        page.paragraph("signature", &text);
    }
    page.line("");
}

/// Permitted anomalies by hazard, with their partitions.
fn permitted(page: &mut Page, permitted: &[Permitted]) {
    let mut hazards: BTreeMap<&str, (u64, u64, BTreeSet<&str>, &str)> = BTreeMap::new();
    // The reason that permits the most records is shown.
    let mut ordered: Vec<&Permitted> = permitted.iter().collect();
    ordered.sort_by_key(|it| std::cmp::Reverse(it.count));
    for it in ordered {
        let entry = hazards.entry(&it.hazard).or_insert((0, 0, BTreeSet::new(), &it.because));
        entry.0 += it.count;
        entry.1 += it.callbacks;
        entry.2.insert(&it.partition);
    }
    let items: Vec<String> = hazards
        .into_iter()
        .map(|(hazard, (count, callbacks, partitions, because))| {
            let times = times(count);
            let only = match callbacks {
                0 => String::new(),
                all if all == count => " (in the order of callbacks only)".to_owned(),
                some => format!(" ({some} of them in the order of callbacks only)"),
            };
            let named: Vec<&str> = partitions.into_iter().filter(|it| !it.is_empty()).collect();
            let place = match named.join(", ") {
                empty if empty.is_empty() => empty,
                named => format!(" in {named}"),
            };
            format!("{hazard}: {times}{only}{place}, because {because}")
        })
        .collect();
    page.items("permitted", &items, ROWS);
    // How the largest loss came about, as for a violation.
    let lost = permitted.iter().filter(|it| !it.explanation.is_empty());
    if let Some(first) = lost.max_by_key(|it| it.count) {
        page.items("because", &first.explanation, EXPLANATION);
    }
}

/// The counts in words, with the errors of failed records; `unconfirmed_lost` records sent with
/// acks=0 are lost, which `counts.lost` does not include.
pub(crate) fn records(counts: &Counts, unconfirmed_lost: u64, errors: &Errors) -> String {
    let rows = counts.rows();
    let always = ["sent", "acked", "read", "lost"];
    let shown = rows.iter().filter(|(name, count)| *count > 0 || always.contains(name));
    let in_words = |(name, count): &(&str, u64)| match *name {
        "failed" => format!("{count} failed{}", behind(&errors.failed, *count, "")),
        "unknown" => {
            let killed = "open when the client was killed";
            format!("{count} unknown{}", behind(&errors.unknown, *count, killed))
        }
        name => format!("{count} {name}"),
    };
    let text = shown.map(in_words).collect::<Vec<_>>().join(", ");
    match unconfirmed_lost {
        0 => text,
        lost => format!("{text} of the acked, {lost} lost of the unconfirmed"),
    }
}

/// The errors behind a count, by Kafka's names; `rest` describes the others.
fn behind(errors: &BTreeMap<String, u64>, count: u64, rest: &str) -> String {
    let mut parts: Vec<String> =
        errors.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let others = count.saturating_sub(errors.values().sum());
    if others > 0 && !rest.is_empty() {
        parts.push(format!("{rest} {others}"));
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// The faults. Faults that differ only in their moments are one item.
fn faults(page: &mut Page, record: &RunRecord) {
    let mut items: Vec<(Vec<String>, String)> = Vec::new();
    for planned in &record.faults {
        let (at, text) = fault_in_words(planned);
        match items.iter_mut().find(|(moments, other)| !moments.is_empty() && *other == text) {
            Some((moments, _)) if at.is_some() => moments.extend(at),
            _ => items.push((at.into_iter().collect(), text)),
        }
    }
    let in_words = |(moments, text): (Vec<String>, String)| match moments.as_slice() {
        [] => text,
        [first, second, .., last] if moments.len() > 4 => {
            let count = moments.len();
            format!("{first}, {second} and so on to {last} ({count} times): {text}")
        }
        all => format!("{}: {text}", all.join(", ")),
    };
    let items: Vec<String> = items.into_iter().map(in_words).collect();
    page.items("faults", &items, FAULTS);
}

/// The moment of a fault, if it was injected, and its description and effect.
fn fault_in_words(planned: &PlannedFault) -> (Option<String>, String) {
    let Fate::Fired { at_ns, injected, without_effect, suppressed } = &planned.fate else {
        return (None, format!("{}: {}", what(&planned.fault), fate(&planned.fate)));
    };
    let left_out = match suppressed.as_slice() {
        [] => String::new(),
        left_out => format!(" (left out: {})", left_out.join("; ")),
    };
    let idle = match without_effect.as_slice() {
        [] => String::new(),
        idle => format!(" (without effect: {})", idle.join("; ")),
    };
    let lasts = planned.fault.lasts.map(|lasts| format!(" for {}", span_in_words(lasts.0)));
    let story = planned.fault.name.as_ref().map(|name| format!(" ({name})"));
    let (lasts, story) = (lasts.unwrap_or_default(), story.unwrap_or_default());
    let (what, injected) = (what(&planned.fault), injected.join("; "));
    (Some(moment(*at_ns)), format!("{what}{lasts}{story}: {injected}{left_out}{idle}"))
}

/// The steps that a scenario wants to reach, by name.
pub(crate) fn wanted(scenario: &Scenario) -> BTreeSet<&str> {
    scenario.must_reach.iter().flat_map(|must| must.names()).collect()
}

/// Steps of the protocol, each with a count. Effects in the simulator are in explain.md, unless
/// they are `wanted`.
pub(crate) fn exercised(
    page: &mut Page,
    head: &str,
    wanted: &BTreeSet<&str>,
    exercised: &BTreeMap<String, u64>,
    missing: &[String],
) {
    let is_step = |name: &str| wanted.contains(name) || reach::is_step(name);
    let steps = exercised.iter().filter(|(name, _)| is_step(name));
    // In one run, errors and rules are not counted, but only marked as reached.
    let in_words = |(name, count): (&String, &u64)| match *count == 1 && reach::is_marked(name) {
        true => name.clone(),
        false => format!("{name} {count}"),
    };
    let steps: Vec<String> = steps.map(in_words).collect();
    page.paragraph(head, &steps.join(", "));
    if !missing.is_empty() {
        page.paragraph("not reached", &missing.join(", "));
    }
}

/// The command in a form that can be pasted in the directory where this program was started.
pub(crate) fn pasteable(command: &str) -> String {
    let arguments = command.strip_prefix("faultline ").unwrap_or(command);
    if std::env::var_os("CARGO").is_some() {
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        return format!("cargo run{release} -- {arguments}");
    }
    let program = std::env::args().next().unwrap_or_else(|| "faultline".to_owned());
    format!("{} {arguments}", shell(&program))
}

/// The head of an interrupted run: without findings so far, it is not a verdict.
pub(crate) fn stopped(outcome: Outcome, style: Style) -> String {
    match outcome {
        Outcome::Pass | Outcome::Vacuous => {
            style.doubtful(format!("{:<1$}", "STOPPED", INDENT - 2))
        }
        outcome => badge(outcome, style),
    }
}
