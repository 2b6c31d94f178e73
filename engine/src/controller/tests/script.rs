//! Transcripts of an active controller. Each shows the response to a request and the records of the
//! decision. The commands:
//!
//! | command | effect |
//! |---|---|
//! | `register ID incarnation=N` | a broker registers; `previous=EPOCH` is in its clean-shutdown file, `dirs=11,12` are its log directories |
//! | `heartbeat ID [shut-down] [fence]` | a heartbeat; `offset=N` is the offset that the broker has applied (the last one by default), `offline=11` are failed directories |
//! | `start ID…` | brokers register and are unfenced |
//! | `run 9s [alive=1,2]` | time passes; the brokers listed send a heartbeat every 2 s |
//! | `create NAME replicas=1,2,3 [PROPERTY=VALUE]` | creates a topic of one partition |
//! | `alter ID NAME isr=1,2` | a leader proposes an ISR; `partition-epoch=N` instead of the present one |
//! | `elect preferred\|unclean NAME` | an admin requests an election |
//! | `assign ID NAME dir=11` | a broker reports the directory of its replica |
//! | `fail-over` | another controller becomes active |
//! | `state` | prints the brokers and partitions |

use super::bench::{Bench, assigned};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, DirectoryId, TopicPartition};
use crate::metadata::MetadataRecord;
use crate::protocol::{
    AssignReplicasToDirsRequest, BrokerHeartbeatRequest, ElectLeadersRequest, ElectionType,
    Response,
};
use crate::rules::Rules;
use crate::script::{self, Command};
use crate::timer::ControllerTimer;
use machine::Span;
use std::fmt::Write as _;

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(#[test] fn $name() {
            run(concat!("controller/tests/transcripts/", stringify!($name), ".txt"));
        })*
    };
}

transcripts! { registration fencing controlled_shutdown isr_and_elr log_directories }

fn run(path: &str) {
    let mut script = Script { bench: Bench::new(Rules::kafka(), true), shown: 0 };
    script.shown = script.bench.log.len();
    script::check(path, |command| script.carry_out(command));
    assert!(script.bench.active.index_is_current());
    assert_eq!(script.bench.replayed(), script.bench.active.image);
}

struct Script {
    bench: Bench,
    /// How many records of the log have been printed.
    shown: usize,
}

fn dirs(numbers: &[u128]) -> Vec<DirectoryId> {
    numbers.iter().map(|number| DirectoryId(1000 + number)).collect()
}

fn dir_name(dir: DirectoryId) -> String {
    match dir.0.checked_sub(1000) {
        Some(number) if number < 1000 => number.to_string(),
        _ if dir.is_reserved() => dir.to_string(),
        _ => "only".to_owned(),
    }
}

fn dir_names(dirs: &[DirectoryId]) -> String {
    let names: Vec<String> = dirs.iter().map(|dir| dir_name(*dir)).collect();
    format!("[{}]", names.join(", "))
}

fn or_none(id: Option<BrokerId>) -> String {
    id.map_or("none".to_owned(), |id| id.to_string())
}

impl Script {
    fn carry_out(&mut self, command: &Command) -> String {
        let response = match command.name.as_str() {
            "register" => self.register(command),
            "heartbeat" => self.heartbeat(command),
            "start" => {
                for id in command.numbers::<BrokerId>() {
                    self.bench.start(id, u128::from(id), None);
                }
                String::new()
            }
            "run" => self.run(command.duration(0), &command.list("alive")),
            "create" => self.create(command),
            "alter" => self.alter(command),
            "elect" => self.elect(command),
            "assign" => self.assign(command),
            "fail-over" => {
                self.bench.fail_over();
                String::new()
            }
            "state" => self.state(),
            _ => command.unknown(),
        };
        response + &self.new_records()
    }

    fn partition(&self, name: &str) -> TopicPartition {
        let topic = self.bench.active.image.topic_by_name(name).expect("a topic of that name");
        TopicPartition::new(topic.id, 0)
    }

