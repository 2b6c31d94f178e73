//! ListOffsets and OffsetForLeaderEpoch requests (`ReplicaManager.fetchOffset`,
//! `lastOffsetForLeaderEpoch`).

use super::Partitions;
use super::partition::list_without_offset;
use crate::broker::context::Cx;
use crate::broker::requests::Served;
use crate::error::ErrorCode;
use crate::protocol::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, OffsetForLeaderEpochResult,
};
use machine::Halt;
use std::collections::BTreeSet;

impl Partitions {
    /// Handles a ListOffsets.
    pub(in crate::broker) fn on_list_offsets(
        &mut self,
        request: &ListOffsetsRequest,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let is_follower = request.replica.is_some();
        let mut partitions = Vec::with_capacity(request.partitions.len());
        let (mut named, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for listed in &request.partitions {
            if !named.insert(listed.partition) {
                twice.insert(listed.partition);
            }
        }
        for listed in &request.partitions {
            if twice.contains(&listed.partition) {
                // A partition that is requested twice is in the response once.
                if named.remove(&listed.partition) {
                    partitions.push(list_without_offset(listed, ErrorCode::InvalidRequest));
                }
                continue;
            }
            partitions.push(match self.hosted.get(&listed.partition) {
                Some(partition) => {
                    let isolation = request.isolation;
                    partition
                        .list_offset(listed, isolation, is_follower, cx.context, &mut cx.io)
                        .unwrap_or_else(|error| {
                            let error = self.storage_failed(listed.partition, error, cx);
                            list_without_offset(listed, error)
                        })
                }
                None => list_without_offset(listed, self.error_of(listed.partition, cx)),
            });
        }
        Ok(Served::Response(ListOffsetsResponse { partitions }.into()))
    }

    /// Handles an OffsetForLeaderEpoch.
    pub(in crate::broker) fn on_offset_for_leader_epoch(
        &mut self,
        request: &OffsetForLeaderEpochRequest,
        cx: &mut Cx<'_>,
    ) -> Served {
        let results = request.partitions.iter().map(|asked| {
            let end = match self.hosted.get(&asked.partition) {
                Some(partition) => partition.end_offset_for(asked, cx.context, &mut cx.io),
                None => Err(self.error_of(asked.partition, cx)),
            };
            OffsetForLeaderEpochResult {
                partition: asked.partition,
                error: end.err().unwrap_or(ErrorCode::None),
                end: end.ok().flatten(),
            }
        });
        Served::Response(OffsetForLeaderEpochResponse { partitions: results.collect() }.into())
    }
}
