//! Rows of the permission table about transactions: readers with `read_uncommitted`, and the
//! consequences of permitted losses of records, markers and decisions.

use super::permission::{self, Case};
use crate::check::{Finding, Ground};
use crate::evidence::{NONE, Outcome, View, records};
use std::time::Duration;

/// Excuses records of open or aborted transactions at a reader with `read_uncommitted`.
pub(super) fn read_uncommitted(case: &Case<'_>) -> Option<String> {
    let Ground::Uncommitted { reader } = case.finding.ground else { return None };
    Some(format!(
        "with isolation.level=read_uncommitted a consumer receives open and aborted records, and \
         {reader} was at {}",
        case.view.time(case.finding.at)
    ))
}

/// Excuses a callback after that of a later record of the same transaction which was never sent: when a
/// transaction fails, the producer gives up at once what it has not sent, and what is in flight goes
/// on (`RecordAccumulator.abortUndrainedBatches`).
pub(super) fn given_up_unsent(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { by, .. } = case.finding.ground else { return None };
    let (record, overtaker) = (case.record?, case.view.records.get(by)?);
    let of_one = record.transaction != NONE && record.transaction == overtaker.transaction;
    let never_sent = overtaker.outcome == Outcome::Failed
        && overtaker.over.is_none()
        && case.view.records.retries(by).is_empty();
    let was_sent = record.over.is_some();
    (of_one && never_sent && was_sent && case.finding.offset.is_none()).then(|| {
        format!(
            "a transaction that failed gives up at once what was not sent yet, {} was not (event {}), \
             and the record before it was in flight",
            records::name(by),
            overtaker.settled
        )
    })
}

/// The time of the transaction was over, by the clock of the coordinator.
pub(super) fn timed_out(case: &Case<'_>) -> Option<String> {
    let Ground::TimedOut { open_ms, timeout_ms } = case.finding.ground else { return None };
    (open_ms > i64::from(timeout_ms)).then(|| {
        format!(
            "with transaction.timeout.ms={timeout_ms} a coordinator aborts what is open for longer, \
             and this had been open for {open_ms} ms at {}",
            case.view.time(case.finding.at)
        )
    })
}

/// Another client has taken the transactional id.
pub(super) fn shared_id(case: &Case<'_>) -> Option<String> {
    let Ground::Fenced { by, at } = case.finding.ground else { return None };
    Some(format!(
        "a transactional.id has one producer, the latest that took it: client {by}, at {}",
        case.view.time(at)
    ))
}

/// Excuses a wrong outcome where the partition has lost records or markers of the producer, and
/// another row permits that loss. Records without their marker stay open, or are ended by the
/// marker of a later transaction.
pub(super) fn marker_lost(case: &Case<'_>) -> Option<String> {
    let producer_id = producer_of(case)?;
    let is_its = |batch: u32| {
        let it = case.partition.batches.get(batch);
        it.is_transactional && it.producer_id() == Some(producer_id)
    };
    let because = lost(case, case.finding.partition?, is_its)?;
    Some(format!("{because}, and with it records or markers of producer {producer_id}"))
}

/// Excuses a wrong outcome where the coordinator's log has lost records about the transactional id,
/// and another row permits that loss.
pub(super) fn decision_lost(case: &Case<'_>) -> Option<String> {
    let log = match case.finding.ground {
        Ground::Transaction { log, .. } => log?,
        Ground::AfterPending { .. } => case.finding.partition?,
        _ => return None,
    };
    let producer_id = producer_of(case)?;
    let cluster = case.partition.cluster;
    let id = case.view.coordinators.of_producer(cluster, producer_id)?;
    let transitions = &case.view.coordinators.get(id).transitions;
    let is_its = |batch: u32| transitions.iter().any(|it| (it.log, it.batch) == (log, batch));
    let because = lost(case, log, is_its)?;
    Some(format!("{because}, and with it records of the transaction's coordinator"))
}

/// Excuses a coordinator that had waited for `transaction.timeout.ms` for its last record to be
/// replicated.
pub(super) fn coordinator_gave_up(case: &Case<'_>) -> Option<String> {
    let Ground::AfterPending { pending, timeout_ms, .. } = case.finding.ground else { return None };
    let timeout = Duration::from_millis(u64::try_from(timeout_ms).ok()?);
    let pending = Duration::from_nanos(pending?);
    // The coordinator's clock may be fast.
    let drift = pending / 1_000_000 * case.view.setup.drift_ppm;
    (pending + drift >= timeout).then(|| {
        format!(
            "a coordinator waits no longer than transaction.timeout.ms={timeout_ms} for its record to \
             be replicated, and went on after {} ms as if it had not written it",
            pending.as_millis()
        )
    })
}

fn producer_of(case: &Case<'_>) -> Option<i64> {
    match case.finding.ground {
        Ground::Transaction { producer_id, .. } | Ground::AfterPending { producer_id, .. } => {
            Some(producer_id)
        }
        _ => None,
    }
}

/// The excuse for the loss of one of these batches from a partition before the finding.
fn lost(case: &Case<'_>, partition: usize, is_meant: impl Fn(u32) -> bool) -> Option<String> {
    let view: &View = case.view;
    let of = &view.partitions[partition];
    let losses = (0..).zip(&of.losses);
    let mut meant = losses.filter(|(_, it)| it.at <= case.finding.at && is_meant(it.batch));
    meant.find_map(|(number, it)| {
        let ground = Ground::Gone { witness: it.witness.clone(), loss: Some(number) };
        let of = Finding {
            partition: Some(partition),
            offset: Some(of.batches.get(it.batch).base),
            record: None,
            at: it.at,
            ground,
            ..case.finding.clone()
        };
        permission::excuse(view, case.end, &of).map(|it| it.because)
    })
}
