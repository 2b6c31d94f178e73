//! Groups without a broker: operations on a state, and what follows from them.

mod consumers;
mod facts;
mod offsets;
mod rebalance;
mod records;
mod replaced;

use super::effects::{Answer, Effects, SetTimer, Turn};
use super::shard::{Replay, State};
use super::timers::Timeout;
use crate::Outbox;
use crate::broker::requests::Reply;
use crate::client::random::Random;
use crate::config::{BrokerConfig, TopicConfig};
use crate::error::ErrorCode;
use crate::ids::{TopicId, TopicPartition};
use crate::metadata::MetadataImage;
use crate::protocol::{
    GroupState, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, Response, SyncGroupRequest,
    SyncGroupResponse,
};
use crate::rules::Rulebook;
use bytes::Bytes;
use machine::{ConnId, Mono, NodeId, Now, Span, Wall};

/// The group of all tests.
const GROUP: &str = "g";

/// The groups of a coordinator, whose records are committed at once or not at all.
struct Bench {
    state: State,
    config: BrokerConfig,
    out: Outbox,
    random: Random,
    now: Mono,
    next_offset: i64,
    requests: u32,
    image: MetadataImage,
}

impl Bench {
    fn new() -> Self {
        Self {
            state: State::new(),
            config: BrokerConfig::default(),
            out: Outbox::new(NodeId::new(0, 1), 1),
            random: Random::new(7, 1),
            now: Mono(0),
            next_offset: 0,
            requests: 0,
            image: MetadataImage::new(TopicConfig::default()),
        }
    }

    fn reply(&mut self) -> Reply {
        self.requests += 1;
        let conn = ConnId::new(NodeId::new(0, 1001), 0, self.requests);
        Reply { conn, correlation_id: 1 }
    }

    /// Carries out an operation, and replays its records as a coordinator does.
    fn operate(&mut self, operation: impl FnOnce(&mut State, &mut Turn<'_>)) -> Effects {
        let rules = Rulebook::kafka();
        let mut turn = Turn {
            now: Now { mono: self.now, wall: Wall(self.now.0 as i64 / 1_000_000) },
            config: &self.config,
            rules: &rules,
            out: &mut self.out,
            random: &mut self.random,
            partition: TopicPartition::new(TopicId(9), 0),
            epoch: 1,
            image: &self.image,
            next_offset: self.next_offset,
            effects: Effects::default(),
        };
        operation(&mut self.state, &mut turn);
        let effects = turn.effects;
        for record in &effects.records {
            let mut with = Replay { now_ms: 0, rules: &rules, out: &mut self.out };
            self.state.write(self.next_offset, None, record, effects.is_applied, &mut with);
            self.next_offset += 1;
        }
        effects
    }

    /// Replays a record that no operation of the bench has written.
    fn replay(&mut self, at: i64, producer_id: Option<i64>, record: super::record::Record) {
        let rules = Rulebook::kafka();
        let mut with = Replay { now_ms: 0, rules: &rules, out: &mut self.out };
        self.state.replay(at, producer_id, record, &mut with);
    }

    fn state_of_group(&self) -> Option<GroupState> {
        self.state.groups.get(&GROUP.into()).map(|group| group.state())
    }

    /// Joins with the newest version, as a dynamic member with an id or as a static one.
    fn join(&mut self, member: &str, instance: Option<&str>) -> (Reply, Effects) {
        self.join_with(member, instance, b"topics")
    }

    fn join_with(
        &mut self,
        member: &str,
        instance: Option<&str>,
        metadata: &'static [u8],
    ) -> (Reply, Effects) {
        let reply = self.reply();
        let request = JoinGroupRequest {
            version: JoinGroupRequest::NEWEST,
            client_id: "c".into(),
            group: GROUP.into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 30_000,
            member: member.into(),
            instance: instance.map(Into::into),
            protocol_type: "consumer".into(),
            protocols: vec![("range".into(), Bytes::from_static(metadata))],
        };
        let effects = self.operate(|state, turn| state.join(&request, "/h", reply, turn));
        (reply, effects)
    }

    fn sync(&mut self, member: &str, generation: i32, of: &[(&str, &'static str)]) -> Effects {
        let reply = self.reply();
        let request = SyncGroupRequest {
            version: SyncGroupRequest::NEWEST,
            group: GROUP.into(),
            generation,
            member: member.into(),
            instance: None,
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: of
                .iter()
                .map(|(member, what)| ((*member).into(), Bytes::from_static(what.as_bytes())))
                .collect(),
        };
        self.operate(|state, turn| state.sync(&request, reply, turn))
    }

    fn heartbeat(&mut self, member: &str, generation: i32) -> ErrorCode {
        let reply = self.reply();
        let request = HeartbeatRequest {
            group: GROUP.into(),
            generation,
            member: member.into(),
            instance: None,
        };
        let effects = self.operate(|state, turn| state.heartbeat(&request, reply, turn));
        let response = match effects.answer {
            Some(Answer::Response(_, response)) => response,
            _ => effects.responses[0].1.clone(),
        };
        let Response::Heartbeat(response) = response else { panic!("{response:?}") };
        response.error
    }

    /// What follows when the record of an operation is committed, or fails.
    fn settle(&mut self, effects: Effects, outcome: Result<(), ErrorCode>) -> Effects {
        let after = effects.after.expect("something follows");
        self.operate(|state, turn| super::outcomes::follow(state, after, outcome, turn))
    }

    /// A group of these static members, the first of which leads, in generation 1 with assignments.
    fn stable(&mut self, instances: &[&str]) -> Vec<String> {
        let mut replies = Vec::new();
        for instance in instances {
            replies.push(self.join("", Some(instance)).0);
        }
        let effects = self.initial_delay_is_over();
        let ids: Vec<String> =
            replies.iter().map(|it| joined(&effects, *it).member.to_string()).collect();
        let assignments: Vec<(&str, &'static str)> =
            ids.iter().map(|id| (id.as_str(), "all")).collect();
        let effects = self.sync(&ids[0], 1, &assignments);
        self.settle(effects, Ok(()));
        assert_eq!(self.state_of_group(), Some(GroupState::Stable));
        ids
    }

    /// Waits until the first rebalance has waited for long enough.
    fn initial_delay_is_over(&mut self) -> Effects {
        let timeout =
            |delay| Timeout::InitialJoin { group: GROUP.into(), delay, remaining: Span::ZERO };
        let delay = self.config.group_initial_rebalance_delay;
        self.operate(|state, turn| state.on_timeout(timeout(delay), turn))
    }
}

/// The response to a join among some effects.
fn joined(effects: &Effects, reply: Reply) -> JoinGroupResponse {
    match response(effects, reply) {
        Some(Response::JoinGroup(response)) => response.clone(),
        other => panic!("{other:?}"),
    }
}

fn synced(effects: &Effects) -> Vec<SyncGroupResponse> {
    let of = |(_, response): &(Reply, Response)| match response {
        Response::SyncGroup(response) => Some(response.clone()),
        _ => None,
    };
    effects.responses.iter().filter_map(of).collect()
}

fn response(effects: &Effects, reply: Reply) -> Option<&Response> {
    effects.responses.iter().find(|(to, _)| *to == reply).map(|(_, response)| response)
}

/// The timers that are set.
fn set(effects: &Effects) -> Vec<(Timeout, Span)> {
    let of = |change: &SetTimer| match change {
        SetTimer::Set(timeout, after) | SetTimer::SetIfAbsent(timeout, after) => {
            Some((timeout.clone(), *after))
        }
        SetTimer::Cancel(_) => None,
    };
    effects.timers.iter().filter_map(of).collect()
}
