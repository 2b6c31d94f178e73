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

use crate::check::{Finding, Findings, Ground, acknowledged};
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
    /// Records that the application took for written and that are gone, by reason.
    pub lost: Vec<Lost>,
}

/// Records that the application took for written and that are gone for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The hazard that allowed it, or the check whose promise was broken.
    pub reason: String,
    /// Whether a promise was broken.
    pub broken: bool,
    /// How many.
    pub count: u64,
    /// The setting and the event that excuse one of them, or what is wrong.
    pub because: String,
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
    let lost = lost(view, &permitted, &broken);
    let mut judgement = Judgement {
        lost,
        counts: count::counts(view, end),
        violations: broken.into_values().map(|(group, _)| violation(view, &group)).collect(),
        permitted: permitted
            .into_iter()
            .map(|((hazard, ..), (group, because))| permission(view, hazard, &group, because))
            .collect(),
        unknown: unknown(view, end),
    };
    let unconfirmed = permit::unconfirmed(view, end);
    judgement.lost.extend(unconfirmed.iter().map(|permitted| Lost {
        reason: permitted.hazard.clone(),
        broken: false,
        count: permitted.count,
        because: permitted.because.clone(),
    }));
    judgement.permitted.extend(unconfirmed);
    judgement.violations.sort_by_key(|violation| violation.at_ns);
    judgement
}

/// Of what was found, the acknowledged records that are gone. The same record may be missed by
/// other checks as well; here it counts once.
fn lost(view: &View, permitted: &Group<'_>, broken: &Group<'_>) -> Vec<Lost> {
    let of = |groups: &Group<'_>, is_broken: bool| -> Vec<Lost> {
        let gone = groups.iter().filter(|((_, what, _), _)| acknowledged::GONE.contains(what));
        gone.map(|((reason, ..), (group, because))| Lost {
            reason: (*reason).to_owned(),
            broken: is_broken,
            count: group.len() as u64,
            because: if is_broken { summary(view, group) } else { because.clone() },
        })
        .collect()
    };
    let mut lost = of(permitted, false);
    lost.extend(of(broken, true));
    lost
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
