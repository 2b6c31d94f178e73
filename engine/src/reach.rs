//! Steps of the protocol that a run can reach.
//!
//! A process reports some of them itself ([`crate::fact::Fact::Reached`]); others follow from facts
//! that it reports for other reasons. A test requires that each step is reported by some code.
//! Effects in the simulator (`sim::Effect`), error codes and the branches of rules have names as
//! well.

macro_rules! reaches {
    ($(#[doc = $doc:literal] $reach:ident = $name:literal,)*) => {
        /// A step of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reach {
            $(#[doc = $doc] $reach,)*
        }

        impl Reach {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$reach,)*];

            /// Its name in scenario files and results.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$reach => $name,)*
                }
            }

            /// Its description in one line.
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$reach => $doc.trim_ascii(),)*
                }
            }
        }
    };
}

reaches! {
    /// A broker crashed while it had produce requests to answer.
    CrashWithRequestsInFlight = "crash_with_requests_in_flight",
    /// A leader was elected from the in-sync replicas.
    ElectionClean = "election_clean",
    /// Leadership moved to the preferred replica.
    ElectionPreferred = "election_preferred",
    /// A leader was elected from the eligible leader replicas (KIP-966).
    ElectionEligible = "election_eligible",
    /// The last known leader was elected (KIP-966).
    ElectionLastKnown = "election_last_known",
    /// A replica that was not in sync was elected.
    ElectionUnclean = "election_unclean",
    /// A leader lost its power while it was alone in sync.
    LoneLeaderLostPower = "lone_leader_lost_power",
    /// A partition had no leader.
    Leaderless = "leaderless",
    /// The controller quorum elected a leader.
    ControllerElection = "controller_election",
    /// Another controller became active during the load.
    ControllerFailover = "controller_failover",
    /// A quorum leader resigned without a majority.
    QuorumResigned = "quorum_resigned",
    /// A follower truncated its log.
    Truncation = "truncation",
    /// A log was recovered after an unclean shutdown.
    LogRecovered = "log_recovered",
    /// A leader removed a follower from the ISR.
    IsrShrink = "isr_shrink",
    /// A leader took a follower into the ISR.
    IsrExpand = "isr_expand",
    /// A produce request was refused because there were too few in-sync replicas.
    NotEnoughReplicas = "not_enough_replicas",
    // Before KIP-966 only: `crate::rules::produce::outcome_when_replicated` says why.
    /// A produce request was appended and then had too few in-sync replicas.
    NotEnoughReplicasAfterAppend = "not_enough_replicas_after_append",
    /// A fetch was refused for its leader epoch.
    FetchFenced = "fetch_fenced",
    /// The controller fenced a broker.
    BrokerFenced = "broker_fenced",
    /// A follower caught up that may not join the ISR (KIP-841, KIP-903).
    IsrIneligible = "isr_ineligible",
    /// A produce request with acks=all waited for followers.
    ProduceWaited = "produce_waited",
    /// A produce request waited when its leader was replaced.
    ProduceLostLeader = "produce_lost_leader",
    /// A leader recognised a batch as a duplicate of one in its log.
    DuplicateFound = "duplicate_found",
    /// A leader refused a batch because its sequence was not the next one.
    SequenceOutOfOrder = "sequence_out_of_order",
    /// A leader refused a batch of an earlier epoch of its producer (KIP-360).
    ProducerEpochOver = "producer_epoch_over",
    /// A leader refused a batch because its transaction was not open (KIP-890).
    TransactionNotOpen = "transaction_not_open",
    /// A leader refused the marker of a coordinator that had been replaced.
    CoordinatorFenced = "coordinator_fenced",
    /// A leader received a marker although the producer had no open transaction there.
    MarkerWithoutTransaction = "marker_without_transaction",
    /// A produce request waited for the coordinator to verify its partitions (KIP-890).
    ProduceVerified = "produce_verified",
    /// A leader asked the coordinator again, as the previous transaction had not ended (KIP-890).
    VerificationRetried = "verification_retried",
    /// A replica forgot a producer that had been silent for `producer.id.expiration.ms`.
    ProducerForgotten = "producer_forgotten",
    /// A coordinator aborted a transaction before it gave the transactional id to another producer.
    TransactionAbortedForNext = "transaction_aborted_for_next",
    /// A coordinator aborted a transaction that was open for too long.
    TransactionTimedOut = "transaction_timed_out",
    /// A new coordinator completed a transaction that another one had decided.
    TransactionTakenOver = "transaction_taken_over",
    /// A coordinator refused a producer whose transactional id another has (KIP-98).
    ZombieRefused = "zombie_refused",
    /// A request to end a transaction was repeated, and the transaction had ended as requested.
    EndTxnRepeated = "end_txn_repeated",
    /// A leader refused a marker of a coordinator that another had replaced.
    MarkerRefused = "marker_refused",
    /// A coordinator sent a marker again that a leader had refused for now.
    MarkerRepeated = "marker_repeated",
    /// A producer asked again which broker coordinates its transactions, as it could not connect to it.
    CoordinatorUnreachable = "coordinator_unreachable",
    /// A coordinator forgot transactional ids that had not been used for too long.
    TransactionalIdExpired = "transactional_id_expired",
    /// A request arrived before the response to the previous one was sent.
    RequestWhileAnswerLeaves = "request_while_answer_leaves",
    /// A fetch response arrived after the fetcher's position had changed.
    FetchOutdated = "fetch_outdated",
    /// A follower's fetch was refused as that of an earlier life (KIP-903).
    FetchOfEarlierLife = "fetch_of_earlier_life",
    /// A fetched batch was of a later epoch than the fetch (KIP-595).
    FetchedBatchNewer = "fetched_batch_newer",
    /// A follower stopped fetching, as its log refused what the leader sent.
    FollowerFailed = "follower_failed",
    /// A fetcher began a new fetch session because the broker did not accept its own (KIP-227).
    FetchSessionLost = "fetch_session_lost",
    /// A broker refused a fetch by its session (KIP-227).
    FetchSessionRefused = "fetch_session_refused",
    /// A follower stopped fetching, as its leader epoch had ended.
    FollowerFenced = "follower_fenced",
    /// A follower was outside of its leader's log.
    FollowerOutOfRange = "follower_out_of_range",
    /// A leader returned a diverging epoch to a follower (KIP-595).
    Divergence = "divergence",
    /// Finding where two logs diverge took another fetch.
    DivergenceAgain = "divergence_again",
    /// A follower had to truncate its log below its high watermark.
    TruncationBelowHighWatermark = "truncation_below_high_watermark",
    /// A follower's high watermark went back.
    HighWatermarkBack = "high_watermark_back",
    /// A new leader's high watermark was below its epoch's start (KIP-207).
    HighWatermarkTrails = "high_watermark_trails",
    /// The latest offset was requested before the leader could return it (KIP-207).
    LatestOffsetUnavailable = "latest_offset_unavailable",
    /// A leader became leader of a later epoch without having seen an epoch in between (FL-1).
    LeaderMissedAnEpoch = "leader_missed_an_epoch",
    /// Metadata arrived that was older than the partition's state (KAFKA-12686).
    MetadataOutdated = "metadata_outdated",
    /// A leader received a request with a later leader epoch than its own.
    StaleLeaderAsked = "stale_leader_asked",
    /// A node was still stopping when everything was healed.
    StoppedAfterHeal = "stopped_after_heal",
    /// A producer sent a batch again.
    ProduceRetried = "produce_retried",
    /// An idempotent producer began a new epoch, or requested a new id (KIP-360).
    ProducerEpochBumped = "producer_epoch_bumped",
    /// A batch that an idempotent producer had sent again expired.
    SequenceUnresolved = "sequence_unresolved",
    /// A transactional producer was fenced: another one has its id, or its transaction timed out.
    ProducerFenced = "producer_fenced",
    /// A transaction was committed: `commitTransaction` returned.
    TransactionCommitted = "transaction_committed",
    /// A transaction was aborted: `abortTransaction` returned.
    TransactionAborted = "transaction_aborted",
    /// An application left a transaction open or its producer failed in it.
    TransactionGivenUp = "transaction_given_up",
    /// A consumer skipped records of an aborted transaction.
    AbortedSkipped = "aborted_skipped",
    /// An application sent a message again, as another record.
    MessageSentAgain = "message_sent_again",
    /// A consumer moved its position.
    ConsumerSeek = "consumer_seek",
    /// A consumer learned the offset of a time.
    OffsetByTime = "offset_by_time",
    /// A consumer received a batch with a wrong checksum, and its poll threw.
    CorruptBatchRead = "corrupt_batch_read",
    /// A consumer found the log truncated below its position (KIP-320).
    ConsumerTruncated = "consumer_truncated",
    /// A group of consumers began a rebalance.
    GroupRebalanced = "group_rebalanced",
    /// A member of a group lost its place: its session ended.
    GroupSessionEnded = "group_session_ended",
    /// A static member of a group started again and took its own place (KIP-345).
    StaticMemberReplaced = "static_member_replaced",
    /// A static member of a group was refused: another one has its place (KIP-345).
    StaticMemberFenced = "static_member_fenced",
    /// A group coordinator refused a commit of offsets.
    CommitFenced = "commit_fenced",
    /// A committed offset was not shown: a transaction has another one open (KIP-447).
    OffsetUnstable = "offset_unstable",
    /// A committed offset expired (KIP-211).
    OffsetExpired = "offset_expired",
    /// A heartbeat of a member was refused: its epoch is another one (KIP-848).
    MemberEpochFenced = "member_epoch_fenced",
    /// A group with members went to the consumer protocol (KIP-848).
    GroupUpgraded = "group_upgraded",
    /// A group with members went back to the classic protocol (KIP-848).
    GroupDowngraded = "group_downgraded",
    /// A broker took over groups that another one had coordinated, or itself before a restart.
    GroupsTakenOver = "groups_taken_over",
    /// A member left its group because its application did not poll in time (KIP-62).
    PollIntervalExceeded = "poll_interval_exceeded",
    /// A member of a group found its partitions lost: it was no member any more.
    PartitionsLost = "partitions_lost",
    /// A member that subscribes by pattern found other topics that match than it had joined with.
    TopicMatched = "topic_matched",
    /// An application paused partitions, and went on to poll.
    PartitionsPaused = "partitions_paused",
    /// An application resumed partitions that it had paused and still owned.
    PartitionsResumed = "partitions_resumed",
    /// An application went on from the position in its own store.
    StoreSought = "store_sought",
    /// A store refused a transaction: another member had claimed the partition.
    StoreFenced = "store_fenced",
}

impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
