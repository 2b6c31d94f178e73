//! Types of properties: how their values are read and written.

use crate::ids::{GroupInstanceId, TransactionalId};
use machine::Span;

/// Why a property could not be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyError {
    /// There is no property of that name in this table.
    Unknown,
    /// The value does not have the expected form, which is described here.
    Expected(&'static str),
}

/// A type that a property can have.
pub trait Property: Sized {
    /// The expected form of a value.
    const EXPECTED: &'static str;

    /// Reads a value; `None` if it is not [`Property::EXPECTED`].
    fn parse(text: &str) -> Option<Self>;

    /// Writes a value so that [`Property::parse`] reads it again.
    fn render(&self) -> String;
}

macro_rules! integer_property {
    ($($type:ty: $expected:literal)*) => {$(
        impl Property for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                text.trim().replace('_', "").parse().ok()
            }

            fn render(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

integer_property! {
    u32: "a whole number from 0 to 4294967295"
    u64: "a whole number from 0"
    i32: "a whole number from -2147483648 to 2147483647"
    i64: "a whole number"
}

impl Property for bool {
    const EXPECTED: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }

    fn render(&self) -> String {
        self.to_string()
    }
}

/// Times are whole milliseconds, as all of Kafka's `.ms` properties are.
impl Property for Span {
    const EXPECTED: &'static str = "a whole number of milliseconds from 0";

    fn parse(text: &str) -> Option<Self> {
        u64::parse(text).map(Self::millis)
    }

    fn render(&self) -> String {
        match *self {
            // Kafka's value for "never" (`Long.MAX_VALUE`), which reads back as the same time.
            Self::MAX => i64::MAX.to_string(),
            span => span.as_millis().to_string(),
        }
    }
}

macro_rules! choice_property {
    ($(#[$doc:meta])* $type:ident $expected:literal {
        $($(#[$variant_doc:meta])* $variant:ident = $($text:literal)|+,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)*
        }

        impl Property for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                match text.trim() {
                    $($($text)|+ => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn render(&self) -> String {
                match self {
                    $(Self::$variant => [$($text),+][0].to_string(),)*
                }
            }
        }
    };
}

pub(super) use choice_property;

choice_property! {
    /// The replicas that need a record before the leader responds to the producer's request.
    Acks "0, 1 or all" {
        /// None: there is no response.
        None = "0",
        /// The leader.
        Leader = "1",
        /// All in-sync replicas.
        All = "all" | "-1",
    }
}

choice_property! {
    /// A level of the feature `transaction.version` (KIP-890).
    TransactionVersion "0, 1 or 2" {
        /// As before KIP-915: records of coordinators have no tagged fields.
        V0 = "0",
        /// Records of coordinators have tagged fields.
        V1 = "1",
        /// Every transaction has a producer epoch of its own, and leaders add partitions to
        /// transactions.
        V2 = "2",
    }
}

impl TransactionVersion {
    /// The level as a number.
    pub const fn level(self) -> u16 {
        self as u16
    }
}

impl Acks {
    /// The number on the wire.
    pub const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// `transactional.id`: letters, digits, `.`, `_` and `-`, or none. Kafka allows any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionalIdProperty(pub Option<TransactionalId>);

impl Property for TransactionalIdProperty {
    const EXPECTED: &'static str = "1 to 200 letters, digits, '.', '_' and '-'";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "null" {
            return Some(Self(None));
        }
        let legal = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        let fits = (1..=200).contains(&text.len()) && text.bytes().all(legal);
        fits.then(|| Self(Some(text.into())))
    }

    fn render(&self) -> String {
        self.0.as_deref().unwrap_or("null").to_owned()
    }
}

/// `group.instance.id`: up to 249 letters, digits, `.`, `_` and `-`, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceIdProperty(pub Option<GroupInstanceId>);

impl Property for InstanceIdProperty {
    const EXPECTED: &'static str = "1 to 249 letters, digits, '.', '_' and '-'";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "null" {
            return Some(Self(None));
        }
        let legal = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        let fits = (1..=249).contains(&text.len()) && text.bytes().all(legal);
        (fits && ![".", ".."].contains(&text)).then(|| Self(Some(text.into())))
    }

    fn render(&self) -> String {
        self.0.as_deref().unwrap_or("null").to_owned()
    }
}

choice_property! {
    /// A way to share the partitions among the members of a group.
    Assignor "the class name of an assignor of Kafka, such as org.apache.kafka.clients.consumer.RangeAssignor" {
        /// The partitions of each topic in blocks.
        Range = "org.apache.kafka.clients.consumer.RangeAssignor",
        /// All partitions one after another.
        RoundRobin = "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        /// Balanced, with as few moves as possible.
        Sticky = "org.apache.kafka.clients.consumer.StickyAssignor",
        /// The same, in steps: a partition is given up before it moves (KIP-429).
        CooperativeSticky = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
    }
}

impl Assignor {
    /// Its name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }
}

/// Assignors, the best first, at least one and each of them once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignors(pub Vec<Assignor>);

impl Assignors {
    /// The assignor that has this name in the protocol.
    pub fn named(&self, name: &str) -> Option<Assignor> {
        self.0.iter().copied().find(|it| it.name() == name)
    }

    /// Whether members keep their partitions while the group rebalances: only if all of the assignors
    /// allow it (KIP-429).
    pub fn are_cooperative(&self) -> bool {
        self.0.iter().all(|it| *it == Assignor::CooperativeSticky)
    }
}

/// Range, so that a group can move on to the cooperative sticky one without a stop (KIP-726).
impl Default for Assignors {
    fn default() -> Self {
        Self(vec![Assignor::Range, Assignor::CooperativeSticky])
    }
}

impl Property for Assignors {
    const EXPECTED: &'static str = "class names of assignors of Kafka, separated by commas, such as \
        org.apache.kafka.clients.consumer.RangeAssignor";

    fn parse(text: &str) -> Option<Self> {
        let all: Option<Vec<_>> = text.split(',').map(Assignor::parse).collect();
        let all = all?;
        let is_first = |(place, it): (usize, &Assignor)| !all[..place].contains(it);
        all.iter().enumerate().all(is_first).then(|| Self(all.clone()))
    }

    fn render(&self) -> String {
        self.0.iter().map(Assignor::render).collect::<Vec<_>>().join(",")
    }
}

choice_property! {
    /// The records that a consumer receives (KIP-98).
    IsolationLevel "read_uncommitted or read_committed" {
        /// All replicated records, including those of open and aborted transactions.
        ReadUncommitted = "read_uncommitted",
        /// Records of no transaction or of a committed one, up to the first open transaction.
        ReadCommitted = "read_committed",
    }
}

choice_property! {
    /// Where a consumer starts if it has no position, or one that is out of range.
    Reset "earliest, latest or none" {
        /// At the log start offset.
        Earliest = "earliest",
        /// At the end.
        Latest = "latest",
        /// Nowhere: it is an error.
        None = "none",
    }
}

choice_property! {
    /// The choice of a partition for a record that names none.
    Partitioner "default or round-robin" {
        /// By the key (murmur2); without a key, sticky by bytes (KIP-794).
        Default = "default",
        /// One after the other (`RoundRobinPartitioner`).
        RoundRobin = "round-robin" | "org.apache.kafka.clients.producer.RoundRobinPartitioner",
    }
}

/// Paths of log directories relative to the top of the disk, separated by commas; `null`, the
/// default, is the top itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirs(Vec<String>);

impl LogDirs {
    /// The most directories that a broker may have.
    pub const MAX: usize = 100;

    /// The names, none if the top of the disk is the log directory.
    pub fn named(&self) -> &[String] {
        if *self == Self::default() { &[] } else { &self.0 }
    }

    /// The paths, at least one and each of them once. The top of the disk is `""`.
    pub fn paths(&self) -> &[String] {
        &self.0
    }
}

/// The top of the disk alone.
impl Default for LogDirs {
    fn default() -> Self {
        Self(vec![String::new()])
    }
}

impl Property for LogDirs {
    const EXPECTED: &'static str =
        "1 to 100 different directory names of letters, digits and '_', separated by commas";

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "null" {
            return Some(Self::default());
        }
        let mut paths = Vec::new();
        for path in text.split(',').map(str::trim) {
            let legal = path.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
            if path.is_empty() || !legal || paths.iter().any(|other| other == path) {
                return None;
            }
            paths.push(path.to_owned());
        }
        (paths.len() <= Self::MAX).then_some(Self(paths))
    }

    fn render(&self) -> String {
        if *self == Self::default() { "null".to_owned() } else { self.0.join(",") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_cooperative_only_if_all_assignors_are() {
        const CLASS: &str = "org.apache.kafka.clients.consumer.";
        let parse = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| format!("{CLASS}{name}")).collect();
            Assignors::parse(&names.join(","))
        };
        assert!(!Assignors::default().are_cooperative());
        assert!(parse(&["CooperativeStickyAssignor"]).unwrap().are_cooperative());
        assert_eq!(
            parse(&["RangeAssignor", "CooperativeStickyAssignor"]),
            Some(Default::default())
        );
        assert_eq!(parse(&["RangeAssignor", "RangeAssignor"]), None);
        assert_eq!(parse(&["UniformAssignor"]), None);
        assert_eq!(Assignors::default().named("range"), Some(Assignor::Range));
    }

    #[test]
    fn log_directories_are_different_names() {
        let paths = |text| LogDirs::parse(text).map(|dirs| dirs.paths().to_vec());
        assert_eq!(paths("d0, d1"), Some(vec!["d0".to_owned(), "d1".to_owned()]));
        assert_eq!(paths("null"), Some(vec![String::new()]));
        for wrong in ["", "d0,", "d0,d0", "/d0", "..", "a-0"] {
            assert_eq!(paths(wrong), None, "{wrong}");
        }
        let dirs = LogDirs::parse("d0,d1").unwrap();
        assert_eq!(LogDirs::parse(&dirs.render()), Some(dirs));
    }
}
