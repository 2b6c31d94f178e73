//! Requests that brokers send to the controller, on behalf of clients or for themselves.

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
        other => panic!("not a CreateTopics response: {other:?}"),
    }
}

#[test]
fn forwarded_requests_are_sent_one_at_a_time_without_a_pause() {
    let (mut cluster, orders) = Cluster::start(1);
    let conns = [(); 3].map(|()| cluster.connect(2));
    let asked = cluster.now;
    for conn in conns {
        cluster.ask(conn, elect(orders));
    }
    cluster.until(|cluster| conns.iter().all(|conn| cluster.answers.contains_key(conn)));
    let sent = cluster.asked_controller(2, |it| matches!(it, Request::ElectLeaders(_)));
    let gaps: Vec<_> = sent.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert_eq!(gaps.len(), 2, "{sent:?}");
    assert!(gaps.iter().all(|gap| *gap >= Span::millis(2)), "one in flight: {gaps:?}");
    assert!(
        cluster.now < asked + Span::millis(50),
        "each is sent once the previous one has its response"
    );
}

#[test]
fn requests_queued_on_one_connection_each_get_their_own_response() {
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

/// B5: a request in flight to a controller that stopped without closing its connections times out
/// after `controller.socket.timeout.ms`; after a minute it is given up.
#[test]
fn a_request_to_an_unreachable_controller_is_retried_after_the_socket_timeout_and_given_up_after_a_minute()
 {
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
    assert_eq!(cached(&cluster), controller, "the broker keeps the controller that it has cached");
    assert!(!cluster.answers.contains_key(&conn) || cluster.answers[&conn].is_empty());
    cluster.run_for(Span::secs(2));
    assert_eq!(
        cluster.broker(2).parts.forwards.channel.waiting(),
        1,
        "the request is kept, to be sent again"
    );
    cluster.run_for(Span::secs(27));
    assert!(cluster.answers[&conn].is_empty());
    assert_eq!(created(&mut cluster, conn), ("lost".to_owned(), ErrorCode::RequestTimedOut));
    let waited = cluster.now.since(asked);
    assert!((RETRY_TIMEOUT..Span::secs(71)).contains(&waited), "{waited:?}");
}

/// B5: proposals of leaders use the same kind of channel. A lost proposal times out after
/// `controller.socket.timeout.ms`, even if the connection works again earlier.
#[test]
fn a_proposal_that_is_lost_is_sent_again_after_the_socket_timeout() {
    let (mut cluster, orders) = Cluster::start(1);
    let is_proposal = |request: &Request| matches!(request, Request::AlterPartition(_));
    // The connection for proposals exists once the ISR has first changed.
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
fn a_closed_client_connection_does_not_delay_later_requests() {
    let (mut cluster, orders) = Cluster::start(1);
    let (gone, next) = (cluster.connect(2), cluster.connect(2));
    cluster.ask(gone, create("late"));
    cluster.hang_up(gone);
    cluster.ask(next, elect(orders));
    let answer = cluster.answer(next);
    assert!(matches!(answer, Response::ElectLeaders(_)), "{answer:?}");
    assert!(!cluster.answers.contains_key(&gone));
}
