use super::*;
use crate::client::testing::{Stage, TOPIC, boot, orders};

fn scene() -> (Stage, Admin) {
    (Stage::new(&[(1, 1)]), Admin::new(&AdminConfig::default(), &boot(), &[1, 2, 3]))
}

fn topic(name: &str) -> CreatableTopic {
    let (assignments, configs) = (vec![], vec![]);
    let (num_partitions, replication_factor) = (1, 3);
    let name = name.to_owned();
    CreatableTopic { name, num_partitions, replication_factor, assignments, configs }
}

fn created(results: &[(&str, ErrorCode)]) -> CreateTopicsResponse {
    let result = |(name, error): &(&str, ErrorCode)| CreatableTopicResult {
        name: (*name).to_owned(),
        topic: TOPIC,
        error: *error,
    };
    CreateTopicsResponse { topics: results.iter().map(result).collect() }
}

#[test]
fn topics_without_a_decision_are_requested_again() {
    let (mut stage, mut admin) = scene();
    let topics = vec![topic("orders"), topic("bills")];
    let call = admin.create_topics(stage.now, topics, &mut stage.out);
    stage.settle(&mut admin);
    let asked = stage.next();
    let result = created(&[("orders", ErrorCode::None), ("bills", ErrorCode::NotController)]);
    stage.answer(&mut admin, &asked, result);
    assert_eq!(admin.take_events().count(), 0);
    stage.pass(&mut admin, Span::millis(120));
    let asked = stage.next();
    let Request::CreateTopics(request) = &asked.body else { panic!("{asked:?}") };
    assert_eq!(request.topics, [topic("bills")]);
    stage.cut(&mut admin, &asked);
    stage.pass(&mut admin, Span::millis(300));
    let asked = stage.next();
    let result = created(&[("bills", ErrorCode::TopicAlreadyExists)]);
    stage.answer(&mut admin, &asked, result);
    let results = [("orders", ErrorCode::None), ("bills", ErrorCode::TopicAlreadyExists)];
    let topics = created(&results).topics;
    let events: Vec<_> = admin.take_events().collect();
    assert_eq!(events, [AdminEvent::TopicsCreated { call, topics, repeated: true }]);
    assert!(admin.is_idle());
}

#[test]
fn elections_are_repeated_for_the_partitions_that_may_still_succeed() {
    let (mut stage, mut admin) = scene();
    let wanted = Some(vec![orders(0), orders(1)]);
    let call = admin.elect_leaders(stage.now, ElectionType::Unclean, wanted, &mut stage.out);
    stage.settle(&mut admin);
    let asked = stage.next();
    let settled = (orders(0), ErrorCode::ElectionNotNeeded);
    let result = |partitions| ElectLeadersResponse { error: ErrorCode::None, partitions };
    let again = (orders(1), ErrorCode::UnknownTopicOrPartition);
    stage.answer(&mut admin, &asked, result(vec![settled, again]));
    stage.pass(&mut admin, Span::millis(120));
    let asked = stage.next();
    let Request::ElectLeaders(request) = &asked.body else { panic!("{asked:?}") };
    assert_eq!(request.partitions, Some(vec![orders(1)]));
    let elected = (orders(1), ErrorCode::None);
    stage.answer(&mut admin, &asked, result(vec![elected]));
    let events: Vec<_> = admin.take_events().collect();
    let expected = AdminEvent::LeadersElected {
        call,
        error: ErrorCode::None,
        partitions: vec![settled, elected],
        repeated: false,
    };
    assert_eq!(events, [expected]);
}
