//! How records leave the line of leaders, and the witnesses about them at that moment.

use super::batch::NONE;
use super::metadata::Registered;
use super::observed::Moment;
use super::partition::Partition;
use super::replica::Replica;
use super::replica_set::ReplicaSet;
use super::story::Happening;
use engine::ids::{LeaderEpoch, Offset};

/// The committed state of a partition: a record of the metadata log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// When it was committed.
    pub at: u64,
    /// The event.
    pub event: u64,
    /// The leader, an index of [`Partition::replicas`].
    pub leader: Option<usize>,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The in-sync replicas.
    pub isr: ReplicaSet,
    /// The eligible leader replicas.
    pub elr: ReplicaSet,
    /// The replicas whose brokers were unfenced and not shutting down when the controller wrote
    /// this state, except the broker to which the same decision applies.
    pub active: ReplicaSet,
    /// The replicas whose brokers were registered, and fenced or shutting down, when this state was
    /// replayed.
    pub fenced: ReplicaSet,
    /// The replicas that had ended uncleanly since they became members, and were registered again
    /// by then: earlier, or in the same batch of records.
    pub spoilt: ReplicaSet,
}

impl Committed {
    /// The replicas that may lead: in the ISR or ELR.
    pub fn members(&self) -> ReplicaSet {
        &self.isr | &self.elr
    }
}

/// A batch that left the line of leaders: its leader was replaced by one that lacks it, or had been
/// replaced already when it appended the batch.
#[derive(Clone, Debug)]
pub struct Loss {
    /// When the batch left the line, in nanoseconds.
    pub at: u64,
    /// The event in the trace.
    pub event: u64,
    /// The leader that lacks the batch.
    pub leader: usize,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// When that leader began to lead; `None` if it was only elected so far. A leader that does not
    /// know that it was replaced may append, and so lose, batches long after that.
    pub led_at: Option<u64>,
    /// The leader that had the batch, and its epoch.
    pub previous: (Option<usize>, LeaderEpoch),
    /// The offset from which the two logs differ.
    pub from: Offset,
    /// The batch.
    pub batch: u32,
    /// The epoch of the leader that brought it back to the line, if one did.
    pub back: Option<LeaderEpoch>,
    /// The witnesses about it.
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

/// The state of a batch when a replica lacked it that should have had it. It is derived only from
/// bytes on disks, the committed metadata log and the history of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The replica that lacks the batch.
    pub lacking: ReplicaSet,
    /// The replicas that had the batch at that moment.
    pub holders: ReplicaSet,
    /// The replicas that have had it since it last entered the line of leaders.
    pub had: ReplicaSet,
    /// The replicas that ever had it.
    pub ever_had: ReplicaSet,
    /// The replicas that lost it with their power or disks and have not got it back.
    pub power_lost: ReplicaSet,
    /// The replicas that ended uncleanly after the batch had been appended.
    pub ended_uncleanly: ReplicaSet,
    /// The committed ISR under the leader that had the batch, at the end of its leadership.
    pub isr: ReplicaSet,
    /// The committed ISR just before the lacking replica was made leader. If it was elected without
    /// being a member, and again before it began to lead, the first election counts.
    pub in_sync: ReplicaSet,
    /// The committed ELR at the same moment.
    pub eligible: ReplicaSet,
    /// The replicas whose brokers were unfenced before and after, so that the controller could have
    /// made them leader.
    pub active: ReplicaSet,
    /// The replicas that were spoilt by then ([`Committed::spoilt`]). The controller removed them
    /// from ISR and ELR, perhaps in the record that made the lacking replica leader.
    pub spoilt: ReplicaSet,
    /// The election of the lacking replica, if the committed log contains one.
    pub elected: Option<Elected>,
    /// The last leader before.
    pub last_leader: ReplicaSet,
    /// See [`super::Batch::committed`].
    pub committed: bool,
    /// Whether a consumer received records of it.
    pub delivered: bool,
}

