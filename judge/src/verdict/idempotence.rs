//! Rows of the permission table about idempotent producers: leaders that have forgotten batches or
//! producers, and limits of idempotence.

use super::permission::{Case, brokers};
use crate::check::{CALLBACKS, Ground};
use crate::evidence::story::Happening;
use crate::evidence::{Batch, NONE, Outcome, ReplicaSet, Retry, records};
use engine::fact::Again;
use engine::ids::Offset;

/// The number of batches of a producer that a leader remembers
/// (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const REMEMBERED: usize = 5;

/// Excuses copies of a record that its producer sent under another epoch, after a leader refused it
/// because that leader no longer remembered it. Every copy but the first needs a change of the
/// epoch.
pub(super) fn sent_under_another_epoch(case: &Case<'_>) -> Option<String> {
    let Ground::Copies(copies) = case.finding.ground else { return None };
    let number = case.finding.record?;
    let renumberings = case.view.records.renumberings(number);
    let renumbered = *renumberings.last()?;
    let (refused, replica) =
        *case.partition.out_of_order.iter().rev().find(|(at, _)| *at <= renumbered)?;
    let copy = first_copy(case, number)?;
    let why = built_anew(case, &copy, refused, replica).or_else(|| pushed_out(&copy))?;
    (copies as usize <= 1 + renumberings.len()).then(|| {
        format!(
            "{why}, {} refused the record at {}, and its producer went on in another epoch",
            brokers(case.partition, &ReplicaSet::of(replica)),
            case.view.time(refused),
        )
    })
}

/// The first copy of a record in the line of leaders.
struct Copy {
    /// When its batch was first seen, in nanoseconds.
    at: u64,
    offset: Offset,
    /// The number of batches of the same producer and epoch between it and the next copy.
    behind: usize,
}

fn first_copy(case: &Case<'_>, number: u64) -> Option<Copy> {
    let batches = &case.partition.batches;
    let mut line = case.partition.line.iter().map(|batch| (*batch, batches.get(*batch)));
    let place = |batch: u32, it: &Batch| {
        batches.numbers(batch, it.base, it.next).iter().position(|other| *other == number)
    };
    let (first, place_in_first) = line.find_map(|(batch, it)| Some((it, place(batch, it)?)))?;
    let own = first.sequence().map(|it| (it.producer_id, it.epoch));
    let before_next = line.take_while(|(batch, it)| place(*batch, it).is_none());
    let is_own = |it: &Batch| it.sequence().map(|it| (it.producer_id, it.epoch)) == own;
    let behind = before_next.filter(|(_, it)| is_own(it)).count();
    Some(Copy { at: first.at, offset: first.base + place_in_first as Offset, behind })
}

/// Why a leader did not remember the record: it had rebuilt its producer state since, from a
/// snapshot, which has only the last batch of each producer
/// (`ProducerStateManager.loadFromSnapshot`).
fn built_anew(case: &Case<'_>, copy: &Copy, refused: u64, replica: usize) -> Option<String> {
    let anew = case.partition.story.between(copy.at, refused).iter().rev().find(|scene| {
        let covers = match scene.what {
            Happening::Loaded(end) => end > copy.offset,
            Happening::Cut { to, .. } => to > copy.offset,
            _ => false,
        };
        covers && scene.replica == replica
    })?;
    let how = match anew.what {
        Happening::Cut { .. } => "truncated its log",
        _ => "restarted",
    };
    let broker = brokers(case.partition, &ReplicaSet::of(replica));
    Some(format!(
        "a snapshot has only the last batch of a producer, {broker} {how} at {}",
        case.view.time(anew.at)
    ))
}

/// Why a leader did not remember the record: it has stored at least as many later batches of the
/// producer as a leader remembers.
fn pushed_out(copy: &Copy) -> Option<String> {
    (copy.behind >= REMEMBERED).then(|| {
        format!(
            "a leader remembers the last {REMEMBERED} batches of a producer, {} were stored after \
             the record's",
            copy.behind
        )
    })
}

/// Excuses copies where leaders may have forgotten the producer during the run, no more than the number
/// of times that its batch was sent again. They excuse no order: a forgotten producer begins a new
/// epoch, and sends what is in flight in the order of its sequences.
pub(super) fn producer_forgotten(case: &Case<'_>) -> Option<String> {
    let is_of_memory = match case.finding.ground {
        Ground::Copies(copies) => copies as usize <= 1 + times_sent_again(case),
        Ground::OutOfSequence => true,
        _ => false,
    };
    let idempotent = case.finding.record.is_none() || !case.is_not_idempotent();
    (is_of_memory && idempotent && case.view.may_forget_producers(case.finding.at)).then(|| {
        format!(
            "with producer.id.expiration.ms={} a leader forgets a producer that has sent nothing for \
             so long, and stores a copy as a new batch",
            case.view.setup.producer_id_expiration.as_millis()
        )
    })
}

/// How often the record's batch was sent again as a whole.
fn times_sent_again(case: &Case<'_>) -> usize {
    let retries = case.finding.record.map_or(&[][..], |number| case.view.records.retries(number));
    retries.iter().filter(|retry| !retry.is_in_parts()).count()
}

