//! A fault as one flat table, the form that files have.

use super::{Family, Fault, FaultKind};
use crate::{Condition, Share, Target, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

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
