//! The changes of a replay (`MetadataDelta`), so that whole images need not be compared.

use crate::ids::{BrokerId, TopicId, TopicPartition};
use std::collections::BTreeSet;

/// The part of an image that one record changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Nothing that a broker acts on.
    Nothing,
    /// A broker was registered, changed or removed.
    Broker(BrokerId),
    /// A topic was created or removed, or its configuration changed.
    Topic(TopicId),
    /// A partition was created or changed.
    Partition(TopicPartition),
    /// The defaults of all topics changed.
    Defaults,
}

/// The parts of an image that several records changed. A part that is listed here and missing from
/// the image was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageDelta {
    /// Brokers that were registered, changed or removed.
    pub brokers: BTreeSet<BrokerId>,
    /// Topics that were created or removed, or whose configuration changed. The partitions of a
    /// removed topic are not listed.
    pub topics: BTreeSet<TopicId>,
    /// Partitions that were created or changed.
    pub partitions: BTreeSet<TopicPartition>,
    /// The defaults of all topics changed.
    pub defaults: bool,
}

impl ImageDelta {
    /// Adds the change of one record.
    pub fn note(&mut self, touched: Touched) {
        match touched {
            Touched::Nothing => {}
            Touched::Broker(id) => {
                self.brokers.insert(id);
            }
            Touched::Topic(id) => {
                self.topics.insert(id);
            }
            Touched::Partition(partition) => {
                self.partitions.insert(partition);
            }
            Touched::Defaults => self.defaults = true,
        }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.brokers.is_empty()
            && self.topics.is_empty()
            && self.partitions.is_empty()
            && !self.defaults
    }
}
