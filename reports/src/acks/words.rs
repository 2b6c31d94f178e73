//! A paragraph for each setting, in sentences that can be quoted.

use super::confirm::Acks;
use super::hazard::because;
use super::promise::{at_stake, is_durable};
use super::study::Header;
use super::summary::{SettingSummary, Summary};
use crate::page::text::{duration_us, grouped, interval, percent, plural, rounded};

/// The losses of a setting in a sentence that begins with the setting.
pub(super) fn seen(summary: &SettingSummary) -> String {
    format!("{}: {}", summary.setting.label(), losses(summary))
}

fn losses(summary: &SettingSummary) -> String {
    let kind = at_stake(summary.setting);
    let runs = plural(summary.runs_decided(), "run", "runs");
    if summary.runs_decided() == 0 {
        let runs = plural(summary.runs, "run was", "runs were");
        return format!("{runs} undecided{}.", lost_there(summary));
    }
    if !summary.is_tested() {
        return not_tested(summary);
    }
    if summary.lost == 0 {
        let bound = summary.share_with_loss.map_or(1.0, |share| share.high);
        return format!(
            "in {runs} with the same faults none of {} {kind} records was lost (the 95 % \
             interval for the share of such runs that lose any reaches up to {}). The setting was \
             tested in {} of them.{}",
            grouped(summary.at_stake),
            percent(bound),
            grouped(summary.runs_tested),
            undecided(summary)
        );
    }
    let rate = summary.lost_per_million.map_or_else(String::new, |rate| {
        let spread = rate.estimate().map_or_else(
            || format!("from {}, too few for an interval", plural(rate.seeds, "seed", "seeds")),
            |estimate| format!("95 % interval {}", interval(estimate, rounded)),
        );
        format!("{} per million {kind} ({spread})", rounded(rate.value))
    });
    format!(
        "in {} of {runs} {kind} records were lost, {rate}, because {}.{}",
        grouped(summary.runs_with_loss),
        reasons(summary),
        undecided(summary)
    )
}

/// A sentence that a setting was not tested, with the event that was missing.
pub fn not_tested(summary: &SettingSummary) -> String {
    format!(
        "not tested. In none of {} {}, so the absence of losses means nothing.",
        plural(summary.runs_decided(), "run", "runs"),
        summary.setting.subject()
    )
}

/// A sentence about undecided runs.
fn undecided(summary: &SettingSummary) -> String {
    match summary.runs_undecided {
        0 => String::new(),
        runs => {
            let runs = plural(runs, "more run was", "more runs were");
            format!(" {runs} undecided{}.", lost_there(summary))
        }
    }
}

/// The losses of undecided runs.
fn lost_there(summary: &SettingSummary) -> String {
    match summary.lost_undecided {
        0 => String::new(),
        lost => format!(", though {} found to be lost", plural(lost, "record was", "records were")),
    }
}

/// The reasons for losses, the most frequent first.
fn reasons(summary: &SettingSummary) -> String {
    let broken = summary.hazards.iter().filter(|hazard| hazard.broken).map(|hazard| hazard.lost);
    let broken: u64 = broken.sum();
    let mut parts: Vec<String> = Vec::new();
    let allowed: Vec<_> = summary.hazards.iter().filter(|hazard| !hazard.broken).collect();
    for (place, hazard) in allowed.iter().enumerate() {
        let share = hazard.lost as f64 / summary.lost.max(1) as f64;
        let clause = because(&hazard.hazard);
        match (place, allowed.len()) {
            (0, 1) => parts.push(clause),
            (0, _) => parts.push(format!("{clause} ({} of the losses)", percent(share))),
            _ => parts.push(format!("because {clause} ({})", percent(share))),
        }
    }
    if broken > 0 {
        parts.push(format!("a promise was broken for {}", plural(broken, "record", "records")));
    }
    if parts.is_empty() {
        return "of a reason that the study does not name".to_owned();
    }
    parts.join("; ")
}

/// A sentence if at least nine of ten lost records were lost in the runs in which a leader lost
/// power while it was alone in sync, although most runs are without such an event. `None`
/// otherwise.
pub(super) fn owed_to_the_lone_leader(summary: &SettingSummary, study: &Header) -> Option<String> {
    let [with, without] = summary.lone_leader;
    if summary.lost == 0 || with.lost * 10 < summary.lost * 9 || with.runs >= without.runs {
        return None;
    }
    let share = match with.lost == summary.lost {
        true => format!("all {} lost records", grouped(summary.lost)),
        false => format!(
            "{} of the {} lost records ({})",
            grouped(with.lost),
            grouped(summary.lost),
            percent(with.lost as f64 / summary.lost as f64)
        ),
    };
    let others = match without.runs_with_loss {
        0 => "none".to_owned(),
        runs => grouped(runs),
    };
    Some(format!(
        "{}: {share} were lost in the {} in which a leader lost power while it was the only \
         in-sync replica, which {} of the fault sequences cause on purpose; of the {}, {others} lost \
         records.",
        summary.setting.label(),
        plural(with.runs, "run", "runs"),
        study.lone_leaders,
        plural(without.runs, "other run", "other runs"),
    ))
}

