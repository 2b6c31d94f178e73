//! In-sync replicas, eligible leaders and elections.

use super::bench::{Bench, assigned};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerEpoch, BrokerId, TopicPartition};
use crate::protocol::{
    AlterPartition, AlterPartitionRequest, BrokerHeartbeatRequest, BrokerState,
    ElectLeadersRequest, ElectLeadersResponse, ElectionType, Response,
};
use crate::rules::Rules;
use crate::rules::election::How;
use crate::timer::ControllerTimer;
use machine::Span;

const MIN_ISR_2: &[(&str, &str)] = &[("min.insync.replicas", "2")];

fn elect(
    bench: &mut Bench,
    election_type: ElectionType,
    partitions: Option<Vec<TopicPartition>>,
) -> Vec<(TopicPartition, ErrorCode)> {
    let request = ElectLeadersRequest { election_type, partitions, timeout: Span::secs(30) };
    match bench.ask(request) {
        Ok(Response::ElectLeaders(ElectLeadersResponse { partitions, .. })) => partitions,
        other => panic!("{other:?}"),
    }
}

#[test]
fn proposals_are_refused_for_the_first_reason_in_order() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), &[]);
    bench.silence_all_but(&[1, 2]);
    assert_eq!(bench.roles(partition), (Some(1), vec![1, 2], vec![]));
    let fine = bench.proposal(partition, &[1]);
    let check = |bench: &mut Bench, from, proposal| bench.alter(from, proposal).error;

    let (epoch, version) = (fine.leader_epoch, fine.partition_epoch);
    let epochs = |leader_epoch, partition_epoch| AlterPartition {
        leader_epoch,
        partition_epoch,
        ..fine.clone()
    };
    let isr = |members: &[(BrokerId, BrokerEpoch)]| AlterPartition {
        new_isr: members.iter().map(|(id, epoch)| BrokerState { id: *id, epoch: *epoch }).collect(),
        ..fine.clone()
    };
    let unknown = TopicPartition { partition: 7, ..partition };
    let unknown = AlterPartition { partition: unknown, ..fine.clone() };
    let expected = [
        (1, unknown, ErrorCode::UnknownTopicOrPartition),
        (1, epochs(epoch + 1, version), ErrorCode::NotController),
        (1, epochs(epoch - 1, version + 1), ErrorCode::NotController),
        (1, epochs(epoch - 1, version), ErrorCode::FencedLeaderEpoch),
        (2, epochs(epoch, version - 1), ErrorCode::InvalidRequest),
        (1, epochs(epoch, version - 1), ErrorCode::InvalidUpdateVersion),
        (1, isr(&[(1, -1), (9, -1)]), ErrorCode::InvalidRequest),
        (1, isr(&[(1, -1), (1, -1)]), ErrorCode::InvalidRequest),
        (1, isr(&[(2, -1)]), ErrorCode::InvalidRequest),
        (1, isr(&[(1, -1), (3, -1)]), ErrorCode::IneligibleReplica),
        (1, isr(&[(1, -1), (2, 0)]), ErrorCode::IneligibleReplica),
    ];
    let before = bench.log.len();
    for (from, proposal, error) in expected {
        assert_eq!(check(&mut bench, from, proposal.clone()), error, "{from}: {proposal:?}");
    }
    let stale =
        AlterPartitionRequest { broker: 1, broker_epoch: 0, partitions: vec![fine.clone()] };
    assert_eq!(bench.ask(stale), Err(ErrorCode::StaleBrokerEpoch));
    assert_eq!(bench.log.len(), before, "nothing refused is written");

    let altered = bench.alter(1, fine.clone());
    assert_eq!((altered.error, altered.isr), (ErrorCode::None, vec![1]));
    assert_eq!((altered.leader_epoch, altered.partition_epoch), (epoch, version + 1));
    // Kafka 4.1 does not recognise a repeated proposal; the leader learns the outcome from
    // metadata.
    assert_eq!(check(&mut bench, 1, fine), ErrorCode::InvalidUpdateVersion, "KAFKA-14144");
}

#[test]
fn a_replica_that_restarted_since_it_was_seen_does_not_join() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), &[]);
    bench.silence_all_but(&[1, 2]);
    let held = bench.proposal(partition, &[1, 2, 3]);
    // Broker 3 restarts. It was not in sync, so the partition does not change.
    bench.start(3, 33, None);
    assert_eq!(bench.state(partition).partition_epoch, held.partition_epoch);
    assert_eq!(bench.alter(1, held).error, ErrorCode::IneligibleReplica, "KIP-903");
    let fresh = bench.proposal(partition, &[1, 2, 3]);
    assert_eq!(bench.alter(1, fresh).isr, [1, 2, 3]);
}

