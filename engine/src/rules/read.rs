//! What a reader may see (`Partition.fetchOffsetForTimestamp`, `UnifiedLog.read`).

use crate::error::ErrorCode;
use crate::ids::Offset;

/// What ListOffsets answers for "latest": the high watermark, but only once it has reached the
/// start of the leader's epoch. Below that it may be older than what the leader before showed
/// (KIP-207, KAFKA-2334).
pub fn latest_offset(high_watermark: Offset, epoch_start: Offset) -> Result<Offset, ErrorCode> {
    if high_watermark < epoch_start {
        Err(ErrorCode::OffsetNotAvailable)
    } else {
        Ok(high_watermark)
    }
}

/// A position that a reader fetches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The position.
    pub fetch_offset: Offset,
    /// The first offset of the log.
    pub log_start: Offset,
    /// The end of what this reader may see: the high watermark, the last stable offset, or for a
    /// follower the log end.
    pub bound: Offset,
    /// The end of the log.
    pub log_end: Offset,
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records from the position up to the bound.
    Records,
    /// Nothing yet.
    Nothing,
    /// `OFFSET_OUT_OF_RANGE`.
    OutOfRange,
}

/// What to answer to a reader at a position. Between the bound and the log end there is nothing
/// *yet*; calling that out of range would make consumers start over.
pub fn position(position: Position) -> Answer {
    let Position { fetch_offset, log_start, bound, log_end } = position;
    if fetch_offset < log_start || fetch_offset > log_end {
        Answer::OutOfRange
    } else if fetch_offset < bound {
        Answer::Records
    } else {
        Answer::Nothing
    }
}
