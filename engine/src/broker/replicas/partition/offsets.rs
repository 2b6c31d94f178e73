//! Lookup of offsets by timestamp, and of the end offsets of leader epochs
//! (`Partition.fetchOffsetForTimestamp`, `lastOffsetForLeaderEpoch`; KIP-101, KIP-207).

use super::{Context, Io, Partition, StorageError, log_dir_failed};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::Offset;
use crate::protocol::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_TIMESTAMP, EpochEndOffset, Isolation,
    LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP, ListOffset, ListedOffset, MAX_TIMESTAMP,
    OffsetForLeaderEpoch,
};
use crate::reach::Reach;
use crate::rules::read::Latest;

impl Partition {
    /// One partition of a ListOffsets response.
    pub(in crate::broker) fn list_offset(
        &self,
        request: &ListOffset,
        isolation: Isolation,
        is_follower: bool,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<ListedOffset, StorageError> {
        let nothing = list_without_offset(request, ErrorCode::None);
        if let Err(error) = self.check_leads(request.current_leader_epoch, context, io) {
            return Ok(ListedOffset { error, ..nothing });
        }
        let bound = match isolation {
            _ if is_follower => self.log.end_offset(),
            Isolation::ReadUncommitted => self.high_watermark,
            Isolation::ReadCommitted => self.last_stable_offset(context, io.out),
        };
        let at = |offset, leader_epoch| ListedOffset { offset, leader_epoch, ..nothing };
        if [EARLIEST_TIMESTAMP, EARLIEST_LOCAL_TIMESTAMP].contains(&request.timestamp) {
            let start = self.log.log_start();
            return Ok(at(start, self.log.epoch_of(start)));
        }
        if request.timestamp == LATEST_TIMESTAMP {
            let latest = if is_follower { Ok(bound) } else { self.latest(bound, context, io) };
            return Ok(match latest {
                Ok(latest) => at(latest, Some(self.leader_epoch)),
                Err(error) => ListedOffset { error, ..nothing },
            });
        }
        let timestamp = match request.timestamp {
            MAX_TIMESTAMP => match self.log.max_timestamp() {
                Some(timestamp) => timestamp,
                None => return Ok(nothing),
            },
            LATEST_TIERED_TIMESTAMP => return Ok(nothing),
            timestamp if timestamp < 0 => {
                return Ok(ListedOffset { error: ErrorCode::UnsupportedVersion, ..nothing });
            }
            timestamp => timestamp,
        };
        let log_end = self.log.end_offset();
        let found =
            self.log.offset_for_timestamp(timestamp, log_end, io.disk).map_err(log_dir_failed)?;
        Ok(match found {
            Some(found) if found.offset < bound => ListedOffset {
                timestamp: found.timestamp,
                ..at(found.offset, self.log.epoch_of(found.offset))
            },
            // The record is above the bound, but consumers may have read it from an earlier leader.
            Some(_) => match self.latest(bound, context, io) {
                Ok(_) => nothing,
                Err(error) => ListedOffset { error, ..nothing },
            },
            None => nothing,
        })
    }

    /// Returns `bound`, or `OFFSET_NOT_AVAILABLE` if the high watermark is below the start of the leader
    /// epoch: consumers may then have read further from an earlier leader (KIP-207).
    fn latest(
        &self,
        bound: Offset,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Offset, ErrorCode> {
        let epoch_start = self.leader().map_or(0, |leader| leader.epoch_start);
        let latest = Latest { bound, high_watermark: self.high_watermark, epoch_start };
        let latest = context.rules.latest_offset(io.out, latest);
        if latest.is_err() {
            io.out.observe(Fact::Reached(Reach::LatestOffsetUnavailable));
        }
        latest
    }

    /// One partition of an OffsetForLeaderEpoch response.
    pub(in crate::broker) fn end_offset_for(
        &self,
        request: &OffsetForLeaderEpoch,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Option<EpochEndOffset>, ErrorCode> {
        self.check_leads(request.current_leader_epoch, context, io)?;
        Ok(self.log.end_offset_for(request.leader_epoch))
    }
}

/// A ListOffsets result without an offset: an error, or [`ErrorCode::None`] if no record matches.
pub(in crate::broker) fn list_without_offset(
    request: &ListOffset,
    error: ErrorCode,
) -> ListedOffset {
    ListedOffset {
        partition: request.partition,
        error,
        timestamp: -1,
        offset: -1,
        leader_epoch: None,
    }
}
