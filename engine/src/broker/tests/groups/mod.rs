//! Group coordinators on a small cluster.

mod crashes;
mod facts;
mod failover;
mod transactional;

use super::cluster::{BROKERS, Cluster};
use crate::error::ErrorCode;
use crate::ids::BrokerId;
use crate::protocol::{
    CoordinatorType, DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorRequest,
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeavingMember,
    ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest, OffsetToCommit, Request, Response,
    SyncGroupRequest, SyncGroupResponse,
};
use bytes::Bytes;
use machine::{ConnId, Span};

/// The group of most tests.
const GROUP: &str = "group-a";

/// A cluster whose `__consumer_offsets` has few partitions, and whose groups wait half a second for
/// more members.
fn start() -> Cluster {
    start_with(|_| {})
}

fn start_with(set_up: impl FnOnce(&mut Cluster)) -> Cluster {
    let (cluster, _) = Cluster::start_set_up(1, |cluster| {
        cluster.config.offsets_topic_partitions = 3;
        cluster.config.transaction_log_partitions = 1;
        cluster.config.group_initial_rebalance_delay = Span::millis(500);
        set_up(cluster);
    });
    cluster
}

/// The coordinator of a key as some other broker knows it, and a connection to it.
fn coordinator_of(
    cluster: &mut Cluster,
    key_type: CoordinatorType,
    key: &str,
    not: &[BrokerId],
) -> (BrokerId, ConnId) {
    let asked = BROKERS.into_iter().find(|it| !not.contains(it)).expect("one is left");
    let conn = cluster.connect(asked);
    for _ in 0..200 {
        cluster.ask(conn, FindCoordinatorRequest { key_type, key: key.into() });
        let Response::FindCoordinator(found) = cluster.answer(conn) else { panic!("nothing") };
        match found.node {
            Some(node) if !not.contains(&node) => return (node, cluster.connect(node)),
            _ => cluster.run_for(Span::millis(100)),
        }
    }
    panic!("there is no coordinator");
}

fn coordinator(cluster: &mut Cluster, not: &[BrokerId]) -> (BrokerId, ConnId) {
    let (node, conn) = coordinator_of(cluster, CoordinatorType::Group, GROUP, not);
    // Until it has read its log.
    for _ in 0..100 {
        let all = Some(Vec::new());
        let fetch = OffsetFetchRequest {
            group: GROUP.into(),
            partitions: all,
            member: None,
            epoch: -1,
            require_stable: true,
        };
        cluster.ask(conn, fetch);
        let Response::OffsetFetch(fetched) = cluster.answer(conn) else { panic!("nothing") };
        if fetched.error == ErrorCode::None {
            return (node, conn);
        }
        cluster.run_for(Span::millis(50));
    }
    panic!("it loads for too long");
}

fn join_request(member: &str, instance: Option<&str>) -> JoinGroupRequest {
    JoinGroupRequest {
        version: JoinGroupRequest::NEWEST,
        client_id: "consumer".into(),
        group: GROUP.into(),
        session_timeout_ms: 6_000,
        rebalance_timeout_ms: 10_000,
        member: member.into(),
        instance: instance.map(Into::into),
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Bytes::from_static(b"\0\x01\0\0\0\x01\0\x06orders"))],
    }
}

fn joined(cluster: &mut Cluster, conn: ConnId) -> JoinGroupResponse {
    let Response::JoinGroup(response) = cluster.answer(conn) else { panic!("nothing") };
    response
}

/// Joins with an id that is given first, and waits for the generation.
fn join(cluster: &mut Cluster, conn: ConnId) -> JoinGroupResponse {
    cluster.ask(conn, join_request("", None));
    let given = joined(cluster, conn);
    assert_eq!(given.error, ErrorCode::MemberIdRequired);
    cluster.ask(conn, join_request(&given.member, None));
    joined(cluster, conn)
}

