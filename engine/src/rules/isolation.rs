//! The records that readers of committed data may read (`UnifiedLog.lastStableOffset`; KIP-98).

use crate::ids::Offset;

/// The undecided transactions in the log of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stable {
    /// The first offset of the oldest open transaction.
    pub first_open: Option<Offset>,
    /// The first offset of the oldest transaction whose marker lies at or above the high watermark:
    /// the next leader may not have that marker.
    pub first_unreplicated: Option<Offset>,
    /// The high watermark.
    pub high_watermark: Offset,
}

/// The last stable offset: the outcome of every transaction below it is known and replicated. It is
/// never above the high watermark.
pub fn last_stable_offset(stable: Stable) -> Offset {
    let Stable { first_open, first_unreplicated, high_watermark } = stable;
    let undecided = first_open.into_iter().chain(first_unreplicated).min();
    undecided.map_or(high_watermark, |first| first.min(high_watermark))
}
