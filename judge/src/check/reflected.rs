//! Each input of a pipeline is reflected exactly once: a group that commits its offsets in the transactions
//! of its outputs (KIP-98, KIP-447) has one committed output for each input below its committed offset,
//! and none for the others.
//!
//! Catches a coordinator that shows an offset although a transaction may replace it (KAFKA-9346), or that
//! accepts the offsets of a former member (KIP-447), and a producer that goes on after it was fenced.

use super::{Check, Findings, Ground, GroupGround};
use crate::evidence::group::{Processing, Reflected as Input};
use crate::evidence::{End, Moment, View, records};
use std::cmp::Ordering;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Reflected;

impl Reflected {
    pub(super) const NAME: &'static str = "reflected-once";
}

impl Check for Reflected {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for of in &end.processing {
            let key = (of.cluster, of.group.clone());
            let Some(setup) = view.setup.group_setups.get(&key) else { continue };
            for input in of.reflection.iter().flat_map(|it| &it.others) {
                let what = match (input.has, input.is_committed) {
                    (Ordering::Greater, _) => "an input of a pipeline is reflected more than once",
                    // Without transactions results may lack for every reason for which records do.
                    _ if setup.outputs_apart => continue,
                    (Ordering::Less, true) => "an input of a pipeline is not reflected",
                    _ => "an input of a pipeline is reflected and not committed",
                };
                let ground = match input.has {
                    Ordering::Greater => again(view, of, input),
                    _ => Ground::Never,
                };
                let node = view.node_of(&view.partitions[input.partition]);
                let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
                let results: Vec<String> = input.results.iter().map(|it| records::name(*it)).collect();
                out.add(Self::NAME, what, &at, input.partition, ground)
                    .offset(input.offset)
                    .record(input.record)
                    .detail(format!(
                        "group {}, {}, outputs: {}",
                        of.group,
                        records::name(input.record),
                        if results.is_empty() { "none".to_owned() } else { results.join(", ") }
                    ));
            }
        }
    }
}

/// Who wrote the results of an input.
fn again(view: &View, of: &Processing, input: &Input) -> Ground {
    let wrote = |number: &u64| {
        let mut lives = view.members.of_group(of.cluster, &of.group);
        let wrote = lives.find(|(_, life)| life.derived.iter().any(|it| it.record == *number));
        wrote.map(|(index, _)| index)
    };
    let ends = (input.results.first().and_then(wrote), input.results.last().and_then(wrote));
    match ends {
        (Some(first), Some(last)) => Ground::Group(GroupGround::Results { first, last }),
        _ => Ground::Never,
    }
}