fn sync(
    cluster: &mut Cluster,
    conn: ConnId,
    member: &str,
    generation: i32,
    assignments: &[(&str, &'static str)],
) -> SyncGroupResponse {
    let all = assignments.iter();
    let request = SyncGroupRequest {
        version: SyncGroupRequest::NEWEST,
        group: GROUP.into(),
        generation,
        member: member.into(),
        instance: None,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: all
            .map(|(member, what)| ((*member).into(), Bytes::from_static(what.as_bytes())))
            .collect(),
    };
    cluster.ask(conn, request);
    let Response::SyncGroup(response) = cluster.answer(conn) else { panic!("nothing") };
    response
}

fn heartbeat(cluster: &mut Cluster, conn: ConnId, member: &str, generation: i32) -> ErrorCode {
    let request =
        HeartbeatRequest { group: GROUP.into(), generation, member: member.into(), instance: None };
    cluster.ask(conn, request);
    let Response::Heartbeat(response) = cluster.answer(conn) else { panic!("nothing") };
    response.error
}

fn offsets(offset: i64) -> Vec<OffsetToCommit> {
    let partition = ("orders".into(), 0);
    vec![OffsetToCommit { partition, offset, leader_epoch: 0, metadata: Some("m".into()) }]
}

fn commit_request(member: &str, generation: i32, offset: i64) -> OffsetCommitRequest {
    OffsetCommitRequest {
        version: OffsetCommitRequest::NEWEST,
        group: GROUP.into(),
        generation,
        member: member.into(),
        instance: None,
        retention_ms: None,
        offsets: offsets(offset),
    }
}

fn commit(
    cluster: &mut Cluster,
    conn: ConnId,
    member: &str,
    generation: i32,
    offset: i64,
) -> ErrorCode {
    cluster.ask(conn, commit_request(member, generation, offset));
    committed(cluster, conn)
}

fn committed(cluster: &mut Cluster, conn: ConnId) -> ErrorCode {
    let Response::OffsetCommit(response) = cluster.answer(conn) else { panic!("nothing") };
    response.partitions[0].1
}

/// The offset of the group, with the error.
fn fetch(cluster: &mut Cluster, conn: ConnId, require_stable: bool) -> (ErrorCode, i64) {
    let partitions = Some(vec![("orders".into(), 0)]);
    cluster.ask(
        conn,
        OffsetFetchRequest {
            group: GROUP.into(),
            partitions,
            member: None,
            epoch: -1,
            require_stable,
        },
    );
    let Response::OffsetFetch(mut response) = cluster.answer(conn) else { panic!("nothing") };
    if response.error != ErrorCode::None {
        return (response.error, -1);
    }
    let fetched = response.offsets.remove(0);
    (fetched.error, fetched.offset)
}

fn describe(cluster: &mut Cluster, conn: ConnId) -> DescribeGroupsResponse {
    cluster.ask(conn, DescribeGroupsRequest { version: 6, group: GROUP.into() });
    let Response::DescribeGroups(response) = cluster.answer(conn) else { panic!("nothing") };
    response
}

#[test]
fn members_come_share_and_leave() {
    let mut cluster = start();
    let (node, conn) = coordinator(&mut cluster, &[]);
    let first = join(&mut cluster, conn);
    assert_eq!((first.error, first.generation), (ErrorCode::None, 1));
    assert_eq!(first.leader, first.member);
    let a = first.member.to_string();
    let synced = sync(&mut cluster, conn, &a, 1, &[(&a, "everything")]);
    assert_eq!((synced.error, &*synced.assignment), (ErrorCode::None, &b"everything"[..]));

    let other = cluster.connect(node);
    cluster.ask(other, join_request("", None));
    let b = joined(&mut cluster, other).member.to_string();
    cluster.ask(other, join_request(&b, None));
    cluster.run_for(Span::millis(50));
    assert_eq!(heartbeat(&mut cluster, conn, &a, 1), ErrorCode::RebalanceInProgress);
    cluster.ask(conn, join_request(&a, None));
    let (one, two) = (joined(&mut cluster, conn), joined(&mut cluster, other));
    assert_eq!((one.generation, two.generation), (2, 2));
    assert_eq!((one.members.len(), two.members.len()), (2, 0));
    assert_eq!(sync(&mut cluster, conn, &a, 2, &[(&a, "half"), (&b, "rest")]).assignment, "half");
    assert_eq!(sync(&mut cluster, other, &b, 2, &[]).assignment, "rest");
    assert_eq!(commit(&mut cluster, other, &b, 2, 7), ErrorCode::None);
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 7));

    let members = vec![LeavingMember { member: a.as_str().into(), instance: None }];
    cluster.ask(conn, LeaveGroupRequest { group: GROUP.into(), members });
    let Response::LeaveGroup(left) = cluster.answer(conn) else { panic!("nothing") };
    assert_eq!((left.error, left.members[0].1), (ErrorCode::None, ErrorCode::None));
    assert_eq!(commit(&mut cluster, conn, &a, 2, 9), ErrorCode::UnknownMemberId);
    assert_eq!(heartbeat(&mut cluster, other, &b, 2), ErrorCode::RebalanceInProgress);
    // Silence ends the session of the other, and the group is empty.
    cluster.run_for(Span::secs(11));
    let described = describe(&mut cluster, conn);
    assert_eq!((described.error, described.members.len()), (ErrorCode::None, 0));
    cluster.ask(conn, ListGroupsRequest { states: None, types: None });
    let Response::ListGroups(listed) = cluster.answer(conn) else { panic!("nothing") };
    assert_eq!(listed.groups.iter().map(|it| &*it.group).collect::<Vec<_>>(), [GROUP]);
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 7), "its offsets stay");
}

