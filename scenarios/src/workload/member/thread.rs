//! What the thread of a member's application does with records: it processes them, and commits.

use super::{MemberApp, Next, PAUSE, Phase, WORK, Work};
use crate::workload::pipeline::{self, Done, InputRecord};
use crate::workload::{report_polled, seeking};
use engine::Outbox;
use engine::fact::{ClientFact, Fact, MemberFact};
use engine::ids::{Offset, TopicPartition};
use machine::{Mono, Now, Span};
use spec::{Commit, CommitKind};

impl MemberApp {
    /// Goes on until the thread waits.
    pub(super) fn go_on(&mut self, now: Now, out: &mut Outbox) {
        loop {
            self.on_events(now, out);
            let goes_on = match std::mem::replace(&mut self.phase, Phase::Away) {
                Phase::Polling => self.poll(now, out),
                Phase::Processing(work, until) => self.process(work, until, now, out),
                waiting => {
                    self.phase = waiting;
                    false
                }
            };
            let has_events = self.member.as_ref().is_some_and(|member| member.has_events());
            if !goes_on && !has_events {
                return;
            }
        }
    }

    /// Polls. Returns whether the thread goes on.
    fn poll(&mut self, now: Now, out: &mut Outbox) -> bool {
        self.phase = Phase::Polling;
        let Some(member) = &mut self.member else { return false };
        let is_claiming = self.storing.as_ref().is_some_and(|it| it.is_claiming());
        if self.listener_waits.is_some() || is_claiming {
            return false;
        }
        if let Some(next) = self.wanted.take() {
            self.phase = Phase::Closing(next);
            member.close(now, out);
            return false;
        }
        let topics = &self.config.reading.topics;
        for to in self.seeks_due.drain(..) {
            match member.owned().is_empty() {
                true => self.remarks.seeks_of_nothing += 1,
                false => seeking::seek(member.consumer_mut(), topics, to, now, out),
            }
        }
        for pauses in self.pauses_due.drain(..) {
            let owned = member.owned().to_vec();
            match pauses {
                true => member.consumer_mut().pause(now, &owned, out),
                false => member.consumer_mut().resume(now, &owned, out),
            };
        }
        let polled = member.poll(now, out);
        if polled.is_empty() {
            return false;
        }
        let records: u32 = polled.iter().map(|polled| polled.records).sum();
        if let Some(pipeline) = self.pipeline.as_mut().filter(|_| records > 0) {
            let inputs: Vec<InputRecord> = polled.iter().flat_map(pipeline::inputs).collect();
            pipeline.send(&inputs, now, out);
        }
        let inputs: Vec<InputRecord> = match self.storing {
            Some(_) => polled.iter().flat_map(pipeline::inputs).collect(),
            None => Vec::new(),
        };
        let ranges = polled.iter().map(|it| (it.partition, it.from, it.to)).collect();
        for polled in polled {
            self.thrown.on_polled(&polled);
            report_polled(polled, out);
        }
        if records == 0 {
            self.report_processed(ranges, out);
        } else {
            self.on_records(ranges, inputs, records, now, out);
        }
        true
    }

    /// A poll has returned records.
    fn on_records(
        &mut self,
        polled: Vec<(TopicPartition, Offset, Offset)>,
        inputs: Vec<InputRecord>,
        records: u32,
        now: Now,
        out: &mut Outbox,
    ) {
        self.polls += 1;
        let habits = &self.config.habits;
        let takes = habits.processing(records).saturating_add(self.stall);
        self.stall = Span::ZERO;
        let commits = habits.commits_after(self.polls).then_some(habits.commit);
        let work = Work {
            polled,
            inputs,
            left: takes,
            commit_at: (commits == Some(Commit::During)).then_some(Span(takes.0 / 2)),
            commits_after: commits == Some(Commit::After),
        };
        self.phase = match commits {
            Some(Commit::Before) => self.commit(Some(work), now, out),
            _ => work.begin(now),
        };
    }

