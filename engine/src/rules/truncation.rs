//! Truncation of a follower's log (KIP-101, KIP-279, KIP-320, KIP-595; `AbstractFetcherThread`,
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
    /// Whether it knows the leader epochs of its log.
    pub knows_epochs: bool,
}

/// The offset from which a replica fetches when it begins to follow; it truncates its log there.
///
/// This is its own log end: the leader's responses show by epochs what has to be truncated. A
/// follower that truncates to its high watermark drops acknowledged records, because its high
/// watermark trails by a fetch (KIP-101, KAFKA-1211). The high watermark is the last resort of a
/// log without epochs.
pub fn start_of_following(start: Start) -> Offset {
    if start.knows_epochs { start.log_end } else { start.high_watermark.min(start.log_end) }
}

/// A follower's fetch, and the leader that received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its log end offset.
    pub fetch_offset: Offset,
    /// The epoch of its last record.
    pub last_fetched_epoch: LeaderEpoch,
    /// The leader epoch in the fetch; `None`: the fetch has none.
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The leader epoch of the replica that received the fetch.
    pub leader_epoch: LeaderEpoch,
}

/// Whether a follower's log diverges from the leader's. `end` is the leader's end offset for the
/// follower's last epoch. The leader epochs of the two sides do not count: every fetch is checked,
/// whereas before KIP-595 a follower looked the end up once, when it began to follow.
pub fn diverges(fetched: Fetched, end: EpochEndOffset) -> bool {
    end.epoch < fetched.last_fetched_epoch || end.end_offset < fetched.fetch_offset
}

/// A follower whose fetch returned a diverging epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The diverging epoch, and where it ends in the leader's log.
    pub leader: EpochEndOffset,
    /// The same lookup in the follower's own log; `None`: it knows neither that epoch nor an older
    /// one.
    pub own: Option<EpochEndOffset>,
    /// Its log end offset.
    pub log_end: Offset,
    /// Its high watermark, to which followers truncated before KIP-101.
    pub high_watermark: Offset,
}

/// The offset to which a follower truncates. If the follower does not know the leader's epoch, it
/// truncates to the end of its next older epoch and fetches again: after several fast elections
/// this takes several rounds (KIP-279). If it knows no older epoch, it truncates to the leader's
/// end offset; its own high watermark is no bound of the common part of the two logs.
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
