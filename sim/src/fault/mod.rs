//! Faults: one file each, with what applying and undoing it does.
//!
//! A new fault is a file that declares it with `fault!` and implements `Inflict`, and a row of the
//! table below, which give its entry in scenario files, its documentation and its words. The `W` of
//! `Fault<W>` is a target of a scenario file until the fault strikes, and a node from then on. The
//! effect on a node or link is that of all active faults together, so undoing one fault never
//! cancels another.

mod active;
mod clock_jump;
mod corrupt_disk;
mod crash;
mod delay_metadata;
mod disk_error;
mod full_disk;
mod hung_disk;
mod lossy_link;
mod lost_disk;
mod one_way_partition;
mod partition;
mod pause;
mod power_loss;
mod restart;
mod slow_disk;
mod slow_link;
mod table;

pub use active::{ActiveFault, ActiveId};
pub use clock_jump::ClockJump;
pub use corrupt_disk::CorruptDisk;
pub use crash::Crash;
pub use delay_metadata::DelayMetadata;
pub use disk_error::{DiskError, DiskOperation};
pub use full_disk::FullDisk;
pub use hung_disk::HungDisk;
pub use lossy_link::LossyLink;
pub use lost_disk::LostDisk;
pub use one_way_partition::OneWayPartition;
pub use partition::Partition;
pub use pause::Pause;
pub use power_loss::PowerLoss;
pub use restart::Restart;
pub use slow_disk::SlowDisk;
pub use slow_link::SlowLink;
pub use table::{ENTRY_KEYS, Form, Groups, Key, Naming, Ppm, Targets, Value, Values, Written};

use crate::exercised::Effect;
use crate::net::LinkShape;
use crate::{EventId, World};
use machine::{NodeId, Process};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The kind of harm that a fault does to the nodes that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Messages between the nodes are late or lost.
    Links,
    /// The nodes cannot work while the fault lasts; nothing is lost from their disks.
    Down,
    /// The nodes cannot work while the fault lasts, and lose unsynced data.
    Power,
    /// The nodes may lose synced data as well.
    Disk,
    /// The nodes work, slowly or with a wrong clock.
    Slow,
}

/// The implementation of a fault.
pub(crate) trait Inflict {
    /// The harm to the nodes that it names.
    fn harm(&self) -> Harm;

    /// Applies it to nodes.
    fn apply<P: Process>(&self, _world: &mut World<P>, _id: ActiveId, _event: EventId) {}

    /// Undoes it on nodes.
    fn undo<P: Process>(&self, _world: &mut World<P>, _id: ActiveId, _event: EventId) {}

    /// Whether it ends by itself, some time after its `lasts`.
    fn ends_itself(&self) -> bool {
        false
    }

    /// The active fault that excludes it, if any.
    fn contradicts<'a>(&self, _active: &'a [ActiveFault]) -> Option<&'a ActiveFault> {
        None
    }

    /// The effect on its targets that shows that it did something, if it affects disks or clocks.
    /// The effects of faults on links and processes are recorded where they happen.
    fn shown_by(&self) -> Option<Effect> {
        None
    }

    /// Changes the shape of a link while it is active; called only if [`Inflict::harm`] is
    /// [`Harm::Links`].
    fn shape(&self, _from: NodeId, _to: NodeId, _shape: &mut LinkShape) {}
}

macro_rules! faults {
    ($($fault:ident / $code:literal,)*) => {
        /// A fault; `W` is a node, or a target of a file.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fault<W> {
            $(#[doc = concat!("See [`", stringify!($fault), "`].")] $fault($fault<W>),)*
        }

        /// The kind of a fault, without its keys.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = concat!("See [`", stringify!($fault), "`].")] $fault,)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$fault,)*];

            /// Its name in files and results.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$fault => $fault::<NodeId>::NAME,)*
                }
            }

            /// Its effect, in Markdown.
            pub const fn doc(self) -> &'static str {
                match self {
                    $(Self::$fault => $fault::<NodeId>::DOC,)*
                }
            }

            /// The keys that its entries have in addition to [`ENTRY_KEYS`].
            pub const fn keys(self) -> &'static [Key] {
                match self {
                    $(Self::$fault => $fault::<NodeId>::KEYS,)*
                }
            }
        }

        impl<W: Clone + 'static> Fault<W> {
            /// Its kind.
            pub const fn kind(&self) -> Kind {
                match self {
                    $(Self::$fault(_) => Kind::$fault,)*
                }
            }

            /// The same fault with the results of `of` in place of each `W`.
            pub fn map<V: Clone + 'static>(&self, of: &mut dyn FnMut(&W) -> Vec<V>) -> Fault<V> {
                match self {
                    $(Self::$fault(fault) => Fault::$fault(fault.map(of)),)*
                }
            }

            /// Each `W` that it names, with the path to it in its entry.
            pub fn targets(&self) -> Vec<(Vec<String>, &W)> {
                match self {
                    $(Self::$fault(fault) => fault.targets(),)*
                }
            }

            /// The keys that it has, with their values in words.
            pub fn words(&self, name: Naming<'_, W>) -> Vec<(&'static str, String)> {
                match self {
                    $(Self::$fault(fault) => fault.words(name),)*
                }
            }
        }

        impl<W: Written> Fault<W> {
            /// Reads the value of a key; false, without reading, if no fault has the key.
            ///
            /// # Errors
            ///
            /// A value that does not fit the key.
            pub fn read_key<'de, A: serde::de::MapAccess<'de>>(
                key: &str,
                map: &mut A,
                values: &mut Values,
            ) -> Result<bool, A::Error> {
                Ok($($fault::<W>::read_key(key, map, values)? ||)* false)
            }

            /// A fault with the values that were read.
            ///
            /// # Errors
            ///
            /// The key that is missing.
            pub fn build(kind: Kind, values: &mut Values) -> Result<Self, &'static str> {
                match kind {
                    $(Kind::$fault => $fault::build(values).map(Self::$fault),)*
                }
            }

            /// Writes its keys and their values.
            ///
            /// # Errors
            ///
            /// The errors of the file.
            pub fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match self {
                    $(Self::$fault(fault) => fault.write(map),)*
                }
            }
        }

        impl Fault<NodeId> {
            pub(crate) const fn code(&self) -> u64 {
                match self {
                    $(Self::$fault(_) => $code,)*
                }
            }

            /// The harm to the nodes that it names.
            pub fn harm(&self) -> Harm {
                match self {
                    $(Self::$fault(fault) => fault.harm(),)*
                }
            }

            /// The active fault that excludes this fault, if any: it has taken away what this fault
            /// targets.
            pub fn contradicts<'a>(&self, active: &'a [ActiveFault]) -> Option<&'a ActiveFault> {
                match self {
                    $(Self::$fault(fault) => fault.contradicts(active),)*
                }
            }

            pub(crate) fn ends_itself(&self) -> bool {
                match self {
                    $(Self::$fault(fault) => fault.ends_itself(),)*
                }
            }

            pub(crate) fn apply<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
                match self {
                    $(Self::$fault(fault) => fault.apply(world, id, event),)*
                }
            }

            pub(crate) fn undo<P: Process>(&self, world: &mut World<P>, id: ActiveId, event: EventId) {
                match self {
                    $(Self::$fault(fault) => fault.undo(world, id, event),)*
                }
            }

            pub(crate) fn shown_by(&self) -> Option<Effect> {
                match self {
                    $(Self::$fault(fault) => fault.shown_by(),)*
                }
            }

            pub(crate) fn shape(&self, from: NodeId, to: NodeId, shape: &mut LinkShape) {
                match self {
                    $(Self::$fault(fault) => fault.shape(from, to, shape),)*
                }
            }
        }

        $(impl<W> From<$fault<W>> for Fault<W> {
            fn from(fault: $fault<W>) -> Self {
                Self::$fault(fault)
            }
        })*
    };
}

