//! The requests whose responses differ from Kafka's, or that cannot be sent here, with what follows from them.

/// Requests of a script that differ for one reason.
pub(super) struct Difference {
    pub(super) script: &'static str,
    pub(super) reason: &'static str,
    /// The requests, by their notes.
    pub(super) notes: &'static [&'static str],
}

const DELETE_RECORDS: &str = "DeleteRecords is not modelled: logs only grow";
const PATTERN: &str = "members do not subscribe by pattern (subscribedTopicRegex)";
const CONFIGS: &str =
    "topics are not reconfigured (IncrementalAlterConfigs), nor is replication throttled";
const REASSIGNMENT: &str = "replicas are not reassigned: the leader is restarted in place of it";
const TOPIC_PARTITIONS: &str = "DescribeTopicPartitions does not exist";
const APPEND_TIME: &str = "message.timestamp.type is CreateTime";
const COMPACTION: &str = "logs are not compacted, so that records need no key";
const RECOMPRESSION: &str = "leaders keep the codec of a batch (compression.type=producer)";
const AUTO_CREATE: &str = "Metadata creates no topics (auto.create.topics.enable)";
const BY_ID: &str = "Metadata finds topics by name, so that an unknown id cannot be written";
const TYPED: &str = "requests are typed: what contradicts itself, or names a value that does not exist, cannot be written";
const VERSIONS: &str = "only the newest versions are modelled";
const VALIDATE_ONLY: &str = "CreateTopics has no validateOnly";
const ABSENT: &str = "a request about the quorum that does not exist";
const DEBUGGERS: &str = "replica ids of debugging consumers (-2) do not exist";
const PATTERNS: &str = "ListTransactions has no pattern";
const O1: &str = "O1: the id goes on; Kafka leaves it pending for good";
const WAITS: &str = "an error in one partition of a fetch ends its wait, whatever the error";

const fn differ(
    script: &'static str,
    reason: &'static str,
    notes: &'static [&'static str],
) -> Difference {
    Difference { script, reason, notes }
}

