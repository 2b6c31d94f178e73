//! The entries about transactions, and about batches whose outcome is unknown.

use super::transactional_rules as rules;
use super::{Bug, Status};

const JIRA_17754: &str = "https://issues.apache.org/jira/browse/KAFKA-17754";

/// A late EndTxn ends a later transaction.
pub(super) const KAFKA_17754: Bug = Bug {
    id: "KAFKA-17754",
    status: Status::MendedIn("4.0.0"),
    summary: "all transactions of a producer have one epoch, so that an EndTxn that is late ends the \
              transaction that is open by then",
    source: JIRA_17754,
    rules: &["bumps_epoch_at_end"],
    masked_by: "",
    apply: |it| it.bumps_epoch_at_end = rules::share_the_epoch,
    scenario: "museum-kafka-17754",
    toml: include_str!("kafka-17754.toml"),
};

/// A late batch opens a transaction that its coordinator does not know.
pub(super) const KAFKA_14402: Bug = Bug {
    id: "KAFKA-14402",
    status: Status::MendedIn("3.6.0"),
    summary: "a leader appends a batch whose transaction is over: it opens another, of which the \
              coordinator knows nothing, and no marker ever ends that",
    source: "https://issues.apache.org/jira/browse/KAFKA-14402",
    rules: &["needs_verification", "check_guard"],
    masked_by: "the append is refused without the answer to the question that was not asked. With \
                transaction.version=2 the epoch of the marker refuses the batch, so the run has version 1",
    apply: |it| {
        it.needs_verification = rules::append_without_a_question;
        it.check_guard = rules::append_without_an_answer;
    },
    scenario: "museum-kafka-14402",
    toml: include_str!("kafka-14402.toml"),
};

/// The coordinator's verification is outdated when the batch is appended.
pub(super) const KAFKA_14884: Bug = Bug {
    id: "KAFKA-14884",
    status: Status::NeverReleased,
    summary: "between the coordinator's answer about a transaction and the append that asked, the \
              transaction ends: the batch opens another, which no marker ever ends",
    source: "https://issues.apache.org/jira/browse/KAFKA-14884",
    rules: &["check_guard"],
    masked_by: "",
    apply: |it| it.check_guard = rules::trust_an_old_answer,
    scenario: "museum-kafka-14884",
    toml: include_str!("kafka-14884.toml"),
};

/// The last stable offset is too high.
pub(super) const LSO_UNREPLICATED: Bug = Bug {
    id: "LSO-UNREPLICATED",
    status: Status::NeverReleased,
    summary: "the last stable offset passes a transaction when the leader has its marker, which the \
              next leader may not have",
    source: "https://cwiki.apache.org/confluence/display/KAFKA/KIP-98",
    rules: &["last_stable_offset"],
    masked_by: "",
    apply: |it| it.last_stable_offset = rules::decided_before_it_is_replicated,
    scenario: "museum-lso-unreplicated",
    toml: include_str!("lso-unreplicated.toml"),
};

/// A new coordinator does not complete a decided transaction.
pub(super) const KAFKA_5131: Bug = Bug {
    id: "KAFKA-5131",
    status: Status::NeverReleased,
    summary: "a coordinator that takes over does not finish what the one before has decided: no marker \
              is written",
    source: "https://issues.apache.org/jira/browse/KAFKA-5131",
    rules: &["finishes_when_loaded"],
    masked_by: "",
    apply: |it| it.finishes_when_loaded = rules::leave_what_was_decided,
    scenario: "museum-kafka-5131",
    toml: include_str!("kafka-5131.toml"),
};

/// A coordinator keeps the outdated state of an earlier term.
pub(super) const KAFKA_9307: Bug = Bug {
    id: "KAFKA-9307",
    status: Status::MendedIn("2.4.1"),
    summary: "a coordinator whose partition comes back to it prefers what it knew of a transactional id \
              to what another coordinator has written in between",
    source: "https://issues.apache.org/jira/browse/KAFKA-9307",
    rules: &["forgets_ids"],
    masked_by: "",
    apply: |it| it.forgets_ids = rules::keep_ids,
    scenario: "museum-kafka-9307",
    toml: include_str!("kafka-9307.toml"),
};

