//! How the numbers of a comparison came about: what a reader who decides by them has to know.

use super::pairs::{PairSummary, Shown};
use super::study::NotDefault;
use super::summary::{LoneSummary, SettingSummary, Summary};
use super::words;
use crate::page::code;
use crate::page::text::{chance, grouped, interval, plural, signed};
use crate::stat::bootstrap::ROUNDS;
use crate::stat::{FEWEST, Rate};
use maud::{Markup, html};

/// What min.insync.replicas changes under each acks, within seeds.
pub(super) fn pairs(summary: &Summary) -> Markup {
    html! {
        @if let Some(first) = summary.pairs.first() {
            @let heads = PairHeads::of(first);
            h2 id="pairs" { "What min.insync.replicas changes" }
            @if summary.study.replication_factor > 1 { p { "With acks 0 and 1 no record is refused for min.insync.replicas, but it decides who \
                may lead next: with min ISR 2 the high watermark stands still while a leader is in \
                sync alone, and a replica that has fallen behind stays eligible (KIP-966), so that \
                another than the last leader may lead, without the newest records; with min ISR 1 \
                the partition waits for the last one in sync, which has them unless its power \
                failed." } }
            div class="card" { div class="scroll" tabindex="0" role="region" aria-label="Pairs" {
                table class="stack" {
                    thead { tr {
                        th scope="col" { "acks" }
                        th scope="col" class="number" { (heads.difference) }
                        th scope="col" class="number" { "95 % interval" }
                        @for more in &heads.more { th scope="col" class="number" { (more) } }
                        th scope="col" class="number" { "Sign test" }
                        th scope="col" { "So" }
                    } }
                    tbody { @for pair in &summary.pairs { (pair_row(pair)) } }
                }
            } }
            p class="small" { "Differences within seeds. The exact two-sided sign test decides whether \
                there is one: it is the probability that tossing a coin divides the seeds that \
                differ as unevenly. It counts seeds, not records; at 5 % or more no difference is \
                shown. The interval, by bootstrap over seeds, shows how large the difference may \
                be; with fewer than " (FEWEST) " seeds that differ there is none." }
        }
    }
}

/// What turning idempotence off changes under the most careful setting.
pub(super) fn idempotence(summary: &Summary) -> Markup {
    let count = |records, runs| format!("{} in {}", grouped(records), plural(runs, "run", "runs"));
    html! {
        @if let Some([on, off]) = summary.idempotence() {
            h2 id="idempotence" { "What turning idempotence off costs" }
            blockquote { p { (words::idempotence(on, off)) } }
            div class="card" { div class="scroll" tabindex="0" role="region"
                aria-label="What turning idempotence off costs" {
                table class="stack" {
                    thead { tr {
                        th scope="col" { "Setting" }
                        th scope="col" class="number" { "Records read more than once" }
                        th scope="col" class="number" { "Records read in another order" }
                    } }
                    tbody { @for it in [on, off] { tr {
                        th scope="row" { a href={ "#" (it.setting.id()) } { (it.setting.label()) } }
                        td class="number" data-label="Records read more than once" {
                            (count(it.duplicated, it.runs_with_duplicates))
                        }
                        td class="number" data-label="Records read in another order" {
                            (count(it.reordered, it.runs_with_reorder))
                        }
                    } } }
                }
            } }
            p class="small" {
                (words::price_of_idempotence(on, off)) " With acks 0 and 1 Kafka turns idempotence off \
                by itself. What an application sends again is another record, with idempotence too."
            }
        }
    }
}

/// The names of the columns of a pair. They stand alone on a phone, so each says which value it
/// means.
struct PairHeads {
    difference: String,
    more: [String; 2],
}

impl PairHeads {
    fn of(pair: &PairSummary) -> Self {
        let [first, second] = pair.min_isr;
        Self {
            difference: format!("Lost per million with min ISR {second}, minus that with {first}"),
            more: pair.min_isr.map(|it| format!("Seeds that lost more with min ISR {it}")),
        }
    }
}

fn pair_row(pair: &PairSummary) -> Markup {
    let heads = PairHeads::of(pair);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let estimate = pair.lost_per_million.and_then(Rate::estimate);
    let so = match pair.shown() {
        Shown::NotTested => "not tested".to_owned(),
        Shown::NoDifference => "no difference shown".to_owned(),
        Shown::WorseWith(min_isr) => format!("worse with min ISR {min_isr}"),
    };
    html! { tr {
        th scope="row" { "acks=" (pair.acks.name()) }
        td class="number" data-label=(heads.difference) {
            (or_dash(pair.lost_per_million.map(|rate| signed(rate.value))))
        }
        td class="number" data-label="95 % interval" {
            (or_dash(estimate.map(|rate| interval(rate, signed))))
        }
        @for (more, seeds) in heads.more.iter().zip([pair.more_with_first, pair.more_with_second]) {
            td class="number" data-label=(more) { (grouped(seeds)) }
        }
        td class="number" data-label="Sign test" { (or_dash(pair.sign_test_p.map(chance))) }
        td class="name" data-label="So" { (so) }
    } }
}

