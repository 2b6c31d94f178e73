//! A batch that the whole ISR has is committed within one fetch of its followers, and a committed
//! batch is confirmed at once.
//!
//! No rule decides these times. Catches a high watermark that is not moved, a parked produce
//! request that is not completed when it moves, and a fetch that is not sent.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, End, Moment, View};
use engine::fact::Fact;
use engine::ids::{LeaderEpoch, Offset};
use engine::reach::Reach;
use machine::{NodeId, Span};
use std::collections::{BTreeMap, VecDeque};

/// The time that a fetch, an append and a response may take with the default links and disks.
const ROUND: Span = Span::millis(500);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompt {
    partitions: Vec<Pending>,
    /// The response that each broker sends at this moment. A request for several partitions gets
    /// its response when the last of them is decided, so that at least one of its partitions is
    /// prompt.
    answering: BTreeMap<NodeId, Answering>,
    /// When a broker last found a batch to be a copy of one in its log, which may have been
    /// committed long ago.
    copies: BTreeMap<NodeId, u64>,
}

/// The response that a broker sends at one moment.
#[derive(Clone, Debug)]
struct Answering {
    moment: Moment,
    partition: usize,
    last_offset: Offset,
    /// The shortest time since the high watermark passed one of its batches.
    late: Span,
}

/// The batches of a partition that are not confirmed so far.
#[derive(Clone, Debug, Default)]
struct Pending {
    /// The leader epoch and the number of committed states to which the other fields apply.
    of: (LeaderEpoch, usize),
    /// The ends of batches that the whole ISR has, and the times at which it got them.
    held: VecDeque<(Offset, u64)>,
    /// High watermarks of the leader, and the times at which it reached them.
    committed: VecDeque<(Offset, u64)>,
}

impl Prompt {
    pub(super) const NAME: &'static str = "answers-are-prompt";

    fn pending(&mut self, view: &View, index: usize) -> &mut Pending {
        if self.partitions.len() <= index {
            self.partitions.resize(index + 1, Pending::default());
        }
        let partition = &view.partitions[index];
        let (pending, of) =
            (&mut self.partitions[index], (partition.line_epoch, partition.states.len()));
        if pending.of != of {
            *pending = Pending { of, ..Pending::default() };
        }
        pending
    }
}

impl Check for Prompt {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Append(..) | Effect::Watermark(_, None))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        if !view.setup.is_prompt {
            return;
        }
        match (effect, fact) {
            (Effect::Append(index, append), _) if !append.as_leader => {
                let partition = &view.partitions[*index];
                let Some(state) = partition.state().filter(|_| partition.topic.is_some()) else {
                    return;
                };
                let batch = partition.batches.get(append.batch);
                let enough = state.isr.len() >= partition.min_isr;
                // A follower outside the ISR may get the batch long after it was committed.
                let committed =
                    partition.line_leader.map(|it| partition.replicas[it].high_watermark);
                let is_due = committed.is_none_or(|offset| offset < batch.next);
                if enough && is_due && state.isr.is_within(&batch.holders) {
                    let pending = self.pending(view, *index);
                    if pending.held.back().is_none_or(|(end, _)| *end < batch.next) {
                        pending.held.push_back((batch.next, at.at));
                    }
                }
            }
            (Effect::Watermark(index, None), Fact::HighWatermark { offset, .. }) => {
                self.committed(view, at, *index, *offset, out);
            }
            _ => {}
        }
    }

    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        if !view.setup.is_prompt {
            return;
        }
        match fact {
            Fact::Acknowledged { partition, leader_epoch, acks: -1, last_offset, .. } => {
                let Some(index) = view.index_of(at.node.cluster, *partition) else { return };
                if view.partitions[index].line_epoch == *leader_epoch {
                    let is_copy = self.copies.get(&at.node) == Some(&at.at);
                    let committed = &self.pending(view, index).committed;
                    let first = committed.iter().find(|(offset, _)| offset > last_offset);
                    let since = first.filter(|_| !is_copy).map_or(at.at, |(_, since)| *since);
                    let late = Span(at.at.saturating_sub(since));
                    self.answer(at, (index, *last_offset), late, out);
                }
            }
            Fact::Reached(Reach::DuplicateFound) => {
                self.copies.insert(at.node, at.at);
            }
            Fact::ProduceRefused { partition, .. } => {
                let Some(index) = view.index_of(at.node.cluster, *partition) else { return };
                self.answer(at, (index, 0), Span::ZERO, out);
            }
            _ => {}
        }
    }

    fn at_end(&mut self, _: &View, _: &End, out: &mut Findings) {
        std::mem::take(&mut self.answering).values().for_each(|it| it.report(out));
    }
}

impl Answering {
    fn report(&self, out: &mut Findings) {
        if self.late > ROUND {
            let what = "a committed batch was not confirmed at once";
            out.add(Prompt::NAME, what, &self.moment, self.partition, Ground::Never)
                .offset(self.last_offset)
                .detail(format!("the high watermark had passed it {} before", self.late));
        }
    }
}

impl Prompt {
    /// A broker responds for a batch that was decided `late` ago.
    fn answer(
        &mut self,
        at: &Moment,
        (partition, last_offset): (usize, Offset),
        late: Span,
        out: &mut Findings,
    ) {
        let answer = Answering { moment: *at, partition, last_offset, late };
        match self.answering.get_mut(&at.node) {
            Some(other) if other.moment.at == at.at => other.late = other.late.min(late),
            Some(other) => std::mem::replace(other, answer).report(out),
            None => {
                self.answering.insert(at.node, answer);
            }
        }
    }

    fn committed(
        &mut self,
        view: &View,
        at: &Moment,
        index: usize,
        offset: Offset,
        out: &mut Findings,
    ) {
        let partition = &view.partitions[index];
        if partition.line_leader.is_none_or(|it| partition.replicas[it].node != at.node) {
            return;
        }
        let pending = self.pending(view, index);
        pending.committed.push_back((offset, at.at));
        // Requests do not wait for longer than this many batches.
        if pending.committed.len() > 64 {
            pending.committed.pop_front();
        }
        let mut since = None;
        while let Some((end, held)) =
            pending.held.front().copied().filter(|(end, _)| *end <= offset)
        {
            since = since.or(Some((end, held)));
            pending.held.pop_front();
        }
        let Some((end, since)) = since else { return };
        let late = Span(at.at.saturating_sub(since));
        if late <= view.setup.fetch_wait.saturating_add(ROUND) {
            return;
        }
        let others: Vec<NodeId> = partition.replicas.iter().map(|it| it.node).collect();
        if !view.is_hindered(at.node, &others, since) {
            let what = "what the whole ISR holds was not committed within a fetch";
            out.add(Self::NAME, what, at, index, Ground::Never)
                .offset(end.saturating_sub(1))
                .detail(format!("the last of them got it {late} before"));
        }
    }
}
