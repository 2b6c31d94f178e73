//! The error codes of a produce request (`Partition.appendRecordsToLeader`, `DelayedProduce`).

use super::isr::Size;
use crate::error::ErrorCode;

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
