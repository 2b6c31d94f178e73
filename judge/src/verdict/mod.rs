//! The outcome of the findings: violations, permitted anomalies, and what the run does not decide.
//!
//! A finding is permitted by a row of a closed table ([`permission::PERMISSIONS`]) or it is a
//! violation. The rows use the configuration, the applied faults, and evidence: bytes, the
//! committed metadata log, the history of clients.

mod count;
mod course;
mod disks;
mod explain;
mod group_counts;
mod groups;
mod idempotence;
mod outcomes;
mod path;
pub mod permission;
mod retries;
mod signature;
pub mod stopped;
#[cfg(test)]
mod tests;
mod transactions;
mod unconfirmed;

use crate::check::{CALLBACKS, CHECKS, Finding, Findings, Ground, acknowledged};
use crate::evidence::{End, Outcome, Source, View};
use crate::outcome::{Counts, GroupCounts, Permitted, Sum, Transactions, Violation};
use explain::Line;
use permission::Excuse;
use std::collections::{BTreeMap, BTreeSet};
use unconfirmed::Unconfirmed;

/// The largest number of events that a verdict names for a violation or a permission.
const EVENTS: usize = 8;

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// The outcomes of the records.
    pub counts: Counts,
    /// The outcomes of the transactions.
    pub transactions: Transactions,
    /// The sum over accounts, if transactions are transfers between them.
    pub sum: Option<Sum>,
    /// What the members of each group of consumers did, by its name.
    pub groups: BTreeMap<String, GroupCounts>,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// Anomalies that a setting allows after what happened.
    pub permitted: Vec<Permitted>,
    /// The open questions of the run, and the reasons.
    pub unknown: Vec<String>,
    /// The partitions of the workload that were not read back to their end, by name.
    pub not_read_back: Vec<String>,
    /// Records that the application considered written and that are gone, by reason.
    pub lost: Vec<Lost>,
}

/// Records that the application considered written and that are gone for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The hazard that allowed it, or the check whose promise was broken.
    pub reason: String,
    /// Whether a promise was broken.
    pub broken: bool,
    /// The number of anomalies.
    pub count: u64,
    /// The setting and the event that excuse one of them, or what is wrong.
    pub because: String,
}

/// Findings of one check, kind and partition are one violation.
type Broken<'a> = BTreeMap<(&'static str, &'static str, Option<usize>), Vec<&'a Finding>>;

