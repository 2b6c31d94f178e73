//! WriteTxnMarkers requests, by which coordinators end transactions in their partitions
//! (`KafkaApis.handleWriteTxnMarkersRequest`; KIP-98).
//!
//! A marker is appended like a batch with acks=all, and the response is sent when the outcome of
//! every marker is known. An appended marker stays in the log even if the coordinator gets no
//! response.

use super::Partitions;
use super::partition::Changes;
use crate::broker::context::Cx;
use crate::broker::requests::{Delayed, Parked, Served};
use crate::error::ErrorCode;
use crate::ids::{Offset, TopicPartition};
use crate::protocol::{
    DescribeProducersRequest, DescribeProducersResponse, DescribedProducers, TxnMarker,
    WriteTxnMarkersRequest, WriteTxnMarkersResponse, WrittenTxnMarker,
};
use crate::rules::produce;
use machine::{ConnId, Halt};

/// A WriteTxnMarkers request whose markers are appended.
#[derive(Clone, Debug)]
pub(in crate::broker) struct DelayedMarkers {
    markers: Vec<Written>,
}

/// A marker in one partition.
#[derive(Clone, Copy, Debug)]
struct Written {
    producer_id: i64,
    partition: TopicPartition,
    /// The high watermark for which it waits.
    required: Offset,
    /// Its outcome, once known.
    outcome: Option<ErrorCode>,
}

