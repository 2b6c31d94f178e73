//! Log directories: registration, failure, and assignment of replicas (KIP-858).

use super::bench::{Bench, assigned};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, DirectoryId, TopicPartition};
use crate::protocol::{
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, Response,
};
use crate::rules::Rules;
use crate::rules::election::NamedDirectory;

fn dir(number: u128) -> DirectoryId {
    DirectoryId(1000 + number)
}

/// Brokers 1, 2 and 3 with two log directories each: 11 and 12, 21 and 22, 31 and 32.
fn two_dirs_each() -> Bench {
    let mut bench = Bench::new(Rules::kafka(), true);
    for broker in 1..=3 {
        let number = u128::from(broker) * 10;
        let dirs = [dir(number + 2), dir(number + 1)];
        bench.register_with_dirs(broker, number, None, &dirs).unwrap();
        bench.beat(broker, false);
    }
    bench
}

fn create(bench: &mut Bench, name: &str, replicas: &[BrokerId]) -> TopicPartition {
    let created = bench.create(vec![assigned(name, &[replicas], &[])]);
    TopicPartition::new(created.topics[0].topic, 0)
}

fn beat_offline(
    bench: &mut Bench,
    broker: BrokerId,
    dirs: &[DirectoryId],
) -> BrokerHeartbeatResponse {
    let request = BrokerHeartbeatRequest {
        broker,
        broker_epoch: bench.epoch(broker),
        current_metadata_offset: bench.active.last_offset(),
        want_fence: false,
        want_shut_down: false,
        offline_log_dirs: dirs.to_vec(),
    };
    match bench.ask(request) {
        Ok(Response::BrokerHeartbeat(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn assign(
    bench: &mut Bench,
    broker: BrokerId,
    dir: DirectoryId,
    partitions: &[TopicPartition],
) -> Vec<ErrorCode> {
    let request = AssignReplicasToDirsRequest {
        broker,
        broker_epoch: bench.epoch(broker),
        directories: vec![(dir, partitions.to_vec())],
    };
    match bench.ask(request) {
        Ok(Response::AssignReplicasToDirs(AssignReplicasToDirsResponse {
            directories, ..
        })) => {
            assert_eq!((directories.len(), directories[0].0), (1, dir));
            directories[0].1.iter().map(|(_, error)| *error).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_registration_names_its_log_directories() {
    let mut bench = two_dirs_each();
    let registered = |bench: &Bench, id| bench.active.image.broker(id).unwrap().log_dirs.clone();
    assert_eq!(registered(&bench, 1), [dir(11), dir(12)], "sorted");
    let wrong: [&[DirectoryId]; 4] =
        [&[], &[DirectoryId::UNASSIGNED], &[dir(41), dir(41)], &[dir(41), dir(31)]];
    for dirs in wrong {
        let refused = bench.register_with_dirs(4, 40, None, dirs);
        assert_eq!(refused, Err(ErrorCode::InvalidRegistration), "{dirs:?}");
    }
    // The same life may register again with other directories, which then replace the earlier ones.
    let epoch = bench.epoch(1);
    assert_eq!(bench.register_with_dirs(1, 10, None, &[dir(11), dir(13)]), Ok(epoch));
    assert_eq!(registered(&bench, 1), [dir(11), dir(13)]);
    assert_eq!(bench.replayed(), bench.active.image);
}

#[test]
fn a_new_replica_is_unassigned_unless_its_broker_has_one_directory_only() {
    let mut bench = two_dirs_each();
    bench.start(4, 40, None);
    let orders = create(&mut bench, "orders", &[4, 1]);
    let expected = [DirectoryId::of_broker(4), DirectoryId::UNASSIGNED];
    assert_eq!(bench.state(orders).directories, expected);
}

#[test]
fn a_broker_reports_the_directories_of_its_replicas() {
    let mut bench = two_dirs_each();
    let orders = create(&mut bench, "orders", &[1, 2]);
    let before = bench.state(orders).clone();
    let other = TopicPartition { partition: 7, ..orders };
    let unknown = TopicPartition { topic: crate::ids::TopicId(99), ..orders };
    let not_there = create(&mut bench, "elsewhere", &[2, 3]);
    let errors = assign(&mut bench, 1, dir(12), &[orders, other, unknown, not_there]);
    let expected = [
        ErrorCode::None,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
        ErrorCode::NotLeaderOrFollower,
    ];
    assert_eq!(errors, expected);
    let after = bench.state(orders);
    assert_eq!(after.directories, [dir(12), DirectoryId::UNASSIGNED]);
    assert_eq!(after.partition_epoch, before.partition_epoch + 1);
    assert_eq!((after.leader, after.leader_epoch), (before.leader, before.leader_epoch));
    let written = bench.log.len();
    assign(&mut bench, 1, dir(12), &[orders]);
    assert_eq!(bench.log.len(), written, "it is there already");
    assert!(bench.active.index_is_current());
}

#[test]
fn leadership_moves_away_from_a_directory_that_fails_and_from_no_other() {
    let mut bench = two_dirs_each();
    let failing = create(&mut bench, "failing", &[1, 2, 3]);
    let staying = create(&mut bench, "staying", &[1, 2, 3]);
    assign(&mut bench, 1, dir(11), &[failing]);
    assign(&mut bench, 1, dir(12), &[staying]);
    let before = bench.state(failing).clone();

    let response = beat_offline(&mut bench, 1, &[dir(11)]);
    assert!(!response.is_fenced, "the broker goes on with its other directory");
    assert_eq!(bench.roles(failing), (Some(2), vec![2, 3], vec![]));
    assert_eq!(bench.state(failing).leader_epoch, before.leader_epoch + 1);
    assert_eq!(bench.roles(staying), (Some(1), vec![1, 2, 3], vec![]));
    assert_eq!(bench.active.image.broker(1).unwrap().log_dirs, [dir(12)]);

    let written = bench.log.len();
    beat_offline(&mut bench, 1, &[dir(11)]);
    assert_eq!(bench.log.len(), written, "each failure is handled once");
    assert_eq!(bench.replayed(), bench.active.image);
    assert!(bench.active.index_is_current());
}

#[test]
fn the_last_replica_in_a_failed_directory_leaves_the_partition_without_leader() {
    let mut bench = two_dirs_each();
    let orders = create(&mut bench, "orders", &[1]);
    assign(&mut bench, 1, dir(11), &[orders]);
    beat_offline(&mut bench, 1, &[dir(11)]);
    assert_eq!(bench.roles(orders), (None, vec![], vec![1]));
    // The partition gets a leader again only if its replica gets another directory.
    bench.beat(1, false);
    bench.timer(crate::timer::ControllerTimer::Balance);
    assert_eq!(bench.roles(orders).0, None);
    assign(&mut bench, 1, dir(12), &[orders]);
    bench.timer(crate::timer::ControllerTimer::Balance);
    assert_eq!(bench.roles(orders), (Some(1), vec![1], vec![]));
}

#[test]
fn a_replica_that_is_assigned_to_a_failed_or_unknown_directory_counts_as_offline() {
    for lost in [dir(11), dir(99), DirectoryId::LOST] {
        let mut bench = two_dirs_each();
        let orders = create(&mut bench, "orders", &[1, 2, 3]);
        beat_offline(&mut bench, 1, &[dir(11)]);
        assert_eq!(bench.roles(orders).0, Some(1), "its directory is not known yet");
        assert_eq!(assign(&mut bench, 1, lost, &[orders]), [ErrorCode::None]);
        assert_eq!(bench.roles(orders), (Some(2), vec![2, 3], vec![]), "{lost}");
        assert_eq!(bench.state(orders).directory(1), lost);
        // The broker is active, but its replica is offline.
        let preferred = bench.state(orders).clone();
        bench.timer(crate::timer::ControllerTimer::Balance);
        assert_eq!(*bench.state(orders), preferred);
    }
}

#[test]
fn a_replica_in_a_failed_directory_is_not_elected_when_its_broker_returns() {
    let mut bench = two_dirs_each();
    let orders = create(&mut bench, "orders", &[1, 2]);
    assign(&mut bench, 1, dir(11), &[orders]);
    bench.silence_all_but(&[1]);
    assert_eq!(bench.roles(orders), (Some(1), vec![1], vec![]));
    bench.silence_all_but(&[]);
    assert_eq!(bench.roles(orders), (None, vec![], vec![1]));
    // The broker's next life does not have that directory.
    let epoch = bench.epoch(1);
    bench.register_with_dirs(1, 11, Some(epoch), &[dir(12)]).unwrap();
    bench.beat(1, false);
    assert!(bench.active.image.is_active(1));
    assert_eq!(bench.roles(orders), (None, vec![], vec![1]));
}

/// FL-3: a broker whose disk was replaced may be unfenced before it has named its new directory.
#[test]
fn a_replica_on_a_new_disk_leads_once_its_directory_is_named() {
    let returns = |rules: Rules| {
        let mut bench = Bench::new(rules, false);
        bench.register_with_dirs(1, 10, None, &[dir(11)]).unwrap();
        bench.beat(1, false);
        let orders = create(&mut bench, "orders", &[1]);
        assert_eq!(bench.state(orders).directory(1), dir(11));
        bench.silence_all_but(&[]);
        let epoch = bench.epoch(1);
        bench.register_with_dirs(1, 11, Some(epoch), &[dir(12)]).unwrap();
        bench.beat(1, false);
        assert!(bench.active.image.is_active(1));
        assert_eq!(bench.roles(orders), (None, vec![1], vec![]), "its disk is not there");
        assign(&mut bench, 1, dir(12), &[orders]);
        bench.roles(orders).0
    };
    assert_eq!(returns(Rules::kafka()), Some(1));
    let by_the_old = |directory: NamedDirectory| directory.was_online;
    assert_eq!(returns(Rules { may_lead_from: by_the_old, ..Rules::kafka() }), None);
}

#[test]
fn an_assignment_does_not_change_the_eligible_leader_replicas() {
    let mut bench = two_dirs_each();
    let configs = &[("min.insync.replicas", "2")];
    let created = bench.create(vec![assigned("orders", &[&[1, 2]], configs)]);
    let orders = TopicPartition::new(created.topics[0].topic, 0);
    bench.silence_all_but(&[1]);
    assert_eq!(bench.roles(orders), (Some(1), vec![1], vec![2]));
    assign(&mut bench, 1, dir(11), &[orders]);
    // Kafka 4.1 clears the ELR here.
    assert_eq!(bench.roles(orders), (Some(1), vec![1], vec![2]));
}

#[test]
fn a_stale_life_assigns_nothing() {
    let mut bench = two_dirs_each();
    let orders = create(&mut bench, "orders", &[1, 2]);
    let request = AssignReplicasToDirsRequest {
        broker: 1,
        broker_epoch: bench.epoch(1) - 1,
        directories: vec![(dir(11), vec![orders])],
    };
    assert_eq!(bench.ask(request), Err(ErrorCode::StaleBrokerEpoch));
}
