//! The events of a trace in words: when, where, and what a process did or reported.

mod group;

use super::{Account, fields};
use engine::fact::{
    Again, ClientFact, EndTxnHandled, Fact, Positioning, TransactionOutcome, Truncation,
};
use engine::ids::{BrokerId, TopicPartition};
use engine::rules::election::How;
use judge::evidence::records;
use machine::CloseReason;
use sim::{TraceEvent, TraceKind};

impl Account {
    /// The trace as lines of JSON. Times are nanoseconds since the start of the load. The fact that
    /// a process reported stands there in words and as fields, a fault with its nodes and in words.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.trace.iter().map(|event| {
            let mut line = serde_json::to_value(event).expect("an event is plain data");
            if let Some(line) = line.as_object_mut() {
                line.insert("time_ns".to_owned(), self.history.since_load(event.time).into());
                if let Some(fact) = self.fact(event) {
                    line.insert("fact".to_owned(), fact.into());
                    line.extend(self.history.fact(event.id.0, fields::of).unwrap_or_default());
                }
                if let TraceKind::Applied(fault) | TraceKind::Undone(fault) = &event.kind {
                    let nodes = fault.nodes().into_iter().map(|node| node.to_string());
                    line.insert("nodes".to_owned(), nodes.collect::<Vec<_>>().into());
                    let words = fault.in_words(&|node| node.to_string());
                    line.insert("in_words".to_owned(), words.into());
                }
            }
            line.to_string()
        })
    }

    /// How many events of the trace come up to a moment, in nanoseconds since the start of the load.
    pub fn events_until(&self, until_ns: i64) -> usize {
        self.trace.partition_point(|event| self.history.since_load(event.time) <= until_ns)
    }

    /// An event in words: `1.500123 s  broker 1  appended 160..164 to orders-0`.
    pub fn in_words(&self, event: &TraceEvent) -> String {
        let at = self.history.since_load(event.time);
        let (sign, at) = (if at < 0 { "-" } else { "" }, at.unsigned_abs());
        let seconds = format!("{sign}{}", at / 1_000_000_000);
        let time = format!("{seconds:>3}.{:06} s", at / 1_000 % 1_000_000);
        let node = event.node.map_or_else(|| "-".to_owned(), |node| node.to_string());
        let what = self.fact(event).unwrap_or_else(|| happened(&event.kind));
        format!("{time}  {node:<5} {what}")
    }

    /// The fact that a process reported, if the event is of that kind.
    fn fact(&self, event: &TraceEvent) -> Option<String> {
        match event.kind {
            TraceKind::Fact { .. } => self.history.fact(event.id.0, fact),
            _ => None,
        }
    }
}

pub(super) fn happened(kind: &TraceKind) -> String {
    match kind {
        TraceKind::Received { from, message, .. } => format!("received {message} from {from}"),
        TraceKind::Woke => "a timer came due".to_owned(),
        TraceKind::Opened { peer, .. } => format!("has a connection with {peer}"),
        TraceKind::Closed { peer, reason, .. } => {
            let how = match reason {
                CloseReason::Refused => "was refused",
                CloseReason::Closed => "was closed",
                CloseReason::Reset => "was reset",
            };
            format!("the connection with {peer} {how}")
        }
        TraceKind::Stopping => "was asked to stop".to_owned(),
        TraceKind::DiskDone { operations: 1 } => "1 disk operation completed".to_owned(),
        TraceKind::DiskDone { operations } => format!("{operations} disk operations completed"),
        TraceKind::Connecting { peer, .. } => format!("connects to {peer}"),
        TraceKind::Sent { to, message, bytes, .. } => {
            format!("sent {message} to {to}, {bytes} bytes")
        }
        TraceKind::Cut { conn } => format!("a packet of connection {} was lost", conn.0),
        TraceKind::Unexpected { conn } => format!("reset the unknown connection {}", conn.0),
        TraceKind::Closing { conn } => format!("closes connection {}", conn.0),
        TraceKind::Fact { .. } => "reported a fact".to_owned(),
        TraceKind::Started { incarnation } => format!("started, life {incarnation}"),
        TraceKind::BootFailed { reason } => format!("could not start: {reason}"),
        TraceKind::Halted { reason: None } => "stopped".to_owned(),
        TraceKind::Halted { reason: Some(reason) } => format!("ended itself: {reason}"),
        TraceKind::Crashed { undone } => format!("crashed, {undone} disk operations undone"),
        TraceKind::PowerLost(report) => {
            format!("lost power, and {} unsynced bytes with it", report.bytes)
        }
        TraceKind::DiskLost { bytes } => format!("lost a disk, and {bytes} bytes with it"),
        TraceKind::SectorCorrupted { file, at } => {
            format!("the sector at {at} of {file} was corrupted")
        }
        TraceKind::Paused => "was paused".to_owned(),
        TraceKind::Resumed => "was resumed".to_owned(),
        TraceKind::Applied(fault) => {
            format!("fault: {}", fault.in_words(&|node| node.to_string()))
        }
        TraceKind::Undone(fault) => {
            format!("undone: {}", fault.in_words(&|node| node.to_string()))
        }
    }
}

