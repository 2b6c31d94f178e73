//! Committed offsets, and those of transactions (KIP-447).

use super::super::offsets::Key;
use super::super::record::{OffsetValue, Record};
use super::*;
use crate::protocol::{
    OffsetCommitRequest, OffsetFetchRequest, OffsetToCommit, TxnOffsetCommitRequest,
};

fn key() -> Key {
    (GROUP.into(), ("t".into(), 0))
}

fn offsets(offset: i64) -> Vec<OffsetToCommit> {
    vec![OffsetToCommit { partition: key().1, offset, leader_epoch: 0, metadata: None }]
}

impl Bench {
    fn commit(&mut self, member: &str, generation: i32, offset: i64) -> (ErrorCode, Effects) {
        let reply = self.reply();
        let request = OffsetCommitRequest {
            version: OffsetCommitRequest::NEWEST,
            group: GROUP.into(),
            generation,
            member: member.into(),
            instance: None,
            retention_ms: None,
            offsets: offsets(offset),
        };
        let effects = self.operate(|state, turn| state.commit_offsets(&request, &[], reply, turn));
        (error_of(&effects), effects)
    }

    /// Writes an offset of a transaction, as its coordinator does.
    fn commit_in_transaction(
        &mut self,
        producer_id: i64,
        generation: i32,
        offset: i64,
    ) -> ErrorCode {
        let reply = self.reply();
        let request = TxnOffsetCommitRequest {
            version: TxnOffsetCommitRequest::NEWEST,
            transactional_id: "x".into(),
            group: GROUP.into(),
            producer_id,
            producer_epoch: 0,
            generation,
            member: "".into(),
            instance: None,
            offsets: offsets(offset),
        };
        let at = self.next_offset;
        let effects = self.operate(|state, turn| {
            state.commit_in_transaction(&request, &[], reply, turn);
            turn.effects.is_applied = true;
        });
        for (place, record) in effects.records.iter().enumerate() {
            self.replay(at + place as i64, Some(producer_id), record.clone());
        }
        error_of(&effects)
    }

    fn end(&mut self, producer_id: i64, committed: bool) {
        let rules = Rulebook::kafka();
        self.state.replay_marker(self.next_offset, producer_id, committed, &rules, &mut self.out);
        self.next_offset += 1;
    }

    fn fetch(&mut self, require_stable: bool) -> (ErrorCode, i64) {
        let partitions = Some(vec![key().1]);
        let request = OffsetFetchRequest {
            group: GROUP.into(),
            partitions,
            member: None,
            epoch: -1,
            require_stable,
        };
        let mut found = (ErrorCode::None, 0);
        self.operate(|state, turn| {
            let fetched = state.fetch_offsets(&request, turn).offsets.remove(0);
            found = (fetched.error, fetched.offset);
        });
        found
    }
}

fn error_of(effects: &Effects) -> ErrorCode {
    let response = match &effects.answer {
        Some(Answer::Response(_, response)) => response,
        _ => &effects.responses[0].1,
    };
    match response {
        Response::OffsetCommit(it) => it.partitions[0].1,
        Response::TxnOffsetCommit(it) => it.partitions[0].1,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_members_of_the_present_generation_commit() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", 3, 1).0, ErrorCode::GroupIdNotFound);
    assert_eq!(bench.commit("", -1, 1).0, ErrorCode::None, "without a group");
    let ids = bench.stable(&["a"]);
    assert_eq!(bench.commit("", -1, 2).0, ErrorCode::UnknownMemberId, "it has members now");
    assert_eq!(bench.commit("x", 1, 2).0, ErrorCode::UnknownMemberId);
    assert_eq!(bench.commit(&ids[0], 0, 2).0, ErrorCode::IllegalGeneration);
    assert_eq!(bench.fetch(true), (ErrorCode::None, 1));
    assert_eq!(bench.commit(&ids[0], 1, 2).0, ErrorCode::None);
    assert_eq!(bench.fetch(true), (ErrorCode::None, 2));
    bench.join_with(&ids[0], Some("a"), b"other");
    assert_eq!(bench.commit(&ids[0], 2, 3).0, ErrorCode::RebalanceInProgress, "it may own less");
}

#[test]
fn an_offset_that_is_not_written_is_taken_back() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", -1, 1).0, ErrorCode::None);
    bench.state.commit(bench.next_offset);
    let before = bench.next_offset;
    assert_eq!(bench.commit("", -1, 2).0, ErrorCode::None);
    assert_eq!((bench.fetch(true).1, bench.fetch(false).1), (2, 1), "newest and committed");
    bench.state.revert(before);
    assert_eq!((bench.fetch(true).1, bench.fetch(false).1), (1, 1));
}

