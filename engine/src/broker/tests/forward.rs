//! What brokers ask the controller for clients.

use super::cluster::{CONTROLLER, Cluster};
use crate::broker::forward::RETRY_TIMEOUT;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::protocol::{
    CreatableTopic, CreateTopicsRequest, ElectLeadersRequest, ElectionType, Request, Response,
};
use machine::{ConnId, NodeId, Span};

fn elect(partition: TopicPartition) -> ElectLeadersRequest {
    let (election_type, timeout) = (ElectionType::Preferred, Span::secs(30));
    ElectLeadersRequest { election_type, partitions: Some(vec![partition]), timeout }
}

fn create(name: &str) -> CreateTopicsRequest {
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: 1,
        replication_factor: 3,
        assignments: vec![vec![1, 2, 3]],
        configs: vec![],
    };
    CreateTopicsRequest { topics: vec![topic], timeout: Span::millis(1) }
}

/// The only topic in a response, and its error.
fn created(cluster: &mut Cluster, conn: ConnId) -> (String, ErrorCode) {
    match cluster.answer(conn) {
        Response::CreateTopics(mut response) => {
            assert_eq!(response.topics.len(), 1);
            let topic = response.topics.remove(0);
            (topic.name, topic.error)
        }
        other => panic!("no response to a creation: {other:?}"),
    }
}

#[test]
fn forwarded_requests_leave_one_after_another_without_waiting_in_between() {
    let (mut cluster, orders) = Cluster::start(1);
    let conns = [(); 3].map(|()| cluster.connect(2));
    let asked = cluster.now;
    for conn in conns {
        cluster.ask(conn, elect(orders));
    }
    cluster.until(|cluster| {
        let forwards = &cluster.broker(2).parts.forwards;
        assert!(forwards.channel.waiting() <= 3);
        conns.iter().all(|conn| cluster.answers.contains_key(conn))
    });
    assert!(cluster.now < asked + Span::millis(50), "each leaves when the one before is answered");
}

#[test]
fn requests_one_behind_another_get_each_its_own_answer() {
    let (mut cluster, orders) = Cluster::start(1);
    let conn = cluster.connect(2);
    cluster.ask(conn, create("one"));
    cluster.ask(conn, create("two"));
    cluster.ask(conn, elect(orders));
    assert_eq!(created(&mut cluster, conn), ("one".to_owned(), ErrorCode::None));
    assert_eq!(created(&mut cluster, conn), ("two".to_owned(), ErrorCode::None));
    let answer = cluster.answer(conn);
    assert!(matches!(answer, Response::ElectLeaders(_)), "{answer:?}");
}

/// B5: a request in flight to a controller that has silently vanished is overdue after
/// `controller.socket.timeout.ms`; after a minute it is given up.
#[test]
fn a_request_to_a_controller_that_is_cut_off_waits_for_the_socket_timeout_and_a_minute() {
    let (mut cluster, _) = Cluster::start(1);
    let conn = cluster.connect(2);
    cluster.ask(conn, create("known"));
    created(&mut cluster, conn);
    let controller = Some(NodeId::new(0, CONTROLLER));
    cluster.cut(2, &[CONTROLLER]);
    cluster.ask(conn, create("lost"));
    let asked = cluster.now;
    let cached = |cluster: &Cluster| cluster.broker(2).parts.forwards.channel.controller();
    cluster.run_for(Span::secs(29));
    assert_eq!(cached(&cluster), controller, "the broker keeps to what it has cached");
    assert!(!cluster.answers.contains_key(&conn) || cluster.answers[&conn].is_empty());
    cluster.run_for(Span::secs(2));
    assert_eq!(cluster.broker(2).parts.forwards.channel.waiting(), 1, "it is sent again");
    cluster.run_for(Span::secs(27));
    assert!(cluster.answers[&conn].is_empty());
    assert_eq!(created(&mut cluster, conn), ("lost".to_owned(), ErrorCode::RequestTimedOut));
    let waited = cluster.now.since(asked);
    assert!((RETRY_TIMEOUT..Span::secs(71)).contains(&waited), "{waited:?}");
}

/// B5: what a leader proposes goes the same way. A proposal that was lost on its way is overdue after
/// `controller.socket.timeout.ms`, however soon others get through again.
#[test]
fn a_proposal_that_is_lost_leaves_again_after_the_socket_timeout() {
    let (mut cluster, orders) = Cluster::start(1);
    let is_proposal = |request: &Request| matches!(request, Request::AlterPartition(_));
    // A connection for proposals is there from the first change of the in-sync replicas on.
    let producer = cluster.connect(1);
    cluster.cut(1, &[3]);
    cluster.produce(producer, orders, 1);
    cluster.until(|cluster| cluster.isr(1, orders) == [1, 2]);
    cluster.heal();
    cluster.until(|cluster| cluster.isr(1, orders).len() == 3);
    cluster.run_for(Span::secs(1));
    cluster.asked.clear();
    cluster.cut(1, &[3, CONTROLLER]);
    cluster.produce(producer, orders, 1);
    cluster.until(|cluster| !cluster.asked_controller(1, is_proposal).is_empty());
    cluster.let_through();
    cluster.until(|cluster| cluster.asked_controller(1, is_proposal).len() == 2);
    let sent = cluster.asked_controller(1, is_proposal);
    let waited = sent[1].since(sent[0]);
    assert!((Span::secs(30)..Span::secs(32)).contains(&waited), "{waited:?}");
    cluster.until(|cluster| cluster.isr(1, orders).len() == 3);
}

#[test]
fn a_client_that_has_gone_does_not_hold_up_the_next() {
    let (mut cluster, orders) = Cluster::start(1);
    let (gone, next) = (cluster.connect(2), cluster.connect(2));
    cluster.ask(gone, create("late"));
    cluster.hang_up(gone);
    cluster.ask(next, elect(orders));
    let answer = cluster.answer(next);
    assert!(matches!(answer, Response::ElectLeaders(_)), "{answer:?}");
    assert!(!cluster.answers.contains_key(&gone));
}
