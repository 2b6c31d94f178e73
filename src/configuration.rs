//! The settings of a scenario that differ from the defaults of Kafka or the simulator, for
//! summaries.

use crate::progress::plural;
use crate::summary::Page;
use spec::{NotDefault, Scenario};
use std::collections::BTreeSet;

/// The number of settings that are named; the others are only counted.
const OTHERS: usize = 6;

/// Settings, each with the kinds of processes that have the property, if there are several.
pub(crate) fn applied(settings: &[String], scenario: &Scenario) -> Vec<String> {
    let in_words = |setting: &String| {
        let name = setting.split('=').next().unwrap_or_default().trim();
        match scenario.having(name).as_slice() {
            [] | [_] => setting.clone(),
            [others @ .., last] => format!("{setting} ({} and {last})", others.join(", ")),
        }
    };
    settings.iter().map(in_words).collect()
}

/// The settings made by hand, and the properties that differ from Kafka's defaults; the scaled-down
/// time-outs are only counted.
pub(crate) fn configuration(
    page: &mut Page,
    by_hand: &[String],
    not_default: &[NotDefault],
    listed: &str,
) {
    if !by_hand.is_empty() {
        page.paragraph("set", &by_hand.join(", "));
    }
    let set = |name: &str| {
        by_hand.iter().any(|setting| setting.split('=').next().map(str::trim) == Some(name))
    };
    let others = not_default.iter().filter(|it| !set(&it.property));
    let (shorter, others): (Vec<&NotDefault>, Vec<_>) = others.partition(|it| is_shorter(it));
    let mut parts: BTreeSet<String> = BTreeSet::new();
    parts.extend(others.iter().map(|it| format!("{}={}", it.property, it.value)));
    let mut parts: Vec<String> = parts.into_iter().collect();
    if parts.len() > OTHERS {
        let more = parts.len() - OTHERS;
        parts.truncate(OTHERS);
        parts.push(format!("{more} more"));
    }
    let names: BTreeSet<&str> = shorter.iter().map(|it| it.property.as_str()).collect();
    if let Some(first) = shorter.iter().find(|it| it.property == "replica.lag.time.max.ms") {
        parts.push(format!(
            "{} below Kafka's{} {}={} instead of {}",
            plural(names.len() as u64, "time-out"),
            if names.len() == 1 { ":" } else { ", such as" },
            first.property,
            first.value,
            first.default
        ));
    } else if !names.is_empty() {
        parts.push(format!("{} below Kafka's", plural(names.len() as u64, "time-out")));
    }
    let text = match parts.as_slice() {
        [] if by_hand.is_empty() => "no property differs from Kafka's default".to_owned(),
        [] => return,
        parts => format!("{} (all in {listed})", parts.join(", ")),
    };
    page.paragraph("scenario", &text);
}

/// The settings of network, disks and clocks that differ from the defaults of the simulator.
pub(crate) fn environment(scenario: &Scenario) -> Vec<String> {
    let mut parts = Vec::new();
    let clocks = spec::Clocks::default();
    let Scenario { clocks: own, network, disk, .. } = scenario;
    if *own != clocks {
        parts.push(format!("clocks off by up to {} and {} ppm", own.skew, own.drift_ppm));
    }
    keys("network.brokers", &network.brokers, &mut parts);
    keys("network.controllers", &network.controllers, &mut parts);
    keys("network.clients", &network.clients, &mut parts);
    keys("network.clusters", &network.clusters, &mut parts);
    keys("disk", disk, &mut parts);
    if parts.len() > OTHERS {
        let more = parts.len() - OTHERS;
        parts.truncate(OTHERS);
        parts.push(format!("{more} more"));
    }
    parts
}

/// The keys that are set in a table of a scenario, as `disk.capacity=1000000`.
fn keys(table: &str, of: &impl serde::Serialize, parts: &mut Vec<String>) {
    let value = serde_json::to_value(of).expect("a scenario is plain data");
    for (key, value) in value.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        parts.push(format!("{table}.{key}={value}"));
    }
}

/// Whether the property is a time-out, an interval or a back-off that a scenario scales down so
/// that it expires within the run.
fn is_shorter(it: &NotDefault) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    let is_time_out = ["timeout", "interval", "lag.time", "backoff"]
        .iter()
        .any(|part| it.property.contains(part));
    is_time_out
        && it.property.ends_with(".ms")
        && matches!((number(&it.value), number(&it.default)), (Some(a), Some(b)) if a < b)
}
