//! The page of a delivery table.

use super::chart;
use super::promise::{self, Delivery};
use super::study::Mode;
use super::summary::{Because, Measure, Row, Summary};
use crate::acks::CutShort;
use crate::page::text::{grouped, interval, percent, plural, rounded, sentence};
use crate::page::{self, Page, code};
use crate::plot::{self, Caption, DELIVERY, DeliveryPlot, Room, Shape};
use crate::stat::bootstrap::ROUNDS;
use crate::stat::{FEW_SEEDS, FEWEST, Rate};
use maud::{Markup, PreEscaped, html};

/// The page as HTML text.
pub(super) fn render(summary: &Summary) -> String {
    let study = &summary.study;
    let description = format!(
        "Ways to commit offsets compared over {} seeds of simulated faults: what is skipped, what is \
         repeated, and what was promised.",
        grouped(study.seeds.count())
    );
    let caption = Caption::of_delivery(study);
    let body = html! {
        (head(summary))
        (overview(summary))
        (inputs(summary))
        h2 id="charts" { "In numbers" }
        @for plot in DELIVERY { (figure(plot, summary, &caption)) }
        (cards(summary))
        (all(summary))
        (method(summary))
    };
    let title = format!("Delivery compared: {}, seeds {}", study.scenario, study.seeds.text());
    page::render(Page {
        title: &title,
        description: &description,
        faultline: &study.made_by(),
        body,
        style: "",
        script: None,
    })
}

