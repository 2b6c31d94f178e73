//! What the findings come to: violations, what is permitted, and what cannot be known.
//!
//! A finding is permitted by a row of a closed table ([`permit::PERMISSIONS`]) or it is a
//! violation. The rows look at the configuration, at faults that were applied, and at witnesses:
//! bytes, the committed metadata log, the history of clients.

mod count;
mod explain;
pub mod permit;
mod signature;
#[cfg(test)]
mod tests;

use crate::check::{Finding, Findings, Ground};
use crate::evidence::{End, Outcome, Source, View};
use crate::result::{Counts, Permitted, Violation};
use std::collections::BTreeMap;

/// What a run comes to.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// What became of the records.
    pub counts: Counts,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// Anomalies that a setting allows after what happened.
    pub permitted: Vec<Permitted>,
    /// What cannot be judged, and why.
    pub unknown: Vec<String>,
}

/// Findings of one kind and cause are one violation, or one permission.
type Group<'a> = BTreeMap<(&'static str, &'static str, Option<usize>), (Vec<&'a Finding>, String)>;

/// Judges what the checks found.
pub fn judge(view: &View, end: &End, findings: &Findings) -> Judgement {
    let mut broken: Group<'_> = BTreeMap::new();
    let mut permitted: Group<'_> = BTreeMap::new();
    for finding in &findings.0 {
        let (group, key, because) = match permit::excuse(view, finding) {
            Some(excuse) => {
                let key = (excuse.hazard, finding.what, finding.partition);
                (&mut permitted, key, excuse.because)
            }
            None => (&mut broken, (finding.check, finding.what, finding.partition), String::new()),
        };
        group.entry(key).or_insert_with(|| (Vec::new(), because)).0.push(finding);
    }
    let mut judgement = Judgement {
        counts: count::counts(view, end),
        violations: broken.into_values().map(|(group, _)| violation(view, &group)).collect(),
        permitted: permitted
            .into_iter()
            .map(|((hazard, ..), (group, because))| permission(view, hazard, &group, because))
            .collect(),
        unknown: unknown(view, end),
    };
    judgement.permitted.extend(permit::unconfirmed(view, end));
    judgement.violations.sort_by_key(|violation| violation.at_ns);
    judgement
}

fn violation(view: &View, group: &[&Finding]) -> Violation {
    let first = group[0];
    Violation {
        check: first.check.to_owned(),
        signature: signature::of(view, first),
        at_ns: first.at,
        partition: view.name(first.partition).to_owned(),
        offset: first.offset,
        summary: summary(view, group),
        explanation: explain::lines(view, first),
        events: events(view, group),
    }
}

fn permission(view: &View, hazard: &str, group: &[&Finding], because: String) -> Permitted {
    Permitted {
        hazard: hazard.to_owned(),
        count: group.len() as u64,
        because,
        partition: view.name(group[0].partition).to_owned(),
        summary: summary(view, group),
        events: events(view, group),
    }
}

/// What was found, where, and how often.
fn summary(view: &View, group: &[&Finding]) -> String {
    let first = group[0];
    let place = match (view.name(first.partition), first.offset) {
        ("", _) => String::new(),
        (name, Some(offset)) => format!(" ({name} at {offset})"),
        (name, None) => format!(" ({name})"),
    };
    let detail = if first.detail.is_empty() { "" } else { ": " };
    let more = match group.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{}{place}{detail}{}{more}", first.what, first.detail)
}

/// The events that a group rests on, the first few.
fn events(view: &View, group: &[&Finding]) -> Vec<u64> {
    const MOST: usize = 8;
    let mut events: Vec<u64> = group.iter().map(|finding| finding.event).collect();
    for finding in group.iter().take(MOST) {
        if let (Ground::Gone { loss: Some(loss), .. }, Some(partition)) =
            (finding.ground, finding.partition)
        {
            events.push(view.partitions[partition].losses[loss as usize].event);
        }
    }
    events.retain(|event| *event != 0);
    events.sort_unstable();
    events.dedup();
    events.truncate(MOST);
    events
}

/// What keeps the judge from knowing.
fn unknown(view: &View, end: &End) -> Vec<String> {
    let mut unknown = Vec::new();
    let open = view.records.iter().filter(|(_, record)| record.outcome == Outcome::Open).count();
    if open > 0 {
        unknown.push(format!("{open} records have no outcome: the workload did not finish"));
    }
    for (partition, it) in view.partitions.iter().zip(&end.finals) {
        if partition.topic.is_some() && it.source != Source::ReadBack {
            unknown.push(format!("{} was not read back", partition.name));
        }
    }
    unknown
}
