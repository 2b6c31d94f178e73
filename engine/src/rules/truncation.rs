//! Where a follower cuts its log (KIP-101, KIP-279, KIP-320, KIP-595; `AbstractFetcherThread`,
//! `Partition.readRecords`).

use crate::ids::{LeaderEpoch, Offset};
use crate::protocol::EpochEndOffset;

/// A replica that begins to follow a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its log end offset.
    pub log_end: Offset,
    /// Its high watermark.
    pub high_watermark: Offset,
    /// It knows the leader epochs of its log.
    pub knows_epochs: bool,
}

/// From where a replica fetches when it begins to follow; it cuts what lies above.
///
/// Its own end: what it has too much the leader will tell by epochs. Cutting at the high
/// watermark throws away records that were acknowledged, because a follower's high watermark
/// trails by a fetch (KIP-101, KAFKA-1211). It is the last resort of a log without epochs.
pub fn start_of_following(start: Start) -> Offset {
    if start.knows_epochs { start.log_end } else { start.high_watermark.min(start.log_end) }
}

/// What a follower says in its fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its log end offset.
    pub fetch_offset: Offset,
    /// The epoch of its last record.
    pub last_fetched_epoch: LeaderEpoch,
    /// The leader epoch that it fetches under; `None`: it does not say.
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The leader epoch of whoever answers.
    pub leader_epoch: LeaderEpoch,
}

/// Whether a follower's log parts from the leader's, `end` being what the leader knows of the
/// follower's last epoch. The epochs of the two leaderships do not count: every fetch is looked
/// at, where before KIP-595 a follower asked once, when it began to follow.
pub fn diverges(fetched: Fetched, end: EpochEndOffset) -> bool {
    end.epoch < fetched.last_fetched_epoch || end.end_offset < fetched.fetch_offset
}

/// A follower that was told that it diverges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// What the leader knows.
    pub leader: EpochEndOffset,
    /// What the follower itself knows of that epoch, by the same lookup; `None`: nothing.
    pub own: Option<EpochEndOffset>,
    /// Its log end offset.
    pub log_end: Offset,
    /// Its high watermark, by which followers cut before KIP-101.
    pub high_watermark: Offset,
}

/// Where a follower cuts. If it does not know the leader's epoch either, it cuts to the end of
/// its next older one and asks again: several fast elections need several rounds (KIP-279). If it
/// knows none, the leader's word is all there is; its own high watermark is no bound of what the
/// two have in common.
pub fn truncate_to(divergence: Divergence) -> Offset {
    let Divergence { leader, own, log_end, .. } = divergence;
    match own {
        None => leader.end_offset.min(log_end),
        Some(own) if own.epoch == leader.epoch => {
            own.end_offset.min(leader.end_offset).min(log_end)
        }
        Some(own) => own.end_offset.min(log_end),
    }
}
