//! What a person reads in the end.

use crate::progress::plural;
use crate::style::Style;
use crate::summary::badge;
use reports::acks::{SettingSummary, Summary};
use reports::page::text::{duration_us, percent, rounded};
use scenarios::result::Outcome;
use std::fmt::Write;

/// The comparison as a table, and where the page is.
pub(super) fn summary(summary: &Summary, outcome: Outcome, out: &str, style: Style) -> String {
    let study = &summary.study;
    let seeds = study.seeds.text();
    let mut text = format!(
        "{}  {} settings of acks and min.insync.replicas, seeds {seeds} of {} each\n\n",
        badge(outcome, style),
        study.settings.len(),
        study.scenario
    );
    let head = [
        "setting",
        "lost per million",
        "95 % interval",
        "runs with loss",
        "median",
        "99 %",
        "no writes",
    ];
    let rows: Vec<[String; 7]> =
        std::iter::once(head.map(str::to_owned)).chain(summary.settings.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 7] = std::array::from_fn(|column| width(column).unwrap_or(0));
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
    let _ = write!(
        text,
        "\n{}\n\npage     {}\nnumbers  {out}/report.json",
        style.faint("Latencies are simulated: compare them with each other."),
        style.strong(format!("{out}/index.html"))
    );
    text
}

fn row(summary: &SettingSummary) -> [String; 7] {
    let latency = |us| match summary.latency.count {
        0 => "-".to_owned(),
        _ => duration_us(us),
    };
    let rate = summary.lost_per_million;
    [
        summary.setting.label(),
        rate.map_or("-".to_owned(), |rate| rounded(rate.value)),
        rate.map_or("-".to_owned(), |rate| {
            format!("{} to {}", rounded(rate.low), rounded(rate.high))
        }),
        format!("{} of {}", summary.runs_with_loss, summary.runs),
        latency(summary.latency.p50_us),
        latency(summary.latency.p99_us),
        summary.unavailable_share.map_or("-".to_owned(), |share| percent(share.value)),
    ]
}