impl Witness {
    /// The replicas that could lead just before: in the ISR or ELR.
    pub fn members(&self) -> ReplicaSet {
        &self.in_sync | &self.eligible
    }

    /// The [`Witness::members`] that are not spoilt. If there is none, the controller falls back on
    /// the last leader (KIP-966).
    pub fn remaining(&self) -> ReplicaSet {
        &self.members() - &self.spoilt
    }

    /// The replicas of [`Witness::remaining`] that have the batch: each of them could have led
    /// without loss if the controller had waited for it.
    pub fn sound(&self) -> ReplicaSet {
        &self.remaining() & &self.holders
    }

    /// The replicas that the controller could have made leader at once: in-sync replicas whose
    /// brokers were active or, if there was none, eligible leader replicas whose brokers were
    /// (KIP-966).
    pub fn could_lead(&self) -> ReplicaSet {
        let in_sync = &self.in_sync & &self.active;
        match in_sync.is_empty() {
            true => &self.eligible & &self.active,
            false => in_sync,
        }
    }
}

impl Partition {
    /// The last committed state known to a leader of `epoch`: it does not know states that the
    /// controller has committed for later epochs.
    pub fn ruling(&self, epoch: LeaderEpoch) -> Option<&Committed> {
        self.states.iter().rev().find(|state| state.leader_epoch <= epoch)
    }

    /// A batch was appended by a leader that had been replaced. It is lost to the replica elected
    /// in its place; later elections do not matter.
    pub(super) fn lose(&mut self, batch: u32, previous: (usize, LeaderEpoch), moment: &Moment) {
        let present = (self.line_leader.unwrap_or_default(), self.line_epoch);
        let by = self.elected_without(batch, previous.1).unwrap_or(present);
        let led_at = self.story.led(by);
        let from = self.batches.get(batch).base;
        self.note_loss(batch, from, (Some(previous.0), previous.1), (by, led_at), moment);
    }

    /// The first replica that was elected after an epoch and does not hold a batch, with its epoch.
    /// The leader that appended the batch may have been elected again without knowing it.
    fn elected_without(&self, batch: u32, after: LeaderEpoch) -> Option<(usize, LeaderEpoch)> {
        let holders = &self.batches.get(batch).holders;
        let lacks = |leader: &usize| !holders.contains(*leader);
        let elected = |state: &Committed| Some((state.leader.filter(lacks)?, state.leader_epoch));
        self.states.iter().filter(|state| state.leader_epoch > after).find_map(elected)
    }

    /// A batch that had been lost to `replica`, which was elected and has not begun to lead,
    /// reached that replica all the same: its metadata is late, and it still follows the earlier
    /// leader. So the batch is lost to the next elected replica that lacks it.
    pub(super) fn move_loss(&mut self, batch: u32, replica: usize) {
        let Some(loss) = self.losses.get(self.batches.get(batch).loss as usize) else { return };
        if loss.leader != replica || loss.led_at.is_some() {
            return;
        }
        let Some(by) = self.elected_without(batch, loss.leader_epoch) else { return };
        let (number, previous) = (self.batches.get(batch).loss as usize, loss.previous);
        let (witness, led_at) = (self.witness_of_loss(batch, previous, by), self.story.led(by));
        let loss = &mut self.losses[number];
        (loss.leader, loss.leader_epoch) = by;
        (loss.witness, loss.led_at) = (witness, led_at);
    }

    /// A batch is lost to the leader `by`, which began to lead at `led_at` if it has begun.
    pub(super) fn note_loss(
        &mut self,
        batch: u32,
        from: Offset,
        previous: (Option<usize>, LeaderEpoch),
        (by, led_at): ((usize, LeaderEpoch), Option<u64>),
        moment: &Moment,
    ) {
        let witness = self.witness_of_loss(batch, previous, by);
        self.batches.get_mut(batch).loss = self.losses.len() as u32;
        self.losses.push(Loss {
            at: moment.at,
            event: moment.event,
            leader: by.0,
            leader_epoch: by.1,
            led_at,
            previous,
            from,
            batch,
            back: None,
            witness,
        });
    }

