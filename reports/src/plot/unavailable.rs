//! Time during which partitions accepted no writes.

use super::axis::Scale;
use super::frame::Caption;
use super::rows::{self, Chart, Dot, Row};
use super::table::{Cell, Column, Kind, Table, column};
use super::{Plot, Room, Scene};
use crate::acks::Summary;
use crate::page::text::{percent, short};

pub(super) const PLOT: Plot = Plot {
    id: "unavailable",
    title: "Time without writes",
    reading: "The share of the load time in which a partition accepted no record although producers \
              had records for it, averaged over partitions and runs. The line is the 95 % bootstrap \
              interval over seeds. A setting that keeps records may cost availability when brokers fail.",
    table,
    draw,
};

const COLUMNS: &[Column] = &[
    column("setting", "Setting", Kind::Text),
    column("acks", "acks", Kind::Text),
    column("min.insync.replicas", "min ISR", Kind::Count),
    column("share", "Share of the time", Kind::Share),
    column("low", "95 % from", Kind::Share),
    column("high", "to", Kind::Share),
];

fn table(summary: &Summary) -> Table {
    let row = |setting| {
        let mut row = rows::setting_cells(setting);
        row.extend(Cell::estimate(setting.unavailable_share));
        row
    };
    Table { columns: COLUMNS, rows: summary.as_in_kafka().map(row).collect() }
}

fn draw(table: &Table, caption: &Caption, room: Room) -> Scene {
    let highs = table.rows.iter().filter_map(|row| table.number(row, "high"));
    let rows = table.rows.iter().map(|row| {
        let (label, sign) = rows::setting_of(table, row);
        let value = table.number(row, "share");
        Row {
            label,
            sign,
            span: table.number(row, "low").zip(table.number(row, "high")),
            capped: true,
            dots: value.map(|value| Dot { value, shape: None }).into_iter().collect(),
            words: value.map_or("–".to_owned(), percent),
        }
    });
    let chart = Chart {
        title: PLOT.title,
        subtitle: "share of the load time, with 95 % intervals over seeds",
        scale: Scale::linear(highs.fold(0.0, f64::max)),
        mark: |share| short(&percent(share)),
        rows: rows.collect(),
        of_time: true,
        legend: &[],
    };
    rows::draw(&chart, caption, room)
}
