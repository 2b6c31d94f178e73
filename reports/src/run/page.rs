//! The HTML of the page with all its texts. The script draws the pictures.

use super::pack::Packed;
use super::{Finding, MOST_EVENTS, Run, Tone, bundle};
use crate::page::text::grouped;
use crate::page::{self, Page, code};
use crate::plot::{self, Shape};
use maud::{Markup, PreEscaped, html};

/// The page as HTML text.
pub(super) fn render(run: &Run, packed: &Packed) -> String {
    let title = format!("{}, seed {}: {}", run.scenario, run.seed, run.verdict);
    let description = format!("{}: {}", run.verdict, run.headline);
    let body = html! {
        (head(run, packed))
        (verdict(run))
        @if packed.held > 0 {
            (strip())
            (record(run))
            (space())
            (cluster())
            (search())
        } @else {
            section id="strip" {
                h2 { "Nothing happened" }
                p { "The trace of this run is empty: there is nothing to draw." }
            }
        }
        (numbers(run))
        aside id="dock" hidden aria-label="The chosen event" tabindex="-1" {}
        dialog id="help" aria-label="Keys" {}
        script id="data" type="text/plain" { (PreEscaped(&packed.data)) }
    };
    page::render(Page {
        title: &title,
        description: &description,
        faultline: &run.faultline,
        body,
        style: include_str!("run.css"),
        script: Some(&bundle::script()),
    })
}

fn tag(tone: Tone, words: &str) -> Markup {
    let (class, shape) = match tone {
        Tone::Good => ("tag good", Shape::Circle),
        Tone::Caution => ("tag caution", Shape::Triangle),
        Tone::Bad => ("tag bad", Shape::Square),
    };
    html! { span class=(class) { (plot::inline_mark(shape, true)) (words) } }
}

fn head(run: &Run, packed: &Packed) -> Markup {
    html! {
        h1 { (run.scenario) span class="seed" { ", seed " (run.seed) } }
        p class="lead" { (run.title) }
        p class="verdict" { (tag(run.tone, &run.verdict)) " " (run.headline) }
        ul class="facts" {
            @for setting in &run.overrides { li { code { (setting) } } }
            li { b { (grouped(run.events)) } " events" }
            li { b { (seconds(run.simulated_ns)) " s" } " of simulated time" }
            li { "digest " code { (run.digest.get(..8).unwrap_or(&run.digest)) } }
            li { "Faultline " b { (run.faultline) } }
        }
        pre { (code(&run.command)) }
        @if packed.held < packed.total {
            p id="cut-short" {
                b { "Not every event is here. " }
                "The page holds " (grouped(packed.held as u64)) " of " (grouped(packed.total as u64))
                " events, at most " (grouped(MOST_EVENTS as u64)) ": all elections, faults and changes of \
                 partitions, and of the messages, appends and reads those that lead up to the last \
                 finding, or the first ones if there is none. Pictures and tables show the span of time \
                 of which no event is missing. The others are in " code { "trace.jsonl.gz" } " beside this page; if it is not \
                 there, " code { (run.replay) " --trace" } " writes it."
            }
        }
        nav class="parts" aria-label="Parts of this page" { ul {
            li { a href="#verdict" { "Verdict" } }
            @if packed.held > 0 {
                li { a href="#strip" { "Partition over time" } }
                li { a href="#record" { "A record’s life" } }
                li { a href="#space" { "Messages" } }
                li { a href="#cluster" { "Cluster" } }
                li { a href="#search" { "Search" } }
            }
            li { a href="#numbers" { "Settings and counts" } }
        } }
        noscript { p { "The pictures on this page need JavaScript; the texts do not." } }
        p id="unready" hidden role="alert" {}
    }
}

fn verdict(run: &Run) -> Markup {
    html! {
        section id="verdict" {
            h2 { "Verdict" }
            @if run.findings.is_empty() && run.notes.is_empty() {
                div class="card" { p { "No promise was broken, and nothing was lost." } }
            }
            @for note in &run.notes { div class="card" { p { (note) } } }
            @for (place, it) in run.findings.iter().enumerate() { (finding(place, it)) }
        }
    }
}

fn finding(place: usize, it: &Finding) -> Markup {
    let words = if it.broken { "a promise was broken" } else { "permitted by the settings" };
    let tone = if it.broken { Tone::Bad } else { Tone::Caution };
    html! {
        div class="card finding" id={ "finding-" (place + 1) } {
            header { h3 { (linked(&it.summary, &it.partition)) } (tag(tone, words)) }
            @if !it.because.is_empty() { p { "Permitted because " (it.because.trim_end_matches('.')) "." } }
            @if !it.lines.is_empty() {
                // Usually the first finding explains the others.
                details open[place == 0] {
                    summary { "How it came about" }
                    ol class="steps" { @for line in &it.lines { li { (step(line, &it.partition)) } } }
                }
            } @else if let Some(event) = it.events.first() {
                p { (event_link(*event, &it.partition, "Show where")) }
            }
            p class="small" { @if it.broken { "Found by the check " } @else { "Permitted as " } code { (it.name) }
                @if !it.partition.is_empty() { " in "
                    a href={ "#p=" (encoded(&it.partition)) } { (it.partition) }
                } "." }
        }
    }
}

/// A line of an explanation: its time links to the event, its records to their lives.
fn step(line: &super::Line, partition: &str) -> Markup {
    match line.text.split_once("  ") {
        Some((time, rest)) if line.event > 0 => html! {
            (event_link(line.event, partition, time)) span { (linked(rest, partition)) }
        },
        Some((time, rest)) => {
            html! { span class="when" { (time) } span { (linked(rest, partition)) } }
        }
        None => html! { span class="when" {} span { (linked(&line.text, partition)) } },
    }
}

