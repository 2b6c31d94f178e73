//! What brokers ask the controller for clients.

use super::cluster::{CONTROLLER, Cluster};
use crate::broker::forward::ForwardId;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::protocol::{
    CreatableTopic, CreateTopicsRequest, ElectLeadersRequest, ElectionType, Response,
};
use machine::{ConnId, NodeId, Span};

/// Less than the way to the controller and back.
const TOO_SHORT: Span = Span::millis(1);

fn elect(partition: TopicPartition) -> ElectLeadersRequest {
    let (election_type, timeout) = (ElectionType::Preferred, Span::secs(30));
    ElectLeadersRequest { election_type, partitions: Some(vec![partition]), timeout }
}

fn create(name: &str, timeout: Span) -> CreateTopicsRequest {
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: 1,
        replication_factor: 3,
        assignments: vec![vec![1, 2, 3]],
        configs: vec![],
    };
    CreateTopicsRequest { topics: vec![topic], timeout }
}

/// The only topic that an answer tells of, and with what error.
fn created(cluster: &mut Cluster, conn: ConnId) -> (String, ErrorCode) {
    match cluster.answer(conn) {
        Response::CreateTopics(mut response) => {
            assert_eq!(response.topics.len(), 1);
            let topic = response.topics.remove(0);
            (topic.name, topic.error)
        }
        other => panic!("not an answer to a creation: {other:?}"),
    }
}

/// The forwards of broker 2 that are waited for and under way.
fn under_way(cluster: &Cluster) -> Vec<ForwardId> {
    let waiting = cluster.broker(2).parts.forwards.waiting.iter();
    waiting.filter(|forward| forward.in_flight).map(|forward| forward.id).collect()
}

#[test]
fn forwarded_requests_leave_one_after_another_without_waiting_in_between() {
    let (mut cluster, orders) = Cluster::start(1);
    let conns = [(); 3].map(|()| cluster.connect(2));
    let asked = cluster.now;
    for conn in conns {
        cluster.ask(conn, elect(orders));
    }
    let controller = NodeId::new(0, CONTROLLER);
    cluster.until(|cluster| {
        let in_flight = cluster.broker(2).parts.forwards.channels.in_flight(controller);
        assert!(in_flight <= 1, "another thread's might overtake it");
        conns.iter().all(|conn| cluster.answers.contains_key(conn))
    });
    assert!(cluster.now < asked + Span::millis(50), "each leaves when the one before is answered");
}

#[test]
fn a_late_answer_is_not_taken_for_that_to_the_next_request_of_its_connection() {
    let (mut cluster, orders) = Cluster::start(1);
    let conn = cluster.connect(2);
    cluster.ask(conn, create("late", TOO_SHORT));
    assert_eq!(created(&mut cluster, conn), ("late".to_owned(), ErrorCode::RequestTimedOut));
    let asked = cluster.now;
    cluster.ask(conn, elect(orders));
    let answer = cluster.answer(conn);
    assert!(matches!(answer, Response::ElectLeaders(_)), "{answer:?}");
    assert!(cluster.now < asked + Span::millis(50), "it leaves when the late answer comes");
}

#[test]
fn requests_one_behind_another_get_each_its_own_answer() {
    let (mut cluster, orders) = Cluster::start(1);
    let conn = cluster.connect(2);
    cluster.ask(conn, create("late", TOO_SHORT));
    cluster.ask(conn, create("next", Span::secs(30)));
    cluster.ask(conn, elect(orders));
    assert_eq!(created(&mut cluster, conn), ("late".to_owned(), ErrorCode::RequestTimedOut));
    assert_eq!(created(&mut cluster, conn), ("next".to_owned(), ErrorCode::None));
    let answer = cluster.answer(conn);
    assert!(matches!(answer, Response::ElectLeaders(_)), "{answer:?}");
}

#[test]
fn the_failure_of_what_timed_out_does_not_send_the_next_request_twice() {
    let (mut cluster, _) = Cluster::start(1);
    let conn = cluster.connect(2);
    cluster.ask(conn, create("late", TOO_SHORT));
    cluster.until(|cluster| !under_way(cluster).is_empty());
    let first = under_way(&cluster);
    created(&mut cluster, conn);
    cluster.ask(conn, create("next", Span::secs(30)));
    cluster.until(|cluster| !under_way(cluster).is_empty());
    let second = under_way(&cluster);
    // As when the first was sent to the controller before this one.
    cluster.on_broker(2, |broker, io| {
        let (parts, mut cx) = broker.split(io);
        parts.forwards.on_failed(&first, &mut cx);
    });
    assert_eq!(under_way(&cluster), second, "it is not the one that failed");
    assert_eq!(created(&mut cluster, conn), ("next".to_owned(), ErrorCode::None));
}
