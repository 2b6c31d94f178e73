//! The change of one partition: its ISR, its ELR and its leader together (`PartitionChangeBuilder`;
//! KIP-631, KIP-966).

use super::cluster::Cluster;
use crate::Outbox;
use crate::fact::Fact;
use crate::ids::{BrokerId, DirectoryId, TopicPartition};
use crate::metadata::{PartitionChange, PartitionRegistration};
use crate::rules::election::{Elected, Election, Eligible, How, Reason};
use crate::rules::high_watermark::effective_min_isr;

/// The wanted state of a partition.
#[derive(Clone, Debug)]
pub(super) struct Target<'a> {
    /// The partition that changes.
    pub(super) partition: TopicPartition,
    /// Its present state.
    pub(super) state: &'a PartitionRegistration,
    /// The wanted in-sync replicas.
    pub(super) isr: Vec<BrokerId>,
    /// Replicas known to have ended uncleanly.
    pub(super) ended_uncleanly: &'a [BrokerId],
    /// The replicas whose brokers may lead.
    pub(super) acceptable: Vec<BrokerId>,
    /// Why an election is held.
    pub(super) reason: Reason,
    /// The wanted log directory of each replica.
    pub(super) directories: Vec<DirectoryId>,
}

impl<'a> Target<'a> {
    /// The present state as the target; no replica may lead.
    pub(super) fn of(partition: TopicPartition, state: &'a PartitionRegistration) -> Self {
        Self {
            partition,
            state,
            isr: state.isr.clone(),
            ended_uncleanly: &[],
            acceptable: Vec::new(),
            reason: Reason::Ordinary,
            directories: state.directories.clone(),
        }
    }
}

impl Cluster<'_> {
    /// The change that brings a partition as close to `target` as is allowed; `None` if nothing
    /// changes. The leader follows from the target, and the ISR may follow from the leader.
    pub(super) fn change(&self, target: Target<'_>, out: &mut Outbox) -> Option<PartitionChange> {
        let Target { partition, state, .. } = target;
        let keeps_eligible = self.keeps_eligible_leaders();
        let mut elr = if keeps_eligible { self.eligible(&target, out) } else { Vec::new() };
        let elected = self.elect(&target, &elr, out);

        let mut isr = target.isr.clone();
        let mut change = PartitionChange::of(partition);
        if elected.leader != state.leader {
            change.leader = Some(elected.leader);
            if let Some(leader) = elected.leader {
                take_over(leader, elected.how, &mut isr, &mut elr);
            }
        }
        // Without an ELR the last member of the ISR stays in it; otherwise it would be forgotten
        // which replica has the data.
        if isr != state.isr && (keeps_eligible || !isr.is_empty()) {
            change.isr = Some(isr);
        }
        if elr != state.elr {
            change.elr = Some(elr);
        }
        if target.directories != state.directories {
            change.directories = Some(target.directories);
        }
        if keeps_eligible {
            change.last_known_leader = last_known_leader(state, &change);
        }
        if change.is_empty() {
            return None;
        }
        if change.leader.is_some() {
            let elected = (elected, target.reason);
            out.observe(election_fact(partition, state, &change, elected));
        }
        Some(change)
    }

    fn eligible(&self, target: &Target<'_>, out: &mut Outbox) -> Vec<BrokerId> {
        let state = target.state;
        let config = self.image.topic_config(target.partition.topic);
        let min_isr = config.map_or(1, |config| config.min_insync_replicas);
        let min_isr = usize::try_from(min_isr).unwrap_or(usize::MAX);
        let eligible = Eligible {
            old_isr: &state.isr,
            old_elr: &state.elr,
            new_isr: &target.isr,
            ended_uncleanly: target.ended_uncleanly,
            effective_min_isr: effective_min_isr(min_isr, state.replicas.len()),
        };
        self.rules.eligible_after(out, eligible)
    }

    fn elect(&self, target: &Target<'_>, elr: &[BrokerId], out: &mut Outbox) -> Elected {
        let state = target.state;
        let election = Election {
            reason: target.reason,
            replicas: &state.replicas,
            isr: &target.isr,
            elr,
            acceptable: &target.acceptable,
            leader: state.leader,
            last_known_leader: state.last_known_leader,
        };
        self.rules.elect_leader(out, election)
    }
}

/// A new leader from outside the ISR becomes its only member: the others have to catch up with the
/// leader.
fn take_over(leader: BrokerId, how: How, isr: &mut Vec<BrokerId>, elr: &mut Vec<BrokerId>) {
    match how {
        How::Clean => {}
        How::Eligible => {
            *isr = vec![leader];
            elr.retain(|id| *id != leader);
        }
        How::LastKnown | How::Unclean => {
            *isr = vec![leader];
            elr.clear();
        }
    }
}

/// The last leader is remembered when the partition loses its leader, and forgotten when it has
/// a leader again (`maybeUpdateLastKnownLeader`).
fn last_known_leader(
    state: &PartitionRegistration,
    change: &PartitionChange,
) -> Option<Option<BrokerId>> {
    match change.leader? {
        None if state.last_known_leader.is_none() => Some(state.leader),
        Some(_) if state.last_known_leader.is_some() => Some(None),
        _ => None,
    }
}

fn election_fact(
    partition: TopicPartition,
    state: &PartitionRegistration,
    change: &PartitionChange,
    (elected, reason): (Elected, Reason),
) -> Fact {
    let mut after = state.clone();
    after.apply(change);
    Fact::Elected {
        partition,
        leader: after.leader,
        previous: state.leader,
        leader_epoch: after.leader_epoch,
        isr: after.isr,
        elr: after.elr,
        reason,
        how: elected.how,
    }
}
