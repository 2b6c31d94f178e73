//! Checks of behaviour that no rule decides, each with the bad history that it catches.

/// A check of behaviour that no rule decides, the reason, and the bad history that it catches.
pub(super) struct NoRule {
    pub(super) check: &'static str,
    pub(super) why: &'static str,
    /// The file of the judge's tests, and the test.
    pub(super) history: (&'static str, &'static str),
}

/// Tests of the judge.
const DURABILITY: &str = include_str!("../../../judge/src/check/tests/durability.rs");
const ISR: &str = include_str!("../../../judge/src/check/tests/isr.rs");
const QUORUM: &str = include_str!("../../../judge/src/check/tests/quorum.rs");
const LIVENESS: &str = include_str!("../../../judge/src/check/tests/liveness.rs");
const LEADERS: &str = include_str!("../../../judge/src/check/tests/mod.rs");
const TRANSACTIONS: &str = include_str!("../../../judge/src/check/tests/transactions.rs");
const PRODUCERS: &str = include_str!("../../../judge/src/check/tests/producers.rs");
const STOPPED: &str = include_str!("../../../judge/src/verdict/tests/stopped.rs");

const GROUPS: &str = include_str!("../../../judge/src/check/tests/groups.rs");

/// All of them.
pub(super) const NO_RULE: &[NoRule] = &[
    NoRule {
        check: "offset-of-time",
        why: "the time index and the batches decide it, not a rule of the protocol",
        history: (LIVENESS, "the_offset_of_a_time_is_that_of_the_first_record_as_late"),
    },
    NoRule {
        check: "live-state-is-replayed",
        why: "no rule decides what replaying a record does, and a member that learns of two leaders in \
              one epoch ends before its state can differ",
        history: (QUORUM, "live_state_is_the_replay_of_the_log"),
    },
    NoRule {
        check: "snapshots-of-producers",
        why: "the content of a snapshot follows from the batches before it, and no rule decides it",
        history: (PRODUCERS, "a_snapshot_matches_the_log_before_it"),
    },
    NoRule {
        check: "loads-what-is-durable",
        why: "no rule decides when files are fsynced",
        history: (DURABILITY, "a_crash_and_a_clean_shutdown_lose_no_records"),
    },
    NoRule {
        check: "answers-are-prompt",
        why: "no rule decides when a response that is due is sent",
        history: (LIVENESS, "batches_of_the_whole_isr_are_committed_and_confirmed_in_time"),
    },
    NoRule {
        check: "one-isr-proposal",
        why: "no rule decides whether a proposal is in flight",
        history: (ISR, "a_leader_has_one_proposal_in_flight_and_forgets_none"),
    },
    NoRule {
        check: "stops-explained",
        why: "no rule decides whether a process stops by itself",
        history: (STOPPED, "a_halt_that_nothing_explains_is_a_violation"),
    },
    NoRule {
        check: "one-leader-per-epoch",
        why: "replaying a change of leader begins a new epoch",
        history: (LEADERS, "a_leader_epoch_has_one_leader"),
    },
    NoRule {
        check: "order-in-real-time",
        why: "what is acknowledged stands in the log, and what comes later is appended behind it; a rule that \
              breaks this loses the record or gives its offset another value, which other checks notice",
        history: (TRANSACTIONS, "a_record_follows_those_acknowledged_before_it_was_sent"),
    },
    NoRule {
        check: "committed-offsets-kept",
        why: "a response to a commit waits for the high watermark as every acknowledgement does, and no rule of its own decides it",
        history: (GROUPS, "an_acknowledged_commit_is_shown"),
    },
    NoRule {
        check: "paused-return-nothing",
        why: "whether a partition is paused is a field of the consumer, and no rule decides it",
        history: (GROUPS, "a_paused_partition_returns_nothing"),
    },
    NoRule {
        check: "in-store-once",
        why: "the store of an application fences, or does not, by a key of the scenario and not by a rule of the protocol",
        history: (GROUPS, "each_input_is_in_the_store_of_its_group_once"),
    },
    NoRule {
        check: "group-processes-all",
        why: "position_to_commit decides it, whose corruption is the entry KAFKA-18641 of the museum",
        history: (GROUPS, "what_a_group_committed_before_it_was_processed_is_skipped"),
    },
    NoRule {
        check: "offsets-never-back",
        why: "check_commit decides it, whose corruption the check commits-of-members reports before an offset goes back",
        history: (GROUPS, "a_committed_offset_goes_back_if_that_was_meant"),
    },
    NoRule {
        check: "groups-settle",
        why: "no rule decides alone whether a group settles; a leader that lacked metadata did not sync, which the check found",
        history: (
            GROUPS,
            "a_group_that_has_not_settled_is_reported_unless_its_coordinator_is_gone",
        ),
    },
];
