//! Corrupted rules of transactions, and the checks that notice the corruption.

use super::Corruption;
use super::Notice::{self, Check, Museum, Never};
use engine::rules::transaction::{Claimed, Ending, Epochs, Marked, end_transaction};
use engine::rules::verification::{Marker, check_marker};

/// Version 1 of the transaction protocol, in which transactions share an epoch.
const FIRST: &[&str] = &["transaction.version=1"];

pub(super) const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        check: "read-committed",
        rule: "passes_over",
        corrupt: |rules| rules.passes_over = |_| false,
        scenario: "transactional-append",
        set: &[],
    },
    // An EndTxn of any epoch ends the open transaction.
    Corruption {
        check: "all-or-nothing",
        rule: "end_transaction",
        corrupt: |rules| {
            rules.end_transaction = |ending| match ending.claimed {
                Claimed::Other => end_transaction(Ending { claimed: Claimed::Current, ..ending }),
                _ => end_transaction(ending),
            };
        },
        scenario: "late-end-txn",
        set: &[],
    },
    Corruption {
        check: "all-or-nothing",
        rule: "check_claim",
        corrupt: |rules| rules.check_claim = |_| Ok(()),
        scenario: "hanging-transaction",
        set: &[],
    },
    Corruption {
        check: "all-or-nothing",
        rule: "may_end_transaction",
        corrupt: |rules| rules.may_end_transaction = |_| true,
        scenario: "transaction-coordinator-crash",
        set: FIRST,
    },
    // The guard against a verification that is outdated at the append, as in KAFKA-14884, remains.
    Corruption {
        check: "all-or-nothing",
        rule: "ends_verification",
        corrupt: |rules| rules.ends_verification = |_| false,
        scenario: "museum-kafka-14884",
        set: &[],
    },
    // With the same epoch, a producer whose transaction has timed out continues in a later one.
    Corruption {
        check: "one-owner",
        rule: "epoch_of_fence",
        corrupt: |rules| rules.epoch_of_fence = |fence| fence.epoch,
        scenario: "transaction-timeout",
        set: &["transaction.version=1", "transaction.partition.verification.enable=false"],
    },
    // The batches of two producers with one epoch are treated as duplicates of each other.
    Corruption {
        check: "acknowledged-survives",
        rule: "epoch_of_instance",
        corrupt: |rules| {
            rules.epoch_of_instance = |instance| {
                Ok(Epochs { epoch: instance.epoch.max(0), last_epoch: instance.last_epoch })
            };
        },
        scenario: "one-transactional-id",
        set: &[],
    },
    Corruption {
        check: "transactions-end",
        rule: "is_timed_out",
        corrupt: |rules| rules.is_timed_out = |_| true,
        scenario: "transactional-append",
        set: &[],
    },
    Corruption {
        check: "coordinator-states",
        rule: "is_id_expired",
        corrupt: |rules| rules.is_id_expired = |_| true,
        scenario: "transactional-append",
        set: &[
            "transactional.id.expiration.ms=1000",
            "transaction.remove.expired.transaction.cleanup.interval.ms=500",
        ],
    },
    Corruption {
        check: "coordinator-states",
        rule: "after_marker",
        corrupt: |rules| rules.after_marker = |_| Marked::Done,
        scenario: "marker-refused",
        set: &[],
    },
    Corruption {
        check: "coordinator-knows-its-log",
        rule: "load_to",
        corrupt: |rules| rules.load_to = |ends| ends.high_watermark,
        scenario: "transaction-coordinator-crash",
        set: &[],
    },
    Corruption {
        check: "markers-as-decided",
        rule: "check_marker",
        corrupt: |rules| {
            rules.check_marker = |marker| check_marker(Marker { own_epoch: false, ..marker });
        },
        scenario: "museum-kafka-19446",
        set: &[],
    },
    // A late batch of an earlier epoch. Only the first batch of a transaction of version 2 has the
    // sequence that a leader expects in another epoch, and such a batch is verified.
    Corruption {
        check: "transactions-end",
        rule: "check_producer_epoch",
        corrupt: |rules| {
            rules.check_producer_epoch = |_| Ok(());
            rules.needs_verification = |_| false;
            rules.check_guard = |_| Ok(());
        },
        scenario: "hanging-transaction",
        set: &[],
    },
];

pub(super) const CONVERSE: &[(&str, Notice)] = &[
    ("check_producer_epoch", Check("transactions-end")),
    ("needs_verification", Museum("KAFKA-14402", "transactions-end")),
    ("check_guard", Museum("KAFKA-14884", "all-or-nothing")),
    (
        "check_first_sequence",
        Never(
            "a batch ahead of one that is to be verified again has a gap in front of it, so that check_sequence \
             refuses it as well (KAFKA-14920)",
        ),
    ),
    (
        "check_transactional",
        Never(
            "a producer with a transactional.id sends nothing outside of its transactions, and no other \
             producer has its producer id",
        ),
    ),
    ("ends_verification", Check("all-or-nothing")),
    ("check_marker", Check("markers-as-decided")),
    ("last_stable_offset", Museum("LSO-UNREPLICATED", "read-committed")),
    ("epoch_of_instance", Check("acknowledged-survives")),
    ("check_claim", Check("all-or-nothing")),
    (
        "check_stage",
        Never(
            "what may follow which state is checked once more when a record is made (`Entry::begin`): the \
             request fails with another error, and its producer ends",
        ),
    ),
    ("end_transaction", Check("all-or-nothing")),
    ("bumps_epoch_at_end", Museum("KAFKA-17754", "all-or-nothing")),
    ("epoch_of_fence", Check("one-owner")),
    ("is_timed_out", Check("transactions-end")),
    ("is_id_expired", Check("coordinator-states")),
    (
        "is_of_present_coordinator",
        Never(
            "the records that a leader has on their way get their outcome when it is replaced, before it \
             can coordinate the partition in another epoch: none is left of an earlier one",
        ),
    ),
    ("stays_pending", Museum("KAFKA-5351", "transactions-end")),
    ("may_load", Museum("FL-6", "replicas-equal")),
    ("load_to", Check("coordinator-knows-its-log")),
    ("forgets_ids", Museum("KAFKA-9307", "coordinator-knows-its-log")),
    ("finishes_when_loaded", Museum("KAFKA-5131", "transactions-end")),
    ("after_marker", Check("coordinator-states")),
    (
        "records_next_producer_id",
        Never(
            "the epochs of a producer id are over after 32,766 transactions of one producer, which is more \
             than a run makes",
        ),
    ),
    ("passes_over", Check("read-committed")),
    ("may_end_transaction", Check("all-or-nothing")),
    ("bumps_after_failure", Museum("FL-5", "all-or-nothing")),
];
