//! The entries about groups of consumers.

use super::{Bug, Status};
use engine::ids::Offset;
use engine::rules::member::Progress;

/// Commits run ahead of what an application has been given.
pub(super) const KAFKA_18641: Bug = Bug {
    id: "KAFKA-18641",
    status: Status::MendedIn("4.0.0"),
    summary: "a consumer commits by itself what it has fetched, also the records that no poll has returned: \
              they are skipped if its process crashes",
    source: "https://issues.apache.org/jira/browse/KAFKA-18641",
    rules: &["position_to_commit"],
    masked_by: "",
    apply: |rules| rules.position_to_commit = commit_what_is_fetched,
    scenario: "museum-kafka-18641",
    toml: include_str!("kafka-18641.toml"),
};

/// Before KAFKA-18641.
fn commit_what_is_fetched(progress: Progress) -> Offset {
    progress.fetched
}
