//! What became of the inputs of pipelines: which results of each input the logs hold.

use super::processing::bounds;
use crate::evidence::end::Final;
use crate::evidence::view::View;
use engine::ids::Offset;
use machine::ClusterId;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// The inputs of the pipeline of a group, from where the group began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reflection {
    /// The number of inputs with each of their results once, below the committed offset.
    pub once: u64,
    /// The inputs with more or fewer results, except those beyond the committed offset without any.
    pub others: Vec<Reflected>,
}

/// An input of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reflected {
    /// The partition.
    pub partition: usize,
    /// The offset.
    pub offset: Offset,
    /// Its number.
    pub record: u64,
    /// The numbers of its results that readers of committed records are given.
    pub results: Vec<u64>,
    /// How many results it should have, compared with those that it has.
    pub has: Ordering,
    /// Whether the group has committed an offset beyond it.
    pub is_committed: bool,
}

/// What became of the inputs of each pipeline; `visible` are the numbers of all records that readers of
/// committed records are given.
pub(super) fn of_group(
    view: &View,
    finals: &[Final],
    (cluster, group): (ClusterId, &str),
    each: u32,
    visible: &BTreeSet<u64>,
) -> Reflection {
    let mut results: BTreeMap<(usize, Offset), Vec<u64>> = BTreeMap::new();
    for (_, life) in view.members.of_group(cluster, group) {
        for derived in life.derived.iter().filter(|it| visible.contains(&it.record)) {
            results.entry((derived.partition, derived.offset)).or_default().push(derived.record);
        }
    }
    let mut reflection = Reflection::default();
    for (partition, held) in finals.iter().enumerate() {
        let Some((begin, _)) = bounds(view, cluster, group, partition) else { continue };
        let committed = view.committed_offset(cluster, group, partition).unwrap_or(begin);
        for (offset, record) in view.visible(partition, held, (begin, Offset::MAX)) {
            let own = results.get(&(partition, offset)).map_or(&[][..], Vec::as_slice);
            let (has, is_committed) = (own.len().cmp(&(each as usize)), offset < committed);
            match (has, is_committed) {
                (Ordering::Equal, true) => reflection.once += 1,
                (Ordering::Less, false) if own.is_empty() => {}
                _ => reflection.others.push(Reflected {
                    partition,
                    offset,
                    record,
                    results: own.to_vec(),
                    has,
                    is_committed,
                }),
            }
        }
    }
    reflection
}

/// The numbers of all records of the workload that readers of committed records are given.
pub(super) fn visible(view: &View, finals: &[Final]) -> BTreeSet<u64> {
    let all = (0..view.partitions.len()).filter(|index| view.is_of_workload(*index));
    let given = all.flat_map(|index| view.visible(index, &finals[index], (0, Offset::MAX)));
    given.map(|(_, number)| number).collect()
}
