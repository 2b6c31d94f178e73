//! How records leave the line of leaders, and what was known about them at that moment.

use super::batch::NONE;
use super::metadata::Registered;
use super::observed::Moment;
use super::partition::Partition;
use super::replica::Replica;
use super::story::Happening;
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
    /// The replicas that had ended uncleanly since they became members, and were registered again
    /// by then: before, or in the batch of records that this is in.
    pub spoilt: u64,
}

impl Committed {
    /// The replicas that may lead: in the ISR or ELR.
    pub fn members(&self) -> u64 {
        self.isr | self.elr
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
    /// The epoch of the leader that brought it back to the line, if one did.
    pub back: Option<LeaderEpoch>,
    /// What was known about it.
    pub witness: Witness,
}

/// A decision of the controller that made a replica leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elected {
    /// When it was committed.
    pub at: u64,
    /// The epoch of the leader.
    pub epoch: LeaderEpoch,
}

/// What was known about a batch when a replica that should have had it had not. Bytes on disks,
/// the committed metadata log and the history of clients alone make it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The replica that lacks the batch, as a mask.
    pub lacking: u64,
    /// Who held it.
    pub holders: u64,
    /// Who had held it since it last came to the line of leaders.
    pub had: u64,
    /// Who had ever held it.
    pub ever_had: u64,
    /// Who lost it with their power and has not got it back.
    pub power_lost: u64,
    /// Who ended uncleanly after the batch had been appended.
    pub ended_uncleanly: u64,
    /// The committed ISR under the leader that had it, when that one's time was over.
    pub isr: u64,
    /// The committed ISR just before the lacking replica was made leader. One that was elected
    /// without being a member, and again before it began to lead, was made leader then.
    pub in_sync: u64,
    /// The committed ELR just before.
    pub eligible: u64,
    /// The replicas whose brokers were unfenced before and after, so that the controller could have
    /// made them leader.
    pub active: u64,
    /// The replicas that were spoilt by then ([`Committed::spoilt`]). The controller took them out,
    /// perhaps in the record that made the lacking replica leader.
    pub spoilt: u64,
    /// How the controller made the lacking replica leader, if the committed log says that it did.
    pub elected: Option<Elected>,
    /// Who led last before.
    pub last_leader: u64,
    /// See [`super::Batch::committed`].
    pub committed: bool,
    /// A consumer was given records of it.
    pub delivered: bool,
}

impl Witness {
    /// The replicas that might lead just before: in the ISR or ELR.
    pub const fn members(&self) -> u64 {
        self.in_sync | self.eligible
    }

    /// Those of them that were not taken out. With none left the controller falls back on whoever
    /// led last (KIP-966).
    pub const fn remaining(&self) -> u64 {
        self.members() & !self.spoilt
    }

    /// Those of [`Witness::remaining`] that hold the batch: each of them could have led without
    /// loss, if waited for.
    pub const fn sound(&self) -> u64 {
        self.remaining() & self.holders
    }

    /// Those that the controller could have made leader at once: the in-sync replicas whose brokers
    /// were active, or, if there was none, the eligible leader replicas (KIP-966).
    pub const fn could_lead(&self) -> u64 {
        match self.in_sync & self.active {
            0 => self.eligible & self.active,
            in_sync => in_sync,
        }
    }
}

impl Partition {
    /// The committed state that a leader of `epoch` acts by, when its time is over: it does not
    /// know of what the controller has committed about later epochs.
    pub fn ruling(&self, epoch: LeaderEpoch) -> Option<&Committed> {
        self.states.iter().rev().find(|state| state.leader_epoch <= epoch)
    }

    /// A batch was appended by a leader that had been replaced. Whoever was elected in its place
    /// will not have it; who was elected after that one has nothing to do with it.
    pub(super) fn lose(&mut self, batch: u32, previous: (usize, LeaderEpoch), moment: &Moment) {
        // It may have been elected again itself, and not know that either.
        let other = |leader: &usize| *leader != previous.0;
        let elected = |state: &Committed| Some((state.leader.filter(other)?, state.leader_epoch));
        let mut later = self.states.iter().filter(|state| state.leader_epoch > previous.1);
        let present = (self.line_leader.unwrap_or_default(), self.line_epoch);
        let by = later.find_map(elected).unwrap_or(present);
        let from = self.batches.get(batch).base;
        self.note_loss(batch, from, (Some(previous.0), previous.1), by, moment);
    }

