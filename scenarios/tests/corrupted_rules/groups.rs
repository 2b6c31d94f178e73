//! Rules of groups of consumers, and the checks that notice it when they are wrong. Which corruption of
//! these rules a random search finds in runs is not known yet, except for the entry of the museum: the
//! checks have their bad histories in the tests of the judge.

use super::Notice::{self, Museum, Never};

/// Of most of these rules no search has been made yet for a run that shows a corruption.
const NOT_SEARCHED: &str = "no run that shows its corruption has been searched for yet; engine tests hold the rule, and tests of \
                            the judge the check";

pub(super) const CONVERSE: &[(&str, Notice)] = &[
    (
        "check_group_member",
        Never(
            "a member that is fenced by another instance has lost its id as well, so that what it sends is \
             refused by the group, which does not know it",
        ),
    ),
    ("check_commit", Never(NOT_SEARCHED)),
    ("takes_over_offset", Never(NOT_SEARCHED)),
    ("shows_offset", Never(NOT_SEARCHED)),
    ("names_member", Never(NOT_SEARCHED)),
    ("load_groups_to", Never(NOT_SEARCHED)),
    ("position_to_commit", Museum("KAFKA-18641", "group-processes-all")),
    (
        "hands_out",
        Never(
            "records that are handed out after their positions were taken for a commit are processed again \
             by the next owner, as after a crash: Kafka promises at least once (KAFKA-14196)",
        ),
    ),
    ("gives_up_before_join", Never(NOT_SEARCHED)),
    ("ends_membership", Never(NOT_SEARCHED)),
    (
        "keeps_member_id",
        Never(
            "the id that a member has given up holds the next rebalance up until its session ends, which \
             is late, and within what a group may take (KAFKA-13214)",
        ),
    ),
];
