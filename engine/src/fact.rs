//! The facts that processes report to the observers of a run. Checks use these and bytes; nothing
//! in the engine reads them.

mod group;
mod store;

pub use group::{
    AssignedMember, CommitKind, ConsumerGroupState, ConsumerMemberState, GroupFact, GroupState,
    Leaving, MemberFact, MemberRemoval, Revocation,
};
pub use store::StoreFact;

use crate::error::ErrorCode;
use crate::ids::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch, TopicPartition, TransactionalId,
};
use crate::protocol::EpochEndOffset;
use crate::reach::Reach;
use crate::rules::election::{How, Reason};
use bytes::Bytes;
use machine::{ConnId, NodeId};

/// An event in a process. The collector of facts knows the process, the time and the cause. Facts
/// about [`TopicPartition::METADATA`] concern the metadata log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A log was loaded at start.
    Loaded {
        /// The partition.
        partition: TopicPartition,
        /// The log start offset.
        log_start: Offset,
        /// The log end offset that was found.
        log_end: Offset,
        /// The high watermark from the checkpoint.
        high_watermark: Offset,
        /// The last life ended with a clean shutdown.
        clean: bool,
        /// The number of bytes of an invalid tail that were cut.
        cut_bytes: u64,
    },
    /// A batch was appended.
    Appended {
        /// The partition.
        partition: TopicPartition,
        /// Whether the leader appended it; otherwise a follower.
        as_leader: bool,
        /// The leader epoch of the replica.
        leader_epoch: LeaderEpoch,
        /// The batch as stored in the log.
        batch: Bytes,
    },
    /// A log was cut.
    Truncated {
        /// The partition.
        partition: TopicPartition,
        /// The leader epoch of the replica.
        leader_epoch: LeaderEpoch,
        /// The log end offset before.
        from: Offset,
        /// The log end offset after.
        to: Offset,
        /// The replica's high watermark before.
        high_watermark: Offset,
        /// The reason for the truncation.
        why: Truncation,
    },
    /// A replica's high watermark changed.
    HighWatermark {
        /// The partition.
        partition: TopicPartition,
        /// Of the leader, not of a follower.
        as_leader: bool,
        /// The leader epoch of the replica.
        leader_epoch: LeaderEpoch,
        /// The high watermark.
        offset: Offset,
    },
    /// A replica began to lead.
    BecameLeader {
        /// The partition.
        partition: TopicPartition,
        /// The new epoch.
        leader_epoch: LeaderEpoch,
        /// The partition epoch.
        partition_epoch: PartitionEpoch,
        /// The start offset of the new epoch: the log end offset.
        epoch_start: Offset,
        /// The high watermark.
        high_watermark: Offset,
        /// The in-sync replicas.
        isr: Vec<BrokerId>,
    },
    /// A replica began to follow a leader, or learned that there is none.
    BecameFollower {
        /// The partition.
        partition: TopicPartition,
        /// The new epoch.
        leader_epoch: LeaderEpoch,
        /// The leader, if there is one.
        leader: Option<BrokerId>,
        /// The log end offset.
        log_end: Offset,
        /// The high watermark.
        high_watermark: Offset,
    },
    /// A leader proposed other in-sync replicas.
    IsrProposed {
        /// The partition.
        partition: TopicPartition,
        /// The leader epoch.
        leader_epoch: LeaderEpoch,
        /// The partition epoch that the proposal changes.
        partition_epoch: PartitionEpoch,
        /// The committed in-sync replicas.
        from: Vec<BrokerId>,
        /// The proposed in-sync replicas.
        to: Vec<BrokerId>,
    },
    /// A leader learned of a committed change of the in-sync replicas.
    IsrAdopted {
        /// The partition.
        partition: TopicPartition,
        /// The leader epoch.
        leader_epoch: LeaderEpoch,
        /// The partition epoch.
        partition_epoch: PartitionEpoch,
        /// The in-sync replicas.
        isr: Vec<BrokerId>,
    },
    /// The controller refused a proposal.
    IsrRefused {
        /// The partition.
        partition: TopicPartition,
        /// The leader epoch.
        leader_epoch: LeaderEpoch,
        /// The error in the response.
        error: ErrorCode,
    },
    /// A batch of a produce request got a successful response.
    Acknowledged {
        /// The partition.
        partition: TopicPartition,
        /// The leader epoch of the leader that responded.
        leader_epoch: LeaderEpoch,
        /// The first offset.
        base_offset: Offset,
        /// The last offset.
        last_offset: Offset,
        /// The acks of the request.
        acks: i16,
        /// The leader's high watermark.
        high_watermark: Offset,
        /// The committed in-sync replicas.
        isr: Vec<BrokerId>,
    },
    /// A batch of a produce request got an error.
    ProduceRefused {
        /// The partition.
        partition: TopicPartition,
        /// The error in the response.
        error: ErrorCode,
    },
    /// A broker gave an id to a producer.
    ProducerIdIssued {
        /// The id.
        producer_id: i64,
    },
    /// A broker began to coordinate a partition of `__transaction_state`: it has read the log.
    CoordinatorLoaded {
        /// The partition.
        partition: TopicPartition,
        /// Its leader epoch, which is the coordinator epoch.
        coordinator_epoch: LeaderEpoch,
        /// The number of transactional ids in the log.
        ids: u64,
    },
    /// A broker stopped coordinating a partition of `__transaction_state`, at least in this epoch.
    CoordinatorResigned {
        /// The partition.
        partition: TopicPartition,
        /// The coordinator epoch that has ended.
        coordinator_epoch: LeaderEpoch,
    },
    /// The state of a transactional id at its coordinator changed: its record is committed, or was
    /// in the log when the coordinator began.
    TransactionalIdChanged {
        /// The partition of `__transaction_state`.
        partition: TopicPartition,
        /// The coordinator epoch.
        coordinator_epoch: LeaderEpoch,
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// The new state, as the value of a record; `None`: the id is forgotten.
        value: Option<Bytes>,
    },
    /// A coordinator gave a producer id and epoch to the producer of a transactional id.
    TransactionalIdInitialized {
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// The producer id.
        producer_id: i64,
        /// The producer epoch.
        producer_epoch: i16,
        /// The coordinator epoch.
        coordinator_epoch: LeaderEpoch,
    },
    /// A coordinator received a producer's request to end a transaction (EndTxn).
    EndTxnReceived {
        /// The node that sent the request.
        client: NodeId,
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// The producer id in the request.
        producer_id: i64,
        /// The producer epoch in the request.
        producer_epoch: i16,
        /// Whether to commit; otherwise to abort.
        commit: bool,
        /// The outcome of the request.
        handled: EndTxnHandled,
    },
    /// The decision of a coordinator about a transaction is committed, and thus final.
    TransactionDecided {
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// The producer id in the markers.
        producer_id: i64,
        /// The producer epoch in the markers.
        producer_epoch: i16,
        /// Whether the decision is to commit; otherwise to abort.
        committed: bool,
        /// The coordinator aborted it of its own accord, because it had been open for too long.
        timed_out: bool,
        /// The coordinator epoch.
        coordinator_epoch: LeaderEpoch,
        /// The partitions of the transaction, without those of deleted topics.
        partitions: Vec<TopicPartition>,
    },
    /// The record with which a coordinator completes a transaction, after all markers are written,
    /// is committed.
    TransactionCompleted {
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// The producer id in the markers.
        producer_id: i64,
        /// The producer epoch in the markers.
        producer_epoch: i16,
        /// Whether the transaction was committed; otherwise aborted.
        committed: bool,
        /// The coordinator epoch.
        coordinator_epoch: LeaderEpoch,
    },
    /// An event at a coordinator of groups.
    Group(GroupFact),
    /// A fetch of a partition got an error.
    FetchRefused {
        /// The partition.
        partition: TopicPartition,
        /// The follower; `None`: a consumer.
        replica: Option<BrokerId>,
        /// The error in the response.
        error: ErrorCode,
    },
    /// A broker was registered.
    Registered {
        /// Its broker epoch.
        broker_epoch: BrokerEpoch,
        /// Whether its last life ended with a clean shutdown, by its clean-shutdown files.
        clean: bool,
    },
    /// A broker learned that it is fenced, or no longer fenced.
    FencedChanged {
        /// Whether it is fenced now.
        fenced: bool,
    },
    /// A call to the disk failed in a log directory of a broker, which goes offline with all
    /// replicas in it.
    LogDirFailed {
        /// The path of the directory relative to the root of the disk, which is `""`.
        path: String,
        /// The partition in whose log it failed; `None` for the other files of the directory, and
        /// while its logs are loaded.
        partition: Option<TopicPartition>,
        /// The error of the failed call.
        error: String,
    },
    /// A broker has applied metadata up to an offset.
    MetadataApplied {
        /// The offset of the last record applied.
        offset: Offset,
    },
    /// A member of the quorum began to lead it.
    QuorumLeader {
        /// The epoch.
        epoch: LeaderEpoch,
        /// The start offset of the epoch.
        epoch_start: Offset,
    },
    /// A member of the quorum began to follow, or lost its leader.
    QuorumFollower {
        /// The epoch.
        epoch: LeaderEpoch,
        /// The leader, if there is one.
        leader: Option<BrokerId>,
    },
    /// A member of the quorum became a candidate.
    QuorumCandidate {
        /// The epoch; for a pre-vote the present one.
        epoch: LeaderEpoch,
        /// Whether it is only a pre-vote, which asks whether the member would be elected.
        pre_vote: bool,
    },
    /// A quorum leader resigned.
    QuorumResigned {
        /// The epoch.
        epoch: LeaderEpoch,
    },
    /// A controller became active: it has replayed the metadata log.
    ControllerActive {
        /// The epoch.
        epoch: LeaderEpoch,
    },
    /// The controller changed a partition's leader. Reported after the decision, before its commit.
    Elected {
        /// The partition.
        partition: TopicPartition,
        /// The new leader, if there is one.
        leader: Option<BrokerId>,
        /// The previous leader, if there was one.
        previous: Option<BrokerId>,
        /// The new epoch.
        leader_epoch: LeaderEpoch,
        /// The in-sync replicas.
        isr: Vec<BrokerId>,
        /// The eligible leader replicas.
        elr: Vec<BrokerId>,
        /// Why an election was held.
        reason: Reason,
        /// How the leader was found.
        how: How,
    },
    /// The controller fenced or unfenced a broker.
    BrokerFenced {
        /// The broker.
        broker: BrokerId,
        /// Whether it is fenced now.
        fenced: bool,
        /// Whether a heartbeat of the broker requested it; otherwise its session has ended.
        asked: bool,
    },
    /// An event of a client application.
    Client(ClientFact),
    /// A replaced rule decided differently from Kafka's.
    RuleDiffered {
        /// The name of the rule, a field of [`crate::rules::Rules`].
        rule: &'static str,
    },
    /// A point that a scenario may require a run to reach.
    Reached(Reach),
}

