//! How a violation came about, in lines: which broker acknowledged what, in which epoch, with which
//! ISR; which fault followed; where a log was cut; which replica lacked it.

use super::course::{self, Course};
use super::path;
use crate::check::{Finding, Ground};
use crate::evidence::story::{Ack, Happening, Scene};
use crate::evidence::{Change, Moment, NO_RECORD, NONE, Partition, ReplicaSet, View, records};
use engine::ids::Offset;

/// The largest number of steps for a finding about a partition: more do not help readers.
const MOST: usize = 16;
/// The largest number of lines for a partition that did not recover: its last steps. The run's
/// summary prints all of them.
const LAST: usize = 12;

/// A line of an explanation.
pub(super) struct Line {
    /// True time in nanoseconds since the run began.
    pub(super) at: u64,
    /// The event of the trace that the line is about; 0 if it is about none.
    pub(super) event: u64,
    /// The line.
    pub(super) text: String,
}

impl Line {
    /// A line that is not about one event.
    pub(super) fn without_event(text: String) -> Self {
        Self { at: 0, event: 0, text }
    }
}

/// The lines for a finding.
pub(super) fn lines(view: &View, finding: &Finding) -> Vec<Line> {
    let Some(index) = finding.partition else {
        return vec![Line { at: finding.at, event: finding.event, text: finding.detail.clone() }];
    };
    let Course { head, steps: course } = course::of(view, finding).unwrap_or_default();
    let mut lines: Vec<Line> = head.into_iter().map(Line::without_event).collect();
    let partition = &view.partitions[index];
    let stood = match ack(view, index, finding) {
        Some(ack) => Some(acknowledged(view, partition, &ack, finding)),
        None => appended(view, partition, finding),
    };
    let path = path::of(view, partition, finding);
    let first = stood.iter().map(|line| line.at).chain(path.since).min();
    let from = first.unwrap_or(finding.at.saturating_sub(1_000_000_000));
    lines.extend(before(view, partition, from));
    // What happened after the last copy has no part in their order.
    let last = path.steps.iter().map(|step| step.at).max();
    let mut steps = steps(view, partition, (from, last.unwrap_or(finding.at)));
    let left_out = steps.len().saturating_sub(MOST);
    if left_out > 0 {
        // The last steps explain most.
        steps.drain(..left_out);
        lines.push(Line::without_event(format!("({left_out} earlier steps left out)")));
    }
    match course.is_empty() && path.steps.is_empty() {
        true => lines.extend(stood),
        false => steps.extend(stood),
    }
    steps.extend(path.steps);
    steps.extend(course);
    steps.sort_by_key(|line| line.at);
    lines.extend(steps);
    lines.extend(held(partition, finding).map(Line::without_event));
    let detail = if finding.detail.is_empty() { "" } else { ": " };
    let text = format!("{}  {}{detail}{}", view.time(finding.at), finding.what, finding.detail);
    lines.push(Line { at: finding.at, event: finding.event, text });
    lines
}

/// The last steps of a partition that did not recover; empty if the finding is about something else.
pub(super) fn missing(view: &View, finding: &Finding) -> Vec<Line> {
    let Ground::NotBack { about: Some((cluster, id)) } = finding.ground else { return Vec::new() };
    let Some(index) = view.index_of(cluster, id) else { return Vec::new() };
    let partition = &view.partitions[index];
    let from = view.load_began.unwrap_or_default();
    let mut steps = steps(view, partition, (from, finding.at));
    steps.drain(..steps.len().saturating_sub(LAST));
    steps
}

/// The steps of a partition between two times, with the faults.
fn steps(view: &View, partition: &Partition, (from, to): (u64, u64)) -> Vec<Line> {
    let scenes = partition.story.between(from, to);
    let faults = view.faults.iter().filter(|(at, _)| (from..=to).contains(&at.at));
    let mut steps: Vec<Line> =
        scenes.iter().filter_map(|scene| step(view, partition, scene)).collect();
    steps.extend(faults.map(|(moment, fault)| {
        let change = if fault.applied { "applied" } else { "undone" };
        let text = format!("{}  fault: {} {change}", view.time(moment.at), fault.what);
        Line { at: moment.at, event: moment.event, text }
    }));
    steps.sort_by_key(|line| line.at);
    steps
}

