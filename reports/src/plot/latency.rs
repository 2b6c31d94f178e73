//! Produce latency.

use super::axis::Scale;
use super::frame::Caption;
use super::rows::{self, Chart, Dot, Row};
use super::scene::Shape;
use super::table::{Cell, Column, Kind, Table, column};
use super::{Plot, Room, Scene};
use crate::acks::Summary;
use crate::page::text::{duration_us, short};

pub(super) const PLOT: Plot = Plot {
    id: "produce-latency",
    title: "Simulated latency of a write",
    reading: "Time from handing a record to the producer until its acknowledgement, over all \
              acknowledged records; with acks=0 until the record left the producer. The wait for a \
              batch to fill (linger.ms) is included. Network and disks are simulated: compare the \
              rows, do not expect these times of your hardware.",
    table,
    draw,
};

const COLUMNS: &[Column] = &[
    column("setting", "Setting", Kind::Text),
    column("acks", "acks", Kind::Text),
    column("min.insync.replicas", "min ISR", Kind::Count),
    column("records", "Records", Kind::Count),
    column("p50_us", "Median", Kind::Micros),
    column("p99_us", "99 %", Kind::Micros),
    column("p999_us", "99.9 %", Kind::Micros),
    column("max_us", "Longest", Kind::Micros),
];

/// The percentiles that are drawn, and their shapes, which differ from those of settings.
const DRAWN: [(&str, Shape, &str); 3] = [
    ("p50_us", Shape::Tick, "median"),
    ("p99_us", Shape::Cross, "99 % within"),
    ("p999_us", Shape::Tip, "99.9 % within"),
];

fn table(summary: &Summary) -> Table {
    let row = |setting| {
        let mut row = rows::setting_cells(setting);
        let latency = setting.latency;
        let micros = |us: u64| Cell::number((latency.count > 0).then_some(us as f64));
        row.push(Cell::count(latency.count));
        let all = [latency.p50_us, latency.p99_us, latency.p999_us, latency.max_us];
        row.extend(all.map(micros));
        row
    };
    Table { columns: COLUMNS, rows: summary.as_in_kafka().map(row).collect() }
}

fn draw(table: &Table, caption: &Caption, room: Room) -> Scene {
    // A logarithmic axis has no place for 0, so half a microsecond stands for 0.
    let number = |row: &[Cell], key| table.number(row, key).map(|us| us.max(0.5));
    let all = table.rows.iter().flat_map(|row| DRAWN.map(|(key, ..)| number(row, key)));
    let rows = table.rows.iter().map(|row| {
        let (label, sign) = rows::setting_of(table, row);
        let values = DRAWN.map(|(key, shape, _)| (number(row, key), shape));
        let dot = |(value, shape): (Option<f64>, Shape)| {
            value.map(|value| Dot { value, shape: Some(shape) })
        };
        let words = DRAWN.map(|(key, ..)| {
            table.number(row, key).map_or("–".to_owned(), |us| duration_us(us as u64))
        });
        Row {
            label,
            sign,
            span: values[0].0.zip(values[2].0),
            capped: false,
            dots: values.into_iter().filter_map(dot).collect(),
            words: words.join(" · "),
        }
    });
    let chart = Chart {
        title: PLOT.title,
        subtitle: "of acknowledged records, with acks=0 until they left the producer: \
                   median · 99 % · 99.9 %",
        scale: Scale::log(all.flatten(), false),
        mark: |us| if us < 1.0 { "0".to_owned() } else { short(&duration_us(us as u64)) },
        rows: rows.collect(),
        of_time: true,
        legend: &DRAWN.map(|(_, shape, words)| (shape, words)),
    };
    rows::draw(&chart, caption, room)
}