    fn witness_of_loss(
        &self,
        batch: u32,
        previous: (Option<usize>, LeaderEpoch),
        (leader, leader_epoch): (usize, LeaderEpoch),
    ) -> Witness {
        // A leader that returns in its own epoch has not been elected again.
        let epoch = leader_epoch.max(previous.1.saturating_add(1));
        let set_by = self.states.iter().position(|state| state.leader_epoch >= epoch);
        let election = self.election(leader, set_by.unwrap_or(self.states.len()), previous.1);
        let isr = self.ruling(previous.1).map(|state| state.isr.clone()).unwrap_or_default();
        self.witness(batch, leader, isr, election)
    }

    /// The state that made `replica` leader: the state `latest`, or an earlier one, of an epoch
    /// later than `after`, that elected the replica although it was not a member. Membership and
    /// elections since then are consequences of that election.
    pub fn election(&self, replica: usize, latest: usize, after: LeaderEpoch) -> usize {
        let is_member = |state: &Committed| state.members().contains(replica);
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

    /// The replicas that ended uncleanly since they became members and are registered again, by
    /// `now` or earlier: the controller has removed them from ISR and ELR. Until its registration
    /// such a replica could still lead.
    pub(super) fn spoilt(&self, now: &Registered) -> ReplicaSet {
        let is_spoilt = |replica: &Replica| {
            let registers = now.nodes.contains(&replica.node).then_some(now.at);
            replica.ended_uncleanly.is_some_and(|ended| {
                replica.member_since.is_none_or(|since| ended >= since)
                    && registers.or(replica.registered).is_some_and(|at| at >= ended)
            })
        };
        let replicas = (0..).zip(&self.replicas).filter(|(_, replica)| is_spoilt(replica));
        replicas.map(|(index, _)| index).collect()
    }

    /// Whether a batch has left the line of leaders at some time, even if it came back.
    pub fn was_lost(&self, batch: u32) -> bool {
        self.batches.get(batch).loss != NONE || self.losses.iter().any(|loss| loss.batch == batch)
    }

    /// The loss of a batch to `replica` as a leader: the present loss or, if the batch has come
    /// back since, the loss at the time when that replica led.
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

    /// The witness about a batch that `lacking` does not have, which the state `election` made
    /// leader.
    pub fn witness(&self, batch: u32, lacking: usize, isr: ReplicaSet, election: usize) -> Witness {
        let it = self.batches.get(batch);
        let before = election.checked_sub(1).map(|place| &self.states[place]);
        let made = self.states.get(election);
        let last_leader = self.states[..election].iter().rev().find_map(|state| state.leader);
        let last_leader = last_leader.map(ReplicaSet::of).unwrap_or_default();
        let elected = made.filter(|state| state.leader == Some(lacking));
        let ended = |replica: &Replica| replica.ended_uncleanly.is_some_and(|ended| ended >= it.at);
        let replicas = (0..).zip(&self.replicas).filter(|(_, replica)| ended(replica));
        let ended_uncleanly = replicas.map(|(index, _)| index).collect();
        Witness {
            lacking: ReplicaSet::of(lacking),
            holders: it.holders.clone(),
            had: it.had.clone(),
            ever_had: it.ever_had.clone(),
            power_lost: it.power_lost.clone(),
            ended_uncleanly,
            isr,
            in_sync: before.map(|before| before.isr.clone()).unwrap_or_default(),
            eligible: before.map(|before| before.elr.clone()).unwrap_or_default(),
            active: made.map(|made| made.active.clone()).unwrap_or_default(),
            spoilt: made.map(|made| made.spoilt.clone()).unwrap_or_default(),
            elected: elected.map(|state| Elected { at: state.at, epoch: state.leader_epoch }),
            last_leader,
            committed: it.committed,
            delivered: it.delivered_to > it.base,
        }
    }
}
