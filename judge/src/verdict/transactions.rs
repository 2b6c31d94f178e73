//! Rows of the permission table about transactions: what readers ask for, and what follows from the loss
//! of markers, of data and of decisions where that loss is permitted.

use super::permission::{self, Case};
use crate::check::{Finding, Ground};
use crate::evidence::View;
use std::time::Duration;

/// A reader of `read_uncommitted` is given data that is open or aborted.
pub(super) fn read_uncommitted(case: &Case<'_>) -> Option<String> {
    let Ground::Uncommitted { reader } = case.finding.ground else { return None };
    Some(format!(
        "with isolation.level=read_uncommitted a consumer is given open and aborted data, and \
         {reader} was at {}",
        case.view.time(case.finding.at)
    ))
}

/// The partition has lost data or markers of the producer, and was allowed to. Data without their
/// marker stay open, or are ended by the marker of a later transaction.
pub(super) fn marker_lost(case: &Case<'_>) -> Option<String> {
    let producer_id = producer_of(case)?;
    let is_its = |batch: u32| {
        let it = case.partition.batches.get(batch);
        it.is_transactional && it.producer_id() == Some(producer_id)
    };
    let because = lost(case, case.finding.partition?, is_its)?;
    Some(format!("{because}, and with it data or markers of producer {producer_id}"))
}

/// The coordinator has lost what it had written about the transactional id, and was allowed to.
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
    Some(format!("{because}, and with it what the coordinator of the transaction had written"))
}

/// The coordinator had waited for its last record to be replicated for as long as it waits.
pub(super) fn coordinator_gave_up(case: &Case<'_>) -> Option<String> {
    let Ground::AfterPending { pending, timeout_ms, .. } = case.finding.ground else { return None };
    let timeout = Duration::from_millis(u64::try_from(timeout_ms).ok()?);
    let pending = Duration::from_nanos(pending?);
    // By a clock that may be fast.
    let drift = pending / 1_000_000 * case.view.setup.drift_ppm;
    (pending + drift >= timeout).then(|| {
        format!(
            "a coordinator waits for transaction.timeout.ms={timeout_ms} until its record is \
             replicated, and acts then as if it had not been written, after {} ms",
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

/// Why a partition was allowed to lose one of these batches, if it lost one before the finding.
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
