//! The placement of replicas.

use crate::controller::placement::{UsableBroker, place};
use crate::error::ErrorCode;
use crate::ids::BrokerId;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Brokers 1.. with rack and fencing.
fn brokers() -> impl Strategy<Value = Vec<UsableBroker>> {
    prop::collection::vec((0u8..4, prop::bool::weighted(0.2)), 1..12).prop_map(|brokers| {
        let named = (1..).zip(brokers);
        named
            .map(|(id, (rack, fenced))| {
                let rack = (rack > 0).then(|| format!("rack-{rack}"));
                UsableBroker { id, rack, fenced }
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn replicas_are_on_different_brokers_and_racks_and_no_fenced_broker_leads(
        brokers in brokers(),
        partitions in 1usize..40,
        factor in 1usize..6,
        seed in any::<u64>(),
    ) {
        let placed = place(partitions, factor, brokers.iter().cloned(), &mut rng(seed));
        let has_living = brokers.iter().any(|broker| !broker.fenced);
        if factor > brokers.len() || !has_living {
            prop_assert_eq!(placed, Err(ErrorCode::InvalidReplicationFactor));
            return Ok(());
        }
        let placed = placed.unwrap();
        prop_assert_eq!(placed.len(), partitions);
        let of = |id: BrokerId| &brokers[usize::from(id) - 1];
        let racks: BTreeSet<_> = brokers.iter().map(|broker| &broker.rack).collect();
        for replicas in &placed {
            prop_assert_eq!(replicas.len(), factor);
            let distinct: BTreeSet<_> = replicas.iter().collect();
            prop_assert_eq!(distinct.len(), factor, "no two on one broker");
            prop_assert!(!of(replicas[0]).fenced, "no fenced leader");
            let used: BTreeSet<_> = replicas.iter().map(|id| &of(*id).rack).collect();
            prop_assert_eq!(used.len(), factor.min(racks.len()), "as many racks as possible");
        }
    }

    /// Among as many partitions as there are brokers, racks of equal size have equally many
    /// leaders, and so have the brokers of a single rack.
    #[test]
    fn leaders_are_even(
        racks in 1u16..5,
        per_rack in 1u16..5,
        rounds in 1usize..4,
        factor in 1usize..5,
        seed in any::<u64>(),
    ) {
        let all = racks * per_rack;
        prop_assume!(factor <= usize::from(all));
        let rack_of = |id: BrokerId| id % racks;
        let brokers = (1..=all).map(|id| UsableBroker {
            id,
            rack: Some(format!("rack-{}", rack_of(id))),
            fenced: false,
        });
        let placed = place(rounds * usize::from(all), factor, brokers, &mut rng(seed)).unwrap();
        for round in placed.chunks(usize::from(all)) {
            let mut leaders: Vec<BrokerId> = round.iter().map(|replicas| replicas[0]).collect();
            if racks == 1 || per_rack == 1 {
                leaders.sort_unstable();
                prop_assert_eq!(&leaders, &(1..=all).collect::<Vec<_>>());
            }
            for rack in 0..racks {
                let led = leaders.iter().filter(|leader| rack_of(**leader) == rack).count();
                prop_assert_eq!(led, usize::from(per_rack));
            }
        }
    }
}

#[test]
fn the_same_seed_places_the_same() {
    let brokers = || (1..=5).map(|id| UsableBroker { id, rack: None, fenced: false });
    let first = place(20, 3, brokers(), &mut rng(3));
    assert_eq!(first, place(20, 3, brokers(), &mut rng(3)));
    assert_ne!(first, place(20, 3, brokers(), &mut rng(4)));
}
