//! What processes tell the observers of a run. The checks live on these and on bytes; nothing in
//! the engine reads them.

use crate::error::ErrorCode;
use crate::ids::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch, TopicPartition, TransactionalId,
};
use crate::protocol::EpochEndOffset;
use crate::reach::Reach;
use crate::rules::election::{How, Reason};
use bytes::Bytes;
use machine::{ConnId, NodeId};

/// Something that happened in a process. Which process, when, and what caused it is known to
/// whoever collects facts. Facts on [`TopicPartition::METADATA`] are of the metadata log.
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
        /// How many bytes of an invalid tail were cut.
        cut_bytes: u64,
    },
    /// A batch was appended.
    Appended {
        /// The partition.
        partition: TopicPartition,
        /// By the leader, not by a follower.
        as_leader: bool,
        /// The leader epoch that the replica was in.
        leader_epoch: LeaderEpoch,
        /// The batch as it stands in the log.
        batch: Bytes,
    },
    /// A log was cut.
    Truncated {
        /// The partition.
        partition: TopicPartition,
        /// The leader epoch that the replica was in.
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
        /// The leader epoch that the replica was in.
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
        /// The version of the partition.
        partition_epoch: PartitionEpoch,
        /// Where the new epoch starts: the log end offset.
        epoch_start: Offset,
        /// The high watermark.
        high_watermark: Offset,
        /// The in-sync replicas.
        isr: Vec<BrokerId>,
    },
    /// A replica began to follow, or nobody leads.
    BecameFollower {
        /// The partition.
        partition: TopicPartition,
        /// The new epoch.
        leader_epoch: LeaderEpoch,
        /// Who leads.
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
        /// The leader's epoch.
        leader_epoch: LeaderEpoch,
        /// The version that the proposal changes.
        partition_epoch: PartitionEpoch,
        /// The committed in-sync replicas.
        from: Vec<BrokerId>,
        /// The proposed ones.
        to: Vec<BrokerId>,
    },
    /// A leader learnt of other committed in-sync replicas.
    IsrAdopted {
        /// The partition.
        partition: TopicPartition,
        /// The leader's epoch.
        leader_epoch: LeaderEpoch,
        /// The version.
        partition_epoch: PartitionEpoch,
        /// The in-sync replicas.
        isr: Vec<BrokerId>,
    },
    /// The controller refused a proposal.
    IsrRefused {
        /// The partition.
        partition: TopicPartition,
        /// The leader's epoch.
        leader_epoch: LeaderEpoch,
        /// The error in the response.
        error: ErrorCode,
    },
    /// A produce request was answered with success.
    Acknowledged {
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the answering leader.
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
    /// A produce request was answered with an error.
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
        /// How many transactional ids the coordinator knows.
        ids: u64,
    },
    /// A broker does not coordinate a partition of `__transaction_state` any more.
    CoordinatorResigned {
        /// The partition.
        partition: TopicPartition,
        /// The coordinator epoch that is over.
        coordinator_epoch: LeaderEpoch,
    },
    /// A coordinator changed what it knows of a transactional id: it has found the record committed,
    /// or the log had it when the coordinator began.
    TransactionalIdChanged {
        /// The partition of `__transaction_state`.
        partition: TopicPartition,
        /// The coordinator epoch.
        coordinator_epoch: LeaderEpoch,
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// What the coordinator would write of it now, as the value of a record; `None`: it has
        /// forgotten the id.
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
    /// A coordinator was asked by a producer to end a transaction (EndTxn).
    EndTxnReceived {
        /// The node that asked.
        client: NodeId,
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// The producer id in the request.
        producer_id: i64,
        /// The producer epoch in the request.
        producer_epoch: i16,
        /// Whether it is to be committed, not aborted.
        commit: bool,
        /// What the coordinator made of it.
        handled: EndTxnHandled,
    },
    /// A coordinator found its decision about a transaction committed: from now on the transaction
    /// ends like this.
    TransactionDecided {
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// The producer id in the markers.
        producer_id: i64,
        /// The producer epoch in the markers.
        producer_epoch: i16,
        /// Whether the transaction is committed, not aborted.
        committed: bool,
        /// The coordinator epoch.
        coordinator_epoch: LeaderEpoch,
        /// The partitions of the transaction, without those of topics that are gone.
        partitions: Vec<TopicPartition>,
    },
    /// A coordinator found committed that all markers of a transaction are written.
    TransactionCompleted {
        /// `transactional.id`
        transactional_id: TransactionalId,
        /// The producer id in the markers.
        producer_id: i64,
        /// The producer epoch in the markers.
        producer_epoch: i16,
        /// Whether the transaction was committed, not aborted.
        committed: bool,
        /// The coordinator epoch.
        coordinator_epoch: LeaderEpoch,
    },
    /// A fetch was answered with an error.
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
        /// Its new life.
        broker_epoch: BrokerEpoch,
        /// It presented a clean-shutdown file.
        clean: bool,
    },
    /// A broker found itself fenced, or not any more.
    FencedChanged {
        /// Whether it is fenced now.
        fenced: bool,
    },
    /// A call to the disk failed in a log directory of a broker, which goes offline with all
    /// replicas in it.
    LogDirFailed {
        /// The directory, relative to the top of the disk, which is `""`.
        path: String,
        /// The partition in whose log it failed; `None` for the other files of the directory, and
        /// while its logs are loaded.
        partition: Option<TopicPartition>,
        /// What failed.
        error: String,
    },
    /// A broker has applied the metadata up to here.
    MetadataApplied {
        /// The offset of the last record applied.
        offset: Offset,
    },
    /// A member of the quorum began to lead it.
    QuorumLeader {
        /// The epoch.
        epoch: LeaderEpoch,
        /// Where the epoch starts.
        epoch_start: Offset,
    },
    /// A member of the quorum began to follow, or lost its leader.
    QuorumFollower {
        /// The epoch.
        epoch: LeaderEpoch,
        /// Who leads.
        leader: Option<BrokerId>,
    },
    /// A member of the quorum stands for election.
    QuorumCandidate {
        /// The epoch; for a pre-vote the present one.
        epoch: LeaderEpoch,
        /// Only asks whether it would be elected.
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
    /// The controller changed a partition's leader. Follows the decision, before its commit.
    Elected {
        /// The partition.
        partition: TopicPartition,
        /// Who leads from now on.
        leader: Option<BrokerId>,
        /// Who led before.
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
        /// A heartbeat of the broker asked for it; otherwise its session is over.
        asked: bool,
    },
    /// Something that a client application did or saw.
    Client(ClientFact),
    /// A rule answered otherwise than Kafka's would have.
    RuleDiffered {
        /// The rule, a field of [`crate::rules::Rules`].
        rule: &'static str,
    },
    /// Something happened that a scenario may have to reach.
    Reached(Reach),
}