/// Why a log was truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// The leader reported a divergence of the logs.
    Diverged {
        /// The leader's latest epoch that is not above the follower's, with its end offset.
        leader_end: EpochEndOffset,
    },
    /// The replica began to follow ([`crate::rules::truncation::start_of_following`]).
    Following,
    /// The replica's log end was above the leader's.
    BeyondLeader,
    /// The leader's log starts above the replica's log end: the whole log is dropped.
    BehindLeader,
}

/// Why an application sends a message again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Its producer had given up the record of the message.
    GivenUp,
    /// The application was restarted, and continues from its saved position in its input: it may
    /// have sent the message before.
    Restarted,
}

/// An event of a client application. `record` is the number that the application gave to a record.
/// It is unique in a run, and is in the record's value, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFact {
    /// A record was given to the producer, which chose a partition.
    Sent {
        /// The record.
        record: u64,
        /// The partition.
        partition: TopicPartition,
        /// The producer's acks.
        acks: i16,
    },
    /// An application gives its producer a record with a message that it may send more than once.
    /// To Kafka these are different records.
    Message {
        /// The record.
        record: u64,
        /// The number of the message.
        message: u64,
        /// Why the message is sent again; `None` if it is sent for the first time, as far as this
        /// life of the application knows.
        again: Option<Again>,
    },
    /// A batch was confirmed, and its callbacks ran, in order of offset.
    Confirmed {
        /// The partition.
        partition: TopicPartition,
        /// The first offset; `None` with acks=0, which confirms nothing.
        base_offset: Option<Offset>,
        /// The records in order.
        records: Vec<u64>,
        /// The connection over which they were last sent. Over two connections there is no order.
        over: Option<ConnId>,
    },
    /// A batch is sent again: as a whole, after a retriable error or without a response; or in
    /// parts, if it was too large.
    Retried {
        /// The partition.
        partition: TopicPartition,
        /// The error in the response, or of the client itself if there was none.
        error: ErrorCode,
        /// The records in order.
        records: Vec<u64>,
    },
    /// An idempotent producer has a new id or epoch.
    Identified {
        /// The id.
        producer_id: i64,
        /// The epoch.
        producer_epoch: i16,
    },
    /// Records that an idempotent producer had sent before are sent under another epoch or id, so
    /// that no leader can recognize them.
    Renumbered {
        /// The partition.
        partition: TopicPartition,
        /// The records in order.
        records: Vec<u64>,
    },
    /// `initTransactions` returned: the producer owns its transactional id, and no earlier
    /// transaction of the id is open. Each new producer of an application reports this.
    TransactionsInitialized {
        /// The transactional id.
        transactional_id: TransactionalId,
        /// The producer id.
        producer_id: i64,
        /// The epoch.
        producer_epoch: i16,
    },
    /// `beginTransaction` returned. The records that the same process reports as [`Self::Sent`]
    /// from here to [`Self::TransactionEnded`] belong to the transaction.
    TransactionBegun {
        /// The number that the application gave to the transaction: that of its first record,
        /// unique in a run.
        transaction: u64,
    },
    /// The application calls `commitTransaction` or `abortTransaction`. After a commit that threw,
    /// an abort may follow.
    TransactionEnding {
        /// The number of the transaction.
        transaction: u64,
        /// Whether to commit; otherwise to abort.
        commit: bool,
    },
    /// The application is done with a transaction. An application that crashes does not report
    /// this.
    TransactionEnded {
        /// The number of the transaction.
        transaction: u64,
        /// The outcome, as far as the application knows.
        outcome: TransactionOutcome,
        /// The error because of which the transaction is not committed, or not known to be; `None`
        /// if there was none.
        error: Option<ErrorCode>,
    },
    /// A batch failed, and its callbacks ran, in order.
    Failed {
        /// The partition; `None` if none had been chosen.
        partition: Option<TopicPartition>,
        /// The last error in a response, or an error of the client itself.
        error: ErrorCode,
        /// Whether it may have been written nevertheless.
        maybe_written: bool,
        /// The records in order.
        records: Vec<u64>,
        /// The connection over which they were last sent; `None` if they never were.
        over: Option<ConnId>,
    },
    /// A consumer's poll returned records of a partition.
    Delivered {
        /// The partition.
        partition: TopicPartition,
        /// The position before.
        from: Offset,
        /// The position after.
        to: Offset,
        /// The batches of the records. The first batch may begin below `from`, with records that
        /// were not delivered.
        batches: Vec<Bytes>,
    },
    /// The position of a consumer moved, but not by reading.
    Positioned {
        /// The partition.
        partition: TopicPartition,
        /// The position before; `None`: it had none.
        from: Option<Offset>,
        /// The position after.
        to: Offset,
        /// The reason for the move.
        why: Positioning,
    },
    /// A client requests the end offset of a partition.
    EndAsked {
        /// The partition.
        partition: TopicPartition,
        /// The number of the request, among those of the client.
        question: u64,
    },
    /// A client received the end offset of a partition.
    EndShown {
        /// The partition.
        partition: TopicPartition,
        /// The end.
        offset: Offset,
        /// The broker that returned it.
        broker: BrokerId,
        /// The number of the request.
        question: u64,
    },
    /// A client received the offset for a timestamp (`offsetsForTimes`).
    TimeShown {
        /// The partition.
        partition: TopicPartition,
        /// The requested timestamp, in milliseconds.
        timestamp: i64,
        /// The offset of the first record with this timestamp or a later one; `None`: there is no
        /// such record that the client may read.
        offset: Option<Offset>,
        /// The broker that returned it.
        broker: BrokerId,
    },
    /// A consumer's poll threw, and the consumer goes no further in the partition until its
    /// application seeks.
    Threw {
        /// The partition.
        partition: TopicPartition,
        /// The name of Kafka's exception.
        exception: &'static str,
    },
    /// An event of a member of a group of consumers.
    Member(MemberFact),
    /// The application paused partitions (`KafkaConsumer.pause`).
    Paused {
        /// The partitions, at least one.
        partitions: Vec<TopicPartition>,
    },
    /// The application resumed partitions (`KafkaConsumer.resume`).
    Resumed {
        /// The partitions, at least one.
        partitions: Vec<TopicPartition>,
    },
    /// Something that the store of applications has done.
    Store(StoreFact),
    /// A reader that reads everything back has reached the end of a partition.
    ReadBack {
        /// The partition.
        partition: TopicPartition,
        /// The end.
        end: Offset,
    },
}

/// The outcome of a request to end a transaction at its coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndTxnHandled {
    /// The coordinator decides as requested; the response follows when the decision is replicated.
    Decides,
    /// The transaction has ended that way before: the response is a success.
    Repeated,
    /// The coordinator refused the request.
    Refused(ErrorCode),
}

/// The outcome of a transaction, as far as its application knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionOutcome {
    /// `commitTransaction` returned: the transaction is committed.
    Committed,
    /// `abortTransaction` returned: the transaction is aborted, or its coordinator never knew it.
    Aborted,
    /// The application gave the transaction up without calling `commitTransaction`, because its
    /// producer failed (it was fenced, for example) or on purpose: the transaction is never
    /// committed.
    GivenUp,
    /// `commitTransaction` was called and did not return: the transaction is committed or aborted.
    Unknown,
}

/// Why a consumer's position moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positioning {
    /// The application has called `seek`.
    Seek,
    /// The group's committed offset, at the start of a consumer or after an assignment.
    Committed,
    /// `auto.offset.reset`: there was no position, and in a group no committed offset.
    Start,
    /// `auto.offset.reset`: the position was out of range.
    OutOfRange,
    /// The log was truncated below the position (KIP-320).
    Truncated,
}
