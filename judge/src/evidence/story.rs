//! The timeline of a partition without its appends, from which explanations and signatures are
//! made.

use super::observed::{Change, Moment};
use super::replica_set::ReplicaSet;
use engine::error::ErrorCode;
use engine::fact::Truncation;
use engine::ids::{LeaderEpoch, Offset};

/// One event in the timeline of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// True time in nanoseconds since the run began.
    pub at: u64,
    /// The number of the event in the trace.
    pub event: u64,
    /// The replica, an index of [`super::Partition::replicas`].
    pub replica: usize,
    /// What happened.
    pub what: Happening,
}

/// The kind of an event in the timeline of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The node started or ended.
    Node(Change),
    /// The log was loaded, with this end.
    Loaded(Offset),
    /// The replica began to lead.
    Led {
        /// Its epoch.
        epoch: LeaderEpoch,
        /// The start offset of that epoch.
        start: Offset,
    },
    /// The log was cut.
    Cut {
        /// The log end offset before.
        from: Offset,
        /// The log end offset after.
        to: Offset,
        /// The high watermark before.
        high_watermark: Offset,
        /// The reason that the replica reported.
        why: Truncation,
    },
    /// The leader proposed other in-sync replicas.
    Proposed {
        /// Its epoch.
        epoch: LeaderEpoch,
        /// The in-sync replicas that it knew.
        from: ReplicaSet,
        /// Those that it proposed.
        to: ReplicaSet,
    },
    /// The controller refused the leader's proposal.
    Refused(ErrorCode),
    /// The replica was admitted to the ISR although it lacked committed records.
    Admitted {
        /// Its log end offset.
        end: Offset,
        /// The offset up to which the partition is committed.
        committed: Offset,
        /// The high watermark that the leader knew.
        known: Option<Offset>,
    },
    /// The leader's high watermark advanced beyond the log end of in-sync replicas.
    Passed {
        /// The high watermark.
        offset: Offset,
        /// The committed ISR.
        isr: ReplicaSet,
        /// The members of that ISR whose logs end below the high watermark.
        lacking: ReplicaSet,
    },
    /// The controller committed another state: an index of [`super::Partition::states`].
    Committed(usize),
}

/// The timeline of a partition, in order of time.
#[derive(Clone, Debug, Default)]
pub struct Story(pub Vec<Scene>);

/// A batch that a produce response acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// True time in nanoseconds since the run began.
    pub at: u64,
    /// The number of the event in the trace.
    pub event: u64,
    /// The replica that acknowledged it, an index of [`super::Partition::replicas`].
    pub replica: usize,
    /// The leader epoch in which it did.
    pub epoch: LeaderEpoch,
    /// The first offset of the batch.
    pub base: Offset,
    /// The last offset of the batch.
    pub last: Offset,
    /// The acks of the request.
    pub acks: i16,
    /// The leader's high watermark.
    pub high_watermark: Offset,
    /// The ISR that the leader knew.
    pub isr: ReplicaSet,
}

impl Story {
    /// Adds an event at the end.
    pub fn push(&mut self, moment: &Moment, replica: usize, what: Happening) {
        self.0.push(Scene { at: moment.at, event: moment.event, replica, what });
    }

    /// Adds that the controller committed another state of the partition.
    pub fn committed(&mut self, moment: &Moment, leader: usize, state: usize) {
        self.push(moment, leader, Happening::Committed(state));
    }

    /// When a replica began to lead in an epoch, if it has.
    pub fn led(&self, (replica, epoch): (usize, LeaderEpoch)) -> Option<u64> {
        let led = |scene: &&Scene| {
            let began = matches!(scene.what, Happening::Led { epoch: led, .. } if led == epoch);
            began && scene.replica == replica
        };
        self.0.iter().rev().find(led).map(|scene| scene.at)
    }

    /// What happened between two moments, both included.
    pub fn between(&self, from: u64, to: u64) -> &[Scene] {
        let start = self.0.partition_point(|scene| scene.at < from);
        let end = self.0.partition_point(|scene| scene.at <= to);
        &self.0[start..end.max(start)]
    }
}
