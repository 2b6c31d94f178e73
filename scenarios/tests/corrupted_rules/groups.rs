//! Rules of groups of consumers made wrong, and the checks that notice it.

use super::Corruption;
use super::Notice::{self, Check, Museum, Never};

pub(super) const CORRUPTIONS: &[Corruption] = &[
    // KAFKA-18641: what was fetched, and not returned by a poll, is committed, and lost in a crash.
    Corruption {
        check: "group-processes-all",
        rule: "position_to_commit",
        corrupt: |rules| rules.position_to_commit = |progress| progress.fetched,
        scenario: "auto-commit",
        set: &["max.poll.records=5"],
    },
    // A member that was replaced commits what it has processed all the same.
    Corruption {
        check: "commits-of-members",
        rule: "check_commit",
        corrupt: |rules| rules.check_commit = |_| Ok(()),
        scenario: "zombie-consumer",
        set: &[],
    },
    Corruption {
        check: "offsets-never-back",
        rule: "check_commit",
        corrupt: |rules| rules.check_commit = |_| Ok(()),
        scenario: "zombie-consumer",
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
    // The transaction of a zombie moves offsets that another member has moved by now (KIP-447).
    Corruption {
        check: "reflected-once",
        rule: "names_member",
        corrupt: |rules| rules.names_member = |_| false,
        scenario: "transactional-pipeline",
        set: &[],
    },
    // A member that is none any more goes on for ever.
    Corruption {
        check: "groups-settle",
        rule: "ends_membership",
        corrupt: |rules| rules.ends_membership = |_| false,
        scenario: "zombie-consumer",
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
    (
        "takes_over_offset",
        Never(
            "no client of a run commits offsets in transactions so far: engine tests hold the rule",
        ),
    ),
    (
        "shows_offset",
        Never(
            "no client of a run commits offsets in transactions so far: engine tests hold the rule",
        ),
    ),
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
    ("ends_membership", Check("groups-settle")),
    (
        "keeps_member_id",
        Never(
            "the id that a member has given up holds the next rebalance up until its session ends, which \
             is late, and within what a group may take (KAFKA-13214)",
        ),
    ),
];
