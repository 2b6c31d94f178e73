//! SVG and PNG of a scene, drawn by plotters with built-in fonts.

use super::scene::{Anchor, Item, Lettering, Point, Scene, Shape};
use crate::page::palette::Ink;
use maud::{Escaper, html};
use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};
use std::fmt::Write;
use std::sync::Once;

/// An SVG is shown in the first of these fonts that the reader's machine has; a PNG in Inter.
const FAMILY: &str = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";

/// Pixels of a PNG per unit of the scene: sharp on screens of double density.
const PNG_SCALE: i32 = 2;

static REGULAR: &[u8] = include_bytes!("../../assets/Inter-Regular.otf");
static SEMI_BOLD: &[u8] = include_bytes!("../../assets/Inter-SemiBold.otf");
static FONTS: Once = Once::new();

fn register_fonts() {
    FONTS.call_once(|| {
        for (style, bytes) in [(FontStyle::Normal, REGULAR), (FontStyle::Bold, SEMI_BOLD)] {
            assert!(register_font(FAMILY, style, bytes).is_ok(), "the built-in fonts are fonts");
        }
    });
}

/// The scale and text offset of a back end: plotters centres text differently in each.
#[derive(Clone, Copy)]
struct Target {
    scale: i32,
    /// How much lower text has to be to look centred, in thousandths of an em.
    drop: i32,
}

/// The drawing as an SVG file on a light ground.
pub fn svg(scene: &Scene) -> String {
    register_fonts();
    let mut drawn = String::new();
    {
        let size = (scene.width as u32, scene.height as u32);
        let area = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
        draw(scene, &area, Target { scale: 1, drop: 80 });
    }
    // The root element of plotters has no label for people who do not see the drawing.
    let body = drawn.split_once('>').map_or("", |(_, body)| body);
    let mut label = String::new();
    let _ = Escaper::new(&mut label).write_str(&scene.label);
    let (width, height) = (scene.width, scene.height);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">{body}"
    )
}

/// The drawing as a PNG file on a light ground.
pub fn png(scene: &Scene) -> Vec<u8> {
    register_fonts();
    let (width, height) = (scene.width * PNG_SCALE, scene.height * PNG_SCALE);
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let size = (width as u32, height as u32);
        let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        draw(scene, &area, Target { scale: PNG_SCALE, drop: 230 });
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().expect("the size is not zero");
    writer.write_image_data(&pixels).expect("writing to a Vec does not fail");
    writer.finish().expect("writing to a Vec does not fail");
    file
}

fn rgb(ink: Ink) -> RGBColor {
    let [r, g, b] = ink.colour().light;
    RGBColor(r, g, b)
}

fn draw<B: DrawingBackend>(scene: &Scene, area: &DrawingArea<B, Shift>, target: Target) {
    // Both back ends draw into memory, which does not fail.
    let done = "drawing into memory does not fail";
    area.fill(&rgb(Ink::Paper)).expect(done);
    for item in &scene.items {
        draw_item(item, area, target);
    }
    area.present().expect(done);
}

fn draw_item<B: DrawingBackend>(item: &Item, area: &DrawingArea<B, Shift>, target: Target) {
    let to = |(x, y): Point| (x * target.scale, y * target.scale);
    let drawn = match item {
        Item::Line { from, to: end, width, ink } => {
            let style = rgb(*ink).stroke_width(width * target.scale as u32);
            area.draw(&PathElement::new(vec![to(*from), to(*end)], style))
        }
        Item::Rect { from, to: end, ink } => {
            area.draw(&Rectangle::new([to(*from), to(*end)], rgb(*ink).filled()))
        }
        Item::Mark { at, radius, shape, filled, ink } => {
            mark(area, to(*at), radius * target.scale, *shape, *filled, *ink, target.scale);
            Ok(())
        }
        Item::Text { at: (x, y), text, anchor, lettering } => {
            let at = to((*x, *y));
            let at = (at.0, at.1 + lettering.size * target.scale * target.drop / 1_000);
            area.draw_text(text, &style(*lettering, *anchor, target), at)
        }
    };
    assert!(drawn.is_ok(), "drawing into memory does not fail");
}

