//! Tests that all charts share.

use super::scene::{Anchor, Item, Lettering};
use super::*;
use crate::acks::{Seeds, made_up, summarise};

/// The scenes of all charts in both sizes.
fn scenes() -> Vec<(&'static str, Scene)> {
    let summary = summarise(&made_up::study(Seeds { from: 0, to: 50 }));
    let caption = Caption::of(&summary.study);
    let draw = |plot: &Plot| {
        let table = (plot.table)(&summary);
        [Room::Wide, Room::Narrow].map(|room| (plot.id, (plot.draw)(&table, &caption, room)))
    };
    ACKS.iter().flat_map(draw).collect()
}

fn extent(text: &str, anchor: Anchor, x: i32, lettering: Lettering) -> (i32, i32) {
    let width = lettering.width(text);
    match anchor {
        Anchor::Start => (x, x + width),
        Anchor::Middle => (x - width / 2, x + width / 2),
        Anchor::End => (x - width, x),
    }
}

#[test]
fn everything_stays_on_the_sheet() {
    for (id, scene) in scenes() {
        for item in &scene.items {
            let (from, to, top, bottom) = match item {
                Item::Line { from, to, .. } | Item::Rect { from, to, .. } => {
                    (from.0.min(to.0), from.0.max(to.0), from.1.min(to.1), from.1.max(to.1))
                }
                Item::Mark { at, radius, .. } => {
                    (at.0 - radius, at.0 + radius, at.1 - radius, at.1 + radius)
                }
                Item::Text { at, text, anchor, lettering } => {
                    let (from, to) = extent(text, *anchor, at.0, *lettering);
                    (from, to, at.1 - lettering.size / 2, at.1 + lettering.size / 2)
                }
            };
            let inside = from >= 0 && to <= scene.width && top >= 0 && bottom <= scene.height;
            assert!(inside, "{id} at {} wide: {item:?}", scene.width);
        }
    }
}

#[test]
fn no_two_words_of_a_line_run_into_each_other() {
    for (id, scene) in scenes() {
        let mut texts = Vec::new();
        for item in &scene.items {
            if let Item::Text { at, text, anchor, lettering } = item {
                let (from, to) = extent(text, *anchor, at.0, *lettering);
                texts.push((at.1, from, to, text));
            }
        }
        for (i, (y, from, to, text)) in texts.iter().enumerate() {
            for (other_y, other_from, other_to, other) in &texts[i + 1..] {
                let apart = y.abs_diff(*other_y) >= 10 || to < other_from || other_to < from;
                assert!(apart, "{id} at {} wide: {text:?} and {other:?}", scene.width);
            }
        }
    }
}

#[test]
fn png_files_are_small_and_of_double_density() {
    for (id, scene) in scenes() {
        let file = png(&scene);
        let size = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as i32;
        assert_eq!((size(16), size(20)), (2 * scene.width, 2 * scene.height), "{id}");
        assert!(file.len() < 120_000, "{id}: {} bytes", file.len());
    }
}

/// A row of few runs is lighter and marked as few: colour alone does not show it.
#[test]
fn a_fault_of_few_runs_says_so_and_is_lighter() {
    for (seeds, few) in [(28, true), (200, false)] {
        let summary = summarise(&made_up::study(Seeds { from: 0, to: seeds }));
        let table = (families::PLOT.table)(&summary);
        let caption = Caption::of(&summary.study);
        for room in [Room::Wide, Room::Narrow] {
            let scene = (families::PLOT.draw)(&table, &caption, room);
            for family in &summary.settings[0].families {
                let words = format!("{} runs{}", family.runs, if few { ", few" } else { "" });
                let is_shown =
                    |item: &Item| matches!(item, Item::Text { text, .. } if *text == words);
                assert!(scene.items.iter().any(is_shown), "{words}");
            }
            let is_bold = |item: &Item| match item {
                Item::Text { lettering, .. } => lettering.bold && *lettering != Lettering::TITLE,
                _ => false,
            };
            assert_eq!(scene.items.iter().any(is_bold), !few);
        }
    }
}

/// A shape that means a setting has no other meaning.
#[test]
fn the_marks_of_percentiles_are_not_those_of_settings() {
    let shapes = |id: &str| -> Vec<Shape> {
        let (_, scene) = scenes().into_iter().find(|(of, _)| *of == id).unwrap();
        let all = scene.items.iter().filter_map(|item| match item {
            Item::Mark { shape, .. } => Some(*shape),
            _ => None,
        });
        all.collect()
    };
    let signs = shapes(loss::PLOT.id);
    let others: Vec<Shape> =
        shapes(latency::PLOT.id).into_iter().filter(|shape| !signs.contains(shape)).collect();
    // Three in the legend and three in each of six rows, beside the sign of the row.
    assert_eq!(others.len(), 3 + 3 * 6);
    assert_eq!(shapes(latency::PLOT.id).len(), others.len() + 6);
}
