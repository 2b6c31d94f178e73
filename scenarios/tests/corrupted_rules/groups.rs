//! Corrupted rules of groups of consumers, and the checks that notice the corruption.

use super::Corruption;
use super::Notice::{self, Check, Museum, Never};

/// Of some of these rules no run that shows a corruption is known.
const NOT_FOUND: &str = "no run that shows its corruption has been found in the scenarios of groups; engine tests hold the rule, \
                         and tests of the judge the check";

pub(super) const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        check: "commits-of-members",
        rule: "check_commit",
        corrupt: |rules| rules.check_commit = |_| Ok(()),
        scenario: "transactional-pipeline",
        set: &[],
    },
    // A zombie commits the offsets of a transaction whose records its successor processes as well.
    Corruption {
        check: "reflected-once",
        rule: "names_member",
        corrupt: |rules| rules.names_member = |_| false,
        scenario: "transactional-pipeline",
        set: &[],
    },
    // Offsets that a transaction has committed never count.
    Corruption {
        check: "reflected-once",
        rule: "takes_over_offset",
        corrupt: |rules| rules.takes_over_offset = |_| false,
        scenario: "transactional-pipeline",
        set: &[],
    },
    Corruption {
        check: "group-one-owner",
        rule: "gives_up_before_join",
        corrupt: |rules| rules.gives_up_before_join = |_| false,
        scenario: "eager-rebalance",
        set: &[],
    },
    Corruption {
        check: "groups-as-replayed",
        rule: "load_groups_to",
        corrupt: |rules| rules.load_groups_to = |ends| ends.high_watermark,
        scenario: "group-coordinator-crash",
        set: &[],
    },
];

pub(super) const CONVERSE: &[(&str, Notice)] = &[
    (
        "check_group_member",
        Never(
            "a member that is fenced by another instance has lost its id as well, so that what it sends is \
             refused by the group, which does not know it",
        ),
    ),
    ("check_commit", Check("commits-of-members")),
    ("takes_over_offset", Check("reflected-once")),
    ("shows_offset", Never(NOT_FOUND)),
    ("names_member", Check("reflected-once")),
    ("load_groups_to", Check("groups-as-replayed")),
    ("position_to_commit", Museum("KAFKA-18641", "group-processes-all")),
    (
        "hands_out",
        Never(
            "records that are handed out after their positions were taken for a commit are processed again \
             by the next owner, as after a crash: Kafka promises at least once (KAFKA-14196)",
        ),
    ),
    ("gives_up_before_join", Check("group-one-owner")),
    ("ends_membership", Never(NOT_FOUND)),
    (
        "keeps_member_id",
        Never(
            "the id that a member has given up holds the next rebalance up until its session ends, which \
             is late, and within what a group may take (KAFKA-13214)",
        ),
    ),
];
