//! Corrupted rules of groups of the consumer protocol, and the checks that notice the corruption.

use super::Corruption;
use super::Notice::{self, Check, Museum, Never};

pub(super) const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        check: "group-one-owner",
        rule: "may_assign_partition",
        corrupt: |rules| rules.may_assign_partition = |_| true,
        scenario: "kip848-rebalance",
        set: &[],
    },
    Corruption {
        check: "commits-of-members",
        rule: "check_member_commit",
        corrupt: |rules| rules.check_member_commit = |_| Ok(()),
        scenario: "kip848-rebalance",
        set: &[],
    },
];

pub(super) const CONVERSE: &[(&str, Notice)] = &[
    ("keeps_owner", Museum("KAFKA-16147", "group-one-owner")),
    ("may_assign_partition", Check("group-one-owner")),
    ("check_member_commit", Check("commits-of-members")),
    (
        "check_member_epoch",
        Never(
            "a member that is fenced without need joins again, which a group may do at any time, and one \
             with another epoch than its own is a member that has left: it is unknown by its id",
        ),
    ),
];
