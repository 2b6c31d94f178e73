//! One partition: its replicas' logs side by side, the line of its leaders, and its committed
//! states.

use super::batch::{Batch, Batches, NONE};
use super::loss::{Committed, Loss};
use super::observed::Moment;
use super::replica::Replica;
use super::replica_set::ReplicaSet;
use super::story::Story;
use super::transaction::LineTransactions;
use bytes::Bytes;
use engine::ids::{LeaderEpoch, Offset, TopicPartition};
use machine::{ClusterId, NodeId};

/// One partition.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its topic and index.
    pub id: TopicPartition,
    /// Its name: `orders-0`.
    pub name: String,
    /// Its topic, an index of [`super::Setup::topics`].
    pub topic: Option<usize>,
    /// `min.insync.replicas`, no more than there are replicas.
    pub min_isr: usize,
    /// Its replicas. A [`ReplicaSet`] holds their places in this list.
    pub replicas: Vec<Replica>,
    /// The distinct batches.
    pub batches: Batches,
    /// Where the log of the present leader starts.
    pub start: Offset,
    /// The log of the present leader: what the partition holds.
    pub line: Vec<u32>,
    /// The epoch of the present leader.
    pub line_epoch: LeaderEpoch,
    /// The present leader; `None` before the first.
    pub line_leader: Option<usize>,
    /// All leaders so far, with their epochs.
    leaders: Vec<(usize, LeaderEpoch)>,
    /// A replica and its leader epoch: it returned after a power loss or with an empty disk, leads
    /// again as its last life did, and is not registered yet. Until then no client and no follower
    /// gets anything from it; and on registration the controller replaces it as leader, if another
    /// replica is eligible.
    returning: Option<(usize, LeaderEpoch)>,
    /// Its readers, as indices of [`super::View::readers`].
    pub readers: Vec<usize>,
    /// The number of batches at the start of the line that are committed.
    pub committed: usize,
    /// The committed states, in order.
    pub states: Vec<Committed>,
    /// The batches that left the line.
    pub losses: Vec<Loss>,
    /// The history of the partition, without appends.
    pub story: Story,
    /// The replicas that refused a batch of an idempotent producer because its sequence was not the
    /// next one, each with the time in nanoseconds.
    pub out_of_order: Vec<(u64, usize)>,
    /// The transactions in the line.
    pub transactions: LineTransactions,
    /// The partition is one of `__transaction_state`.
    pub is_state_log: bool,
    /// The partition is one of `__consumer_offsets`.
    pub is_offsets_log: bool,
}

/// The effect of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// The replica.
    pub replica: usize,
    /// The batch.
    pub batch: u32,
    /// No replica and no reader had shown it before.
    pub fresh: bool,
    /// The leader appended it.
    pub as_leader: bool,
    /// The batch before it differs from the one in the log that showed it first.
    pub parent_differs: bool,
    /// The place of the first new entry of [`Partition::losses`], if the leader was replaced.
    pub losses_from: usize,
}

/// Replicas that lack a batch below a high watermark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The batch.
    pub batch: u32,
    /// The members that lack it.
    pub lacking: ReplicaSet,
    /// The replicas that hold it.
    pub held: ReplicaSet,
}

impl Partition {
    /// A partition without any evidence yet.
    pub fn new(cluster: ClusterId, id: TopicPartition) -> Self {
        let metadata = id == TopicPartition::METADATA;
        Self {
            cluster,
            id,
            name: id.to_string(),
            topic: None,
            min_isr: 1,
            replicas: Vec::new(),
            batches: if metadata { Batches::with_bytes() } else { Batches::default() },
            start: 0,
            line: Vec::new(),
            line_epoch: -1,
            line_leader: None,
            leaders: Vec::new(),
            returning: None,
            readers: Vec::new(),
            committed: 0,
            states: Vec::new(),
            losses: Vec::new(),
            story: Story::default(),
            out_of_order: Vec::new(),
            transactions: LineTransactions::default(),
            is_state_log: false,
            is_offsets_log: false,
        }
    }

    /// The index of a node's replica; a new one if it has none.
    pub fn replica(&mut self, node: NodeId) -> usize {
        self.find(node).unwrap_or_else(|| {
            self.replicas.push(Replica::new(node));
            self.replicas.len() - 1
        })
    }

