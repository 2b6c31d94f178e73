//! Transaction coordinators (`TransactionCoordinator`, `TransactionStateManager`,
//! `TransactionMarkerChannelManager`; KIP-98, KIP-360, KIP-890).
//!
//! The leader of a partition of `__transaction_state` coordinates the transactional ids that belong
//! to the partition; the leader epoch is the **coordinator epoch**. The state of an id is its last
//! committed record in that partition, so a new coordinator reads the log and continues.
//!
//! | state of an id | meaning | possible states before |
//! |---|---|---|
//! | Empty | no transaction since the producer got its epoch | Empty, Complete* |
//! | Ongoing | a transaction is open | Empty, Ongoing, Complete* |
//! | PrepareCommit | committed; markers are being written | Ongoing |
//! | PrepareAbort | aborted; markers are being written | Ongoing; Empty, Complete* where every transaction has an epoch |
//! | CompleteCommit, CompleteAbort | all markers are written | the Prepare* of the same name |
//!
//! | input | effect |
//! |---|---|
//! | InitProducerId | gives the id to a producer (Empty), or aborts the open transaction first |
//! | AddPartitionsToTxn, AddOffsetsToTxn | Ongoing, with more partitions; or only verifies that they are in the transaction |
//! | EndTxn | Prepare*; the response is sent when the decision is committed |
//! | markers written in all partitions | Complete* |
//! | a transaction has been open for too long | PrepareAbort under an epoch that fences its producer |
//! | an id has not been used for too long | a tombstone |
//! | leadership begins | the log is read; for Prepare* the markers are sent (again) |
//! | leadership ends, or continues in another epoch | the ids and the queued markers are dropped; later outcomes of their records and markers are ignored |
//!
//! Invariants:
//!
//! - An id has at most one record on its way ([`Entry::pending`](state::Entry)): until its outcome
//!   is known, other requests for the id get a retriable error.
//! - The state of an id changes only when a record is committed, and only in the coordinator epoch
//!   in which the record was written. Three things change without a record: an id gets its first
//!   producer id; where transactions share an epoch, an abort by the coordinator takes its epoch at
//!   once; and each marker removes its partition.
//! - A decision is committed before its producer gets the response, and is final: only Complete*
//!   follows Prepare*.
//! - Complete* is written when every partition has its marker or has been deleted.
//! - A producer epoch is given to one instance of a producer only.
//!
//! | file | idea |
//! |---|---|
//! | `state.rs`, `decide.rs` | the state of an id, and the decision about a request; without effects |
//! | `record.rs` | the records of `__transaction_state` |
//! | `shards.rs`, `loading.rs` | the ids by partition; taking over and giving up partitions |
//! | `requests.rs`, `describe.rs` | requests |
//! | `writes.rs`, `outcomes.rs` | records on their way, and the reactions to their outcome |
//! | `markers.rs`, `marking.rs` | markers on their way to the leaders |
//! | `periodic.rs` | transactions open for too long, unused ids |

mod decide;
mod describe;
mod loading;
mod markers;
mod marking;
mod outcomes;
mod periodic;
mod record;
mod requests;
mod shards;
mod state;
mod writes;

#[cfg(test)]
mod tests;

use super::context::Cx;
use super::forward::Forwards;
use super::internal_topics::Internal;
use super::part::Part;
use super::replicas::Partitions;
use super::requests::Parked;
use crate::ids::TopicPartition;
use crate::metadata::{Feature, MetadataImage};
use crate::protocol::{Request, Response};
use crate::timer::{Channel, TransactionTimer};
use machine::{ConnId, Halt, Span};
use markers::Markers;
use requests::Adding;
use shards::Shards;
use std::collections::BTreeMap;
use writes::Writes;

/// The coordinators of this broker.
#[derive(Clone, Debug)]
pub(super) struct Transactions {
    shards: Shards,
    writes: Writes,
    markers: Markers,
    /// The AddPartitionsToTxn requests without a response, by connection.
    adding: BTreeMap<ConnId, Adding>,
    /// The periodic timers are set, because some partition has been coordinated here.
    periodic: bool,
}

