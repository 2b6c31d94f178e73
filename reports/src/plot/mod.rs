//! Charts. Each is one file of this folder and one row of [`ACKS`]. Its table of numbers gives the
//! CSV file, the table on the page, and the drawings for the page, SVG and PNG.

mod axis;
mod delivery;
mod families;
mod frame;
mod latency;
mod loss;
mod render;
mod rows;
mod runs_with_loss;
mod scene;
mod table;
mod unavailable;

#[cfg(test)]
mod tests;

pub use delivery::{DELIVERY, DeliveryPlot};
pub use frame::Caption;
pub use render::{inline_mark, png, svg};
pub use scene::{Scene, Shape};
pub use table::{Cell, Column, Kind, Table};

use crate::acks::Summary;

/// The room for a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// A screen or a sheet of paper.
    Wide,
    /// A phone held upright.
    Narrow,
}

impl Room {
    /// The width of the drawing, in units of the scene.
    pub const fn width(self) -> i32 {
        match self {
            Self::Wide => 760,
            Self::Narrow => 360,
        }
    }
}

/// A chart.
#[derive(Clone, Copy)]
pub struct Plot {
    /// The name of its files, without extension.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// How to read the chart, in a few sentences.
    pub reading: &'static str,
    /// Computes the numbers.
    pub table: fn(&Summary) -> Table,
    /// Draws the chart from its numbers alone.
    pub draw: fn(&Table, &Caption, Room) -> Scene,
}

/// The charts of the comparison of acks settings, in the order of the page.
pub const ACKS: &[Plot] =
    &[loss::PLOT, runs_with_loss::PLOT, latency::PLOT, unavailable::PLOT, families::PLOT];
