//! State that a leader keeps in a new leader epoch (`Partition.makeLeader`,
//! `Replica.resetReplicaState`).

use crate::ids::LeaderEpoch;

/// A replica that leads in a new leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewEpoch {
    /// The epoch in which it has led until now; `None`: it did not lead.
    pub led: Option<LeaderEpoch>,
    /// The epoch in which it leads now.
    pub epoch: LeaderEpoch,
}

/// Whether a leader keeps its knowledge of its followers' logs: only if it led in the epoch
/// immediately before. In an epoch in between, which a leader with late metadata has never seen,
/// its followers may have followed another replica and truncated.
///
/// Kafka 4.0 to 4.4 keep it in any replica that led before and leads again. The high watermark can
/// then pass records that only the leader has, which are acknowledged and lost (FL-1).
pub fn keeps_follower_state(new: NewEpoch) -> bool {
    new.led.is_some_and(|led| new.epoch - 1 == led)
}
