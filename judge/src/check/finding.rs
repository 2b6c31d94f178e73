//! What checks find.

use crate::evidence::{Cause, Moment, Witness};
use engine::ids::{Offset, TopicPartition};
use machine::{ClusterId, NodeId};

/// Something that a check found. Whether it breaks a promise is decided by [`crate::verdict`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// What it found, the same whatever the seed.
    pub what: &'static str,
    /// When the check found it, in nanoseconds.
    pub at: u64,
    /// The event in the trace.
    pub event: u64,
    /// The index of the partition.
    pub partition: Option<usize>,
    /// The offset.
    pub offset: Option<Offset>,
    /// The record.
    pub record: Option<u64>,
    /// More about it, in words.
    pub detail: String,
    /// What may excuse it.
    pub ground: Ground,
}

/// What may excuse a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "findings are few")]
pub enum Ground {
    /// Nothing excuses it.
    Never,
    /// A replica lacks a batch that it should have.
    Gone {
        /// What is known about the batch.
        witness: Witness,
        /// The entry of [`crate::evidence::Partition::losses`].
        loss: Option<u32>,
    },
    /// A node stopped by itself, for a cause for which Kafka's does.
    Halted {
        /// The node.
        node: NodeId,
        /// The cause.
        cause: Cause,
    },
    /// The cluster has not come back.
    NotBack {
        /// The partition that is missing, if it is one; see [`crate::evidence::Missing::about`].
        about: Option<(ClusterId, TopicPartition)>,
    },
    /// Bytes on the disk of a node are not what was written there: their checksum is wrong.
    Bytes {
        /// The node.
        node: NodeId,
    },
    /// A leader holds a record that cannot be read there. The record is on another disk as well,
    /// or its leader was enough to acknowledge it.
    Unreadable {
        /// The leader.
        node: NodeId,
    },
    /// The quorum has lost what a majority held.
    Quorum,
    /// A replica cut what the leader of its partition holds.
    CutAgain {
        /// The replica, an index of [`crate::evidence::Partition::replicas`].
        replica: usize,
    },
    /// The record stands in the partition this often.
    Copies(u32),
    /// The record carries a message that another record in a log carries.
    SentAgain {
        /// The record that carried it first.
        before: u64,
    },
    /// The record comes after one that was sent later.
    Overtaken {
        /// The number of the record that was sent later: of one that was last sent over the same
        /// connection, if there is one.
        by: u64,
        /// Of all that came before it the one that was sent last.
        latest: u64,
    },
    /// A batch of an idempotent producer does not follow the one before it.
    OutOfSequence,
    /// A snapshot of producers is not what the log of its replica says.
    Snapshot {
        /// The replica, an index of [`crate::evidence::Partition::replicas`].
        replica: usize,
    },
    /// A transaction is not what it should be.
    Transaction {
        /// The producer id.
        producer_id: i64,
        /// The partition of `__transaction_state` that has its state, if that is known.
        log: Option<usize>,
    },
    /// A reader was given what is not committed, as it asked for.
    Uncommitted {
        /// Its node. Its `isolation.level` is `read_uncommitted`.
        reader: NodeId,
    },
    /// A coordinator wrote a state that does not follow the one before it in the log.
    AfterPending {
        /// The state before it was not replicated at that time, and had been waiting for it for as
        /// long, in nanoseconds; `None` if it was replicated.
        pending: Option<u64>,
        /// `transaction.timeout.ms` of the producer, for which a coordinator waits.
        timeout_ms: i32,
        /// The producer id.
        producer_id: i64,
    },
    /// The record's producer does not know what became of it.
    OutcomeUnknown,
    /// The record was sent with acks=0.
    Unconfirmed,
}

/// What all checks found.
#[derive(Clone, Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds what a check found at some moment. Returns the finding, so that more can be said.
    pub fn add(
        &mut self,
        check: &'static str,
        what: &'static str,
        at: &Moment,
        partition: usize,
        ground: Ground,
    ) -> &mut Finding {
        let finding = self.add_without_partition(check, what, (at.at, at.event), ground);
        finding.partition = Some(partition);
        finding
    }

    /// Adds what a check found that is about no partition, `at` this time and event; event 0 if it
    /// rests on none. Returns the finding, so that more can be said.
    pub fn add_without_partition(
        &mut self,
        check: &'static str,
        what: &'static str,
        (at, event): (u64, u64),
        ground: Ground,
    ) -> &mut Finding {
        self.0.push(Finding {
            check,
            what,
            at,
            event,
            partition: None,
            offset: None,
            record: None,
            detail: String::new(),
            ground,
        });
        self.0.last_mut().expect("one was pushed")
    }
}

impl Finding {
    /// Names the offset.
    pub fn offset(&mut self, offset: Offset) -> &mut Self {
        self.offset = Some(offset);
        self
    }

    /// Names the record.
    pub fn record(&mut self, record: u64) -> &mut Self {
        self.record = Some(record);
        self
    }

    /// Says more.
    pub fn detail(&mut self, detail: String) -> &mut Self {
        self.detail = detail;
        self
    }
}
