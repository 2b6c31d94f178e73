//! Losses by the faults of their runs: a number for each family and setting, with a bar below it.

use super::frame::{self, Caption, MARGIN};
use super::scene::{Anchor, Lettering};
use super::table::{Cell, Column, Kind, Table, column};
use super::{Plot, Room, Scene, rows};
use crate::acks::Summary;
use crate::page::palette::Ink;
use crate::page::text::rounded;
use crate::stat::Rate;

pub(super) const PLOT: Plot = Plot {
    id: "lost-by-fault",
    title: "Records lost per million, by fault",
    reading: "Each number counts the runs in which a fault of that kind took effect. A run has \
              several faults, so the same loss counts in several rows: what stands out is where to \
              look, not yet a cause. The bars grow with the numbers. Where few runs lost any \
              there is no interval.",
    table,
    draw,
};

const COLUMNS: &[Column] = &[
    column("family", "Fault", Kind::Text),
    column("setting", "Setting", Kind::Text),
    column("acks", "acks", Kind::Text),
    column("min.insync.replicas", "min ISR", Kind::Count),
    column("runs", "Runs", Kind::Count),
    column("runs_with_loss", "With loss", Kind::Count),
    column("at_stake", "Taken for written", Kind::Count),
    column("lost", "Lost", Kind::Count),
    column("lost_per_million", "Per million", Kind::Number),
    column("low", "95 % from", Kind::Number),
    column("high", "to", Kind::Number),
];

fn table(summary: &Summary) -> Table {
    let families = summary.settings.first().map_or(&[][..], |first| &first.families);
    let mut all = Vec::new();
    for (place, family) in families.iter().enumerate() {
        for setting in &summary.settings {
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

/// Where the columns are.
struct Grid {
    left: i32,
    column: i32,
    row: i32,
    /// How far below the top of its row the numbers are.
    line: i32,
}

fn draw(table: &Table, caption: &Caption, room: Room) -> Scene {
    let subtitle = "in runs in which such a fault took effect, so that their number differs by \
                    setting; a run has several, so rows overlap";
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
            let longest = families.iter().map(|name| Lettering::LABEL.width(name)).max();
            let left = MARGIN + longest.unwrap_or(0) + 16;
            let column = (scene.width - MARGIN - left) / settings.len() as i32;
            Grid { left, column, row: 34, line: 17 }
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
        let of_family =
            table.rows.iter().filter(|row| table.cell(row, "family").as_text() == family);
        family_row(&mut scene, &grid, table, of_family, largest, (y, room));
        y += grid.row;
    }
    frame::end(scene, y + 4, caption, false)
}

/// The names of the settings. Returns how far down they go.
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

fn family_row<'a>(
    scene: &mut Scene,
    grid: &Grid,
    table: &Table,
    cells: impl Iterator<Item = &'a Vec<Cell>>,
    largest: f64,
    (y, room): (i32, Room),
) {
    scene.line((MARGIN, y), (scene.width - MARGIN, y), 1, Ink::Rule);
    for (place, row) in cells.enumerate() {
        if place == 0 {
            let family = table.cell(row, "family").as_text();
            let line = if room == Room::Wide { y + grid.line } else { y + 13 };
            scene.text((MARGIN, line), family, Anchor::Start, Lettering::LABEL);
        }
        let value = table.number(row, "lost_per_million");
        let left = grid.left + grid.column * place as i32;
        let (top, bottom) = (y + grid.line + 7, y + grid.line + 12);
        let width = value.map_or(0, |value| bar(value, largest, grid.column - 8));
        if width > 0 {
            scene.rect((left + 4, top), (left + 4 + width, bottom), Ink::Bar);
        }
        let words = value.map_or("–".to_owned(), rounded);
        let plain = value.is_none_or(|value| value == 0.0);
        let small = room == Room::Narrow;
        let lettering = Lettering {
            size: if small { 11 } else { 13 },
            ..if plain { Lettering::LABEL } else { Lettering::VALUE }
        };
        let middle = (left + grid.column / 2, y + grid.line - 3);
        scene.text(middle, words, Anchor::Middle, lettering);
    }
}

/// How wide the bar of a value is: nothing for 0, and the whole width for the largest.
fn bar(value: f64, largest: f64, width: i32) -> i32 {
    if largest <= 0.0 {
        return 0;
    }
    (f64::from(width) * value / largest).round() as i32
}
