//! Any requests in any order: what is live is what the log gives, and what always has to hold
//! does.

use super::bench::{Bench, assigned};
use crate::ids::{BrokerId, TopicPartition};
use crate::metadata::{MetadataImage, PartitionRegistration};
use crate::protocol::{BrokerHeartbeatRequest, ElectLeadersRequest, ElectionType};
use crate::rules::Rules;
use crate::timer::ControllerTimer;
use machine::Span;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Register { broker: BrokerId, clean: bool },
    Beat { broker: BrokerId, want_fence: bool, want_shut_down: bool, behind: i64 },
    Wait { millis: u64 },
    Sessions,
    Alter { partition: usize, members: u8, stale: bool },
    Create { replicas: Vec<BrokerId>, min_isr: u32, unclean: bool },
    Elect { unclean: bool },
    Balance,
    Sweep,
    FailOver,
}

fn step() -> impl Strategy<Value = Step> {
    let broker = || 1u16..5;
    prop_oneof![
        2 => (broker(), any::<bool>()).prop_map(|(broker, clean)| Step::Register { broker, clean }),
        8 => (broker(), prop::bool::weighted(0.1), prop::bool::weighted(0.1), 0i64..3).prop_map(
            |(broker, want_fence, want_shut_down, behind)| {
                Step::Beat { broker, want_fence, want_shut_down, behind }
            }
        ),
        4 => (1u64..5000).prop_map(|millis| Step::Wait { millis }),
        4 => Just(Step::Sessions),
        6 => (0usize..8, any::<u8>(), prop::bool::weighted(0.2))
            .prop_map(|(partition, members, stale)| Step::Alter { partition, members, stale }),
        1 => (Just(vec![1, 2, 3, 4]).prop_shuffle(), 1usize..5, 1u32..4, any::<bool>()).prop_map(
            |(mut replicas, factor, min_isr, unclean)| {
                replicas.truncate(factor);
                Step::Create { replicas, min_isr, unclean }
            }
        ),
        1 => prop::bool::weighted(0.3).prop_map(|unclean| Step::Elect { unclean }),
        1 => Just(Step::Balance),
        1 => Just(Step::Sweep),
        1 => Just(Step::FailOver),
    ]
}

fn take(bench: &mut Bench, step: &Step, at: u128) {
    match step {
        Step::Register { broker, clean } => {
            let epoch = bench.epoch(*broker);
            let _ = bench.register(*broker, at, clean.then_some(epoch));
        }
        Step::Beat { broker, want_fence, want_shut_down, behind } => {
            // Who has once begun to shut down does not change its mind.
            let registration = bench.active.image.broker(*broker);
            let shuts_down = registration.is_some_and(|broker| broker.in_controlled_shutdown);
            let _ = bench.ask(BrokerHeartbeatRequest {
                broker: *broker,
                broker_epoch: bench.epoch(*broker),
                current_metadata_offset: bench.active.last_offset() - behind,
                want_fence: *want_fence,
                want_shut_down: *want_shut_down || shuts_down,
                offline_log_dirs: Vec::new(),
            });
        }
        Step::Wait { millis } => bench.now += Span::millis(*millis),
        Step::Sessions => bench.timer(ControllerTimer::Sessions),
        Step::Alter { partition, members, stale } => {
            let Some((partition, state)) = bench.active.image.partitions().nth(*partition) else {
                return;
            };
            let Some(leader) = state.leader else { return };
            let mut isr = state.replicas.clone();
            isr.retain(|id| *id == leader || members & (1 << id) != 0);
            let mut proposal = bench.proposal(partition, &isr);
            proposal.partition_epoch -= i32::from(*stale);
            bench.alter(leader, proposal);
        }
        Step::Create { replicas, min_isr, unclean } => {
            let (min_isr, unclean) = (min_isr.to_string(), unclean.to_string());
            let configs = [
                ("min.insync.replicas", min_isr.as_str()),
                ("unclean.leader.election.enable", unclean.as_str()),
            ];
            bench.create(vec![assigned(&format!("topic-{at}"), &[replicas], &configs)]);
        }
        Step::Elect { unclean } => {
            let election_type =
                if *unclean { ElectionType::Unclean } else { ElectionType::Preferred };
            let timeout = Span::secs(1);
            let _ = bench.ask(ElectLeadersRequest { election_type, partitions: None, timeout });
        }
        Step::Balance => bench.timer(ControllerTimer::Balance),
        Step::Sweep => bench.timer(ControllerTimer::Unclean),
        Step::FailOver => bench.fail_over(),
    }
}

/// What holds of every partition under Kafka's rules.
fn check(image: &MetadataImage, keeps_eligible: bool) -> Result<(), TestCaseError> {
    for (partition, state) in image.partitions() {
        let all = state.isr.iter().chain(&state.elr);
        prop_assert!(all.clone().all(|id| state.is_replica(*id)), "{partition}: {state:?}");
        prop_assert!(!state.elr.iter().any(|id| state.isr.contains(id)), "{state:?}");
        if let Some(leader) = state.leader {
            prop_assert!(state.isr.contains(&leader), "the leader is in sync: {state:?}");
            prop_assert!(image.is_active(leader), "the leader may lead: {state:?}");
            prop_assert!(state.isr.iter().all(|id| image.is_active(*id)), "{state:?}");
        }
        if keeps_eligible {
            prop_assert_eq!(state.leader.is_none(), state.isr.is_empty(), "{:?}", state);
        } else {
            prop_assert!(state.elr.is_empty() && !state.isr.is_empty());
        }
    }
    Ok(())
}

type States = BTreeMap<TopicPartition, PartitionRegistration>;

/// Epochs never go back, and no leader epoch has two leaders.
fn check_epochs(before: &States, after: &States) -> Result<(), TestCaseError> {
    for (partition, earlier) in before {
        let later = &after[partition];
        prop_assert!(later.leader_epoch >= earlier.leader_epoch);
        prop_assert!(later.partition_epoch >= earlier.partition_epoch);
        if later.partition_epoch == earlier.partition_epoch {
            prop_assert_eq!(later, earlier);
        }
        if later.leader_epoch == earlier.leader_epoch {
            prop_assert_eq!(later.leader, earlier.leader);
        }
    }
    Ok(())
}

fn states(image: &MetadataImage) -> States {
    image.partitions().map(|(partition, state)| (partition, state.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn live_equals_replayed(
        steps in prop::collection::vec(step(), 1..80),
        keeps_eligible in any::<bool>(),
    ) {
        let (mut bench, _) = Bench::three_with(Rules::kafka(), keeps_eligible, &[]);
        for (at, step) in (100..).zip(&steps) {
            let before = states(&bench.active.image);
            take(&mut bench, step, at);
            check(&bench.active.image, keeps_eligible)?;
            check_epochs(&before, &states(&bench.active.image))?;
        }
        let replayed = bench.replayed();
        prop_assert_eq!(replayed.digest(), bench.active.image.digest());
        prop_assert!(replayed == bench.active.image);
    }
}
