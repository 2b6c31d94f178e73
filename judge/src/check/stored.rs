//! Each input of a group that keeps its positions in a store of its own is in the store exactly once: all
//! below the position that the store holds, and none beyond it.
//!
//! Catches an application that writes results and positions apart, a consumer that goes on elsewhere than
//! where it was sent, and a store that takes what a replaced application has still to write.

use super::{Check, Findings, Ground, GroupGround};
use crate::evidence::group::{Store, bounds};
use crate::evidence::{End, Moment, View, records};
use engine::fact::Positioning;
use engine::ids::{GroupId, Offset};
use machine::ClusterId;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored;

const LACKING: &str = "an input is not in the store of its group";
const TWICE: &str = "an input is in the store of its group more than once";
const BEYOND: &str = "an input is in the store of its group, which goes on before it";

impl Stored {
    pub(super) const NAME: &'static str = "in-store-once";
}

impl Check for Stored {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (group, store) in &view.stores {
            for index in 0..view.partitions.len() {
                of_partition(view, end, (group, store), index, out);
            }
        }
    }
}

fn of_partition(
    view: &View,
    end: &End,
    (group, store): (&(ClusterId, GroupId), &Store),
    index: usize,
    out: &mut Findings,
) {
    let Some((last, held)) = store.of(index).next_back() else { return };
    let Some((begin, _)) = bounds(view, group.0, &group.1, index) else { return };
    let mut rows: BTreeMap<(Offset, u64), Vec<usize>> = BTreeMap::new();
    for (commit, it) in store.of(index) {
        it.inputs.iter().for_each(|input| rows.entry(*input).or_default().push(commit));
    }
    for (offset, record) in view.visible(index, &end.finals[index], (begin, Offset::MAX)) {
        let own = rows.get(&(offset, record)).map_or(&[][..], Vec::as_slice);
        let (what, ground, by) = match own {
            [] if offset >= held.to => continue,
            [] => (LACKING, moved(view, group, index, |_, to| to > offset), last),
            [first, .., again] => {
                (TWICE, repeated(view, group, store, (*first, *again), offset), *again)
            }
            [_] if offset < held.to => continue,
            [only] => (BEYOND, went_back(store, *only), last),
        };
        let it = &store.commits[by];
        out.add(Stored::NAME, what, &it.moment, index, ground)
            .offset(offset)
            .record(record)
            .detail(format!("group {}, {}, client {}", group.1, records::name(record), it.by));
    }
}

/// What excuses that results were written once more.
fn repeated(
    view: &View,
    group: &(ClusterId, GroupId),
    store: &Store,
    (first, again): (usize, usize),
    offset: Offset,
) -> Ground {
    // The one that was replaced may have been the first or the second to write.
    let before = store.commits[..=again].iter().enumerate().rev();
    let mut stale = before
        .filter(|(_, it)| it.partition == store.commits[again].partition && it.epoch < it.current);
    if let Some((commit, _)) = stale.next() {
        return Ground::Group(GroupGround::Unfenced { commit });
    }
    // A member that was moved back after the first time wrote once more what it read again.
    let between = store.commits[first].moment.at..=store.commits[again].moment.at;
    let partition = store.commits[again].partition;
    moved(view, group, partition, |moment, to| between.contains(&moment.at) && to <= offset)
}

/// What excuses that the position of a store went back before results that it holds.
fn went_back(store: &Store, only: usize) -> Ground {
    let later = store.commits.iter().enumerate().skip(only + 1);
    let mut stale = later
        .filter(|(_, it)| it.partition == store.commits[only].partition && it.epoch < it.current);
    match stale.next() {
        Some((commit, _)) => Ground::Group(GroupGround::Unfenced { commit }),
        None => Ground::Never,
    }
}

/// A reset that moved a member, if there is one that fits.
fn moved(
    view: &View,
    group: &(ClusterId, GroupId),
    partition: usize,
    fits: impl Fn(&Moment, Offset) -> bool,
) -> Ground {
    for (life, it) in view.members.of_group(group.0, &group.1) {
        let reset = it.moved.iter().position(|moved| {
            let is_reset = !matches!(moved.why, Positioning::Seek | Positioning::Committed);
            is_reset && moved.partition == partition && fits(&moved.moment, moved.to)
        });
        if let Some(moved) = reset {
            return Ground::Group(GroupGround::Moved { life, moved });
        }
    }
    Ground::Never
}
