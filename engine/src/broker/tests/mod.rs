//! Clusters of brokers, with a controller and a client.

mod cluster;
mod disks;
mod fetch_waits;
mod forward;
mod groups;
mod life;
mod markers;
mod producers;
mod transactions;
mod transcripts;
mod verification;

use super::context::Io;
use super::replicas::{FetchLimits, Reader};
use super::{Broker, Parts};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, Offset, TopicPartition};
use crate::log::checkpoint::{self, RECOVERY_POINTS};
use crate::metadata::{BrokerRegistrationChange, MetadataRecord, PartitionRegistration};
use crate::protocol::{
    FetchMetadata, FetchPartition, FetchRequest, Isolation, MetadataRequest, ProducePartition,
    ProduceRequest, ProducedPartition, ReplicaState, Response,
};
use crate::record::{BatchBuilder, stamp};
use cluster::{BROKERS, Cluster};
use machine::{ConnId, Halt, Span};

fn produced(cluster: &mut Cluster, conn: ConnId) -> ProducedPartition {
    match cluster.answer(conn) {
        Response::Produce(mut response) => response.partitions.remove(0),
        other => panic!("not a response to a produce: {other:?}"),
    }
}

fn consume(partition: TopicPartition, from: Offset) -> FetchRequest {
    FetchRequest {
        replica: None,
        max_wait: Span::secs(20),
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation: Isolation::ReadUncommitted,
        session: FetchMetadata::SESSIONLESS,
        partitions: vec![FetchPartition {
            partition,
            current_leader_epoch: None,
            fetch_offset: from,
            last_fetched_epoch: None,
            log_start_offset: -1,
            partition_max_bytes: 1 << 20,
            high_watermark: None,
        }],
        forgotten: Vec::new(),
    }
}

fn ends(cluster: &Cluster, partition: TopicPartition) -> Vec<(BrokerId, Offset, Offset)> {
    let view = |id: BrokerId| cluster.broker(id).partition(partition);
    let replicas = BROKERS.iter().filter_map(|id| view(*id).map(|view| (*id, view)));
    replicas.map(|(id, view)| (id, view.log_end, view.high_watermark)).collect()
}

#[test]
fn a_record_is_confirmed_when_all_replicas_have_it_and_is_then_read() {
    let (mut cluster, orders) = Cluster::start(2);
    let (consumer, producer) = (cluster.connect(1), cluster.connect(1));
    cluster.ask(consumer, consume(orders, 0));
    cluster.run_for(Span::secs(1));
    assert!(!cluster.answers.contains_key(&consumer), "it waits");
    let begun = cluster.now;
    cluster.produce(producer, orders, -1);
    let answer = produced(&mut cluster, producer);
    assert_eq!((answer.error, answer.base_offset), (ErrorCode::None, 0));
    assert!(cluster.now.since(begun) < Span::millis(10), "followers' fetches were waiting");
    let Response::Fetch(read) = cluster.answer(consumer) else { panic!("no fetch") };
    assert_eq!(read.partitions[0].records.0.len(), 1);
    assert_eq!(read.partitions[0].high_watermark, 1);
    cluster.run_for(Span::secs(1));
    assert_eq!(ends(&cluster, orders), [(1, 1, 1), (2, 1, 1), (3, 1, 1)]);
}

