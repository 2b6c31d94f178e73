//! Facts about groups of consumers as fields.

use super::{Name, short};
use engine::fact::{GroupFact, MemberFact, StoreFact};
use engine::ids::TopicPartition;
use engine::protocol::NamedPartition;
use serde_json::{Value, json};

/// What a coordinator of groups reported.
pub(super) fn coordinator(fact: &GroupFact) -> Value {
    match fact {
        GroupFact::Loaded { coordinator_epoch, to, groups, .. } => json!({
            "what": "groups_loaded", "epoch": coordinator_epoch, "to": to, "groups": groups.len(),
        }),
        GroupFact::Resigned { coordinator_epoch, .. } => json!({
            "what": "groups_resigned", "epoch": coordinator_epoch,
        }),
        GroupFact::GenerationComplete { group, generation, protocol, members, .. } => {
            let members = members.iter().map(|it| {
                let partitions = it.partitions.as_ref();
                let partitions = partitions.map(|of| of.iter().map(named).collect::<Vec<_>>());
                json!({ "member": it.member.to_string(), "partitions": partitions })
            });
            json!({
                "what": "generation_complete", "group": group.to_string(),
                "generation": generation, "protocol": protocol.as_deref(),
                "members": members.collect::<Vec<_>>(),
            })
        }
        GroupFact::MemberRemoved { group, generation, member, .. } => json!({
            "what": "member_removed", "group": group.to_string(), "generation": generation,
            "member": member.to_string(),
        }),
        GroupFact::OffsetsServed { group, .. } => json!({
            "what": "offsets_served", "group": group.to_string(),
        }),
    }
}

/// What a member of a group, or its application, reported.
pub(super) fn member(fact: &MemberFact, name: Name<'_>) -> Value {
    let all = |partitions: &[TopicPartition]| -> Vec<String> {
        partitions.iter().map(|it| name(*it)).collect()
    };
    match fact {
        MemberFact::Joined { group, member, generation, partitions, .. } => json!({
            "what": "joined", "group": group.to_string(), "member": member.to_string(),
            "generation": generation, "partitions": all(partitions),
        }),
        MemberFact::Revoked { group, member, generation, partitions, .. } => json!({
            "what": "revoked", "group": group.to_string(), "member": member.to_string(),
            "generation": generation, "partitions": all(partitions),
        }),
        MemberFact::Left { group, member, .. } => json!({
            "what": "left", "group": group.to_string(), "member": member.to_string(),
        }),
        MemberFact::CommitAsked { group, commit, offsets, .. } => json!({
            "what": "commit_asked", "group": group.to_string(), "commit": commit,
            "offsets": offsets.iter().map(|(of, at)| json!([name(*of), at])).collect::<Vec<_>>(),
        }),
        MemberFact::CommitAnswered { group, commit, results } => json!({
            "what": "commit_answered", "group": group.to_string(), "commit": commit,
            "results": results
                .iter()
                .map(|(of, error)| json!([name(*of), error.name()]))
                .collect::<Vec<_>>(),
        }),
        MemberFact::CommittedAsked { group, question, partitions } => json!({
            "what": "committed_asked", "group": group.to_string(), "question": question,
            "partitions": all(partitions),
        }),
        MemberFact::CommittedShown { group, question, offsets, .. } => json!({
            "what": "committed_shown", "group": group.to_string(), "question": question,
            "offsets": offsets.iter().map(|(of, at)| json!([name(*of), at])).collect::<Vec<_>>(),
        }),
        MemberFact::Processed { group, partition, from, to } => json!({
            "what": "processed", "group": group.to_string(), "partition": name(*partition),
            "from": from, "to": to,
        }),
        MemberFact::Derived { group, partition, offset, record } => json!({
            "what": "derived", "group": group.to_string(), "partition": name(*partition),
            "offset": offset, "record": short(*record),
        }),
    }
}

/// The fields of a fact of a store.
pub(super) fn store(fact: &StoreFact, name: Name<'_>) -> Value {
    match fact {
        StoreFact::Claimed { group, by, partition, epoch, offset } => json!({
            "what": "store_claimed", "group": group.to_string(), "by": by.to_string(),
            "partition": name(*partition), "epoch": epoch, "offset": offset,
        }),
        StoreFact::Committed { group, by, partition, epoch, to, .. } => json!({
            "what": "store_committed", "group": group.to_string(), "by": by.to_string(),
            "partition": name(*partition), "epoch": epoch, "to": to,
        }),
        StoreFact::Refused { group, by, partition, epoch, current } => json!({
            "what": "store_refused", "group": group.to_string(), "by": by.to_string(),
            "partition": name(*partition), "epoch": epoch, "current": current,
        }),
    }
}

fn named((topic, partition): &NamedPartition) -> String {
    format!("{topic}-{partition}")
}
