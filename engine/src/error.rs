//! The error codes of responses (`Errors`). An error code is part of normal operation: never a
//! panic, which is a defect of Faultline, and never a violation, which is the finding of a check.

use std::fmt;

macro_rules! error_codes {
    ($($code:literal $variant:ident $name:literal $retriable:literal $metadata:literal $text:literal)*) => {
        /// An error code of the Kafka protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $name, "`: ", $text, ".")] $variant = $code,)*
        }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that Kafka's documentation uses.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its meaning.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Whether a client may send the request again (`RetriableException`).
            pub const fn is_retriable(self) -> bool {
                match self { $(Self::$variant => $retriable,)* }
            }

            /// Whether a client's metadata is out of date (`InvalidMetadataException`).
            pub const fn is_invalid_metadata(self) -> bool {
                match self { $(Self::$variant => $metadata,)* }
            }
        }
    };
}

error_codes! {
    -1 UnknownServerError "UNKNOWN_SERVER_ERROR" false false "the server met an error it did not expect"
    0 None "NONE" false false "no error"
    1 OffsetOutOfRange "OFFSET_OUT_OF_RANGE" false false "the offset is below the log start or above the log end"
    2 CorruptMessage "CORRUPT_MESSAGE" true false "the batch's CRC or size is wrong"
    3 UnknownTopicOrPartition "UNKNOWN_TOPIC_OR_PARTITION" true true "this server hosts no such partition"
    5 LeaderNotAvailable "LEADER_NOT_AVAILABLE" true true "the partition has no leader at present"
    6 NotLeaderOrFollower "NOT_LEADER_OR_FOLLOWER" true true "this broker is not the leader, or not a replica"
    7 RequestTimedOut "REQUEST_TIMED_OUT" true false "the request was not complete in time; its effect may stand"
    9 ReplicaNotAvailable "REPLICA_NOT_AVAILABLE" true true "the replica is not available"
    10 MessageTooLarge "MESSAGE_TOO_LARGE" false false "the batch is larger than max.message.bytes"
    12 OffsetMetadataTooLarge "OFFSET_METADATA_TOO_LARGE" false false "the metadata of an offset is longer than offset.metadata.max.bytes"
    13 NetworkException "NETWORK_EXCEPTION" true true "the connection ended before an answer came"
    14 CoordinatorLoadInProgress "COORDINATOR_LOAD_IN_PROGRESS" true false "the coordinator is loading"
    15 CoordinatorNotAvailable "COORDINATOR_NOT_AVAILABLE" true false "there is no coordinator at present"
    16 NotCoordinator "NOT_COORDINATOR" true false "this broker is not the coordinator"
    17 InvalidTopicException "INVALID_TOPIC_EXCEPTION" false false "the topic name is not allowed"
    18 RecordListTooLarge "RECORD_LIST_TOO_LARGE" false false "the batch is larger than segment.bytes"
    19 NotEnoughReplicas "NOT_ENOUGH_REPLICAS" true false "fewer in-sync replicas than min.insync.replicas; nothing was written"
    20 NotEnoughReplicasAfterAppend "NOT_ENOUGH_REPLICAS_AFTER_APPEND" true false "written, but to fewer in-sync replicas than required"
    21 InvalidRequiredAcks "INVALID_REQUIRED_ACKS" false false "acks is none of -1, 0 and 1"
    22 IllegalGeneration "ILLEGAL_GENERATION" false false "the generation is not the present one of the group"
    23 InconsistentGroupProtocol "INCONSISTENT_GROUP_PROTOCOL" false false "the member has no protocol that all members of the group have"
    24 InvalidGroupId "INVALID_GROUP_ID" false false "the group id is not allowed"
    25 UnknownMemberId "UNKNOWN_MEMBER_ID" false false "the group has no such member"
    26 InvalidSessionTimeout "INVALID_SESSION_TIMEOUT" false false "the session timeout is out of the range that the broker allows"
    27 RebalanceInProgress "REBALANCE_IN_PROGRESS" false false "the group rebalances, so that the member has to join again"
    29 TopicAuthorizationFailed "TOPIC_AUTHORIZATION_FAILED" false false "the client may not write to the topic"
    32 InvalidTimestamp "INVALID_TIMESTAMP" false false "the timestamp is out of the allowed range"
    35 UnsupportedVersion "UNSUPPORTED_VERSION" false false "the version of the request does not go with a feature of the cluster"
    36 TopicAlreadyExists "TOPIC_ALREADY_EXISTS" false false "the topic exists"
    37 InvalidPartitions "INVALID_PARTITIONS" false false "the number of partitions is not allowed"
    38 InvalidReplicationFactor "INVALID_REPLICATION_FACTOR" false false "the replication factor is below 1 or above the number of brokers"
    39 InvalidReplicaAssignment "INVALID_REPLICA_ASSIGNMENT" false false "the replica assignment is not allowed"
    40 InvalidConfig "INVALID_CONFIG" false false "a configuration value is not allowed"
    41 NotController "NOT_CONTROLLER" true false "this is not the active controller"
    42 InvalidRequest "INVALID_REQUEST" false false "the request contradicts itself or the state of the cluster"
    45 OutOfOrderSequenceNumber "OUT_OF_ORDER_SEQUENCE_NUMBER" false false "the sequence number is not the expected one"
    46 DuplicateSequenceNumber "DUPLICATE_SEQUENCE_NUMBER" false false "the sequence number was used before"
    47 InvalidProducerEpoch "INVALID_PRODUCER_EPOCH" false false "the producer epoch is old"
    48 InvalidTxnState "INVALID_TXN_STATE" false false "the transaction is in a state that does not allow the request"
    49 InvalidProducerIdMapping "INVALID_PRODUCER_ID_MAPPING" false false "the transactional id has another producer id, or none"
    50 InvalidTransactionTimeout "INVALID_TRANSACTION_TIMEOUT" false false "the transaction timeout is not allowed"
    51 ConcurrentTransactions "CONCURRENT_TRANSACTIONS" true false "the transaction before has not ended, or another request of the transactional id is in hand"
    52 TransactionCoordinatorFenced "TRANSACTION_COORDINATOR_FENCED" false false "the marker comes from a coordinator that another has replaced"
    53 TransactionalIdAuthorizationFailed "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" false false "the client may not use the transactional id"
    55 OperationNotAttempted "OPERATION_NOT_ATTEMPTED" false false "another partition of the request was refused, and so none was added"
    56 KafkaStorageError "KAFKA_STORAGE_ERROR" true true "the disk failed"
    59 UnknownProducerId "UNKNOWN_PRODUCER_ID" false false "the leader knows nothing of the producer"
    68 NonEmptyGroup "NON_EMPTY_GROUP" false false "the group has members"
    69 GroupIdNotFound "GROUP_ID_NOT_FOUND" false false "there is no such group"
    70 FetchSessionIdNotFound "FETCH_SESSION_ID_NOT_FOUND" true false "the broker knows no such fetch session"
    71 InvalidFetchSessionEpoch "INVALID_FETCH_SESSION_EPOCH" true false "the fetch is not the next one of its session"
    74 FencedLeaderEpoch "FENCED_LEADER_EPOCH" true true "the request's leader epoch is older than this broker's"
    75 UnknownLeaderEpoch "UNKNOWN_LEADER_EPOCH" true false "the request's leader epoch is newer than this broker's"
    76 UnsupportedCompressionType "UNSUPPORTED_COMPRESSION_TYPE" false false "the codec of the batch is not allowed here"
    77 StaleBrokerEpoch "STALE_BROKER_EPOCH" false false "the broker epoch is not the registered one"
    78 OffsetNotAvailable "OFFSET_NOT_AVAILABLE" true false "the new leader's high watermark has not reached its epoch's start"
    79 MemberIdRequired "MEMBER_ID_REQUIRED" false false "the member has to join again with the id that it is given"
    80 PreferredLeaderNotAvailable "PREFERRED_LEADER_NOT_AVAILABLE" false false "the preferred replica is not alive or not in sync"
    81 GroupMaxSizeReached "GROUP_MAX_SIZE_REACHED" false false "the group has group.max.size members"
    82 FencedInstanceId "FENCED_INSTANCE_ID" false false "another member has the group instance id"
    83 EligibleLeadersNotAvailable "ELIGIBLE_LEADERS_NOT_AVAILABLE" false false "no replica may lead"
    84 ElectionNotNeeded "ELECTION_NOT_NEEDED" false false "the leader is already the requested one"
    86 GroupSubscribedToTopic "GROUP_SUBSCRIBED_TO_TOPIC" false false "the group is subscribed to the topic"
    87 InvalidRecord "INVALID_RECORD" false false "the batch breaks a rule of the broker"
    88 UnstableOffsetCommit "UNSTABLE_OFFSET_COMMIT" true false "a transaction has an offset of the partition that is neither committed nor aborted"
    89 ThrottlingQuotaExceeded "THROTTLING_QUOTA_EXCEEDED" true false "the quota is used up"
    90 ProducerFenced "PRODUCER_FENCED" false false "a newer producer has the transactional id"
    94 InconsistentVoterSet "INCONSISTENT_VOTER_SET" false false "the sender is not a voter"
    95 InvalidUpdateVersion "INVALID_UPDATE_VERSION" false false "the partition epoch is not the present one"
    97 BrokerIdNotRegistered "BROKER_ID_NOT_REGISTERED" false false "the broker is not registered"
    100 UnknownTopicId "UNKNOWN_TOPIC_ID" true true "this server knows no topic of that id"
    101 DuplicateBrokerRegistration "DUPLICATE_BROKER_REGISTRATION" false false "another live process holds this broker id"
    103 InconsistentTopicId "INCONSISTENT_TOPIC_ID" true true "the log belongs to another topic of the same name"
    104 InconsistentClusterId "INCONSISTENT_CLUSTER_ID" false false "the request is meant for another cluster"
    105 TransactionalIdNotFound "TRANSACTIONAL_ID_NOT_FOUND" false false "the coordinator does not know the transactional id"
    107 IneligibleReplica "INELIGIBLE_REPLICA" false false "a proposed in-sync replica is fenced, leaving or of an older life"
    108 NewLeaderElected "NEW_LEADER_ELECTED" false false "the change was applied and moved leadership away"
    110 FencedMemberEpoch "FENCED_MEMBER_EPOCH" false false "the epoch is not the one of the member, which has to give everything up and join again"
    111 UnreleasedInstanceId "UNRELEASED_INSTANCE_ID" false false "another member has the group instance id and has not left"
    112 UnsupportedAssignor "UNSUPPORTED_ASSIGNOR" false false "the coordinator has no such assignor"
    113 StaleMemberEpoch "STALE_MEMBER_EPOCH" false false "the member has another epoch by now"
    119 InvalidRegistration "INVALID_REGISTRATION" false false "the registration is not possible as it is"
    120 TransactionAbortable "TRANSACTION_ABORTABLE" false false "the transaction has to be aborted"
}

