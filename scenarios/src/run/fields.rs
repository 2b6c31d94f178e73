//! The facts of a trace as fields: what pages and other programs read. `what` names the fact, the
//! other fields have the names and the units of the fact itself.

mod group;

use super::history::delivered;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, TransactionOutcome, Truncation};
use engine::ids::TopicPartition;
use engine::metadata::{MetadataRecord, decode_batch};
use engine::record::{Batch, EndTransactionMarker};
use engine::rules::election::How;
use judge::evidence::records;
use serde_json::{Map, Value, json};

/// Knows the names of partitions.
type Name<'a> = &'a dyn Fn(TopicPartition) -> String;

/// The fields of a fact; none if words are all that is ever needed of it.
pub(super) fn of(fact: &Fact, name: Name<'_>) -> Map<String, Value> {
    let fields = match fact {
        Fact::Client(fact) => client(fact, name),
        Fact::Appended { batch, .. } => appended(fact, batch, name),
        _ => of_log(fact, name).or_else(|| of_cluster(fact, name)),
    };
    match fields {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Facts about the log of a replica.
fn of_log(fact: &Fact, name: Name<'_>) -> Option<Value> {
    Some(match fact {
        Fact::Loaded { partition, log_start, log_end, high_watermark, clean, .. } => json!({
            "what": "loaded", "partition": name(*partition), "start": log_start, "end": log_end,
            "high_watermark": high_watermark, "clean": clean,
        }),
        Fact::Truncated { partition, leader_epoch, from, to, high_watermark, why } => json!({
            "what": "truncated", "partition": name(*partition), "epoch": leader_epoch,
            "from": from, "to": to, "high_watermark": high_watermark,
            "why": match why {
                Truncation::Diverged { .. } => "diverged",
                Truncation::Following => "following",
                Truncation::BeyondLeader => "beyond_leader",
                Truncation::BehindLeader => "behind_leader",
            },
        }),
        Fact::HighWatermark { partition, as_leader, leader_epoch, offset } => json!({
            "what": "high_watermark", "partition": name(*partition), "epoch": leader_epoch,
            "as_leader": as_leader, "offset": offset,
        }),
        Fact::BecameLeader {
            partition, leader_epoch, epoch_start, high_watermark, isr, ..
        } => {
            json!({
                "what": "became_leader", "partition": name(*partition), "epoch": leader_epoch,
                "start": epoch_start, "high_watermark": high_watermark, "isr": isr,
            })
        }
        Fact::BecameFollower { partition, leader_epoch, leader, log_end, high_watermark } => {
            json!({
                "what": "became_follower", "partition": name(*partition), "epoch": leader_epoch,
                "leader": leader, "end": log_end, "high_watermark": high_watermark,
            })
        }
        Fact::IsrProposed { partition, leader_epoch, from, to, .. } => json!({
            "what": "isr_proposed", "partition": name(*partition), "epoch": leader_epoch,
            "from_isr": from, "to_isr": to,
        }),
        Fact::IsrAdopted { partition, leader_epoch, isr, .. } => json!({
            "what": "isr_adopted", "partition": name(*partition), "epoch": leader_epoch,
            "isr": isr,
        }),
        Fact::IsrRefused { partition, leader_epoch, error } => json!({
            "what": "isr_refused", "partition": name(*partition), "epoch": leader_epoch,
            "error": error.name(),
        }),
        Fact::Acknowledged {
            partition,
            leader_epoch,
            base_offset,
            last_offset,
            acks,
            high_watermark,
            isr,
        } => json!({
            "what": "acknowledged", "partition": name(*partition), "epoch": leader_epoch,
            "from": base_offset, "to": last_offset + 1, "acks": acks,
            "high_watermark": high_watermark, "isr": isr,
        }),
        Fact::ProduceRefused { partition, error } => json!({
            "what": "produce_refused", "partition": name(*partition), "error": error.name(),
        }),
        Fact::FetchRefused { partition, error, .. } => json!({
            "what": "fetch_refused", "partition": name(*partition), "error": error.name(),
        }),
        _ => return None,
    })
}

/// Facts about brokers, controllers and coordinators.
fn of_cluster(fact: &Fact, name: Name<'_>) -> Option<Value> {
    Some(match fact {
        Fact::Elected { partition, leader, previous, leader_epoch, isr, elr, how, .. } => json!({
            "what": "elected", "partition": name(*partition), "epoch": leader_epoch,
            "leader": leader, "previous": previous, "isr": isr, "elr": elr,
            "how": match how {
                How::Clean => "clean",
                How::Eligible => "eligible",
                How::LastKnown => "last_known",
                How::Unclean => "unclean",
            },
        }),
        Fact::BrokerFenced { broker, fenced, .. } => json!({
            "what": "broker_fenced", "broker": broker, "fenced": fenced,
        }),
        Fact::Registered { broker_epoch, clean } => json!({
            "what": "registered", "broker_epoch": broker_epoch, "clean": clean,
        }),
        Fact::FencedChanged { fenced } => json!({ "what": "fenced_changed", "fenced": fenced }),
        Fact::LogDirFailed { .. } => json!({ "what": "log_dir_failed" }),
        Fact::QuorumLeader { epoch, .. } => json!({ "what": "quorum_leader", "epoch": epoch }),
        Fact::QuorumResigned { epoch } => json!({ "what": "quorum_resigned", "epoch": epoch }),
        Fact::ControllerActive { epoch } => {
            json!({ "what": "controller_active", "epoch": epoch })
        }
        Fact::TransactionDecided { transactional_id, committed, partitions, .. } => json!({
            "what": "transaction_decided", "transactional_id": transactional_id.to_string(),
            "committed": committed,
            "partitions": partitions.iter().map(|it| name(*it)).collect::<Vec<_>>(),
        }),
        Fact::TransactionCompleted { transactional_id, committed, .. } => json!({
            "what": "transaction_completed", "transactional_id": transactional_id.to_string(),
            "committed": committed,
        }),
        Fact::Group(fact) => group::coordinator(fact),
        Fact::RuleDiffered { rule } => json!({ "what": "rule_differed", "rule": rule }),
        Fact::Reached(what) => json!({ "what": "reached", "step": what.to_string() }),
        _ => return None,
    })
}

/// A batch that was appended, decoded: the records of the workload, or what it changes in the
/// metadata.
fn appended(fact: &Fact, bytes: &bytes::Bytes, name: Name<'_>) -> Option<Value> {
    let Fact::Appended { partition, as_leader, leader_epoch, .. } = fact else { return None };
    let mut fields = json!({
        "what": "appended", "partition": name(*partition), "epoch": leader_epoch,
        "as_leader": as_leader,
    });
    let Ok(batch) = Batch::new(bytes) else { return Some(fields) };
    let (from, to) = (batch.base_offset(), batch.last_offset() + 1);
    (fields["from"], fields["to"]) = (json!(from), json!(to));
    if *partition == TopicPartition::METADATA {
        fields["changes"] = changes(bytes, name);
        return Some(fields);
    }
    if batch.is_transactional() {
        fields["producer_id"] = json!(batch.producer_id());
    }
    // The records of Kafka's own topics have no numbers.
    let is_internal = fields["partition"].as_str().is_some_and(|name| name.starts_with("__"));
    match batch.is_control().then(|| EndTransactionMarker::of(batch)) {
        Some(Ok(Some(EndTransactionMarker { committed, .. }))) => {
            fields["marker"] = json!(if committed { "commit" } else { "abort" });
        }
        None if !is_internal => {
            fields["records"] = numbered(&delivered(std::slice::from_ref(bytes), from, to));
        }
        _ => {}
    }
    Some(fields)
}

/// Pairs of offset and record, as `[1340, "3#739"]`.
fn numbered(records: &[(i64, Option<u64>)]) -> Value {
    records.iter().map(|(offset, number)| json!([offset, number.map(short)])).collect()
}

/// `3#739`
fn short(number: u64) -> String {
    let (producer, n) = records::parts(number);
    format!("{producer}#{n}")
}

fn all_short(numbers: &[u64]) -> Vec<String> {
    numbers.iter().copied().map(short).collect()
}

/// The records of a batch of the metadata log that change partitions.
fn changes(bytes: &bytes::Bytes, name: Name<'_>) -> Value {
    let records = decode_batch(bytes).unwrap_or_default();
    let changes = records.into_iter().filter_map(|(offset, record)| match record {
        MetadataRecord::Partition(it) => Some(json!({
            "offset": offset, "partition": name(it.partition), "replicas": it.replicas,
            "leader": it.leader, "epoch": it.leader_epoch, "isr": it.isr, "elr": it.elr,
        })),
        MetadataRecord::PartitionChange(it) => {
            let mut change = json!({ "offset": offset, "partition": name(it.partition) });
            // An absent field does not change; a leader that is null is none.
            if let Some(leader) = it.leader {
                change["leader"] = json!(leader);
            }
            if let Some(isr) = it.isr {
                change["isr"] = json!(isr);
            }
            if let Some(elr) = it.elr {
                change["elr"] = json!(elr);
            }
            Some(change)
        }
        _ => None,
    });
    changes.collect()
}

/// A call or an observation of a client.
fn client(fact: &ClientFact, name: Name<'_>) -> Option<Value> {
    Some(match fact {
        ClientFact::Sent { record, partition, acks } => json!({
            "what": "sent", "partition": name(*partition), "record": short(*record), "acks": acks,
        }),
        ClientFact::Confirmed { partition, base_offset, records, .. } => json!({
            "what": "confirmed", "partition": name(*partition), "from": base_offset,
            "numbers": all_short(records),
        }),
        ClientFact::Retried { partition, error, records } => json!({
            "what": "retried", "partition": name(*partition), "error": error.name(),
            "numbers": all_short(records),
        }),
        ClientFact::Failed { partition, error, maybe_written, records, .. } => json!({
            "what": "failed", "partition": partition.map(name), "error": error.name(),
            "maybe_written": maybe_written, "numbers": all_short(records),
        }),
        ClientFact::Delivered { partition, from, to, batches } => json!({
            "what": "delivered", "partition": name(*partition), "from": from, "to": to,
            "records": numbered(&delivered(batches, *from, *to)),
        }),
        ClientFact::Positioned { partition, to, .. } => json!({
            "what": "positioned", "partition": name(*partition), "to": to,
        }),
        ClientFact::Member(fact) => group::member(fact, name),
        ClientFact::Paused { partitions } => json!({
            "what": "paused", "partitions": partitions.iter().map(|it| name(*it)).collect::<Vec<_>>(),
        }),
        ClientFact::Resumed { partitions } => json!({
            "what": "resumed", "partitions": partitions.iter().map(|it| name(*it)).collect::<Vec<_>>(),
        }),
        ClientFact::Store(fact) => group::store(fact, name),
        ClientFact::ReadBack { partition, end } => json!({
            "what": "read_back", "partition": name(*partition), "end": end,
        }),
        ClientFact::TransactionBegun { transaction } => json!({
            "what": "transaction_begun", "transaction": short(*transaction),
        }),
        ClientFact::TransactionEnding { transaction, commit } => json!({
            "what": "transaction_ending", "transaction": short(*transaction), "commit": commit,
        }),
        ClientFact::TransactionEnded { transaction, outcome, error } => json!({
            "what": "transaction_ended", "transaction": short(*transaction),
            "outcome": match outcome {
                TransactionOutcome::Committed => "committed",
                TransactionOutcome::Aborted => "aborted",
                TransactionOutcome::GivenUp => "given_up",
                TransactionOutcome::Unknown => "unknown",
            },
            "error": error.map(ErrorCode::name),
        }),
        _ => return None,
    })
}
