//! The whole table as one CSV file: a row for each setting.

use super::study::Setting;
use super::summary::{Measure, Row, Summary};
use crate::plot::{Cell, Column, Kind, Table};

const fn column(key: &'static str, title: &'static str, kind: Kind) -> Column {
    Column { key, title, kind }
}

const COLUMNS: &[Column] = &[
    column("commit", "Commit", Kind::Text),
    column("order", "Order", Kind::Text),
    column("isolation", "Isolation", Kind::Text),
    column("idempotence", "Idempotence", Kind::Text),
    column("promised", "Promised", Kind::Text),
    column("kept", "Kept", Kind::Text),
    column("runs", "Decided runs", Kind::Count),
    column("runs_tested", "Tested in", Kind::Count),
    column("inputs", "Inputs", Kind::Count),
    column("results_lacking", "Without result", Kind::Count),
    column("skipped", "Skipped", Kind::Count),
    column("skipped_per_million", "per million", Kind::Number),
    column("skipped_low", "95 % from", Kind::Number),
    column("skipped_high", "to", Kind::Number),
    column("reprocessed", "Processed again", Kind::Count),
    column("results_again", "Result repeated", Kind::Count),
    column("results_again_per_million", "per million", Kind::Number),
    column("results_again_low", "95 % from", Kind::Number),
    column("results_again_high", "to", Kind::Number),
    column("uncommitted", "Aborted inputs processed", Kind::Count),
    column("duplicated", "Stored twice", Kind::Count),
    column("violations", "Broken promises", Kind::Count),
];

/// The table of all settings.
pub(super) fn table(summary: &Summary) -> Table {
    Table { columns: COLUMNS, rows: summary.rows.iter().map(row).collect() }
}

fn row(row: &Row) -> Vec<Cell> {
    let Setting { commit, idempotence, .. } = row.setting;
    let mut cells = vec![
        Cell::text(commit.commit()),
        Cell::text(commit.order()),
        Cell::text(row.setting.isolation()),
        Cell::text(if idempotence { "on" } else { "off" }),
        Cell::text(row.promise.name()),
        Cell::text(if row.is_kept() { "yes" } else { "no" }),
        Cell::count(row.runs_decided()),
        Cell::count(row.runs_tested),
        Cell::count(row.inputs),
        Cell::count(row.results_lacking.count),
    ];
    cells.extend(rated(&row.skipped));
    cells.push(Cell::count(row.reprocessed.count));
    cells.extend(rated(&row.results_again));
    cells.extend([row.uncommitted.count, row.duplicated.count, row.violations].map(Cell::count));
    cells
}

fn rated(it: &Measure) -> [Cell; 4] {
    let [low, high] = Cell::interval(it.per_million.and_then(|rate| rate.estimate()));
    let rate = Cell::number(it.per_million.map(|rate| rate.value));
    [Cell::count(it.count), rate, low, high]
}