    fn register(&mut self, command: &Command) -> String {
        let id: BrokerId = command.number(0);
        let incarnation = command.list("incarnation")[0];
        let previous = command.list("previous").first().copied();
        let named = dirs(&command.list("dirs"));
        let dirs = if named.is_empty() { vec![DirectoryId::of_broker(id)] } else { named };
        match self.bench.register_with_dirs(id, incarnation, previous, &dirs) {
            Ok(epoch) => format!("broker {id} has epoch {epoch}\n"),
            Err(error) => format!("{}\n", error.name()),
        }
    }

    fn heartbeat(&mut self, command: &Command) -> String {
        let broker = command.number(0);
        let request = BrokerHeartbeatRequest {
            broker,
            broker_epoch: self.bench.epoch(broker),
            current_metadata_offset: command
                .list("offset")
                .first()
                .copied()
                .unwrap_or(self.bench.active.last_offset()),
            want_fence: command.has("fence"),
            want_shut_down: command.has("shut-down"),
            offline_log_dirs: dirs(&command.list("offline")),
        };
        match self.bench.ask(request) {
            Ok(Response::BrokerHeartbeat(response)) => format!(
                "{}, {}{}\n",
                if response.is_caught_up { "caught up" } else { "not caught up" },
                if response.is_fenced { "fenced" } else { "unfenced" },
                if response.should_shut_down { ", may shut down" } else { "" },
            ),
            Ok(other) => panic!("{other:?}"),
            Err(error) => format!("{}\n", error.name()),
        }
    }

    /// Lets time pass, with all timers and the heartbeats of the brokers that are alive.
    fn run(&mut self, span: Span, alive: &[BrokerId]) -> String {
        let began = self.bench.now;
        let end = began + span;
        let mut text = String::new();
        let mut beat_at = began;
        loop {
            let timers =
                [ControllerTimer::Sessions, ControllerTimer::Balance, ControllerTimer::Unclean];
            let due = timers.map(|timer| (self.bench.timer_at(timer), timer));
            let next = due.into_iter().filter_map(|(at, timer)| Some((at?, timer))).min();
            let next = next.filter(|(at, _)| *at < beat_at || alive.is_empty());
            let at = next.map_or(beat_at, |(at, _)| at);
            if at > end || (next.is_none() && alive.is_empty()) {
                break;
            }
            self.bench.now = at;
            match next {
                Some((_, timer)) => self.bench.timer(timer),
                None => {
                    for id in alive {
                        let _ = self.bench.beat(*id, false);
                    }
                    beat_at += Span::secs(2);
                }
            }
            let records = self.new_records();
            if !records.is_empty() {
                let _ = writeln!(text, "after {} ms:", at.since(began).as_millis());
                text += &records;
            }
        }
        self.bench.now = end;
        text
    }

    fn create(&mut self, command: &Command) -> String {
        let replicas: Vec<BrokerId> = command.list("replicas");
        let properties = ["min.insync.replicas", "unclean.leader.election.enable"];
        let configs: Vec<(&str, &str)> =
            properties.iter().filter_map(|key| Some((*key, command.option(key)?))).collect();
        let topic = assigned(&command.words[0], &[&replicas], &configs);
        error(self.bench.create(vec![topic]).topics[0].error)
    }

    fn alter(&mut self, command: &Command) -> String {
        let from = command.number(0);
        let partition = self.partition(&command.words[1]);
        let isr: Vec<BrokerId> = command.list("isr");
        let mut proposal = self.bench.proposal(partition, &isr);
        if let Some(epoch) = command.list("partition-epoch").first() {
            proposal.partition_epoch = *epoch;
        }
        error(self.bench.alter(from, proposal).error)
    }

    fn elect(&mut self, command: &Command) -> String {
        let election_type =
            if command.has("unclean") { ElectionType::Unclean } else { ElectionType::Preferred };
        let partitions = Some(vec![self.partition(&command.words[1])]);
        let request = ElectLeadersRequest { election_type, partitions, timeout: Span::secs(30) };
        match self.bench.ask(request) {
            Ok(Response::ElectLeaders(response)) => error(response.partitions[0].1),
            other => panic!("{other:?}"),
        }
    }

