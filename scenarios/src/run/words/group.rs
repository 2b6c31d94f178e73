//! Facts about groups of consumers in words.

use engine::error::ErrorCode;
use engine::fact::{
    AssignedMember, CommitKind, GroupFact, Leaving, MemberFact, MemberRemoval, Revocation,
    StoreFact,
};
use engine::ids::TopicPartition;
use engine::protocol::NamedPartition;
use judge::evidence::records;

type Name<'a> = &'a dyn Fn(TopicPartition) -> String;

/// What a coordinator of groups reported.
pub(super) fn coordinator(fact: &GroupFact, name: Name<'_>) -> String {
    match fact {
        GroupFact::Loaded { partition, coordinator_epoch, to, groups } => format!(
            "coordinates the {} groups of {} in epoch {coordinator_epoch}, read up to {to}",
            groups.len(),
            name(*partition)
        ),
        GroupFact::Resigned { partition, coordinator_epoch, .. } => format!(
            "no longer coordinates the groups of {}, read in epoch {coordinator_epoch}",
            name(*partition)
        ),
        GroupFact::GenerationComplete { group, generation, members, .. } if members.is_empty() => {
            format!("has group {group} empty in generation {generation}")
        }
        GroupFact::GenerationComplete { group, generation, protocol, members, .. } => {
            let protocol = protocol.as_deref().unwrap_or("no assignor");
            let members: Vec<String> = members.iter().map(assigned).collect();
            format!(
                "has group {group} in generation {generation} ({protocol}): {}",
                members.join("; ")
            )
        }
        GroupFact::MemberRemoved { group, member, why, .. } => {
            let why = match why {
                MemberRemoval::Left => "it left".to_owned(),
                MemberRemoval::SessionEnded => "its session ended".to_owned(),
                MemberRemoval::DidNotRejoin => "it did not join again in time".to_owned(),
                MemberRemoval::DidNotSync => "it did not sync in time".to_owned(),
                MemberRemoval::DidNotRevoke => "it did not give up partitions in time".to_owned(),
                MemberRemoval::NoRoom => "the group is full".to_owned(),
                MemberRemoval::Replaced { by } => format!("{by} has its group.instance.id"),
            };
            format!("removed {member} from group {group}: {why}")
        }
        GroupFact::OffsetsServed { group, offsets, .. } => {
            let offsets = offsets.iter().map(|(partition, offset)| (named(partition), *offset));
            format!("shows the offsets of group {group}: {}", committed(offsets))
        }
    }
}

/// What a member of a group, or its application, reported.
pub(super) fn member(fact: &MemberFact, name: Name<'_>) -> String {
    match fact {
        MemberFact::Joined { group, member, generation, protocol, partitions, .. }
            if protocol.is_empty() =>
        {
            format!(
                "is {member} in epoch {generation} of group {group}, with {}",
                all(partitions, name)
            )
        }
        MemberFact::Joined { group, member, generation, protocol, partitions, .. } => format!(
            "is {member} in generation {generation} of group {group} ({protocol}), with {}",
            all(partitions, name)
        ),
        MemberFact::Revoked { group, partitions, why, .. } => {
            let why = match why {
                Revocation::Rebalance => "the group rebalances".to_owned(),
                Revocation::Leaving => "it leaves".to_owned(),
                Revocation::Lost { error: Some(error) } => format!("it is not a member: {error}"),
                Revocation::Lost { error: None } => "it did not poll in time".to_owned(),
                Revocation::LostLeaving => "it leaves while the group rebalances".to_owned(),
            };
            format!("no longer owns {} in group {group}: {why}", all(partitions, name))
        }
        MemberFact::Left { group, why: Leaving::Closed, .. } => format!("leaves group {group}"),
        MemberFact::Left { group, why: Leaving::PollTimeout, .. } => {
            format!("leaves group {group}, because it was not polled in time")
        }
        MemberFact::CommitAsked { group, commit, generation, offsets, kind, .. } => {
            let kind = match kind {
                CommitKind::Sync => "",
                CommitKind::Async => " asynchronously",
                CommitKind::Auto => " automatically",
                CommitKind::OnRevoke => " before it gives up partitions",
                CommitKind::InTransaction { .. } => " in its transaction",
            };
            let offsets = offsets.iter().map(|(of, offset)| (name(*of), Some(*offset)));
            format!(
                "commits{kind} for group {group} in generation {generation} (commit {commit}): {}",
                committed(offsets)
            )
        }
        MemberFact::CommitAnswered { group, commit, results } => {
            match results.iter().find(|(_, error)| *error != ErrorCode::None) {
                None => format!("has commit {commit} of group {group} acknowledged"),
                Some((_, error)) => {
                    format!("has commit {commit} of group {group} refused: {error}")
                }
            }
        }
        MemberFact::CommittedAsked { group, partitions, .. } => {
            format!("asks for the offsets of group {group} in {}", all(partitions, name))
        }
        MemberFact::CommittedShown { group, coordinator, offsets, .. } => {
            let offsets = offsets.iter().map(|(of, offset)| (name(*of), *offset));
            format!(
                "learns from {coordinator} the offsets of group {group}: {}",
                committed(offsets)
            )
        }
        MemberFact::Processed { partition, from, to, .. } => {
            format!("has processed {} from {from} to {to}", name(*partition))
        }
        MemberFact::Derived { partition, offset, record, .. } => {
            format!("makes {} from {offset} of {}", records::name(*record), name(*partition))
        }
    }
}

/// A fact of a store, in words.
pub(super) fn store(fact: &StoreFact, name: Name<'_>) -> String {
    match fact {
        StoreFact::Claimed { group, by, partition, epoch, offset } => {
            let at = offset.map_or("no position".to_owned(), |offset| format!("position {offset}"));
            let of = name(*partition);
            format!("gives {of} of group {group} to client {by}, with epoch {epoch} and {at}")
        }
        StoreFact::Committed { by, partition, epoch, current, inputs, to, .. } => {
            let late = match epoch == current {
                true => String::new(),
                false => format!(", under epoch {epoch} although {current} is the latest"),
            };
            format!(
                "commits the results of {} records of {} and position {to} for client {by}{late}",
                inputs.len(),
                name(*partition)
            )
        }
        StoreFact::Refused { by, partition, epoch, current, .. } => format!(
            "refuses a transaction of client {by}: it has epoch {epoch} of {}, and {current} is the \
             latest",
            name(*partition)
        ),
    }
}

/// `consumer-1-7 has orders-0, orders-1`
fn assigned(member: &AssignedMember) -> String {
    let partitions = match &member.partitions {
        None => "an assignment that is not a consumer's".to_owned(),
        Some(none) if none.is_empty() => "nothing".to_owned(),
        Some(some) => some.iter().map(named).collect::<Vec<_>>().join(", "),
    };
    format!("{} has {partitions}", member.member)
}

fn named((topic, partition): &NamedPartition) -> String {
    format!("{topic}-{partition}")
}

pub(super) fn all(partitions: &[TopicPartition], name: Name<'_>) -> String {
    match partitions {
        [] => "no partition".to_owned(),
        some => some.iter().map(|it| name(*it)).collect::<Vec<_>>().join(", "),
    }
}

/// `160 in orders-0, none in orders-1`
fn committed(offsets: impl Iterator<Item = (String, Option<i64>)>) -> String {
    let each = offsets.map(|(partition, offset)| match offset {
        Some(offset) => format!("{offset} in {partition}"),
        None => format!("none in {partition}"),
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() { "none".to_owned() } else { each.join(", ") }
}