/// A fact in words. `name` knows the names of topics.
fn fact(fact: &Fact, name: &dyn Fn(TopicPartition) -> String) -> String {
    match fact {
        Fact::Loaded { partition, log_start, log_end, high_watermark, clean, cut_bytes } => {
            let clean = if *clean { "a clean" } else { "an unclean" };
            let of = name(*partition);
            format!(
                "loaded {of} from {log_start} to {log_end} after {clean} end, high watermark \
                 {high_watermark}, {cut_bytes} bytes of an invalid tail cut"
            )
        }
        Fact::Appended { partition, as_leader, leader_epoch, batch } => {
            let role = role(*as_leader);
            let offsets = match engine::record::Batch::new(batch) {
                Ok(batch) => format!("{}..{}", batch.base_offset(), batch.last_offset() + 1),
                Err(_) => "a batch that cannot be read".to_owned(),
            };
            format!("appended {offsets} to {} as {role}, epoch {leader_epoch}", name(*partition))
        }
        Fact::Truncated { partition, leader_epoch, from, to, high_watermark, why } => {
            let why = match why {
                Truncation::Diverged { leader_end } => format!(
                    "the leader's epoch {} ends at {}",
                    leader_end.epoch, leader_end.end_offset
                ),
                Truncation::Following => "it began to follow".to_owned(),
                Truncation::BeyondLeader => "it was beyond the leader's end".to_owned(),
                Truncation::BehindLeader => "the leader's log starts behind its end".to_owned(),
            };
            format!(
                "cut {} from {from} to {to}: {why} (epoch {leader_epoch}, high watermark \
                 {high_watermark})",
                name(*partition)
            )
        }
        Fact::HighWatermark { partition, as_leader, leader_epoch, offset } => {
            let role = role(*as_leader);
            let of = name(*partition);
            format!("high watermark of {of} is {offset} as {role}, epoch {leader_epoch}")
        }
        Fact::BecameLeader {
            partition, leader_epoch, epoch_start, high_watermark, isr, ..
        } => {
            format!(
                "leads {} in epoch {leader_epoch} from {epoch_start}, high watermark \
                 {high_watermark}, ISR {}",
                name(*partition),
                ids(isr)
            )
        }
        Fact::BecameFollower { partition, leader_epoch, leader, log_end, .. } => format!(
            "follows {} in epoch {leader_epoch}, leader {}, log end {log_end}",
            name(*partition),
            broker(*leader)
        ),
        Fact::IsrProposed { partition, from, to, .. } => {
            format!("proposes ISR {} for {}, now {}", ids(to), name(*partition), ids(from))
        }
        Fact::IsrAdopted { partition, isr, .. } => {
            format!("has ISR {} for {}", ids(isr), name(*partition))
        }
        Fact::IsrRefused { partition, error, .. } => {
            format!("its ISR for {} was refused: {error}", name(*partition))
        }
        Fact::Acknowledged { partition, base_offset, last_offset, acks, leader_epoch, .. } => {
            let acks = if *acks < 0 { "all".to_owned() } else { acks.to_string() };
            format!(
                "acknowledged {base_offset}..{} of {} (acks={acks}, epoch {leader_epoch})",
                last_offset + 1,
                name(*partition)
            )
        }
        Fact::ProduceRefused { partition, error } => {
            format!("refused to write {}: {error}", name(*partition))
        }
        Fact::ProducerIdIssued { producer_id } => format!("gives a producer the id {producer_id}"),
        Fact::CoordinatorLoaded { partition, coordinator_epoch, ids } => format!(
            "coordinates the {ids} transactional ids of {} in epoch {coordinator_epoch}",
            name(*partition)
        ),
        Fact::CoordinatorResigned { partition, coordinator_epoch } => format!(
            "no longer coordinates the transactional ids of {} in epoch {coordinator_epoch}",
            name(*partition)
        ),
        Fact::TransactionalIdChanged { transactional_id, value, .. } => match value {
            Some(_) => format!("has a new state of {transactional_id}"),
            None => format!("has forgotten {transactional_id}"),
        },
        Fact::TransactionalIdInitialized {
            transactional_id, producer_id, producer_epoch, ..
        } => {
            format!("gives {transactional_id} to producer {producer_id} in epoch {producer_epoch}")
        }
        Fact::EndTxnReceived {
            client,
            transactional_id,
            producer_id,
            producer_epoch,
            commit,
            handled,
        } => {
            let result = if *commit { "commit" } else { "abort" };
            let handled = match handled {
                EndTxnHandled::Decides => "decides so".to_owned(),
                EndTxnHandled::Repeated => "had decided so before".to_owned(),
                EndTxnHandled::Refused(error) => format!("refuses: {error}"),
            };
            format!(
                "is asked by {client} to {result} the transaction of {transactional_id} (producer \
                 {producer_id}, epoch {producer_epoch}), and {handled}"
            )
        }
        Fact::TransactionDecided {
            transactional_id,
            producer_id,
            producer_epoch,
            committed,
            timed_out,
            partitions,
            ..
        } => {
            let outcome = match (committed, timed_out) {
                (true, _) => "commits",
                (false, false) => "aborts",
                (false, true) => "aborts after transaction.timeout.ms",
            };
            let partitions: Vec<String> = partitions.iter().map(|it| name(*it)).collect();
            format!(
                "{outcome} the transaction of {transactional_id} (producer {producer_id}, epoch \
                 {producer_epoch}) in {}",
                if partitions.is_empty() {
                    "no partition".to_owned()
                } else {
                    partitions.join(", ")
                }
            )
        }
        Fact::TransactionCompleted {
            transactional_id,
            producer_id,
            producer_epoch,
            committed,
            ..
        } => {
            let kind = if *committed { "commit" } else { "abort" };
            format!(
                "has every {kind} marker of {transactional_id} (producer {producer_id}, epoch \
                 {producer_epoch})"
            )
        }
        Fact::Group(fact) => group::coordinator(fact, name),
        Fact::FetchRefused { partition, replica, error } => {
            let whose = replica.map_or_else(|| "a consumer".to_owned(), |id| format!("{id}"));
            format!("refused a fetch of {} by {whose}: {error}", name(*partition))
        }
        Fact::Registered { broker_epoch, clean } => {
            let clean = if *clean { "a clean" } else { "an unclean" };
            format!("registered with broker epoch {broker_epoch} after {clean} end")
        }
        Fact::FencedChanged { fenced: true } => "sees that it is fenced".to_owned(),
        Fact::FencedChanged { fenced: false } => "sees that it is unfenced".to_owned(),
        Fact::LogDirFailed { path, partition, error } => {
            let which = if path.is_empty() { String::new() } else { format!(" {path}") };
            let of = partition.map_or_else(String::new, |it| format!(" ({})", name(it)));
            format!("its log directory{which} failed{of}: {error}")
        }
        Fact::MetadataApplied { offset } => format!("applied the metadata up to {offset}"),
        Fact::QuorumLeader { epoch, epoch_start } => {
            format!("leads the quorum in epoch {epoch} from {epoch_start}")
        }
        Fact::QuorumFollower { epoch, leader } => {
            format!("follows the quorum in epoch {epoch}, leader {}", broker(*leader))
        }
        Fact::QuorumCandidate { epoch, pre_vote: true } => {
            format!("asks whether it would be elected, epoch {epoch}")
        }
        Fact::QuorumCandidate { epoch, pre_vote: false } => {
            format!("is a candidate in epoch {epoch}")
        }
        Fact::QuorumResigned { epoch } => format!("resigned as quorum leader of epoch {epoch}"),
        Fact::ControllerActive { epoch } => format!("is the active controller of epoch {epoch}"),
        Fact::Elected { partition, leader, previous, leader_epoch, isr, elr, how, .. } => {
            let how = match how {
                How::Clean => "from the ISR",
                How::Eligible => "from the ELR",
                How::LastKnown => "as last known leader",
                How::Unclean => "out of sync",
            };
            let found = leader.map_or(String::new(), |_| format!(" {how}"));
            format!(
                "elected {}{found} to lead {} after {}, epoch {leader_epoch}, ISR {}, ELR {}",
                broker(*leader),
                name(*partition),
                broker(*previous),
                ids(isr),
                ids(elr)
            )
        }
        Fact::BrokerFenced { broker, fenced: true, asked: true } => {
            format!("fenced broker {broker}, which asked for it")
        }
        Fact::BrokerFenced { broker, fenced: true, .. } => format!("fenced broker {broker}"),
        Fact::BrokerFenced { broker, fenced: false, .. } => format!("unfenced broker {broker}"),
        Fact::Client(fact) => client(fact, name),
        Fact::RuleDiffered { rule } => format!("the rule {rule} decided otherwise than Kafka's"),
        Fact::Reached(what) => format!("reached {what}"),
    }
}

