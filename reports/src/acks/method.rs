//! How the numbers of a comparison were made, for readers who decide by them.

use super::pairs::{PairSummary, Shown};
use super::study::NotDefault;
use super::summary::{LoneSummary, SettingSummary, Summary};
use super::words;
use crate::page::code;
use crate::page::text::{chance, grouped, interval, plural, signed};
use crate::stat::bootstrap::ROUNDS;
use crate::stat::{FEWEST, Rate};
use maud::{Markup, html};

/// The effect of min.insync.replicas under each value of acks, compared seed by seed.
pub(super) fn pairs(summary: &Summary) -> Markup {
    html! {
        @if let Some(first) = summary.pairs.first() {
            @let heads = PairHeads::of(first);
            h2 id="pairs" { "What min.insync.replicas changes" }
            @if summary.study.replication_factor > 1 { p { "With acks=0 and acks=1 no record is refused because of min.insync.replicas, but it \
                decides which replica may lead next. With min ISR 2 the high watermark does not \
                advance while the leader is the only in-sync replica, and a replica that has \
                fallen behind stays eligible (KIP-966), so that it may lead without the newest \
                records. With min ISR 1 the partition waits for the last in-sync replica, which \
                has these records unless it lost power." } }
            div class="card" { div class="scroll" tabindex="0" role="region" aria-label="Pairs" {
                table class="stack" {
                    thead { tr {
                        th scope="col" { "acks" }
                        th scope="col" class="number" { (heads.difference) }
                        th scope="col" class="number" { "95 % interval" }
                        @for more in &heads.more { th scope="col" class="number" { (more) } }
                        th scope="col" class="number" { "Sign test" }
                        th scope="col" { "Conclusion" }
                    } }
                    tbody { @for pair in &summary.pairs { (pair_row(pair)) } }
                }
            } }
            p class="small" { "Differences are taken within seeds. The exact two-sided sign test decides \
                whether there is a difference: its p-value is the probability that a coin toss \
                for each differing seed gives a split at least as uneven. It counts seeds, not \
                records; at 5 % or more no difference is shown. The interval, by bootstrap over \
                seeds, shows how large the difference may be; it is shown from " (FEWEST)
                " differing seeds." }
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

/// The column headings of a pair. On a phone each heading stands alone, so each names the value of
/// min.insync.replicas.
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
        td class="name" data-label="Conclusion" { (so) }
    } }
}