#[test]
fn a_fetch_session_returns_only_changed_partitions() {
    let (mut cluster, orders) = Cluster::start(2);
    let (consumer, producer) = (cluster.connect(1), cluster.connect(1));
    let fetch = |cluster: &mut Cluster, session, max_wait, partitions| {
        let request = FetchRequest { session, max_wait, partitions, ..consume(orders, 0) };
        cluster.ask(consumer, request);
        match cluster.answer(consumer) {
            Response::Fetch(response) => response,
            other => panic!("not a response to a fetch: {other:?}"),
        }
    };
    let all = consume(orders, 0).partitions;
    let full = fetch(&mut cluster, FetchMetadata::INITIAL, Span::ZERO, all);
    assert_ne!(full.session_id, FetchMetadata::NO_SESSION);
    assert_eq!(full.partitions.len(), 1);

    let first = FetchMetadata::first_of(full.session_id);
    let nothing = fetch(&mut cluster, first, Span::ZERO, vec![]);
    assert_eq!((nothing.session_id, nothing.partitions.len()), (full.session_id, 0), "KIP-227");

    cluster.produce(producer, orders, -1);
    produced(&mut cluster, producer);
    let records = fetch(&mut cluster, first.next(), Span::secs(20), vec![]);
    assert_eq!(records.partitions[0].records.0.len(), 1);

    let again = fetch(&mut cluster, first.next(), Span::ZERO, vec![]);
    assert_eq!(again.error, ErrorCode::InvalidFetchSessionEpoch);
    let other = FetchMetadata::first_of(full.session_id ^ 1);
    let unknown = fetch(&mut cluster, other, Span::ZERO, vec![]);
    assert_eq!(unknown.error, ErrorCode::FetchSessionIdNotFound);
}

#[test]
fn confirmed_records_survive_their_leader() {
    let (mut cluster, orders) = Cluster::start(2);
    let producer = cluster.connect(1);
    cluster.produce(producer, orders, -1);
    produced(&mut cluster, producer);
    cluster.crash(1);
    cluster.until(|cluster| cluster.leads(2, orders));
    let again = cluster.connect(2);
    cluster.produce(again, orders, -1);
    let answer = produced(&mut cluster, again);
    assert_eq!((answer.error, answer.base_offset), (ErrorCode::None, 1));
    cluster.boot(1);
    cluster.until(|cluster| cluster.isr(2, orders).len() == 3);
    cluster.run_for(Span::secs(1));
    assert_eq!(ends(&cluster, orders), [(1, 2, 2), (2, 2, 2), (3, 2, 2)]);
    assert!(cluster.proposed(2).contains(&1));
}

#[test]
fn a_silent_follower_leaves_the_isr_and_the_parked_produce_completes() {
    let (mut cluster, orders) = Cluster::start(2);
    cluster.run_for(Span::secs(1));
    // It still reaches the controller, which therefore does not fence it.
    cluster.cut(3, &[1, 2]);
    let producer = cluster.connect(1);
    cluster.produce(producer, orders, -1);
    cluster.run_for(Span::secs(1));
    assert!(!cluster.answers.contains_key(&producer));
    assert_eq!(produced(&mut cluster, producer).error, ErrorCode::None);
    assert_eq!(cluster.isr(1, orders), [1, 2]);
    assert!(cluster.proposed(1).contains(&-1));
    cluster.heal();
    cluster.until(|cluster| cluster.isr(1, orders).len() == 3);
}

#[test]
fn with_too_few_in_sync_replicas_a_parked_produce_times_out_and_a_new_one_is_refused() {
    let (mut cluster, orders) = Cluster::start(3);
    cluster.run_for(Span::secs(1));
    cluster.cut(3, &[1, 2]);
    let producer = cluster.connect(1);
    cluster.produce(producer, orders, -1);
    cluster.until(|cluster| cluster.isr(1, orders).len() == 2);
    cluster.produce(producer, orders, -1);
    cluster.run_for(Span::secs(1));
    assert!(!cluster.answers.contains_key(&producer), "the second request waits for the first");
    assert_eq!(produced(&mut cluster, producer).error, ErrorCode::RequestTimedOut);
    assert_eq!(produced(&mut cluster, producer).error, ErrorCode::NotEnoughReplicas);
    let view = cluster.broker(1).partition(orders).unwrap();
    assert_eq!(
        (view.log_end, view.high_watermark),
        (1, 0),
        "the first batch is appended, but not committed"
    );
    cluster.heal();
    cluster.until(|cluster| cluster.isr(1, orders).len() == 3);
    cluster.until(|cluster| ends(cluster, orders) == [(1, 1, 1), (2, 1, 1), (3, 1, 1)]);
}

