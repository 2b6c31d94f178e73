//! Losses by the faults of their runs: a number for each family and setting, with a bar below it.

use super::frame::{self, Caption, MARGIN};
use super::scene::{Anchor, Lettering, Point};
use super::table::{Cell, Column, Kind, Table, column};
use super::{Plot, Room, Scene, rows};
use crate::acks::Summary;
use crate::page::palette::Ink;
use crate::page::text::{grouped, plural, rounded};
use crate::stat::Rate;

pub(super) const PLOT: Plot = Plot {
    id: "lost-by-fault",
    title: "Records lost per million, by fault",
    reading: "Each number counts the runs in which a fault of that kind took effect. A run has \
              several faults, so the same loss counts in several rows: a high number hints at a \
              cause but does not prove it. The bars grow with the numbers. A row of fewer than 30 \
              runs is lighter and marked as few: a single bad run can dominate its numbers. If too \
              few runs lost records there is no interval.",
    table,
    draw,
};

/// A row with fewer runs is lighter and marked as few.
const FEW_RUNS: f64 = 30.0;

const COLUMNS: &[Column] = &[
    column("family", "Fault", Kind::Text),
    column("setting", "Setting", Kind::Text),
    column("acks", "acks", Kind::Text),
    column("min.insync.replicas", "min ISR", Kind::Count),
    column("runs", "Runs", Kind::Count),
    column("runs_with_loss", "With loss", Kind::Count),
    column("at_stake", "Considered written", Kind::Count),
    column("lost", "Lost", Kind::Count),
    column("lost_per_million", "Per million", Kind::Number),
    column("low", "95 % from", Kind::Number),
    column("high", "to", Kind::Number),
];

fn table(summary: &Summary) -> Table {
    let families = summary.settings.first().map_or(&[][..], |first| &first.families);
    let mut all = Vec::new();
    for (place, family) in families.iter().enumerate() {
        for setting in summary.as_in_kafka() {
            let found = &setting.families[place];
            let mut row = vec![Cell::text(family.family.as_str())];
            row.extend(rows::setting_cells(setting));
            row.extend(
                [found.runs, found.runs_with_loss, found.at_stake, found.lost].map(Cell::count),
            );
            row.push(Cell::number(found.lost_per_million.map(|rate| rate.value)));
            row.extend(Cell::interval(found.lost_per_million.and_then(Rate::estimate)));
            all.push(row);
        }
    }
    Table { columns: COLUMNS, rows: all }
}

/// The positions of columns and rows.
struct Grid {
    left: i32,
    column: i32,
    row: i32,
    /// The distance from the top of a row to its numbers.
    line: i32,
}

fn draw(table: &Table, caption: &Caption, room: Room) -> Scene {
    let subtitle = "in runs in which such a fault took effect (their number is beside the name); a run \
                    has several faults, so rows overlap; lighter where runs are few";
    let (mut scene, mut y) = frame::begin(room, PLOT.title, subtitle);
    let mut families: Vec<&str> = Vec::new();
    let mut settings: Vec<(&str, f64)> = Vec::new();
    for row in &table.rows {
        let family = table.cell(row, "family").as_text();
        let acks = table.cell(row, "acks").as_text();
        let setting = (acks, table.number(row, "min.insync.replicas").unwrap_or(0.0));
        if !families.contains(&family) {
            families.push(family);
        }
        if !settings.contains(&setting) {
            settings.push(setting);
        }
    }
    if families.is_empty() {
        scene.text((MARGIN, y + 10), "No fault took effect.", Anchor::Start, Lettering::LABEL);
        return frame::end(scene, y + 24, caption, false);
    }
    let grid = match room {
        Room::Wide => {
            let width = |name: &&str| {
                let runs = Runs::of(table, name).words();
                Lettering::LABEL.width(name).max(Lettering::NOTE.width(&runs))
            };
            let left = MARGIN + families.iter().map(width).max().unwrap_or(0) + 16;
            let column = (scene.width - MARGIN - left) / settings.len() as i32;
            Grid { left, column, row: 38, line: 19 }
        }
        Room::Narrow => {
            let column = (scene.width - 2 * MARGIN) / settings.len() as i32;
            Grid { left: MARGIN, column, row: 50, line: 34 }
        }
    };
    y = heads(&mut scene, &grid, &settings, y);
    let largest = table.rows.iter().filter_map(|row| table.number(row, "lost_per_million"));
    let largest = largest.fold(0.0, f64::max);
    for family in families {
        let runs = Runs::of(table, family);
        scene.line((MARGIN, y), (scene.width - MARGIN, y), 1, Ink::Rule);
        let (name, count) = match room {
            Room::Wide => (y + 12, (MARGIN, y + 26, Anchor::Start)),
            Room::Narrow => (y + 13, (scene.width - MARGIN, y + 13, Anchor::End)),
        };
        scene.text((MARGIN, name), family, Anchor::Start, Lettering::LABEL);
        scene.text((count.0, count.1), runs.words(), count.2, Lettering::NOTE);
        let size = if room == Room::Narrow { 11 } else { 13 };
        for (place, row) in of_family(table, family).enumerate() {
            let left = grid.left + grid.column * place as i32;
            let value = table.number(row, "lost_per_million");
            draw_value(&mut scene, &grid, (left, y), value, largest, (size, runs.are_few()));
        }
        y += grid.row;
    }
    frame::end(scene, y + 4, caption, false)
}