    /// Commits all positions. Returns what the thread does then.
    fn commit(&mut self, then: Option<Work>, now: Now, out: &mut Outbox) -> Phase {
        let Some(member) = &mut self.member else { return Phase::Away };
        match (self.config.habits.kind, then) {
            (CommitKind::Sync, then) => Phase::Committing(member.commit_sync(now, None, out), then),
            (CommitKind::Async, then) => {
                member.commit_async(now, None, out);
                then.map_or(Phase::Polling, |work| work.begin(now))
            }
        }
    }

    /// Processes records. Returns whether the thread goes on.
    fn process(&mut self, mut work: Work, until: Mono, now: Now, out: &mut Outbox) -> bool {
        work.left = until.since(now.mono);
        if work.commit_at.is_some_and(|at| work.left <= at) {
            work.commit_at = None;
            self.phase = self.commit(Some(work), now, out);
            return true;
        }
        if now.mono < until {
            let next = Span(work.left.0 - work.commit_at.map_or(0, |at| at.0));
            out.set_timer(WORK, now.mono + next);
            self.phase = Phase::Processing(work, until);
            return false;
        }
        if self.pipeline.is_some() {
            self.phase = Phase::Finishing(work, false);
            self.finish(now, out);
        } else if self.storing.is_some() {
            self.phase = self.store(work, now, out);
        } else {
            self.processed(work, now, out);
        }
        true
    }

    /// Records are processed, and their results are written.
    pub(super) fn processed(&mut self, work: Work, now: Now, out: &mut Outbox) {
        self.report_processed(work.polled, out);
        self.phase = match work.commits_after {
            true => self.commit(None, now, out),
            false => Phase::Polling,
        };
    }

    /// Hands the offsets of records to the pipeline, once all results are sent.
    pub(super) fn finish(&mut self, now: Now, out: &mut Outbox) {
        let (Some(member), Some(pipeline)) = (&mut self.member, &mut self.pipeline) else { return };
        let Phase::Finishing(work, is_begun) = &mut self.phase else { return };
        if *is_begun {
            return;
        }
        if pipeline.is_blocked() {
            out.set_timer(WORK, now.mono + Span::millis(1));
            return;
        }
        *is_begun = true;
        let ends: Vec<_> = work.polled.iter().map(|(partition, _, to)| (*partition, *to)).collect();
        let (number, offsets) = member.offsets_to_send(&ends, out);
        let metadata = member.group_metadata();
        pipeline.finish(pipeline::Commit { number, metadata, offsets }, now, out);
    }

    /// What has come of the producing half.
    pub(super) fn on_pipeline(&mut self, done: Done, now: Now, out: &mut Outbox) {
        match (done, std::mem::replace(&mut self.phase, Phase::Polling)) {
            (Done::Ready, Phase::Starting) => {}
            (Done::Committed, Phase::Finishing(work, _)) => self.processed(work, now, out),
            (Done::Again, Phase::Finishing(work, _)) => self.read_again(&work, now, out),
            (Done::Broken, phase @ (Phase::Away | Phase::Closing(_))) => self.phase = phase,
            (Done::Broken, _) => {
                if self.wanted.is_none() {
                    self.want(Next::Return(PAUSE), out);
                }
            }
            (_, phase) => self.phase = phase,
        }
    }

    /// Goes back to where the records began.
    fn read_again(&mut self, work: &Work, now: Now, out: &mut Outbox) {
        let Some(member) = &mut self.member else { return };
        for (partition, from, _) in &work.polled {
            let to = (*partition, *from);
            seeking::go_to(member.consumer_mut(), &self.config.reading.topics, to, now, out);
        }
    }

    fn report_processed(&self, ranges: Vec<(TopicPartition, Offset, Offset)>, out: &mut Outbox) {
        for (partition, from, to) in ranges {
            let group = self.config.group.clone();
            let processed = MemberFact::Processed { group, partition, from, to };
            out.observe(Fact::Client(ClientFact::Member(processed)));
        }
    }
}