#[test]
fn a_replaced_leader_fails_parked_requests_and_truncates_unreplicated_records() {
    let (mut cluster, orders) = Cluster::start(2);
    cluster.run_for(Span::secs(1));
    cluster.cut(1, &[2, 3, 101]);
    let producer = cluster.connect(1);
    cluster.produce(producer, orders, -1);
    let unconfirmed = cluster.connect(1);
    cluster.produce(unconfirmed, orders, 1);
    assert_eq!(produced(&mut cluster, unconfirmed).base_offset, 1);
    cluster.until(|cluster| cluster.leads(2, orders));
    assert!(cluster.leads(1, orders), "it cannot know");
    let other = cluster.connect(2);
    cluster.produce(other, orders, -1);
    assert_eq!(produced(&mut cluster, other).base_offset, 0);
    cluster.heal();
    let failed = produced(&mut cluster, producer);
    assert_eq!(failed.error, ErrorCode::NotLeaderOrFollower);
    assert_eq!(failed.current_leader.unwrap().leader, Some(2));
    cluster.until(|cluster| cluster.isr(2, orders).len() == 3);
    cluster.run_for(Span::secs(1));
    assert_eq!(ends(&cluster, orders), [(1, 1, 1), (2, 1, 1), (3, 1, 1)]);
    let cut = cluster
        .facts
        .iter()
        .any(|(id, fact)| *id == 1 && matches!(fact, Fact::Truncated { from: 2, to: 0, .. }));
    assert!(cut, "the divergence was found");
}

#[test]
fn a_truncated_log_is_recovered_from_its_new_end() {
    let (mut cluster, orders) = Cluster::start(2);
    cluster.run_for(Span::secs(1));
    cluster.cut(1, &[2, 3, 101]);
    let producer = cluster.connect(1);
    for _ in 0..3 {
        cluster.produce(producer, orders, 1);
        produced(&mut cluster, producer);
    }
    let recovery_point = |cluster: &mut Cluster| {
        let disk = cluster.disks.get_mut(&1).unwrap();
        checkpoint::read(disk, RECOVERY_POINTS).unwrap()[&("orders".to_owned(), 0)]
    };
    cluster.fsync(1, orders);
    assert_eq!(recovery_point(&mut cluster), 3);
    cluster.until(|cluster| cluster.leads(2, orders));
    let other = cluster.connect(2);
    cluster.produce(other, orders, -1);
    produced(&mut cluster, other);
    cluster.facts.clear();
    cluster.heal();
    let cut = |(id, fact): &(BrokerId, Fact)| {
        *id == 1 && matches!(fact, Fact::Truncated { from: 3, to: 0, .. })
    };
    cluster.until(|cluster| cluster.facts.iter().any(cut));
    assert_eq!(
        recovery_point(&mut cluster),
        0,
        "otherwise an unsynced segment would not be recovered"
    );
}

