//! The order and timing of a broker's start and shutdown. The labels B1, B3, B6 and B7 name earlier
//! differences from Kafka.

use super::cluster::{BROKERS, CONTROLLER, Cluster};
use super::produced;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, DirectoryId};
use crate::protocol::{
    BrokerRegistrationRequest, FetchRequest, MetadataRequest, Request, Response,
};
use machine::{Halt, Mono, Span};

const MARK: &str = ".kafka_cleanshutdown";

fn is_registration(request: &Request) -> bool {
    matches!(request, Request::BrokerRegistration(_))
}

fn is_heartbeat(request: &Request) -> bool {
    matches!(request, Request::BrokerHeartbeat(_))
}

fn gaps(times: &[Mono]) -> Vec<u64> {
    times.windows(2).map(|pair| pair[1].since(pair[0]).as_millis()).collect()
}

/// B1: metadata arrives before the registration, for which replicas do not wait.
#[test]
fn a_restarted_follower_fetches_before_it_is_registered_again() {
    let (mut cluster, orders) = Cluster::start(2);
    cluster.run_for(Span::secs(1));
    cluster.crash(2);
    cluster.facts.clear();
    let producer = cluster.connect(1);
    cluster.produce(producer, orders, -1);
    cluster.run_for(Span::secs(1));
    assert!(!cluster.answers.contains_key(&producer), "it waits for 2");
    cluster.boot(2);
    let begun = cluster.now;
    assert_eq!(produced(&mut cluster, producer).error, ErrorCode::None);
    assert!(cluster.now.since(begun) < Span::secs(1));
    assert!(!cluster.is_registered(2), "the session of its previous life lasts for seconds");
    let fetched = cluster.asked.iter().any(|(at, from, _, request)| {
        let epoch = |fetch: &FetchRequest| fetch.replica.map(|replica| replica.epoch);
        *at >= begun
            && *from == 2
            && matches!(request, Request::Fetch(fetch)
                if fetch.partitions[0].partition == orders && epoch(fetch) == Some(-1))
    });
    assert!(fetched, "it fetches with the epoch of a broker that is not registered");
}

/// B1: ports open with the first unfencing.
#[test]
fn no_client_can_connect_to_a_broker_before_its_first_unfencing() {
    let (mut cluster, orders) = Cluster::start(2);
    cluster.crash(1);
    cluster.facts.clear();
    cluster.boot(1);
    cluster.until(|cluster| cluster.leads(1, orders));
    assert!(!cluster.is_registered(1), "the metadata is that of its previous life");
    let early = cluster.connect(1);
    cluster.ask(early, MetadataRequest { topics: None });
    cluster.run_for(Span::secs(1));
    assert!(cluster.closed.contains(&early) && !cluster.answers.contains_key(&early));
    cluster.until(|cluster| cluster.is_registered(1) && !cluster.broker(1).is_fenced());
    let late = cluster.connect(1);
    cluster.ask(late, MetadataRequest { topics: None });
    cluster.answer(late);
}

/// B3: each attempt follows `broker.heartbeat.interval.ms` after the previous refusal.
#[test]
fn a_refused_registration_is_tried_again_at_a_fixed_interval() {
    let (mut cluster, _) = Cluster::start(1);
    cluster.crash(3);
    cluster.facts.clear();
    cluster.asked.clear();
    cluster.boot(3);
    cluster.until(|cluster| cluster.is_registered(3));
    let gaps = gaps(&cluster.asked_controller(3, is_registration));
    assert!(gaps.len() >= 3, "{gaps:?}");
    assert!(gaps.iter().all(|gap| (2_000..2_060).contains(gap)), "{gaps:?}");
}

/// B3, B5: a heartbeat without a response is given up after the interval; the next one is sent
/// after another interval.
#[test]
fn heartbeats_to_a_controller_that_is_cut_off_leave_every_second_interval() {
    let (mut cluster, _) = Cluster::start(1);
    cluster.run_for(Span::secs(3));
    cluster.cut(3, &[CONTROLLER]);
    cluster.asked.clear();
    cluster.run_for(Span::secs(5));
    let beats = cluster.asked_controller(3, is_heartbeat);
    assert_eq!(beats.len(), 1, "one in flight, and no connection after it");
    cluster.heal();
    let healed = cluster.now;
    cluster.until(|cluster| cluster.asked_controller(3, is_heartbeat).len() > 1);
    assert!(cluster.now.since(healed) < Span::millis(4_100));
}