/// What began earlier and still matters at `from`: faults in force, a proposal without a response,
/// and a high watermark that had already passed the log end of an in-sync replica.
fn before(view: &View, partition: &Partition, from: u64) -> Vec<Line> {
    let mut in_force: Vec<(&Moment, &str)> = Vec::new();
    for (moment, fault) in view.faults.iter().take_while(|(moment, _)| moment.at < from) {
        if fault.applied {
            in_force.push((moment, &fault.what));
        } else if let Some(place) = in_force.iter().position(|(_, other)| *other == fault.what) {
            in_force.remove(place);
        }
    }
    let in_force = in_force.into_iter().map(|(moment, what)| {
        let text = format!("{}  fault: {what} applied, still in force", view.time(moment.at));
        Line { at: moment.at, event: moment.event, text }
    });
    let mut lines: Vec<Line> = in_force.collect();
    let earlier = partition.story.between(0, from.saturating_sub(1)).iter().rev();
    let open = earlier.take_while(|scene| {
        !matches!(
            scene.what,
            Happening::Committed(_) | Happening::Refused(_) | Happening::Led { .. }
        )
    });
    let open: Vec<&Scene> = open.collect();
    let first_proposal =
        open.iter().rev().find(|scene| matches!(scene.what, Happening::Proposed { .. }));
    let passed = open.iter().find(|scene| matches!(scene.what, Happening::Passed { .. }));
    lines.extend(first_proposal.and_then(|scene| step(view, partition, scene)));
    lines.extend(passed.and_then(|scene| step(view, partition, scene)));
    lines.sort_by_key(|line| line.at);
    lines
}

/// The append of the finding's batch, for a batch that was not acknowledged before the finding.
fn appended(view: &View, partition: &Partition, finding: &Finding) -> Option<Line> {
    let offset = finding.offset?;
    let held = |batch: &u32| partition.batches.get(*batch).at <= finding.at;
    let batch = partition.batches.covering(offset).filter(held).last()?;
    let it = partition.batches.get(batch);
    let number = partition.batches.number_at(batch, offset);
    let record = match number {
        NO_RECORD => "the offset".to_owned(),
        number => records::name(number),
    };
    let led = partition.state_of_append(it)?;
    let leader = view.setup.name(partition.replicas[led.leader?].node);
    let text = format!(
        "{}  {leader} appended {record} at {}@{offset} in epoch {}, ISR {{{}}}; not acknowledged \
         by the time of the finding",
        view.time(it.at),
        partition.name,
        it.epoch,
        partition.names(&led.isr),
    );
    Some(Line { at: it.at, event: 0, text })
}

/// The response that acknowledged the finding's batch. After a loss, later leaders acknowledge
/// different records at the same offset.
fn ack(view: &View, index: usize, finding: &Finding) -> Option<Ack> {
    let (offset, partition) = (finding.offset?, &view.partitions[index]);
    let about = batch(partition, offset, finding);
    let covers = |ack: &&Ack| ack.base <= offset && offset <= ack.last && ack.at <= finding.at;
    let is_its = |ack: &&Ack| about.is_none_or(|it| acknowledges(partition, ack, offset) == it);
    view.acks[index].iter().rev().filter(covers).find(is_its).cloned()
}

/// The batch that the finding is about. Several batches may have occupied the offset: takes the lost
/// one; else the one with the record; without a record, the committed one.
fn batch(partition: &Partition, offset: Offset, finding: &Finding) -> Option<u32> {
    if let Ground::Gone { loss: Some(loss), .. } = finding.ground {
        let batch = partition.losses[loss as usize].batch;
        let it = partition.batches.get(batch);
        if it.base <= offset && offset < it.next {
            return Some(batch);
        }
    }
    let known = |batch: &u32| partition.batches.get(*batch).at <= finding.at;
    let batches = || partition.batches.covering(offset).filter(known);
    let is_meant = |batch: &u32| match finding.record {
        Some(record) => partition.batches.number_at(*batch, offset) == record,
        None => partition.batches.get(*batch).committed,
    };
    batches().filter(is_meant).max_by_key(|batch| partition.batches.get(*batch).at)
}

/// The batch at an offset that a response acknowledged: the latest one that its leader held by
/// then, from its epoch or an earlier one.
fn acknowledges(partition: &Partition, ack: &Ack, offset: Offset) -> u32 {
    let had = |batch: &u32| {
        let it = partition.batches.get(*batch);
        it.at <= ack.at && it.epoch <= ack.epoch && it.ever_had.contains(ack.replica)
    };
    let latest = |batch: &u32| {
        let it = partition.batches.get(*batch);
        (it.epoch, it.at)
    };
    partition.batches.covering(offset).filter(had).max_by_key(latest).unwrap_or(NONE)
}