/// What one hazard excuses in one partition is one permission, whichever checks found it.
type Excused<'a> = BTreeMap<(&'static str, Option<usize>), Vec<(&'a Finding, String)>>;

/// Judges the findings of the checks.
pub fn judge(view: &View, end: &End, findings: &Findings) -> Judgement {
    let mut broken = Broken::new();
    let mut permitted = Excused::new();
    let unconfirmed = Unconfirmed::of(view, end);
    for finding in &findings.0 {
        match permission::excuse(view, end, finding) {
            // It counts as a record that was sent with acks=0.
            Some(_) if unconfirmed.covers(finding) => {}
            Some(Excuse { hazard, because }) => {
                let group = permitted.entry((hazard, finding.partition)).or_default();
                group.push((finding, because));
            }
            None => {
                let key = (finding.check, finding.what, finding.partition);
                broken.entry(key).or_default().push(finding);
            }
        }
    }
    for group in permitted.values_mut() {
        // Records that an application lost come first; the other findings explain them.
        group.sort_by_key(|(finding, _)| !is_gone(finding));
    }
    let lost = lost(view, &permitted, &broken);
    let mut judgement = Judgement {
        lost,
        counts: count::counts(view, end),
        transactions: outcomes::transactions(view, end),
        sum: outcomes::sum(view, end),
        groups: group_counts::counts(view, end),
        violations: broken.into_values().map(|group| violation(view, &group)).collect(),
        permitted: permitted
            .into_iter()
            .map(|((hazard, _), group)| permission(view, hazard, group))
            .collect(),
        unknown: unknown(view, end),
        not_read_back: not_read_back(view, end).map(|(_, name)| name.to_owned()).collect(),
    };
    let unconfirmed = unconfirmed.permitted(view);
    judgement.lost.extend(unconfirmed.iter().map(|permitted| Lost {
        reason: permitted.hazard.clone(),
        broken: false,
        count: permitted.count,
        because: permitted.because.clone(),
    }));
    judgement.permitted.extend(unconfirmed);
    // The checks that users care about most come first, and of one check the earliest violation.
    judgement.violations.sort_by_key(|violation| (rank(&violation.check), violation.at_ns));
    judgement
}

/// The place of a check in the table, which is in the order of what users care about.
fn rank(check: &str) -> usize {
    CHECKS.iter().position(|row| row.name == check).unwrap_or(CHECKS.len())
}

/// The acknowledged records that are gone, by reason. Several checks may have found the same
/// record; it counts once.
fn lost(view: &View, permitted: &Excused<'_>, broken: &Broken<'_>) -> Vec<Lost> {
    let excused = permitted.iter().filter_map(|((hazard, _), group)| {
        // Lost records come first.
        let (_, because) = group.first().filter(|(finding, _)| is_gone(finding))?;
        Some(Lost {
            reason: (*hazard).to_owned(),
            broken: false,
            count: group.iter().filter(|(finding, _)| is_gone(finding)).count() as u64,
            because: because.clone(),
        })
    });
    let gone = broken.iter().filter(|(_, group)| is_gone(group[0]));
    let unexcused = gone.map(|((check, ..), group)| Lost {
        reason: (*check).to_owned(),
        broken: true,
        count: group.len() as u64,
        because: summary(view, group, group.len() as u64),
    });
    excused.chain(unexcused).collect()
}

/// Whether a finding reports an acknowledged record as gone. Each such record has one such finding.
fn is_gone(finding: &Finding) -> bool {
    acknowledged::GONE.contains(&finding.what)
}

fn violation(view: &View, group: &[&Finding]) -> Violation {
    let first = group[0];
    let lines = match first.partition {
        // Each finding has a different subject, and the summary names only the first.
        None => {
            let others = group.iter().skip(1);
            let others = others.map(|finding| Line::without_event(finding.detail.clone()));
            explain::missing(view, first).into_iter().chain(others).collect()
        }
        Some(_) => explain::lines(view, first),
    };
    let (explanation_events, explanation) = texts(lines);
    Violation {
        check: first.check.to_owned(),
        signature: signature::of(view, first),
        at_ns: view.since_load(first.at),
        partition: view.name(first.partition).to_owned(),
        offset: first.offset,
        summary: summary(view, group, group.len() as u64),
        explanation,
        explanation_events,
        events: events(view, group),
    }
}

fn permission(view: &View, hazard: &str, group: Vec<(&Finding, String)>) -> Permitted {
    let (group, reasons): (Vec<&Finding>, Vec<String>) = group.into_iter().unzip();
    let count = count::concerned(&group);
    let (callbacks, stored): (Vec<&Finding>, Vec<&Finding>) =
        group.iter().partition(|finding| finding.check == CALLBACKS);
    let stored: BTreeSet<u64> = stored.iter().filter_map(|it| it.record).collect();
    let called: BTreeSet<u64> = callbacks.iter().filter_map(|it| it.record).collect();
    // An anomaly without lost records needs no explanation.
    let lines = if is_gone(group[0]) { explain::lines(view, group[0]) } else { Vec::new() };
    let (explanation_events, explanation) = texts(lines);
    Permitted {
        hazard: hazard.to_owned(),
        count,
        callbacks: called.difference(&stored).count() as u64,
        because: reasons.into_iter().next().unwrap_or_default(),
        partition: view.name(group[0].partition).to_owned(),
        summary: summary(view, &group, count),
        explanation,
        explanation_events,
        events: events(view, &group),
    }
}

/// The events and the texts of lines.
fn texts(lines: Vec<Line>) -> (Vec<u64>, Vec<String>) {
    lines.into_iter().map(|line| (line.event, line.text)).unzip()
}

/// The finding, its place, and the number of further ones.
fn summary(view: &View, group: &[&Finding], count: u64) -> String {
    let first = group[0];
    let place = match (view.name(first.partition), first.offset) {
        ("", _) => String::new(),
        (name, Some(offset)) => format!(" ({name} at {offset})"),
        (name, None) => format!(" ({name})"),
    };
    let detail = if first.detail.is_empty() { "" } else { ": " };
    let more = match count.saturating_sub(1) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{}{place}{detail}{}{more}", first.what, first.detail)
}

/// The events of a group and of the losses in its first findings, at most [`EVENTS`].
fn events(view: &View, group: &[&Finding]) -> Vec<u64> {
    let mut events: Vec<u64> = group.iter().map(|finding| finding.event).collect();
    for finding in group.iter().take(EVENTS) {
        if let (Ground::Gone { loss: Some(loss), .. }, Some(partition)) =
            (&finding.ground, finding.partition)
        {
            events.push(view.partitions[partition].losses[*loss as usize].event);
        }
    }
    events.retain(|event| *event != 0);
    events.sort_unstable();
    events.dedup();
    events.truncate(EVENTS);
    events
}

/// The open questions of the run.
fn unknown(view: &View, end: &End) -> Vec<String> {
    let mut unknown = Vec::new();
    let open = view.records.iter().filter(|(_, record)| record.outcome == Outcome::Open).count();
    if open > 0 {
        let records = if open == 1 { "record has" } else { "records have" };
        unknown.push(format!("{open} {records} no outcome: the workload did not finish"));
    }
    for (index, name) in not_read_back(view, end) {
        let partition = &view.partitions[index];
        let mut halted = view.down_by_disk().map(|halt| halt.moment.node);
        let is_down = halted.any(|node| partition.find(node).is_some())
            || end.offline_dir_of(view, index).is_some()
            || view.unreadable(index).is_some()
            || view.lost_metadata(partition.cluster, end.at).is_some();
        if !is_down {
            unknown.push(format!("{name} was not read back"));
        }
    }
    unknown
}

/// The partitions of the workload that were not read back, by index and name.
fn not_read_back<'a>(view: &'a View, end: &'a End) -> impl Iterator<Item = (usize, &'a str)> {
    let all = view.partitions.iter().zip(&end.finals).enumerate();
    all.filter(|(_, (partition, it))| partition.topic.is_some() && it.source != Source::ReadBack)
        .map(|(index, (partition, _))| (index, partition.name.as_str()))
}