fn style(lettering: Lettering, anchor: Anchor, target: Target) -> TextStyle<'static> {
    let style = if lettering.bold { FontStyle::Bold } else { FontStyle::Normal };
    // The size of plotters is the height of a line, which is this multiple of an em.
    let size = f64::from(lettering.size * target.scale) * 1.24;
    let font = FontDesc::new(FontFamily::Name(FAMILY), size, style);
    let side = match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let color = rgb(lettering.ink).to_backend_color();
    TextStyle { font, color, pos: Pos::new(side, VPos::Center) }
}

fn mark<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (x, y): Point,
    r: i32,
    shape: Shape,
    filled: bool,
    ink: Ink,
    scale: i32,
) {
    let done = "drawing into memory does not fail";
    if shape == Shape::Circle {
        area.draw(&Circle::new((x, y), r, rgb(ink).filled())).expect(done);
        if !filled {
            let hole = Circle::new((x, y), r - 2 * scale, rgb(Ink::Paper).filled());
            area.draw(&hole).expect(done);
        }
        return;
    }
    let strokes = strokes((x, y), r, shape);
    if !strokes.is_empty() {
        let style = rgb(ink).stroke_width(3 * scale as u32);
        strokes.into_iter().for_each(|line| area.draw(&PathElement::new(line, style)).expect(done));
        return;
    }
    let corners = |r: i32| match shape {
        Shape::Square | Shape::Circle => {
            let r = r * 9 / 10;
            vec![(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
        }
        Shape::Diamond => {
            let r = r * 12 / 10;
            vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
        }
        Shape::Triangle => {
            let (h, w) = (r * 11 / 10, r * 12 / 10);
            vec![(x, y - h), (x + w, y + h * 8 / 10), (x - w, y + h * 8 / 10)]
        }
        Shape::Tick | Shape::Cross | Shape::Tip => Vec::new(),
    };
    area.draw(&Polygon::new(corners(r), rgb(ink).filled())).expect(done);
    if !filled {
        let hole = if shape == Shape::Square { r - 2 * scale } else { r - 3 * scale };
        area.draw(&Polygon::new(corners(hole), rgb(Ink::Paper).filled())).expect(done);
    }
}

/// The lines of a shape that consists of lines.
fn strokes((x, y): Point, r: i32, shape: Shape) -> Vec<Vec<Point>> {
    match shape {
        Shape::Circle | Shape::Square | Shape::Triangle | Shape::Diamond => Vec::new(),
        Shape::Tick => vec![vec![(x, y - r), (x, y + r)]],
        Shape::Cross => {
            let r = r * 9 / 10;
            vec![vec![(x - r, y - r), (x + r, y + r)], vec![(x - r, y + r), (x + r, y - r)]]
        }
        Shape::Tip => vec![vec![(x - r, y - r), (x, y), (x - r, y + r)]],
    }
}

/// A shape for use within a line of text, in the colour of that text.
pub fn inline_mark(shape: Shape, filled: bool) -> maud::Markup {
    let fill = if filled { "currentColor" } else { "none" };
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" fill=(fill) stroke="currentColor"
            stroke-width="2" {
            @match shape {
                Shape::Circle => circle cx="8" cy="8" r="5.5" {},
                Shape::Square => rect x="3" y="3" width="10" height="10" {},
                Shape::Triangle => path d="M8 2.5 14 13.5H2Z" {},
                Shape::Diamond => path d="M8 1.5 14.5 8 8 14.5 1.5 8Z" {},
                Shape::Tick => path d="M8 2V14" {},
                Shape::Cross => path d="M3 3 13 13M3 13 13 3" {},
                Shape::Tip => path d="M4 3 11 8 4 13" fill="none" {},
            }
        }
    }
}
