//! Rows of the permission table about idempotent producers: what a leader cannot know, or not any more.

use super::permission::{Case, brokers};
use crate::check::{CALLBACKS, Ground};
use crate::evidence::story::Happening;
use crate::evidence::{Outcome, ReplicaSet, records};
use engine::ids::Offset;

/// The producer has sent the record under another epoch after a leader had refused it, because that
/// leader had built its memory anew since the record stood in its log: from a snapshot, which has the
/// last batch of a producer alone (`ProducerStateManager.loadFromSnapshot`). There are no more copies
/// than names of the record.
pub(super) fn sent_under_another_epoch(case: &Case<'_>) -> Option<String> {
    let Ground::Copies(copies) = case.finding.ground else { return None };
    let number = case.finding.record?;
    let renumberings = case.view.records.renumberings(number);
    let renumbered = *renumberings.last()?;
    let (refused, replica) =
        case.partition.out_of_order.iter().rev().find(|(at, _)| *at <= renumbered)?;
    let (first, offset) = first_copy(case, number)?;
    let anew = case.partition.story.between(first, *refused).iter().rev().find(|scene| {
        let covers = match scene.what {
            Happening::Loaded(end) => end > offset,
            Happening::Cut { to, .. } => to > offset,
            _ => false,
        };
        covers && scene.replica == *replica
    })?;
    let how = match anew.what {
        Happening::Cut { .. } => "cut its log",
        _ => "came back",
    };
    (copies as usize <= 1 + renumberings.len()).then(|| {
        format!(
            "a snapshot has the last batch of a producer alone, {} {how} at {} and refused the \
             record at {}, and its producer went on in another epoch",
            brokers(case.partition, &ReplicaSet::of(*replica)),
            case.view.time(anew.at),
            case.view.time(*refused),
        )
    })
}

/// When the first copy of a record came to the log, and where it stands.
fn first_copy(case: &Case<'_>, number: u64) -> Option<(u64, Offset)> {
    let batches = &case.partition.batches;
    let copies = case.partition.line.iter().filter_map(|batch| {
        let it = batches.get(*batch);
        let numbers = batches.numbers(*batch, it.base, it.next);
        let place = numbers.iter().position(|other| *other == number)?;
        Some((it.at, it.base + place as Offset))
    });
    copies.min_by_key(|(_, offset)| *offset)
}

/// Leaders forget a producer in the course of a run, and take what it sends then for new, whatever its
/// sequence.
pub(super) fn producer_forgotten(case: &Case<'_>) -> Option<String> {
    let is_of_memory = match case.finding.ground {
        Ground::Copies(_) | Ground::OutOfSequence => true,
        Ground::Overtaken { .. } => case.finding.offset.is_some(),
        _ => false,
    };
    let idempotent = case.finding.record.is_none() || !case.is_not_idempotent();
    (is_of_memory && idempotent && case.view.may_forget_producers(case.finding.at)).then(|| {
        format!(
            "with producer.id.expiration.ms={} a leader forgets a producer that has sent nothing for \
             so long, and takes a copy for a new batch",
            case.view.setup.producer_id_expiration.as_millis()
        )
    })
}

/// The two were written by two lives of the application, each with an id of its own, and the first was
/// killed while it did not know what would become of its record.
pub(super) fn another_session(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { latest, .. } = case.finding.ground else { return None };
    let record = case.record.filter(|record| record.outcome == Outcome::Unknown)?;
    let batches = &case.partition.batches;
    let writer = |number: u64| {
        let its = case.partition.line.iter().find(|batch| {
            let it = batches.get(**batch);
            batches.numbers(**batch, it.base, it.next).contains(&number)
        })?;
        batches.get(*its).producer_id()
    };
    case.finding.offset?;
    let (own, other) = (writer(case.finding.record?)?, writer(latest)?);
    (own != other).then(|| {
        format!(
            "idempotence ends with the producer, and the record is of producer id {own}, which was \
             killed before it knew whether it was written (event {}), what overtook it of {other}",
            record.told
        )
    })
}

/// A batch that was sent again had to be given up, and its callback comes then. What had been sent
/// after it was confirmed by another leader meanwhile: it knew nothing of the producer, and took what
/// came first.
pub(super) fn given_up_late(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { by, .. } = case.finding.ground else { return None };
    let record = case.record?;
    let given_up = matches!(record.outcome, Outcome::Unknown | Outcome::Failed);
    let retried = !case.view.records.retries(case.finding.record?).is_empty();
    let is_callback = case.finding.check == CALLBACKS;
    (is_callback && given_up && retried && !case.is_not_idempotent()).then(|| {
        format!(
            "a batch is given up when delivery.timeout.ms is over, the record's had been sent again, \
             and {} was confirmed before that",
            records::name(by)
        )
    })
}