#[test]
fn an_offset_of_a_transaction_is_shown_when_its_marker_has_come() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", -1, 1).0, ErrorCode::None);
    assert_eq!(bench.commit_in_transaction(5, -1, 2), ErrorCode::None);
    assert_eq!(bench.fetch(true), (ErrorCode::UnstableOffsetCommit, -1));
    assert_eq!(
        bench.fetch(false).0,
        ErrorCode::None,
        "who does not ask for it sees the one before"
    );
    bench.end(5, false);
    assert_eq!(bench.fetch(true), (ErrorCode::None, 1));
    assert_eq!(bench.commit_in_transaction(5, -1, 3), ErrorCode::None);
    bench.end(6, true);
    assert_eq!(bench.fetch(true).0, ErrorCode::UnstableOffsetCommit, "another transaction");
    bench.end(5, true);
    assert_eq!(bench.fetch(true), (ErrorCode::None, 3));
}

#[test]
fn a_plain_commit_that_came_later_stays() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit_in_transaction(5, -1, 9), ErrorCode::None);
    assert_eq!(bench.commit("", -1, 4).0, ErrorCode::None);
    bench.end(5, true);
    assert_eq!(bench.fetch(true), (ErrorCode::None, 4));
}

#[test]
fn a_tombstone_removes_what_transactions_have_open() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit_in_transaction(5, -1, 9), ErrorCode::None);
    let (group, partition) = key();
    let tombstone = Record::Offset { group, partition, value: None };
    bench.replay(bench.next_offset, None, tombstone);
    bench.next_offset += 1;
    assert!(!bench.state.offsets.has_pending(&key()));
    bench.end(5, true);
    assert_eq!(bench.fetch(true), (ErrorCode::None, -1));
}

#[test]
fn offsets_expire_after_the_group_has_become_empty_and_the_group_with_them() {
    let mut bench = Bench::new();
    let ids = bench.stable(&["a"]);
    assert_eq!(bench.commit(&ids[0], 1, 1).0, ErrorCode::None);
    let week = Span::secs(7 * 24 * 3600);
    bench.now += week;
    let effects = bench.operate(|state, turn| state.expire(turn));
    assert!(effects.records.is_empty(), "its topics cannot be read, so it may be subscribed");
    let timeout = Timeout::Session { group: GROUP.into(), member: ids[0].as_str().into() };
    bench.operate(|state, turn| state.on_timeout(timeout, turn));
    let effects = bench.operate(|state, turn| state.expire(turn));
    assert!(effects.records.is_empty(), "the group has just become empty");
    bench.now += week;
    let effects = bench.operate(|state, turn| state.expire(turn));
    let values: Vec<Option<Vec<u8>>> = effects.records.iter().map(Record::value).collect();
    assert_eq!(values, [None, None], "the offset and the group");
    assert_eq!(bench.state_of_group(), None);
}

#[test]
fn an_offset_that_a_transaction_has_open_does_not_expire() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", -1, 1).0, ErrorCode::None);
    assert_eq!(bench.commit_in_transaction(5, -1, 2), ErrorCode::None);
    bench.now += Span::secs(8 * 24 * 3600);
    let effects = bench.operate(|state, turn| state.expire(turn));
    assert!(effects.records.is_empty());
    bench.end(5, false);
    let effects = bench.operate(|state, turn| state.expire(turn));
    assert_eq!(effects.records.len(), 2);
}

#[test]
fn an_offset_with_a_time_of_its_own_expires_then() {
    let mut bench = Bench::new();
    let value = OffsetValue {
        offset: 1,
        leader_epoch: -1,
        metadata: "".into(),
        commit_ms: 0,
        expire_ms: Some(5_000),
    };
    let (group, partition) = key();
    let record = Record::Offset { group, partition, value: Some(value) };
    bench.replay(0, None, record);
    bench.next_offset = 1;
    bench.now = Mono(Span::millis(4_999).0);
    assert!(bench.operate(|state, turn| state.expire(turn)).records.is_empty());
    bench.now = Mono(Span::secs(5).0);
    assert_eq!(bench.operate(|state, turn| state.expire(turn)).records.len(), 2);
}