/// A transactional id waits forever.
pub(super) const KAFKA_5351: Bug = Bug {
    id: "KAFKA-5351",
    status: Status::NeverReleased,
    summary: "a coordinator goes on waiting for a record that could not be written: its transactional \
              id refuses everything, and what is open stays open",
    source: "https://issues.apache.org/jira/browse/KAFKA-5351",
    rules: &["stays_pending"],
    masked_by: "",
    apply: |it| it.stays_pending = rules::wait_for_what_failed,
    scenario: "museum-kafka-5351",
    toml: include_str!("kafka-5351.toml"),
};

/// A late marker ends a later transaction.
pub(super) const KAFKA_19446: Bug = Bug {
    id: "KAFKA-19446",
    status: Status::MendedIn("4.2.0"),
    summary: "a marker has the epoch of the next transaction, and a late copy of it ends that one: its \
              first half is committed",
    source: "https://issues.apache.org/jira/browse/KAFKA-19446",
    rules: &["check_marker"],
    masked_by: "",
    apply: |it| it.check_marker = rules::accept_a_late_marker,
    scenario: "museum-kafka-19446",
    toml: include_str!("kafka-19446.toml"),
};

/// A fix of [`KAFKA_19446`] that is too strict.
pub(super) const KAFKA_19999: Bug = Bug {
    id: "KAFKA-19999",
    status: Status::NeverReleased,
    summary: "a leader refuses the second attempt of a marker whose first response was lost, and the \
              coordinator gives the transaction up: it never completes",
    source: "https://issues.apache.org/jira/browse/KAFKA-19999",
    rules: &["check_marker"],
    masked_by: "",
    apply: |it| it.check_marker = rules::refuse_a_second_attempt,
    scenario: "museum-kafka-19999",
    toml: include_str!("kafka-19999.toml"),
};

/// A late batch joins the next transaction.
pub(super) const FL_5: Bug = Bug {
    id: "FL-5",
    status: Status::OpenIn("4.1"),
    summary: "with transaction.version=1 a batch that expires while its transaction is being ended asks \
              for no other epoch: it may arrive later, and joins the next transaction",
    source: "docs/found.md",
    rules: &["bumps_after_failure"],
    masked_by: "",
    apply: |it| it.bumps_after_failure = rules::keep_the_epoch_while_ending,
    scenario: "museum-fl-5",
    toml: include_str!("fl-5.toml"),
};

/// An error with an open outcome is treated as a refusal.
pub(super) const KAFKA_13574: Bug = Bug {
    id: "KAFKA-13574",
    status: Status::OpenIn("4.1"),
    summary: "a producer that gives a batch up reports it as not written, whatever the error: the \
              record is read later all the same",
    source: "https://issues.apache.org/jira/browse/KAFKA-13574",
    rules: &["leaves_produce_unknown"],
    masked_by: "",
    apply: |it| it.leaves_produce_unknown = rules::take_any_error_for_a_refusal,
    scenario: "museum-kafka-13574",
    toml: include_str!("kafka-13574.toml"),
};

/// A coordinator appends in the leader epoch of records that it has lost.
pub(super) const FL_6: Bug = Bug {
    id: "FL-6",
    status: Status::OpenIn("4.1"),
    summary: "a coordinator that is back from a power loss before its session is over goes on in the \
              leader epoch of the records that it has lost, and its replica differs from then on",
    source: "docs/found.md",
    rules: &["may_load"],
    masked_by: "",
    apply: |it| it.may_load = rules::load_at_once,
    scenario: "museum-fl-6",
    toml: include_str!("fl-6.toml"),
};
