//! Whole controllers: activity, parked responses, failover, restart from disk.

use super::bench::assigned;
use super::net::{Net, VOTERS};
use crate::Input;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, DirectoryId};
use crate::protocol::{
    BrokerHeartbeatRequest, BrokerRegistrationRequest, CreateTopicsRequest, MetadataRequest,
    Response,
};
use machine::{Halt, Span};

pub(super) fn registration(broker: BrokerId) -> BrokerRegistrationRequest {
    BrokerRegistrationRequest {
        broker,
        incarnation: u128::from(broker),
        rack: None,
        log_dirs: vec![DirectoryId::of_broker(broker)],
        previous_broker_epoch: None,
    }
}

fn heartbeat(broker: BrokerId, broker_epoch: i64) -> BrokerHeartbeatRequest {
    BrokerHeartbeatRequest {
        broker,
        broker_epoch,
        current_metadata_offset: i64::MAX,
        want_fence: false,
        want_shut_down: false,
        offline_log_dirs: Vec::new(),
    }
}

fn registered(answer: Option<&Response>) -> Option<(ErrorCode, i64)> {
    match answer? {
        Response::BrokerRegistration(r) => Some((r.error, r.broker_epoch)),
        other => panic!("{other:?}"),
    }
}

fn digests(net: &Net) -> Vec<u128> {
    net.controllers.values().map(|controller| controller.image().digest()).collect()
}

#[test]
fn a_response_is_parked_until_a_majority_has_its_records() {
    let mut net = Net::new();
    let active = net.active();
    for other in VOTERS.into_iter().filter(|id| *id != active) {
        net.lose_power(other);
    }
    let conn = net.connect(active);
    let asked = net.ask(conn, registration(1));
    net.run_for(Span::secs(1));
    assert_eq!(net.answer(conn, asked), None, "no other voter has it");
    assert!(net.controllers[&active].image().broker(1).is_none());
    // After 1.5 fetch time-outs without a majority the controller resigns and refuses the request.
    net.run_for(Span::secs(5));
    assert_eq!(registered(net.answer(conn, asked)), Some((ErrorCode::NotController, -1)));
}

#[test]
fn requests_of_a_connection_are_handled_one_after_the_other() {
    let mut net = Net::new();
    let active = net.active();
    let (conn, other) = (net.connect(active), net.connect(active));
    let first = net.ask(conn, registration(1));
    // It would be refused at once if it were not behind the first.
    let second = net.ask(conn, heartbeat(9, 9));
    let elsewhere = net.ask(other, heartbeat(9, 9));
    net.run_for(Span::millis(5));
    assert_eq!((net.answer(conn, first), net.answer(conn, second)), (None, None));
    assert!(net.answer(other, elsewhere).is_some());
    net.run_for(Span::secs(1));
    let (error, epoch) = registered(net.answer(conn, first)).unwrap();
    assert_eq!(error, ErrorCode::None);
    assert!(net.answer(conn, second).is_some());
    for controller in net.controllers.values() {
        assert_eq!(controller.image().broker(1).map(|broker| broker.epoch), Some(epoch));
    }
}

#[test]
fn confirmed_changes_survive_the_controller_that_confirmed_them() {
    let mut net = Net::new();
    let first = net.active();
    let conn = net.connect(first);
    let asked = net.ask(conn, registration(1));
    net.run_for(Span::secs(1));
    let (_, epoch) = registered(net.answer(conn, asked)).unwrap();
    net.ask(conn, heartbeat(1, epoch));
    let topics = vec![assigned("orders", &[&[1]], &[])];
    let create = net.ask(conn, CreateTopicsRequest { topics, timeout: Span::secs(30) });
    net.run_for(Span::secs(1));
    let Some(Response::CreateTopics(created)) = net.answer(conn, create) else { panic!() };
    assert_eq!(created.topics[0].error, ErrorCode::None);

    net.lose_power(first);
    net.run_for(Span::secs(8));
    let second = net.active();
    assert_ne!(second, first);
    let conn = net.connect(second);
    let asked = net.ask(conn, registration(1));
    net.run_for(Span::secs(1));
    assert_eq!(registered(net.answer(conn, asked)), Some((ErrorCode::None, epoch)));
    assert!(net.controllers[&second].image().topic_by_name("orders").is_some());

    net.start(first);
    net.run_for(Span::secs(2));
    let digests = digests(&net);
    assert!(digests.iter().all(|digest| *digest == digests[0]), "all have replayed the same");
}

#[test]
fn all_state_is_recovered_after_all_controllers_have_lost_power() {
    let mut net = Net::new();
    let conn = net.connect(net.active());
    for broker in 1..=3 {
        net.ask(conn, registration(broker));
        net.run_for(Span::millis(300));
    }
    let brokers = |net: &Net, id: BrokerId| -> Vec<_> {
        net.controllers[&id].image().brokers().cloned().collect()
    };
    let before = brokers(&net, 101);
    assert_eq!(before.len(), 3);
    for id in VOTERS {
        net.lose_power(id);
    }
    for id in VOTERS {
        net.start(id);
        assert_eq!(net.controllers[&id].image().brokers().count(), 0, "nothing is known committed");
    }
    net.run_for(Span::secs(6));
    for id in VOTERS {
        assert_eq!(brokers(&net, id), before);
    }
}

#[test]
fn standbys_refuse_requests_and_unknown_requests_close_the_connection() {
    let mut net = Net::new();
    let standby = VOTERS.into_iter().find(|id| *id != net.active()).unwrap();
    let conn = net.connect(standby);
    let asked = net.ask(conn, registration(1));
    net.run_for(Span::millis(10));
    assert_eq!(registered(net.answer(conn, asked)), Some((ErrorCode::NotController, -1)));
    let asked = net.ask(conn, MetadataRequest { topics: None });
    net.run_for(Span::millis(10));
    assert_eq!(net.answer(conn, asked), None);
}

#[test]
fn a_controller_that_is_shut_down_is_replaced_quickly() {
    let mut net = Net::new();
    let first = net.active();
    net.handle(first, Input::Stop);
    assert_eq!(net.halts, [(first, Halt::Clean)]);
    net.run_for(Span::secs(3));
    assert_ne!(net.active(), first);
}

#[test]
fn a_silent_broker_is_fenced_and_an_idle_log_gets_records() {
    let mut net = Net::new();
    let active = net.active();
    let conn = net.connect(active);
    let asked = net.ask(conn, registration(1));
    net.run_for(Span::secs(1));
    let (_, epoch) = registered(net.answer(conn, asked)).unwrap();
    net.ask(conn, heartbeat(1, epoch));
    net.run_for(Span::secs(1));
    assert!(net.controllers[&active].image().is_active(1));
    let before = net.controllers[&active].image().offset();
    net.run_for(Span::secs(8));
    assert!(net.controllers[&active].image().is_active(1));
    net.run_for(Span::secs(2));
    assert!(!net.controllers[&active].image().is_active(1));
    let fact = Fact::BrokerFenced { broker: 1, fenced: true, asked: false };
    assert!(net.facts.contains(&(active, fact)));
    assert!(net.controllers[&active].image().offset() > before + 15, "one record in 500 ms");
}
