//! What happened to a partition, appends aside: what explanations and signatures are made of.

use super::observed::{Change, Moment};
use super::replica_set::ReplicaSet;
use engine::error::ErrorCode;
use engine::fact::Truncation;
use engine::ids::{LeaderEpoch, Offset};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// When.
    pub at: u64,
    /// The event in the trace.
    pub event: u64,
    /// The replica.
    pub replica: usize,
    /// What happened.
    pub what: Happening,
}

/// What can happen.
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
        /// Where that starts.
        start: Offset,
    },
    /// The log was cut.
    Cut {
        /// The end before.
        from: Offset,
        /// The end after.
        to: Offset,
        /// The high watermark before.
        high_watermark: Offset,
        /// Why.
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
    /// The controller refused what the leader had proposed.
    Refused(ErrorCode),
    /// The replica was let into the ISR without having what is committed.
    Admitted {
        /// Its log end offset.
        end: Offset,
        /// Up to where the partition is committed.
        committed: Offset,
        /// The high watermark that the leader knew.
        known: Option<Offset>,
    },
    /// The leader's high watermark passed what in-sync replicas lack.
    Passed {
        /// The high watermark.
        offset: Offset,
        /// The committed ISR.
        isr: ReplicaSet,
        /// Those of it that lack it.
        lacking: ReplicaSet,
    },
    /// The controller committed another state: an index of [`super::Partition::states`].
    Committed(usize),
}

/// All that happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Story(pub Vec<Scene>);

/// A produce request that was answered with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// When.
    pub at: u64,
    /// The event in the trace.
    pub event: u64,
    /// The replica that answered.
    pub replica: usize,
    /// Its epoch.
    pub epoch: LeaderEpoch,
    /// The first offset.
    pub base: Offset,
    /// The last.
    pub last: Offset,
    /// The acks of the request.
    pub acks: i16,
    /// The leader's high watermark.
    pub high_watermark: Offset,
    /// The ISR that the leader knew.
    pub isr: ReplicaSet,
}

impl Story {
    /// Something happened.
    pub fn push(&mut self, moment: &Moment, replica: usize, what: Happening) {
        self.0.push(Scene { at: moment.at, event: moment.event, replica, what });
    }

    /// The controller has committed another state.
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
