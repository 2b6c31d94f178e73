//! The page of a comparison.

use super::promise::{at_stake, promise};
use super::summary::{SettingSummary, Summary, Worst};
use super::words;
use crate::page::text::{duration_us, grouped, interval, percent, plural, rounded};
use crate::page::{self, Page};
use crate::plot::{self, Caption, Plot, Room, Shape};
use crate::stat::bootstrap::ROUNDS;
use maud::{Markup, PreEscaped, html};

/// The page as a file.
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
        h2 id="charts" { "In numbers" }
        @for plot in plot::ACKS { (figure(plot, summary, &caption)) }
        (worst(summary))
        (method(summary))
    };
    let title = format!("acks compared: {}, seeds {}", study.scenario, study.seeds.text());
    let faultline = &study.faultline;
    page::render(Page { title: &title, description: &description, faultline, body })
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
            li { "unclean leader election " b { "off" } }
            li { "scenario " b { (study.scenario) } }
            li { "Faultline " b { (study.faultline) } }
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
            table {
                thead { tr {
                    th scope="col" { "Setting" }
                    th scope="col" { "Verdict" }
                    th scope="col" class="number" { "Lost per million" }
                    th scope="col" class="number" { "Runs with loss" }
                    th scope="col" class="number" { "Latency, median" }
                    th scope="col" class="number" { "99 %" }
                    th scope="col" class="number" { "Time without writes" }
                } }
                tbody { @for setting in &summary.settings { (overview_row(setting)) } }
            }
        } }
    }
}

fn overview_row(summary: &SettingSummary) -> Markup {
    let latency = |us| if summary.latency.count == 0 { "–".to_owned() } else { duration_us(us) };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    html! { tr {
        th scope="row" { a href={ "#" (summary.setting.id()) } { (summary.setting.label()) } }
        td { (verdict(summary)) }
        td class="number" { (or_dash(summary.lost_per_million.map(|rate| rounded(rate.value)))) }
        td class="number" { (grouped(summary.runs_with_loss)) " of " (grouped(summary.runs)) }
        td class="number" { (latency(summary.latency.p50_us)) }
        td class="number" { (latency(summary.latency.p99_us)) }
        td class="number" {
            (or_dash(summary.unavailable_share.map(|share| percent(share.value))))
        }
    } }
}

fn verdict(summary: &SettingSummary) -> Markup {
    let (class, shape) = match (summary.violations, summary.lost) {
        (1.., _) => ("tag bad", Shape::Diamond),
        (_, 0) => ("tag good", Shape::Circle),
        _ => ("tag caution", Shape::Triangle),
    };
    html! {
        span class=(class) { (plot::inline_mark(shape, true)) (words::verdict(summary)) }
    }
}

fn cards(summary: &Summary) -> Markup {
    html! {
        h2 id="settings" { "What each setting promises, and what was seen" }
        div class="cards" { @for setting in &summary.settings { (card(setting)) } }
    }
}

fn card(summary: &SettingSummary) -> Markup {
    html! {
        article class="card" id=(summary.setting.id()) {
            header { h3 { (summary.setting.label()) } (verdict(summary)) }
            dl {
                dt { "Promised" }
                dd { (promise(summary.setting)) }
                dt { "Seen" }
                dd { blockquote { (words::seen(summary)) } }
                dt { "Cost" }
                dd { (words::cost(summary)) }
            }
            (details(summary))
        }
    }
}

fn details(summary: &SettingSummary) -> Markup {
    let rate = |rate: Option<crate::stat::Estimate>, show: fn(f64) -> String| {
        rate.map_or_else(
            || "–".to_owned(),
            |rate| format!("{} ({})", show(rate.value), interval(rate, show)),
        )
    };
    let rows: [(&str, String); 11] = [
        ("Records given to producers", grouped(summary.sent)),
        (at_stake(summary.setting), grouped(summary.at_stake)),
        ("of those lost", grouped(summary.lost)),
        ("outcome unknown to the producer", grouped(summary.unknown)),
        ("refused for certain", grouped(summary.failed)),
        ("read more than once", grouped(summary.duplicated)),
        ("read in another order", grouped(summary.reordered)),
        ("records per second", rate(summary.throughput_per_s, rounded)),
        ("batches sent again, per thousand", rate(summary.retries_per_thousand, rounded)),
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
            @if summary.runs_untold > 0 {
                p class="small" {
                    "In " (plural(summary.runs_untold, "run", "runs")) " the judge could not tell, \
                     or the faults reached nothing. They are counted."
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
            p { "Each line makes the run again, event for event, and explains every loss." }
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
            @for violation in &worst.violations { p class="small" { (violation) } }
            @if !worst.because.is_empty() { p class="small" { (worst.because) } }
            pre { code { (worst.reproduce) } }
        }
    }
}

fn method(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        h2 id="method" { "How this was made" }
        ul class="method" {
            li { b { "Paired. " } "A seed decides the arrivals of records, the delays of the \
                network and the faults. Each seed was run once with each setting. The faults are \
                those that acks=all with min ISR 2 promises to survive; for the other settings \
                the same faults strike the same nodes at the same moments, whether or not they \
                promise to survive them." }
            li { b { "Simulated. " } "Brokers, controllers and clients follow Kafka's protocol in \
                virtual time on simulated networks and disks. Latencies compare settings with each \
                other; they do not predict those of your hardware. Losses come from the protocol, \
                and the faults are far denser than in production: one run holds the bad luck of \
                months." }
            li { b { "Lost " } "means: acknowledged, or with acks=0 sent, and not readable after \
                everything was healed." }
            li { b { "Latency " } "counts from handing a record to the producer until its outcome \
                was known, retries included; records whose outcome stayed unknown have none." }
            li { b { "Time without writes " } "counts from handing a record to a producer until its \
                partition accepted one, if that took longer than a quarter of a second: until a \
                producer was told, or with acks=0 until a leader appended." }
            li { b { "Intervals " } "are 95 %: of rates by percentile bootstrap over seeds ("
                (grouped(ROUNDS as u64)) " draws), since records within a run are lost together; \
                of shares of runs by Wilson's score." }
            li { b { "Made again " } "with the same version, this line gives the same bytes:"
                pre { code { (study.command) } } }
            li { "The runs are in " code { "study.jsonl" } ", the numbers in "
                code { "report.json" } ", and each chart is also a CSV, SVG and PNG file beside \
                this page." }
        }
    }
}
