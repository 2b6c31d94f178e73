//! Transcripts of a quorum. The commands:
//!
//! | command | effect |
//! |---|---|
//! | `voters ID…` | the voters, before any is started; 101, 102 and 103 by default |
//! | `start ID…` | starts members, on their old disks if they had any |
//! | `trace roles\|votes\|all\|none` | sets what is printed: facts; also messages other than fetches; also fetches; nothing |
//! | `run 5s` | time passes |
//! | `deliver` | messages arrive until none is in flight; no timer fires |
//! | `time-out ID` | the election or fetch time-out of a member runs out now |
//! | `append VALUE…` | the leader appends records |
//! | `resign ID` | a leader gives up its leadership |
//! | `crash ID`, `lose-power ID` | a member dies; its disk keeps or loses unsynced data |
//! | `lose-disk ID` | a member dies; it starts again on an empty disk |
//! | `cut ID`, `heal ID` | a member cannot be reached; it can again |
//! | `pause ID`, `continue ID` | a member neither receives messages nor wakes up |
//! | `state` | prints the members with their roles, epochs, votes and logs |
//! | `log ID` | prints the committed records of a member's log |

use super::net::Net;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::BrokerId;
use crate::protocol::{
    FetchRequest, FetchResponse, Message, Request, Response, VoteRequest, VoteResponse,
};
use crate::raft::role::Role;
use crate::record::Batch;
use crate::rules::quorum::LogEnd;
use crate::script::{self, Command, millis};
use crate::timer::QuorumTimer;
use std::fmt::Write as _;

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(concat!("raft/tests/transcripts/", stringify!($name), ".txt")); })*
    };
}

transcripts! {
    election pre_vote rejected_candidate leader_steps_down announcement divergence forgotten observer shared_voter restart
}

fn run(path: &str) {
    let mut net = Net { trace: Some(Vec::new()), ..Net::default() };
    script::check(path, |command| carry_out(&mut net, command));
}

fn carry_out(net: &mut Net, command: &Command) -> String {
    let id = || command.number::<BrokerId>(0);
    match command.name.as_str() {
        "start" => command.numbers().into_iter().for_each(|id| net.start(id)),
        "voters" => net.voters = command.numbers(),
        "trace" => net.trace = Some(command.words.clone()),
        "run" => net.run_for(command.duration(0)),
        "deliver" => net.deliver(),
        "time-out" => net.on_member(id(), |member, now, disk, out| {
            member.on_timer(now, QuorumTimer::Election, disk, out).unwrap();
        }),
        "append" => command.words.iter().for_each(|value| net.append(value)),
        "resign" => net.on_member(id(), |member, now, _, out| member.resign(now, out)),
        "crash" => net.crash(id()),
        "lose-power" => net.lose_power(id()),
        "lose-disk" => net.lose_disk(id()),
        "cut" => net.cut(id()),
        "heal" => drop(net.down.remove(&id())),
        "pause" => drop(net.paused.insert(id())),
        "continue" => drop(net.paused.remove(&id())),
        "state" => return state(net),
        "log" => return format!("{}\n", net.values(id()).join(" ")),
        _ => command.unknown(),
    }
    net.lines.drain(..).map(|line| line + "\n").collect()
}

fn state(net: &Net) -> String {
    let mut text = String::new();
    for (id, member) in &net.members {
        let role = match &member.role {
            Role::Unattached => "unattached".to_owned(),
            Role::Prospective { followed: None, .. } => "prospective".to_owned(),
            Role::Prospective { followed: Some(leader), .. } => {
                format!("prospective, followed {leader}")
            }
            Role::Candidate { .. } => "candidate".to_owned(),
            Role::Follower { leader, .. } => format!("follows {leader}"),
            Role::Leader(_) => "leader".to_owned(),
            Role::Resigned { .. } => "resigned".to_owned(),
        };
        let vote = member.vote.map_or(String::new(), |vote| format!(", voted for {vote}"));
        let LogEnd { last_epoch, end_offset: end } = member.last();
        let _ = writeln!(
            text,
            "{id:>5}  {role}, epoch {}{vote}; log end {end} of epoch {last_epoch}, high watermark {}",
            member.epoch, member.high_watermark
        );
    }
    text
}

impl Net {
    /// Adds a fact to the transcript.
    pub(super) fn note_fact(&mut self, id: BrokerId, fact: &Fact) {
        if self.trace.as_ref().is_some_and(|trace| !trace.iter().any(|word| word == "none"))
            && let Some(text) = describe_fact(fact)
        {
            self.lines.push(format!("{:>8}  {id:>5}  {text}", millis(self.now)));
        }
    }

