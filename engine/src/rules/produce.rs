//! The error codes of a produce request (`Partition.appendRecordsToLeader`, `DelayedProduce`).

use super::isr::Size;
use crate::error::ErrorCode;
use crate::ids::Offset;

/// Before the append, with the committed ISR: acks=all (-1) needs at least min ISR members.
/// Otherwise nothing is written. This precedes the detection of duplicates, so that the retry of a
/// batch that stands in the log may be refused as well.
pub fn check_in_sync_replicas(acks: i16, size: Size) -> Result<(), ErrorCode> {
    if acks == -1 && size.isr < size.effective_min_isr {
        return Err(ErrorCode::NotEnoughReplicas);
    }
    Ok(())
}

/// After the high watermark has passed an acks=all append, with the maximal ISR: if that has become
/// too small, the records stay, and the producer gets an error.
///
/// Since KIP-966 the high watermark does not move while the committed ISR is too small
/// ([`may_advance`](super::high_watermark::may_advance)): what is parked times out. So in Kafka the
/// error is left to a race, in which one thread adopts a smaller ISR after another has moved the high
/// watermark and before it completes the request. Here both are one step, and this rule says no only
/// beside a wrong `may_advance_high_watermark`.
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
    /// It was there before: the request repeats it.
    pub is_duplicate: bool,
}

/// The high watermark that an acks=all request for this batch waits for. A duplicate waits as the
/// batch itself does: that it is in the leader's log does not mean that it is committed.
pub fn required_high_watermark(appended: Appended) -> Offset {
    appended.last_offset + 1
}
