//! The offsets that a leader shows to a reader (`Partition.fetchOffsetForTimestamp`,
//! `UnifiedLog.read`).

use crate::error::ErrorCode;
use crate::ids::Offset;

/// A request for the latest offset at a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// The end of the visible records, by isolation level: high watermark or last stable offset.
    pub bound: Offset,
    /// The high watermark.
    pub high_watermark: Offset,
    /// The first offset of the leader's epoch.
    pub epoch_start: Offset,
}

/// What ListOffsets returns as the latest offset: the bound, but only once the high watermark has
/// reached the start of the leader's epoch; `OFFSET_NOT_AVAILABLE` before. Until then it may lie
/// below an offset that an earlier leader has shown (KIP-207, KAFKA-2334). The last stable offset
/// may stay below that start for longer, while a transaction is open.
pub fn latest_offset(latest: Latest) -> Result<Offset, ErrorCode> {
    if latest.high_watermark < latest.epoch_start {
        Err(ErrorCode::OffsetNotAvailable)
    } else {
        Ok(latest.bound)
    }
}

/// The position of a fetch, beside the offsets of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The offset from which the reader fetches.
    pub fetch_offset: Offset,
    /// The first offset of the log.
    pub log_start: Offset,
    /// The end of the records visible to this reader: the high watermark, the last stable offset,
    /// or for a follower the log end.
    pub bound: Offset,
    /// The end of the log.
    pub log_end: Offset,
}

/// The result of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records from the position up to the bound.
    Records,
    /// No records yet.
    Nothing,
    /// `OFFSET_OUT_OF_RANGE`.
    OutOfRange,
}

/// The outcome of a fetch. Between the bound and the log end there is nothing to read *yet*. If
/// such a position were out of range, consumers would reset it (KAFKA-2334).
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