// Notes side by side: one on each line makes the table twice as long.
#[rustfmt::skip]
pub(super) const DIFFERENCES: &[Difference] = &[
    differ("consumer-checks", PATTERN, &[
        "invalid regex: is the group made?", "join with an empty regex, a second member",
    ]),
    differ("create-topics", VALIDATE_ONLY, &[
        "exists already, validate only",
        "validate only: success, with a topic id that is never used", "the same, validate only",
        "name of 249 characters", "name of 250 characters",
        "more than 10000 partitions in a request", "the metadata log as a topic",
        "an internal topic by hand, validate only",
    ]),
    differ("delete-records", DELETE_RECORDS, &[
        "offset 0: nothing to do", "offset 2", "offset 1, lower than the log start: no error",
        "beyond the end", "-1: up to the high watermark", "the end again", "offset -2",
        "an empty partition: -1", "an empty partition: 1", "unknown partition", "unknown topic",
        "a compacted topic", "version 0", "a good and a bad partition", "no topics",
        "the next record goes on after the deleted ones", "the log",
    ]),
    differ("delete-records", DELETE_RECORDS, &[
        "the topic of the groups",
    ]),
    differ("fetch-limits", TYPED, &[
        "negative partitionMaxBytes",
    ]),
    differ("fetch-range", DELETE_RECORDS, &[
        "log start to 2, inside a batch", "below the log start",
        "below the log start, in the batch that is still there",
        "at the log start: the whole batch", "log start to the end",
        "the old end is still no error", "the last record before it",
        "out of range by version 4: no log start in the answer",
    ]),
    differ("fetch-waits", WAITS, &[
        "an unknown partition beside a good one does not end the wait",
    ]),
    differ("find-coordinator", TYPED, &[
        "unknown key type, version 3", "unknown key type, version 6",
        "share key type, version 5: too old for it",
        "share key type, version 6, a key that is none",
        "share key type, version 6, a key whose topic id is none", "negative key type",
    ]),
    differ("leader-epochs", REASSIGNMENT, &[
        "preferred leader 2", "leader 2 is elected", "preferred leader 1", "leader 1 is elected",
    ]),
    differ("leader-epochs", TOPIC_PARTITIONS, &[
        "until that is there", "the leader epoch",
    ]),
    differ("list-offsets-errors", DELETE_RECORDS, &[
        "log start to 2", "earliest", "earliest local", "by time of a deleted record", "all",
        "earliest of an emptied log", "by time in an emptied log",
    ]),
    differ("list-offsets-errors", VERSIONS, &[
        "largest timestamp needs version 7", "earliest local needs version 8",
        "latest tiered needs version 9",
    ]),
    differ("metadata", AUTO_CREATE, &[
        "asked again: created meanwhile",
    ]),
    differ("metadata", BY_ID, &[
        "by an id that no topic has",
    ]),
    differ("metadata", TYPED, &[
        "by id in version 11, which has the field but not the function: no brokers in the answer either",
        "version 12, neither name nor id: UNKNOWN_SERVER_ERROR",
    ]),
    differ("metadata-create", AUTO_CREATE, &[
        "until it is there", "and takes records", "it is there",
        "a name that collides (_ and .): first", "two new ones and an old one",
    ]),
    differ("metadata-create", BY_ID, &[
        "creation wanted, by an unknown id: nothing to create",
    ]),
    differ("metadata-topics", BY_ID, &[
        "unknown id", "a known and an unknown id",
    ]),
    differ("metadata-topics", TYPED, &[
        "name null, id of zeros", "by id in version 10", "name null in version 11",
    ]),
    differ("not-leader", DEBUGGERS, &[
        "ListOffsets at the follower as replica -2",
    ]),
    differ("not-leader", DELETE_RECORDS, &[
        "DeleteRecords at the follower",
    ]),
    differ("not-leader", TOPIC_PARTITIONS, &[
        "until that is there",
    ]),
    differ("not-leader", VERSIONS, &[
        "fetch from the follower by version 10",
    ]),
    differ("produce-compacted", COMPACTION, &[
        "null key", "three records, the second and third without key",
        "the same by version 7, which has no record errors", "null key, gzip",
        "null key, policy compact and delete", "empty key", "null value: a tombstone",
        "null key with a sequence: refused",
        "the next sequence as if the refused one had counted: no state, so accepted",
        "then sequence 0", "what was written",
    ]),
    differ("produce-compacted", DELETE_RECORDS, &[
        "DeleteRecords on policy compact alone", "DeleteRecords on compact and delete",
    ]),
    differ("produce-compression", RECOMPRESSION, &[
        "all topics: one batch each way", "a zstd batch by version 9, which cannot know zstd",
        "a zstd batch by version 10", "from the middle of a batch: the whole batch comes",
    ]),
    differ("produce-size", CONFIGS, &[
        "the limit of the topic is raised", "and counts from the next append on",
        "what was written",
    ]),
    differ("produce-size", RECOMPRESSION, &[
        "gzip in, stored uncompressed: too large only after that",
    ]),
    differ("produce-time", APPEND_TIME, &[
        "LogAppendTime: the answer says the time", "LogAppendTime: no limit counts, year 2100",
        "LogAppendTime: no limit counts, 2023",
        "LogAppendTime: flag LogAppendTime from the client", "LogAppendTime with gzip",
        "largest timestamp of the topic with LogAppendTime", "by time: all are later than 2023",
        "LogAppendTime, with a sequence", "its duplicate", "what was written with LogAppendTime",
    ]),
    differ("sequence-after-delete", DELETE_RECORDS, &[
        "all records are deleted",
        "duplicate of a deleted record: the offset is below the log start", "a gap",
        "next sequence", "duplicate of sequence 0", "all are deleted again",
        "an unknown producer begins with 9", "a newer epoch with sequence 1", "the log",
    ]),
    differ("sequence-expired", APPEND_TIME, &[
        "LogAppendTime: the same timestamp, but the leader writes its own",
        "LogAppendTime: the state is still there",
    ]),
    differ("session-basics", DELETE_RECORDS, &[
        "log start of partition 0 moves to 1",
        "epoch 10: a new log start alone is a change, so partition 0 is named; partition 1 was not moved on",
        "final epoch -1 with the session id: a full answer, the session ends",
    ]),
    differ("session-errors", VERSIONS, &[
        "by version 12, which names topics, the session was made with ids",
        "epoch 2 by ids after that", "continued by version 13, ids",
    ]),
    differ("txn-failover", REASSIGNMENT, &[
        "the coordinator goes to broker 2", "the coordinator goes back to broker 1",
    ]),
    differ("txn-find-coordinator", TYPED, &[
        "type 7, which does not exist", "type 7 in version 3",
        "type 2 (share) in version 5, which does not know it",
        "type 2 (share) with a key that is no group:topic:partition",
    ]),
    differ("txn-list-describe", PATTERNS, &[
        "a pattern that is no regular expression",
    ]),
    differ("txn-read-committed", TYPED, &[
        "isolation level 2, which does not exist",
    ]),
    differ("txn0-unverified", O1, &[
        "the same EndTxn once more: the write of before stays pending",
    ]),
    differ("under-min-isr", CONFIGS, &[
        "until that is there", "the topic may be throttled at its followers",
        "broker 2 may not catch up: its own setting, refused by any other broker",
        "replica 2 is added", "it is not in the ISR", "acks -1",
        "acks -1, duplicate of batch 2, which is committed", "acks -1, a gap",
        "acks -1, a wrong checksum", "acks 1 is written", "but not visible", "latest",
        "min.insync.replicas 1", "is it visible now?", "acks 1", "and now?",
    ]),
    differ("under-min-isr", DELETE_RECORDS, &[
        "DeleteRecords up to the end, beyond the high watermark",
        "DeleteRecords waits for replica 2",
    ]),
    differ("wrong-door", ABSENT, &[
        "DescribeQuorum of a topic that is not the metadata log: forwarded to the controller and refused",
        "DescribeQuorum, metadata log, partition 1", "DescribeQuorum, no topic at all",
        "DescribeQuorum, two partitions", "AddRaftVoter where kraft.version is 0",
        "RemoveRaftVoter where kraft.version is 0", "AddRaftVoter with the id of another cluster",
    ]),
];
