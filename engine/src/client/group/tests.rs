//! A member and a coordinator that a test plays.

use super::*;
use crate::client::assignor::wire;
use crate::client::testing::{Asked, Stage, boot, orders};
use crate::config::{Assignor, Assignors, Reset};
use crate::fact::{CommitKind, Leaving, Revocation};
use crate::protocol::{
    FetchMetadata, FetchResponse, FetchedOffset, FetchedPartition, FindCoordinatorResponse,
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, JoinedMember, LeaveGroupResponse,
    OffsetCommitRequest, OffsetFetchResponse, Records, Request, SyncGroupRequest,
    SyncGroupResponse,
};
use crate::record::BatchBuilder;
use bytes::Bytes;

mod commits;
mod rebalances;
mod reconciling;
mod subscriptions;

const COORDINATOR: BrokerId = 2;
const GROUP: &str = "app";
const ME: &str = "me";

fn config() -> ConsumerConfig {
    ConsumerConfig {
        auto_offset_reset: Reset::Earliest,
        enable_auto_commit: false,
        session_timeout: Span::secs(10),
        max_poll_interval: Span::secs(60),
        ..ConsumerConfig::default()
    }
}

fn cooperative() -> ConsumerConfig {
    let assignors = Assignors(vec![Assignor::CooperativeSticky]);
    ConsumerConfig { assignors, ..config() }
}

/// A group of two partitions of `orders`, led by broker 1, and a member on the stage.
struct Scene {
    stage: Stage,
    member: GroupConsumer,
}

impl Scene {
    /// A member that has been polled once.
    fn new(config: &ConsumerConfig) -> Self {
        let mut stage = Stage::new(&[(1, 3), (1, 3)]);
        let rules = Rulebook::kafka();
        let bootstrap = [1, 2, 3];
        let group = GROUP.into();
        let mut member =
            GroupConsumer::new(config, &group, &["orders"], rules, &boot(), &bootstrap, 0);
        member.poll(stage.now, &mut stage.out);
        stage.settle(&mut member);
        Self { stage, member }
    }

    /// A member that owns these partitions since generation 1, and begins at offset 5 in each.
    fn owner(config: &ConsumerConfig, indexes: &[i32]) -> Self {
        let mut scene = Self::new(config);
        scene.found();
        scene.require_id();
        scene.join(1, indexes);
        if !indexes.is_empty() {
            scene.show_committed(5);
        }
        scene.events();
        scene.stage.members.clear();
        scene
    }

    fn poll(&mut self) -> Vec<Polled> {
        let polled = self.member.poll(self.stage.now, &mut self.stage.out);
        self.stage.settle(&mut self.member);
        polled
    }

    fn pass(&mut self, span: Span) {
        self.stage.pass(&mut self.member, span);
    }

    /// The oldest request to the coordinator or for it; fetches are left alone.
    fn next(&mut self) -> Asked {
        self.maybe_next().expect("a request about the group")
    }

    fn maybe_next(&mut self) -> Option<Asked> {
        let of_group = |it: &Asked| !matches!(it.body, Request::Fetch(_) | Request::ListOffsets(_));
        let place = self.stage.asked.iter().position(of_group)?;
        self.stage.asked.remove(place)
    }

    fn answer(&mut self, asked: &Asked, body: impl Into<crate::protocol::Response>) {
        self.stage.answer(&mut self.member, asked, body);
    }

    fn found(&mut self) {
        let asked = self.next();
        assert!(matches!(asked.body, Request::FindCoordinator(_)), "{asked:?}");
        let node = Some(COORDINATOR);
        self.answer(&asked, FindCoordinatorResponse { error: ErrorCode::None, node });
    }

    fn next_join(&mut self) -> (Asked, JoinGroupRequest) {
        let asked = self.next();
        let Request::JoinGroup(join) = asked.body.clone() else { panic!("{asked:?}") };
        assert_eq!(asked.broker, COORDINATOR);
        (asked, join)
    }

    fn require_id(&mut self) {
        let (asked, join) = self.next_join();
        assert_eq!(&*join.member, "");
        let response = JoinGroupResponse::refused(ErrorCode::MemberIdRequired, ME.into());
        self.answer(&asked, response);
    }

    /// Responds to the join as to a follower's, and assigns.
    fn join(&mut self, generation: i32, indexes: &[i32]) {
        let (asked, join) = self.next_join();
        assert_eq!(&*join.member, ME);
        self.answer(&asked, joined(generation, "other", join.protocols[0].0.clone(), &[]));
        self.sync(indexes);
    }

    fn next_sync(&mut self) -> (Asked, SyncGroupRequest) {
        let asked = self.next();
        let Request::SyncGroup(sync) = asked.body.clone() else { panic!("{asked:?}") };
        (asked, sync)
    }

