//! The frame of all pages: one HTML file with everything in it. It loads nothing, runs no script
//! but its own, and is readable on a phone, on paper, and on light or dark ground.

pub mod palette;
pub mod text;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use palette::{Ink, PALETTE, hex, upper_hex};
use std::fmt::Write;

/// The parts of a page.
pub struct Page<'a> {
    /// The title of the window.
    pub title: &'a str,
    /// One line for search results and previews.
    pub description: &'a str,
    /// The version and the build of Faultline that made the runs.
    pub faultline: &'a str,
    /// The content between head and foot.
    pub body: Markup,
    /// Rules of this page alone, after those of all pages.
    pub style: &'a str,
    /// The module that the page runs; without one, no script runs in it.
    pub script: Option<&'a str>,
}

/// A command, which breaks only between its arguments.
pub fn code(line: &str) -> Markup {
    let mut arguments: Vec<&str> = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.get(1..).and_then(|rest| rest.find(" --")) {
        let (argument, others) = rest.split_at(at + 1);
        arguments.push(argument);
        rest = &others[1..];
    }
    arguments.push(rest);
    html! { code { @for (place, argument) in arguments.iter().enumerate() {
        @if place > 0 { " " }
        span { (argument) }
    } } }
}

/// The page as HTML text.
pub fn render(page: Page<'_>) -> String {
    // The page may not load anything, whatever its content.
    let mut policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:".to_owned();
    if page.script.is_some() {
        policy.push_str("; script-src 'unsafe-inline'");
    }
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "Faultline " (page.faultline) };
                meta name="description" content=(page.description);
                link rel="icon" href="data:,";
                title { (page.title) }
                style { (PreEscaped(style_sheet())) (PreEscaped(page.style)) }
            }
            body {
                a class="skip" href="#main" { "Skip to the findings" }
                main id="main" { (page.body) }
                footer {
                    p { "The runs were made by Faultline " (page.faultline) ". The page holds everything \
                         that it shows and loads nothing." }
                }
                @if let Some(script) = page.script {
                    script type="module" { (PreEscaped(script)) }
                }
            }
        }
    };
    html.into_string()
}

/// The style sheet with the colours of both themes.
fn style_sheet() -> String {
    let mut sheet = String::new();
    sheet.push_str(":root{color-scheme:light dark;");
    for colour in PALETTE {
        let _ = write!(sheet, "--{}:{};", colour.name, hex(colour.light));
    }
    sheet.push_str("}\n@media screen and (prefers-color-scheme:dark){:root{");
    for colour in PALETTE {
        let _ = write!(sheet, "--{}:{};", colour.name, hex(colour.dark));
    }
    sheet.push_str("}}\n");
    // Charts are the unchanged SVG files; these rules give them the colours of the theme.
    for colour in PALETTE.iter().filter(|colour| !is_for_pages(colour.ink)) {
        let (name, hex) = (colour.name, upper_hex(colour.light));
        let _ = write!(sheet, ".chart [fill=\"{hex}\"]{{fill:var(--{name})}}");
        let _ = writeln!(sheet, ".chart [stroke=\"{hex}\"]{{stroke:var(--{name})}}");
    }
    sheet.push_str(include_str!("style.css"));
    sheet
}

fn is_for_pages(ink: Ink) -> bool {
    matches!(ink, Ink::Ground | Ink::Accent | Ink::Good | Ink::Bad | Ink::Caution)
}