/// Excuses wrong order between two producers of one application: the first was killed while the
/// outcome of its record was unknown, and the second has another producer id.
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
            "idempotence ends with the producer, the record is of producer id {own}, which was killed \
             before it knew the outcome (event {}), and the one that overtook it is of {other}",
            record.settled
        )
    })
}

/// Excuses a message in two records that its application sent: after its producer gave up the first
/// without knowing its outcome, or after a restart. To Kafka they are different records.
pub(super) fn sent_again_by_application(case: &Case<'_>) -> Option<String> {
    let Ground::SentAgain { before } = case.finding.ground else { return None };
    let number = case.finding.record?;
    // The record that was sent later may be stored first.
    let (first, second) = (number.min(before), number.max(before));
    let again = case.view.records.carries(second)?.again?;
    let (first_record, second_record) =
        (case.view.records.get(first)?, case.view.records.get(second)?);
    let limit = match case.is_not_idempotent() {
        true => "producers here are not idempotent",
        false => "idempotence does not cover messages that an application sends again",
    };
    let (first, second, sent) = (records::name(first), records::name(second), second_record.sent);
    match again {
        Again::GivenUp => (first_record.outcome == Outcome::Unknown).then(|| {
            format!(
                "{limit}, its producer gave up {first} without knowing whether it was written (event {}), \
                 and the application sent the message again in {second} (event {sent})",
                first_record.settled
            )
        }),
        Again::Restarted => Some(format!(
            "{limit}, the application was restarted, went on from its saved position, and sent the \
             message of {first} again in {second} (event {sent})"
        )),
    }
}

/// Excuses a callback that ran late. The record's batch was sent again while the one that overtook
/// it could be in flight. The leader had the batch already, confirmed the later one, and then
/// confirmed the copy of the earlier one (`Sender.completeBatch` runs the callbacks of a batch
/// without waiting for earlier batches). The log has both in the order sent.
pub(super) fn confirmed_late(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { by, .. } = case.finding.ground else { return None };
    let (record, overtaker) = (case.record?, case.view.records.get(by)?);
    let in_order = record.outcome == Outcome::Acked
        && overtaker.outcome == Outcome::Acked
        && (0..overtaker.offset).contains(&record.offset);
    let why = sent_again_behind(case, by, |retry| !retry.is_in_parts()).filter(|_| in_order)?;
    Some(format!(
        "{why}, and its copy was confirmed at {}, before the other's {}",
        record.offset, overtaker.offset
    ))
}

/// Excuses a callback that another one overtook because the other record was refused for good: a
/// refused batch is given up at once, although an earlier batch of the producer, which was sent
/// again, has no outcome yet (`Sender.failBatch`). The log is in order, since it lacks the refused
/// record.
pub(super) fn refused_early(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { by, .. } = case.finding.ground else { return None };
    let is_refused = case.view.records.get(by)?.outcome == Outcome::Failed;
    let why = sent_again_behind(case, by, |_| true).filter(|_| is_refused)?;
    Some(format!("{why}, and a refused batch is given up at once"))
}

/// Why the callback of record `by` could overtake the finding's: an idempotent producer with
/// several requests in flight sent the record's batch again after `by` had been given to it.
fn sent_again_behind(case: &Case<'_>, by: u64, counts: fn(&Retry) -> bool) -> Option<String> {
    let overtaker = case.view.records.get(by)?;
    let mut retries = case.view.records.retries(case.finding.record?).iter();
    let retry =
        retries.rfind(|it| it.event > overtaker.sent && it.at < case.finding.at && counts(it))?;
    let in_flight = case.max_in_flight();
    let is_callback = case.finding.check == CALLBACKS;
    (is_callback && in_flight > 1 && !case.is_not_idempotent()).then(|| {
        format!(
            "max.in.flight.requests.per.connection={in_flight} lets a producer send without waiting, \
             the record's batch was sent again when {} could be on its way (event {})",
            records::name(by),
            retry.event
        )
    })
}

/// Excuses the late callback of a batch that was sent again, and was given up after
/// `delivery.timeout.ms`, if its order is kept all the same:
///
/// - The leader had the batch before the one that overtook its callback, but its responses were lost.
/// - The other one was given up as well, and had not been sent again: batches in flight are given up
///   before those that wait to be sent again (`Sender.sendProducerData`).
/// - Both belong to transactions: a leader that knows nothing of a transactional producer takes any
///   sequence from it, and the transaction cannot be committed without the batch that failed.
pub(super) fn given_up_late(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { by, .. } = case.finding.ground else { return None };
    let number = case.finding.record?;
    let (record, overtaker) = (case.record?, case.view.records.get(by)?);
    let given_up = matches!(record.outcome, Outcome::Unknown | Outcome::Failed);
    let retried = !case.view.records.retries(number).is_empty();
    let is_callback = case.finding.check == CALLBACKS;
    let in_order = match overtaker.outcome {
        Outcome::Acked => {
            record.transaction != NONE
                || first_copy(case, number).is_some_and(|it| it.offset < overtaker.offset)
        }
        _ => case.view.records.retries(by).is_empty(),
    };
    (is_callback && given_up && retried && in_order && !case.is_not_idempotent()).then(|| {
        format!(
            "a batch is given up when delivery.timeout.ms is over, the record's had been sent again, \
             and {} had its outcome before that",
            records::name(by)
        )
    })
}
