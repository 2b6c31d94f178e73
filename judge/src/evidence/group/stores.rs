//! The stores in which applications keep their positions and results, as they report what they did.

use crate::evidence::observed::Moment;
use crate::evidence::view::View;
use engine::fact::StoreFact;
use engine::ids::{GroupId, Offset};
use machine::{ClusterId, NodeId};
use std::collections::BTreeMap;

/// A committed transaction of a store, as far as it concerns one partition.
#[derive(Clone, Debug)]
pub struct StoreCommit {
    /// When.
    pub moment: Moment,
    /// The application.
    pub by: NodeId,
    /// The partition.
    pub partition: usize,
    /// The epoch of the application's claim.
    pub epoch: u64,
    /// The epoch of the latest claim.
    pub current: u64,
    /// The inputs whose results were written: offsets and numbers.
    pub inputs: Vec<(Offset, u64)>,
    /// The new position.
    pub to: Offset,
}

/// A partition was claimed.
#[derive(Clone, Copy, Debug)]
pub struct StoreClaim {
    /// When.
    pub moment: Moment,
    /// The application.
    pub by: NodeId,
    /// The partition.
    pub partition: usize,
    /// The epoch of the claim.
    pub epoch: u64,
}

/// What the store of a group did.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// All claims, in order.
    pub claims: Vec<StoreClaim>,
    /// All committed transactions, in order.
    pub commits: Vec<StoreCommit>,
    /// The number of refused transactions.
    pub refused: u64,
}

impl Store {
    /// The committed transactions of a partition, with their indexes.
    pub fn of(&self, partition: usize) -> impl DoubleEndedIterator<Item = (usize, &StoreCommit)> {
        self.commits.iter().enumerate().filter(move |(_, it)| it.partition == partition)
    }
}

/// The stores of all groups.
pub type Stores = BTreeMap<(ClusterId, GroupId), Store>;

impl View {
    /// A store reported something.
    pub(in crate::evidence) fn on_store(&mut self, moment: &Moment, fact: &StoreFact) {
        let cluster = moment.node.cluster;
        let moment = *moment;
        match fact {
            StoreFact::Claimed { group, by, partition, epoch, .. } => {
                let partition = self.partition(cluster, *partition);
                let store = self.stores.entry((cluster, group.clone())).or_default();
                store.claims.push(StoreClaim { moment, by: *by, partition, epoch: *epoch });
            }
            StoreFact::Committed { group, by, partition, epoch, current, inputs, to } => {
                let partition = self.partition(cluster, *partition);
                let store = self.stores.entry((cluster, group.clone())).or_default();
                store.commits.push(StoreCommit {
                    moment,
                    by: *by,
                    partition,
                    epoch: *epoch,
                    current: *current,
                    inputs: inputs.clone(),
                    to: *to,
                });
            }
            StoreFact::Refused { group, .. } => {
                self.stores.entry((cluster, group.clone())).or_default().refused += 1;
            }
        }
    }
}
