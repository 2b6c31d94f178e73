//! Each input of a pipeline is reflected exactly once: a group that commits its offsets in the transactions
//! of its outputs (KIP-98, KIP-447) has one committed output for each input below its committed offset,
//! and none for the others.
//!
//! Catches a coordinator that shows an offset although a transaction may replace it (KAFKA-9346), or that
//! accepts the offsets of a former member (KIP-447), and a producer that goes on after it was fenced.

use super::{Check, Findings, Ground};
use crate::evidence::group::bounds;
use crate::evidence::{End, Moment, View, records};
use engine::ids::Offset;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Reflected;

impl Reflected {
    pub(super) const NAME: &'static str = "reflected-once";
}

impl Check for Reflected {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        let pipelines = view.setup.group_setups.iter().filter(|(_, setup)| setup.outputs > 0);
        let pipelines: Vec<_> = pipelines.map(|(key, setup)| (key, setup.outputs)).collect();
        if pipelines.is_empty() {
            return;
        }
        let visible: BTreeSet<u64> = (0..view.partitions.len())
            .filter(|index| view.is_of_workload(*index))
            .flat_map(|index| view.visible(index, &end.finals[index], (0, Offset::MAX)))
            .map(|(_, number)| number)
            .collect();
        for ((cluster, group), each) in pipelines {
            let mut outputs: BTreeMap<(usize, Offset), Vec<u64>> = BTreeMap::new();
            for (_, life) in view.members.of_group(*cluster, group) {
                for derived in life.derived.iter().filter(|it| visible.contains(&it.record)) {
                    let input = (derived.partition, derived.offset);
                    outputs.entry(input).or_default().push(derived.record);
                }
            }
            for (index, held) in end.finals.iter().enumerate() {
                let Some((begin, _)) = bounds(view, *cluster, group, index) else { continue };
                let committed = view.committed_offset(*cluster, group, index).unwrap_or(begin);
                for (offset, input) in view.visible(index, held, (begin, Offset::MAX)) {
                    let own = outputs.get(&(index, offset)).map_or(&[][..], Vec::as_slice);
                    let what = match (own.len().cmp(&(each as usize)), offset < committed) {
                        (Ordering::Equal, true) => continue,
                        (Ordering::Less, false) if own.is_empty() => continue,
                        (Ordering::Less, true) => "an input of a pipeline is not reflected",
                        (Ordering::Greater, _) => {
                            "an input of a pipeline is reflected more than once"
                        }
                        _ => "an input of a pipeline is reflected and not committed",
                    };
                    let node = view.node_of(&view.partitions[index]);
                    let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
                    let outputs: Vec<String> = own.iter().map(|it| records::name(*it)).collect();
                    out.add(Self::NAME, what, &at, index, Ground::Never)
                        .offset(offset)
                        .record(input)
                        .detail(format!(
                            "group {group}, {}, outputs: {}",
                            records::name(input),
                            if outputs.is_empty() { "none".to_owned() } else { outputs.join(", ") }
                        ));
                }
            }
        }
    }
}
