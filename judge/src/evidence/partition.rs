//! One partition: its replicas' logs side by side, the line of its leaders, and its committed
//! states.

use super::batch::{Batches, NONE};
use super::loss::{Committed, Loss};
use super::observed::Moment;
use super::replica::Replica;
use super::story::Story;
use bytes::Bytes;
use engine::ids::{LeaderEpoch, Offset, TopicPartition};
use machine::{ClusterId, NodeId};

/// One partition.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Its cluster.
    pub cluster: ClusterId,
    /// Which partition.
    pub id: TopicPartition,
    /// Its name: `orders-0`.
    pub name: String,
    /// Its topic, an index of [`super::Setup::topics`].
    pub topic: Option<usize>,
    /// `min.insync.replicas`, no more than there are replicas.
    pub min_isr: usize,
    /// Its replicas. The place in this list is the bit in every mask.
    pub replicas: Vec<Replica>,
    /// The distinct batches.
    pub batches: Batches,
    /// The log of the present leader: what the partition holds.
    pub line: Vec<u32>,
    /// The epoch of the present leader.
    pub line_epoch: LeaderEpoch,
    /// The present leader; `None` before the first.
    pub line_leader: Option<usize>,
    /// How many batches of the line are committed.
    pub committed: usize,
    /// The committed states, in order.
    pub states: Vec<Committed>,
    /// What left the line.
    pub losses: Vec<Loss>,
    /// What happened to it, appends aside.
    pub story: Story,
}

/// What an append came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// The replica.
    pub replica: usize,
    /// The batch.
    pub batch: u32,
    /// Nobody had shown it before.
    pub fresh: bool,
    /// The leader appended it.
    pub as_leader: bool,
    /// It follows another batch here than where it was seen first.
    pub parent_differs: bool,
    /// The place of the first new entry of [`Partition::losses`], if the leader was replaced.
    pub losses_from: usize,
}

/// Replicas that lack what a high watermark claims to be replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The batch.
    pub batch: u32,
    /// The members that lack it.
    pub lacking: u64,
    /// The replicas that hold it.
    pub held: u64,
}

