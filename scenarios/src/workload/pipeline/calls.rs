//! The calls of a pipeline's producer, and what follows from them.

use super::{Done, Pipeline, Step};
use engine::Outbox;
use engine::client::{ProducerEvent, TransactionCall, TransactionError, TransactionFailure};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, MemberFact, TransactionOutcome};
use machine::Now;

impl Pipeline {
    /// Calls `commitTransaction` or `abortTransaction`.
    pub(super) fn end(
        &mut self,
        transaction: u64,
        commit: bool,
        error: Option<ErrorCode>,
        now: Now,
        out: &mut Outbox,
    ) {
        let was_commit = commit || matches!(self.step, Step::Ending { was_commit: true, .. });
        self.step = Step::Ending { transaction, commit, was_commit, error };
        out.observe(Fact::Client(ClientFact::TransactionEnding { transaction, commit }));
        let called = match commit {
            true => self.producer.commit_transaction(now, out),
            false => self.producer.abort_transaction(now, out),
        };
        if let Err(error) = called {
            self.on_thrown(error, now, out);
        }
    }

    pub(super) fn on_thrown(&mut self, error: TransactionError, now: Now, out: &mut Outbox) {
        let unknown = TransactionFailure { error: ErrorCode::UnknownServerError, is_fatal: true };
        let failure = match error {
            TransactionError::Failed(failure) => failure,
            _ => unknown,
        };
        self.on_failure(failure, now, out);
    }

    /// Aborts the transaction after an error, unless the producer is of no use any more.
    fn on_failure(&mut self, failure: TransactionFailure, now: Now, out: &mut Outbox) {
        let error = Some(failure.error);
        match self.step {
            Step::Open { transaction }
            | Step::Flushing { transaction }
            | Step::Offsets { transaction, .. }
                if !failure.is_fatal =>
            {
                self.end(transaction, false, error, now, out);
            }
            Step::Ending { transaction, commit: true, .. } if !failure.is_fatal => {
                self.end(transaction, false, error, now, out);
            }
            Step::Open { transaction }
            | Step::Flushing { transaction }
            | Step::Offsets { transaction, .. } => {
                self.report_end(transaction, TransactionOutcome::GivenUp, error, out);
                self.step = Step::Broken;
            }
            Step::Ending { transaction, was_commit, .. } => {
                let outcome = match was_commit {
                    true => TransactionOutcome::Unknown,
                    false => TransactionOutcome::GivenUp,
                };
                self.report_end(transaction, outcome, error, out);
                self.step = Step::Broken;
            }
            _ => self.step = Step::Broken,
        }
    }

    pub(super) fn report_end(
        &self,
        transaction: u64,
        outcome: TransactionOutcome,
        error: Option<ErrorCode>,
        out: &mut Outbox,
    ) {
        let ended = ClientFact::TransactionEnded { transaction, outcome, error };
        out.observe(Fact::Client(ended));
    }

    /// Handles what has happened to the producer. Returns what has come of the records, if it is known.
    pub(in crate::workload) fn advance(&mut self, now: Now, out: &mut Outbox) -> Option<Done> {
        let mut done = None;
        while self.producer.has_events() {
            let events: Vec<_> = self.producer.take_events().collect();
            for event in events {
                match event {
                    ProducerEvent::CallReturned { call } => {
                        done = done.or(self.on_returned(call, now, out));
                    }
                    ProducerEvent::CallThrew { call, failure } => {
                        self.answer_commit(call, failure.error, out);
                        self.on_failure(failure, now, out);
                    }
                    ProducerEvent::CallTimedOut { call } => self.on_timed_out(call, now, out),
                    event => self.report_event(event, out),
                }
            }
        }
        if self.step == Step::Broken {
            return Some(Done::Broken);
        }
        if let Step::Flushing { transaction } = self.step
            && self.producer.is_idle()
        {
            if self.is_transactional() {
                self.end(transaction, false, None, now, out);
                return done;
            }
            self.step = Step::Idle;
            done = Some(if self.has_failed { Done::Again } else { Done::Committed });
        }
        done
    }

    fn on_returned(&mut self, call: TransactionCall, now: Now, out: &mut Outbox) -> Option<Done> {
        match (call, self.step) {
            (TransactionCall::Init, Step::Starting) => {
                let (producer_id, producer_epoch) = self.identity;
                let id = self.config.producer.transactional_id.0.clone()?;
                out.observe(Fact::Client(ClientFact::TransactionsInitialized {
                    transactional_id: id,
                    producer_id,
                    producer_epoch,
                }));
                self.step = Step::Idle;
                Some(Done::Ready)
            }
            (TransactionCall::SendOffsets, Step::Offsets { transaction, .. }) => {
                self.answer_commit(call, ErrorCode::None, out);
                self.end(transaction, true, None, now, out);
                None
            }
            (_, Step::Ending { transaction, commit, error, .. }) => {
                let outcome = match commit {
                    true => TransactionOutcome::Committed,
                    false => TransactionOutcome::Aborted,
                };
                self.report_end(transaction, outcome, error, out);
                self.step = Step::Idle;
                Some(if commit { Done::Committed } else { Done::Again })
            }
            _ => None,
        }
    }

    /// Reports the outcome of `sendOffsetsToTransaction`: an error is one of all partitions.
    fn answer_commit(&mut self, call: TransactionCall, error: ErrorCode, out: &mut Outbox) {
        let Step::Offsets { commit, .. } = self.step else { return };
        if call == TransactionCall::SendOffsets {
            let partitions = std::mem::take(&mut self.offsets_of).into_iter();
            let results = partitions.map(|partition| (partition, error)).collect();
            let group = self.group.clone();
            let answered = MemberFact::CommitAnswered { group, commit, results };
            out.observe(Fact::Client(ClientFact::Member(answered)));
        }
    }

    /// A call is repeated, but not the one with offsets: then the transaction is aborted.
    fn on_timed_out(&mut self, call: TransactionCall, now: Now, out: &mut Outbox) {
        let called = match (call, self.step) {
            (TransactionCall::SendOffsets, Step::Offsets { transaction, .. }) => {
                self.answer_commit(call, ErrorCode::RequestTimedOut, out);
                let error = Some(ErrorCode::RequestTimedOut);
                self.end(transaction, false, error, now, out);
                return;
            }
            (TransactionCall::Init, _) => self.producer.init_transactions(now, out),
            (TransactionCall::Commit, _) => self.producer.commit_transaction(now, out),
            (TransactionCall::Abort, _) => self.producer.abort_transaction(now, out),
            (TransactionCall::SendOffsets, _) => return,
        };
        if let Err(error) = called {
            self.on_thrown(error, now, out);
        }
    }
}