fn head(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        h1 { "What a consumer group skips and repeats, by how it commits" }
        p class="lead" {
            "Every way to commit went through the same faults: the same seeds, the same records at the \
             same moments, the same brokers and members failing. Only how members commit differs."
        }
        ul class="facts" {
            li { b { (grouped(study.seeds.count())) } " seeds (" (study.seeds.text()) ")" }
            li { b { (study.settings.len()) } " settings" }
            li { b { (study.members) } " members, " (study.protocol) " protocol" }
            li { "replication factor " b { (study.replication_factor) } }
            li { "scenario " b { (study.scenario) } }
            li { "Faultline " b { (study.faultline) } }
        }
        @for row in summary.not_tested() {
            p { span class="tag caution" { (plot::inline_mark(Shape::Triangle, true)) (label(row)) }
                ": no run removed a member, so that nothing is shown about it." }
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

fn label(row: &Row) -> String {
    format!("{}, {}", row.setting.commit.commit(), row.setting.commit.order())
}

/// The rows that differ only in how members commit.
fn overview(summary: &Summary) -> Markup {
    html! {
        h2 id="overview" { "At a glance" }
        p { "With " code { "isolation.level=read_committed" } " and idempotent producers. Counts are of \
             inputs; rates are per million inputs, with 95 % intervals over seeds." }
        div class="card" { div class="scroll" tabindex="0" role="region" aria-label="At a glance" {
            table class="stack" {
                thead { tr {
                    th scope="col" { "Commit" }
                    th scope="col" { "Promised" }
                    th scope="col" { "Kept" }
                    th scope="col" class="number" { "Skipped, per million" }
                    th scope="col" class="number" { "Result repeated, per million" }
                    th scope="col" class="number" { "Processed again" }
                } }
                tbody { @for row in summary.of_modes() { (overview_row(row)) } }
            }
        } }
        p class="small" { "An input is skipped if no member has finished processing it, though the group has gone \
            beyond it. A result is repeated if readers of committed records find it more than once; an input that was processed again, but \
            whose first result was aborted, counts only in the last column." }
    }
}

fn overview_row(row: &Row) -> Markup {
    html! { tr {
        th scope="row" { a href={ "#" (row.setting.commit.name()) } { (row.setting.commit.commit()) }
            br; span class="small" { (row.setting.commit.order()) } }
        td data-label="Promised" { (row.promise.name()) }
        td data-label="Kept" { (kept(row)) }
        (measured("Skipped, per million", &row.skipped, row))
        (measured("Result repeated, per million", &row.results_again, row))
        td class="number" data-label="Processed again" { (grouped(row.reprocessed.count)) }
    } }
}

/// A rate with its interval, and its runs.
fn measured(head: &str, it: &Measure, row: &Row) -> Markup {
    let rate = it.per_million.map_or("–".to_owned(), |rate| rounded(rate.value));
    let range = it.per_million.and_then(Rate::estimate);
    let runs = format!("{} of {} runs", grouped(it.runs), grouped(row.runs_decided()));
    let bound = it.share.filter(|_| it.count == 0).map(|share| percent(share.high));
    html! {
        td class="number" data-label=(head) { span {
            (rate)
            @if let Some(range) = range { " " span class="small" { "(" (interval(range, rounded)) ")" } }
            br;
            span class="small" { "in " (runs)
                @if let Some(bound) = bound { ", at most " (bound) } }
        } }
    }
}

fn kept(row: &Row) -> Markup {
    let (class, shape, words) = match (row.is_kept(), row.promise, row.runs_tested) {
        (false, ..) => ("tag bad", Shape::Diamond, "broken"),
        (true, _, 0) => ("tag caution", Shape::Triangle, "not tested"),
        (true, Delivery::None, _) => ("tag caution", Shape::Triangle, "nothing to keep"),
        (true, ..) => ("tag good", Shape::Circle, "kept"),
    };
    html! { span class=(class) { (plot::inline_mark(shape, true)) (words) } }
}

/// What isolation and idempotence change, over all ways to commit.
fn inputs(summary: &Summary) -> Markup {
    let sum = |committed: bool, of: fn(&Row) -> u64| {
        let rows = summary.rows.iter().filter(|row| row.setting.read_committed == committed);
        rows.map(of).sum::<u64>()
    };
    let twice = |idempotence: bool, of: fn(&Row) -> u64| {
        let rows = summary.rows.iter().filter(|row| row.setting.idempotence == idempotence);
        rows.map(of).sum::<u64>()
    };
    let row = |name: &str, promised: &str, effect: &str, count: u64, inputs: u64| {
        html! { tr {
            th scope="row" { code { (name) } }
            td data-label="Promised" { (promised) }
            td class="number" data-label="Seen" { (grouped(count)) " " (effect) }
            td class="number" data-label="Inputs" { (grouped(inputs)) }
        } }
    };
    html! {
        h2 id="inputs" { "What isolation and idempotence change" }
        div class="card" { div class="scroll" tabindex="0" role="region"
            aria-label="What isolation and idempotence change" {
            table class="stack" {
                thead { tr {
                    th scope="col" { "Setting" }
                    th scope="col" { "Promised" }
                    th scope="col" class="number" { "Seen" }
                    th scope="col" class="number" { "Inputs" }
                } }
                tbody {
                    (row("isolation.level=read_committed", "no record of a transaction that does not commit is read",
                        "of aborted transactions processed", sum(true, |row| row.uncommitted.count), sum(true, |row| row.inputs)))
                    (row("isolation.level=read_uncommitted", "nothing",
                        "of aborted transactions processed", sum(false, |row| row.uncommitted.count), sum(false, |row| row.inputs)))
                    (row("enable.idempotence=true", "what a producer sends again is stored once",
                        "stored twice", twice(true, |row| row.duplicated.count), twice(true, |row| row.inputs)))
                    (row("enable.idempotence=false", "nothing",
                        "stored twice", twice(false, |row| row.duplicated.count), twice(false, |row| row.inputs)))
                }
            }
        } }
        p class="small" { "Sums over all ways to commit. A record that is stored twice has two results, \
            each at an offset of its own: no way to commit helps against it." }
    }
}

fn figure(plot: DeliveryPlot, summary: &Summary, caption: &Caption) -> Markup {
    let table = plot.table(summary);
    let drawn = |room| PreEscaped(plot::svg(&plot.draw(&table, caption, room)));
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

fn cards(summary: &Summary) -> Markup {
    html! {
        h2 id="modes" { "What each way to commit promises, and what happened" }
        div class="cards" { @for row in summary.of_modes() { (card(row)) } }
    }
}

fn card(row: &Row) -> Markup {
    let mode: Mode = row.setting.commit;
    html! {
        article class="card" id=(mode.name()) {
            header { h3 { (label(row)) } (kept(row)) }
            dl {
                dt { "Promised" }
                dd { (promise::in_words(mode)) }
                dt { "Observed" }
                dd { (observed(row)) }
                @if !row.reasons.is_empty() {
                    dt { "Why" }
                    @for because in &row.reasons { dd { (reason(because)) } }
                }
            }
        }
    }
}

fn observed(row: &Row) -> String {
    let inputs = plural(row.inputs, "input", "inputs");
    let runs = plural(row.runs_decided(), "run", "runs");
    format!(
        "Of {inputs} in {runs}, {} were never processed, {} have no result and {} have one more than once; {} \
         were processed more than once. {} removed a member.",
        grouped(row.skipped.count),
        grouped(row.results_lacking.count),
        grouped(row.results_again.count),
        grouped(row.reprocessed.count),
        plural(row.runs_tested, "run", "runs"),
    )
}

fn reason(because: &Because) -> Markup {
    html! {
        details {
            summary {
                @if because.broken { b { "Broken: " } }
                (because.name) ", " (grouped(because.count)) " in " (plural(because.runs, "run", "runs"))
            }
            p class="small" { (sentence(&because.example)) }
            pre { (code(&because.reproduce)) }
        }
    }
}

/// All settings in one table.
fn all(summary: &Summary) -> Markup {
    html! {
        h2 id="all" { "All settings" }
        figure {
            details {
                summary { "All " (summary.rows.len()) " rows (also in delivery.csv)" }
                (chart::table(summary).html("All settings"))
            }
        }
    }
}

fn method(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        h2 id="method" { "How this was made" }
        ul class="method" {
            li { b { "The application. " } "Members of a group read inputs, process each for a while, and \
                send a result of each to another topic. Before they commit after processing, their results \
                are flushed. A part of the inputs is written in transactions, some of which are aborted." }
            li { b { "Paired. " } "A seed decides when records are sent, the delays of the network and the faults of \
                brokers, which are those that acks=all promises to survive. Members fail at the same times \
                in all runs: " (study.member_faults.join("; ")) ". Faults of brokers: "
                (study.families.join(", ")) "." }
            li { b { "Simulated. " } "Everything follows Kafka's protocol in virtual time. Faults are far denser than \
                in production: rates compare settings, and do not predict those of a cluster." }
            li { b { "Counted " } "are inputs of committed transactions and of plain producers that the group has \
                passed. An input is skipped if no member has finished processing it; its result may be there, since \
                results are sent first. A result is repeated if readers of committed records find more than \
                one." }
            li { b { "Intervals " } "are 95 %: of rates by percentile bootstrap over seeds (" (grouped(ROUNDS as u64))
                " draws), from " (FEWEST) " seeds with such an input on; of shares of runs by Wilson's score, which \
                bounds what was never seen." }
            li { b { "Reproducible. " } "With the same build, Faultline " (study.made_by()) ", this command gives the \
                same runs:"
                pre { (code(&study.command)) } }
            li { "The runs are in " code { "study.jsonl" } ", the numbers in " code { "report.json" } " and "
                code { "delivery.csv" } ", and each chart is also a CSV, SVG and PNG file beside this page." }
        }
        @if !study.not_default.is_empty() {
            h3 id="configuration" { "Properties that differ from Kafka's defaults" }
            p { "Time-outs are scaled down so that they expire within a run." }
            div class="card" { div class="scroll" tabindex="0" role="region"
                aria-label="Properties that differ from Kafka's defaults" {
                table class="stack" {
                    thead { tr {
                        th scope="col" { "Property" }
                        th scope="col" { "Of" }
                        th scope="col" class="number" { "Here" }
                        th scope="col" class="number" { "Kafka's default" }
                    } }
                    tbody { @for it in &study.not_default { tr {
                        th scope="row" { code { (it.property) } }
                        td data-label="Of" { (it.of) }
                        td class="number" data-label="Here" { (it.value) }
                        td class="number" data-label="Kafka's default" { (it.default) }
                    } } }
                }
            } }
        }
    }
}
