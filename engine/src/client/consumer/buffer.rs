//! Fetched batches that the application has not polled yet (`CompletedFetch`).

use super::aborted::Aborted;
use super::position::Position;
use crate::ids::Offset;
use crate::record::{self, Batch, RecordError};
use crate::rules::client::FetchedBatch;
use bytes::Bytes;

/// The batches of one partition in one fetch response.
#[derive(Clone, Debug)]
pub(super) struct Buffered {
    batches: Vec<Bytes>,
    next: usize,
    /// The checksum of the next batch has been verified, because a part of the batch was returned.
    checked: bool,
    /// The aborted transactions, for a consumer with `isolation.level=read_committed`.
    aborted: Option<Aborted>,
    /// Whether records of an aborted transaction were skipped.
    pub(super) has_skipped: bool,
}

/// The result of [`Buffered::take`].
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The batches that contain the records.
    pub(super) batches: Vec<Bytes>,
    /// The number of records.
    pub(super) records: u32,
    /// The error of a corrupt batch, which ends the records.
    pub(super) error: Option<RecordError>,
}

impl Buffered {
    /// The batches of a response, and its aborted transactions, which a consumer with
    /// `isolation.level=read_committed` skips.
    pub(super) fn new(batches: Vec<Bytes>, aborted: Option<Aborted>) -> Self {
        Self { batches, next: 0, checked: false, aborted, has_skipped: false }
    }

    /// Whether all records have been taken.
    pub(super) fn is_empty(&self) -> bool {
        self.next == self.batches.len()
    }

    /// The end of the last batch.
    pub(super) fn end(&self) -> Offset {
        let last = self.batches.last().and_then(|bytes| Batch::new(bytes).ok());
        last.map_or(0, |batch| batch.next_offset())
    }

    /// Takes at most `limit` records from `position` onwards, and moves the position past them.
    /// Records below the position, which the first batch may contain, control batches and aborted
    /// transactions are skipped.
    pub(super) fn take(
        &mut self,
        position: &mut Position,
        limit: u32,
        check_crcs: bool,
        passes_over: &mut dyn FnMut(FetchedBatch) -> bool,
    ) -> Taken {
        let mut taken = Taken { batches: Vec::new(), records: 0, error: None };
        while taken.records < limit && !self.is_empty() {
            let bytes = self.batches[self.next].clone();
            match self.take_from(&bytes, position, limit - taken.records, check_crcs, passes_over) {
                Ok(0) => {}
                Ok(records) => {
                    taken.records += records;
                    taken.batches.push(bytes);
                }
                Err(error) => {
                    taken.error = Some(error);
                    break;
                }
            }
        }
        taken
    }

    /// Takes records of the next batch. Returns their number.
    fn take_from(
        &mut self,
        bytes: &Bytes,
        position: &mut Position,
        limit: u32,
        check_crcs: bool,
        passes_over: &mut dyn FnMut(FetchedBatch) -> bool,
    ) -> Result<u32, RecordError> {
        let batch = Batch::new(bytes)?;
        if check_crcs && !self.checked {
            batch.check_crc()?;
            self.checked = true;
        }
        let is_skipped = match &mut self.aborted {
            Some(aborted) => aborted.skips(bytes, passes_over)?,
            None => false,
        };
        self.has_skipped |= is_skipped && batch.last_offset() >= position.offset;
        if batch.last_offset() < position.offset {
            self.advance();
            return Ok(0);
        }
        let epoch = (batch.leader_epoch() >= 0).then_some(batch.leader_epoch());
        let whole = batch.base_offset() >= position.offset;
        let count = batch.record_count().max(0) as u32;
        let is_shown = !batch.is_control() && !is_skipped;
        if !is_shown || (whole && count <= limit) {
            let count = if is_shown { count } else { 0 };
            position.advance(batch.next_offset(), epoch);
            self.advance();
            return Ok(count);
        }
        // Only a part of the batch: its offsets may have gaps, so its records have to be read.
        let mut taken = 0;
        let mut next_offset = batch.next_offset();
        let mut complete = true;
        record::for_each(bytes, |record| {
            let is_next = record.offset >= position.offset;
            if is_next && taken < limit {
                taken += 1;
                next_offset = record.offset + 1;
            } else if is_next {
                complete = false;
            }
        })?;
        if complete {
            next_offset = batch.next_offset();
            self.advance();
        }
        position.advance(next_offset, epoch);
        Ok(taken)
    }

    fn advance(&mut self) {
        self.next += 1;
        self.checked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, EndTransactionMarker};
    use crate::rules::client::passes_over;

    fn at(offset: i64) -> Position {
        Position { offset, offset_epoch: None, leader_epoch: None }
    }

    /// Records at these offsets, in a batch that extends to `end`.
    fn batch(offsets: &[i64], end: i64) -> Bytes {
        let base = offsets[0];
        let mut builder = BatchBuilder::new().base_offset(base).leader_epoch(3);
        for offset in offsets {
            builder.append_at((offset - base) as i32, 1, None, Some(b"value"), &[]);
        }
        builder.extend_to((end - base - 1) as i32);
        builder.build()
    }

    #[test]
    fn a_batch_with_gaps_is_split_by_offset_and_not_by_counting() {
        let mut buffered =
            Buffered::new(vec![batch(&[10, 13, 17, 18], 21), batch(&[21], 22)], None);
        let mut position = at(11);
        let taken = buffered.take(&mut position, 2, true, &mut passes_over);
        assert_eq!((taken.records, taken.batches.len(), position.offset), (2, 1, 18));
        assert_eq!(position.offset_epoch, Some(3));
        let taken = buffered.take(&mut position, 2, true, &mut passes_over);
        assert_eq!((taken.records, taken.batches.len(), position.offset), (2, 2, 22));
        assert!(buffered.is_empty());
    }

    #[test]
    fn a_limit_at_the_last_record_moves_past_the_gap_after_it() {
        let mut buffered = Buffered::new(vec![batch(&[10, 13], 21)], None);
        let mut position = at(10);
        assert_eq!(buffered.take(&mut position, 2, true, &mut passes_over).records, 2);
        assert_eq!(position.offset, 21);
        let mut buffered = Buffered::new(vec![batch(&[10, 13], 21)], None);
        let mut position = at(11);
        assert_eq!(buffered.take(&mut position, 1, true, &mut passes_over).records, 1);
        assert_eq!(position.offset, 21, "a batch that begins below the position");
    }

    #[test]
    fn control_batches_move_the_position_and_are_not_delivered() {
        let marker = EndTransactionMarker { committed: true, coordinator_epoch: 0 };
        let marker = record::stamp(marker.batch(1, 0, 0), 5, 3);
        let mut buffered = Buffered::new(vec![marker, batch(&[6], 7)], None);
        let mut position = at(5);
        let taken = buffered.take(&mut position, 9, true, &mut passes_over);
        assert_eq!((taken.records, taken.batches.len(), position.offset), (1, 1, 7));
    }

    #[test]
    fn records_before_a_corrupt_batch_are_taken() {
        let mut broken = batch(&[11], 12).to_vec();
        *broken.last_mut().unwrap() ^= 1;
        let mut buffered = Buffered::new(vec![batch(&[10], 11), broken.into()], None);
        let mut position = at(10);
        let taken = buffered.take(&mut position, 9, true, &mut passes_over);
        assert_eq!((taken.records, position.offset), (1, 11));
        assert!(matches!(taken.error, Some(RecordError::Crc { .. })));
    }
}
