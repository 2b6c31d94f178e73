//! Two members of a group, of which one comes later and one leaves, and a crash of one of the brokers
//! before each step: nothing hangs, nothing is owned twice in one generation, and no commit that was
//! confirmed is lost.

use super::*;
use crate::protocol::{CreatableTopic, CreateTopicsRequest, LeaveGroupRequest, LeavingMember};
use machine::Mono;
use std::collections::{BTreeMap, BTreeSet};

/// The crashes that are tried, over all brokers. Fewer than before means that steps are missed.
const CRASHES: u64 = 90;
/// The topic whose two partitions the members share.
const TOPIC: &str = "work";

/// What a member does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Away,
    Finding,
    Joining,
    Syncing,
    Stable,
    Leaving,
}

/// A consumer, as far as its coordinator sees it.
#[derive(Debug)]
struct Member {
    stage: Stage,
    conn: Option<ConnId>,
    /// When the request without a response was sent.
    sent: Option<Mono>,
    id: String,
    generation: i32,
    /// The members of the generation, if this one leads.
    members: Vec<String>,
    owned: Vec<i32>,
    next_heartbeat: Mono,
    /// The commits of this generation.
    commits: usize,
    /// The offset of a commit without a response.
    committing: Option<i64>,
}

struct Bench {
    cluster: Cluster,
    members: [Member; 2],
    /// The owners of partitions by generation.
    owners: BTreeMap<(i32, i32), BTreeSet<String>>,
    /// The last offset that was sent, and that was confirmed, by partition.
    sent: BTreeMap<i32, i64>,
    confirmed: BTreeMap<i32, i64>,
    until: Mono,
}

impl Member {
    fn new() -> Self {
        Self {
            stage: Stage::Away,
            conn: None,
            sent: None,
            id: String::new(),
            generation: -1,
            members: Vec::new(),
            owned: Vec::new(),
            next_heartbeat: Mono(0),
            commits: 0,
            committing: None,
        }
    }

    fn go(&mut self, stage: Stage) {
        self.stage = stage;
        self.sent = None;
        self.committing = None;
    }

    /// The coordinator is to be found again.
    fn lose_coordinator(&mut self) {
        self.conn = None;
        let stage = if self.stage == Stage::Leaving { Stage::Away } else { Stage::Finding };
        self.go(stage);
    }

    fn on_error(&mut self, error: ErrorCode) {
        match error {
            ErrorCode::UnknownMemberId => {
                self.id.clear();
                self.go(Stage::Joining);
            }
            ErrorCode::IllegalGeneration | ErrorCode::RebalanceInProgress => {
                self.go(Stage::Joining)
            }
            ErrorCode::CoordinatorLoadInProgress => self.sent = None,
            _ => self.lose_coordinator(),
        }
    }
}

impl Bench {
    /// `__consumer_offsets` is on brokers 3, 1, 2 in this order.
    fn new() -> Self {
        let mut cluster = start_with(|cluster| {
            cluster.config.group_min_session_timeout = Span::secs(1);
            cluster.config.group_initial_rebalance_delay = Span::millis(100);
        });
        for (name, partitions) in [("__consumer_offsets", 1), (TOPIC, 2)] {
            let conn = cluster.connect(1);
            let topic = CreatableTopic {
                name: name.to_owned(),
                num_partitions: -1,
                replication_factor: -1,
                assignments: vec![vec![3, 1, 2]; partitions],
                configs: vec![("min.insync.replicas".to_owned(), "1".to_owned())],
            };
            let timeout = Span::secs(30);
            cluster.ask(conn, CreateTopicsRequest { topics: vec![topic], timeout });
            cluster.answer(conn);
        }
        cluster.run_for(Span::secs(1));
        let until = cluster.now + Span::secs(120);
        Self {
            cluster,
            members: [Member::new(), Member::new()],
            owners: BTreeMap::new(),
            sent: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            until,
        }
    }

