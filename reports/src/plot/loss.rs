//! Lost records per million, with intervals.

use super::axis::Scale;
use super::frame::Caption;
use super::rows::{self, Chart, Dot, Row};
use super::table::{Cell, Column, Kind, Table, column};
use super::{Plot, Room, Scene};
use crate::acks::Summary;
use crate::page::text::{grouped, rounded, short};
use crate::stat::Rate;

pub(super) const PLOT: Plot = Plot {
    id: "lost-per-million",
    title: "Records lost per million",
    reading: "Counts records that the application considered written: acknowledged ones, or with \
              acks=0 all records sent. The line is the 95 % bootstrap interval over seeds, if \
              enough seeds lost records. The scale has powers of ten, and a separate place for 0.",
    table,
    draw,
};

const COLUMNS: &[Column] = &[
    column("setting", "Setting", Kind::Text),
    column("acks", "acks", Kind::Text),
    column("min.insync.replicas", "min ISR", Kind::Count),
    column("at_stake", "Considered written", Kind::Count),
    column("lost", "Lost", Kind::Count),
    column("lost_per_million", "Per million", Kind::Number),
    column("low", "95 % from", Kind::Number),
    column("high", "to", Kind::Number),
];

fn table(summary: &Summary) -> Table {
    let row = |setting| {
        let mut row = rows::setting_cells(setting);
        row.extend([Cell::count(setting.at_stake), Cell::count(setting.lost)]);
        row.push(Cell::number(setting.lost_per_million.map(|rate| rate.value)));
        row.extend(Cell::interval(setting.lost_per_million.and_then(Rate::estimate)));
        row
    };
    Table { columns: COLUMNS, rows: summary.as_in_kafka().map(row).collect() }
}

fn draw(table: &Table, caption: &Caption, room: Room) -> Scene {
    let of = |key: &'static str| table.rows.iter().filter_map(move |row| table.number(row, key));
    let scale = Scale::log(of("lost_per_million").chain(of("low")).chain(of("high")), true);
    let rows = table.rows.iter().map(|row| {
        let (label, sign) = rows::setting_of(table, row);
        let value = table.number(row, "lost_per_million");
        let lost = table.number(row, "lost").unwrap_or(0.0);
        Row {
            label,
            sign,
            span: table.number(row, "low").zip(table.number(row, "high")),
            capped: lost > 0.0,
            dots: value.map(|value| Dot { value, shape: None }).into_iter().collect(),
            words: match value {
                None => "nothing sent".to_owned(),
                Some(_) if lost == 0.0 => "none lost".to_owned(),
                Some(value) => format!("{} ({} lost)", rounded(value), grouped(lost as u64)),
            },
        }
    });
    let chart = Chart {
        title: PLOT.title,
        subtitle: "of records considered written, with 95 % intervals over seeds; logarithmic, with a \
                   place for 0",
        scale,
        mark: |rate| short(&rounded(rate)),
        rows: rows.collect(),
        of_time: false,
        legend: &[],
    };
    rows::draw(&chart, caption, room)
}
