//! Markers that end a transaction in its partitions: WriteTxnMarkers (KIP-98).

use super::api::{PARTITION, RequestBody, ResponseBody};
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, TopicPartition};

/// Ends transactions in partitions that the receiver leads: sent by a transaction coordinator, or
/// by an administrator to end a hanging transaction (KIP-664).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteTxnMarkersRequest {
    /// The markers to write.
    pub markers: Vec<TxnMarker>,
}

/// One transaction of a [`WriteTxnMarkersRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TxnMarker {
    /// The id of the producer.
    pub producer_id: i64,
    /// The producer's epoch in these partitions once the marker is written.
    pub producer_epoch: i16,
    /// Whether the transaction was committed, not aborted.
    pub committed: bool,
    /// Leader epoch of the coordinator's partition of `__transaction_state`; -1 from an
    /// administrator.
    pub coordinator_epoch: LeaderEpoch,
    /// Every transaction of the producer has an epoch of its own, so that the marker has the epoch of
    /// the next one (`TransactionVersion` of WriteTxnMarkers v2, KIP-1228). False from an administrator.
    pub own_epoch: bool,
    /// The partitions to which the marker is written.
    pub partitions: Vec<TopicPartition>,
}

/// The response to a [`WriteTxnMarkersRequest`], once all in-sync replicas have the markers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteTxnMarkersResponse {
    /// One for each producer id. Of two markers of one id in a request it has only the later.
    pub markers: Vec<WrittenTxnMarker>,
}

/// One transaction of a [`WriteTxnMarkersResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WrittenTxnMarker {
    /// The id of the producer.
    pub producer_id: i64,
    /// The outcome of each partition.
    pub partitions: Vec<(TopicPartition, ErrorCode)>,
}

impl RequestBody for WriteTxnMarkersRequest {
    type Response = WriteTxnMarkersResponse;

    fn locks(&self, locks: &mut Vec<TopicPartition>) {
        locks.extend(self.markers.iter().flat_map(|marker| &marker.partitions));
    }

    fn refused(&self, error: ErrorCode) -> WriteTxnMarkersResponse {
        let refused = |marker: &TxnMarker| WrittenTxnMarker {
            producer_id: marker.producer_id,
            partitions: marker.partitions.iter().map(|partition| (*partition, error)).collect(),
        };
        WriteTxnMarkersResponse { markers: self.markers.iter().map(refused).collect() }
    }

    fn size(&self) -> u64 {
        let partitions: usize = self.markers.iter().map(|marker| marker.partitions.len()).sum();
        (self.markers.len() + partitions) as u64 * PARTITION
    }
}

impl ResponseBody for WriteTxnMarkersResponse {
    fn locks(&self, _: &mut Vec<TopicPartition>) {}

    fn has_error(&self, error: ErrorCode) -> bool {
        let mut partitions = self.markers.iter().flat_map(|marker| &marker.partitions);
        partitions.any(|(_, found)| *found == error)
    }

    fn size(&self) -> u64 {
        let partitions: usize = self.markers.iter().map(|marker| marker.partitions.len()).sum();
        (self.markers.len() + partitions) as u64 * PARTITION
    }
}
