//! Lost records that were sent with acks=0. No promise covers them, but the reason for each loss
//! shows which setting would have kept the record. The evidence is the same as for acknowledged
//! records.

use super::permission::{became_leader, brokers};
use crate::check::Finding;
use crate::evidence::{End, Loss, NONE, Outcome, Partition, View};
use crate::outcome::Permitted;
use engine::ids::Offset;
use std::collections::{BTreeMap, BTreeSet};

/// Why a record was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// No leader ever appended it.
    Unwritten,
    /// The leader that had it was replaced, before or after the append, by one that never had it.
    Unreplicated,
    /// The next leader had it, and lost it in a power loss.
    PowerLost,
    /// It was written, and no leader is known to have lacked it.
    Unread,
}

impl Why {
    const fn hazard(self) -> &'static str {
        match self {
            Self::Unwritten => "acks0-unwritten",
            Self::Unreplicated => "acks0-unreplicated",
            Self::PowerLost => "acks0-power-lost",
            Self::Unread => "acks0-unread",
        }
    }
}

/// Lost records that were sent with acks=0.
#[derive(Clone, Debug, Default)]
pub(super) struct Unconfirmed {
    groups: BTreeMap<(Why, usize), Group>,
    records: BTreeSet<u64>,
    offsets: BTreeSet<(usize, Offset)>,
}

/// Records of one partition that were lost for the same reason.
#[derive(Clone, Debug, Default)]
struct Group {
    count: u64,
    /// The first of the losses.
    loss: Option<u32>,
    events: BTreeSet<u64>,
}

impl Unconfirmed {
    /// All lost records with acks=0 of a run.
    pub(super) fn of(view: &View, end: &End) -> Self {
        let mut all = Self::default();
        let sent = view.records.iter().filter(|(_, it)| it.outcome == Outcome::Unconfirmed);
        let mut missing: BTreeMap<u64, usize> =
            sent.map(|(number, it)| (number, it.partition as usize)).collect();
        for number in end.finals.iter().flat_map(|held| held.records.values()) {
            missing.remove(number);
        }
        if missing.is_empty() {
            return all;
        }
        let written = written(view, &missing);
        for (number, index) in missing {
            let partition = &view.partitions[index];
            let place = written.get(&number).copied();
            let loss = place.and_then(|(batch, _)| last_loss(partition, batch));
            let group = all.groups.entry((why(partition, place, loss), index)).or_default();
            group.count += 1;
            if let Some(loss) = loss {
                group.loss = group.loss.or(Some(loss));
                group.events.insert(partition.losses[loss as usize].event);
            }
            all.records.insert(number);
            all.offsets.extend(place.map(|(_, offset)| (index, offset)));
        }
        all
    }

    /// Whether a finding is about one of these records, so that its loss is not counted twice.
    pub(super) fn covers(&self, finding: &Finding) -> bool {
        match (finding.record, finding.partition, finding.offset) {
            (Some(record), ..) => self.records.contains(&record),
            (None, Some(partition), Some(offset)) => self.offsets.contains(&(partition, offset)),
            _ => false,
        }
    }

    /// The permissions of the verdict, by reason and partition.
    pub(super) fn permitted(&self, view: &View) -> Vec<Permitted> {
        let permitted = self.groups.iter().map(|((why, index), group)| {
            let partition = &view.partitions[*index];
            Permitted {
                hazard: why.hazard().to_owned(),
                count: group.count,
                callbacks: 0,
                because: because(view, *why, partition, group.loss),
                partition: partition.name.clone(),
                summary: match group.count {
                    1 => "a record sent with acks=0 is missing".to_owned(),
                    count => format!("{count} records sent with acks=0 are missing"),
                },
                explanation: Vec::new(),
                explanation_events: Vec::new(),
                events: group.events.iter().copied().take(super::EVENTS).collect(),
            }
        });
        permitted.collect()
    }
}

/// The batch and offset at which each of these records was written. With acks=0 a producer sends a
/// record only once; if it was written twice all the same, the committed batch counts.
fn written(view: &View, missing: &BTreeMap<u64, usize>) -> BTreeMap<u64, (u32, Offset)> {
    let mut written: BTreeMap<u64, (u32, Offset)> = BTreeMap::new();
    for index in missing.values().copied().collect::<BTreeSet<usize>>() {
        let batches = &view.partitions[index].batches;
        for batch in 0..batches.len() as u32 {
            let it = batches.get(batch);
            for (number, offset) in batches.numbers(batch, it.base, it.next).iter().zip(it.base..) {
                let before = written.get(number);
                let first = before.is_none_or(|(other, _)| !batches.get(*other).committed);
                if first && missing.get(number) == Some(&index) {
                    written.insert(*number, (batch, offset));
                }
            }
        }
    }
    written
}

/// The last time that the batch left the line of leaders.
fn last_loss(partition: &Partition, batch: u32) -> Option<u32> {
    match partition.batches.get(batch).loss {
        NONE => partition.losses.iter().rposition(|loss| loss.batch == batch).map(|at| at as u32),
        loss => Some(loss),
    }
}

fn why(partition: &Partition, place: Option<(u32, Offset)>, loss: Option<u32>) -> Why {
    match (place, loss.map(|loss| &partition.losses[loss as usize].witness)) {
        (None, _) => Why::Unwritten,
        (Some(_), None) => Why::Unread,
        (Some(_), Some(it)) if it.lacking.meets(&it.power_lost) => Why::PowerLost,
        (Some(_), Some(_)) => Why::Unreplicated,
    }
}

/// The reason; it begins with the setting, which the headline of a verdict names.
fn because(view: &View, why: Why, partition: &Partition, loss: Option<u32>) -> String {
    let story = match loss.map(|loss| &partition.losses[loss as usize]) {
        Some(loss) => lost(view, why, partition, loss),
        None if why == Why::Unwritten => "no leader ever appended the record".to_owned(),
        None => "the record was appended and cannot be read".to_owned(),
    };
    let comma = if loss.is_some() { "," } else { ", and" };
    format!("with acks=0 the producer waits for no response{comma} {story}")
}

/// The brokers that had the record, and the leader that lacked it.
fn lost(view: &View, why: Why, partition: &Partition, loss: &Loss) -> String {
    let had = match (why, &loss.witness.had) {
        (Why::PowerLost, _) => {
            let lost = &loss.witness.power_lost;
            format!("{} lost the record with the power", brokers(partition, lost))
        }
        (_, had) if had.is_empty() => "no broker had the record any more".to_owned(),
        (_, had) => format!("only {} ever had the record", brokers(partition, had)),
    };
    format!("{had}, and {}", became_leader(view, partition, loss))
}
