//! Decisions and records of the coordinator, compared with Kafka 4.1.

mod end;
mod init;
mod records;

use super::decide::Decider;
use super::state::{Entry, TransactionMetadata};
use crate::Outbox;
use crate::protocol::TransactionState;
use crate::rules::Rulebook;
use machine::NodeId;

/// The id and epoch of the producer in use.
const PRODUCER: (i64, i16) = (7, 3);
/// The present time, in milliseconds.
const NOW: i64 = 50_000;

/// A transactional id of [`PRODUCER`] in this state; its last transaction, if any, began at 1,000.
fn entry(state: TransactionState) -> Entry {
    let mut metadata = TransactionMetadata::new(PRODUCER.0, 60_000, 500);
    metadata.producer_epoch = PRODUCER.1;
    metadata.previous_producer_id = PRODUCER.0;
    metadata.state = state;
    if state != TransactionState::Empty {
        metadata.start_ms = 1_000;
    }
    if state == TransactionState::Ongoing || state.is_prepared() {
        metadata.partitions.entry("orders".into()).or_default().insert(0);
    }
    Entry::new(metadata)
}

/// Decides by the rules of Kafka, at a level of `transaction.version`.
fn at_level<T>(level: u16, decide: impl FnOnce(&mut Decider<'_>) -> T) -> T {
    let mut out = Outbox::new(NodeId::new(0, 1), 1);
    let rules = Rulebook::kafka();
    decide(&mut Decider { rules: &rules, out: &mut out, now_ms: NOW, level })
}