/// Why a log was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// The leader reported where the logs diverge.
    Diverged {
        /// The leader's latest epoch that is not after the follower's, and where it ends.
        leader_end: EpochEndOffset,
    },
    /// The replica began to follow ([`crate::rules::truncation::start_of_following`]).
    Following,
    /// The replica's end was beyond the leader's.
    BeyondLeader,
    /// The leader's log starts beyond the replica's end: all is dropped.
    BehindLeader,
}

/// Why an application sends a message again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Its producer had given up the record that carried it.
    GivenUp,
    /// It was started again, and goes on from the place in its input that it had saved: it may have sent
    /// the message before.
    Restarted,
}

/// Something that a client application did or saw. `record` is the number that the application
/// gave to a record, unique in the world; it stands in the record's value too.
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
    /// An application gives its producer a record for a message that it may send more than once. To
    /// Kafka each of its records is another one.
    Message {
        /// The record.
        record: u64,
        /// The message that it carries, in the application's own count.
        message: u64,
        /// Why the message is sent again; `None` if it is not, as far as this life of the application
        /// knows.
        again: Option<Again>,
    },
    /// A batch was confirmed; its callbacks ran now, in order of offset.
    Confirmed {
        /// The partition.
        partition: TopicPartition,
        /// The first offset; `None` with acks=0, which confirms nothing.
        base_offset: Option<Offset>,
        /// The records in order.
        records: Vec<u64>,
        /// The connection that they were last sent over. Nothing orders what goes over two.
        over: Option<ConnId>,
    },
    /// A batch is sent again: whole, after an error that may be retried or after no answer; or in
    /// parts, if it was too large.
    Retried {
        /// The partition.
        partition: TopicPartition,
        /// The error that the batch got; of the client itself if there was no response.
        error: ErrorCode,
        /// The records in order.
        records: Vec<u64>,
    },
    /// An idempotent producer goes on under this id and epoch.
    Identified {
        /// The id.
        producer_id: i64,
        /// The epoch.
        producer_epoch: i16,
    },
    /// Records that an idempotent producer had sent before are sent under another epoch or id, so that
    /// no leader can know that they are the same.
    Renumbered {
        /// The partition.
        partition: TopicPartition,
        /// The records in order.
        records: Vec<u64>,
    },
    /// `initTransactions` returned: the producer has its transactional id for itself, and what was
    /// open under that id is over. A producer whose application has replaced it reports this again.
    TransactionsInitialized {
        /// The transactional id.
        transactional_id: TransactionalId,
        /// The producer id.
        producer_id: i64,
        /// The epoch.
        producer_epoch: i16,
    },
    /// `beginTransaction` returned. The records that the same process reports as [`Self::Sent`] from
    /// here to [`Self::TransactionEnded`] belong to the transaction.
    TransactionBegun {
        /// The number that the application gave to it, unique in the world: that of its first record.
        transaction: u64,
    },
    /// The application calls `commitTransaction` or `abortTransaction`. After a commit that threw, an
    /// abort may follow.
    TransactionEnding {
        /// The number of the transaction.
        transaction: u64,
        /// Whether it is to be committed.
        commit: bool,
    },
    /// The application is done with a transaction. An application that crashes does not report this.
    TransactionEnded {
        /// The number of the transaction.
        transaction: u64,
        /// What the application knows about it.
        outcome: TransactionOutcome,
        /// The error because of which it is not committed, or not known to be; `None` if there was
        /// none.
        error: Option<ErrorCode>,
    },
    /// A batch failed; its callbacks ran now, in order.
    Failed {
        /// The partition; `None` if none had been chosen.
        partition: Option<TopicPartition>,
        /// The last error, or what the client itself found.
        error: ErrorCode,
        /// It may have been written all the same.
        maybe_written: bool,
        /// The records in order.
        records: Vec<u64>,
        /// The connection that they were last sent over; `None` if they never were.
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
        /// The batches that the records came in. The first may begin below `from`: those
        /// records were not delivered.
        batches: Vec<Bytes>,
    },
    /// A consumer moved its position other than by reading.
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
    /// A client sends the question where a partition ends.
    EndAsked {
        /// The partition.
        partition: TopicPartition,
        /// The number of the question, among those of the client.
        question: u64,
    },
    /// A client was told the end of a partition.
    EndShown {
        /// The partition.
        partition: TopicPartition,
        /// The end.
        offset: Offset,
        /// By whom.
        broker: BrokerId,
        /// The question that it answers.
        question: u64,
    },
    /// A client learned the first record of a time or later (`offsetsForTimes`).
    TimeShown {
        /// The partition.
        partition: TopicPartition,
        /// The timestamp that was asked for, in milliseconds.
        timestamp: i64,
        /// The offset of the record; `None`: no record that may be read is as late.
        offset: Option<Offset>,
        /// The broker that returned it.
        broker: BrokerId,
    },
    /// A consumer's poll threw, and the consumer goes no further in the partition until its
    /// application seeks.
    Threw {
        /// The partition.
        partition: TopicPartition,
        /// Kafka's name of the exception.
        exception: &'static str,
    },
    /// A reader that reads everything back has reached the end of a partition.
    ReadBack {
        /// The partition.
        partition: TopicPartition,
        /// The end.
        end: Offset,
    },
}

/// What a coordinator made of a request to end a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndTxnHandled {
    /// It decided so; the response follows when the decision is replicated.
    Decides,
    /// The transaction had been decided so before: the response says that it is ended.
    Repeated,
    /// It refused.
    Refused(ErrorCode),
}

/// What an application knows about a transaction that it is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionOutcome {
    /// `commitTransaction` returned: it is committed.
    Committed,
    /// `abortTransaction` returned: it is aborted, or was never begun at a coordinator.
    Aborted,
    /// The application gave it up without ever calling `commitTransaction`, because its producer
    /// failed (fenced by another producer, for example) or on purpose: it is never committed.
    GivenUp,
    /// `commitTransaction` was called and did not return: it is committed or aborted.
    Unknown,
}

/// Why a consumer's position moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positioning {
    /// The application asked for it.
    Seek,
    /// `auto.offset.reset`: there was no position.
    Start,
    /// `auto.offset.reset`: the position was out of range.
    OutOfRange,
    /// The log was cut below the position (KIP-320).
    Truncated,
}