    fn assign(&mut self, command: &Command) -> String {
        let broker = command.number(0);
        let partition = self.partition(&command.words[1]);
        let request = AssignReplicasToDirsRequest {
            broker,
            broker_epoch: self.bench.epoch(broker),
            directories: vec![(dirs(&command.list("dir"))[0], vec![partition])],
        };
        match self.bench.ask(request) {
            Ok(Response::AssignReplicasToDirs(response)) => error(response.directories[0].1[0].1),
            other => panic!("{other:?}"),
        }
    }

    fn state(&self) -> String {
        let image = &self.bench.active.image;
        let mut text = String::new();
        for broker in image.brokers() {
            let fenced = if broker.fenced { "fenced" } else { "unfenced" };
            let leaving = if broker.in_controlled_shutdown { ", shutting down" } else { "" };
            let dirs = dir_names(&broker.log_dirs);
            let _ = writeln!(
                text,
                "broker {}: epoch {}, {fenced}{leaving}, directories {dirs}",
                broker.id, broker.epoch
            );
        }
        for topic in image.topics() {
            for (index, state) in topic.partitions.iter().enumerate() {
                let _ = writeln!(
                    text,
                    "{}-{index}: leader {} of epoch {}, ISR {:?}, ELR {:?}, directories {}",
                    topic.name,
                    or_none(state.leader),
                    state.leader_epoch,
                    state.isr,
                    state.elr,
                    dir_names(&state.directories)
                );
            }
        }
        text
    }

    fn new_records(&mut self) -> String {
        let mut text = String::new();
        for (offset, record) in self.bench.log.iter().enumerate().skip(self.shown) {
            if *record != MetadataRecord::NoOp {
                let _ = writeln!(text, "  {offset:>3}  {}", self.describe(record));
            }
        }
        self.shown = self.bench.log.len();
        text
    }

    fn describe(&self, record: &MetadataRecord) -> String {
        let name = |partition: TopicPartition| {
            let topic = self.bench.active.image.topic(partition.topic);
            format!("{}-{}", topic.map_or("?", |topic| &topic.name), partition.partition)
        };
        match record {
            MetadataRecord::RegisterBroker(r) => format!(
                "RegisterBroker {} epoch {}, incarnation {}, {}",
                r.broker,
                r.broker_epoch,
                r.incarnation,
                if r.fenced { "fenced" } else { "unfenced" }
            ),
            MetadataRecord::BrokerRegistrationChange(r) => {
                let mut fields = Vec::new();
                fields.extend(r.fenced.map(|fenced| format!("fenced {fenced}")));
                fields.extend(r.in_controlled_shutdown.map(|_| "shutting down".to_owned()));
                let dirs = r.log_dirs.as_ref().map(|dirs| dir_names(dirs));
                fields.extend(dirs.map(|dirs| format!("directories {dirs}")));
                format!("BrokerRegistrationChange {}: {}", r.broker, fields.join(", "))
            }
            MetadataRecord::Topic { name, .. } => format!("Topic {name}"),
            MetadataRecord::Partition(r) => {
                format!(
                    "Partition {}: leader {}, ISR {:?}",
                    name(r.partition),
                    or_none(r.leader),
                    r.isr
                )
            }
            MetadataRecord::PartitionChange(r) => {
                let mut fields = Vec::new();
                fields.extend(r.leader.map(|leader| format!("leader {}", or_none(leader))));
                fields.extend(r.isr.as_ref().map(|isr| format!("ISR {isr:?}")));
                fields.extend(r.elr.as_ref().map(|elr| format!("ELR {elr:?}")));
                let last = r.last_known_leader;
                fields.extend(last.map(|last| format!("last known leader {}", or_none(last))));
                let dirs = r.directories.as_ref().map(|dirs| dir_names(dirs));
                fields.extend(dirs.map(|dirs| format!("directories {dirs}")));
                format!("PartitionChange {}: {}", name(r.partition), fields.join(", "))
            }
            MetadataRecord::Config { name, value, .. } => {
                format!("Config {name}={}", value.as_deref().unwrap_or("default"))
            }
            other => format!("{other:?}"),
        }
    }
}

fn error(error: ErrorCode) -> String {
    if error.is_none() { String::new() } else { format!("{}\n", error.name()) }
}
