//! A drawing in its own units, before it is a file: lines, shapes and words, each with the ink it
//! is for. Charts make scenes; [`super::render`] makes SVG and PNG of them.

use crate::page::palette::Ink;

/// A place: to the right and downwards.
pub(super) type Point = (i32, i32);

/// Where a text stands relative to its place. It is always centred vertically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lettering {
    /// Units per em.
    pub size: i32,
    /// Semi-bold instead of regular.
    pub bold: bool,
    /// The ink.
    pub ink: Ink,
}

impl Lettering {
    /// The name of a chart.
    pub const TITLE: Self = Self { size: 15, bold: true, ink: Ink::Text };
    /// The name of a row.
    pub const LABEL: Self = Self { size: 13, bold: false, ink: Ink::Text };
    /// A value.
    pub const VALUE: Self = Self { size: 13, bold: true, ink: Ink::Text };
    /// A remark.
    pub const NOTE: Self = Self { size: 11, bold: false, ink: Ink::Muted };

    /// About how wide a text is, from the average letter; for placing, not for fitting exactly.
    pub fn width(self, text: &str) -> i32 {
        text.chars().count() as i32 * self.size * 57 / 100
    }
}

/// A shape that marks a value. Each series has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A circle.
    Circle,
    /// A square.
    Square,
    /// A triangle that stands on its side.
    Triangle,
    /// A square that stands on its corner.
    Diamond,
    /// An upright line.
    Tick,
    /// Two lines that cross.
    Cross,
    /// A point to the right, at its place.
    Tip,
}

/// One thing in a drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A straight line.
    Line {
        /// One end.
        from: Point,
        /// The other end.
        to: Point,
        /// Thickness, in units of the drawing.
        width: u32,
        /// The ink.
        ink: Ink,
    },
    /// A filled box.
    Rect {
        /// The upper left corner.
        from: Point,
        /// The lower right corner.
        to: Point,
        /// The ink.
        ink: Ink,
    },
    /// A mark, filled or with the paper showing through.
    Mark {
        /// Its middle.
        at: Point,
        /// Half its width.
        radius: i32,
        /// The shape.
        shape: Shape,
        /// Whether it is filled.
        filled: bool,
        /// The ink.
        ink: Ink,
    },
    /// A line of text.
    Text {
        /// The point beside or around which the text is set.
        at: Point,
        /// The text.
        text: String,
        /// Where `at` is within the text.
        anchor: Anchor,
        /// Size, weight and ink of the letters.
        lettering: Lettering,
    },
}

/// A drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// Its width.
    pub width: i32,
    /// Its height.
    pub height: i32,
    /// What it shows, for people who do not see it.
    pub label: String,
    /// What is in it, from back to front.
    pub items: Vec<Item>,
}

impl Scene {
    /// An empty drawing.
    pub fn new(width: i32, label: &str) -> Self {
        Self { width, height: 0, label: label.to_owned(), items: Vec::new() }
    }

    /// Adds a straight line.
    pub fn line(&mut self, from: Point, to: Point, width: u32, ink: Ink) {
        self.items.push(Item::Line { from, to, width, ink });
    }

    /// Adds a filled box.
    pub fn rect(&mut self, from: Point, to: Point, ink: Ink) {
        self.items.push(Item::Rect { from, to, ink });
    }

    /// Adds a mark.
    pub fn mark(&mut self, at: Point, radius: i32, shape: Shape, filled: bool, ink: Ink) {
        self.items.push(Item::Mark { at, radius, shape, filled, ink });
    }

    /// Adds a line of text.
    pub fn text(
        &mut self,
        at: Point,
        text: impl Into<String>,
        anchor: Anchor,
        lettering: Lettering,
    ) {
        self.items.push(Item::Text { at, text: text.into(), anchor, lettering });
    }

    /// Adds a text in as many lines as it takes to stay within `width`, from `at` downwards.
    /// Returns how high they are together.
    pub fn paragraph(&mut self, at: Point, text: &str, width: i32, lettering: Lettering) -> i32 {
        let height = lettering.size * 14 / 10;
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let line = lines.last_mut().expect("there is one");
            let longer = format!("{line} {word}");
            match line.is_empty() {
                true => line.push_str(word),
                false if lettering.width(&longer) <= width => *line = longer,
                false => lines.push(word.to_owned()),
            }
        }
        let count = lines.len() as i32;
        for (i, line) in lines.into_iter().enumerate() {
            let y = at.1 + height * i as i32 + height / 2;
            self.text((at.0, y), line, Anchor::Start, lettering);
        }
        height * count
    }
}
