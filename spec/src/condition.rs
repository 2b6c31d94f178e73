//! Conditions under which a fault fires: comparisons of metrics of the run, joined by `and` and
//! `or`.

use super::target::PartitionName;
use super::text::{Cursor, TextError, nearest};
use super::unit::{Time, written_as_string};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A condition over the state of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `hw(orders-0) >= 500`.
    Compare {
        /// The metric on the left.
        metric: Metric,
        /// How the metric has to compare with the value.
        comparison: Comparison,
        /// The value on the right; nanoseconds if the metric is a time.
        value: i64,
    },
    /// All of the conditions hold: `a and b`.
    All(Vec<Condition>),
    /// At least one of the conditions holds: `a or b`.
    Any(Vec<Condition>),
}

/// A number that can be measured during a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The measured quantity.
    pub kind: MetricKind,
    /// The cluster; the first one unless named (`west/orders-0`).
    pub cluster: Option<String>,
    /// The part of the cluster in which it is measured.
    pub scope: Scope,
}

/// The part of a cluster in which a metric is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole cluster.
    All,
    /// One topic, summed over its partitions.
    Topic(String),
    /// One partition.
    Partition(PartitionName),
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal, $scope:ident;)*) => {
        /// The metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum MetricKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl MetricKind {
            /// All metrics: name, argument, and meaning.
            pub const ALL: &'static [(&'static str, Self, Takes, &'static str)] =
                &[$(($name, Self::$kind, Takes::$scope, concat!($($doc),*)),)*];

            /// Its name in a condition.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

/// The argument of a metric, in parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No name.
    Nothing,
    /// A partition.
    Partition,
    /// A topic, a partition, or nothing.
    TopicOrPartition,
}

metrics! {
    /// The time since the load began.
    Time = "time", Nothing;
    /// The high watermark of the current leader.
    HighWatermark = "hw", Partition;
    /// The log end offset of the current leader.
    LogEnd = "leo", Partition;
    /// The current leader's id; 0 when there is none.
    Leader = "leader", Partition;
    /// The leader epoch.
    LeaderEpoch = "epoch", Partition;
    /// How many replicas are in sync.
    InSync = "isr", Partition;
    /// How many records were passed to producers.
    Sent = "sent", TopicOrPartition;
    /// How many records were sent and have no outcome yet.
    Unacked = "unacked", TopicOrPartition;
    /// How many records were acknowledged.
    Acked = "acked", TopicOrPartition;
    /// How many records consumers received.
    Delivered = "delivered", TopicOrPartition;
    /// The active controller's id; 0 when there is none.
    Controller = "controller", Nothing;
    /// How many brokers are running.
    BrokersUp = "brokers_up", Nothing;
}

/// How two numbers have to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Above,
    /// `<`
    Below,
}

/// Longer operators come first, since `>=` begins with `>`.
const SIGNS: [(&str, Comparison); 6] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

impl Comparison {
    /// Whether `left` compares with `right` in this way.
    pub fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::AtLeast => left.cmp(&right) != Ordering::Less,
            Self::AtMost => left.cmp(&right) != Ordering::Greater,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Above => left > right,
            Self::Below => left < right,
        }
    }

    fn sign(self) -> &'static str {
        SIGNS.iter().find(|(_, comparison)| *comparison == self).map_or("", |(sign, _)| sign)
    }
}

impl Condition {
    /// The expected form of a condition.
    pub const EXPECTED: &'static str = "a condition such as \"hw(orders-0) >= 500\" or \
         \"time > 2s and unacked(orders) >= 20\"";

    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// The defect and its column.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let mut cursor = Cursor::new(text);
        let condition = any(&mut cursor)?;
        if !cursor.is_at_end() {
            return Err(cursor.expected("`and`, `or` or the end"));
        }
        Ok(condition)
    }

    /// Every metric in the condition.
    pub fn metrics(&self) -> Vec<&Metric> {
        match self {
            Self::Compare { metric, .. } => vec![metric],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::metrics).collect(),
        }
    }

    /// Whether the condition holds; `measure` returns the value of a metric.
    pub fn holds(&self, measure: &mut dyn FnMut(&Metric) -> i64) -> bool {
        match self {
            Self::Compare { metric, comparison, value } => {
                comparison.holds(measure(metric), *value)
            }
            Self::All(parts) => parts.iter().all(|part| part.holds(measure)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(measure)),
        }
    }
}

