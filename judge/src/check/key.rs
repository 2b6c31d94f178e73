//! Equal keys go to one partition of a topic while the number of its partitions is unchanged.
//!
//! Catches a corrupted `partitions_for_keys`, and a leader that appends to the wrong partition.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View};
use engine::fact::Fact;
use engine::record;
use machine::Digest;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    table: Table,
}

impl Keys {
    pub(super) const NAME: &'static str = "same-key-same-partition";
}

impl Check for Keys {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Append(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let (Effect::Append(index, append), Fact::Appended { batch, .. }) = (effect, fact) else {
            return;
        };
        let Some(topic) = view.partitions[*index].topic.filter(|_| append.fresh) else { return };
        if !view.setup.topics[topic].partitioned_by_key {
            return;
        }
        // The key of a marker is its type.
        if view.partitions[*index].batches.get(append.batch).is_control {
            return;
        }
        let partition = view.partitions[*index].id.partition;
        // The check of the disks reports batches that cannot be read.
        let _ = record::for_each(batch, |record| {
            let Some(key) = record.key else { return };
            let other = self.table.insert(hash(topic, key), partition);
            if other != partition {
                let what = "a key went to two partitions";
                out.add(Self::NAME, what, at, *index, Ground::Never)
                    .offset(record.offset)
                    .detail(format!("it went to partition {other} before"));
            }
        });
    }
}

fn hash(topic: usize, key: &[u8]) -> u64 {
    let mut digest = Digest::default();
    digest.fold(topic as u64);
    digest.fold_bytes(key);
    // Zero marks an empty slot.
    (digest.value() as u64).max(1)
}

/// An open-addressing table from the hash of a key to the first partition that it was seen in.
#[derive(Clone, Debug, Default)]
struct Table {
    slots: Vec<(u64, i32)>,
    used: usize,
}

impl Table {
    /// Adds a key, unless it is there. Returns the partition with which it was added first.
    fn insert(&mut self, hash: u64, partition: i32) -> i32 {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let slot = self.find(hash);
        if self.slots[slot].0 == 0 {
            self.slots[slot] = (hash, partition);
            self.used += 1;
        }
        self.slots[slot].1
    }

    fn find(&self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot].0 != 0 && self.slots[slot].0 != hash {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let old = std::mem::replace(&mut self.slots, vec![(0, 0); size]);
        for (hash, partition) in old.into_iter().filter(|(hash, _)| *hash != 0) {
            let slot = self.find(hash);
            self.slots[slot] = (hash, partition);
        }
    }
}
