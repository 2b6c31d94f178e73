//! The error codes of a produce request (`Partition.appendRecordsToLeader`, `DelayedProduce`).

use super::isr::Size;
use crate::error::ErrorCode;
use crate::ids::Offset;

/// The check before an append, of the committed ISR: acks=all (-1) needs at least min ISR members.
/// Otherwise nothing is written. The check precedes the detection of duplicates, so that the retry
/// of a batch that is already in the log may be refused as well.
pub fn check_in_sync_replicas(acks: i16, size: Size) -> Result<(), ErrorCode> {
    if acks == -1 && size.isr < size.effective_min_isr {
        return Err(ErrorCode::NotEnoughReplicas);
    }
    Ok(())
}

/// The check after the high watermark has passed an acks=all append, of the maximal ISR: if it has
/// become too small, the records stay in the log, and the producer gets an error.
///
/// Since KIP-966 the high watermark does not move while the committed ISR is too small
/// ([`may_advance`](super::high_watermark::may_advance)), so that parked requests time out. In
/// Kafka the error occurs only in a race, in which one thread adopts a smaller ISR after another
/// has moved the high watermark and before it completes the request. Here both are one step, so
/// this rule returns an error only together with a corrupted `may_advance_high_watermark`.
pub fn outcome_when_replicated(size: Size) -> ErrorCode {
    if size.isr >= size.effective_min_isr {
        ErrorCode::None
    } else {
        ErrorCode::NotEnoughReplicasAfterAppend
    }
}

/// A batch of a produce request that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Whether it was in the log before: the request is a duplicate.
    pub is_duplicate: bool,
}

/// The high watermark that an acks=all request for this batch waits for. A duplicate waits like the
/// original: a batch in the leader's log is not necessarily committed.
pub fn required_high_watermark(appended: Appended) -> Offset {
    appended.last_offset + 1
}
