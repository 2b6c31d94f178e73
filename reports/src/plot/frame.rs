//! The common frame of all charts: a heading above, and the source of the numbers below.

use super::Room;
use super::scene::{Anchor, Lettering, Scene};
use crate::acks::{Acks, Header};
use crate::page::palette::Ink;
use crate::plot::scene::Shape;

/// The source of the numbers of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    scenario: String,
    seeds: String,
    faultline: String,
    settings: usize,
    replicas: u16,
}

impl Caption {
    /// The source of charts of this study.
    pub fn of(study: &Header) -> Self {
        Self {
            scenario: study.scenario.clone(),
            seeds: study.seeds.text(),
            faultline: study.made_by(),
            settings: study.settings.len(),
            replicas: study.replication_factor,
        }
    }

    /// The source of charts of a delivery table.
    pub fn of_delivery(study: &crate::delivery::Header) -> Self {
        Self {
            scenario: study.scenario.clone(),
            seeds: study.seeds.text(),
            faultline: study.made_by(),
            settings: study.settings.len(),
            replicas: study.replication_factor,
        }
    }

    /// The caption in one line; `of_time` if the chart shows simulated time. A chart may be used
    /// apart from its page, so each chart says that its numbers are simulated.
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

/// Begins a chart. Returns the drawing and the lower end of the heading.
pub(super) fn begin(room: Room, title: &str, subtitle: &str) -> (Scene, i32) {
    let mut scene = Scene::new(room.width(), &format!("{title}. {subtitle}"));
    let width = room.width() - 2 * MARGIN;
    let mut y = 6;
    y += scene.paragraph((MARGIN, y), title, width, Lettering::TITLE);
    y += scene.paragraph((MARGIN, y + 1), subtitle, width, Lettering::NOTE) + 1;
    (scene, y + 8)
}

/// Ends a chart with the source of its numbers below `y`.
pub(super) fn end(mut scene: Scene, y: i32, caption: &Caption, of_time: bool) -> Scene {
    let width = scene.width - 2 * MARGIN;
    let line = caption.line(of_time);
    let height = scene.paragraph((MARGIN, y + 6), &line, width, Lettering::NOTE);
    scene.label = format!("{}. {line}", scene.label.trim_end_matches('.'));
    scene.height = y + 6 + height + 6;
    scene
}

/// The sign of a setting: ink and shape stand for acks, and the shape is filled if min ISR is 2 or
/// more.
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

/// Writes a sign at `x` and the name of its setting beside the sign.
pub(super) fn labelled(scene: &mut Scene, (x, y): (i32, i32), sign: Sign, label: &str) {
    scene.mark((x + 6, y), 6, sign.shape, sign.filled, sign.ink);
    scene.text((x + 19, y), label, Anchor::Start, Lettering::LABEL);
}