#[test]
fn a_broker_that_is_fenced_moves_no_high_watermark_by_itself() {
    let (mut cluster, orders) = Cluster::start(1);
    let change = |fenced, shutting_down, epoch| {
        MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
            broker: 3,
            broker_epoch: epoch,
            fenced: Some(fenced),
            in_controlled_shutdown: Some(shutting_down),
            log_dirs: None,
        })
    };
    cluster.on_broker(1, |broker, io| {
        let epoch = |broker: &Broker, id| broker.context.image.broker(id).unwrap().epoch;
        let epochs = [epoch(broker, 2), epoch(broker, 3)];
        let apply = |broker: &mut Broker, record: MetadataRecord, io: &mut Io<'_>| {
            let mut batch = BatchBuilder::new();
            batch.append(1_000, None, Some(&record.encode()), &[]);
            let at = broker.context.image.offset() + 1;
            let Parts { metadata, replicas, .. } = &mut broker.parts;
            metadata.decode(&stamp(batch.build(), at, 1), replicas).unwrap();
            broker.apply_metadata(io).unwrap();
        };
        let state = broker.context.image.partition(orders).unwrap().clone();
        let state = PartitionRegistration { isr: vec![1, 2], partition_epoch: 9, ..state };
        apply(broker, change(false, true, epochs[1]), io);
        let partition = broker.parts.replicas.partitions.hosted.get_mut(&orders).unwrap();
        partition.become_leader(&state, &broker.context, io).unwrap();
        let fetch = |broker: &mut Broker, id: BrokerId, offset, io: &mut Io<'_>| {
            let state = ReplicaState { id, epoch: epochs[usize::from(id) - 2] };
            let request = &consume(orders, offset).partitions[0];
            let limits = FetchLimits { max_bytes: 1 << 20, min_one_batch: true };
            let partition = broker.parts.replicas.partitions.hosted.get_mut(&orders).unwrap();
            let reader = Reader::Follower(state);
            partition.fetch(reader, request, limits, true, &broker.context, io).unwrap();
            partition.high_watermark()
        };
        fetch(broker, 3, 0, io);
        apply(broker, change(false, false, epochs[1]), io);
        let partition = broker.parts.replicas.partitions.hosted.get_mut(&orders).unwrap();
        partition
            .append_as_leader(&cluster::batch(), 1, None, &broker.context, io)
            .unwrap()
            .unwrap();
        assert_eq!(fetch(broker, 2, 1, io), 0, "3 was caught up a moment ago");
        // Requests parked on this partition hold its lock, but this input does not.
        apply(broker, change(true, false, epochs[1]), io);
        assert_eq!(broker.parts.replicas.partitions.hosted[&orders].high_watermark(), 0);
        let partition = broker.parts.replicas.partitions.hosted.get_mut(&orders).unwrap();
        partition
            .append_as_leader(&cluster::batch(), 1, None, &broker.context, io)
            .unwrap()
            .unwrap();
        assert_eq!(fetch(broker, 2, 2, io), 2, "KAFKA-15021");
    });
}

#[test]
fn a_controlled_shutdown_moves_leadership_and_is_remembered_as_clean() {
    let (mut cluster, orders) = Cluster::start(2);
    let producer = cluster.connect(1);
    cluster.produce(producer, orders, -1);
    produced(&mut cluster, producer);
    cluster.stop(1);
    assert_eq!(cluster.halts[&1], Halt::Clean);
    assert!(cluster.disks[&1].content(".kafka_cleanshutdown").is_some());
    cluster.until(|cluster| cluster.leads(2, orders));
    cluster.facts.clear();
    cluster.boot(1);
    cluster.until(|cluster| cluster.isr(2, orders).len() == 3);
    assert!(cluster.disks[&1].content(".kafka_cleanshutdown").is_none());
    let loaded = cluster.facts.iter().find(|(id, fact)| {
        *id == 1 && matches!(fact, Fact::Loaded { partition, .. } if *partition == orders)
    });
    let Some((_, Fact::Loaded { clean, log_end, .. })) = loaded else { panic!("not loaded") };
    assert_eq!((*clean, *log_end), (true, 1));
    let registered = |(id, fact): &(BrokerId, Fact)| {
        *id == 1 && matches!(fact, Fact::Registered { clean: true, .. })
    };
    assert!(cluster.facts.iter().any(registered));
}

#[test]
fn an_error_without_acks_closes_the_connection() {
    let (mut cluster, orders) = Cluster::start(2);
    let right = cluster.connect(1);
    cluster.produce(right, orders, 0);
    let wrong = cluster.connect(2);
    cluster.produce(wrong, orders, 0);
    cluster.run_for(Span::secs(1));
    assert!(cluster.closed.contains(&wrong) && !cluster.closed.contains(&right));
    assert!(!cluster.answers.contains_key(&right));
    assert_eq!(ends(&cluster, orders)[0], (1, 1, 1));
}