fn acknowledged(view: &View, partition: &Partition, ack: &Ack, finding: &Finding) -> Line {
    let record = finding.record.map_or_else(|| "the offset".to_owned(), records::name);
    let acks = if ack.acks == -1 { "all".to_owned() } else { ack.acks.to_string() };
    let text = format!(
        "{}  {} acknowledged {record} at {}@{} (acks={acks}, epoch {}, ISR {{{}}}, \
         high watermark {})",
        view.time(ack.at),
        view.setup.name(partition.replicas[ack.replica].node),
        partition.name,
        finding.offset.unwrap_or(ack.base),
        ack.epoch,
        partition.names(&ack.isr),
        ack.high_watermark,
    );
    Line { at: ack.at, event: ack.event, text }
}

fn step(view: &View, partition: &Partition, scene: &Scene) -> Option<Line> {
    let node = view.setup.name(partition.replicas.get(scene.replica)?.node);
    let what = match &scene.what {
        Happening::Node(Change::Started) => format!("{node} started"),
        Happening::Node(Change::Stopped) => format!("{node} was shut down cleanly"),
        Happening::Node(Change::Crashed { .. }) => format!("{node} crashed"),
        Happening::Node(Change::Halted { why }) => format!("{node} stopped by itself: {why}"),
        Happening::Node(Change::PowerLost { bytes }) => {
            format!("{node} lost power, and {bytes} unsynced bytes with it")
        }
        Happening::Node(Change::DiskLost { bytes, .. }) => {
            format!("{node} lost a disk, and {bytes} bytes with it")
        }
        Happening::Node(Change::SectorCorrupted { file, at }) => {
            format!("a sector of {file} was corrupted on {node}, at byte {at}")
        }
        Happening::Loaded(end) => format!("{node} loaded its log, which ends at {end}"),
        Happening::Led { epoch, start } => {
            format!("{node} began to lead in epoch {epoch}, from offset {start}")
        }
        Happening::Cut { from, to, high_watermark, .. } => {
            let below = if to < high_watermark { ", below its high watermark" } else { "" };
            format!("{node} cut its log from {from} to {to}{below}")
        }
        Happening::Proposed { epoch, from, to } => format!(
            "{node}, leader in epoch {epoch}, proposed the ISR {{{}}} in place of {{{}}}",
            partition.names(to),
            partition.names(from)
        ),
        Happening::Refused(error) => format!("controller: refused {node}'s proposed ISR ({error})"),
        Happening::Admitted { end, committed, known } => {
            let known = known.map_or_else(String::new, |known| {
                format!("; the leader's own high watermark was {known}")
            });
            format!(
                "{node} was admitted to the ISR, although its log ended at {end} and offsets \
                 below {committed} were committed{known}"
            )
        }
        Happening::Passed { offset, isr, lacking } => format!(
            "{node} moved its high watermark to {offset}, beyond the log end of {{{}}}, members of the \
             committed ISR {{{}}}",
            partition.names(lacking),
            partition.names(isr)
        ),
        Happening::Committed(state) => committed(partition, *state),
    };
    let text = format!("{}  {what}", view.time(scene.at));
    Some(Line { at: scene.at, event: scene.event, text })
}

fn committed(partition: &Partition, state: usize) -> String {
    let state = &partition.states[state];
    let leader = match state.leader {
        Some(leader) => partition.replicas[leader].node.to_string(),
        None => "none".to_owned(),
    };
    let set = |name: &str, members: &ReplicaSet| match partition.names(members) {
        none if none.is_empty() => none,
        names => format!(", {name} {{{names}}}"),
    };
    let (isr, elr) = (set("ISR", &state.isr), set("ELR", &state.elr));
    format!("controller: leader {leader}, epoch {}{isr}{elr}", state.leader_epoch)
}

/// Which replicas held, lost, cut or never had the batch, and the ISR with which its leader's epoch
/// ended; empty sets are left out.
fn held(partition: &Partition, finding: &Finding) -> Option<String> {
    let Ground::Gone { witness, .. } = &finding.ground else { return None };
    let all = ReplicaSet::first_of(partition.replicas.len());
    let cut = &(&witness.ever_had - &witness.holders) - &witness.power_lost;
    let never = &all - &witness.ever_had;
    let parts = [
        ("held then by", &witness.holders),
        ("lost with the power or disk of", &witness.power_lost),
        ("cut by", &cut),
        ("never held by", &never),
        ("last ISR of that epoch", &witness.isr),
    ];
    let named = parts.iter().map(|(what, set)| (what, partition.names(set)));
    let named = named.filter(|(_, names)| !names.is_empty());
    let text: Vec<String> = named.map(|(what, names)| format!("{what} {{{names}}}")).collect();
    Some(text.join("; "))
}
