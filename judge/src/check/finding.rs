//! What checks find.

use crate::evidence::{Cause, Moment, Witness};
use engine::ids::{Offset, TopicPartition};
use machine::{ClusterId, NodeId};

/// Something that a check found. Whether it breaks a promise is decided by [`crate::verdict`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// The kind of finding, in words that do not depend on the seed.
    pub what: &'static str,
    /// When the check found it, in nanoseconds.
    pub at: u64,
    /// The number of the event in the trace; 0 if it rests on none.
    pub event: u64,
    /// The partition, an index of [`crate::evidence::View::partitions`], if the finding is about
    /// one.
    pub partition: Option<usize>,
    /// The offset, if the finding is about one.
    pub offset: Option<Offset>,
    /// The number of the record, if the finding is about one.
    pub record: Option<u64>,
    /// Details, in words.
    pub detail: String,
    /// What may excuse the finding.
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
        /// The state of the batch.
        witness: Witness,
        /// The entry of [`crate::evidence::Partition::losses`].
        loss: Option<u32>,
    },
    /// A process ended itself, for a cause for which Kafka's does.
    Halted {
        /// The node.
        node: NodeId,
        /// The cause.
        cause: Cause,
    },
    /// The healed cluster lacks something at the deadline.
    NotBack {
        /// The partition concerned, if there is one; see [`crate::evidence::Missing::about`].
        about: Option<(ClusterId, TopicPartition)>,
    },
    /// Bytes on the disk of a node are not what was written there: their checksum is wrong.
    Bytes {
        /// The node.
        node: NodeId,
    },
    /// A record cannot be read on the leader's disk. It is on another disk, or the leader alone was
    /// enough to acknowledge it.
    Unreadable {
        /// The leader.
        node: NodeId,
    },
    /// The metadata quorum has lost records that a majority held.
    Quorum,
    /// A replica truncated batches that its partition's leader holds.
    CutAgain {
        /// The replica, an index of [`crate::evidence::Partition::replicas`].
        replica: usize,
    },
    /// The partition holds this many copies of the record.
    Copies(u32),
    /// Another record in a log carries the same message.
    SentAgain {
        /// The number of the record that carried the message first.
        before: u64,
    },
    /// The record is stored after a record that was sent later.
    Overtaken {
        /// The number of a record that was sent later, if possible one whose batch was last sent
        /// over the same connection.
        by: u64,
        /// Among the records stored before it, the number of the one that was sent last.
        latest: u64,
    },
    /// A batch of an idempotent producer does not follow the previous one.
    OutOfSequence,
    /// A snapshot of producers differs from the log of its replica.
    Snapshot {
        /// The replica, an index of [`crate::evidence::Partition::replicas`].
        replica: usize,
    },
    /// The outcome of a transaction is wrong.
    Transaction {
        /// The producer id.
        producer_id: i64,
        /// The partition of `__transaction_state` with the state of its transactional id, if known.
        log: Option<usize>,
    },
    /// A coordinator aborted a transaction of its own accord.
    TimedOut {
        /// For how long it had been open, in milliseconds of the coordinator's clock.
        open_ms: i64,
        /// `transaction.timeout.ms` of its producer.
        timeout_ms: i32,
    },
    /// A producer was fenced by another one.
    Fenced {
        /// The client that has its transactional id now.
        by: NodeId,
        /// When that one's `initTransactions` returned, in nanoseconds.
        at: u64,
    },
    /// A reader with `isolation.level=read_uncommitted` received uncommitted records.
    Uncommitted {
        /// The reader's node.
        reader: NodeId,
    },
    /// A coordinator wrote a state that cannot follow the previous one in the log.
    AfterPending {
        /// How long the state before waited to be replicated, in nanoseconds, if only until the
        /// wrong one was written; `None` if there is none before.
        pending: Option<u64>,
        /// `transaction.timeout.ms` of the producer: how long a coordinator waits for its record to
        /// be replicated.
        timeout_ms: i32,
        /// The producer id.
        producer_id: i64,
    },
    /// Something about a group of consumers.
    Group(GroupGround),
    /// The record's producer does not know its outcome.
    OutcomeUnknown,
    /// The record was sent with acks=0.
    Unconfirmed,
}

/// What may excuse a finding about a group of consumers. Processes are indexes of
/// [`crate::evidence::Members::all`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupGround {
    /// The record of a committed offset, or of a generation, has left the log.
    Gone {
        /// The partition of `__consumer_offsets`.
        log: usize,
        /// The batch of the record.
        batch: u32,
    },
    /// A member had committed the offset after a record that its application had not finished with.
    CommittedEarly {
        /// The member's process.
        life: usize,
        /// The commit, an index of [`crate::evidence::Life::commits`].
        commit: usize,
    },
    /// A member was moved beyond records, or back to records that the group had processed.
    Moved {
        /// The member's process.
        life: usize,
        /// The move, an index of [`crate::evidence::Life::moved`].
        moved: usize,
    },
    /// Records were processed again: the second member began at an offset that the first had not
    /// committed beyond.
    NotCommitted {
        /// The process that had processed the record first.
        first: usize,
        /// The process that processed it again, and began below it.
        second: usize,
        /// The place where it began, an index of [`crate::evidence::Life::moved`].
        moved: usize,
    },
    /// A member processed a record after another one had got its partition.
    Zombie {
        /// The process that went on.
        life: usize,
        /// The process that had the partition by then.
        owner: usize,
    },
    /// A member began at the committed offset while a later commit was not yet replicated.
    InFlight {
        /// The member's process.
        life: usize,
        /// Where it began, an index of [`crate::evidence::Life::moved`].
        moved: usize,
    },
    /// An input of a pipeline has more results than one reading of it makes.
    Results {
        /// The process that wrote the first of them.
        first: usize,
        /// The process that wrote the last of them.
        last: usize,
    },
    /// An application wrote to its store although another one had claimed the partition.
    Unfenced {
        /// The transaction, an index of [`crate::evidence::group::Store::commits`].
        commit: usize,
    },
    /// A request to commit was stored after a later one of the same member.
    Late {
        /// The member's process.
        life: usize,
        /// The commit, an index of [`crate::evidence::Life::commits`].
        commit: usize,
    },
}

/// The findings of all checks.
#[derive(Clone, Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a finding about a partition. Returns it, so that the caller can add details.
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

    /// Adds a finding about no partition, at a time and event; event 0 if it rests on none. Returns
    /// it, so that the caller can add details.
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
    /// Sets the offset.
    pub fn offset(&mut self, offset: Offset) -> &mut Self {
        self.offset = Some(offset);
        self
    }

    /// Sets the record.
    pub fn record(&mut self, record: u64) -> &mut Self {
        self.record = Some(record);
        self
    }

    /// Sets the details.
    pub fn detail(&mut self, detail: String) -> &mut Self {
        self.detail = detail;
        self
    }
}
