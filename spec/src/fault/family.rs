//! The kinds of faults, without their keys.

use super::entry::OF_EVERY;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sim::{Form, Kind};
use std::borrow::Cow;
use std::fmt;

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Something happens to hosts, disks, links or clocks.
    World(Kind),
    /// The admin client holds a preferred election.
    PreferredElection,
}

const PREFERRED_ELECTION: &str = "preferred-election";
const TOPICS: (&str, &str) = ("topics", "The topics; all unless given.");

/// The number of families.
const COUNT: usize = Kind::ALL.len() + 1;
/// The names of all families.
static NAMES: [&str; COUNT] = {
    let mut names = [PREFERRED_ELECTION; COUNT];
    let mut i = 0;
    while i < Kind::ALL.len() {
        names[i] = Kind::ALL[i].name();
        i += 1;
    }
    names
};

/// The largest number of keys that an entry can have.
const MOST_KEYS: usize = 16;
/// The keys of the entries of each kind, and how many there are.
static FIELDS: [([&str; MOST_KEYS], usize); COUNT] = {
    let mut all = [([""; MOST_KEYS], 0); COUNT];
    let mut i = 0;
    while i < COUNT {
        let mut n = 0;
        while n < sim::ENTRY_KEYS.len() {
            all[i].0[n] = sim::ENTRY_KEYS[n];
            n += 1;
        }
        if i < Kind::ALL.len() {
            let keys = Kind::ALL[i].keys();
            let mut k = 0;
            while k < keys.len() {
                all[i].0[n] = keys[k].name;
                n += 1;
                k += 1;
            }
        } else {
            all[i].0[n] = TOPICS.0;
            n += 1;
        }
        all[i].1 = n;
        i += 1;
    }
    all
};

impl Family {
    /// All families.
    pub fn all() -> impl Iterator<Item = Self> {
        Kind::ALL.iter().copied().map(Self::World).chain([Self::PreferredElection])
    }

    /// The family with this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::all().find(|family| family.name() == name)
    }

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::World(kind) => kind.name(),
            Self::PreferredElection => PREFERRED_ELECTION,
        }
    }

    /// Its effect, in a sentence or two.
    pub fn summary(self) -> String {
        one_line(match self {
            Self::World(kind) => kind.doc(),
            Self::PreferredElection => "Leadership moves back to the preferred replicas.",
        })
    }

    /// Whether it affects a disk.
    pub fn is_of_disk(self) -> bool {
        let Self::World(kind) = self else { return false };
        matches!(
            kind,
            Kind::FullDisk
                | Kind::HungDisk
                | Kind::SlowDisk
                | Kind::DiskError
                | Kind::LostDisk
                | Kind::CorruptDisk
        )
    }

    /// Whether it affects a disk or a clock.
    pub fn is_of_disk_or_clock(self) -> bool {
        self.is_of_disk() || self == Self::World(Kind::ClockJump)
    }

    /// Whether it happens at one moment and does not end, so that its entries have no `lasts`.
    pub const fn is_moment(self) -> bool {
        matches!(self, Self::PreferredElection | Self::World(Kind::CorruptDisk))
    }

    /// The keys that an entry of this kind can have.
    pub fn fields(self) -> &'static [&'static str] {
        let index = match self {
            Self::World(kind) => kind as usize,
            Self::PreferredElection => COUNT - 1,
        };
        let (fields, count) = &FIELDS[index];
        &fields[..*count]
    }

    /// The keys of this kind that are not common to all kinds.
    pub fn own_fields(self) -> impl Iterator<Item = &'static str> {
        self.fields()[OF_EVERY.len()..].iter().copied()
    }

    /// The form of the value of one of its own keys (`None`: a list of names), and the
    /// documentation of the key.
    pub fn key(self, name: &str) -> Option<(Option<Form>, String)> {
        match self {
            Self::World(kind) => {
                let key = kind.keys().iter().find(|key| key.name == name)?;
                Some((Some(key.form), one_line(key.doc)))
            }
            Self::PreferredElection => (name == TOPICS.0).then(|| (None, TOPICS.1.to_owned())),
        }
    }
}

/// A doc comment as one line.
fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Serialize for Family {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Family {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Family;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Family, E> {
                Family::of(name).ok_or_else(|| E::unknown_variant(name, &NAMES))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

impl JsonSchema for Family {
    fn schema_name() -> Cow<'static, str> {
        "Family".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |family: Family| serde_json::json!({"const": family.name(), "description": family.summary()});
        json_schema!({
            "description": "The kind of a fault.",
            "oneOf": Family::all().map(one).collect::<Vec<_>>(),
        })
    }
}