/// The latency and the unavailability of a setting in a sentence.
pub(super) fn cost(summary: &SettingSummary) -> String {
    let latency = &summary.latency;
    let waited = match (summary.setting.acks, latency.count) {
        (_, 0) => "No record has a latency.".to_owned(),
        (Acks::None, _) => format!(
            "Half of the records left the producer within {} (simulated), 99 % within {}; the \
             producer waits for no acknowledgement.",
            duration_us(latency.p50_us),
            duration_us(latency.p99_us)
        ),
        _ => format!(
            "Half of the records were acknowledged within {} (simulated latency), 99 % within {}, \
             99.9 % within {}.",
            duration_us(latency.p50_us),
            duration_us(latency.p99_us),
            duration_us(latency.p999_us)
        ),
    };
    let unavailable = summary.unavailable_share.map_or_else(String::new, |share| {
        format!(
            " During the load, a partition accepted no writes for {} of the time on average.",
            percent(share.value)
        )
    });
    waited + &unavailable
}

/// The effects of `enable.idempotence` on and off, in a paragraph.
pub fn idempotence(on: &SettingSummary, off: &SettingSummary) -> String {
    let label = off.setting.label();
    let stored = |it: &SettingSummary| match (it.duplicated, it.reordered) {
        (0, 0) => "no record was stored twice or in another order than it was sent".to_owned(),
        (duplicated, reordered) => format!(
            "{} stored more than once ({}) and {} in another order than sent ({})",
            plural(duplicated, "record was", "records were"),
            plural(it.runs_with_duplicates, "run", "runs"),
            grouped(reordered),
            plural(it.runs_with_reorder, "run", "runs")
        ),
    };
    let records = plural(off.sent, "record", "records");
    format!(
        "With enable.idempotence=false ({label}) {}, of {records} in {}. With Kafka's default, under \
         the same faults, {}.",
        stored(off),
        plural(off.runs, "run", "runs"),
        stored(on)
    )
}

/// The effect of idempotence on latencies in a sentence; empty if it is unknown.
pub(super) fn price_of_idempotence(on: &SettingSummary, off: &SettingSummary) -> String {
    let (with, without) = (&on.latency, &off.latency);
    if with.count == 0 || without.count == 0 {
        return String::new();
    }
    format!(
        "Half of the confirmed records had their answer within {} with idempotence and {} without \
         (simulated latency), 99 % within {} and {}.",
        duration_us(with.p50_us),
        duration_us(without.p50_us),
        duration_us(with.p99_us),
        duration_us(without.p99_us)
    )
}

/// The part of latencies that is due to linger.ms, as a sentence with a space after it; empty if no
/// producer lingers.
pub(super) fn lingering(summary: &Summary) -> String {
    let linger_us = summary.study.linger_ms * 1_000;
    if linger_us == 0 {
        return String::new();
    }
    let mut waited = summary.settings.iter().filter(|setting| setting.latency.count > 0);
    let most = match waited.all(|setting| linger_us * 2 > setting.latency.p50_us) {
        true => ", which is more than half of every median",
        false => "",
    };
    let linger = plural(summary.study.linger_ms, "millisecond", "milliseconds");
    format!("Up to {linger} of each latency are the wait for a batch to fill (linger.ms){most}. ")
}

/// Whether the promise was kept, in two to four words.
pub(super) fn verdict(summary: &SettingSummary, study: &Header) -> &'static str {
    let lost = summary.lost + summary.lost_undecided;
    match (summary.violations, lost, is_durable(summary.setting, study)) {
        _ if !summary.is_tested() && summary.runs_decided() > 0 => "not tested",
        (1.., _, _) => "promise broken",
        (0, 1.., _) => "lost, not promised",
        (0, 0, _) if summary.runs_decided() == 0 => "undecided",
        (0, 0, true) if summary.runs_undecided > 0 => "kept where decided",
        (0, 0, false) if summary.runs_undecided > 0 => "nothing lost where decided",
        (0, 0, true) => "promise kept",
        (0, 0, false) => "nothing lost",
    }
}