fn any(cursor: &mut Cursor<'_>) -> Result<Condition, TextError> {
    let mut parts = vec![all(cursor)?];
    while cursor.takes_word("or") || cursor.takes("||") {
        parts.push(all(cursor)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
}

fn all(cursor: &mut Cursor<'_>) -> Result<Condition, TextError> {
    let mut parts = vec![single(cursor)?];
    while cursor.takes_word("and") || cursor.takes("&&") {
        parts.push(single(cursor)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
}

fn single(cursor: &mut Cursor<'_>) -> Result<Condition, TextError> {
    if cursor.opens()? {
        let inner = any(cursor)?;
        cursor.closes()?;
        return Ok(inner);
    }
    let metric = metric(cursor)?;
    let comparison = SIGNS
        .iter()
        .find(|(sign, _)| cursor.takes(sign))
        .map(|(_, comparison)| *comparison)
        .ok_or_else(|| cursor.expected("a comparison: >=, <=, ==, !=, > or <"))?;
    let value = value(cursor, metric.kind)?;
    Ok(Condition::Compare { metric, comparison, value })
}

fn metric(cursor: &mut Cursor<'_>) -> Result<Metric, TextError> {
    let word = cursor.word();
    let Some((_, kind, takes, _)) = MetricKind::ALL.iter().find(|(name, ..)| *name == word) else {
        let names: Vec<&str> = MetricKind::ALL.iter().map(|(name, ..)| *name).collect();
        let expected = names.join(", ");
        if word.is_empty() {
            return Err(cursor.expected(&format!("one of {expected}")));
        }
        let message = format!("`{word}` cannot be measured: expected one of {expected}");
        let mut error = cursor.behind(word.len(), message);
        error.nearest = nearest(word, MetricKind::ALL.iter().map(|(name, ..)| *name));
        return Err(error);
    };
    let (cluster, scope) = scope(cursor, *kind, *takes)?;
    Ok(Metric { kind: *kind, cluster, scope })
}

fn scope(
    cursor: &mut Cursor<'_>,
    kind: MetricKind,
    takes: Takes,
) -> Result<(Option<String>, Scope), TextError> {
    let name = kind.name();
    if takes == Takes::Nothing || (takes == Takes::TopicOrPartition && !cursor.takes("(")) {
        return Ok((None, Scope::All));
    }
    if takes == Takes::Partition && !cursor.takes("(") {
        return Err(cursor.expected(&format!("a partition, as in {name}(orders-0),")));
    }
    let word = cursor.word();
    let (cluster, of) = match word.split_once('/') {
        Some((cluster, of)) => (Some(cluster.to_owned()), of),
        None => (None, word),
    };
    let scope = match PartitionName::parse(of) {
        Some(partition) => Scope::Partition(partition),
        None if takes == Takes::TopicOrPartition && !of.is_empty() => Scope::Topic(of.to_owned()),
        None => {
            let message = format!("`{word}` is no partition: expected {name}(orders-0)");
            return Err(cursor.behind(word.len(), message));
        }
    };
    cursor.require(")")?;
    Ok((cluster, scope))
}

fn value(cursor: &mut Cursor<'_>, kind: MetricKind) -> Result<i64, TextError> {
    if cursor.is_at_end() {
        return Err(cursor.expected("a number"));
    }
    let word = cursor.word();
    if kind == MetricKind::Time {
        let time = Time::parse(word).map_err(|message| cursor.behind(word.len(), message))?;
        return Ok(i64::try_from(time.nanos()).unwrap_or(i64::MAX));
    }
    word.replace('_', "").parse().map_err(|_| {
        cursor.behind(word.len(), format!("`{word}` is no whole number to compare with"))
    })
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        let cluster = self.cluster.as_ref().map(|name| format!("{name}/")).unwrap_or_default();
        match &self.scope {
            Scope::All => Ok(()),
            Scope::Topic(topic) => write!(f, "({cluster}{topic})"),
            Scope::Partition(partition) => write!(f, "({cluster}{partition})"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { metric, comparison, value } => {
                write!(f, "{metric} {} ", comparison.sign())?;
                match metric.kind {
                    MetricKind::Time => write!(f, "{}", Time(machine::Span(value.unsigned_abs()))),
                    _ => write!(f, "{value}"),
                }
            }
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Condition], word: &str) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(word)?;
        }
        match part {
            Condition::Compare { .. } => write!(f, "{part}")?,
            _ => write!(f, "({part})")?,
        }
    }
    Ok(())
}

written_as_string!(Condition, None);
