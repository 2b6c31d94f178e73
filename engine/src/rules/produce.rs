//! What a produce request is answered (`Partition.appendRecordsToLeader`, `DelayedProduce`).

use crate::error::ErrorCode;

/// Before the append: acks=all needs a committed ISR of at least min ISR. Nothing is written
/// otherwise. Precedes the detection of duplicates, so a retry may be refused as well.
pub fn check_in_sync_replicas(
    acks: i16,
    isr: usize,
    effective_min_isr: usize,
) -> Result<(), ErrorCode> {
    if acks == -1 && isr < effective_min_isr {
        return Err(ErrorCode::NotEnoughReplicas);
    }
    Ok(())
}

/// After the high watermark has passed an acks=all append, with a maximal ISR of `isr` members:
/// if it has become too small, the record stays and the producer is told so.
pub fn outcome_when_replicated(isr: usize, effective_min_isr: usize) -> ErrorCode {
    if isr >= effective_min_isr { ErrorCode::None } else { ErrorCode::NotEnoughReplicasAfterAppend }
}
