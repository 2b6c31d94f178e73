//! What members of groups did and saw, as lines of JSON.

use engine::fact::{CommitKind, Leaving, MemberFact, Revocation, StoreFact};
use engine::ids::TopicPartition;
use serde::Serialize;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum What<'a> {
    Joined {
        group: &'a str,
        member: &'a str,
        instance: Option<&'a str>,
        generation: i32,
        protocol: &'a str,
        partitions: Vec<String>,
    },
    Revoked {
        group: &'a str,
        member: &'a str,
        generation: i32,
        partitions: Vec<String>,
        why: &'static str,
    },
    Left {
        group: &'a str,
        member: &'a str,
        why: &'static str,
    },
    CommitAsked {
        group: &'a str,
        commit: u64,
        member: &'a str,
        generation: i32,
        offsets: Vec<(String, i64)>,
        kind: &'static str,
    },
    CommitAnswered {
        group: &'a str,
        commit: u64,
        results: Vec<(String, &'static str)>,
    },
    CommittedAsked {
        group: &'a str,
        question: u64,
        partitions: Vec<String>,
    },
    CommittedShown {
        group: &'a str,
        question: u64,
        coordinator: u16,
        offsets: Vec<(String, Option<i64>)>,
    },
    Processed {
        group: &'a str,
        partition: String,
        from: i64,
        to: i64,
    },
    Derived {
        group: &'a str,
        partition: String,
        offset: i64,
        record: u64,
    },
    StoreClaimed {
        group: &'a str,
        by: String,
        partition: String,
        epoch: u64,
        offset: Option<i64>,
    },
    StoreCommitted {
        group: &'a str,
        by: String,
        partition: String,
        epoch: u64,
        current: u64,
        records: &'a [(i64, u64)],
        to: i64,
    },
    StoreRefused {
        group: &'a str,
        by: String,
        partition: String,
        epoch: u64,
        current: u64,
    },
}

/// The line of a fact of a store.
pub(super) fn store<'a>(fact: &'a StoreFact, name: &dyn Fn(&TopicPartition) -> String) -> What<'a> {
    match fact {
        StoreFact::Claimed { group, by, partition, epoch, offset } => What::StoreClaimed {
            group,
            by: by.to_string(),
            partition: name(partition),
            epoch: *epoch,
            offset: *offset,
        },
        StoreFact::Committed { group, by, partition, epoch, current, inputs, to } => {
            What::StoreCommitted {
                group,
                by: by.to_string(),
                partition: name(partition),
                epoch: *epoch,
                current: *current,
                records: inputs,
                to: *to,
            }
        }
        StoreFact::Refused { group, by, partition, epoch, current } => What::StoreRefused {
            group,
            by: by.to_string(),
            partition: name(partition),
            epoch: *epoch,
            current: *current,
        },
    }
}

/// The line of a fact. `name` knows the names of partitions.
pub(super) fn what<'a>(fact: &'a MemberFact, name: &dyn Fn(&TopicPartition) -> String) -> What<'a> {
    match fact {
        MemberFact::Joined { group, member, instance, generation, protocol, partitions } => {
            What::Joined {
                group,
                member,
                instance: instance.as_deref(),
                generation: *generation,
                protocol,
                partitions: partitions.iter().map(name).collect(),
            }
        }
        MemberFact::Revoked { group, member, generation, partitions, why } => What::Revoked {
            group,
            member,
            generation: *generation,
            partitions: partitions.iter().map(name).collect(),
            why: match why {
                Revocation::Rebalance => "rebalance",
                Revocation::Leaving => "leaving",
                Revocation::Lost { .. } | Revocation::LostLeaving => "lost",
            },
        },
        MemberFact::Left { group, member, why } => What::Left {
            group,
            member,
            why: match why {
                Leaving::Closed => "closed",
                Leaving::PollTimeout => "poll_timeout",
            },
        },
        MemberFact::CommitAsked { group, commit, member, generation, offsets, kind } => {
            What::CommitAsked {
                group,
                commit: *commit,
                member,
                generation: *generation,
                offsets: offsets.iter().map(|(of, offset)| (name(of), *offset)).collect(),
                kind: match kind {
                    CommitKind::Sync => "sync",
                    CommitKind::Async => "async",
                    CommitKind::Auto => "auto",
                    CommitKind::OnRevoke => "on_revoke",
                    CommitKind::InTransaction { .. } => "in_transaction",
                },
            }
        }
        MemberFact::CommitAnswered { group, commit, results } => What::CommitAnswered {
            group,
            commit: *commit,
            results: results.iter().map(|(of, error)| (name(of), error.name())).collect(),
        },
        MemberFact::CommittedAsked { group, question, partitions } => What::CommittedAsked {
            group,
            question: *question,
            partitions: partitions.iter().map(name).collect(),
        },
        MemberFact::CommittedShown { group, question, coordinator, offsets } => {
            What::CommittedShown {
                group,
                question: *question,
                coordinator: *coordinator,
                offsets: offsets.iter().map(|(of, offset)| (name(of), *offset)).collect(),
            }
        }
        MemberFact::Processed { group, partition, from, to } => {
            What::Processed { group, partition: name(partition), from: *from, to: *to }
        }
        MemberFact::Derived { group, partition, offset, record } => {
            What::Derived { group, partition: name(partition), offset: *offset, record: *record }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::What;

    /// One of each.
    pub(in crate::run::history) fn all() -> impl Iterator<Item = What<'static>> {
        let partition = || "orders-0".to_owned();
        let (group, member, none) = ("g", "m", Vec::new);
        let why = "closed";
        [
            What::Joined {
                group,
                member,
                instance: None,
                generation: 1,
                protocol: "range",
                partitions: none(),
            },
            What::Revoked { group, member, generation: 1, partitions: none(), why: "rebalance" },
            What::Left { group, member, why },
            What::CommitAsked {
                group,
                commit: 1,
                member,
                generation: 1,
                offsets: Vec::new(),
                kind: "sync",
            },
            What::CommitAnswered { group, commit: 1, results: Vec::new() },
            What::CommittedAsked { group, question: 1, partitions: none() },
            What::CommittedShown { group, question: 1, coordinator: 1, offsets: Vec::new() },
            What::Processed { group, partition: partition(), from: 0, to: 1 },
            What::Derived { group, partition: partition(), offset: 0, record: 1 },
            What::StoreClaimed {
                group,
                by: String::new(),
                partition: partition(),
                epoch: 1,
                offset: None,
            },
            What::StoreCommitted {
                group,
                by: String::new(),
                partition: partition(),
                epoch: 1,
                current: 1,
                records: &[],
                to: 1,
            },
            What::StoreRefused {
                group,
                by: String::new(),
                partition: partition(),
                epoch: 1,
                current: 2,
            },
        ]
        .into_iter()
    }
}
