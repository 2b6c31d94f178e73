//! Facts of stores: databases of applications, which hold the results of a group together with its
//! positions.

use crate::ids::{GroupId, Offset, TopicPartition};
use machine::NodeId;

/// Something that a store has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreFact {
    /// An application took a partition over: the store gave it a new epoch, and the position.
    Claimed {
        /// `group.id` of the application.
        group: GroupId,
        /// The application.
        by: NodeId,
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the claim, from 1.
        epoch: u64,
        /// The position that the store holds; `None`: it holds none.
        offset: Option<Offset>,
    },
    /// A transaction was committed: results, and the position after them. A transaction over several
    /// partitions has one of each.
    Committed {
        /// `group.id` of the application.
        group: GroupId,
        /// The application.
        by: NodeId,
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the claim under which the application wrote.
        epoch: u64,
        /// The epoch of the latest claim. They differ only in a store without fencing.
        current: u64,
        /// The inputs whose results were written: offsets and numbers, in order.
        inputs: Vec<(Offset, u64)>,
        /// The new position.
        to: Offset,
    },
    /// A transaction was refused, with all of its partitions, because another claim is later.
    Refused {
        /// `group.id` of the application.
        group: GroupId,
        /// The application.
        by: NodeId,
        /// A partition that was claimed since.
        partition: TopicPartition,
        /// The epoch of the claim under which the application wrote.
        epoch: u64,
        /// The epoch of the latest claim.
        current: u64,
    },
}
