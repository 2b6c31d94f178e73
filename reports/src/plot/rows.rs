//! The most common form of a chart: a row for each setting, with a value, its interval and words.

use super::Room;
use super::axis::Scale;
use super::frame::{self, Caption, MARGIN, Sign};
use super::scene::{Anchor, Lettering, Scene, Shape};
use super::table::{Cell, Table};
use crate::acks::SettingSummary;
use crate::page::palette::Ink;

/// A value in a row.
pub(super) struct Dot {
    /// The value.
    pub(super) value: f64,
    /// The shape; `None` for that of the row's sign.
    pub(super) shape: Option<Shape>,
}

/// A row.
pub(super) struct Row {
    /// The setting's name.
    pub(super) label: String,
    /// The setting's sign.
    pub(super) sign: Sign,
    /// The ends of a line, such as an interval.
    pub(super) span: Option<(f64, f64)>,
    /// Whether the line has end marks, as intervals do.
    pub(super) capped: bool,
    /// The values.
    pub(super) dots: Vec<Dot>,
    /// The values in words.
    pub(super) words: String,
}

/// A chart of rows.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: &'a str,
    pub(super) scale: Scale,
    /// How a value is written along the axis.
    pub(super) mark: fn(f64) -> String,
    pub(super) rows: Vec<Row>,
    /// Whether the chart shows simulated time.
    pub(super) of_time: bool,
    /// The meaning of each shape, if the rows have several shapes.
    pub(super) legend: &'a [(Shape, &'a str)],
}

/// The first cells of a row, which name a setting.
pub(super) fn setting_cells(summary: &SettingSummary) -> Vec<Cell> {
    let setting = summary.setting;
    vec![
        Cell::text(setting.label()),
        Cell::text(setting.acks.name()),
        Cell::count(setting.min_isr.into()),
    ]
}

/// The label and sign of the setting of a table row.
pub(super) fn setting_of(table: &Table, row: &[Cell]) -> (String, Sign) {
    let min_isr = table.number(row, "min.insync.replicas").unwrap_or(0.0);
    let sign = frame::sign(table.cell(row, "acks").as_text(), min_isr);
    (table.cell(row, "setting").as_text().to_owned(), sign)
}

/// The positions of the parts of a chart.
struct Layout {
    left: i32,
    right: i32,
    row_height: i32,
    /// The distance from the top of a row to the line of its values.
    line: i32,
}

impl Layout {
    fn of(room: Room, rows: &[Row]) -> Self {
        let longest = |text: fn(&Row) -> &str, lettering: Lettering| {
            rows.iter().map(|row| lettering.width(text(row))).max().unwrap_or(0)
        };
        match room {
            Room::Wide => Self {
                left: MARGIN + 30 + longest(|row| &row.label, Lettering::LABEL),
                right: room.width() - MARGIN - 18 - longest(|row| &row.words, Lettering::VALUE),
                row_height: 34,
                line: 17,
            },
            Room::Narrow => {
                Self { left: MARGIN + 8, right: room.width() - 22, row_height: 52, line: 38 }
            }
        }
    }

    fn x(&self, scale: &Scale, value: f64) -> i32 {
        self.left + (f64::from(self.right - self.left) * scale.place(value)).round() as i32
    }
}

/// Draws a chart of rows.
pub(super) fn draw(chart: &Chart<'_>, caption: &Caption, room: Room) -> Scene {
    let (mut scene, mut y) = frame::begin(room, chart.title, chart.subtitle);
    if !chart.legend.is_empty() {
        y = legend(&mut scene, chart.legend, y);
    }
    let layout = Layout::of(room, &chart.rows);
    let bottom = y + layout.row_height * chart.rows.len() as i32;
    axis(&mut scene, chart, &layout, (y, bottom));
    for (place, row) in chart.rows.iter().enumerate() {
        draw_row(&mut scene, chart, row, &layout, y + layout.row_height * place as i32, room);
    }
    frame::end(scene, bottom + 24, caption, chart.of_time)
}

fn legend(scene: &mut Scene, entries: &[(Shape, &str)], y: i32) -> i32 {
    let mut x = MARGIN;
    for (shape, words) in entries {
        scene.mark((x + 6, y + 8), 5, *shape, true, Ink::Muted);
        scene.text((x + 17, y + 8), *words, Anchor::Start, Lettering::NOTE);
        x += 17 + Lettering::NOTE.width(words) + 16;
    }
    y + 24
}

fn axis(scene: &mut Scene, chart: &Chart<'_>, layout: &Layout, (top, bottom): (i32, i32)) {
    for value in chart.scale.marks() {
        let x = layout.x(&chart.scale, value);
        scene.line((x, top), (x, bottom), 1, Ink::Rule);
        scene.text((x, bottom + 12), (chart.mark)(value), Anchor::Middle, Lettering::NOTE);
    }
    let Some(gap) = chart.scale.gap() else {
        scene.line((layout.left, bottom), (layout.right, bottom), 1, Ink::Axis);
        return;
    };
    // Left of the break there is no power of ten, only 0.
    let middle = layout.left + (f64::from(layout.right - layout.left) * gap).round() as i32;
    scene.line((layout.left, bottom), (middle - 3, bottom), 1, Ink::Axis);
    scene.line((middle + 3, bottom), (layout.right, bottom), 1, Ink::Axis);
    for x in [middle - 3, middle + 3] {
        scene.line((x - 2, bottom + 5), (x + 2, bottom - 5), 1, Ink::Axis);
    }
}

fn draw_row(
    scene: &mut Scene,
    chart: &Chart<'_>,
    row: &Row,
    layout: &Layout,
    top: i32,
    room: Room,
) {
    let y = top + layout.line;
    // The words are beside the line if there is room, otherwise above it.
    let words = if room == Room::Wide { y } else { top + 16 };
    frame::labelled(scene, (MARGIN, words), row.sign, &row.label);
    let right = scene.width - MARGIN;
    scene.text((right, words), row.words.clone(), Anchor::End, Lettering::VALUE);
    if let Some((low, high)) = row.span {
        let (low, high) = (layout.x(&chart.scale, low), layout.x(&chart.scale, high));
        scene.line((low, y), (high, y), 2, row.sign.ink);
        if row.capped {
            for x in [low, high] {
                scene.line((x, y - 5), (x, y + 5), 2, row.sign.ink);
            }
        }
    }
    for dot in &row.dots {
        let at = (layout.x(&chart.scale, dot.value), y);
        // Only the sign may be hollow, which means min ISR 1; other shapes are always filled.
        let filled = row.sign.filled || dot.shape.is_some();
        scene.mark(at, 6, dot.shape.unwrap_or(row.sign.shape), filled, row.sign.ink);
    }
}
