//! What the next coordinator knows, and what was in doubt.

use super::*;
use crate::protocol::GroupState;

#[test]
fn members_and_offsets_survive_their_coordinator() {
    let mut cluster = start();
    let (old, conn) = coordinator(&mut cluster, &[]);
    let first = join(&mut cluster, conn);
    let a = first.member.to_string();
    assert_eq!(sync(&mut cluster, conn, &a, 1, &[(&a, "all")]).error, ErrorCode::None);
    assert_eq!(commit(&mut cluster, conn, &a, 1, 41), ErrorCode::None);
    cluster.crash(old);
    let (new, conn) = coordinator(&mut cluster, &[old]);
    assert_ne!(new, old);
    assert_eq!(fetch(&mut cluster, conn, true), (ErrorCode::None, 41));
    assert_eq!(heartbeat(&mut cluster, conn, &a, 1), ErrorCode::None, "its generation goes on");
    assert_eq!(sync(&mut cluster, conn, &a, 1, &[]).assignment, "all");
    assert_eq!(commit(&mut cluster, conn, &a, 1, 42), ErrorCode::None);
    let described = describe(&mut cluster, conn);
    assert_eq!((described.state, described.members.len()), (Some(GroupState::Stable), 1));
    // The one before is no coordinator when it comes back.
    cluster.boot(old);
    cluster.until(|cluster| !cluster.broker(old).is_fenced());
    let conn = cluster.connect(old);
    assert_eq!(fetch(&mut cluster, conn, true).0, ErrorCode::NotCoordinator);
}

#[test]
fn an_id_that_was_given_away_and_a_rebalance_end_with_the_coordinator() {
    let mut cluster = start();
    let (old, conn) = coordinator(&mut cluster, &[]);
    cluster.ask(conn, join_request("", None));
    let given = joined(&mut cluster, conn).member.to_string();
    cluster.run_for(Span::millis(100));
    cluster.crash(old);
    let (_, conn) = coordinator(&mut cluster, &[old]);
    cluster.ask(conn, join_request(&given, None));
    assert_eq!(joined(&mut cluster, conn).error, ErrorCode::UnknownMemberId);
    let described = describe(&mut cluster, conn);
    assert_eq!((described.error, described.state), (ErrorCode::None, Some(GroupState::Empty)));
}

/// A commit that is appended and not replicated gets no response before its time is over. What it has
/// written stays, and may be committed later.
#[test]
fn a_commit_that_is_not_replicated_in_time_is_in_doubt() {
    let mut cluster = start_with(|cluster| cluster.config.replica_lag_time_max = Span::secs(60));
    let (node, conn) = coordinator(&mut cluster, &[]);
    assert_eq!(commit(&mut cluster, conn, "", -1, 1), ErrorCode::None);
    let others: Vec<BrokerId> = BROKERS.into_iter().filter(|id| *id != node).collect();
    cluster.cut(node, &others);
    let asked = cluster.now;
    assert_eq!(commit(&mut cluster, conn, "", -1, 2), ErrorCode::CoordinatorNotAvailable);
    let waited = cluster.now.since(asked);
    assert!(Span::secs(5) <= waited && waited < Span::secs(6), "{waited}");
    // Who wants the newest waits as well; who does not sees what is committed.
    assert_eq!(fetch(&mut cluster, conn, false), (ErrorCode::None, 1));
    assert_eq!(fetch(&mut cluster, conn, true).0, ErrorCode::NotCoordinator);
    cluster.heal();
    cluster.run_for(Span::secs(3));
    let (_, conn) = coordinator(&mut cluster, &[]);
    assert_eq!(fetch(&mut cluster, conn, false), (ErrorCode::None, 2));
}

#[test]
fn requests_that_wait_are_refused_when_another_broker_leads() {
    let mut cluster = start();
    let (old, conn) = coordinator(&mut cluster, &[]);
    cluster.ask(conn, join_request("", Some("i")));
    cluster.run_for(Span::millis(50));
    // It leaves in order: leadership moves before its connections close.
    cluster.begin_stop(old);
    assert_eq!(joined(&mut cluster, conn).error, ErrorCode::NotCoordinator);
}
