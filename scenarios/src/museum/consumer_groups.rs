//! The entries about groups of the consumer protocol (KIP-848).

use super::{Bug, Status};
use engine::error::ErrorCode;
use engine::rules::group::{self, Kept, MemberCommit};

/// A coordinator forgets the owner of a partition.
pub(super) const KAFKA_16147: Bug = Bug {
    id: "KAFKA-16147",
    status: Status::MendedIn("3.8.0"),
    summary: "a coordinator takes a partition for free that a member had to give up and got back, and \
              assigns it to another member, which owns it as well",
    source: "https://issues.apache.org/jira/browse/KAFKA-16147",
    rules: &["keeps_owner"],
    masked_by: "",
    apply: |rules| rules.keeps_owner = forget_what_had_to_go,
    scenario: "museum-kafka-16147",
    toml: include_str!("kafka-16147.toml"),
};

/// A former member replaces the commit of its successor.
pub(super) const FL_8: Bug = Bug {
    id: "FL-8",
    status: Status::OpenIn("4.1.1"),
    summary: "a group of the consumer protocol that has just become empty takes a commit of a former member, \
              and an acknowledged commit of its successor is lost",
    source: "docs/found.md",
    rules: &["check_member_commit"],
    masked_by: "",
    apply: |rules| rules.check_member_commit = take_former_members_for_strangers,
    scenario: "museum-fl-8",
    toml: include_str!("fl-8.toml"),
};

/// FL-8, as in Kafka 4.1: whatever has no epoch counts as from outside of the protocol.
fn take_former_members_for_strangers(commit: MemberCommit) -> Result<(), ErrorCode> {
    if commit.epoch < 0 && !commit.has_members {
        return Ok(());
    }
    group::check_member_commit(commit)
}

/// Before KAFKA-16147: the old assignment was removed after the new one had been added.
fn forget_what_had_to_go(kept: Kept) -> bool {
    kept.is_kept && !kept.had_to_go
}
