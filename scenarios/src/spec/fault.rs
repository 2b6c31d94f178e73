//! Faults as files write them: when, how long, what, and whom by role. What they came to in a
//! run (which node, whether at all) stands in the run's record.

use super::condition::Condition;
use super::target::Target;
use super::unit::{Share, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

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

/// A fault as it stands in a file: everything in one table.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Fault", extend("required" = ["kind"]))]
struct Entry {
    /// What happens.
    kind: Option<Family>,
    /// A name for reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The moment when it fires; with `when` the moment from which that is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Time>,
    /// It fires as soon as this holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<Condition>,
    /// How long it lasts; until everything is healed unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    lasts: Option<Time>,
    /// Whom it strikes.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    /// crash: in the middle of a handler, at this disk operation of it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_disk_operation: Option<u32>,
    /// partition: the groups. A node is in the first that names it; nodes in none reach everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Vec<Target>>>,
    /// The senders.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Target>,
    /// The receivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Target>,
    /// slow-link, lossy-link: in the direction from `from` to `to` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_way: Option<bool>,
    /// slow-link, delay-metadata: how much longer it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Time>,
    /// slow-link: and up to so much longer still.
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<Time>,
    /// slow-link: bytes per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    bandwidth: Option<u64>,
    /// lossy-link: how many packets are lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<Share>,
    /// lossy-link: how many packets arrive twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplication: Option<Share>,
    /// lossy-link: how many packets are overtaken.
    #[serde(skip_serializing_if = "Option::is_none")]
    reordering: Option<Share>,
    /// preferred-election: the topics; all unless named.
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<Vec<String>>,
}

impl Entry {
    /// The first field that is given although `family` has none of that name.
    fn misplaced(&self, family: Family) -> Option<&'static str> {
        let given = [
            ("target", self.target.is_some()),
            ("at_disk_operation", self.at_disk_operation.is_some()),
            ("groups", self.groups.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("one_way", self.one_way.is_some()),
            ("by", self.by.is_some()),
            ("jitter", self.jitter.is_some()),
            ("bandwidth", self.bandwidth.is_some()),
            ("loss", self.loss.is_some()),
            ("duplication", self.duplication.is_some()),
            ("reordering", self.reordering.is_some()),
            ("topics", self.topics.is_some()),
        ];
        let misplaced =
            given.into_iter().find(|(name, given)| *given && !family.fields().contains(name));
        misplaced.map(|(name, _)| name)
    }

    fn into_fault<E: Error>(self) -> Result<Fault, E> {
        let family = required(self.kind, "kind")?;
        if let Some(field) = self.misplaced(family) {
            return Err(E::unknown_field(field, family.fields()));
        }
        if self.at.is_none() && self.when.is_none() {
            return Err(E::missing_field("at` or `when"));
        }
        let one_way = self.one_way.unwrap_or(false);
        let kind = match family {
            Family::Crash => FaultKind::Crash {
                target: required(self.target, "target")?,
                at_disk_operation: self.at_disk_operation,
            },
            Family::PowerLoss => FaultKind::PowerLoss { target: required(self.target, "target")? },
            Family::Pause => FaultKind::Pause { target: required(self.target, "target")? },
            Family::Restart => FaultKind::Restart { target: required(self.target, "target")? },
            Family::Partition => FaultKind::Partition { groups: required(self.groups, "groups")? },
            Family::OneWayPartition => FaultKind::OneWayPartition {
                from: required(self.from, "from")?,
                to: required(self.to, "to")?,
            },
            Family::SlowLink => FaultKind::SlowLink {
                from: required(self.from, "from")?,
                to: required(self.to, "to")?,
                one_way,
                by: required(self.by, "by")?,
                jitter: self.jitter,
                bandwidth: self.bandwidth,
            },
            Family::LossyLink => FaultKind::LossyLink {
                from: required(self.from, "from")?,
                to: required(self.to, "to")?,
                one_way,
                loss: required(self.loss, "loss")?,
                duplication: self.duplication,
                reordering: self.reordering,
            },
            Family::DelayMetadata => FaultKind::DelayMetadata {
                target: required(self.target, "target")?,
                by: required(self.by, "by")?,
            },
            Family::PreferredElection => {
                FaultKind::PreferredElection { topics: self.topics.unwrap_or_default() }
            }
        };
        Ok(Fault { name: self.name, at: self.at, when: self.when, lasts: self.lasts, kind })
    }
}

fn required<T, E: Error>(value: Option<T>, field: &'static str) -> Result<T, E> {
    value.ok_or_else(|| E::missing_field(field))
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

impl From<Fault> for Entry {
    fn from(fault: Fault) -> Self {
        let Fault { name, at, when, lasts, kind } = fault;
        let entry = Self { kind: Some(kind.family()), name, at, when, lasts, ..Self::default() };
        let only = |one_way: bool| one_way.then_some(true);
        match kind {
            FaultKind::Crash { target, at_disk_operation } => {
                Self { target: Some(target), at_disk_operation, ..entry }
            }
            FaultKind::PowerLoss { target }
            | FaultKind::Pause { target }
            | FaultKind::Restart { target } => Self { target: Some(target), ..entry },
            FaultKind::Partition { groups } => Self { groups: Some(groups), ..entry },
            FaultKind::OneWayPartition { from, to } => {
                Self { from: Some(from), to: Some(to), ..entry }
            }
            FaultKind::SlowLink { from, to, one_way, by, jitter, bandwidth } => Self {
                from: Some(from),
                to: Some(to),
                one_way: only(one_way),
                by: Some(by),
                jitter,
                bandwidth,
                ..entry
            },
            FaultKind::LossyLink { from, to, one_way, loss, duplication, reordering } => Self {
                from: Some(from),
                to: Some(to),
                one_way: only(one_way),
                loss: Some(loss),
                duplication,
                reordering,
                ..entry
            },
            FaultKind::DelayMetadata { target, by } => {
                Self { target: Some(target), by: Some(by), ..entry }
            }
            FaultKind::PreferredElection { topics } => Self { topics: Some(topics), ..entry },
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Entry::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Entry::deserialize(deserializer)?.into_fault()
    }
}

impl JsonSchema for Fault {
    fn schema_name() -> Cow<'static, str> {
        Entry::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Entry::json_schema(generator)
    }
}

/// A mix of faults that the seed chooses, correlated in time, within a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Swarm {
    /// How many faults.
    pub faults: u32,
    /// The families to choose from; each seed leaves out some of them.
    pub families: Vec<Family>,
    /// The earliest moment.
    pub from: Time,
    /// The latest moment.
    pub until: Time,
    /// The shortest that one lasts.
    pub lasts_at_least: Time,
    /// The longest that one lasts.
    pub lasts_at_most: Time,
    /// How many follow close upon the one before instead of at a moment of their own.
    pub correlated: Share,
    /// How many brokers of a cluster may be down or cut off at the same time.
    pub brokers_at_once: u16,
    /// How many controllers of a cluster may be down or cut off at the same time.
    pub controllers_at_once: u16,
}

impl Default for Swarm {
    fn default() -> Self {
        Self {
            faults: 6,
            families: Family::ALL.to_vec(),
            from: Time::secs(1),
            until: Time::secs(24),
            lasts_at_least: Time::millis(100),
            lasts_at_most: Time::secs(5),
            correlated: Share(600_000),
            brokers_at_once: 1,
            controllers_at_once: 1,
        }
    }
}
