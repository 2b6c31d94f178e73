//! The polls of a consumer neither skip nor go back, and a consumer is moved only when records are
//! gone that it had read, or that a broker had shown to exist.
//!
//! A broker that returns OFFSET_OUT_OF_RANGE, or names an end of the epoch below the position
//! (KIP-320), moves the consumer, which then skips records or reads them again. That requires a
//! loss of records before the position, permitted or not, or a log that starts above the position.
//!
//! A consumer that is not moved must continue in the log that it has read so far.
//!
//! Catches a corrupted `read_position`, `has_to_validate` or `check_leader_epoch` (KIP-320), a
//! broker that serves a log that is not the leader's, and a consumer that mishandles positions
//! within batches.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Fate, Moment, Partition, Piece, Reader, View};
use engine::fact::{ClientFact, Fact, Positioning};
use engine::ids::Offset;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Polls;

impl Polls {
    pub(super) const NAME: &'static str = "polls-contiguous";
}

impl Check for Polls {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Moved { .. } | Effect::Delivered { .. })
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        if let Effect::Moved { reader, before: Some(before), was_asked: false } = effect {
            moved(view, at, fact, (*reader, *before), out);
        }
        let Effect::Delivered { reader, before, last } = effect else { return };
        let Fact::Client(ClientFact::Delivered { from, to, .. }) = fact else { return };
        let index = view.readers[*reader].partition;
        if let Some(before) = before.filter(|before| before != from) {
            let back = *from < before;
            let what = if back { "a poll went back" } else { "a poll skipped records" };
            out.add(Self::NAME, what, at, index, Ground::Never)
                .offset(*from.min(&before))
                .detail(format!("the position was {before}, the poll began at {from}"));
        }
        let mut expected = *from;
        let mut last = *last;
        for piece in &view.pieces {
            check_line(view, at, index, (last, *piece), out);
            last = Some(*piece);
            if piece.from < expected {
                out.add(Self::NAME, "a poll went back", at, index, Ground::Never)
                    .offset(piece.from)
                    .detail(format!(
                        "offset {} came after {}",
                        piece.from,
                        expected.saturating_sub(1)
                    ));
            }
            check_gap(view, at, *reader, (expected, piece.from), out);
            expected = piece.to;
        }
        check_gap(view, at, *reader, (expected, *to), out);
    }
}

/// A consumer was moved away from a position that had been valid: within the log, or at its end.
fn moved(
    view: &View,
    at: &Moment,
    fact: &Fact,
    (reader, before): (usize, Offset),
    out: &mut Findings,
) {
    let Fact::Client(ClientFact::Positioned { to, why, .. }) = fact else { return };
    let reader = &view.readers[reader];
    let partition = &view.partitions[reader.partition];
    let (what, kept) = match why {
        Positioning::Seek | Positioning::Committed | Positioning::Start => return,
        Positioning::OutOfRange => ("a position was out of range although nothing was lost", None),
        // All records from the new position onwards have to be gone.
        Positioning::Truncated => (
            "a consumer was moved back over records that still exist",
            reader
                .seen
                .iter()
                .rev()
                .take_while(|piece| piece.to > *to)
                .map(|piece| piece.batch)
                .find(|batch| !partition.was_lost(*batch)),
        ),
    };
    // The last batch that it read, or any batch before the position if it did not read up to there.
    let lost = match reader.seen.last().filter(|piece| piece.to == before) {
        Some(piece) => partition.was_lost(piece.batch),
        None => partition
            .batches
            .covering(before.saturating_sub(1))
            .any(|batch| partition.was_lost(batch)),
    };
    let leader = partition.line_leader.map(|leader| &partition.replicas[leader]);
    let started = leader.is_some_and(|leader| leader.log_start > before);
    if started || (lost && kept.is_none()) {
        return;
    }
    let offset = kept.map_or(before, |batch| partition.batches.get(batch).base);
    out.add(Polls::NAME, what, at, reader.partition, Ground::Never)
        .offset(offset)
        .detail(format!("consumer {} was at {before} and went on at {to}", at.node));
}

/// A consumer that reads on must do so in the log that it has read: the batch before the next one
/// is the last that it received. Otherwise the log was truncated below its position, and it will
/// never see the records written there since.
///
/// Validation asks the leader for the end of the epoch that was read last, and uses only the offset
/// in the response (`SubscriptionState.maybeCompleteValidation`). Where an older epoch extends
/// beyond the position, Kafka's consumer reads on; so the loss that led to it excuses this finding.
fn check_line(
    view: &View,
    at: &Moment,
    index: usize,
    (last, next): (Option<Piece>, Piece),
    out: &mut Findings,
) {
    let Some(last) = last.filter(|last| last.to == next.from) else { return };
    let partition = &view.partitions[index];
    let batches = &partition.batches;
    let Some(before) = batches.ancestor(next.batch, last.to - 1) else { return };
    if before == last.batch {
        return;
    }
    let (read, stands) = (batches.get(last.batch), batches.get(before));
    let loss = partition.losses.iter().rposition(|loss| loss.batch == last.batch);
    let ground = match loss.filter(|_| stands.epoch < read.epoch) {
        Some(loss) => {
            let witness = partition.losses[loss].witness.clone();
            Ground::Gone { witness, loss: Some(loss as u32) }
        }
        None => Ground::Never,
    };
    out.add(Polls::NAME, "a consumer read on past a truncation", at, index, ground)
        .offset(last.to)
        .record(batches.number_at(last.batch, last.to - 1))
        .detail(format!(
            "consumer {} had read epoch {} up to {}, where epoch {} stands now",
            at.node,
            read.epoch,
            last.to - 1,
            stands.epoch
        ));
}

/// Offsets may have holes; a consumer may skip nothing else.
fn check_gap(
    view: &View,
    at: &Moment,
    reader: usize,
    (from, to): (Offset, Offset),
    out: &mut Findings,
) {
    if from >= to {
        return;
    }
    let Reader { partition: index, read_committed, .. } = view.readers[reader];
    let may_hide = read_committed && view.partitions[index].transactions.any();
    if let Some(offset) = first_record(&view.partitions[index], may_hide, from, to) {
        out.add(Polls::NAME, "a poll skipped records", at, index, Ground::Never)
            .offset(offset)
            .detail(format!("offsets {from} to {} were skipped", to.saturating_sub(1)));
    }
}

/// The first record between two offsets in the line of leaders; with `may_hide`, aborted records do
/// not count.
fn first_record(partition: &Partition, may_hide: bool, from: Offset, to: Offset) -> Option<Offset> {
    let batches = &partition.batches;
    let start = partition.line.partition_point(|batch| batches.get(*batch).next <= from);
    let within = partition.line[start..].iter().map(|batch| (*batch, batches.get(*batch)));
    let mut within = within.take_while(|(_, it)| it.base < to);
    let is_hidden = |batch| may_hide && partition.fate(batch) == Some(Fate::Aborted);
    let first = within.find(|(batch, it)| !it.is_control && !is_hidden(*batch));
    first.map(|(_, it)| it.base.max(from))
}