#[test]
fn requests_for_unknown_partitions_get_an_error() {
    let (mut cluster, orders) = Cluster::start(2);
    let conn = cluster.connect(3);
    let at = |topic, index| TopicPartition { partition: index, ..TopicPartition::new(topic, 0) };
    let unknown = crate::ids::TopicId(99);
    for (partition, error) in [
        (orders, ErrorCode::NotLeaderOrFollower),
        (at(orders.topic, 5), ErrorCode::UnknownTopicOrPartition),
        (at(unknown, 0), ErrorCode::UnknownTopicId),
    ] {
        cluster.produce(conn, partition, 1);
        assert_eq!(produced(&mut cluster, conn).error, error);
    }
    let records = bytes::Bytes::from_static(b"no batch");
    let partitions = vec![ProducePartition { partition: orders, records }];
    let leader = cluster.connect(1);
    cluster.ask(
        leader,
        ProduceRequest {
            version: ProduceRequest::NEWEST,
            transactional_id: None,
            acks: 1,
            timeout: Span::secs(1),
            partitions,
        },
    );
    assert_eq!(produced(&mut cluster, leader).error, ErrorCode::InvalidRecord, "no batch at all");
    cluster.ask(conn, MetadataRequest { topics: None });
    let Response::Metadata(metadata) = cluster.answer(conn) else { panic!("no metadata") };
    assert_eq!(metadata.brokers.len(), 3);
    assert_eq!(metadata.topics[0].partitions[0].leader, Some(1));
}

#[test]
fn a_broker_whose_disk_fails_ends() {
    let (mut cluster, orders) = Cluster::start(2);
    cluster.disks.get_mut(&1).unwrap().writes_left = Some(0);
    let producer = cluster.connect(1);
    cluster.produce(producer, orders, -1);
    cluster.until(|cluster| cluster.halts.contains_key(&1));
    assert!(matches!(&cluster.halts[&1], Halt::Failed(_)), "{:?}", cluster.halts[&1]);
    cluster.until(|cluster| cluster.leads(2, orders));
}

#[test]
fn a_leader_that_restarts_soon_without_its_data_does_not_lead_again() {
    let (mut cluster, orders) = Cluster::start(2);
    let producer = cluster.connect(1);
    cluster.produce(producer, orders, -1);
    produced(&mut cluster, producer);
    cluster.facts.clear();
    cluster.crash(1);
    cluster.disks.get_mut(&1).unwrap().lose_unsynced();
    cluster.boot(1);
    cluster.until(|cluster| cluster.leads(2, orders));
    cluster.until(|cluster| cluster.isr(2, orders).len() == 3);
    cluster.run_for(Span::secs(1));
    assert_eq!(ends(&cluster, orders), [(1, 1, 1), (2, 1, 1), (3, 1, 1)]);
    let led = |(id, fact): &(BrokerId, Fact)| {
        *id == 1 && matches!(fact, Fact::BecameLeader { leader_epoch, .. } if *leader_epoch > 0)
    };
    assert!(!cluster.facts.iter().any(led), "it leads in its old epoch, and no client can connect");
}

#[test]
fn after_a_power_loss_of_all_brokers_logs_are_equal() {
    let (mut cluster, orders) = Cluster::start(1);
    let producer = cluster.connect(1);
    for _ in 0..3 {
        cluster.produce(producer, orders, -1);
        produced(&mut cluster, producer);
    }
    for id in BROKERS {
        cluster.crash(id);
        if id != 3 {
            cluster.disks.get_mut(&id).unwrap().lose_unsynced();
        }
    }
    for id in BROKERS {
        cluster.boot(id);
    }
    cluster.until(|cluster| BROKERS.iter().all(|id| !cluster.broker(*id).is_fenced()));
    let whole = |cluster: &Cluster| BROKERS.iter().any(|id| cluster.isr(*id, orders).len() == 3);
    cluster.until(whole);
    cluster.run_for(Span::secs(5));
    let ends = ends(&cluster, orders);
    assert_eq!(ends.len(), 3);
    assert!(ends.iter().all(|(_, end, hw)| (end, hw) == (&ends[0].1, &ends[0].2)), "{ends:?}");
}
