//! What a reader may see (`Partition.fetchOffsetForTimestamp`, `UnifiedLog.read`).

use crate::error::ErrorCode;
use crate::ids::Offset;

/// A leader that is asked for the latest offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// The end of what the reader may see: high watermark or last stable offset.
    pub bound: Offset,
    /// The high watermark.
    pub high_watermark: Offset,
    /// Where the leader's epoch starts.
    pub epoch_start: Offset,
}

/// What ListOffsets returns as the latest offset: the bound, but only once the high watermark has
/// reached the start of the leader's epoch; `OFFSET_NOT_AVAILABLE` before. Until then it may lie below
/// what an earlier leader has shown (KIP-207, KAFKA-2334). An open transaction may keep the last stable
/// offset below that start for longer, as it did before.
pub fn latest_offset(latest: Latest) -> Result<Offset, ErrorCode> {
    if latest.high_watermark < latest.epoch_start {
        Err(ErrorCode::OffsetNotAvailable)
    } else {
        Ok(latest.bound)
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

/// What a fetch returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records from the position up to the bound.
    Records,
    /// Nothing yet.
    Nothing,
    /// `OFFSET_OUT_OF_RANGE`.
    OutOfRange,
}

/// What a reader at a position gets. Between the bound and the log end there is nothing *yet*; if
/// that were out of range, consumers would reset their positions (KAFKA-2334).
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