#[test]
fn a_replica_that_shuts_down_does_not_join_again() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), &[]);
    // Broker 2 leads a partition, so it may not shut down at once.
    let created = bench.create(vec![assigned("other", &[&[2, 1]], &[])]);
    let other = TopicPartition::new(created.topics[0].topic, 0);
    let before = bench.active.last_offset();
    assert!(!bench.beat(2, true).should_shut_down);
    assert_eq!(bench.roles(partition).1, [1, 3]);
    assert_eq!(bench.roles(other), (Some(1), vec![1], vec![]));
    let rejoin = bench.proposal(partition, &[1, 2, 3]);
    assert_eq!(bench.alter(1, rejoin).error, ErrorCode::IneligibleReplica, "KIP-841");

    // Broker 2 may shut down once the others know the new leaders.
    bench.beat_at(1, before, false);
    assert!(!bench.beat(2, true).should_shut_down);
    bench.beat(1, false);
    assert!(!bench.beat(2, true).should_shut_down, "broker 3 does not know yet");
    bench.beat(3, false);
    let last = bench.beat(2, true);
    assert!(last.should_shut_down && last.is_fenced);
    assert!(bench.active.image.broker(2).unwrap().fenced);
}

/// The last replica standing: broker 2 leaves, 3 is cut off, 1 loses power; 1 is back first.
fn last_replica_standing(rules: Rules) -> (Bench, TopicPartition) {
    let (mut bench, partition) = Bench::three(rules, MIN_ISR_2);
    bench.silence_all_but(&[1, 3]);
    assert_eq!(bench.roles(partition), (Some(1), vec![1, 3], vec![]));
    bench.silence_all_but(&[1]);
    assert_eq!(bench.roles(partition), (Some(1), vec![1], vec![3]));
    bench.silence_all_but(&[]);
    assert_eq!(bench.roles(partition), (None, vec![], vec![1, 3]));
    assert_eq!(bench.state(partition).last_known_leader, Some(1));
    bench.start(1, 11, None);
    (bench, partition)
}

#[test]
fn a_replica_that_ended_uncleanly_is_not_eligible_any_more() {
    let (mut bench, partition) = last_replica_standing(Rules::kafka());
    assert_eq!(bench.roles(partition), (None, vec![], vec![3]), "KIP-966: waits for 3");
    bench.beat(3, false);
    assert_eq!(bench.roles(partition), (Some(3), vec![3], vec![]));
    let facts = bench.facts();
    let elected = facts.iter().rev().find_map(|fact| match fact {
        Fact::Elected { leader, how, .. } => Some((*leader, *how)),
        _ => None,
    });
    assert_eq!(elected, Some((Some(3), How::Eligible)));
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::RuleDiffered { .. })));
}

#[test]
fn without_the_rule_the_last_replica_standing_leads_even_if_it_has_lost_records() {
    let broken = Rules { ended_uncleanly: |_| false, ..Rules::kafka() };
    let (mut bench, partition) = last_replica_standing(broken);
    assert_eq!(bench.roles(partition).0, Some(1), "elected, whatever it lost");
    let differed = Fact::RuleDiffered { rule: "ended_uncleanly" };
    assert!(bench.facts().contains(&differed));
}

#[test]
fn a_replica_that_ended_cleanly_stays_eligible() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), MIN_ISR_2);
    bench.silence_all_but(&[1]);
    bench.silence_all_but(&[]);
    // When 2 left, the ISR still had two members, so 2 is not in the ELR.
    assert_eq!(bench.roles(partition), (None, vec![], vec![1, 3]));
    let epoch = bench.epoch(1);
    bench.start(1, 11, Some(epoch));
    assert_eq!(bench.roles(partition), (Some(1), vec![1], vec![3]));
}

#[test]
fn an_unclean_end_of_the_leader_ends_its_epoch() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), &[]);
    let before = bench.state(partition).leader_epoch;
    bench.end_sessions();
    // It restarts before its session has ended.
    bench.register(1, 11, None).unwrap();
    assert_eq!(bench.roles(partition), (Some(2), vec![2, 3], vec![]), "KAFKA-18106");
    assert_eq!(bench.state(partition).leader_epoch, before + 1);
}

#[test]
fn the_last_known_leader_leads_only_when_it_is_back() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), &[]);
    bench.silence_all_but(&[1]);
    bench.silence_all_but(&[]);
    assert_eq!(bench.roles(partition), (None, vec![], vec![1]), "min ISR is 1");
    bench.register(1, 11, None).unwrap();
    assert_eq!(bench.roles(partition), (None, vec![], vec![]));
    bench.beat(2, false);
    assert_eq!(bench.roles(partition).0, None, "KAFKA-19522: 1 is fenced, 2 knows less");
    bench.beat(1, false);
    assert_eq!(bench.roles(partition), (Some(1), vec![1], vec![]));
    assert_eq!(bench.state(partition).last_known_leader, None);
}

