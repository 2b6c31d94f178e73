//! Bounds of the high watermark (`Partition.maybeIncrementLeaderHW`).

use super::isr::Size;
use crate::ids::Offset;

/// `min.insync.replicas` as it takes effect: at most the replication factor.
pub fn effective_min_isr(min_insync_replicas: usize, replication_factor: usize) -> usize {
    min_insync_replicas.min(replication_factor)
}

/// Whether the high watermark may move with a committed ISR of this size: not if it is below min
/// ISR, whatever acks the producers use (KIP-966, KAFKA-15583).
pub fn may_advance(size: Size) -> bool {
    size.isr >= size.effective_min_isr
}

/// A remote replica as its leader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Whether it is in the effective ISR ([`super::isr::is_in_effective_isr`]).
    pub in_effective_isr: bool,
    /// Whether it may join the ISR ([`super::isr::is_eligible`]).
    pub eligible: bool,
    /// Whether it is at the leader's log end, or was within `replica.lag.time.max.ms`.
    pub caught_up: bool,
}

/// Whether the high watermark may not pass the log end of a replica: the replica is in sync, or is
/// about to join the ISR. A replica that cannot join does not count, however close it is
/// (KAFKA-15021).
pub fn is_held_back_by(replica: Replica) -> bool {
    replica.in_effective_isr || (replica.eligible && replica.caught_up)
}

/// A follower that has appended what it fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// The high watermark of its leader, by the fetch response.
    pub leader_high_watermark: Offset,
    /// Its own log end offset.
    pub log_end: Offset,
}

/// The high watermark of a follower: that of its leader, as far as its own log reaches. It may
/// move back.
pub fn of_follower(follower: Follower) -> Offset {
    follower.leader_high_watermark.min(follower.log_end)
}
