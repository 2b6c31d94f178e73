//! How records leave the line of leaders, and what was known about them at that moment.

use engine::ids::{LeaderEpoch, Offset};

/// The committed state of a partition: a record of the metadata log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// When it was committed.
    pub at: u64,
    /// The event.
    pub event: u64,
    /// Who leads.
    pub leader: Option<usize>,
    /// Since which epoch.
    pub leader_epoch: LeaderEpoch,
    /// The in-sync replicas.
    pub isr: u64,
    /// The eligible leader replicas.
    pub elr: u64,
    /// The replicas whose brokers the controller knew unfenced and not shutting down when it wrote
    /// this: before, at and after the batch of records that it is in.
    pub active: u64,
}

impl Committed {
    /// The replicas that may lead: in the ISR or ELR.
    pub fn members(&self) -> u64 {
        self.isr | self.elr
    }

    /// Of those the ones that come first among `active` brokers: the in-sync replicas, or, if none
    /// of them is left, the eligible leader replicas (KIP-966).
    pub fn could_lead(&self, active: u64) -> u64 {
        match self.isr & active {
            0 => self.elr & active,
            in_sync => in_sync,
        }
    }
}

/// Batches that a leader did not have whom the controller put in the place of one that did, or
/// that were appended by a leader that had been replaced already.
#[derive(Clone, Debug)]
pub struct Loss {
    /// When.
    pub at: u64,
    /// The event.
    pub event: u64,
    /// The leader that lacks them.
    pub leader: usize,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// The leader that had them, and its epoch.
    pub previous: (Option<usize>, LeaderEpoch),
    /// The offset from which on the two logs differ.
    pub from: Offset,
    /// The batch.
    pub batch: u32,
    /// What was known about it.
    pub witness: Witness,
}

/// What was known about a batch when a replica that should have had it had not. Bytes on disks,
/// the committed metadata log and the history of clients alone make it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The replica that lacks the batch, as a mask.
    pub lacking: u64,
    /// Who held it.
    pub holders: u64,
    /// Who had ever held it.
    pub had: u64,
    /// Who lost it with their power and has not got it back.
    pub power_lost: u64,
    /// Who ended uncleanly after the batch had been appended.
    pub ended_uncleanly: u64,
    /// The committed ISR under the leader that had it, when that one's time was over.
    pub isr: u64,
    /// The committed ISR and ELR just before the lacking replica was made leader. One that was
    /// elected without being a member, and again before it began to lead, was made leader then.
    pub members: u64,
    /// Those of `members` that the controller could have made leader in its place: their brokers
    /// were unfenced.
    pub could_lead: u64,
    /// Those of `members` that hold the batch, and that were not registered again after an unclean
    /// end since they became members: each of them could have led without loss, if waited for.
    pub sound: u64,
    /// See [`super::Batch::committed`].
    pub committed: bool,
    /// A consumer was given records of it.
    pub delivered: bool,
}
