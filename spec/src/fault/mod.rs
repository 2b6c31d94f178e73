//! Faults as files write them: when, how long, what, and whom by role. What they came to in a
//! run (which node, whether at all) stands in the run's record.

mod entry;
mod swarm;

pub use swarm::Swarm;

use super::condition::Condition;
use super::target::Target;
use super::unit::{Share, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One fault of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A name for reports.
    pub name: Option<String>,
    /// The moment when it fires; with `when` the moment from which that is watched.
    pub at: Option<Time>,
    /// It fires as soon as this holds.
    pub when: Option<Condition>,
    /// How long it lasts; until everything is healed unless given.
    pub lasts: Option<Time>,
    /// What happens, and to whom.
    pub kind: FaultKind,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The process dies; the page cache survives. It is started again when the fault ends.
    Crash {
        /// Whose.
        target: Target,
        /// It dies in the middle of the handler that comes next, at this disk operation of it,
        /// from 1.
        at_disk_operation: Option<u32>,
    },
    /// The host loses power, and with it what was not synced. It is switched on when the fault
    /// ends.
    PowerLoss {
        /// Whose.
        target: Target,
    },
    /// The process stands still and the host goes on.
    Pause {
        /// Whose.
        target: Target,
    },
    /// The process ends in an orderly way and is started again when the fault ends.
    Restart {
        /// Whose.
        target: Target,
    },
    /// Nothing gets from one group to another. A node is in the first group that names it; nodes
    /// in no group reach everyone.
    Partition {
        /// The groups.
        groups: Vec<Vec<Target>>,
    },
    /// Nothing gets from one side to the other; the way back is open.
    OneWayPartition {
        /// Whose messages are cut.
        from: Target,
        /// To whom.
        to: Target,
    },
    /// Messages take longer.
    SlowLink {
        /// Of whom.
        from: Target,
        /// To whom.
        to: Target,
        /// In this direction only.
        one_way: bool,
        /// How much longer.
        by: Time,
        /// And up to so much longer still, uniformly.
        jitter: Option<Time>,
        /// Bytes per second.
        bandwidth: Option<u64>,
    },
    /// Packets are lost, doubled, or overtaken.
    LossyLink {
        /// Of whom.
        from: Target,
        /// To whom.
        to: Target,
        /// In this direction only.
        one_way: bool,
        /// How many are lost.
        loss: Share,
        /// How many arrive twice.
        duplication: Option<Share>,
        /// How many are overtaken.
        reordering: Option<Share>,
    },
    /// What the controllers tell one node arrives late.
    DelayMetadata {
        /// Which.
        target: Target,
        /// How late.
        by: Time,
    },
    /// Leadership moves back to the preferred replicas.
    PreferredElection {
        /// Of these topics; of all unless named.
        topics: Vec<String>,
    },
}

macro_rules! families {
    ($($(#[doc = $doc:literal])* $family:ident = $name:literal [$($field:literal)*];)*) => {
        /// The kind of a fault, without its arguments.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
        )]
        pub enum Family {
            $($(#[doc = $doc])* #[serde(rename = $name)] $family,)*
        }

        impl Family {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$family,)*];

            /// Its name in files.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$family => $name,)*
                }
            }

            /// What it does.
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$family => concat!($($doc),*),)*
                }
            }

            /// What may stand in an entry of this kind.
            pub const fn fields(self) -> &'static [&'static str] {
                match self {
                    $(Self::$family =>
                        &["name", "kind", "at", "when", "lasts", $($field,)*],)*
                }
            }

            /// Of those, what entries of other kinds may not have.
            pub const fn own_fields(self) -> &'static [&'static str] {
                match self {
                    $(Self::$family => &[$($field,)*],)*
                }
            }
        }
    };
}

families! {
    /// the process dies, the page cache survives
    Crash = "crash" ["target" "at_disk_operation"];
    /// the host loses power, and with it what was not synced
    PowerLoss = "power-loss" ["target"];
    /// the process stands still, the host goes on
    Pause = "pause" ["target"];
    /// the process ends in an orderly way and starts again
    Restart = "restart" ["target"];
    /// nothing gets from one group of nodes to another
    Partition = "partition" ["groups"];
    /// nothing gets from one side to the other, the way back is open
    OneWayPartition = "one-way-partition" ["from" "to"];
    /// messages take longer
    SlowLink = "slow-link" ["from" "to" "one_way" "by" "jitter" "bandwidth"];
    /// packets are lost, doubled or overtaken
    LossyLink = "lossy-link" ["from" "to" "one_way" "loss" "duplication" "reordering"];
    /// what the controllers tell one node arrives late
    DelayMetadata = "delay-metadata" ["target" "by"];
    /// leadership moves back to the preferred replicas
    PreferredElection = "preferred-election" ["topics"];
}

impl FaultKind {
    /// Which kind it is.
    pub const fn family(&self) -> Family {
        match self {
            Self::Crash { .. } => Family::Crash,
            Self::PowerLoss { .. } => Family::PowerLoss,
            Self::Pause { .. } => Family::Pause,
            Self::Restart { .. } => Family::Restart,
            Self::Partition { .. } => Family::Partition,
            Self::OneWayPartition { .. } => Family::OneWayPartition,
            Self::SlowLink { .. } => Family::SlowLink,
            Self::LossyLink { .. } => Family::LossyLink,
            Self::DelayMetadata { .. } => Family::DelayMetadata,
            Self::PreferredElection { .. } => Family::PreferredElection,
        }
    }

    /// All targets that it names, each with the path to it within the entry.
    pub fn targets(&self) -> Vec<(Vec<String>, &Target)> {
        let field = |name: &str, target| (vec![name.to_owned()], target);
        match self {
            Self::Crash { target, .. }
            | Self::PowerLoss { target }
            | Self::Pause { target }
            | Self::Restart { target }
            | Self::DelayMetadata { target, .. } => vec![field("target", target)],
            Self::OneWayPartition { from, to }
            | Self::SlowLink { from, to, .. }
            | Self::LossyLink { from, to, .. } => vec![field("from", from), field("to", to)],
            Self::Partition { groups } => {
                let path = |i: usize, j: usize| vec!["groups".into(), i.to_string(), j.to_string()];
                let group = |(i, group): (usize, &'_ Vec<Target>)| {
                    group.iter().enumerate().map(move |(j, _)| (i, j)).collect::<Vec<_>>()
                };
                let places = groups.iter().enumerate().flat_map(group);
                places.map(|(i, j)| (path(i, j), &groups[i][j])).collect()
            }
            Self::PreferredElection { .. } => Vec::new(),
        }
    }
}