/// The group coordinators of this broker: transactions commit offsets there (KIP-447).
pub(in crate::broker) trait MarkedGroups {
    /// A marker is going to be appended: what has been written before it is appended first.
    ///
    /// # Errors
    ///
    /// If the group coordinator of the partition does not work: the marker has to come again.
    fn before_marker(
        &mut self,
        id: TopicPartition,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<Result<(), ErrorCode>, Halt>;

    /// A marker has been appended, and the log ends at `end` behind it.
    fn on_marker(&mut self, id: TopicPartition, end: Offset, marker: &TxnMarker, cx: &mut Cx<'_>);
}

impl Partitions {
    /// Handles a WriteTxnMarkers. `groups` is informed of each marker in a partition of
    /// `__consumer_offsets`, in order, before it is appended and when it has been.
    pub(in crate::broker) fn on_write_txn_markers(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: &WriteTxnMarkersRequest,
        groups: &mut dyn MarkedGroups,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let mut changes = Vec::new();
        let mut delayed = DelayedMarkers { markers: Vec::new() };
        for marker in &request.markers {
            for id in &marker.partitions {
                let refused = groups.before_marker(*id, self, cx)?;
                let written = match refused {
                    Ok(()) => self.write_marker(marker, *id, &mut changes, cx),
                    Err(error) => Written {
                        producer_id: marker.producer_id,
                        partition: *id,
                        required: 0,
                        outcome: Some(error),
                    },
                };
                if written.outcome.is_none()
                    && let Some(partition) = self.hosted.get(id)
                {
                    let end = partition.log().end_offset();
                    groups.on_marker(*id, end, marker, cx);
                }
                delayed.markers.push(written);
            }
        }
        let served = if self.settle_markers(&mut delayed, cx) {
            for marker in delayed.markers.iter().filter(|marker| marker.outcome.is_none()) {
                if let Some(partition) = self.hosted.get_mut(&marker.partition) {
                    partition.waiting.add_produce(marker.required, conn);
                }
            }
            let deadline = Some(cx.io.now.mono + cx.context.config.request_timeout);
            let body = Delayed::Markers(delayed);
            cx.requests.park(conn, Parked { correlation_id, deadline, body }, cx.io.out);
            Served::Parked
        } else {
            Served::Response(written(&delayed).into())
        };
        for (partition, changes) in changes {
            self.react(partition, changes, cx)?;
        }
        Ok(served)
    }

    fn write_marker(
        &mut self,
        marker: &TxnMarker,
        id: TopicPartition,
        changes: &mut Vec<(TopicPartition, Changes)>,
        cx: &mut Cx<'_>,
    ) -> Written {
        let outcome = |outcome| Written {
            producer_id: marker.producer_id,
            partition: id,
            required: 0,
            outcome,
        };
        if marker.producer_epoch < 0 {
            // Kafka's leader fails with an exception.
            return outcome(Some(ErrorCode::UnknownServerError));
        }
        // For an offline replica the coordinator gets the error for a missing one, and looks for
        // the leader again.
        let Some(partition) = self.hosted.get_mut(&id) else {
            return outcome(Some(ErrorCode::UnknownTopicOrPartition));
        };
        match partition.append_marker(marker, cx.context, &mut cx.io) {
            Ok(Ok(appended)) => {
                changes.push((id, appended.changes));
                let in_log =
                    produce::Appended { last_offset: appended.last_offset, is_duplicate: false };
                let required = cx.context.rules.required_high_watermark(cx.io.out, in_log);
                Written { required, ..outcome(None) }
            }
            Ok(Err(refused)) => {
                changes.push((id, refused.changes));
                outcome(Some(refused.error))
            }
            Err(error) => outcome(Some(self.storage_failed(id, error, cx))),
        }
    }

    /// Settles every marker whose outcome is known. Returns whether any still waits.
    fn settle_markers(&self, delayed: &mut DelayedMarkers, cx: &mut Cx<'_>) -> bool {
        let mut waits = false;
        for marker in delayed.markers.iter_mut().filter(|marker| marker.outcome.is_none()) {
            marker.outcome = match self.hosted.get(&marker.partition) {
                Some(partition) => {
                    partition.outcome_of_produce(marker.required, cx.context, &mut cx.io)
                }
                None if self.offline.contains(&marker.partition) => {
                    Some(ErrorCode::KafkaStorageError)
                }
                None => Some(ErrorCode::NotLeaderOrFollower),
            };
            waits |= marker.outcome.is_none();
        }
        waits
    }

    /// Checks a parked request again, and completes it if no marker still waits.
    pub(super) fn complete_markers(&mut self, conn: ConnId, cx: &mut Cx<'_>) {
        let Some(mut parked) = cx.requests.take(conn) else { return };
        let Delayed::Markers(delayed) = &mut parked.body else { return };
        if self.settle_markers(delayed, cx) {
            cx.requests.put_back(conn, parked);
            return;
        }
        let served = Served::Response(written(delayed).into());
        cx.requests.finish(conn, parked.correlation_id, served, &mut cx.io);
    }

    /// Completes a parked request with `REQUEST_TIMED_OUT` for the markers that still wait. They stay in
    /// the log.
    pub(in crate::broker) fn time_out_markers(
        &mut self,
        conn: ConnId,
        mut parked: Parked,
        cx: &mut Cx<'_>,
    ) {
        let Delayed::Markers(delayed) = &mut parked.body else { return };
        for marker in &mut delayed.markers {
            marker.outcome.get_or_insert(ErrorCode::RequestTimedOut);
            if let Some(partition) = self.hosted.get_mut(&marker.partition) {
                partition.waiting.forget(conn);
            }
        }
        let served = Served::Response(written(delayed).into());
        cx.requests.finish(conn, parked.correlation_id, served, &mut cx.io);
    }

    /// Handles a DescribeProducers.
    pub(in crate::broker) fn on_describe_producers(
        &self,
        request: &DescribeProducersRequest,
        cx: &Cx<'_>,
    ) -> DescribeProducersResponse {
        let described = request.partitions.iter().map(|id| {
            let producers = match self.hosted.get(id) {
                Some(partition) => partition.describe_producers(),
                None => Err(self.error_of(*id, cx)),
            };
            let error = producers.as_ref().err().copied().unwrap_or(ErrorCode::None);
            let producers = producers.unwrap_or_default();
            DescribedProducers { partition: *id, error, producers }
        });
        DescribeProducersResponse { partitions: described.collect() }
    }
}

/// One entry for each producer. Of two markers for the same partition the later one is reported.
fn written(delayed: &DelayedMarkers) -> WriteTxnMarkersResponse {
    let mut markers: Vec<WrittenTxnMarker> = Vec::new();
    for marker in &delayed.markers {
        let Written { producer_id, partition, outcome, .. } = *marker;
        let error = outcome.unwrap_or(ErrorCode::None);
        let at = markers.iter().position(|written| written.producer_id == producer_id);
        let at = at.unwrap_or_else(|| {
            markers.push(WrittenTxnMarker { producer_id, partitions: Vec::new() });
            markers.len() - 1
        });
        let partitions = &mut markers[at].partitions;
        match partitions.iter_mut().find(|(id, _)| *id == partition) {
            Some((_, reported)) => *reported = error,
            None => partitions.push((partition, error)),
        }
    }
    WriteTxnMarkersResponse { markers }
}
