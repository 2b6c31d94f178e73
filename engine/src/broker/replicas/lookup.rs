//! A follower whose position is outside its leader's log
//! (`AbstractFetcherThread.fetchOffsetAndTruncate`).
//!
//! The follower requests the leader's log end offset. If that is below its own, there was an
//! unclean election, and the follower truncates. Otherwise it was down for so long that the
//! leader's log now starts above the follower's log end: it requests the leader's log start offset,
//! and starts with an empty log there if the two logs do not overlap.

use super::fetcher::Asked;
use super::partition::Changes;
use super::{Fetchers, Partitions};
use crate::broker::context::Cx;
use crate::ids::{BrokerId, LeaderEpoch, TopicPartition, peer};
use crate::protocol::{
    EARLIEST_TIMESTAMP, Isolation, LATEST_TIMESTAMP, ListOffset, ListOffsetsRequest, ListedOffset,
};
use machine::Halt;

impl Fetchers {
    /// Requests the leader's log end offset.
    pub(super) fn look_up(
        &mut self,
        leader: BrokerId,
        partition: TopicPartition,
        leader_epoch: LeaderEpoch,
        cx: &mut Cx<'_>,
    ) {
        let asked = Asked::Offset { partition, leader_epoch, timestamp: LATEST_TIMESTAMP };
        self.ask_offset(leader, asked, cx);
    }

    fn ask_offset(&mut self, leader: BrokerId, asked: Asked, cx: &mut Cx<'_>) {
        let Asked::Offset { partition, leader_epoch, timestamp } = asked else { return };
        let Some(fetcher) = self.by_leader.get_mut(&leader) else { return };
        fetcher.lookups += 1;
        let listed = ListOffset { partition, current_leader_epoch: Some(leader_epoch), timestamp };
        let request = ListOffsetsRequest {
            replica: Some(cx.context.id),
            isolation: Isolation::ReadUncommitted,
            partitions: vec![listed],
        };
        let timeout = cx.context.config.replica_socket_timeout;
        let node = peer(cx.context.node, leader);
        self.channels.send(cx.io.now.mono, node, request, timeout, asked, cx.io.out);
    }

    /// Handles the leader's log end offset, or the log start offset requested next.
    /// `None`: the request failed.
    pub(super) fn on_looked_up(
        &mut self,
        leader: BrokerId,
        asked: Asked,
        answer: Option<&ListedOffset>,
        partitions: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Asked::Offset { partition: id, leader_epoch, timestamp } = asked else {
            return Ok(());
        };
        let Some(answer) = answer.filter(|answer| answer.error.is_none()) else {
            self.look_up_failed(leader, id, leader_epoch, cx);
            return Ok(());
        };
        let Some(fetcher) = self.by_leader.get_mut(&leader) else { return Ok(()) };
        fetcher.lookups -= 1;
        if fetcher.leader_epoch(id) == Some(leader_epoch)
            && let Some(partition) = partitions.hosted.get_mut(&id)
        {
            let log_end = partition.log().end_offset();
            if timestamp == LATEST_TIMESTAMP && answer.offset >= log_end {
                let asked =
                    Asked::Offset { partition: id, leader_epoch, timestamp: EARLIEST_TIMESTAMP };
                self.ask_offset(leader, asked, cx);
                return Ok(());
            }
            let changed = if timestamp == LATEST_TIMESTAMP {
                partition.truncate_beyond_leader(answer.offset, &mut cx.io)
            } else if answer.offset > log_end {
                partition.start_anew(answer.offset, &mut cx.io)
            } else {
                Ok(Changes::default())
            };
            let changes = match changed {
                Ok(changes) => changes,
                Err(error) => {
                    fetcher.remove(id);
                    partitions.storage_failed(id, error, cx);
                    self.fetch_from(leader, cx);
                    return Ok(());
                }
            };
            fetcher.update(id, partition);
            partitions.react(id, changes, cx)?;
        }
        self.fetch_from(leader, cx);
        Ok(())
    }

    /// Retries the fetch after a back-off, because the request for an offset has failed.
    pub(super) fn look_up_failed(
        &mut self,
        leader: BrokerId,
        partition: TopicPartition,
        leader_epoch: LeaderEpoch,
        cx: &mut Cx<'_>,
    ) {
        let until = cx.io.now.mono + cx.context.config.replica_fetch_backoff;
        if let Some(fetcher) = self.by_leader.get_mut(&leader) {
            fetcher.lookups -= 1;
            if fetcher.leader_epoch(partition) == Some(leader_epoch) {
                fetcher.back_off(partition, until);
            }
        }
        self.fetch_from(leader, cx);
    }
}