/// B1: the first heartbeats follow without a wait, and the later ones at the interval.
#[test]
fn a_broker_that_has_caught_up_reports_ready_at_once() {
    let (cluster, _) = Cluster::start(1);
    for id in BROKERS {
        let beats = cluster.asked_controller(id, is_heartbeat);
        let want_fence: Vec<_> = cluster
            .asked
            .iter()
            .filter(|(_, from, ..)| *from == id)
            .filter_map(|(.., request)| match request {
                Request::BrokerHeartbeat(request) => Some(request.want_fence),
                _ => None,
            })
            .collect();
        assert!(want_fence[0] && !want_fence[want_fence.len() - 1], "{want_fence:?}");
        let ready = want_fence.iter().position(|want| !want).unwrap();
        assert!(gaps(&beats[..=ready]).iter().all(|gap| *gap < 600), "{:?}", gaps(&beats));
    }
}

/// The network may deliver a registration of an earlier life when a later one has no session.
#[test]
fn a_broker_whose_registration_was_taken_over_registers_again() {
    let (mut cluster, _) = Cluster::start(1);
    cluster.cut(3, &[CONTROLLER]);
    cluster.run_for(Span::secs(20));
    cluster.facts.clear();
    let late = cluster.connect(CONTROLLER);
    cluster.ask(
        late,
        BrokerRegistrationRequest {
            broker: 3,
            incarnation: 999,
            rack: None,
            log_dirs: vec![DirectoryId(999)],
            previous_broker_epoch: None,
        },
    );
    let Response::BrokerRegistration(response) = cluster.answer(late) else { panic!("not that") };
    assert_eq!(response.error, ErrorCode::None);
    cluster.heal();
    cluster.until(|cluster| cluster.is_registered(3) && !cluster.broker(3).is_fenced());
}

/// B6: a controlled shutdown waits five minutes for the controller.
#[test]
fn a_broker_whose_leaders_cannot_be_moved_stops_after_five_minutes() {
    let (mut cluster, _) = Cluster::start(1);
    cluster.cut(2, &[CONTROLLER]);
    cluster.begin_stop(2);
    cluster.run_for(Span::secs(299));
    assert!(!cluster.halts.contains_key(&2));
    cluster.run_for(Span::secs(2));
    assert_eq!(cluster.halts.get(&2), Some(&Halt::Clean));
    assert!(cluster.disks[&2].content(MARK).is_some());
}

/// SIGTERM before a broker has started ends it without a controlled shutdown, and no clean-shutdown
/// file is written.
#[test]
fn a_broker_that_is_stopped_while_it_starts_does_not_end_cleanly() {
    let (mut cluster, _) = Cluster::start(1);
    cluster.crash(3);
    cluster.boot(3);
    cluster.run_for(Span::secs(1));
    cluster.begin_stop(3);
    assert_eq!(cluster.halts.get(&3), Some(&Halt::Clean));
    assert!(cluster.disks[&3].content(MARK).is_none());
}

/// B7: the mark of a clean shutdown is consumed when logs are loaded, after the first metadata.
#[test]
fn a_broker_that_stops_without_a_controller_keeps_its_clean_shutdown() {
    let (mut cluster, orders) = Cluster::start(1);
    cluster.stop(1);
    cluster.halts.clear();
    cluster.crash(CONTROLLER);
    cluster.boot(1);
    cluster.run_for(Span::secs(59));
    assert!(!cluster.halts.contains_key(&1));
    cluster.run_for(Span::secs(2));
    assert!(matches!(&cluster.halts[&1], Halt::Failed(why) if why.contains("registered")));
    assert!(cluster.disks[&1].content(MARK).is_some());
    cluster.facts.clear();
    cluster.boot(CONTROLLER);
    cluster.boot(1);
    let loaded = |(id, fact): &(BrokerId, Fact)| {
        let clean = matches!(fact, Fact::Loaded { partition, clean: true, .. }
            if *partition == orders);
        *id == 1 && clean
    };
    cluster.until(|cluster| cluster.facts.iter().any(loaded));
    assert!(cluster.disks[&1].content(MARK).is_none());
    cluster.until(|cluster| cluster.is_registered(1));
    let registered = |(id, fact): &(BrokerId, Fact)| {
        *id == 1 && matches!(fact, Fact::Registered { clean: true, .. })
    };
    assert!(cluster.facts.iter().any(registered), "with the epoch of the clean-shutdown file");
}
