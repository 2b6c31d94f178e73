//! The nodes that faults affect, for the budget.

use machine::NodeId;
use sim::{Fault, LossyLink, OneWayPartition, Partition, SlowLink};

/// The nodes that `active` faults affect. A fault of the links between `victim` and others alone does
/// not count for those others: once the victim has gone, it affects neither their links to each other
/// nor those to the controllers.
pub(super) fn troubled(active: &[Fault<NodeId>], victim: Option<NodeId>) -> Vec<NodeId> {
    let concerns_others =
        |fault: &&Fault<NodeId>| victim.is_none_or(|victim| !is_between(fault, victim));
    active.iter().filter(concerns_others).flat_map(Fault::nodes).collect()
}

/// Whether the fault affects links only, each of which has `node` at one end.
fn is_between(fault: &Fault<NodeId>, node: NodeId) -> bool {
    let alone = |side: &[NodeId]| side == [node];
    match fault {
        Fault::Partition(Partition { groups }) => {
            groups.0.len() == 2 && groups.0.iter().any(|group| alone(group))
        }
        Fault::OneWayPartition(OneWayPartition { from, to })
        | Fault::SlowLink(SlowLink { from, to, .. })
        | Fault::LossyLink(LossyLink { from, to, .. }) => alone(&from.0) || alone(&to.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::{Groups, Pause};

    #[test]
    fn a_partition_between_the_victim_and_others_does_not_target_the_others() {
        let [one, two, three] = [1, 2, 3].map(|id| NodeId::new(0, id));
        let cut = |a: &[NodeId], b: &[NodeId]| {
            Fault::from(Partition { groups: Groups(vec![a.to_vec(), b.to_vec()]) })
        };
        let active = [cut(&[one], &[two, three]), Pause { target: three.into() }.into()];
        assert_eq!(troubled(&active, Some(one)), [three]);
        assert_eq!(troubled(&active, Some(two)), [one, two, three, three]);
        assert_eq!(troubled(&active, None), [one, two, three, three]);
        assert_eq!(troubled(&[cut(&[one, two], &[three])], Some(one)), [one, two, three]);
    }
}
