//! The path of the records that a finding about order or copies compares: each copy that a leader
//! appended, and why the producer sent a record again.

use super::explain::Line;
use crate::check::{Finding, Ground};
use crate::evidence::{Batch, Partition, Retry, Sequence, View, records};
use engine::ids::Offset;

/// The largest number of copies of a record that are named: the first ones.
const COPIES: usize = 4;

/// The path of the records that a finding compares.
#[derive(Default)]
pub(super) struct RecordPaths {
    /// Its steps; none if the finding compares no records.
    pub(super) steps: Vec<Line>,
    /// When it begins, in nanoseconds: with the first step, or when the leader that skipped sequences
    /// began to lead.
    pub(super) since: Option<u64>,
}

/// The path of the records that a finding compares.
pub(super) fn of(view: &View, partition: &Partition, finding: &Finding) -> RecordPaths {
    let Some(record) = finding.record else { return RecordPaths::default() };
    let compared = match finding.ground {
        Ground::Overtaken { by, .. } => vec![by, record],
        Ground::SentAgain { before } => vec![before, record],
        Ground::Copies(_) => vec![record],
        _ => return RecordPaths::default(),
    };
    let path = Path { view, partition, until: finding.at };
    let mut steps: Vec<Line> = compared.iter().flat_map(|number| path.of_record(*number)).collect();
    let (skip, began) = path.skip(&compared).unzip();
    steps.extend(skip);
    steps.retain(|step| step.at <= finding.at);
    let since = steps.iter().map(|step| step.at).chain(began.flatten()).min();
    RecordPaths { steps, since }
}

struct Path<'v> {
    view: &'v View,
    partition: &'v Partition,
    /// Nothing later matters, in nanoseconds.
    until: u64,
}

impl<'v> Path<'v> {
    fn of_record(&self, number: u64) -> Vec<Line> {
        let mut lines: Vec<Line> = self
            .copies(number)
            .take(COPIES)
            .map(|(batch, offset)| self.appended(number, batch, offset))
            .collect();
        lines.extend(self.sent_again(number));
        lines.extend(self.view.records.renumberings(number).iter().map(|at| {
            let text = format!(
                "{}  the producer sends {} under another epoch: it is new to every leader",
                self.view.time(*at),
                records::name(number)
            );
            Line { at: *at, event: 0, text }
        }));
        lines
    }

    /// The batches with a record, each with the record's offset, in order of time.
    fn copies(&self, number: u64) -> impl Iterator<Item = (&'v Batch, Offset)> {
        let batches = &self.partition.batches;
        let mut copies: Vec<(&Batch, Offset)> = (0..batches.len() as u32)
            .filter_map(|batch| {
                let it = batches.get(batch);
                let numbers = batches.numbers(batch, it.base, it.next);
                let place = numbers.iter().position(|other| *other == number)?;
                (it.at <= self.until).then_some((it, it.base + place as Offset))
            })
            .collect();
        copies.sort_by_key(|(batch, _)| batch.at);
        copies.into_iter()
    }

    fn appended(&self, number: u64, batch: &Batch, offset: Offset) -> Line {
        let text = format!(
            "{}  {} appended {} at {}@{offset} in epoch {}{}",
            self.view.time(batch.at),
            self.leader(batch),
            records::name(number),
            self.partition.name,
            batch.epoch,
            batch.sequence().map_or_else(String::new, |it| format!(" ({})", identity(it)))
        );
        Line { at: batch.at, event: 0, text }
    }

    /// The leader that appended a batch.
    fn leader(&self, batch: &Batch) -> String {
        self.partition.leader_that_appended(batch).map_or("a leader".to_owned(), |it| {
            self.view.setup.name(self.partition.replicas[it].node)
        })
    }

    /// When and why a record was sent again, with repetitions for the same reason in one line.
    fn sent_again(&self, number: u64) -> Vec<Line> {
        let retries = self.view.records.retries(number);
        let same_reason = retries.chunk_by(|a, b| a.error == b.error);
        let lines = same_reason.filter_map(|same| {
            let (first, last): (&Retry, &Retry) = (same.first()?, same.last()?);
            let time = |at| self.view.time(at);
            let (name, error) = (records::name(number), first.error);
            let text = match same.len() {
                1 => format!("{}  the producer sends {name} again, after {error}", time(first.at)),
                times => format!(
                    "{}  the producer sends {name} again, after {error}: {times} times until {}",
                    time(first.at),
                    time(last.at)
                ),
            };
            Some(Line { at: first.at, event: first.event, text })
        });
        lines.collect()
    }

    /// The first batch that a leader accepted from the producer of these records although its
    /// sequence does not follow what the leader's log has of that producer and epoch; and when that
    /// leader began to lead, in nanoseconds.
    fn skip(&self, numbers: &[u64]) -> Option<(Line, Option<u64>)> {
        let own = numbers.iter().find_map(|number| self.copies(*number).next()?.0.sequence())?;
        let batches = &self.partition.batches;
        let mut of_producer: Vec<(&Batch, Sequence)> = (0..batches.len() as u32)
            .filter_map(|batch| Some((batches.get(batch), batches.get(batch).sequence()?)))
            .filter(|(batch, it)| {
                let is_its = it.producer_id == own.producer_id && it.epoch == own.epoch;
                is_its && !batch.is_control && batch.at <= self.until
            })
            .collect();
        of_producer.sort_by_key(|(batch, _)| batch.at);
        let skipping = of_producer.iter().enumerate().find_map(|(count, (batch, it))| {
            let leader = self.partition.leader_that_appended(batch)?;
            let mut before = of_producer[..count].iter();
            let in_its_log = before.rfind(|(other, _)| other.ever_had.contains(leader));
            let expected = in_its_log.map_or(0, |(_, other)| other.last.wrapping_add(1));
            // A sequence below the expected one has wrapped around, or its log lost its end.
            (expected < it.first).then_some((batch, *it, leader, expected))
        });
        let (batch, it, leader, expected) = skipping?;
        let text = format!(
            "{}  {} accepted a batch of {} at {}@{}, although its log had no sequence {expected} to \
             {} of that epoch",
            self.view.time(batch.at),
            self.leader(batch),
            identity(it),
            self.partition.name,
            batch.base,
            it.first - 1
        );
        let began = self.partition.story.led((leader, batch.epoch));
        Some((Line { at: batch.at, event: 0, text }, began))
    }
}

/// The producer and the sequences of a batch.
fn identity(it: Sequence) -> String {
    let sequences = match it.first == it.last {
        true => format!("sequence {}", it.first),
        false => format!("sequences {} to {}", it.first, it.last),
    };
    format!("producer {} in epoch {}, {sequences}", it.producer_id, it.epoch)
}