// The codes identify faults in digests; a code is never reused.
faults! {
    Crash / 1,
    PowerLoss / 2,
    Pause / 3,
    Restart / 4,
    Partition / 5,
    OneWayPartition / 15,
    SlowLink / 6,
    LossyLink / 7,
    DelayMetadata / 8,
    FullDisk / 11,
    HungDisk / 10,
    SlowDisk / 13,
    DiskError / 12,
    LostDisk / 16,
    CorruptDisk / 17,
    ClockJump / 9,
}

impl<W: Clone + 'static> Fault<W> {
    /// Its name in files and results.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The fault in one line: `slow-link from 1 to 2 3, by 300ms`.
    pub fn in_words(&self, name: Naming<'_, W>) -> String {
        let mut line = self.name().to_owned();
        let mut between = "";
        for (key, value) in self.words(name) {
            match key {
                "target" => line.push_str(&format!("{between} {value}")),
                "groups" => line.push_str(&format!("{between} {value}")),
                "from" | "to" => line.push_str(&format!(" {key} {value}")),
                _ => {
                    let key = key.replace('_', " ");
                    line.push_str(format!(", {key} {value}").trim_end());
                    continue;
                }
            }
            between = ",";
        }
        line
    }
}

impl Fault<NodeId> {
    /// The nodes that it names.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.targets().into_iter().map(|(_, node)| *node).collect()
    }

    /// The fault as several faults, one for each node of its `target`.
    pub fn each(&self) -> Vec<Self> {
        let of_target =
            |(path, node): (Vec<String>, &NodeId)| (path[0] == "target").then_some(*node);
        let targets: Vec<NodeId> = self.targets().into_iter().filter_map(of_target).collect();
        if targets.len() < 2 {
            return vec![self.clone()];
        }
        let only = |target: NodeId| {
            let mut one =
                self.map(&mut |node| (*node == target).then_some(target).into_iter().collect());
            if let (Self::DelayMetadata(one), Self::DelayMetadata(all)) = (&mut one, self) {
                one.from.clone_from(&all.from);
            }
            one
        };
        targets.into_iter().map(only).collect()
    }

    /// The active fault because of which it has no effect on some node that it names, if any: the
    /// process is down or paused, or waits for its disk.
    pub fn hindered_by<'a>(&self, active: &'a [ActiveFault]) -> Option<&'a ActiveFault> {
        let nodes = self.nodes();
        let stops = |it: &&ActiveFault| {
            let is_down = matches!(it.fault.harm(), Harm::Down | Harm::Power | Harm::Disk);
            is_down && it.fault.nodes().iter().any(|node| nodes.contains(node))
        };
        active.iter().find(stops)
    }

    pub(crate) fn shapes_links(&self) -> bool {
        self.harm() == Harm::Links
    }
}

/// The form in traces: the name, and the keys in words.
impl Serialize for Fault<NodeId> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = self.words(&|node| node.to_string());
        let mut map = serializer.serialize_map(Some(words.len() + 1))?;
        map.serialize_entry("fault", self.name())?;
        for (key, value) in words {
            map.serialize_entry(key, &value)?;
        }
        map.end()
    }
}

/// Whether a link leads from a node of `from` to a node of `to`, or, unless `one_way`, in the other
/// direction.
fn leads(
    (a, b): (NodeId, NodeId),
    from: &Targets<NodeId>,
    to: &Targets<NodeId>,
    one_way: bool,
) -> bool {
    let forth = from.0.contains(&a) && to.0.contains(&b);
    forth || (!one_way && from.0.contains(&b) && to.0.contains(&a))
}