    /// Both members share, then one leaves and the other has all.
    fn course(&mut self) {
        self.members[0].go(Stage::Finding);
        self.run_until(|members| members[0].commits > 0);
        self.members[1].go(Stage::Finding);
        self.run_until(|[a, b]| {
            let both = a.stage == Stage::Stable && b.stage == Stage::Stable;
            both && a.generation == b.generation && a.commits > 0 && b.commits > 0
        });
        self.members[0].go(Stage::Leaving);
        self.run_until(|[a, b]| a.stage == Stage::Away && b.owned == [0, 1] && b.commits > 0);
    }

    fn run_until(&mut self, done: impl Fn(&[Member; 2]) -> bool) {
        while !done(&self.members) {
            assert!(self.cluster.now < self.until, "the group is stuck: {:#?}", self.members);
            self.cluster.run_for(Span::millis(5));
            for place in 0..2 {
                self.receive(place);
                self.send(place);
            }
        }
    }

    fn send(&mut self, place: usize) {
        let now = self.cluster.now;
        let member = &mut self.members[place];
        if member.stage == Stage::Away {
            return;
        }
        if let Some(sent) = member.sent {
            // A join may wait for the other member.
            let closed = member.conn.is_none_or(|conn| self.cluster.closed.contains(&conn));
            if closed || now.since(sent) > Span::secs(8) {
                member.lose_coordinator();
            }
            return;
        }
        let id = member.id.clone();
        let (request, to): (Request, _) = match member.stage {
            Stage::Finding => {
                let asked = 1 + (now.0 / 100_000_000 % 3) as BrokerId;
                let key_type = CoordinatorType::Group;
                let find = FindCoordinatorRequest { key_type, key: GROUP.into() };
                (find.into(), Some(asked))
            }
            Stage::Joining => {
                let join = JoinGroupRequest {
                    session_timeout_ms: 2_000,
                    rebalance_timeout_ms: 3_000,
                    ..join_request(&id, None)
                };
                (join.into(), None)
            }
            Stage::Syncing => {
                let shares = member.members.len().max(1);
                let share = |(at, id): (usize, &String)| {
                    let of = (0..2_u8).filter(|index| usize::from(*index) % shares == at);
                    (id.as_str().into(), of.collect::<Vec<u8>>().into())
                };
                let sync = SyncGroupRequest {
                    version: SyncGroupRequest::NEWEST,
                    group: GROUP.into(),
                    generation: member.generation,
                    member: id.as_str().into(),
                    instance: None,
                    protocol_type: Some("consumer".into()),
                    protocol_name: Some("range".into()),
                    assignments: member.members.iter().enumerate().map(share).collect(),
                };
                (sync.into(), None)
            }
            Stage::Stable if now >= member.next_heartbeat => {
                member.next_heartbeat = now + Span::millis(300);
                let heartbeat = HeartbeatRequest {
                    group: GROUP.into(),
                    generation: member.generation,
                    member: id.as_str().into(),
                    instance: None,
                };
                (heartbeat.into(), None)
            }
            Stage::Stable if !member.owned.is_empty() => {
                let index = member.owned[member.commits % member.owned.len()];
                let offset = self.sent.get(&index).copied().unwrap_or(0) + 1;
                self.sent.insert(index, offset);
                member.committing = Some(offset);
                let partition = (TOPIC.into(), index);
                let offset = OffsetToCommit { partition, ..offsets(offset).remove(0) };
                let commit = commit_request(&id, member.generation, 0);
                (OffsetCommitRequest { offsets: vec![offset], ..commit }.into(), None)
            }
            Stage::Leaving => {
                let members = vec![LeavingMember { member: id.as_str().into(), instance: None }];
                (LeaveGroupRequest { group: GROUP.into(), members }.into(), None)
            }
            Stage::Stable | Stage::Away => return,
        };
        let conn = match (to, member.conn) {
            (None, Some(conn)) => conn,
            (to, _) => self.cluster.connect(to.unwrap_or(1)),
        };
        member.conn = Some(conn);
        member.sent = Some(now);
        self.cluster.ask(conn, request);
    }

