//! Log directories that fail (KIP-112, KIP-858).

use super::cluster::{CONTROLLER, Cluster};
use super::produced;
use crate::config::Property;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, DirectoryId, TopicPartition};
use crate::protocol::{CreatableTopic, CreateTopicsRequest, FetchRequest, Request, Response};
use machine::{Halt, Span};

/// Brokers with two log directories, and a topic of four partitions that broker 1 leads.
fn two_dirs() -> (Cluster, Vec<TopicPartition>) {
    let log_dirs = Property::parse("a,b").unwrap();
    let (mut cluster, _) = Cluster::start_with(1, |config| config.log_dirs = log_dirs);
    let conn = cluster.connect(2);
    let topic = CreatableTopic {
        name: "parts".to_owned(),
        num_partitions: 4,
        replication_factor: 3,
        assignments: vec![vec![1, 2, 3]; 4],
        configs: vec![],
    };
    let timeout = Span::secs(30);
    cluster.ask(conn, CreateTopicsRequest { topics: vec![topic], timeout });
    let Response::CreateTopics(created) = cluster.answer(conn) else { panic!("no topic") };
    let id = created.topics[0].topic;
    let parts: Vec<_> = (0..4).map(|index| TopicPartition::new(id, index)).collect();
    cluster.until(|cluster| parts.iter().all(|id| cluster.isr(1, *id).len() == 3));
    (cluster, parts)
}

/// The directory of the replica on broker `id`, in the metadata image of that broker.
fn assigned(cluster: &Cluster, id: BrokerId, partition: TopicPartition) -> DirectoryId {
    cluster.broker(id).image().partition(partition).unwrap().directory(id)
}

/// Whether the log of partition `index` of `parts` is in the directory `dir` of broker `id`.
fn is_in(cluster: &Cluster, id: BrokerId, dir: &str, index: i32) -> bool {
    let prefix = format!("{dir}/parts-{index}/");
    cluster.disks[&id].paths().iter().any(|path| path.starts_with(&prefix))
}

/// The partitions with logs in `a`, and those with logs in `b`, on broker 1.
fn split(cluster: &Cluster, parts: &[TopicPartition]) -> [Vec<TopicPartition>; 2] {
    ["a", "b"].map(|dir| {
        let inside = parts.iter().copied().filter(|id| is_in(cluster, 1, dir, id.partition));
        inside.collect()
    })
}

fn offline_reported(cluster: &Cluster, id: BrokerId) -> Vec<DirectoryId> {
    let beats = cluster.asked.iter().rev().filter(|(_, from, ..)| *from == id);
    let mut beats = beats.filter_map(|(.., request)| match request {
        Request::BrokerHeartbeat(beat) => Some(beat.offline_log_dirs.clone()),
        _ => None,
    });
    beats.next().unwrap_or_default()
}

#[test]
fn new_replicas_go_to_the_directory_with_the_fewest_and_are_reported_to_the_controller() {
    let (mut cluster, parts) = two_dirs();
    let [a, b] = split(&cluster, &parts);
    assert!(a.len() == 2 && b.len() == 2, "{a:?} {b:?}");
    let is_known =
        |cluster: &Cluster| parts.iter().all(|id| !assigned(cluster, 1, *id).is_reserved());
    cluster.until(is_known);
    let dirs = parts.iter().map(|id| assigned(&cluster, 1, *id));
    let (of_a, of_b) = (assigned(&cluster, 1, a[0]), assigned(&cluster, 1, b[0]));
    assert_ne!(of_a, of_b);
    assert_eq!(dirs.filter(|dir| *dir == of_a).count(), 2);
    assert_eq!(cluster.broker(1).image().broker(1).unwrap().log_dirs.len(), 2);
}

#[test]
fn a_failed_directory_takes_only_its_own_replicas_offline() {
    let (mut cluster, parts) = two_dirs();
    cluster.until(|cluster| parts.iter().all(|id| !assigned(cluster, 1, *id).is_reserved()));
    let [a, b] = split(&cluster, &parts);
    let of_a = assigned(&cluster, 1, a[0]);
    cluster.disks.get_mut(&1).unwrap().broken = Some("a");
    let producer = cluster.connect(1);
    cluster.produce(producer, a[0], 1);
    assert_eq!(produced(&mut cluster, producer).error, ErrorCode::KafkaStorageError);
    cluster.until(|cluster| a.iter().all(|id| cluster.leads(2, *id)));
    assert!(b.iter().all(|id| cluster.leads(1, *id)), "the other directory goes on");
    assert_eq!(offline_reported(&cluster, 1), [of_a]);
    assert!(a.iter().all(|id| cluster.broker(1).partition(*id).is_none()));
    cluster.produce(producer, a[1], 1);
    assert_eq!(produced(&mut cluster, producer).error, ErrorCode::KafkaStorageError);
    cluster.produce(producer, b[0], -1);
    assert_eq!(produced(&mut cluster, producer).error, ErrorCode::None);
    let elsewhere = cluster.connect(2);
    cluster.produce(elsewhere, a[0], -1);
    assert_eq!(produced(&mut cluster, elsewhere).error, ErrorCode::None);
    assert!(!cluster.halts.contains_key(&1));
}