fn event_link(event: u64, partition: &str, words: &str) -> Markup {
    let of = match partition {
        "" => String::new(),
        partition => format!("p={}&", encoded(partition)),
    };
    html! { a class="when" href={ "#" (of) "e=" (event) } { (words) } }
}

/// A text in which `record 3#739` links to that record.
fn linked(text: &str, partition: &str) -> Markup {
    let mut rest = text;
    let mut parts = Vec::new();
    while let Some(at) = rest.find("record ") {
        let (before, from) = rest.split_at(at + "record ".len());
        let end = from.find(|c: char| !c.is_ascii_digit() && c != '#').unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        let is_name = name.split_once('#').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        parts.push(html! { (before) });
        parts.push(match is_name {
            true => {
                let of = match partition {
                    "" => String::new(),
                    partition => format!("p={}&", encoded(partition)),
                };
                html! { a href={ "#" (of) "r=" (name.replace('#', ".")) } { (name) } }
            }
            false => html! { (name) },
        });
        rest = after;
    }
    html! { @for part in &parts { (part) } (rest) }
}

/// A name in the form that the fragment of an address requires.
fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn strip() -> Markup {
    html! {
        section id="strip" {
            h2 { "A partition over time" }
            p { "Who led, who was in sync, and how far each log reached. All times count from the start \
                 of the load." }
            div class="panel" {
                div class="tools" id="strip-tools" {}
                div class="readout" id="readout" aria-live="off" {}
                div class="canvas" { canvas id="strip-canvas" tabindex="0" role="img"
                    aria-label="The chosen partition over time; the table below has the same" {} }
                div class="legend" id="strip-legend" {}
                details { summary { "As a table" } div class="scroll" id="strip-table" tabindex="0" role="region" aria-label="The chosen partition over time" {} }
            }
        }
    }
}

fn record(run: &Run) -> Markup {
    let lost = run.counts.iter().find(|(name, _)| name == "lost").map_or(0, |(_, lost)| *lost);
    html! {
        section id="record" data-lost=(lost) {
            h2 id="record-title" tabindex="-1" { "A record’s life" }
            div class="panel" { div class="tools" id="record-tools" {} div id="record-body" {} }
        }
    }
}

fn space() -> Markup {
    html! {
        section id="space" {
            h2 { "Messages between nodes" }
            p { "Time runs downwards, a lane for each node, over the same span of time as the picture \
                 above. Each line is a message." }
            div class="panel" {
                div class="tools" id="space-tools" {}
                div class="canvas" { canvas id="space-canvas" tabindex="0" role="img"
                    aria-label="Messages between nodes; the table below has the same" {} }
                div class="legend" id="space-legend" {}
                details { summary { "As a table" } div class="scroll" id="space-table" tabindex="0" role="region" aria-label="Messages in view" {} }
            }
        }
    }
}

fn cluster() -> Markup {
    html! {
        section id="cluster" {
            h2 { "The cluster at the chosen moment" }
            div class="panel" { div class="tools" id="cluster-tools" {} div id="cluster-body" {} }
        }
    }
}

fn search() -> Markup {
    html! {
        section id="search" {
            h2 { "Search" }
            div class="panel" { div class="tools" id="search-tools" {} div id="search-body" aria-live="polite" {} }
        }
    }
}

fn numbers(run: &Run) -> Markup {
    html! {
        section id="numbers" {
            h2 { "Settings and counts" }
            div class="cards" {
                div class="card" { h3 { "Records" } table {
                    tbody { @for (name, count) in &run.counts { tr {
                        th scope="row" { (name) } td class="number" { (grouped(*count)) }
                    } } }
                }
                dl { @for (name, words) in &run.waits { dt { (name) } dd { (words) } } } }
                div class="card" { h3 { "Faults" }
                    @if run.faults.is_empty() { p { "None was planned." } }
                    ul class="plain" { @for fault in &run.faults { li { (fault) } } }
                    h3 { "To repeat the run" }
                    pre { (code(&run.command)) }
                    @if !run.replay.is_empty() { pre { (code(&run.replay)) } }
                    p class="small" { "Digest " code { (run.digest) } }
                }
            }
            @if !run.description.is_empty() {
                details open { summary { "What the scenario is" } p { (run.description) } }
            }
            (settings(run))
            (exercised(run))
        }
    }
}

fn settings(run: &Run) -> Markup {
    html! {
        details {
            summary { "Settings that are not Kafka’s defaults (" (run.not_default.len()) ")" }
            @if !run.drawn.is_empty() { p { "The seed drew " (run.drawn.join(", ")) "." } }
            div class="scroll" tabindex="0" role="region" aria-label="Settings" { table {
                thead { tr { th scope="col" { "Of" } th scope="col" { "Property" }
                    th scope="col" { "Value" } th scope="col" { "Kafka’s default" } } }
                tbody { @for [of, property, value, default] in &run.not_default { tr {
                    td { (of) } td class="name" { code { (property) } } td { (value) } td { (default) }
                } } }
            } }
        }
    }
}

fn exercised(run: &Run) -> Markup {
    html! {
        details {
            summary { "What was exercised (" (run.exercised.len()) ")" }
            @for name in &run.not_exercised { p { b { "Not exercised: " (name) } } }
            div class="columns" { @for (name, count) in &run.exercised {
                div { code { (name) } " " (grouped(*count)) }
            } }
        }
    }
}

/// Nanoseconds in seconds, with three decimals.
fn seconds(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000_000_000, nanos / 1_000_000 % 1_000)
}
