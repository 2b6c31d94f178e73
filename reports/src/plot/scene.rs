//! A drawing in units of its own: lines, shapes and texts, each with the purpose of its colour.
//! Charts make scenes; [`super::render`] turns scenes into SVG and PNG.

use crate::page::palette::Ink;

/// A point: units to the right and downwards.
pub(super) type Point = (i32, i32);

/// How a text is aligned to its point. It is always centred vertically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins at the point.
    Start,
    /// The text is centred on the point.
    Middle,
    /// The text ends at the point.
    End,
}

/// Size, weight and ink of a text.
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
    /// The title of a chart.
    pub const TITLE: Self = Self { size: 15, bold: true, ink: Ink::Text };
    /// The name of a row.
    pub const LABEL: Self = Self { size: 13, bold: false, ink: Ink::Text };
    /// A value.
    pub const VALUE: Self = Self { size: 13, bold: true, ink: Ink::Text };
    /// A note.
    pub const NOTE: Self = Self { size: 11, bold: false, ink: Ink::Muted };

    /// The approximate width of a text, from the average letter; for placing only.
    pub fn width(self, text: &str) -> i32 {
        text.chars().count() as i32 * self.size * 57 / 100
    }
}

/// A shape that marks a value. Each series has its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A circle.
    Circle,
    /// A square.
    Square,
    /// A triangle with its base below.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// An upright line.
    Tick,
    /// Two lines that cross.
    Cross,
    /// An arrowhead to the right, with its tip at the point.
    Tip,
}

/// An element of a drawing.
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
    /// A mark, filled or hollow.
    Mark {
        /// The centre.
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
    /// The content in words, for people who do not see the drawing.
    pub label: String,
    /// The elements, from back to front.
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

    /// Adds a text that is broken into lines of at most `width`, from `at` downwards. Returns the
    /// height of all lines.
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