#[test]
fn a_broker_that_does_not_coordinate_a_group_says_so() {
    let mut cluster = start();
    let (node, _) = coordinator(&mut cluster, &[]);
    let other = BROKERS.into_iter().find(|id| *id != node).expect("there are three");
    let conn = cluster.connect(other);
    let error = ErrorCode::NotCoordinator;
    assert_eq!(commit(&mut cluster, conn, "", -1, 1), error);
    assert_eq!(heartbeat(&mut cluster, conn, "m", 1), error);
    assert_eq!(fetch(&mut cluster, conn, true).0, error);
    assert_eq!(sync(&mut cluster, conn, "m", 1, &[]).error, error);
    assert_eq!(describe(&mut cluster, conn).error, error);
    cluster.ask(conn, join_request("", None));
    assert_eq!(joined(&mut cluster, conn).error, error);
}

#[test]
fn records_of_operations_that_come_together_are_one_batch() {
    let mut cluster = start();
    let (node, conn) = coordinator(&mut cluster, &[]);
    let other = cluster.connect(node);
    cluster.facts.clear();
    cluster.ask(conn, commit_request("", -1, 1));
    cluster.ask(other, commit_request("", -1, 2));
    assert_eq!(committed(&mut cluster, conn), ErrorCode::None);
    assert_eq!(committed(&mut cluster, other), ErrorCode::None);
    let is_led = |(by, fact): &&(BrokerId, crate::fact::Fact)| {
        matches!(fact, crate::fact::Fact::Appended { as_leader: true, .. }) && *by == node
    };
    let counts: Vec<i32> = cluster.facts.iter().filter(is_led).filter_map(count_of).collect();
    assert_eq!(counts, [2], "batches, by their number of records");
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 2));
}

fn count_of((_, fact): &(BrokerId, crate::fact::Fact)) -> Option<i32> {
    let crate::fact::Fact::Appended { batch, .. } = fact else { return None };
    Some(crate::record::Batch::new(batch).expect("a batch").record_count())
}

#[test]
fn requests_without_a_group_are_refused() {
    let mut cluster = start();
    let (_, conn) = coordinator(&mut cluster, &[]);
    let mut refused = |request: Request| {
        cluster.ask(conn, request);
        let mut errors = Vec::new();
        cluster.answer(conn).errors(|error| errors.push(error));
        errors
    };
    let join = JoinGroupRequest { group: "".into(), ..join_request("", None) };
    assert_eq!(refused(join.into()), [ErrorCode::InvalidGroupId]);
    let join = JoinGroupRequest { session_timeout_ms: 5_999, ..join_request("", None) };
    assert_eq!(refused(join.into()), [ErrorCode::InvalidSessionTimeout]);
    let unknown = OffsetToCommit { partition: ("nothing".into(), 0), ..offsets(1).remove(0) };
    let commit = OffsetCommitRequest { offsets: vec![unknown], ..commit_request("", -1, 1) };
    assert_eq!(refused(commit.into()), [ErrorCode::UnknownTopicOrPartition]);
}