impl Partition {
    /// A partition that nothing is known of yet.
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
            line: Vec::new(),
            line_epoch: -1,
            line_leader: None,
            committed: 0,
            states: Vec::new(),
            losses: Vec::new(),
            story: Story::default(),
        }
    }

    /// The index of a node's replica; a new one if it has none. `None` beyond 64 replicas.
    pub fn replica(&mut self, node: NodeId) -> Option<usize> {
        if let Some(found) = self.find(node) {
            return Some(found);
        }
        if self.replicas.len() == 64 {
            return None;
        }
        self.replicas.push(Replica::new(node));
        Some(self.replicas.len() - 1)
    }

    /// The index of a node's replica.
    pub fn find(&self, node: NodeId) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.node == node)
    }

    /// The replicas of a mask, by node number: `1, 2`.
    pub fn names(&self, mask: u64) -> String {
        let members = self.replicas.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0);
        let mut nodes: Vec<_> = members.map(|(_, replica)| replica.node).collect();
        nodes.sort_unstable();
        nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ")
    }

    /// The latest committed state.
    pub fn state(&self) -> Option<&Committed> {
        self.states.last()
    }

    /// The replicas for which nothing can be said at present: power lost, not yet registered.
    pub fn exempt(&self) -> u64 {
        let lost = self.replicas.iter().enumerate().filter(|(_, replica)| replica.power_lost);
        lost.fold(0, |mask, (index, _)| mask | 1 << index)
    }

    /// The last committed batch of the line.
    pub fn last_committed(&self) -> Option<u32> {
        self.committed.checked_sub(1).map(|place| self.line[place])
    }

    /// Whether the line holds a batch.
    pub fn is_in_line(&self, batch: u32) -> bool {
        let base = self.batches.get(batch).base;
        let place = self.line.partition_point(|b| self.batches.get(*b).base < base);
        self.line.get(place) == Some(&batch)
    }

    /// A replica appended a batch.
    pub fn append(
        &mut self,
        node: NodeId,
        bytes: &Bytes,
        epoch: Option<LeaderEpoch>,
        moment: &Moment,
    ) -> Option<Append> {
        let replica = self.replica(node)?;
        let losses_from = self.losses.len();
        let parent = self.replicas[replica].last().unwrap_or(NONE);
        let (batch, fresh) = self.batches.intern(bytes, parent, moment.at)?;
        let it = self.batches.get(batch);
        let (base, next, first_parent) = (it.base, it.next, it.parent);
        if base < self.replicas[replica].end {
            // It wrote over what it had without telling: only the newer bytes count.
            self.cut(replica, base, false, &mut Vec::new());
        }
        self.hold(replica, batch);
        self.replicas[replica].end = next;
        if let Some(epoch) = epoch {
            self.append_to_line(replica, batch, epoch, moment);
        }
        let as_leader = epoch.is_some();
        let parent_differs = !fresh && parent != first_parent && parent != NONE;
        Some(Append { replica, batch, fresh, as_leader, parent_differs, losses_from })
    }

    fn hold(&mut self, replica: usize, batch: u32) {
        let it = self.batches.get_mut(batch);
        it.holders |= 1 << replica;
        it.had |= 1 << replica;
        it.ever_had |= 1 << replica;
        it.power_lost &= !(1 << replica);
        self.replicas[replica].log.push(batch);
    }

    fn append_to_line(&mut self, replica: usize, batch: u32, epoch: LeaderEpoch, moment: &Moment) {
        if epoch > self.line_epoch {
            // Its leadership was not told: the crash of a controller or broker took the fact.
            self.lead(replica, epoch, moment);
        } else if epoch == self.line_epoch && self.line_leader == Some(replica) {
            self.line.push(batch);
        } else {
            self.lose(batch, (replica, epoch), moment);
        }
    }

    /// A replica's log ends at `to` from now on. Adds to `cut` what it no longer holds.
    pub fn cut(&mut self, replica: usize, to: Offset, by_power: bool, cut: &mut Vec<u32>) {
        let log = &mut self.replicas[replica];
        while let Some(last) = log.log.last().copied() {
            let it = self.batches.get_mut(last);
            if it.next <= to {
                break;
            }
            it.holders &= !(1 << replica);
            if by_power {
                it.power_lost |= 1 << replica;
            }
            log.log.pop();
            cut.push(last);
        }
        log.end = to;
        log.high_watermark = log.high_watermark.min(to);
    }

    /// A replica came back; its disk holds these batches. What they are not is lost.
    pub fn reload(&mut self, replica: usize, held: &[Bytes], by_power: bool, moment: &Moment) {
        let before = std::mem::take(&mut self.replicas[replica].log);
        for batch in &before {
            self.batches.get_mut(*batch).holders &= !(1 << replica);
        }
        for bytes in held {
            let parent = self.replicas[replica].last().unwrap_or(NONE);
            if let Some((batch, _)) = self.batches.intern(bytes, parent, moment.at) {
                self.hold(replica, batch);
                self.replicas[replica].end = self.batches.get(batch).next;
            }
        }
        for batch in before {
            let it = self.batches.get_mut(batch);
            if by_power && it.holders & (1 << replica) == 0 {
                it.power_lost |= 1 << replica;
            }
        }
        self.replicas[replica].unseen_from = None;
    }

    /// A replica leads from now on. What the leader before had and it has not is lost; the leader
    /// before may be itself, back from its disk in the same epoch. Answers whether it is the
    /// newest leader.
    pub fn lead(&mut self, replica: usize, epoch: LeaderEpoch, moment: &Moment) -> bool {
        let again = epoch == self.line_epoch && self.line_leader == Some(replica);
        if epoch <= self.line_epoch && !again {
            return false;
        }
        let previous = (self.line_leader, self.line_epoch);
        self.line_leader = Some(replica);
        self.line_epoch = epoch;
        let log = self.replicas[replica].log.clone();
        let same = self.line.iter().zip(&log).take_while(|(a, b)| a == b).count();
        let lost = self.line.split_off(same);
        if let Some(first) = lost.first() {
            let from = self.batches.get(*first).base;
            for batch in &lost {
                self.note_loss(*batch, from, previous, (replica, epoch), moment);
            }
        }
        for batch in &log[same..] {
            let it = self.batches.get_mut(*batch);
            if it.loss != NONE {
                self.losses[it.loss as usize].back = Some(epoch);
                it.loss = NONE;
                it.had = it.holders;
            }
        }
        self.line = log;
        let committed = |batch: &&u32| self.batches.get(**batch).committed;
        self.committed = match self.line.iter().rev().find(committed) {
            Some(last) => self.line.iter().position(|batch| batch == last).map_or(0, |at| at + 1),
            None => 0,
        };
        true
    }

    /// A leader's high watermark is at `offset`. Marks what is committed by that and by what the
    /// replicas in `required`, at least `count` of all, hold; answers who lacks what lies below.
    pub fn advance(
        &mut self,
        leader: usize,
        epoch: LeaderEpoch,
        offset: Offset,
        (required, count): (u64, usize),
    ) -> Option<Lacking> {
        if epoch != self.line_epoch || self.line_leader != Some(leader) {
            self.advance_replaced((leader, epoch), offset, (required, count));
            return None;
        }
        let (place, batch) = self.replicas[leader].covering(&self.batches, offset - 1)?;
        if place < self.committed {
            return None;
        }
        let held = self.batches.get(batch).holders | self.exempt();
        let lacking = required & !held;
        if lacking != 0 || (held.count_ones() as usize) < count {
            return Some(Lacking { batch, lacking, held });
        }
        // The last batch may reach beyond the watermark only if the watermark is wrong.
        let whole = self.batches.get(batch).next <= offset;
        let end = if whole { place + 1 } else { place };
        for place in self.committed..end {
            self.batches.get_mut(self.line[place]).committed = true;
        }
        self.committed = self.committed.max(end);
        None
    }

    /// The same for the metadata log: `voters` are a mask, `count` is how many there are.
    pub fn advance_by_majority(
        &mut self,
        leader: usize,
        epoch: LeaderEpoch,
        offset: Offset,
        voters: u64,
        count: usize,
    ) -> Option<Lacking> {
        let (_, batch) = self.replicas[leader].covering(&self.batches, offset - 1)?;
        let held = self.batches.get(batch).holders & voters;
        if (held.count_ones() as usize) * 2 <= count {
            return Some(Lacking { batch, lacking: voters & !held, held });
        }
        self.advance(leader, epoch, offset, (0, 0))
    }

    /// A replica came back with more than it had told. It is taken to be what the line holds up
    /// to that end, until its disk says better.
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

    /// The controller has committed another state.
    pub fn commit(&mut self, state: Committed) {
        let before = self.state().map_or(0, Committed::members);
        for (index, replica) in self.replicas.iter_mut().enumerate() {
            if state.members() & !before & (1 << index) != 0 {
                replica.member_since = Some(state.at);
            }
        }
        self.states.push(state);
    }
}