    /// Adds the arrival of a message to the transcript.
    pub(super) fn note_message(&mut self, from: BrokerId, to: BrokerId, message: &Message) {
        let Some(trace) = &self.trace else { return };
        let is_fetch = matches!(
            message,
            Message::Request { body: Request::Fetch(_), .. }
                | Message::Response { body: Response::Fetch(_), .. }
        );
        let wanted = |word: &String| word == "all" || (word == "votes" && !is_fetch);
        if trace.iter().any(wanted) {
            let text = describe_message(message);
            self.lines.push(format!("{:>8}  {from:>5} -> {to}  {text}", millis(self.now)));
        }
    }
}

fn describe_fact(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Loaded { log_end, .. } => format!("loads a log that ends at {log_end}"),
        Fact::QuorumFollower { epoch, leader: Some(leader) } => {
            format!("follows {leader} in epoch {epoch}")
        }
        Fact::QuorumFollower { epoch, leader: None } => format!("knows no leader of epoch {epoch}"),
        Fact::QuorumCandidate { epoch, pre_vote: true } => {
            format!("is prospective in epoch {epoch}")
        }
        Fact::QuorumCandidate { epoch, pre_vote: false } => {
            format!("is a candidate of epoch {epoch}")
        }
        Fact::QuorumLeader { epoch, epoch_start } => {
            format!("leads epoch {epoch} from offset {epoch_start} on")
        }
        Fact::QuorumResigned { epoch } => format!("resigns epoch {epoch}"),
        Fact::HighWatermark { offset, .. } => format!("high watermark {offset}"),
        Fact::Truncated { from, to, .. } => format!("truncates its log from {from} to {to}"),
        _ => return None,
    })
}

fn describe_message(message: &Message) -> String {
    match message {
        Message::Application { name, .. } => (*name).to_owned(),
        Message::Request { body, .. } => match body {
            Request::Vote(VoteRequest {
                replica_epoch,
                last_offset_epoch,
                last_offset,
                pre_vote,
                ..
            }) => {
                let name = if *pre_vote { "PreVote" } else { "Vote" };
                format!(
                    "{name} epoch {replica_epoch}, log end {last_offset} of epoch {last_offset_epoch}"
                )
            }
            Request::BeginQuorumEpoch(begin) => format!("BeginQuorumEpoch {}", begin.leader_epoch),
            Request::EndQuorumEpoch(end) => {
                format!(
                    "EndQuorumEpoch {}, successors {:?}",
                    end.leader_epoch, end.preferred_candidates
                )
            }
            Request::Fetch(fetch) => describe_fetch(fetch),
            other => other.name().to_owned(),
        },
        Message::Response { body, .. } => match body {
            Response::Vote(VoteResponse { error, leader_epoch, vote_granted, .. }) => {
                let vote = if *vote_granted { "granted" } else { "rejected" };
                let error =
                    if error.is_none() { String::new() } else { format!(" {}", error.name()) };
                format!("{vote} in epoch {leader_epoch}{error}")
            }
            Response::Fetch(fetch) => describe_fetched(fetch),
            Response::BeginQuorumEpoch(response) => outcome(response.error),
            Response::EndQuorumEpoch(response) => outcome(response.error),
            other => other.name().to_owned(),
        },
    }
}

fn describe_fetch(fetch: &FetchRequest) -> String {
    let wanted = &fetch.partitions[0];
    let last = wanted.last_fetched_epoch.map_or("none".to_owned(), |epoch| epoch.to_string());
    let epoch = wanted.current_leader_epoch.unwrap_or(-1);
    format!("Fetch epoch {epoch}, from {} of epoch {last}", wanted.fetch_offset)
}

fn describe_fetched(fetch: &FetchResponse) -> String {
    let fetched = &fetch.partitions[0];
    if !fetched.error.is_none() {
        let leader = fetched.current_leader.and_then(|current| current.leader);
        let leader = leader.map_or("unknown".to_owned(), |leader| leader.to_string());
        let epoch = fetched.current_leader.map_or(-1, |current| current.epoch);
        return format!("{}, leader of epoch {epoch}: {leader}", outcome(fetched.error));
    }
    if let Some(diverging) = fetched.diverging_epoch {
        return format!("diverging: epoch {} ends at {}", diverging.epoch, diverging.end_offset);
    }
    let batches: Vec<String> = fetched
        .records
        .0
        .iter()
        .map(|bytes| {
            let batch = Batch::new(bytes).unwrap();
            format!(
                "{}..{} of epoch {}",
                batch.base_offset(),
                batch.next_offset(),
                batch.leader_epoch()
            )
        })
        .collect();
    let batches = if batches.is_empty() { "nothing".to_owned() } else { batches.join(", ") };
    format!("{batches}; high watermark {}", fetched.high_watermark)
}

fn outcome(error: ErrorCode) -> String {
    if error.is_none() { "ok".to_owned() } else { error.name().to_owned() }
}
