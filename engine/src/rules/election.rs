//! Election of the leader of a partition (`PartitionChangeBuilder`, KIP-460, KIP-631, KIP-966).

use crate::ids::{BrokerEpoch, BrokerId};

/// Why an election takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The state of a broker changed: keep the leader if possible.
    Ordinary,
    /// Leadership goes to the first replica of the assignment, if it is in sync.
    Preferred,
    /// Like `Ordinary`, but as a last resort any live replica leads.
    Unclean,
}

/// The input of an election. The lengths of logs do not matter: every member of the ISR has all
/// committed records.
#[derive(Clone, Copy, Debug)]
pub struct Election<'a> {
    /// Why the election takes place.
    pub reason: Reason,
    /// The replicas in the order of the assignment.
    pub replicas: &'a [BrokerId],
    /// The in-sync replicas.
    pub isr: &'a [BrokerId],
    /// The eligible leader replicas: once in sync, and safe to lead while the ISR is empty.
    pub elr: &'a [BrokerId],
    /// The replicas whose brokers may lead: registered, unfenced, not shutting down.
    pub acceptable: &'a [BrokerId],
    /// The present leader.
    pub leader: Option<BrokerId>,
    /// The last leader, if there is none now and no replica is in the ISR or ELR.
    pub last_known_leader: Option<BrokerId>,
}

/// How a leader was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// The leader is in the ISR.
    Clean,
    /// The leader is in the ELR, and the ISR is empty. Nothing committed is lost either.
    Eligible,
    /// The leader is the last one, which has returned; no replica is known to have more (KIP-966).
    LastKnown,
    /// The leader is any live replica. Committed records may be lost.
    Unclean,
}

/// The outcome of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elected {
    /// The new leader; `None`: the partition has none.
    pub leader: Option<BrokerId>,
    /// How the leader was found, if there is one.
    pub how: How,
}

/// Elects a leader: the present one if it may stay, otherwise the first *in the order of the
/// assignment* that is acceptable and in sync.
pub fn elect(election: Election<'_>) -> Elected {
    let Election { reason, replicas, isr, elr, acceptable, leader, last_known_leader } = election;
    let acceptable = |id: &BrokerId| acceptable.contains(id);
    let in_sync = |id: &BrokerId| {
        acceptable(id) && (isr.contains(id) || (isr.is_empty() && elr.contains(id)))
    };
    let how = |id: BrokerId| if isr.contains(&id) { How::Clean } else { How::Eligible };
    let found = |id: BrokerId| Elected { leader: Some(id), how: how(id) };

    if reason == Reason::Preferred
        && let Some(preferred) = replicas.first().filter(|id| in_sync(id))
    {
        return found(*preferred);
    }
    if let Some(leader) = leader.filter(in_sync) {
        return found(leader);
    }
    if let Some(first) = replicas.iter().find(|id| in_sync(id)) {
        return found(*first);
    }
    if isr.is_empty()
        && elr.is_empty()
        && let Some(last) = last_known_leader.filter(acceptable)
    {
        return Elected { leader: Some(last), how: How::LastKnown };
    }
    if reason == Reason::Unclean
        && let Some(any) = replicas.iter().find(|id| acceptable(id))
    {
        return Elected { leader: Some(*any), how: How::Unclean };
    }
    Elected { leader: None, how: How::Clean }
}

/// The log directory of a replica whose broker names another one (KIP-858).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedDirectory {
    /// Whether the directory known until now is online at the broker.
    pub was_online: bool,
    /// Whether the directory that the broker names is online.
    pub is_online: bool,
}

/// Whether a replica may lead when its broker names its log directory: the new directory decides.
///
/// In Kafka 4.1 the old directory decides (`ReplicationControlManager.handleAssignReplicasToDirs`).
/// A broker with a new disk that is alone in sync, and was unfenced before it named its
/// directories, then leads no partition until leaders are balanced (FL-3).
pub fn may_lead_from(directory: NamedDirectory) -> bool {
    directory.is_online
}

/// The input for the eligible leader replicas.
#[derive(Clone, Copy, Debug)]
pub struct Eligible<'a> {
    /// The ISR before the change.
    pub old_isr: &'a [BrokerId],
    /// The ELR before the change.
    pub old_elr: &'a [BrokerId],
    /// The ISR after the change.
    pub new_isr: &'a [BrokerId],
    /// Replicas known to have ended uncleanly, which may have lost records.
    pub ended_uncleanly: &'a [BrokerId],
    /// `min.insync.replicas`, no more than there are replicas.
    pub effective_min_isr: usize,
}

/// The eligible leader replicas after a change of the ISR, sorted (KIP-966): while the ISR is
/// below min ISR the high watermark does not move, so a replica that leaves the ISR then still has
/// all committed records.
pub fn eligible_after(eligible: Eligible<'_>) -> Vec<BrokerId> {
    let Eligible { old_isr, old_elr, new_isr, ended_uncleanly, effective_min_isr } = eligible;
    if new_isr.len() >= effective_min_isr {
        return Vec::new();
    }
    let mut elr: Vec<BrokerId> = old_isr
        .iter()
        .chain(old_elr)
        .copied()
        .filter(|id| !new_isr.contains(id) && !ended_uncleanly.contains(id))
        .collect();
    elr.sort_unstable();
    elr.dedup();
    elr
}

/// A broker that registers again, and its previous registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastLife {
    /// The broker epoch that the broker found in its clean-shutdown file; `None`: no such file.
    pub in_clean_shutdown_file: Option<BrokerEpoch>,
    /// The broker epoch of its last registration.
    pub registered: BrokerEpoch,
}

/// Whether a broker's last life ended uncleanly, by the broker epoch in its clean-shutdown file.
/// The broker may then have lost unsynced records, and leaves every ISR and ELR (KIP-966).
pub fn ended_uncleanly(last: LastLife) -> bool {
    last.in_clean_shutdown_file != Some(last.registered)
}
