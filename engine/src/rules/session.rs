//! State that a fetch session assumes its fetcher to know (`FetchSession.CachedPartition`;
//! KIP-227).

use crate::ids::{LeaderEpoch, Offset};

/// A partition of a session that its fetcher names again, because its request has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The fetch offset until now.
    pub fetched: Offset,
    /// The leader epoch that the fetcher knew until now; `None`: no fencing.
    pub fetched_epoch: Option<LeaderEpoch>,
    /// The fetch offset now.
    pub fetch: Offset,
    /// The leader epoch that the fetcher knows now.
    pub epoch: Option<LeaderEpoch>,
}

/// Whether the high watermark of the last response is sent again: unless the fetcher has advanced
/// in the same leader epoch, and so has used that response.
///
/// A fetcher ignores the high watermark of a response that shows a divergence, or that comes after
/// its position or epoch has changed. Kafka 4.1 to 4.4 send a high watermark only once, so that it
/// then stays unknown to the follower until it moves again (FL-2).
pub fn repeats_high_watermark(request: Renamed) -> bool {
    request.epoch != request.fetched_epoch || request.fetch <= request.fetched
}