#[test]
fn without_eligible_leaders_the_last_member_of_the_isr_stays() {
    let (mut bench, partition) = Bench::three_with(Rules::kafka(), false, MIN_ISR_2);
    bench.silence_all_but(&[1]);
    bench.silence_all_but(&[]);
    assert_eq!(bench.roles(partition), (None, vec![1], vec![]));
    bench.beat(2, false);
    assert_eq!(bench.roles(partition).0, None);
    // It leads even if it has lost records, which is why Kafka has the ELR.
    bench.start(1, 11, None);
    assert_eq!(bench.roles(partition), (Some(1), vec![1], vec![]));
}

/// The sessions of two brokers have expired at the same check.
fn two_die(rules: Rules) -> (Bench, TopicPartition) {
    let (mut bench, partition) = Bench::three(rules, &[]);
    bench.silence_all_but(&[3]);
    (bench, partition)
}

#[test]
fn two_sessions_that_expire_together_are_handled_one_after_the_other() {
    let (bench, partition) = two_die(Rules::kafka());
    assert_eq!(bench.roles(partition), (Some(3), vec![3], vec![]));
    let broken = Rules { fenced_per_decision: |expired| expired, ..Rules::kafka() };
    let (bench, partition) = two_die(broken);
    let (_, isr, _) = bench.roles(partition);
    assert_eq!(isr, [1, 3], "KAFKA-13173: the second change brings the first broker back");
}

#[test]
fn an_unclean_election_is_held_only_where_it_is_allowed() {
    for allowed in ["false", "true"] {
        let config = &[("unclean.leader.election.enable", allowed)];
        let (mut bench, partition) = Bench::three_with(Rules::kafka(), false, config);
        bench.silence_all_but(&[1, 3]);
        bench.silence_all_but(&[1]);
        bench.silence_all_but(&[]);
        bench.beat(3, false);
        let expected = if allowed == "true" { Some(3) } else { None };
        assert_eq!(bench.roles(partition).0, expected);
        bench.timer(ControllerTimer::Unclean);
        assert_eq!(bench.roles(partition).0, expected);
        if allowed == "false" {
            let answer = elect(&mut bench, ElectionType::Unclean, Some(vec![partition]));
            assert_eq!(answer, [(partition, ErrorCode::None)]);
            let answer = elect(&mut bench, ElectionType::Unclean, Some(vec![partition]));
            assert_eq!(answer, [(partition, ErrorCode::ElectionNotNeeded)]);
        }
        assert_eq!(bench.roles(partition), (Some(3), vec![3], vec![]));
    }
}

#[test]
fn leadership_goes_back_to_the_preferred_replica_once_it_is_in_sync() {
    let (mut bench, partition) = Bench::three(Rules::kafka(), &[]);
    bench.silence_all_but(&[2, 3]);
    let none = elect(&mut bench, ElectionType::Preferred, None);
    assert_eq!(none, [(partition, ErrorCode::PreferredLeaderNotAvailable)]);
    bench.beat(1, false);
    bench.timer(ControllerTimer::Balance);
    assert_eq!(bench.roles(partition).0, Some(2), "1 is not in sync yet");
    let rejoin = bench.proposal(partition, &[2, 3, 1]);
    assert_eq!(bench.alter(2, rejoin).error, ErrorCode::None);
    bench.timer(ControllerTimer::Balance);
    assert_eq!(bench.roles(partition), (Some(1), vec![2, 3, 1], vec![]));
    assert_eq!(elect(&mut bench, ElectionType::Preferred, None), []);
}

#[test]
fn a_heartbeat_of_an_earlier_life_is_refused() {
    let (mut bench, _) = Bench::three(Rules::kafka(), &[]);
    let earlier = BrokerHeartbeatRequest {
        broker: 1,
        broker_epoch: bench.epoch(1) - 1,
        current_metadata_offset: 99,
        want_fence: false,
        want_shut_down: false,
        offline_log_dirs: Vec::new(),
    };
    assert_eq!(bench.ask(earlier.clone()), Err(ErrorCode::StaleBrokerEpoch), "KIP-380");
    let unknown = BrokerHeartbeatRequest { broker: 9, ..earlier };
    assert_eq!(bench.ask(unknown), Err(ErrorCode::StaleBrokerEpoch));
}
