//! Group coordinators (`GroupCoordinatorService`, `GroupCoordinatorShard`, `CoordinatorRuntime`; KIP-62,
//! KIP-134, KIP-345, KIP-394, KIP-447).
//!
//! The leader of a partition of `__consumer_offsets` coordinates the groups that belong to it: which
//! members a group has, which of them assigns, and which offsets it has committed.
//!
//! | state of a group | what it means | may follow |
//! |---|---|---|
//! | Empty | no members; there may be offsets | PreparingRebalance |
//! | PreparingRebalance | members join | Empty, CompletingRebalance, Stable |
//! | CompletingRebalance | a generation has begun, its leader assigns | PreparingRebalance |
//! | Stable | every member has an assignment | CompletingRebalance |
//! | Dead | the coordinator has given the group up | any |
//!
//! | input | what it does |
//! |---|---|
//! | JoinGroup | gives out a member id, or has the member wait for the next generation; begins a rebalance |
//! | all members have joined, or the rebalance timeout has passed | the next generation begins, and each join gets its response |
//! | SyncGroup of the leader | a record with all assignments; when it is committed each sync gets its response |
//! | Heartbeat | keeps the session, and returns that a rebalance has begun |
//! | LeaveGroup, the end of a session, a SyncGroup that does not come | members are removed; a rebalance begins |
//! | OffsetCommit | records of offsets, from members of the present generation |
//! | TxnOffsetCommit | the same, pending until the marker of the transaction |
//! | OffsetFetch | what is committed |
//! | offsets expire | tombstones |
//! | leading begins | the log is read; members of the last generation are members |
//! | leading ends | pending requests are refused, and the state is dropped |
//!
//! What must stay true, and what holds it:
//!
//! - Offsets change only by replaying records and markers, at the offset of the record
//!   ([`timeline`]); a batch that is not appended is taken back.
//! - A response is sent once all records that its operation has seen are committed ([`writes`]), except
//!   responses to joins, which do not depend on the log.
//! - At most one generation of a group is complete, and its assignments are in the log before any member
//!   has them.
//! - A member id has one place, and a group instance id one member.
//! - An offset of a transaction is committed when its marker comes, and not later than a plain commit
//!   that was written after it.
//!
//! A group of the consumer protocol (KIP-848) has states and invariants of its own (`consumer/`).
//!
//! | file | idea |
//! |---|---|
//! | `group.rs`, `classic/`, `consumer/` | a group of either protocol; no I/O |
//! | `offsets.rs`, `timeline.rs` | committed offsets, and those of open transactions |
//! | `record.rs` | the records of `__consumer_offsets` |
//! | `shard.rs`, `commits.rs` | operations on the groups of one partition, and their effects (`effects.rs`) |
//! | `facts.rs` | what a coordinator reports to the observers of a run |
//! | `writes.rs`, `outcomes.rs`, `timers.rs` | records on their way, operations that wait, what is due |
//! | `shards.rs`, `loading.rs` | the partitions; taking over and giving up |
//! | `requests.rs`, `describe.rs`, `markers.rs` | requests, and markers of transactions |

mod classic;
mod commits;
mod consumer;
mod describe;
mod effects;
mod facts;
mod group;
mod loading;
mod markers;
mod offsets;
mod outcomes;
mod record;
mod requests;
mod shard;
mod shards;
mod timeline;
mod timers;
mod writes;

#[cfg(test)]
mod tests;

pub(super) use requests::refused_offsets;

use super::context::Cx;
use super::internal_topics::Internal;
use super::part::Part;
use super::replicas::Partitions;
use crate::client::random::Random;
use crate::ids::{GroupId, TopicPartition};
use crate::metadata::MetadataImage;
use crate::protocol::{Request, Response};
use crate::timer::{Channel, GroupTimer};
use machine::{ConnId, Halt};
use shards::Shards;

/// The stream of random numbers that member ids are made of.
const MEMBER_IDS: u64 = 11;

/// The coordinators of this broker.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    shards: Shards,
    random: Random,
}

impl Groups {
    pub(super) fn new(entropy: u64) -> Self {
        Self { shards: Shards::default(), random: Random::new(entropy, MEMBER_IDS) }
    }

    /// Adds the partitions of `__consumer_offsets` that a request reads or writes.
    pub(super) fn locks_of_request(
        &self,
        request: &Request,
        image: &MetadataImage,
        locks: &mut Vec<TopicPartition>,
    ) {
        let group: &GroupId = match request {
            Request::JoinGroup(request) => &request.group,
            Request::SyncGroup(request) => &request.group,
            Request::Heartbeat(request) => &request.group,
            Request::LeaveGroup(request) => &request.group,
            Request::OffsetCommit(request) => &request.group,
            Request::TxnOffsetCommit(request) => &request.group,
            Request::OffsetFetch(request) => &request.group,
            Request::OffsetDelete(request) => &request.group,
            Request::DescribeGroups(request) => &request.group,
            Request::DeleteGroups(request) => &request.group,
            Request::ConsumerGroupHeartbeat(request) => &request.group,
            Request::ConsumerGroupDescribe(request) => &request.group,
            Request::ListGroups(_) => {
                locks.extend(self.shards.loaded.values().map(|shard| shard.partition));
                return;
            }
            _ => return,
        };
        locks.extend(Internal::ConsumerOffsets.partition_of(image, group));
    }

    /// Adds the partitions of `__consumer_offsets` that a timer works on.
    pub(super) fn locks_of(&self, timer: GroupTimer, locks: &mut Vec<TopicPartition>) {
        match timer {
            GroupTimer::Due(index) => locks.extend(self.shards.partition(index)),
            GroupTimer::Load(_) | GroupTimer::Loaded(..) => {}
        }
    }

    /// A timer of the coordinators is due.
    pub(super) fn on_timer(
        &mut self,
        timer: GroupTimer,
        replicas: &mut Partitions,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        match timer {
            GroupTimer::Load(index) => {
                self.load(index, replicas, cx);
                Ok(())
            }
            GroupTimer::Loaded(index, epoch) => self.install(index, epoch, replicas, cx),
            GroupTimer::Due(index) => self.on_due(index, replicas, cx),
        }
    }

    /// The high watermark of a partition has moved.
    pub(super) fn on_high_watermark(&mut self, index: i32, replicas: &Partitions, cx: &mut Cx<'_>) {
        self.complete_committed(index, replicas, cx);
        self.arm(index, cx);
    }
}

/// The coordinators open no connections.
impl Part for Groups {
    fn on_opened(&mut self, _: ConnId) -> bool {
        false
    }

    fn on_closed(&mut self, _: ConnId, _: &mut Cx<'_>) -> bool {
        false
    }

    fn on_response(&mut self, _: ConnId, _: u32, _: Response, _: &mut Cx<'_>) -> Result<(), Halt> {
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, _: &mut Cx<'_>) {}

    fn invariants(&self) {
        self.shards.invariants();
    }
}