/// The section on the method.
pub(super) fn method(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        h2 id="method" { "How this was made" }
        ul class="method" {
            li { b { "Paired. " } "A seed decides when records are sent, the delays of the \
                network and the faults. Each seed was run once with each setting. The faults are \
                those that acks=all with min ISR 2 and three replicas promises to survive"
                @if study.unclean_leader_election { " without unclean leader election" }
                "; for the other settings the same faults strike the same nodes at the same times, whether or not they \
                promise to survive them. A crash at the n-th disk operation is repeated under the \
                other settings at the same time." }
            li { b { "Simulated. " } "Brokers, controllers and clients follow Kafka's protocol in \
                virtual time on simulated networks and disks. Latencies compare settings with each \
                other; they do not predict those of your hardware. Losses come from the protocol, \
                and the faults are far denser than in production: one run holds the bad luck of \
                months. So loss rates, too, only compare settings." }
            li { b { "Lost " } "means: acknowledged, or sent with acks=0, and not readable after \
                all faults were healed." }
            li { b { "Latency " } "is the time from handing a record to the producer until its \
                acknowledgement, retries included, or with acks=0 until the record left the \
                producer. Records without an acknowledgement have none. " (words::lingering(summary)) }
            li { b { "Time without writes " } "counts from handing a record to a producer until its \
                partition accepted a record, if that took longer than a quarter of a second: until \
                a record was acknowledged, or with acks=0 until a leader appended it. It is given \
                as a share of the load of each partition, from its first record to its last; later \
                faults do not count. With acks=0 no missing response shows a producer that its \
                leader is gone: it continues to send there until the connection closes or its \
                metadata is refreshed." }
            li { b { "Intervals " } "are 95 %: of rates and differences by percentile bootstrap \
                over seeds (" (grouped(ROUNDS as u64)) " draws), since records within a run are \
                lost together; of shares of runs by Wilson's score. The bootstrap only draws \
                observed seeds, so a loss rate has an interval only if at least " (FEWEST) " seeds \
                lost records, and the interval is too narrow while such seeds are few and unequal: \
                with about " (FEWEST) " of them it holds the true rate in 70 to 90 of 100 studies \
                instead of 95. Where nothing was lost, read Wilson's bound." }
            li { b { "Reproducible. " } "With the same build, Faultline " (study.made_by()) ", this command gives the \
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

/// The families of faults, and the losses of runs in which a leader lost power while it was alone
/// in sync.
fn faults(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        h3 id="faults" { "The faults" }
        p { "A run's faults are short sequences, such as a leader that crashes while its follower lags. \
            Each sequence is about one partition, and many follow closely upon another. Their \
            faults are: "
            (study.families.join(", ")) ". Of these sequences " (study.lone_leaders) " isolate a \
            leader from its followers and then cut its power. A leader that loses power while \
            it is the only in-sync replica is what min.insync.replicas is about, and rare in a mix \
            of all faults; so the losses of the runs in which this happened are counted \
            separately here." }
        div class="card" { div class="scroll" tabindex="0" role="region" aria-label="The faults" {
            table class="stack" {
                thead { tr {
                    th scope="col" { "Setting" }
                    th scope="col" class="number" { "Runs with loss, lone leader" }
                    th scope="col" class="number" { "Records lost" }
                    th scope="col" class="number" { "Runs with loss, others" }
                    th scope="col" class="number" { "Records lost" }
                } }
                tbody { @for setting in &summary.settings { (faults_row(setting)) } }
            }
        } }
    }
}

fn faults_row(summary: &SettingSummary) -> Markup {
    let heads = ["Runs with loss, lone leader", "Runs with loss, others"];
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

/// The properties that differ from Kafka's defaults.
fn not_default(summary: &Summary) -> Markup {
    let study = &summary.study;
    html! {
        @if !study.not_default.is_empty() {
            h3 id="configuration" { "Properties that differ from Kafka's defaults" }
            p {
                @if study.not_default.iter().any(is_scaled_down) {
                    "Time-outs are scaled down so that they expire within a run. "
                }
                "With Kafka's defaults the rates differ, and the order of the settings may."
                @let decisive = decisive(&study.not_default);
                @for (place, property) in decisive.iter().enumerate() {
                    (if place > 0 { " and " } else { " " }) code { (property) }
                }
                @match decisive.len() {
                    0 => {},
                    1 => " decides how long an isolated leader continues to lead.",
                    _ => " decide how long an isolated leader continues to lead.",
                }
            }
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

/// The properties among `not_default` on which the losses depend most.
fn decisive(not_default: &[NotDefault]) -> Vec<&'static str> {
    let mut all = vec!["replica.lag.time.max.ms", "broker.session.timeout.ms"];
    all.retain(|name| not_default.iter().any(|it| it.property == *name));
    all
}

/// Whether the property is a time that is shorter than Kafka's default.
fn is_scaled_down(it: &NotDefault) -> bool {
    let ms = |text: &str| text.parse::<u64>().ok();
    let (value, default) = (ms(&it.value), ms(&it.default));
    it.property.ends_with(".ms")
        && value.zip(default).is_some_and(|(value, default)| value < default)
}

/// The name of the throughput row, with the load of the scenario.
pub(super) fn load(summary: &Summary) -> String {
    format!("written per second of load (the scenario sends {})", grouped(summary.study.rate_per_s))
}
