//! What a reader of committed data may see (`UnifiedLog.lastStableOffset`; KIP-98).

use crate::ids::Offset;

/// What a replica knows of its undecided transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stable {
    /// The first offset of the oldest transaction that is open.
    pub first_open: Option<Offset>,
    /// The first offset of the oldest transaction that a marker has ended which the high watermark has
    /// not passed: another leader may not have that marker.
    pub first_unreplicated: Option<Offset>,
    /// The high watermark.
    pub high_watermark: Offset,
}

/// The last stable offset: nothing that starts there or later is decided for certain. Above the high
/// watermark there is nothing to be seen anyway.
pub fn last_stable_offset(stable: Stable) -> Offset {
    let Stable { first_open, first_unreplicated, high_watermark } = stable;
    let undecided = first_open.into_iter().chain(first_unreplicated).min();
    undecided.map_or(high_watermark, |first| first.min(high_watermark))
}