#[test]
fn replicas_in_a_failed_directory_are_not_fetched_and_return_with_the_directory() {
    let (mut cluster, parts) = two_dirs();
    cluster.until(|cluster| parts.iter().all(|id| !assigned(cluster, 1, *id).is_reserved()));
    let [a, b] = split(&cluster, &parts);
    cluster.disks.get_mut(&1).unwrap().broken = Some("a");
    let producer = cluster.connect(1);
    cluster.produce(producer, a[0], 1);
    produced(&mut cluster, producer);
    cluster.until(|cluster| a.iter().all(|id| cluster.leads(2, *id)));
    cluster.run_for(Span::secs(2));
    cluster.asked.clear();
    cluster.run_for(Span::secs(3));
    let fetched = |cluster: &Cluster, wanted: TopicPartition| {
        let names = |fetch: &FetchRequest| fetch.partitions.iter().any(|p| p.partition == wanted);
        cluster.asked.iter().any(|(_, from, _, request)| {
            *from == 1 && matches!(request, Request::Fetch(fetch) if names(fetch))
        })
    };
    assert!(!fetched(&cluster, a[0]) && !fetched(&cluster, a[1]));
    cluster.stop(1);
    cluster.halts.clear();
    cluster.disks.get_mut(&1).unwrap().broken = None;
    assert!(cluster.disks[&1].content("b/.kafka_cleanshutdown").is_some());
    assert!(
        cluster.disks[&1].content("a/.kafka_cleanshutdown").is_none(),
        "only the directory that was closed cleanly"
    );
    cluster.boot(1);
    cluster.until(|cluster| a.iter().all(|id| cluster.isr(2, *id).len() == 3));
    let leader = |id| if cluster.leads(1, id) { 1 } else { 2 };
    let whole = b.iter().map(|id| cluster.isr(leader(*id), *id).len());
    assert_eq!(whole.collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn a_failed_fsync_takes_the_directory_offline() {
    let (mut cluster, orders) = Cluster::start_with(1, |_| {});
    cluster.disks.get_mut(&1).unwrap().broken_syncs = true;
    cluster.on_broker(1, |broker, io| {
        let (parts, mut cx) = broker.split(io);
        let partitions = &mut parts.replicas.partitions;
        let failed = partitions.hosted.get_mut(&orders).unwrap().close(&mut cx.io).unwrap_err();
        assert!(failed.to_string().contains("input/output error"), "{failed}");
    });
    cluster.until(|cluster| cluster.halts.contains_key(&1));
}

#[test]
fn the_failure_of_the_last_directory_stops_the_broker() {
    let (mut cluster, parts) = two_dirs();
    let [a, b] = split(&cluster, &parts);
    let producer = cluster.connect(1);
    cluster.disks.get_mut(&1).unwrap().broken = Some("a");
    cluster.produce(producer, a[0], 1);
    assert_eq!(produced(&mut cluster, producer).error, ErrorCode::KafkaStorageError);
    cluster.run_for(Span::secs(1));
    assert!(!cluster.halts.contains_key(&1));
    cluster.disks.get_mut(&1).unwrap().broken = Some("b");
    cluster.produce(producer, b[0], 1);
    cluster.until(|cluster| cluster.halts.contains_key(&1));
    let why = "all log directories have failed";
    assert_eq!(cluster.halts[&1], Halt::Failed(why.to_owned()));
    cluster.until(|cluster| parts.iter().all(|id| cluster.leads(2, *id)));
}

#[test]
fn a_directory_that_cannot_be_read_at_a_start_is_offline_from_the_start() {
    let (mut cluster, parts) = two_dirs();
    cluster.until(|cluster| parts.iter().all(|id| !assigned(cluster, 1, *id).is_reserved()));
    let [a, b] = split(&cluster, &parts);
    cluster.stop(1);
    cluster.disks.get_mut(&1).unwrap().broken = Some("a");
    cluster.facts.clear();
    cluster.boot(1);
    cluster.until(|cluster| b.iter().all(|id| cluster.isr(2, *id).len() == 3));
    assert!(a.iter().all(|id| cluster.broker(1).partition(*id).is_none()));
    assert!(a.iter().all(|id| cluster.isr(2, *id) == [2, 3]));
    assert_eq!(cluster.broker(1).image().broker(1).unwrap().log_dirs.len(), 1);
    let unclean = |(id, fact): &(BrokerId, Fact)| {
        *id == 1 && matches!(fact, Fact::Registered { clean: false, .. })
    };
    assert!(
        cluster.facts.iter().any(unclean),
        "an offline directory cannot prove a clean shutdown"
    );
}

/// Seed 10078 of `swarm`: nothing said which log had taken the directory offline.
#[test]
fn a_directory_that_cannot_be_loaded_names_the_log_that_it_could_not_open() {
    let (mut cluster, parts) = two_dirs();
    let (dir, log) = match is_in(&cluster, 1, "a", 0) {
        true => ("a", "a/parts-0/00000000000000000000.log"),
        false => ("b", "b/parts-0/00000000000000000000.log"),
    };
    cluster.stop(1);
    cluster.disks.get_mut(&1).unwrap().broken = Some(log);
    cluster.facts.clear();
    cluster.boot(1);
    cluster.run_for(Span::secs(1));
    let failed = cluster.facts.iter().find_map(|(_, fact)| match fact {
        Fact::LogDirFailed { path, partition, .. } => Some((path.as_str(), *partition)),
        _ => None,
    });
    assert_eq!(failed, Some((dir, Some(parts[0]))));
}

#[test]
fn a_broker_that_cannot_report_a_failed_directory_stops() {
    let (mut cluster, parts) = two_dirs();
    let [a, _] = split(&cluster, &parts);
    cluster.cut(1, &[CONTROLLER]);
    cluster.disks.get_mut(&1).unwrap().broken = Some("a");
    let producer = cluster.connect(1);
    cluster.produce(producer, a[0], 1);
    produced(&mut cluster, producer);
    cluster.run_for(Span::secs(29));
    assert!(!cluster.broker(1).is_shutting_down());
    cluster.run_for(Span::secs(2));
    assert!(cluster.broker(1).is_shutting_down());
}
