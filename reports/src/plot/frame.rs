//! What all charts have around them: a heading, and below it where the numbers come from.

use super::Room;
use super::scene::{Anchor, Lettering, Scene};
use crate::acks::{Acks, Header};
use crate::page::palette::Ink;
use crate::plot::scene::Shape;

/// Where the numbers of a chart come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    scenario: String,
    seeds: String,
    faultline: String,
    settings: usize,
    replicas: u16,
}

impl Caption {
    /// Of charts of this study.
    pub fn of(study: &Header) -> Self {
        Self {
            scenario: study.scenario.clone(),
            seeds: study.seeds.text(),
            faultline: study.made_by(),
            settings: study.settings.len(),
            replicas: study.replication_factor,
        }
    }

    /// In one line; `of_time` if the chart shows simulated time. Charts leave their page, so each
    /// says that it was not measured.
    fn line(&self, of_time: bool) -> String {
        let Self { scenario, seeds, faultline, settings, replicas } = self;
        let simulated = match of_time {
            true => "Simulated latency, not measured.",
            false => "Simulated latency, network and disks.",
        };
        format!(
            "{settings} settings, {replicas} replicas, scenario {scenario}, seeds {seeds} for \
             each, Faultline {faultline}. {simulated}"
        )
    }
}

/// The margin on all sides.
pub(super) const MARGIN: i32 = 4;

/// Begins a chart. Returns the drawing and how far down the heading goes.
pub(super) fn begin(room: Room, title: &str, subtitle: &str) -> (Scene, i32) {
    let mut scene = Scene::new(room.width(), &format!("{title}. {subtitle}"));
    let width = room.width() - 2 * MARGIN;
    let mut y = 6;
    y += scene.paragraph((MARGIN, y), title, width, Lettering::TITLE);
    y += scene.paragraph((MARGIN, y + 1), subtitle, width, Lettering::NOTE) + 1;
    (scene, y + 8)
}

/// Ends a chart below `y` with where its numbers come from.
pub(super) fn end(mut scene: Scene, y: i32, caption: &Caption, of_time: bool) -> Scene {
    let width = scene.width - 2 * MARGIN;
    let line = caption.line(of_time);
    let height = scene.paragraph((MARGIN, y + 6), &line, width, Lettering::NOTE);
    scene.label = format!("{}. {line}", scene.label.trim_end_matches('.'));
    scene.height = y + 6 + height + 6;
    scene
}

/// The sign of a setting: its ink and shape stand for acks, and it is filled from min ISR 2 on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sign {
    pub(super) ink: Ink,
    pub(super) shape: Shape,
    pub(super) filled: bool,
}

/// The sign of the setting with these values in its columns.
pub(super) fn sign(acks: &str, min_isr: f64) -> Sign {
    let (ink, shape) = match acks {
        name if name == Acks::None.name() => (Ink::First, Shape::Triangle),
        name if name == Acks::Leader.name() => (Ink::Second, Shape::Square),
        _ => (Ink::Third, Shape::Circle),
    };
    Sign { ink, shape, filled: min_isr >= 2.0 }
}

/// Writes a sign and beside it the name of its setting, from `x` on.
pub(super) fn labelled(scene: &mut Scene, (x, y): (i32, i32), sign: Sign, label: &str) {
    scene.mark((x + 6, y), 6, sign.shape, sign.filled, sign.ink);
    scene.text((x + 19, y), label, Anchor::Start, Lettering::LABEL);
}
