//! Charts of a delivery table: what was skipped, and what was repeated, by the way in which a group commits.

use super::Room;
use super::axis::Scale;
use super::frame::{Caption, Sign};
use super::rows::{self, Chart, Dot, Row};
use super::scene::{Scene, Shape};
use super::table::{Cell, Column, Kind, Table, column};
use crate::delivery::{Mode, Row as Numbers, Summary};
use crate::page::palette::Ink;
use crate::page::text::{grouped, rounded, short};

/// A chart of a delivery table.
#[derive(Clone, Copy)]
pub struct DeliveryPlot {
    /// The name of its files, without extension.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// How to read the chart.
    pub reading: &'static str,
    of: fn(&Numbers) -> crate::delivery::Measure,
}

/// All of them, in the order of the page.
pub const DELIVERY: [DeliveryPlot; 2] = [
    DeliveryPlot {
        id: "skipped",
        title: "Inputs that no member processed",
        reading: "Committed inputs that the group has passed and that no member has finished processing, per million, with \
                  read_committed and idempotent producers. The line is the 95 % interval by bootstrap over \
                  seeds; where nothing was skipped there is none, and the table bounds the share of runs.",
        of: |row| row.skipped,
    },
    DeliveryPlot {
        id: "repeated",
        title: "Inputs with a result more than once",
        reading: "Inputs whose result readers of committed records find more than once, per million, \
                  under the same settings. With transactions, inputs are processed again as well, and \
                  their first results are aborted.",
        of: |row| row.results_again,
    },
];

const COLUMNS: &[Column] = &[
    column("mode", "Mode", Kind::Text),
    column("commit", "Commit", Kind::Text),
    column("order", "Order", Kind::Text),
    column("inputs", "Inputs", Kind::Count),
    column("count", "Of those", Kind::Count),
    column("runs", "Decided runs", Kind::Count),
    column("runs_with", "Runs with any", Kind::Count),
    column("per_million", "Per million", Kind::Number),
    column("low", "95 % from", Kind::Number),
    column("high", "to", Kind::Number),
    column("runs_below", "Share of runs, at most (Wilson)", Kind::Share),
];

impl DeliveryPlot {
    /// The numbers of the chart.
    pub fn table(&self, summary: &Summary) -> Table {
        let row = |row: &Numbers| {
            let it = (self.of)(row);
            let mut cells = vec![
                Cell::text(row.setting.commit.name()),
                Cell::text(row.setting.commit.commit()),
                Cell::text(row.setting.commit.order()),
                Cell::count(row.inputs),
                Cell::count(it.count),
                Cell::count(row.runs_decided()),
                Cell::count(it.runs),
                Cell::number(it.per_million.map(|rate| rate.value)),
            ];
            cells.extend(Cell::interval(it.per_million.and_then(|rate| rate.estimate())));
            cells.push(Cell::number(it.share.map(|share| share.high)));
            cells
        };
        Table { columns: COLUMNS, rows: summary.of_modes().map(row).collect() }
    }

    /// Draws the chart from its numbers alone.
    pub fn draw(&self, table: &Table, caption: &Caption, room: Room) -> Scene {
        let of =
            |key: &'static str| table.rows.iter().filter_map(move |row| table.number(row, key));
        let rows = table.rows.iter().map(|row| {
            let value = table.number(row, "per_million");
            let count = |key| grouped(table.number(row, key).unwrap_or(0.0) as u64);
            let text = |key| table.cell(row, key).as_text();
            Row {
                label: format!("{}, {}", text("commit"), text("order")),
                sign: sign(text("mode")),
                span: table.number(row, "low").zip(table.number(row, "high")),
                capped: true,
                dots: value.map(|value| Dot { value, shape: None }).into_iter().collect(),
                words: format!("{} of {}", count("count"), count("inputs")),
            }
        });
        let chart = Chart {
            title: self.title,
            subtitle: "per million inputs, with 95 % intervals; logarithmic, with a place for 0",
            scale: Scale::log(of("per_million").chain(of("low")).chain(of("high")), true),
            mark: |rate| short(&rounded(rate)),
            rows: rows.collect(),
            of_time: false,
            legend: &[],
        };
        rows::draw(&chart, caption, room)
    }
}

/// The sign of a mode: its ink and shape stand for the promise, and it is filled where the application
/// waits for its commits.
fn sign(mode: &str) -> Sign {
    let mode = Mode::ALL.into_iter().find(|it| it.name() == mode).unwrap_or(Mode::Auto);
    let (ink, shape) = match mode {
        Mode::Transaction => (Ink::Third, Shape::Circle),
        Mode::Auto | Mode::SyncAfter | Mode::AsyncAfter => (Ink::Second, Shape::Square),
        _ => (Ink::First, Shape::Triangle),
    };
    let filled =
        !matches!(mode, Mode::Auto | Mode::AsyncBefore | Mode::AsyncDuring | Mode::AsyncAfter);
    Sign { ink, shape, filled }
}