    /// The index of a node's replica.
    pub fn find(&self, node: NodeId) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.node == node)
    }

    /// The committed state in which a leader appended a batch: the last one of the batch's epoch at
    /// that time, or the first one of that epoch if the controller's record is shown later.
    pub fn state_of_append(&self, batch: &Batch) -> Option<&Committed> {
        let in_epoch = || self.states.iter().filter(|state| state.leader_epoch == batch.epoch);
        in_epoch().rev().find(|state| state.at <= batch.at).or_else(|| in_epoch().next())
    }

    /// The leader that appended a batch, an index of [`Self::replicas`].
    pub fn leader_that_appended(&self, batch: &Batch) -> Option<usize> {
        self.state_of_append(batch)?.leader
    }

    /// The replicas of a set, by node number: `1, 2`.
    pub fn names(&self, set: &ReplicaSet) -> String {
        let mut nodes: Vec<_> =
            set.iter().filter_map(|i| Some(self.replicas.get(i)?.node)).collect();
        nodes.sort_unstable();
        nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ")
    }

    /// The latest committed state.
    pub fn state(&self) -> Option<&Committed> {
        self.states.last()
    }

    /// The replicas that need not hold a batch at present: those that lost power or disk and are
    /// not registered again, and those that lost the batch in a corrupted sector.
    pub fn exempt(&self, batch: u32) -> ReplicaSet {
        let lost = &self.batches.get(batch).power_lost;
        let is_exempt = |(index, it): &(usize, &Replica)| {
            it.power_lost || (!it.bad.is_empty() && lost.contains(*index))
        };
        let exempt = self.replicas.iter().enumerate().filter(is_exempt);
        exempt.map(|(index, _)| index).collect()
    }

    /// The replicas that count as holders of a batch that the replicas in `required` have to hold.
    /// An exempt replica counts if it is one of `required`, or has held the batch.
    pub fn counted(&self, batch: u32, required: &ReplicaSet) -> ReplicaSet {
        let it = self.batches.get(batch);
        &it.holders | &(&self.exempt(batch) & &(required | &it.had))
    }

    /// The last committed batch of the line.
    pub fn last_committed(&self) -> Option<u32> {
        self.committed.checked_sub(1).map(|place| self.line[place])
    }

    /// Whether the line holds a batch.
    pub fn is_in_line(&self, batch: u32) -> bool {
        self.place_in_line(batch).is_some()
    }

    /// The place of a batch in the line, if it is there.
    fn place_in_line(&self, batch: u32) -> Option<usize> {
        // Nearly every call is about the last batch.
        let last = self.line.len().checked_sub(1)?;
        if self.line[last] == batch {
            return Some(last);
        }
        let base = self.batches.get(batch).base;
        let place = self.line.partition_point(|b| self.batches.get(*b).base < base);
        (self.line.get(place) == Some(&batch)).then_some(place)
    }

    /// Adds a batch to a replica's log, and to the line if the replica leads.
    pub fn append(
        &mut self,
        node: NodeId,
        bytes: &Bytes,
        epoch: Option<LeaderEpoch>,
        moment: &Moment,
    ) -> Option<Append> {
        let replica = self.replica(node);
        let losses_from = self.losses.len();
        let parent = self.replicas[replica].last().unwrap_or(NONE);
        let (batch, fresh) = self.batches.intern(bytes, parent, moment.at)?;
        if fresh {
            self.note_marker(batch);
        }
        let it = self.batches.get(batch);
        let (base, next, first_parent) = (it.base, it.next, it.parent);
        if base < self.replicas[replica].end {
            // The replica has overwritten batches without reporting a truncation: only the newer
            // bytes count.
            self.cut(replica, base, false, &mut Vec::new());
        }
        self.hold(replica, batch);
        self.replicas[replica].end = next;
        self.move_loss(batch, replica);
        if let Some(epoch) = epoch {
            self.append_to_line(replica, batch, epoch, moment);
        }
        let as_leader = epoch.is_some();
        let parent_differs = !fresh && parent != first_parent && parent != NONE;
        Some(Append { replica, batch, fresh, as_leader, parent_differs, losses_from })
    }

    fn hold(&mut self, replica: usize, batch: u32) {
        let it = self.batches.get_mut(batch);
        it.holders.insert(replica);
        it.had.insert(replica);
        it.ever_had.insert(replica);
        it.power_lost.remove(replica);
        self.replicas[replica].log.push(batch);
    }

    fn append_to_line(&mut self, replica: usize, batch: u32, epoch: LeaderEpoch, moment: &Moment) {
        if epoch > self.line_epoch {
            // The replica's leadership was not reported, because of a crash.
            self.take_line(replica, epoch, moment);
        } else if epoch == self.line_epoch && self.line_leader == Some(replica) {
            match self.returning == Some((replica, epoch)) {
                // Its log holds the batch already.
                true => self.take_line(replica, epoch, moment),
                false => {
                    self.line.push(batch);
                    self.extend_transactions(batch);
                }
            }
        } else {
            self.lose(batch, (replica, epoch), moment);
        }
    }

    /// Sets the start of a replica's log. Records below it were deleted by retention or by
    /// DeleteRecords, or were never fetched, and are not lost.
    pub fn advance_start(&mut self, replica: usize, to: Offset) {
        let log = &mut self.replicas[replica];
        log.log_start = to;
        let deleted = log.log.partition_point(|batch| self.batches.get(*batch).next <= to);
        for batch in log.log.drain(..deleted) {
            self.batches.get_mut(batch).holders.remove(replica);
        }
        log.end = log.end.max(to);
        log.bad.retain(|bad| bad.to > to);
        if self.line_leader == Some(replica) {
            self.start = to;
            let deleted = self.line.partition_point(|batch| self.batches.get(*batch).next <= to);
            self.line.drain(..deleted);
            self.committed = self.committed.saturating_sub(deleted);
        }
    }

    /// Sets the end of a replica's log. Adds the batches that it no longer holds to `cut`.
    pub fn cut(&mut self, replica: usize, to: Offset, by_power: bool, cut: &mut Vec<u32>) {
        let log = &mut self.replicas[replica];
        while let Some(last) = log.log.last().copied() {
            let it = self.batches.get_mut(last);
            if it.next <= to {
                break;
            }
            it.holders.remove(replica);
            if by_power {
                it.power_lost.insert(replica);
            }
            log.log.pop();
            cut.push(last);
        }
        log.end = to;
        log.high_watermark = log.high_watermark.min(to);
        log.bad.retain(|bad| bad.from < to);
    }

    /// Sets the log of a replica that has returned to the batches on its disk.
    pub fn reload(&mut self, replica: usize, held: &[Bytes], by_power: bool, moment: &Moment) {
        let before = std::mem::take(&mut self.replicas[replica].log);
        for batch in &before {
            self.batches.get_mut(*batch).holders.remove(replica);
        }
        for bytes in held {
            let parent = self.replicas[replica].last().unwrap_or(NONE);
            if let Some((batch, fresh)) = self.batches.intern(bytes, parent, moment.at) {
                if fresh {
                    self.note_marker(batch);
                }
                self.hold(replica, batch);
                self.replicas[replica].end = self.batches.get(batch).next;
            }
        }
        for batch in before {
            let it = self.batches.get_mut(batch);
            if by_power && !it.holders.contains(replica) {
                it.power_lost.insert(replica);
            }
        }
        self.replicas[replica].unseen_from = None;
    }

    /// Makes a replica the leader. Batches of the previous leader that the replica lacks are lost.
    /// The previous leader may be the same replica, which has returned with its disk in the same
    /// epoch. A replica that lost its power has to be registered first: a controller that has not
    /// noticed the power loss may have elected it even afterwards. Returns whether the replica is
    /// the newest leader now.
    pub fn lead(&mut self, replica: usize, epoch: LeaderEpoch, moment: &Moment) -> bool {
        let again = epoch == self.line_epoch && self.line_leader == Some(replica);
        if epoch <= self.line_epoch && !again {
            return false;
        }
        if self.replicas[replica].power_lost {
            self.returning = Some((replica, epoch));
            return false;
        }
        self.take_line(replica, epoch, moment);
        true
    }

    /// Records that a replica's broker is registered. If the controller has kept the replica as
    /// leader, it leads now, with the log that it has.
    pub(super) fn is_registered(&mut self, replica: usize, moment: &Moment) {
        self.replicas[replica].power_lost = false;
        let Some((_, epoch)) = self.returning.filter(|(returning, _)| *returning == replica) else {
            return;
        };
        let of = (Some(replica), epoch);
        if self.state().is_some_and(|it| (it.leader, it.leader_epoch) == of) {
            self.take_line(replica, epoch, moment);
        }
    }

    fn take_line(&mut self, replica: usize, epoch: LeaderEpoch, moment: &Moment) {
        self.returning = None;
        let previous = (self.line_leader, self.line_epoch);
        self.line_leader = Some(replica);
        self.line_epoch = epoch;
        self.leaders.push((replica, epoch));
        let log = self.replicas[replica].log.clone();
        self.start = self.replicas[replica].log_start;
        // Batches of the line below the start of its log have been deleted, and are not lost. Its
        // log may begin with batches that the previous leader had deleted.
        let deleted =
            self.line.partition_point(|batch| self.batches.get(*batch).next <= self.start);
        self.line.drain(..deleted);
        let first = self.line.first().map_or(Offset::MAX, |batch| self.batches.get(*batch).base);
        let older = log.partition_point(|batch| self.batches.get(*batch).next <= first);
        let older = if self.line.is_empty() { 0 } else { older };
        let pairs = self.line.iter().zip(&log[older..]);
        let same = pairs.take_while(|(a, b)| a == b).count();
        let lost = self.line.split_off(same);
        if let Some(first) = lost.first() {
            let from = self.batches.get(*first).base;
            for batch in &lost {
                self.note_loss(*batch, from, previous, ((replica, epoch), Some(moment.at)), moment);
            }
        }
        for batch in log[..older].iter().chain(&log[older + same..]) {
            let it = self.batches.get_mut(*batch);
            if it.loss != NONE {
                self.losses[it.loss as usize].back = Some(epoch);
                it.loss = NONE;
                it.had = it.holders.clone();
            }
        }
        self.line = log;
        self.follow_transactions();
        let committed = |batch: &&u32| self.batches.get(**batch).committed;
        self.committed = match self.line.iter().rev().find(committed) {
            Some(last) => self.line.iter().position(|batch| batch == last).map_or(0, |at| at + 1),
            None => 0,
        };
    }

    /// Records that a leader's high watermark is at `offset`. Marks the batches below it as
    /// committed if all replicas in `required`, and at least `count` replicas, hold them; otherwise
    /// returns the replicas that lack a batch.
    pub fn advance(
        &mut self,
        leader: usize,
        epoch: LeaderEpoch,
        offset: Offset,
        (required, count): (&ReplicaSet, usize),
    ) -> Option<Lacking> {
        if epoch != self.line_epoch || self.line_leader != Some(leader) {
            self.advance_replaced((leader, epoch), offset, (required, count));
            return None;
        }
        let (_, batch) = self.replicas[leader].covering(&self.batches, offset.saturating_sub(1))?;
        // A batch that the leader holds may be missing in the line, if it was not appended by a
        // leader.
        let place = self.place_in_line(batch)?;
        if place < self.committed {
            return None;
        }
        let held = self.counted(batch, required);
        let lacking = required - &held;
        if !lacking.is_empty() || held.len() < count {
            return Some(Lacking { batch, lacking, held });
        }
        self.commit_to(place, offset);
        None
    }

    /// Marks the line as committed up to a place, the batch just below a high watermark.
    fn commit_to(&mut self, place: usize, offset: Offset) {
        // The batch extends beyond the high watermark only if the watermark is wrong.
        let whole = self.batches.get(self.line[place]).next <= offset;
        let end = if whole { place + 1 } else { place };
        for place in self.committed..end {
            self.batches.get_mut(self.line[place]).committed = true;
        }
        self.committed = self.committed.max(end);
    }

    /// [`Partition::advance`] for the metadata log. `voters` are the voters that have reported
    /// something, `count` is the number of all. A leader that has been replaced, and does not know
    /// it yet, can commit batches that its successor has as well.
    pub fn advance_by_majority(
        &mut self,
        (leader, epoch): (usize, LeaderEpoch),
        offset: Offset,
        voters: &ReplicaSet,
        count: usize,
    ) -> Option<Lacking> {
        let (_, batch) = self.replicas[leader].covering(&self.batches, offset.saturating_sub(1))?;
        let held = &self.batches.get(batch).holders & voters;
        if held.len() * 2 <= count {
            return Some(Lacking { batch, lacking: voters - &held, held });
        }
        let place = self.place_in_line(batch).filter(|_| self.leaders.contains(&(leader, epoch)));
        if let Some(place) = place {
            self.commit_to(place, offset);
        }
        None
    }

    /// Extends the log of a replica that has returned with more than it had reported. The
    /// additional batches are assumed to be those of the line, until its disk is read.
    pub fn adopt(&mut self, replica: usize, end: Offset) {
        let from = self.replicas[replica].end;
        let start = self.line.partition_point(|batch| self.batches.get(*batch).base < from);
        for place in start..self.line.len() {
            let batch = self.line[place];
            if self.batches.get(batch).next > end {
                break;
            }
            self.hold(replica, batch);
        }
        self.replicas[replica].unseen_from = Some(from);
        self.replicas[replica].end = end;
    }

    /// Adds a state that the controller has committed.
    pub fn commit(&mut self, state: Committed) {
        let before = self.state().map(Committed::members).unwrap_or_default();
        let added = &state.members() - &before;
        for (index, replica) in self.replicas.iter_mut().enumerate() {
            if added.contains(index) {
                replica.member_since = Some(state.at);
            }
        }
        self.states.push(state);
    }
}
