//! The summary of a report on the terminal.

use crate::progress::plural;
use crate::style::{Style, wrapped};
use crate::summary::{badge, stopped};
use reports::acks::{self, CutShort, SettingSummary, Summary};
use reports::page::text::{duration_us, percent, rounded};
use reports::stat::{FEW_SEEDS, Rate};
use scenarios::result::Outcome;
use std::fmt::Write;

/// The comparison as a table, and the path of the page; `out` is empty if the page could not be
/// written.
pub(super) fn of(summary: &Summary, outcome: Outcome, out: &str, style: Style) -> String {
    let study = &summary.study;
    let seeds = study.seeds.text();
    let head = match study.cut_short {
        Some(_) => stopped(outcome, style),
        None => badge(outcome, style),
    };
    let mut text = format!(
        "{head}  {} settings of acks and min.insync.replicas, seeds {seeds} of {} each\n",
        study.settings.len(),
        study.scenario
    );
    if let Some(CutShort { asked, why }) = study.cut_short {
        let _ = writeln!(text, "{}: seeds {seeds} of {}", why.name(), asked.text());
    }
    for setting in summary.not_tested() {
        let _ = writeln!(text, "{}: {}", setting.setting.label(), acks::not_tested(setting));
    }
    text.push('\n');
    let head = [
        "setting",
        "lost per million",
        "95 % interval",
        "runs with loss",
        "tested in",
        "median",
        "99 %",
        "no writes",
    ];
    let rows: Vec<[String; 8]> =
        std::iter::once(head.map(str::to_owned)).chain(summary.settings.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 8] = std::array::from_fn(|column| width(column).unwrap_or(0));
    for (place, row) in rows.iter().enumerate() {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            let _ = write!(line, "  {cell:>width$}");
        }
        let line = if place == 0 { style.faint(line) } else { line };
        let _ = writeln!(text, "{line}");
    }
    for setting in summary.settings.iter().filter(|setting| setting.violations > 0) {
        let (runs, label) = (setting.runs_with_violation, setting.setting.label());
        let words = format!("a promise was broken in {} with {label}", plural(runs, "run"));
        let _ = writeln!(text, "\n{}", style.bad(words));
        for worst in setting.worst.iter().filter(|worst| !worst.violations.is_empty()) {
            let _ = writeln!(text, "  {}\n  {}", worst.violations[0], worst.reproduce);
        }
    }
    if let Some([on, off]) = summary.idempotence() {
        text.push('\n');
        for line in wrapped(&acks::idempotence(on, off), style.width()) {
            let _ = writeln!(text, "{line}");
        }
    }
    let _ = writeln!(text, "\n{}", style.faint(notes(summary)));
    if !out.is_empty() {
        let page = style.strong(format!("{out}/index.html"));
        let _ = write!(text, "\npage     {page}\nnumbers  {out}/report.json");
    }
    text
}

/// Notes on the numbers.
fn notes(summary: &Summary) -> String {
    let mut notes = "Latencies are simulated: compare them with each other.".to_owned();
    if summary.study.linger_ms > 0 {
        let linger = summary.study.linger_ms;
        let _ = write!(notes, " Up to linger.ms={linger} of each is the wait for a batch to fill.");
    }
    for setting in summary.settings.iter().filter(|it| it.lost == 0) {
        if let Some(share) = setting.share_with_loss {
            let (label, bound) = (setting.setting.label(), percent(share.high));
            notes.push_str(&format!(
                "\nNone lost with {label}: up to {bound} of such runs may lose some (95 %, Wilson)."
            ));
        }
    }
    if summary.study.seeds.count() < FEW_SEEDS {
        notes.push_str(&format!("\nWith fewer than {FEW_SEEDS} seeds intervals mean little."));
    }
    notes
}

fn row(summary: &SettingSummary) -> [String; 8] {
    let latency = |us| match summary.latency.count {
        0 => "-".to_owned(),
        _ => duration_us(us),
    };
    let rate = summary.lost_per_million;
    let mut runs = format!("{} of {}", summary.runs_with_loss, summary.runs_decided());
    if summary.runs_undecided > 0 {
        let _ = write!(runs, " ({} more undecided)", summary.runs_undecided);
    }
    [
        summary.setting.label(),
        rate.map_or("-".to_owned(), |rate| rounded(rate.value)),
        rate.and_then(Rate::estimate).map_or("-".to_owned(), |rate| {
            format!("{} to {}", rounded(rate.low), rounded(rate.high))
        }),
        runs,
        summary.runs_tested.to_string(),
        latency(summary.latency.p50_us),
        latency(summary.latency.p99_us),
        summary.unavailable_share.map_or("-".to_owned(), |share| percent(share.value)),
    ]
}
