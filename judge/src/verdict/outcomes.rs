//! The outcomes of transactions, and the sum over the accounts of transfers.

use crate::evidence::{ClientTransaction, End, NONE, Promise, Source, View, records};
use crate::outcome::{Share, Sum, Transactions};
use engine::error::ErrorCode;
use engine::fact::TransactionOutcome;

/// Counts transactions by outcome.
pub(super) fn transactions(view: &View, end: &End) -> Transactions {
    let mut counts = Transactions::default();
    for (it, tally) in view.transactions.all().iter().zip(&end.tallies) {
        row(&mut counts, it).count(it.records.into());
        if it.promise() == Promise::Either {
            counts.maybe += 1;
            counts.maybe_committed += u64::from(tally.committed.0 > 0);
        }
        if let Some(error) = it.error {
            *counts.errors.entry(error.name().to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The outcome of a transaction, as far as its application knows.
fn row<'a>(counts: &'a mut Transactions, it: &ClientTransaction) -> &'a mut Share {
    use TransactionOutcome::{Aborted, Committed, GivenUp, Unknown};
    match (it.ended.map(|(_, outcome)| outcome), it.error) {
        (Some(Committed), _) => &mut counts.committed,
        (Some(Aborted), None) => &mut counts.aborted,
        (Some(Aborted), Some(_)) => &mut counts.aborted_after_error,
        (_, Some(ErrorCode::ProducerFenced | ErrorCode::InvalidProducerEpoch)) => {
            &mut counts.fenced
        }
        _ if it.promise() == Promise::Either => &mut counts.unanswered,
        (Some(GivenUp | Unknown), None) => &mut counts.abandoned,
        _ => &mut counts.cut_off,
    }
}

/// The sum over all accounts, from the records read back; `None` if there are no transfers.
pub(super) fn sum(view: &View, end: &End) -> Option<Sum> {
    if !view.setup.producers.iter().any(|it| it.transfers) {
        return None;
    }
    let (mut sum, mut is_whole) = (Sum { read: None, ..Sum::default() }, true);
    let mut read = 0_i64;
    for (partition, held) in view.partitions.iter().zip(&end.finals) {
        if partition.topic.is_none() {
            continue;
        }
        is_whole &= held.source == Source::ReadBack;
        let readers = partition.readers.iter().map(|reader| &view.readers[*reader]);
        let reader = readers.filter(|it| it.read_back.is_some()).max_by_key(|it| it.read_back);
        for piece in reader.into_iter().flat_map(|reader| &reader.seen) {
            for number in partition.batches.numbers(piece.batch, piece.from, piece.to) {
                let Some(amount) = amount(view, *number) else { continue };
                read = read.saturating_add(amount);
                if let Ok(given @ 1..) = u64::try_from(amount) {
                    sum.transfers += 1;
                    sum.moved = sum.moved.saturating_add(given);
                }
            }
        }
    }
    sum.read = is_whole.then_some(read);
    Some(sum)
}

/// The amount that a record adds to the account of its partition; `None` if it is not part of a
/// transfer. The amount follows from the number of the transaction, and its sign from the position
/// of the record in the transaction.
fn amount(view: &View, number: u64) -> Option<i64> {
    let (producer, _) = records::parts(number);
    view.setup.producers.get(producer).filter(|it| it.transfers)?;
    let transaction = view.records.get(number)?.transaction;
    let it = (transaction != NONE).then(|| view.transactions.get(transaction))??;
    let place = number.checked_sub(it.number)?;
    let transfer = it.number.wrapping_add(place / 2);
    let amount = 1 + (transfer.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57).cast_signed();
    Some(if place % 2 == 0 { -amount } else { amount })
}
