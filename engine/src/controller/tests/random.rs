//! Random requests, timers and failovers: the live state equals the replay of the log, and the
//! invariants of partitions hold.

use super::bench::{Bench, assigned};
use crate::ids::{BrokerId, DirectoryId, TopicPartition};
use crate::metadata::{MetadataImage, PartitionRegistration};
use crate::protocol::{
    AssignReplicasToDirsRequest, BrokerHeartbeatRequest, ElectLeadersRequest, ElectionType,
};
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
    FailDir { broker: BrokerId, dir: u8 },
    Assign { broker: BrokerId, partition: usize, dir: u8 },
    Create { replicas: Vec<BrokerId>, min_isr: u32, unclean: bool },
    Elect { unclean: bool },
    Balance,
    ElectUncleanly,
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
        2 => (broker(), 0u8..2).prop_map(|(broker, dir)| Step::FailDir { broker, dir }),
        4 => (broker(), 0usize..8, 0u8..4)
            .prop_map(|(broker, partition, dir)| Step::Assign { broker, partition, dir }),
        1 => (Just(vec![1, 2, 3, 4]).prop_shuffle(), 1usize..5, 1u32..4, any::<bool>()).prop_map(
            |(mut replicas, factor, min_isr, unclean)| {
                replicas.truncate(factor);
                Step::Create { replicas, min_isr, unclean }
            }
        ),
        1 => prop::bool::weighted(0.3).prop_map(|unclean| Step::Elect { unclean }),
        1 => Just(Step::Balance),
        1 => Just(Step::ElectUncleanly),
        1 => Just(Step::FailOver),
    ]
}

/// A log directory of a broker.
fn dir(broker: BrokerId, number: u8) -> DirectoryId {
    DirectoryId(1000 + 10 * u128::from(broker) + u128::from(number))
}

fn take(bench: &mut Bench, step: &Step, at: u128) {
    match step {
        Step::Register { broker, clean } => {
            let epoch = bench.epoch(*broker);
            let dirs = [0, 1].map(|number| dir(*broker, number));
            let _ = bench.register_with_dirs(*broker, at, clean.then_some(epoch), &dirs);
        }
        Step::Beat { broker, want_fence, want_shut_down, behind } => {
            // A broker that has begun to shut down keeps requesting it.
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
            // A replica in a directory that has failed does not fetch, so a leader never proposes
            // it.
            let is_online = |id: &BrokerId| {
                let registration = bench.active.image.broker(*id);
                registration.is_some_and(|broker| broker.has_online_dir(state.directory(*id)))
            };
            isr.retain(|id| *id == leader || (members & (1 << id) != 0 && is_online(id)));
            let mut proposal = bench.proposal(partition, &isr);
            proposal.partition_epoch -= i32::from(*stale);
            bench.alter(leader, proposal);
        }
        Step::FailDir { broker, dir: number } => {
            if bench.active.image.is_active(*broker) {
                let offline_log_dirs = vec![dir(*broker, *number)];
                let _ = bench.ask(BrokerHeartbeatRequest {
                    broker: *broker,
                    broker_epoch: bench.epoch(*broker),
                    current_metadata_offset: bench.active.last_offset(),
                    want_fence: false,
                    want_shut_down: false,
                    offline_log_dirs,
                });
            }
        }
        Step::Assign { broker, partition, dir: number } => {
            let Some((partition, _)) = bench.active.image.partitions().nth(*partition) else {
                return;
            };
            // 2 means `LOST`; 3 is a directory that the broker has not registered.
            let dir = if *number == 2 { DirectoryId::LOST } else { dir(*broker, *number) };
            let _ = bench.ask(AssignReplicasToDirsRequest {
                broker: *broker,
                broker_epoch: bench.epoch(*broker),
                directories: vec![(dir, vec![partition])],
            });
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
        Step::ElectUncleanly => bench.timer(ControllerTimer::Unclean),
        Step::FailOver => bench.fail_over(),
    }
}

/// The invariants of every partition under Kafka's rules.
fn check(image: &MetadataImage, eligible_leader_replicas: bool) -> Result<(), TestCaseError> {
    for (partition, state) in image.partitions() {
        let all = state.isr.iter().chain(&state.elr);
        prop_assert!(all.clone().all(|id| state.is_replica(*id)), "{partition}: {state:?}");
        prop_assert!(!state.elr.iter().any(|id| state.isr.contains(id)), "{state:?}");
        if let Some(leader) = state.leader {
            prop_assert!(state.isr.contains(&leader), "the leader is in sync: {state:?}");
            prop_assert!(image.is_active(leader), "the leader is an active broker: {state:?}");
            let registration = image.broker(leader).unwrap();
            prop_assert!(registration.has_online_dir(state.directory(leader)), "{state:?}");
            prop_assert!(state.isr.iter().all(|id| image.is_active(*id)), "{state:?}");
        }
        if eligible_leader_replicas {
            prop_assert_eq!(state.leader.is_none(), state.isr.is_empty(), "{:?}", state);
        } else {
            prop_assert!(state.elr.is_empty() && !state.isr.is_empty());
        }
    }
    Ok(())
}

type States = BTreeMap<TopicPartition, PartitionRegistration>;

/// Epochs never go back, no leader epoch has two leaders, and a partition changes only with its
/// partition epoch.
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
        eligible_leader_replicas in any::<bool>(),
    ) {
        let (mut bench, _) = Bench::three_with(Rules::kafka(), eligible_leader_replicas, &[]);
        for (at, step) in (100..).zip(&steps) {
            let before = states(&bench.active.image);
            take(&mut bench, step, at);
            check(&bench.active.image, eligible_leader_replicas)?;
            check_epochs(&before, &states(&bench.active.image))?;
        }
        prop_assert!(bench.active.index_is_current());
        let replayed = bench.replayed();
        prop_assert_eq!(replayed.checksum(), bench.active.image.checksum());
        prop_assert_eq!(replayed.digest(), bench.active.image.digest());
        prop_assert!(replayed == bench.active.image);
    }
}