    /// A batch is lost to the leader `by`.
    pub(super) fn note_loss(
        &mut self,
        batch: u32,
        from: Offset,
        previous: (Option<usize>, LeaderEpoch),
        by: (usize, LeaderEpoch),
        moment: &Moment,
    ) {
        let (leader, leader_epoch) = by;
        // A leader that is back in its own epoch has not been elected again.
        let epoch = leader_epoch.max(previous.1 + 1);
        let set_by = self.states.iter().position(|state| state.leader_epoch >= epoch);
        let election = self.election(leader, set_by.unwrap_or(self.states.len()), previous.1);
        let isr = self.ruling(previous.1).map_or(0, |state| state.isr);
        let witness = self.witness(batch, leader, isr, election);
        self.batches.get_mut(batch).loss = self.losses.len() as u32;
        self.losses.push(Loss {
            at: moment.at,
            event: moment.event,
            leader,
            leader_epoch,
            previous,
            from,
            batch,
            back: None,
            witness,
        });
    }

    /// The state that made `replica` the leader that it is by the state `latest`: that one, or an
    /// earlier one of an epoch later than `after` that elected the replica though it was not a
    /// member. That it has been one ever since, and was elected again, is what came of that.
    pub fn election(&self, replica: usize, latest: usize, after: LeaderEpoch) -> usize {
        let is_member = |state: &Committed| state.members() & (1 << replica) != 0;
        let earlier = self.states[..latest].iter();
        let since = earlier
            .rev()
            .take_while(|state| state.leader_epoch > after && is_member(state))
            .count();
        let first = latest - since;
        let elected = |state: &Committed| state.leader == Some(replica);
        let was_member = first.checked_sub(1).is_some_and(|place| is_member(&self.states[place]));
        match self.states.get(first) {
            Some(state) if elected(state) && !was_member => first,
            _ => latest,
        }
    }

    /// The replicas that ended uncleanly since they became members and are registered again now, by
    /// `now` or before: the controller has seen to it that they lead no more. Until it registers
    /// such a replica still could.
    pub(super) fn spoilt(&self, now: &Registered) -> u64 {
        let is_spoilt = |replica: &Replica| {
            let registers = now.nodes.contains(&replica.node).then_some(now.at);
            replica.ended_uncleanly.is_some_and(|ended| {
                replica.member_since.is_none_or(|since| ended >= since)
                    && registers.or(replica.registered).is_some_and(|at| at >= ended)
            })
        };
        let replicas = (0..).zip(&self.replicas).filter(|(_, replica)| is_spoilt(replica));
        replicas.fold(0, |mask, (index, _)| mask | 1 << index)
    }

    /// Whether a batch has left the line of leaders at some time, even if it came back.
    pub fn was_lost(&self, batch: u32) -> bool {
        self.batches.get(batch).loss != NONE || self.losses.iter().any(|loss| loss.batch == batch)
    }

    /// How a batch was lost to `replica` as a leader: as it is lost now, or, if it has come back
    /// since, how it had been when that replica led.
    pub fn loss_under(&self, batch: u32, replica: Option<usize>) -> Option<u32> {
        let now = self.batches.get(batch).loss;
        if now != NONE {
            return Some(now);
        }
        let led = |loss: &Loss| {
            let is_off =
                |epoch| epoch >= loss.leader_epoch && loss.back.is_none_or(|to| epoch < to);
            self.story.0.iter().any(|scene| match scene.what {
                Happening::Led { epoch, .. } => Some(scene.replica) == replica && is_off(epoch),
                _ => false,
            })
        };
        let found = self.losses.iter().rposition(|loss| loss.batch == batch && led(loss));
        found.map(|number| number as u32)
    }

    /// What is known about a batch that `lacking` has not, which the state `election` made leader.
    pub fn witness(&self, batch: u32, lacking: usize, isr: u64, election: usize) -> Witness {
        let it = self.batches.get(batch);
        let before = election.checked_sub(1).map(|place| &self.states[place]);
        let made = self.states.get(election);
        let last_leader = self.states[..election].iter().rev().find_map(|state| state.leader);
        let last_leader = last_leader.map_or(0, |leader| 1 << leader);
        let elected = made.filter(|state| state.leader == Some(lacking));
        let ended = |replica: &Replica| replica.ended_uncleanly.is_some_and(|ended| ended >= it.at);
        let replicas = (0..).zip(&self.replicas).filter(|(_, replica)| ended(replica));
        let ended_uncleanly = replicas.fold(0, |mask, (index, _)| mask | 1 << index);
        Witness {
            lacking: 1 << lacking,
            holders: it.holders,
            had: it.had,
            ever_had: it.ever_had,
            power_lost: it.power_lost,
            ended_uncleanly,
            isr,
            in_sync: before.map_or(0, |before| before.isr),
            eligible: before.map_or(0, |before| before.elr),
            active: made.map_or(0, |made| made.active),
            spoilt: made.map_or(0, |made| made.spoilt),
            elected: elected.map(|state| Elected { at: state.at, epoch: state.leader_epoch }),
            last_leader,
            committed: it.committed,
            delivered: it.delivered_to > it.base,
        }
    }
}