/// The parts of the broker that coordinators use.
pub(super) struct Services<'a> {
    /// Writes records.
    pub(super) replicas: &'a mut Partitions,
    /// Gets producer ids from the controller.
    pub(super) ids: &'a mut Forwards,
}

impl Transactions {
    pub(super) fn new(setup_timeout: Span) -> Self {
        Self {
            shards: Shards::default(),
            writes: Writes::default(),
            markers: Markers::new(setup_timeout),
            adding: BTreeMap::new(),
            periodic: false,
        }
    }

    /// Adds the partitions of `__transaction_state` that a request reads or writes.
    pub(super) fn locks_of_request(
        &self,
        request: &Request,
        image: &MetadataImage,
        locks: &mut Vec<TopicPartition>,
    ) {
        let mut add = |id: &str| locks.extend(Internal::TransactionState.partition_of(image, id));
        match request {
            Request::InitProducerId(request) => {
                if let Some(id) = &request.transactional_id {
                    add(id);
                }
            }
            Request::EndTxn(request) => add(&request.transactional_id),
            Request::AddOffsetsToTxn(request) => add(&request.transactional_id),
            Request::AddPartitionsToTxn(request) => {
                request.transactions.iter().for_each(|it| add(&it.transactional_id));
            }
            _ => {}
        }
    }

    /// Adds the partitions of `__transaction_state` that a timer reads or writes.
    pub(super) fn locks_of(&self, timer: TransactionTimer, locks: &mut Vec<TopicPartition>) {
        match timer {
            TransactionTimer::Complete(index) => locks.extend(self.shards.partition(index)),
            TransactionTimer::TimedOut | TransactionTimer::ExpiredIds => {
                locks.extend(self.shards.partitions());
            }
            TransactionTimer::Load(_)
            | TransactionTimer::Loaded(..)
            | TransactionTimer::Writes
            | TransactionTimer::Markers => {}
        }
    }

    /// A timer of the coordinators is due.
    pub(super) fn on_timer(
        &mut self,
        timer: TransactionTimer,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        match timer {
            TransactionTimer::Load(index) => self.load(index, services, cx),
            TransactionTimer::Loaded(index, epoch) => self.install(index, epoch, cx),
            TransactionTimer::Complete(index) => self.write_completions(index, services, cx)?,
            TransactionTimer::Writes => self.time_out_writes(services, cx),
            TransactionTimer::Markers => self.send_markers(cx),
            TransactionTimer::TimedOut => self.abort_timed_out(services, cx)?,
            TransactionTimer::ExpiredIds => self.expire_ids(services, cx)?,
        }
        Ok(())
    }
}

/// The level of `transaction.version`.
fn level(cx: &Cx<'_>) -> u16 {
    cx.context.image.feature(Feature::TransactionVersion)
}

/// The wall clock, in milliseconds.
fn now_ms(cx: &Cx<'_>) -> i64 {
    cx.io.now.wall.0
}

impl Part for Transactions {
    fn on_opened(&mut self, conn: ConnId) -> bool {
        self.markers.channels.on_opened(conn).is_some()
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> bool {
        let Some(ended) = self.markers.channels.on_closed(cx.io.now.mono, conn) else {
            return false;
        };
        self.on_markers_lost(ended, cx);
        true
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        if let Response::WriteTxnMarkers(response) = body
            && let Some((_, sent)) = self.markers.channels.on_response(conn, correlation_id)
        {
            self.on_marked(sent, &response, cx);
        }
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        for ended in self.markers.channels.on_timer(cx.io.now.mono, cx.io.out) {
            self.on_markers_lost(ended, cx);
        }
    }

    fn on_client_closed(&mut self, conn: ConnId, _: Option<&Parked>) {
        self.adding.remove(&conn);
    }

    fn invariants(&self) {
        self.shards.invariants();
        self.writes.invariants();
    }
}
