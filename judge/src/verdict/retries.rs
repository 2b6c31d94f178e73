//! Rows of the permission table about batches that are sent again: copies and reordering.

use super::permission::Case;
use crate::check::Ground;
use crate::evidence::{Committed, Outcome, records};

/// Excuses copies of a record, no more than the number of times that its batch was sent again.
pub(super) fn retry_duplicate(case: &Case<'_>) -> Option<String> {
    let Ground::Copies(copies) = case.finding.ground else { return None };
    let retries = case.view.records.retries(case.finding.record?).iter();
    let retries: Vec<_> = retries.filter(|retry| !retry.is_in_parts()).collect();
    let last = retries.last()?;
    (case.is_not_idempotent() && copies as usize <= 1 + retries.len()).then(|| {
        format!(
            "producers here are not idempotent, and the record's batch was sent again (event {})",
            last.event
        )
    })
}

/// Excuses a record that was sent again after the record that overtook it had been given to the
/// producer, and before its own batch was stored. No other retry changes the order: records sent
/// after a batch that waits to be sent again stay behind it.
pub(super) fn in_flight_reorder(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { by, latest } = case.finding.ground else { return None };
    // Callbacks over another connection may overtake it anyway ([`callback_overtaken`]): only one
    // over the same connection has to be explained.
    let latest = if case.finding.offset.is_some() { latest } else { by };
    let (number, in_flight) = (case.finding.record?, case.max_in_flight());
    let overtaker = case.view.records.get(latest)?;
    let placed = case.placed()?;
    let mut retries = case.view.records.retries(number).iter();
    let retry = retries.rfind(|retry| retry.event > overtaker.sent && retry.at < placed)?;
    (case.is_not_idempotent() && in_flight > 1).then(|| {
        format!(
            "producers here are not idempotent, \
             max.in.flight.requests.per.connection={in_flight} lets them send without waiting, and \
             the record's batch was sent again when {} could be on its way already (event {})",
            records::name(latest),
            retry.event
        )
    })
}

/// Excuses callbacks of requests over two connections, of which the later one had its outcome
/// first: by its response, or by the end of its connection. Over one connection responses come in
/// the order of their requests.
pub(super) fn callback_overtaken(case: &Case<'_>) -> Option<String> {
    let (own, other) = case.two_connections()?;
    let in_flight = case.max_in_flight();
    // A finding about the log has an offset; one about callbacks has none.
    let is_callback = case.finding.offset.is_none();
    (is_callback && in_flight > 1).then(|| {
        format!(
            "max.in.flight.requests.per.connection={in_flight} lets a producer send without waiting, \
             and the record was sent over connection {own}, what overtook it over connection {other}"
        )
    })
}

/// Excuses a batch that was delayed on its way to a leader that was replaced. The next leader
/// stored later batches of the producer; then the first led again, and stored the delayed batch.
pub(super) fn stored_by_a_leader_again(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { by, .. } = case.finding.ground else { return None };
    let (own, other) = case.two_connections()?;
    let batches = &case.partition.batches;
    let holds = |batch: &&u32, number: u64| {
        let it = batches.get(**batch);
        batches.numbers(**batch, it.base, it.next).contains(&number)
    };
    let stored_in = |number: u64| {
        let batch = case.partition.line.iter().rev().find(|batch| holds(batch, number))?;
        Some(batches.get(*batch).epoch)
    };
    let (offset, number) = (case.finding.offset?, case.finding.record?);
    let (own_epoch, other_epoch) = (stored_in(number)?, stored_in(by)?);
    let states = &case.partition.states;
    let leader = |epoch| {
        states.iter().find(|state| state.leader_epoch == epoch).and_then(|state| state.leader)
    };
    let leads_again = leader(own_epoch).is_some_and(|leader| {
        let earlier = |state: &Committed| state.leader_epoch < other_epoch;
        states.iter().any(|state| earlier(state) && state.leader == Some(leader))
    });
    let sent_before = case.record?.sent < case.view.records.get(by)?.sent;
    let may = case.is_not_idempotent() && case.max_in_flight() > 1;
    (may && leads_again && sent_before).then(|| {
        format!(
            "producers here are not idempotent, the record was sent over connection {own} and \
             stored at {offset} in epoch {own_epoch}, after what was sent over connection {other} \
             had been stored in epoch {other_epoch}"
        )
    })
}

/// Excuses reordering with acks=0 over two connections: a producer does not know whether its
/// requests over one connection have arrived when it opens another. Over one connection they stay
/// in order.
pub(super) fn acks0_overtaken(case: &Case<'_>) -> Option<String> {
    let (own, other) = case.two_connections()?;
    let unconfirmed = case.record?.outcome == Outcome::Unconfirmed;
    unconfirmed.then(|| {
        format!(
            "with acks=0 the producer waits for no response, and the record was sent over connection {own}, \
             what overtook it over connection {other}"
        )
    })
}

/// Excuses a record in the log whose outcome the producer does not know; it may also be late.
pub(super) fn unknown_outcome_landed(case: &Case<'_>) -> Option<String> {
    let record = case.record?;
    let unknown = matches!(record.outcome, Outcome::Unknown | Outcome::Open);
    // The sequences of an idempotent producer keep its records in order, if they are in the log.
    let at_stake = match case.finding.ground {
        Ground::OutcomeUnknown => true,
        Ground::Overtaken { .. } => case.is_not_idempotent(),
        _ => false,
    };
    // The order of callbacks does not depend on the outcome, so findings about them are not
    // excused.
    let stored = case.finding.offset.is_some();
    (unknown && at_stake && stored).then(|| {
        format!(
            "the producer never learned whether the record was written (event {})",
            record.settled
        )
    })
}