/// The cells of a family, setting by setting.
fn of_family<'a>(table: &'a Table, family: &'a str) -> impl Iterator<Item = &'a Vec<Cell>> {
    table.rows.iter().filter(move |row| table.cell(row, "family").as_text() == family)
}

/// The number of runs in which a fault took effect: the smallest and the largest of all settings.
struct Runs {
    fewest: f64,
    most: f64,
}

impl Runs {
    fn of(table: &Table, family: &str) -> Self {
        let runs = || of_family(table, family).filter_map(|row| table.number(row, "runs"));
        Self { fewest: runs().fold(f64::INFINITY, f64::min), most: runs().fold(0.0, f64::max) }
    }

    fn are_few(&self) -> bool {
        self.fewest < FEW_RUNS
    }

    fn words(&self) -> String {
        let mut words = plural(self.most as u64, "run", "runs");
        if self.fewest < self.most {
            words = format!("{} to {words}", grouped(self.fewest as u64));
        }
        if self.are_few() {
            words.push_str(", few");
        }
        words
    }
}

/// Writes the names of the settings. Returns the lower end of the heading.
fn heads(scene: &mut Scene, grid: &Grid, settings: &[(&str, f64)], y: i32) -> i32 {
    for (place, (acks, min_isr)) in settings.iter().enumerate() {
        let x = grid.left + grid.column * place as i32 + grid.column / 2;
        let sign = frame::sign(acks, *min_isr);
        scene.mark((x, y + 6), 5, sign.shape, sign.filled, sign.ink);
        scene.text((x, y + 21), format!("acks={acks}"), Anchor::Middle, Lettering::NOTE);
        scene.text((x, y + 35), format!("ISR {min_isr}"), Anchor::Middle, Lettering::NOTE);
    }
    y + 48
}

/// Draws a number and the bar below it, lighter if there are few runs.
fn draw_value(
    scene: &mut Scene,
    grid: &Grid,
    (left, y): Point,
    value: Option<f64>,
    largest: f64,
    (size, few): (i32, bool),
) {
    let top = y + grid.line + 7;
    let width = value.map_or(0, |value| bar(value, largest, grid.column - 8));
    if width > 0 {
        let height = if few { 2 } else { 5 };
        scene.rect((left + 4, top), (left + 4 + width, top + height), Ink::Bar);
    }
    let words = value.map_or("–".to_owned(), rounded);
    let plain = few || value.is_none_or(|value| value == 0.0);
    let lettering = if plain { Lettering::LABEL } else { Lettering::VALUE };
    let ink = if few { Ink::Muted } else { Ink::Text };
    let middle = (left + grid.column / 2, y + grid.line - 3);
    scene.text(middle, words, Anchor::Middle, Lettering { size, ink, ..lettering });
}

/// The width of the bar of a value: 0 for 0, and `width` for the largest value.
fn bar(value: f64, largest: f64, width: i32) -> i32 {
    if largest <= 0.0 {
        return 0;
    }
    (f64::from(width) * value / largest).round() as i32
}
