//! The page of a comparison.

use super::method;
use super::promise::{at_stake, promise};
use super::study::{CutShort, Header};
use super::summary::{SettingSummary, Summary, Worst};
use super::words;
use crate::page::text::{duration_us, grouped, interval, percent, plural, rounded, sentence};
use crate::page::{self, Page, code};
use crate::plot::{self, Caption, Plot, Room, Shape};
use crate::stat::{Estimate, FEW_SEEDS};
use maud::{Markup, PreEscaped, html};

/// The page as HTML text.
pub(super) fn render(summary: &Summary) -> String {
    let study = &summary.study;
    let description = format!(
        "acks 0, 1 and all compared over {} seeds of simulated faults: what was lost, and what \
         waiting costs.",
        grouped(study.seeds.count())
    );
    let caption = Caption::of(study);
    let body = html! {
        (head(summary))
        (overview(summary))
        (cards(summary))
        (method::pairs(summary))
        (method::idempotence(summary))
        h2 id="charts" { "In numbers" }
        @for plot in plot::ACKS { (figure(plot, summary, &caption)) }
        (worst(summary))
        (method::method(summary))
    };
    let title = format!("acks compared: {}, seeds {}", study.scenario, study.seeds.text());
    let faultline = &study.made_by();
    page::render(Page {
        title: &title,
        description: &description,
        faultline,
        body,
        style: "",
        script: None,
    })
}

fn head(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        h1 { "What acks and min.insync.replicas keep, and what they cost" }
        p class="lead" {
            "Every setting went through the same faults: the same seeds, the same records at the \
             same moments, the same brokers failing. Only the setting differs."
        }
        ul class="facts" {
            li { b { (grouped(study.seeds.count())) } " seeds (" (study.seeds.text()) ")" }
            li { b { (study.settings.len()) } " settings" }
            li { "replication factor " b { (study.replication_factor) } }
            li { "unclean leader election "
                b { (if study.unclean_leader_election { "on" } else { "off" }) } }
            li { "scenario " b { (study.scenario) } }
            li { "Faultline " b { (study.faultline) } }
        }
        @for setting in summary.not_tested() {
            p {
                span class="tag caution" {
                    (plot::inline_mark(Shape::Triangle, true)) (setting.setting.label())
                }
                ": " (words::not_tested(setting))
            }
        }
        @if let Some(CutShort { asked, why }) = study.cut_short {
            p { b { (why.name()) ": " } "seeds " (study.seeds.text()) " of " (asked.text()) "." }
        }
        @if study.seeds.count() < FEW_SEEDS {
            p { b { "Few seeds: " } "with fewer than " (FEW_SEEDS) " the intervals mean little." }
        }
        @if !study.overrides.is_empty() {
            p class="small" {
                "Set by hand for all runs: "
                @for (place, (key, value)) in study.overrides.iter().enumerate() {
                    @if place > 0 { ", " }
                    code { (key) "=" (value) }
                }
                "."
            }
        }
    }
}

/// The whole comparison in one table.
fn overview(summary: &Summary) -> Markup {
    html! {
        h2 id="overview" { "At a glance" }
        div class="card" { div class="scroll" tabindex="0" role="region" aria-label="At a glance" {
            table class="stack" {
                thead { tr {
                    th scope="col" { "Setting" }
                    th scope="col" { "Verdict" }
                    th scope="col" class="number" { "Lost per million" }
                    th scope="col" class="number" { "Runs with loss" }
                    th scope="col" class="number" { "Tested in" }
                    th scope="col" class="number" { "Latency, median" }
                    th scope="col" class="number" { "99 %" }
                    th scope="col" class="number" { "Time without writes" }
                } }
                tbody { @for setting in &summary.settings {
                    (overview_row(setting, &summary.study))
                } }
            }
        } }
        @for setting in &summary.settings {
            @if let Some(owed) = words::owed_to_the_lone_leader(setting, &summary.study) {
                blockquote id={ (setting.setting.id()) "-lone-leader" } { p { (owed) } }
            }
        }
        p class="small" {
            "Latencies cover acknowledged records; with acks=0 they end when a record leaves the producer. "
            (words::lingering(summary))
            "The numbers depend on " a href="#faults" { "the faults" }
            @if !summary.study.not_default.is_empty() {
                " and on " a href="#configuration" { "the properties that differ from Kafka's defaults" }
            }
            ". “Tested in” counts the decided runs that tested the setting: with acks=0 and acks=1 a \
             leader was replaced, with acks=all the in-sync replicas shrank."
        }
    }
}

fn overview_row(summary: &SettingSummary, study: &Header) -> Markup {
    let latency = |us| if summary.latency.count == 0 { "–".to_owned() } else { duration_us(us) };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    html! { tr {
        th scope="row" { a href={ "#" (summary.setting.id()) } { (summary.setting.label()) } }
        td data-label="Verdict" { (verdict(summary, study)) }
        td class="number" data-label="Lost per million" { (or_dash(summary.lost_per_million.map(|rate| rounded(rate.value)))) }
        td class="number" data-label="Runs with loss" {
            (grouped(summary.runs_with_loss)) " of " (grouped(summary.runs_decided()))
            @if summary.runs_undecided > 0 {
                " (" (grouped(summary.runs_undecided)) " more undecided)"
            }
        }
        td class="number" data-label="Tested in" { (grouped(summary.runs_tested)) }
        td class="number" data-label="Latency, median" { (latency(summary.latency.p50_us)) }
        td class="number" data-label="Latency, 99 %" { (latency(summary.latency.p99_us)) }
        td class="number" data-label="Time without writes" {
            (or_dash(summary.unavailable_share.map(|share| percent(share.value))))
        }
    } }
}