    fn receive(&mut self, place: usize) {
        let Some(conn) = self.members[place].conn else { return };
        let Some(response) = self
            .cluster
            .answers
            .get_mut(&conn)
            .and_then(|it| (!it.is_empty()).then(|| it.remove(0)))
        else {
            return;
        };
        let member = &mut self.members[place];
        let is_of_leave = matches!(response, Response::LeaveGroup(_));
        if member.stage == Stage::Away || (member.stage == Stage::Leaving && !is_of_leave) {
            // To what it asked before.
            return;
        }
        member.sent = None;
        match response {
            Response::FindCoordinator(found) => {
                member.conn = found.node.map(|node| self.cluster.connect(node));
                let stage = if found.node.is_some() { Stage::Joining } else { Stage::Finding };
                member.go(stage);
            }
            Response::JoinGroup(joined) => match joined.error {
                ErrorCode::None => {
                    member.id = joined.member.to_string();
                    member.generation = joined.generation;
                    member.members =
                        joined.members.iter().map(|it| it.member.to_string()).collect();
                    member.go(Stage::Syncing);
                }
                ErrorCode::MemberIdRequired => member.id = joined.member.to_string(),
                error => member.on_error(error),
            },
            Response::SyncGroup(synced) => match synced.error {
                ErrorCode::None => {
                    member.owned = synced.assignment.iter().map(|it| i32::from(*it)).collect();
                    member.commits = 0;
                    member.go(Stage::Stable);
                    for index in &member.owned {
                        let owners = self.owners.entry((member.generation, *index)).or_default();
                        owners.insert(member.id.clone());
                        assert_eq!(owners.len(), 1, "{index} in {}", member.generation);
                    }
                }
                error => member.on_error(error),
            },
            Response::Heartbeat(it) if it.error == ErrorCode::None => {}
            Response::Heartbeat(it) => member.on_error(it.error),
            Response::OffsetCommit(it) => {
                let ((_, index), error) = it.partitions[0].clone();
                match (error, member.committing.take()) {
                    (ErrorCode::None, Some(offset)) => {
                        self.confirmed.insert(index, offset);
                        member.commits += 1;
                    }
                    (error, _) => member.on_error(error),
                }
            }
            Response::LeaveGroup(_) => member.go(Stage::Away),
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the broker that was down: it registers again when its session before has ended, and
    /// accepts connections when it has been unfenced.
    fn recover(&mut self) {
        self.cluster.run_for(Span::secs(1));
        self.cluster.until(|cluster| BROKERS.into_iter().all(|id| !cluster.broker(id).is_fenced()));
    }

    /// The committed offset of a partition, in the end.
    fn offset(&mut self, index: i32) -> i64 {
        loop {
            assert!(self.cluster.now < self.until, "offsets cannot be fetched");
            let (_, conn) = coordinator(&mut self.cluster, &[]);
            let partitions = Some(vec![(TOPIC.into(), index)]);
            let fetch = OffsetFetchRequest {
                group: GROUP.into(),
                partitions,
                member: None,
                epoch: -1,
                require_stable: true,
            };
            self.cluster.ask(conn, fetch);
            if let Response::OffsetFetch(fetched) = self.cluster.answer(conn)
                && fetched.error == ErrorCode::None
            {
                return fetched.offsets[0].offset;
            }
            self.cluster.run_for(Span::millis(100));
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "which crash it was, if the test fails")]
fn whichever_broker_crashes_at_whichever_step_a_group_goes_on_and_keeps_its_offsets() {
    let mut calm = Bench::new();
    let first = calm.cluster.steps;
    calm.course();
    let steps = calm.cluster.steps - first;
    let stride = (steps * BROKERS.len() as u64 / CRASHES).max(1);
    let mut tried = 0;
    for id in BROKERS {
        for step in (0..steps).step_by(usize::try_from(stride).expect("a small number")) {
            let mut bench = Bench::new();
            bench.cluster.crash_at = Some((bench.cluster.steps + step, id));
            println!("{id} crashes before step {step}");
            bench.course();
            bench.recover();
            for index in 0..2 {
                let (confirmed, sent) = (bench.confirmed[&index], bench.sent[&index]);
                let offset = bench.offset(index);
                let range = confirmed..=sent;
                assert!(range.contains(&offset), "{id} at {step}: {offset} is not in {range:?}");
            }
            tried += 1;
        }
    }
    assert!(tried >= CRASHES, "{tried} crashes over {steps} steps");
}
