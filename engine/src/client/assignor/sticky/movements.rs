//! The moves of partitions between members, so that two partitions of a topic do not change places
//! (`PartitionMovements`).

use crate::ids::MemberId;
use crate::protocol::NamedPartition;
use std::collections::BTreeMap;

/// The moves so far: from where to where, by partition.
#[derive(Default)]
pub(super) struct Movements(BTreeMap<NamedPartition, (MemberId, MemberId)>);

impl Movements {
    /// A partition moves. A move back is none.
    pub(super) fn add(&mut self, partition: &NamedPartition, from: &MemberId, to: &MemberId) {
        match self.0.remove(partition) {
            Some((first, _)) if first == *to => {}
            Some((first, _)) => {
                self.0.insert(partition.clone(), (first, to.clone()));
            }
            None => {
                self.0.insert(partition.clone(), (from.clone(), to.clone()));
            }
        }
    }

    /// The partition to move instead: one of the same topic that has moved the other way, if there is
    /// one, which goes back.
    pub(super) fn instead_of(
        &self,
        partition: &NamedPartition,
        from: &MemberId,
        to: &MemberId,
    ) -> NamedPartition {
        let from = self.0.get(partition).map_or(from, |(first, _)| first);
        let back = self.0.iter().find(|((topic, _), (source, target))| {
            *topic == partition.0 && source == to && target == from
        });
        back.map_or(partition, |(other, _)| other).clone()
    }
}
