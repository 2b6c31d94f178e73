//! The entries about groups of the consumer protocol (KIP-848).

use super::{Bug, Status};
use engine::rules::group::Kept;

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

/// Before KAFKA-16147: the old assignment was removed after the new one had been added.
fn forget_what_had_to_go(kept: Kept) -> bool {
    kept.is_kept && !kept.had_to_go
}