impl ErrorCode {
    /// Those that no server here returns: what they are about is not modelled.
    pub const NEVER_RETURNED: &'static [Self] = &[
        Self::None,
        Self::ReplicaNotAvailable,
        Self::NetworkException,
        // Of older brokers; clients still know what to do.
        Self::DuplicateSequenceNumber,
        Self::UnknownProducerId,
        Self::ThrottlingQuotaExceeded,
        Self::BrokerIdNotRegistered,
        Self::InconsistentTopicId,
        Self::InconsistentClusterId,
        Self::TransactionalIdAuthorizationFailed,
        // Until transactions are complete.
        Self::TransactionCoordinatorFenced,
    ];

    /// The number of its mark ([`machine::Outbox::mark`]): a response with it was sent.
    pub fn mark(self) -> u16 {
        const FIRST: usize = 256;
        let place = Self::ALL.iter().position(|code| *code == self).unwrap_or(0);
        u16::try_from(FIRST + place).expect("there are few error codes")
    }

    /// Those that a response can carry.
    pub fn returned() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|code| !Self::NEVER_RETURNED.contains(code))
    }

    /// Whether this is no error.
    pub const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }

    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_is_newer_than_the_broker_knows_says_nothing_against_the_metadata() {
        let retriable = |error: ErrorCode| (error.is_retriable(), error.is_invalid_metadata());
        assert_eq!(retriable(ErrorCode::UnknownLeaderEpoch), (true, false));
        assert_eq!(retriable(ErrorCode::FencedLeaderEpoch), (true, true));
    }
}