fn verdict(summary: &SettingSummary, study: &Header) -> Markup {
    let (class, shape) = match (summary.violations, summary.lost, summary.runs_undecided) {
        (1.., ..) => ("tag bad", Shape::Diamond),
        _ if !summary.is_tested() => ("tag caution", Shape::Triangle),
        (_, 0, 0) => ("tag good", Shape::Circle),
        _ => ("tag caution", Shape::Triangle),
    };
    html! {
        span class=(class) { (plot::inline_mark(shape, true)) (words::verdict(summary, study)) }
    }
}

fn cards(summary: &Summary) -> Markup {
    html! {
        h2 id="settings" { "What each setting promises, and what happened" }
        div class="cards" { @for setting in &summary.settings { (card(setting, summary)) } }
    }
}

fn card(summary: &SettingSummary, all: &Summary) -> Markup {
    html! {
        article class="card" id=(summary.setting.id()) {
            header { h3 { (summary.setting.label()) } (verdict(summary, &all.study)) }
            dl {
                dt { "Promised" }
                dd { (promise(summary.setting, &all.study)) }
                dt { "Observed" }
                dd { blockquote { (words::seen(summary)) } }
                dt { "Cost" }
                dd { (words::cost(summary)) }
            }
            (details(summary, all))
        }
    }
}

fn details(summary: &SettingSummary, all: &Summary) -> Markup {
    let rate = |rate: Option<Estimate>, show: fn(f64) -> String| {
        rate.map_or_else(
            || "–".to_owned(),
            |rate| format!("{} ({})", show(rate.value), interval(rate, show)),
        )
    };
    let load = method::load(all);
    let rows: [(&str, String); 11] = [
        ("Records given to producers", grouped(summary.sent)),
        (at_stake(summary.setting), grouped(summary.at_stake)),
        ("of those lost", grouped(summary.lost)),
        ("outcome unknown to the producer", grouped(summary.unknown)),
        ("refused", grouped(summary.failed)),
        ("read more than once", grouped(summary.duplicated)),
        ("read in another order", grouped(summary.reordered)),
        (&load, rate(summary.throughput_per_s, rounded)),
        ("batches resent, per thousand", rate(summary.retries_per_thousand, rounded)),
        ("batches given up, per thousand", rate(summary.errors_per_thousand, rounded)),
        ("time without writes", rate(summary.unavailable_share, percent)),
    ];
    html! {
        details {
            summary { "All counts (95 % intervals in brackets)" }
            table { tbody { @for (name, value) in rows { tr {
                th scope="row" { (name) }
                td class="number" { (value) }
            } } } }
            @if summary.runs_undecided > 0 {
                p class="small" {
                    (plural(summary.runs_undecided, "run was", "runs were")) " undecided: not judged to the \
                     end, or nothing was exercised. No number about losses includes them."
                }
            }
        }
    }
}

fn figure(plot: &Plot, summary: &Summary, caption: &Caption) -> Markup {
    let table = (plot.table)(summary);
    let drawn = |room| PreEscaped(plot::svg(&(plot.draw)(&table, caption, room)));
    html! {
        figure id=(plot.id) {
            div class="chart wide" { (drawn(Room::Wide)) }
            div class="chart narrow" { (drawn(Room::Narrow)) }
            figcaption { (plot.reading) }
            details {
                summary { "The numbers (also in " (plot.id) ".csv)" }
                (table.html(plot.title))
            }
        }
    }
}

fn worst(summary: &Summary) -> Markup {
    let bad = || summary.settings.iter().filter(|setting| !setting.worst.is_empty());
    html! {
        h2 id="worst" { "The worst seeds" }
        @if bad().next().is_none() {
            p { "No run lost anything." }
        } @else {
            p { "Each command repeats the run, event for event, and explains every loss." }
        }
        div class="cards" {
            @for setting in bad() {
                section class="card" {
                    h3 { (setting.setting.label()) }
                    ul class="seeds" { @for worst in &setting.worst { (worst_seed(worst)) } }
                }
            }
        }
    }
}

fn worst_seed(worst: &Worst) -> Markup {
    html! {
        li {
            b { "Seed " (worst.seed) } ": "
            (grouped(worst.lost)) " of " (plural(worst.at_stake, "record", "records")) " lost"
            @if !worst.violations.is_empty() {
                ", " (plural(worst.violations.len() as u64, "promise", "promises")) " broken"
            }
            "."
            @for violation in &worst.violations { p class="small" { (sentence(violation)) } }
            @if !worst.because.is_empty() { p class="small" { (sentence(&worst.because)) } }
            pre { (code(&worst.reproduce)) }
        }
    }
}
