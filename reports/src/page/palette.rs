//! The colours of all pages and charts, by purpose.
//!
//! Two themes, both checked by the tests below: text has a contrast of at least 4.5 to 1, marks of
//! at least 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11), and the colours of series are distinct for people
//! with protanopia, deuteranopia and tritanopia. No colour is the only sign: series also have
//! shapes and labels, verdicts have words.

/// The purpose of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ink {
    /// The ground of charts and cards.
    Paper,
    /// Text.
    Text,
    /// Secondary text.
    Muted,
    /// Grid lines.
    Rule,
    /// The axis.
    Axis,
    /// The first series: the least careful setting.
    First,
    /// The second series.
    Second,
    /// The third series: the most careful setting.
    Third,
    /// A bar behind a number.
    Bar,
    /// The ground of the page, behind cards.
    Ground,
    /// Links and emphasis.
    Accent,
    /// A promise was kept.
    Good,
    /// A promise was broken.
    Bad,
    /// Something was lost that was not promised.
    Caution,
}

/// A colour in both themes.
#[derive(Clone, Copy, Debug)]
pub struct Colour {
    /// The purpose of the colour.
    pub ink: Ink,
    /// Its name in style sheets.
    pub name: &'static str,
    /// On light ground.
    pub light: [u8; 3],
    /// On dark ground.
    pub dark: [u8; 3],
}

const fn colour(ink: Ink, name: &'static str, light: u32, dark: u32) -> Colour {
    Colour { ink, name, light: split(light), dark: split(dark) }
}

const fn split(rgb: u32) -> [u8; 3] {
    [(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8]
}

/// All colours. Within a theme no two are the same, so that a style sheet can distinguish them in
/// the SVG of a chart.
pub const PALETTE: &[Colour] = &[
    colour(Ink::Paper, "paper", 0xffffff, 0x161b22),
    colour(Ink::Text, "text", 0x1a2027, 0xe8ecf1),
    colour(Ink::Muted, "muted", 0x566270, 0x9eabb9),
    colour(Ink::Rule, "rule", 0xdde3e9, 0x2b333d),
    colour(Ink::Axis, "axis", 0x7c8894, 0x76828f),
    colour(Ink::First, "first", 0xb03060, 0xff86ad),
    colour(Ink::Second, "second", 0x9a7b00, 0xe3bd3f),
    colour(Ink::Third, "third", 0x0b66b8, 0x66b3ff),
    colour(Ink::Bar, "bar", 0xc9d8e8, 0x32455a),
    colour(Ink::Ground, "ground", 0xf4f6f8, 0x0d1117),
    colour(Ink::Accent, "accent", 0x0a5aa3, 0x7cc0ff),
    colour(Ink::Good, "good", 0x17692f, 0x5fce7e),
    colour(Ink::Bad, "bad", 0xb3161e, 0xff8b86),
    colour(Ink::Caution, "caution", 0x865100, 0xf0b14a),
];

impl Ink {
    /// The colour.
    pub fn colour(self) -> &'static Colour {
        PALETTE.iter().find(|colour| colour.ink == self).expect("every ink is in the table")
    }
}

/// As in `#1a2027`.
pub fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The colour in the upper case that the SVG back end of plotters writes.
pub fn upper_hex(rgb: [u8; 3]) -> String {
    hex(rgb).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(channel: u8) -> f64 {
        let c = f64::from(channel) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    }

    fn luminance(rgb: [f64; 3]) -> f64 {
        0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
    }

    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let (a, b) = (luminance(a.map(linear)), luminance(b.map(linear)));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn themes() -> [fn(Ink) -> [u8; 3]; 2] {
        [|ink| ink.colour().light, |ink| ink.colour().dark]
    }

    #[test]
    fn text_and_marks_have_contrast() {
        let text = [Ink::Text, Ink::Muted, Ink::Accent, Ink::Good, Ink::Bad, Ink::Caution];
        let marks = [Ink::First, Ink::Second, Ink::Third, Ink::Axis];
        for theme in themes() {
            for ground in [Ink::Paper, Ink::Ground] {
                for ink in text {
                    let found = contrast(theme(ink), theme(ground));
                    assert!(found >= 4.5, "{ink:?} on {ground:?}: {found:.2}");
                }
                for ink in marks {
                    let found = contrast(theme(ink), theme(ground));
                    assert!(found >= 3.0, "{ink:?} on {ground:?}: {found:.2}");
                }
            }
            assert!(contrast(theme(Ink::Text), theme(Ink::Bar)) >= 4.5);
        }
    }

    #[test]
    fn no_two_purposes_share_a_colour() {
        for theme in themes() {
            let mut all: Vec<_> = PALETTE.iter().map(|colour| theme(colour.ink)).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), PALETTE.len());
        }
    }

    /// Colours as people see them who lack one kind of cone. G. M. Machado, M. M. Oliveira and L.
    /// A. F. Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency"
    /// (2009), severity 1.
    const BLINDNESS: [[[f64; 3]; 3]; 3] = [
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
    ];

    fn lab(rgb: [f64; 3]) -> [f64; 3] {
        let [r, g, b] = rgb.map(|c| c.clamp(0.0, 1.0));
        let xyz = [
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
        ];
        let [x, y, z] =
            xyz.map(|t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn series_have_distinct_colours_without_one_kind_of_cone() {
        let series = [Ink::First, Ink::Second, Ink::Third];
        for theme in themes() {
            for matrix in BLINDNESS {
                let seen = series.map(|ink| {
                    let rgb = theme(ink).map(linear);
                    let row = |row: [f64; 3]| row.iter().zip(rgb).map(|(m, c)| m * c).sum();
                    lab(matrix.map(row))
                });
                for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                    let squares = (0..3).map(|i| (seen[a][i] - seen[b][i]).powi(2));
                    let distance = squares.sum::<f64>().sqrt();
                    assert!(distance >= 25.0, "{:?} and {:?}: {distance:.1}", series[a], series[b]);
                }
            }
        }
    }
}