/// How this was made.
pub(super) fn method(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        h2 id="method" { "How this was made" }
        ul class="method" {
            li { b { "Paired. " } "A seed decides the arrivals of records, the delays of the \
                network and the faults. Each seed was run once with each setting. The faults are \
                those that acks=all with min ISR 2 and three replicas promises to survive"
                @if study.unclean_leader_election { " without unclean leader election" }
                "; for the other settings the same faults strike the same nodes at the same moments, whether or not they \
                promise to survive them. A crash at the n-th disk operation strikes the other \
                settings at the moment at which it struck this one." }
            li { b { "Simulated. " } "Brokers, controllers and clients follow Kafka's protocol in \
                virtual time on simulated networks and disks. Latencies compare settings with each \
                other; they do not predict those of your hardware. Losses come from the protocol, \
                and the faults are far denser than in production: one run holds the bad luck of \
                months. So rates compare settings as well; they predict none." }
            li { b { "Lost " } "means: acknowledged, or with acks=0 sent, and not readable after \
                everything was healed." }
            li { b { "Latency " } "counts from handing a record to the producer until its outcome \
                was known, retries included, and with acks=0 until it left the producer; records \
                whose outcome stayed unknown have none. " (words::lingering(summary)) }
            li { b { "Time without writes " } "counts from handing a record to a producer until its \
                partition accepted one, if that took longer than a quarter of a second: until a \
                record was confirmed, or with acks=0 until a leader appended it. It is a share of the time in \
                which records were offered, from the first to the last, of each partition; what the \
                faults last beyond that counts for nothing. With acks=0 no missing \
                response shows a producer that its leader is gone: it goes on sending there until \
                the connection closes or its metadata is refreshed." }
            li { b { "Intervals " } "are 95 %: of rates and differences by percentile bootstrap \
                over seeds (" (grouped(ROUNDS as u64)) " draws), since records within a run are \
                lost together; of shares of runs by Wilson's score. The bootstrap only draws again \
                what was seen, so of losses it has an interval from " (FEWEST) " seeds with a loss \
                on, and is optimistic while they are few and unequal: with about " (FEWEST) " of \
                them it holds the true rate in 70 to 90 of 100 studies instead of 95. Where nothing \
                was lost, Wilson's bound is the one to read." }
            li { b { "Made again " } "by the same build, Faultline " (study.made_by()) ", this line gives the \
                same runs:"
                pre { (code(&study.command)) } }
            li { "The runs are in " code { "study.jsonl" } ", the numbers in "
                code { "report.json" } ", and each chart is also a CSV, SVG and PNG file beside \
                this page." }
        }
        (faults(summary))
        (not_default(summary))
    }
}

/// What kinds of faults there were, and what was lost where a leader was alone in sync.
fn faults(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        h3 id="faults" { "The faults" }
        p { "A run's faults are short sequences, such as a leader that dies while its follower lags, \
            each about one partition, and many close upon another. They are made of: "
            (study.families.join(", ")) ". Of these sequences " (study.lone_leaders) " isolate a \
            leader from its followers and then cut its power. A leader that loses its power while \
            it is alone in sync is what min.insync.replicas is about, and rare in a mix of all \
            faults; so the losses of the runs in which it came about are counted apart here." }
        div class="card" { div class="scroll" tabindex="0" role="region" aria-label="The faults" {
            table class="stack" {
                thead { tr {
                    th scope="col" { "Setting" }
                    th scope="col" class="number" { "Runs with loss, with that" }
                    th scope="col" class="number" { "Records lost" }
                    th scope="col" class="number" { "Runs with loss, without" }
                    th scope="col" class="number" { "Records lost" }
                } }
                tbody { @for setting in &summary.settings { (faults_row(setting)) } }
            }
        } }
    }
}

fn faults_row(summary: &SettingSummary) -> Markup {
    let heads = ["Runs with loss, with that", "Runs with loss, without"];
    let cells = |(LoneSummary { runs, runs_with_loss, lost, .. }, head): (LoneSummary, &str)| {
        html! {
            td class="number" data-label=(head) {
                (grouped(runs_with_loss)) " of " (grouped(runs))
            }
            td class="number" data-label="Records lost" { (grouped(lost)) }
        }
    };
    html! { tr {
        th scope="row" { (summary.setting.label()) }
        @for cell in summary.lone_leader.into_iter().zip(heads) { (cells(cell)) }
    } }
}

/// What is not as Kafka has it.
fn not_default(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        @if !study.not_default.is_empty() {
            h3 id="configuration" { "What is not Kafka's default" }
            p {
                @if study.not_default.iter().any(is_scaled_down) {
                    "Times are scaled down, so that what waits for them happens within a run. "
                }
                "With Kafka's own values the rates differ, and their order may."
                @let decisive = decisive(&study.not_default);
                @for (place, property) in decisive.iter().enumerate() {
                    (if place > 0 { " and " } else { " " }) code { (property) }
                }
                @match decisive.len() {
                    0 => {},
                    1 => " decides how long a leader goes on that has been cut off.",
                    _ => " decide how long a leader goes on that has been cut off.",
                }
            }
            div class="card" { div class="scroll" tabindex="0" role="region"
                aria-label="What is not Kafka's default" {
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

/// Of the properties that are not Kafka's default, those on which the losses hang most.
fn decisive(not_default: &[NotDefault]) -> Vec<&'static str> {
    let mut all = vec!["replica.lag.time.max.ms", "broker.session.timeout.ms"];
    all.retain(|name| not_default.iter().any(|it| it.property == *name));
    all
}

/// Whether it is a time, and shorter than Kafka's.
fn is_scaled_down(it: &NotDefault) -> bool {
    let ms = |text: &str| text.parse::<u64>().ok();
    let (value, default) = (ms(&it.value), ms(&it.default));
    it.property.ends_with(".ms")
        && value.zip(default).is_some_and(|(value, default)| value < default)
}

/// How many records a second, in words.
pub(super) fn load(summary: &Summary) -> String {
    format!(
        "written per second while records were offered (the scenario offers {})",
        grouped(summary.study.rate_per_s)
    )
}
