//! Markers of transactions in partitions of `__consumer_offsets` (`CoordinatorRuntime.completeTransaction`;
//! KIP-447).

use super::Groups;
use crate::broker::context::Cx;
use crate::broker::internal_topics::Internal;
use crate::broker::replicas::{MarkedGroups, Partitions};
use crate::error::ErrorCode;
use crate::ids::{Offset, TopicPartition};
use crate::protocol::TxnMarker;
use machine::Halt;

impl MarkedGroups for Groups {
    fn before_marker(
        &mut self,
        id: TopicPartition,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Result<(), ErrorCode>, Halt> {
        // What has no replica here is refused as any other partition is.
        if !is_of_groups(id, cx) || !replicas.hosted.contains_key(&id) {
            return Ok(Ok(()));
        }
        if self.shards.get(id.partition).is_err() {
            return Ok(Err(ErrorCode::NotLeaderOrFollower));
        }
        let flushed = self.flush(id.partition, replicas, cx)?;
        Ok(flushed.map_err(|_| ErrorCode::NotLeaderOrFollower))
    }

    fn on_marker(&mut self, id: TopicPartition, end: Offset, marker: &TxnMarker, cx: &mut Cx<'_>) {
        if !is_of_groups(id, cx) {
            return;
        }
        let Ok(shard) = self.shards.get_mut(id.partition) else { return };
        let (producer_id, committed) = (marker.producer_id, marker.committed);
        let rules = &cx.context.rules;
        shard.state.replay_marker(end - 1, producer_id, committed, rules, cx.io.out);
        shard.writes.skip_to(end);
    }
}

fn is_of_groups(id: TopicPartition, cx: &Cx<'_>) -> bool {
    let topic = cx.context.image.topic_by_name(Internal::ConsumerOffsets.name());
    topic.is_some_and(|topic| topic.id == id.topic)
}
