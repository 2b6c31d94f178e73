//! Who leads a partition (`PartitionChangeBuilder`, KIP-460, KIP-631, KIP-966).

use crate::ids::{BrokerEpoch, BrokerId};

/// Why an election is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The leader may have gone, or one may have come: keep the leader if possible.
    Ordinary,
    /// Leadership goes to the first replica of the assignment, if it is in sync.
    Preferred,
    /// As ordinary, but at the end any live replica will do.
    Unclean,
}

/// What an election goes by. Lengths of logs do not: any member of the ISR has everything.
#[derive(Clone, Copy, Debug)]
pub struct Election<'a> {
    /// Why it is held.
    pub reason: Reason,
    /// The replicas in the order of the assignment.
    pub replicas: &'a [BrokerId],
    /// The in-sync replicas.
    pub isr: &'a [BrokerId],
    /// The eligible leader replicas: once in sync, and safe to lead while the ISR is empty.
    pub elr: &'a [BrokerId],
    /// The replicas that may lead as far as their brokers go: registered, unfenced, not
    /// shutting down.
    pub acceptable: &'a [BrokerId],
    /// Who leads now.
    pub leader: Option<BrokerId>,
    /// Who led last, if nobody does and no replica is in the ISR or ELR.
    pub last_known_leader: Option<BrokerId>,
}

/// How a leader was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// It is in the ISR.
    Clean,
    /// It is in the ELR, the ISR being empty. Clean as well.
    Eligible,
    /// It led last and came back; nobody else can say more (KIP-966).
    LastKnown,
    /// It was merely there. Committed records may be lost.
    Unclean,
}

/// The outcome of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elected {
    /// The new leader; `None`: the partition has none.
    pub leader: Option<BrokerId>,
    /// How it was found, if there is one.
    pub how: How,
}

/// Elects a leader: the present one if it may go on, else the first *in the order of the
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
    // An election for the preferred leader changes nothing unless that one can lead.
    if reason == Reason::Preferred {
        return Elected { leader, how: How::Clean };
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

/// What the eligible leader replicas are computed from.
#[derive(Clone, Copy, Debug)]
pub struct Eligible<'a> {
    /// The ISR before the change.
    pub old_isr: &'a [BrokerId],
    /// The ELR before the change.
    pub old_elr: &'a [BrokerId],
    /// The ISR after the change.
    pub new_isr: &'a [BrokerId],
    /// Replicas known to have ended uncleanly: they may have lost what they had.
    pub ended_uncleanly: &'a [BrokerId],
    /// `min.insync.replicas`, no more than there are replicas.
    pub effective_min_isr: usize,
}

/// The eligible leader replicas after a change of the ISR, sorted (KIP-966): while the ISR is
/// below min ISR the high watermark stands still, so who leaves it then still has everything.
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

/// Whether a broker's last life ended uncleanly, by the broker epoch that it found in its
/// clean-shutdown file when it registers again. It may then have lost what it had not synced, and
/// loses its place in every ISR and ELR (KIP-966).
pub fn ended_uncleanly(
    in_clean_shutdown_file: Option<BrokerEpoch>,
    last_registered: BrokerEpoch,
) -> bool {
    in_clean_shutdown_file != Some(last_registered)
}
