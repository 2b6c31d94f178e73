//! A member that keeps its positions in a store of its own, together with its results. The group only
//! assigns partitions: the member claims each in the store, reads on from the position there, and commits
//! the results of a poll and the positions after it in one transaction.
//!
//! A transaction that is refused, or whose outcome is unknown, has no consequence that the member relies
//! on: it claims the partitions again and reads on from where the store says.

use super::{MemberApp, Phase, Work};
use crate::workload::pipeline::InputRecord;
use crate::workload::seeking;
use crate::workload::store::{Answer, Part, StoreClient};
use engine::fact::Fact;
use engine::ids::{Offset, TopicPartition};
use engine::reach::Reach;
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{NodeId, Now, Span};
use std::collections::BTreeMap;

/// The time from a lost connection to the next.
const AGAIN_AFTER: Span = Span::millis(200);
/// A claim is due again.
pub(super) const CLAIM: Timer = Timer::Application(5);

/// The member's side of the store.
#[derive(Clone, Debug)]
pub(super) struct Storing {
    client: StoreClient,
    /// The epochs of the claimed partitions.
    epochs: BTreeMap<TopicPartition, u64>,
    claiming: Option<Claiming>,
}

/// A claim that has to succeed before the application polls again.
#[derive(Clone, Debug)]
struct Claiming {
    /// The partitions, each with the offset to read on from if the store holds none. Without one,
    /// `auto.offset.reset` decides.
    partitions: Vec<(TopicPartition, Option<Offset>)>,
    /// The listener of the consumer waits for it.
    in_listener: bool,
}

impl Storing {
    pub(super) fn new(store: NodeId) -> Self {
        Self { client: StoreClient::new(store), epochs: BTreeMap::new(), claiming: None }
    }

    /// Whether the application waits for the store before it polls.
    pub(super) fn is_claiming(&self) -> bool {
        self.claiming.is_some()
    }

    fn claim(&mut self, claiming: Claiming, now: Now, out: &mut Outbox) {
        let partitions = claiming.partitions.iter().map(|(partition, _)| *partition);
        self.client.claim(partitions, now, out);
        self.claiming = Some(claiming);
    }

    pub(super) fn close(&mut self, out: &mut Outbox) {
        self.client.close(out);
        self.claiming = None;
        out.cancel_timer(CLAIM);
    }
}

impl MemberApp {
    /// The member has partitions that it did not own before.
    pub(super) fn on_assigned(&mut self, added: Vec<TopicPartition>, now: Now, out: &mut Outbox) {
        let (Some(storing), Some(member)) = (&mut self.storing, &mut self.member) else { return };
        if added.is_empty() {
            member.listener_returned(now, out);
            return;
        }
        let partitions = added.into_iter().map(|partition| (partition, None)).collect();
        storing.claim(Claiming { partitions, in_listener: true }, now, out);
    }

    /// Commits the results of records in the store.
    pub(super) fn store(&mut self, work: Work, now: Now, out: &mut Outbox) -> Phase {
        let Some(storing) = &mut self.storing else { return Phase::Storing(work) };
        let part = |(partition, _, to): &(TopicPartition, Offset, Offset)| {
            let own = work.inputs.iter().filter(|it| it.partition == *partition);
            let inputs = own.map(|it: &InputRecord| (it.offset, it.number)).collect();
            let epoch = storing.epochs.get(partition).copied().unwrap_or(0);
            Part::new(*partition, epoch, inputs, *to)
        };
        let parts = work.polled.iter().map(part).collect();
        storing.client.commit(parts, now, out);
        Phase::Storing(work)
    }

    /// Handles an input that may be one of the store. Returns whether it was.
    pub(super) fn on_store_input(&mut self, now: Now, input: &Input, out: &mut Outbox) -> bool {
        let Some(storing) = &mut self.storing else { return false };
        if matches!(input, Input::Timer(CLAIM)) {
            if let Some(claiming) = storing.claiming.take() {
                storing.claim(claiming, now, out);
            }
            return true;
        }
        let Some(answer) = storing.client.on_input(input, out) else { return false };
        match (answer, std::mem::replace(&mut self.phase, Phase::Polling)) {
            (Answer::Committed, Phase::Storing(work)) => self.processed(work, now, out),
            (answer @ (Answer::Refused | Answer::Lost), Phase::Storing(work)) => {
                if answer == Answer::Refused {
                    out.observe(Fact::Reached(Reach::StoreFenced));
                }
                self.claim_again(&work, now, out);
            }
            (Answer::Claimed(claimed), phase) => {
                self.phase = phase;
                self.on_claimed(claimed, now, out);
            }
            (_, phase) => {
                self.phase = phase;
                if storing.claiming.is_some() {
                    out.set_timer(CLAIM, now.mono + AGAIN_AFTER);
                }
            }
        }
        true
    }

    /// Drops the results of records, and claims their partitions again if the member still owns them.
    fn claim_again(&mut self, work: &Work, now: Now, out: &mut Outbox) {
        let reads = |(partition, ..): &&(TopicPartition, Offset, Offset)| self.reads(*partition);
        let owned = work.polled.iter().filter(reads);
        let partitions: Vec<_> = owned.map(|(of, from, _)| (*of, Some(*from))).collect();
        if let Some(storing) = self.storing.as_mut().filter(|_| !partitions.is_empty()) {
            storing.claiming = Some(Claiming { partitions, in_listener: false });
            out.set_timer(CLAIM, now.mono + Span::millis(1));
        }
    }

    fn on_claimed(
        &mut self,
        claimed: Vec<(TopicPartition, u64, Option<Offset>)>,
        now: Now,
        out: &mut Outbox,
    ) {
        let (Some(storing), Some(member)) = (&mut self.storing, &mut self.member) else { return };
        let Some(claiming) = storing.claiming.take() else { return };
        for (partition, epoch, held) in claimed {
            storing.epochs.insert(partition, epoch);
            let own = claiming.partitions.iter().find(|(of, _)| *of == partition);
            if held.is_some() {
                out.observe(Fact::Reached(Reach::StoreSought));
            }
            if let Some(offset) = held.or(own.and_then(|(_, otherwise)| *otherwise)) {
                let (topics, to) = (&self.config.reading.topics, (partition, offset));
                seeking::go_to(member.consumer_mut(), topics, to, now, out);
            }
        }
        if claiming.in_listener {
            member.listener_returned(now, out);
        }
    }
}