    fn sync(&mut self, indexes: &[i32]) {
        let (asked, sync) = self.next_sync();
        self.answer(&asked, synced(&sync, indexes));
    }

    fn show_committed(&mut self, offset: i64) {
        let asked = self.next();
        let Request::OffsetFetch(fetch) = &asked.body else { panic!("{asked:?}") };
        assert!(fetch.require_stable);
        let offsets = fetch.partitions.iter().flatten().map(|partition| FetchedOffset {
            partition: partition.clone(),
            error: ErrorCode::None,
            offset,
            leader_epoch: -1,
            metadata: "".into(),
        });
        let offsets = offsets.collect();
        self.answer(&asked, OffsetFetchResponse { error: ErrorCode::None, offsets });
    }

    /// A heartbeat comes, and gets this error.
    fn beat(&mut self, error: ErrorCode) {
        self.pass(Span::secs(3));
        let asked = self.next();
        assert!(matches!(asked.body, Request::Heartbeat(_)), "{asked:?}");
        self.answer(&asked, HeartbeatResponse { error });
    }

    /// The leader of the partitions returns records of one of them.
    fn fetched(&mut self, index: i32, base: i64, count: i64) {
        let place = self.stage.asked.iter().position(|it| matches!(it.body, Request::Fetch(_)));
        let asked = place.and_then(|place| self.stage.asked.remove(place)).expect("a fetch");
        let mut batch = BatchBuilder::new().base_offset(base).leader_epoch(3);
        (0..count).for_each(|_| batch.append(1, None, Some(b"value"), &[]));
        let Request::Fetch(fetch) = asked.body.clone() else { panic!("{asked:?}") };
        let batch = batch.build();
        // A response without a session has all partitions of the request.
        let of = |partition: TopicPartition| FetchedPartition {
            partition,
            error: ErrorCode::None,
            high_watermark: 100,
            last_stable_offset: 100,
            log_start_offset: 0,
            diverging_epoch: None,
            current_leader: None,
            aborted_transactions: None,
            preferred_read_replica: None,
            records: Records(if partition == orders(index) { vec![batch.clone()] } else { vec![] }),
        };
        let partitions = fetch.partitions.iter().map(|it| of(it.partition)).collect();
        let response = FetchResponse {
            error: ErrorCode::None,
            session_id: FetchMetadata::NO_SESSION,
            partitions,
        };
        self.answer(&asked, response);
    }

    fn next_commit(&mut self) -> (Asked, OffsetCommitRequest) {
        let asked = self.next();
        let Request::OffsetCommit(commit) = asked.body.clone() else { panic!("{asked:?}") };
        (asked, commit)
    }

    fn committed(&mut self, error: ErrorCode) -> OffsetCommitRequest {
        let (asked, commit) = self.next_commit();
        self.answer(&asked, commit.with_error(error));
        commit
    }

    fn listener_returns(&mut self) {
        self.member.listener_returned(self.stage.now, &mut self.stage.out);
        self.stage.settle(&mut self.member);
    }

    fn events(&mut self) -> Vec<GroupEvent> {
        self.member.consumer_mut().take_events();
        self.member.take_events().collect()
    }

    fn facts(&mut self) -> Vec<MemberFact> {
        std::mem::take(&mut self.stage.members)
    }
}

fn joined(
    generation: i32,
    leader: &str,
    protocol: Arc<str>,
    members: &[(&str, Bytes)],
) -> JoinGroupResponse {
    let member = |(id, metadata): &(&str, Bytes)| JoinedMember {
        member: (*id).into(),
        instance: None,
        metadata: metadata.clone(),
    };
    JoinGroupResponse {
        error: ErrorCode::None,
        generation,
        protocol_type: Some("consumer".into()),
        protocol_name: Some(protocol),
        leader: leader.into(),
        skip_assignment: false,
        member: ME.into(),
        members: members.iter().map(member).collect(),
    }
}

fn partitions(indexes: &[i32]) -> Vec<NamedPartition> {
    indexes.iter().map(|index| ("orders".into(), *index)).collect()
}

fn synced(sync: &SyncGroupRequest, indexes: &[i32]) -> SyncGroupResponse {
    SyncGroupResponse {
        error: ErrorCode::None,
        protocol_type: sync.protocol_type.clone(),
        protocol_name: sync.protocol_name.clone(),
        assignment: wire::write_assignment(&partitions(indexes)),
    }
}

fn revoking(indexes: &[i32], why: Revocation) -> GroupEvent {
    GroupEvent::Revoking { partitions: indexes.iter().map(|index| orders(*index)).collect(), why }
}

fn assigned(indexes: &[i32]) -> GroupEvent {
    GroupEvent::Assigned { added: indexes.iter().map(|index| orders(*index)).collect() }
}