fn client(fact: &ClientFact, name: &dyn Fn(TopicPartition) -> String) -> String {
    match fact {
        ClientFact::Sent { record, partition, .. } => {
            format!("sends {} to {}", records::name(*record), name(*partition))
        }
        ClientFact::Message { record, message, again } => {
            let why = match again {
                None => "",
                Some(Again::GivenUp) => ", again because its producer gave it up",
                Some(Again::Restarted) => ", again after a restart",
            };
            format!("sends {} in {}{why}", records::message_name(*message), records::name(*record))
        }
        ClientFact::Confirmed { partition, base_offset, records, .. } => {
            let at = base_offset.map_or(String::new(), |offset| format!(" at {offset}"));
            format!("got {} confirmed in {}{at}", several(records), name(*partition))
        }
        ClientFact::Retried { partition, error, records } => {
            format!("sends {} to {} again after {error}", several(records), name(*partition))
        }
        ClientFact::Identified { producer_id, producer_epoch } => {
            format!("continues as producer {producer_id} in epoch {producer_epoch}")
        }
        ClientFact::Renumbered { partition, records } => {
            format!("sends {} to {} under another epoch", several(records), name(*partition))
        }
        ClientFact::TransactionsInitialized { transactional_id, producer_id, producer_epoch } => {
            format!(
                "owns the transactional id {transactional_id} as producer {producer_id} in epoch \
                 {producer_epoch}"
            )
        }
        ClientFact::TransactionBegun { transaction } => {
            format!("begins the transaction of {}", records::name(*transaction))
        }
        ClientFact::TransactionEnding { transaction, commit } => {
            let how = if *commit { "commits" } else { "aborts" };
            format!("{how} the transaction of {}", records::name(*transaction))
        }
        ClientFact::TransactionEnded { transaction, outcome, error } => {
            let of = records::name(*transaction);
            let outcome = match outcome {
                TransactionOutcome::Committed => format!("committed the transaction of {of}"),
                TransactionOutcome::Aborted => format!("aborted the transaction of {of}"),
                TransactionOutcome::GivenUp => format!("gave up the transaction of {of}"),
                TransactionOutcome::Unknown => {
                    format!("does not know whether the transaction of {of} is committed")
                }
            };
            let error = error.map_or(String::new(), |error| format!(" after {error}"));
            format!("{outcome}{error}")
        }
        ClientFact::Failed { error, maybe_written, records, .. } => {
            let maybe = if *maybe_written { ", which may be written all the same" } else { "" };
            format!("gave up {} after {error}{maybe}", several(records))
        }
        ClientFact::Delivered { partition, from, to, .. } => {
            format!("received {} from {from} to {to}", name(*partition))
        }
        ClientFact::Positioned { partition, from, to, why } => {
            let why = match why {
                Positioning::Seek => "it asked to",
                Positioning::Committed => "the group has committed it",
                Positioning::Start => "it had no position",
                Positioning::OutOfRange => "its position was out of range",
                Positioning::Truncated => "the log was cut below its position",
            };
            let from = from.map_or(String::new(), |from| format!(" from {from}"));
            format!("goes to {to}{from} in {}: {why}", name(*partition))
        }
        ClientFact::EndAsked { partition, .. } => {
            format!("asks for the end of {}", name(*partition))
        }
        ClientFact::EndShown { partition, offset, broker, .. } => {
            format!("learns from {broker} that {} ends at {offset}", name(*partition))
        }
        ClientFact::TimeShown { partition, timestamp, offset, broker } => {
            let found = match offset {
                Some(offset) => format!("{offset} is the first record"),
                None => "there is no record".to_owned(),
            };
            format!(
                "learns from {broker} that {found} of {} since {timestamp} ms",
                name(*partition)
            )
        }
        ClientFact::Threw { partition, exception } => {
            format!("threw {exception} for {}", name(*partition))
        }
        ClientFact::Member(fact) => group::member(fact, name),
        ClientFact::Paused { partitions } => format!("pauses {}", group::all(partitions, name)),
        ClientFact::Resumed { partitions } => format!("resumes {}", group::all(partitions, name)),
        ClientFact::Store(fact) => group::store(fact, name),
        ClientFact::ReadBack { partition, end } => {
            format!("has read {} back up to {end}", name(*partition))
        }
    }
}

fn role(as_leader: bool) -> &'static str {
    if as_leader { "leader" } else { "follower" }
}

fn broker(id: Option<BrokerId>) -> String {
    id.map_or_else(|| "no broker".to_owned(), |id| id.to_string())
}

fn ids(ids: &[BrokerId]) -> String {
    let list: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("{{{}}}", list.join(", "))
}

fn several(records: &[u64]) -> String {
    match records {
        [] => "no record".to_owned(),
        [only] => records::name(*only),
        [first, .., last] => {
            let (producer, from) = records::parts(*first);
            let (_, to) = records::parts(*last);
            format!("{} records from {producer}#{from} to {producer}#{to}", records.len())
        }
    }
}
