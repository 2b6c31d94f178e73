//! The share of runs with a lost record.

use super::axis::Scale;
use super::frame::Caption;
use super::rows::{self, Chart, Dot, Row};
use super::table::{Cell, Column, Kind, Table, column};
use super::{Plot, Room, Scene};
use crate::acks::Summary;
use crate::page::text::{grouped, percent, short};

pub(super) const PLOT: Plot = Plot {
    id: "runs-with-loss",
    title: "Runs that lost any record",
    reading: "The share of decided runs that lost at least one record that the application \
              considered written (acknowledged, or sent with acks=0). The line is the 95 % Wilson \
              interval, which bounds the share even where nothing was lost.",
    table,
    draw,
};

const COLUMNS: &[Column] = &[
    column("setting", "Setting", Kind::Text),
    column("acks", "acks", Kind::Text),
    column("min.insync.replicas", "min ISR", Kind::Count),
    column("runs", "Decided runs", Kind::Count),
    column("runs_with_loss", "With loss", Kind::Count),
    column("share", "Share", Kind::Share),
    column("low", "95 % from", Kind::Share),
    column("high", "to", Kind::Share),
];

fn table(summary: &Summary) -> Table {
    let row = |setting| {
        let mut row = rows::setting_cells(setting);
        row.extend([Cell::count(setting.runs_decided()), Cell::count(setting.runs_with_loss)]);
        row.extend(Cell::estimate(setting.share_with_loss));
        row
    };
    Table { columns: COLUMNS, rows: summary.as_in_kafka().map(row).collect() }
}

fn draw(table: &Table, caption: &Caption, room: Room) -> Scene {
    let of = |key: &'static str| table.rows.iter().filter_map(move |row| table.number(row, key));
    let rows = table.rows.iter().map(|row| {
        let (label, sign) = rows::setting_of(table, row);
        let value = table.number(row, "share");
        let count = |key| grouped(table.number(row, key).unwrap_or(0.0) as u64);
        Row {
            label,
            sign,
            span: table.number(row, "low").zip(table.number(row, "high")),
            capped: true,
            dots: value.map(|value| Dot { value, shape: None }).into_iter().collect(),
            words: format!("{} of {}", count("runs_with_loss"), count("runs")),
        }
    });
    let chart = Chart {
        title: PLOT.title,
        subtitle: "share of runs, with 95 % intervals (Wilson); logarithmic, with a place for 0",
        scale: Scale::log(of("share").chain(of("low")).chain(of("high")), true),
        mark: |share| short(&percent(share)),
        rows: rows.collect(),
        of_time: false,
        legend: &[],
    };
    rows::draw(&chart, caption, room)
}
