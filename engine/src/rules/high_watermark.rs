//! What bounds the high watermark (`Partition.maybeIncrementLeaderHW`).

use crate::ids::Offset;

/// `min.insync.replicas` as it takes effect: no more than there are replicas.
pub fn effective_min_isr(min_insync_replicas: usize, replication_factor: usize) -> usize {
    min_insync_replicas.min(replication_factor)
}

/// Whether the high watermark may move at all, with a committed ISR of `isr` members: not below
/// min ISR, whatever acks the producers use (KIP-966, KAFKA-15583).
pub fn may_advance(isr: usize, effective_min_isr: usize) -> bool {
    isr >= effective_min_isr
}

/// A remote replica, seen by its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replica {
    /// It is in the effective ISR ([`super::isr::is_in_effective_isr`]).
    pub in_effective_isr: bool,
    /// It may join the ISR ([`super::isr::is_eligible`]).
    pub eligible: bool,
    /// It is at the leader's end, or was within `replica.lag.time.max.ms`.
    pub caught_up: bool,
}

/// Whether the high watermark may not pass a replica's log end: it is in sync, or about to be.
/// One that cannot join does not count, however close it is (KAFKA-15021).
pub fn is_held_back_by(replica: Replica) -> bool {
    replica.in_effective_isr || (replica.eligible && replica.caught_up)
}

/// A follower's high watermark: its leader's, as far as its own log reaches. It may go back.
pub fn of_follower(leader_high_watermark: Offset, log_end: Offset) -> Offset {
    leader_high_watermark.min(log_end)
}
