//! An application that sends its scheduled records in transactions.
//!
//! It works as a single thread would: it begins a transaction, sends a number of records, ends the
//! transaction and waits for the result. Records that become due meanwhile wait. Records of a
//! transaction that is not committed are not sent again: each record belongs to one transaction.

use super::arrivals::{Arrival, Arrivals, write_value};
use super::producer::{Owed, ProducerAppConfig};
use super::transactions::{End, Ending, Phase, Transactions};
use engine::client::{
    Producer, ProducerEvent, ProducerRecord, SendError, TransactionCall, TransactionError,
    TransactionFailure,
};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, TransactionOutcome};
use engine::rules::Rulebook;
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{Boot, Mono, Now, Span};

/// An application that sends in transactions.
#[derive(Clone, Debug)]
pub struct TransactionalApp {
    config: Box<ProducerAppConfig>,
    transactions: Transactions,
    rules: Rulebook,
    boot: Boot,
    producer: Producer,
    phase: Phase,
    /// The number of producers before the present one.
    replaced: u64,
    /// The producer's last producer id and epoch.
    identity: (i64, i16),
    /// How often calls have timed out since one returned.
    timed_out: u32,
    arrivals: Arrivals,
    next: Option<Arrival>,
    began: Mono,
    value: Vec<u8>,
    is_closing: bool,
}

/// The next record is due.
const ARRIVAL: Timer = Timer::Application(0);
/// The pause after an error has ended.
const PAUSE: Timer = Timer::Application(1);
/// The time from an error to the application's next producer.
const PAUSE_TIME: Span = Span::secs(1);

impl TransactionalApp {
    /// Starts with the first record; after a restart, with the first one that is not overdue.
    pub fn boot(
        config: &ProducerAppConfig,
        transactions: &Transactions,
        rules: Rulebook,
        boot: Boot,
        out: &mut Outbox,
    ) -> Self {
        let began = config.began.unwrap_or(boot.now.mono);
        let elapsed = boot.now.mono.since(began);
        let mut arrivals = Arrivals::new(config.schedule.clone());
        let next = arrivals.find(|it| boot.incarnation == 0 || it.at >= elapsed);
        let mut app = Self {
            producer: Producer::new(&config.producer, rules, &boot, &config.bootstrap),
            config: Box::new(config.clone()),
            transactions: transactions.clone(),
            rules,
            boot,
            phase: Phase::Pausing,
            replaced: 0,
            identity: (-1, -1),
            timed_out: 0,
            arrivals,
            next,
            began,
            value: Vec::new(),
            is_closing: false,
        };
        // The application takes its transactional id when its first record is due, so the one whose
        // records begin last fences the others.
        match app.next {
            Some(next) => out.set_timer(PAUSE, began + next.at),
            None => app.phase = Phase::Over,
        }
        app
    }

    /// The application's remaining work; `None` if there is none.
    pub fn owes(&self) -> Option<Owed> {
        let unsent = self.arrivals.remaining() + u64::from(self.next.is_some());
        match self.phase {
            Phase::Over => None,
            _ if unsent > 0 => Some(Owed::Records(unsent)),
            Phase::Idle | Phase::Pausing => None,
            Phase::Starting | Phase::Open { .. } | Phase::Flushing { .. } | Phase::Ending(_) => {
                Some(Owed::Outcomes)
            }
        }
    }

    /// The transactional id, if calls of the producer time out one after another: each has waited
    /// for `max.block.ms`.
    pub fn calls_in_vain(&self) -> Option<&str> {
        const IN_VAIN: u32 = 2;
        let id = self.config.producer.transactional_id.0.as_deref();
        id.filter(|_| self.timed_out >= IN_VAIN && self.phase != Phase::Over)
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        match input {
            Input::Timer(PAUSE) => self.start(now, out),
            Input::Stop => self.is_closing = true,
            input => {
                self.producer.on_input(now, &input, out);
            }
        }
        self.on_events(now, out);
        self.go_on(now, out);
        if self.is_closing && matches!(self.phase, Phase::Idle | Phase::Pausing | Phase::Over) {
            out.halt(machine::Halt::Clean);
        }
    }

    /// Calls `initTransactions`, which takes over the transactional id.
    fn start(&mut self, now: Now, out: &mut Outbox) {
        if self.phase == Phase::Pausing && !self.is_closing {
            self.phase = Phase::Starting;
            self.call(TransactionCall::Init, now, out);
        }
    }

    /// Makes a call, which blocks the application until it returns, unless it fails at once.
    fn call(&mut self, call: TransactionCall, now: Now, out: &mut Outbox) {
        let called = match call {
            TransactionCall::Init => self.producer.init_transactions(now, out),
            TransactionCall::Commit => self.producer.commit_transaction(now, out),
            TransactionCall::Abort => self.producer.abort_transaction(now, out),
            // Only a pipeline sends offsets.
            TransactionCall::SendOffsets => Ok(()),
        };
        if let Err(error) = called {
            self.on_thrown(error, now, out);
        }
    }

    /// Sends the records that are due, and begins and ends transactions. A blocked `send` blocks
    /// the application.
    fn go_on(&mut self, now: Now, out: &mut Outbox) {
        let elapsed = now.mono.since(self.began);
        loop {
            if self.producer.is_blocked() {
                return out.set_timer(ARRIVAL, now.mono + Span::millis(1));
            }
            let due = self.next.filter(|next| next.at <= elapsed);
            match (self.phase, due) {
                (Phase::Open { transaction, sent }, _)
                    if sent == self.transactions.records
                        || self.next.is_none()
                        || self.is_closing =>
                {
                    self.end(transaction, sent, now, out);
                }
                (Phase::Flushing { transaction, end }, _) if self.producer.is_idle() => {
                    self.end_as(transaction, end, now, out);
                }
                (Phase::Open { transaction, sent }, Some(arrival)) => {
                    self.next = self.arrivals.next();
                    self.phase = Phase::Open { transaction, sent: sent + 1 };
                    self.send(now, arrival, out);
                    // The record is reported before its transaction ends.
                    self.on_events(now, out);
                }
                (Phase::Idle, Some(arrival)) if !self.is_closing => {
                    self.begin(arrival.record, now, out);
                }
                (Phase::Idle | Phase::Open { .. }, None) => {
                    if let Some(next) = self.next {
                        out.set_timer(ARRIVAL, self.began + next.at);
                    }
                    return;
                }
                _ => return,
            }
        }
    }

    fn begin(&mut self, transaction: u64, now: Now, out: &mut Outbox) {
        match self.producer.begin_transaction() {
            Ok(()) => {
                self.phase = Phase::Open { transaction, sent: 0 };
                out.observe(Fact::Client(ClientFact::TransactionBegun { transaction }));
            }
            Err(error) => self.on_thrown(error, now, out),
        }
    }

    /// Sends a record. Records without keys go to all partitions in turn.
    fn send(&mut self, now: Now, arrival: Arrival, out: &mut Outbox) {
        write_value(arrival.record, self.config.record_size, &mut self.value);
        let key = arrival.key.map(u32::to_be_bytes);
        let (topic, partitions) = &self.config.topics[arrival.topic as usize];
        let spread = arrival.record % u64::try_from(*partitions).unwrap_or(1).max(1);
        let partition = match arrival.key {
            Some(_) => self.config.partition,
            None => self.config.partition.or(i32::try_from(spread).ok()),
        };
        let record = ProducerRecord {
            topic,
            partition,
            key: key.as_ref().map(|key| &key[..]),
            value: Some(&self.value),
            headers: &[],
            timestamp: None,
        };
        let Err(error) = self.producer.send(now, record, arrival.record, out) else { return };
        let code = match error {
            SendError::Transaction(TransactionError::Failed(failure)) => failure.error,
            SendError::Transaction(_) => ErrorCode::UnknownServerError,
            SendError::TooLarge { .. } | SendError::InvalidPartition => ErrorCode::MessageTooLarge,
        };
        out.observe(Fact::Client(ClientFact::Failed {
            partition: None,
            error: code,
            maybe_written: false,
            records: vec![arrival.record],
            over: None,
        }));
        if let SendError::Transaction(error) = error {
            self.on_thrown(error, now, out);
        }
    }

    /// Ends a transaction whose records are all sent. If it is not to be committed, its records are
    /// flushed first: records that are still at the producer at the abort would never reach a log.
    fn end(&mut self, transaction: u64, sent: u64, now: Now, out: &mut Outbox) {
        // The last transaction may have fewer records than the others.
        let is_half = self.transactions.transfer && sent % 2 == 1;
        match self.transactions.end_of(transaction, self.config.schedule.seed) {
            _ if self.is_closing || is_half => self.end_as(transaction, End::Abort, now, out),
            End::Commit => self.end_as(transaction, End::Commit, now, out),
            end => {
                self.producer.flush(now, out);
                self.phase = Phase::Flushing { transaction, end };
            }
        }
    }

    /// Commits, aborts or abandons a transaction.
    fn end_as(&mut self, transaction: u64, end: End, now: Now, out: &mut Outbox) {
        if end == End::Abandon {
            self.close(now, out);
            self.report_end(transaction, TransactionOutcome::GivenUp, None, out);
            self.replace(now, Span::ZERO, out);
        } else {
            let commit = end == End::Commit;
            let (was_commit, error) = (commit, None);
            self.end_by(Ending { transaction, commit, was_commit, error }, now, out);
        }
    }

    /// Calls `commitTransaction` or `abortTransaction`.
    fn end_by(&mut self, ending: Ending, now: Now, out: &mut Outbox) {
        let Ending { transaction, commit, .. } = ending;
        out.observe(Fact::Client(ClientFact::TransactionEnding { transaction, commit }));
        self.phase = Phase::Ending(ending);
        let call = if commit { TransactionCall::Commit } else { TransactionCall::Abort };
        self.call(call, now, out);
    }

    /// Handles an error that a call or a `send` threw at once.
    fn on_thrown(&mut self, error: TransactionError, now: Now, out: &mut Outbox) {
        match error {
            TransactionError::Failed(failure) => self.on_failure(failure, now, out),
            // The producer is in a state that no call can leave: close it, and create another one.
            _ => {
                let error = ErrorCode::UnknownServerError;
                self.on_failure(TransactionFailure { error, is_fatal: true }, now, out);
            }
        }
    }

    /// Aborts the transaction after an error. If that is not possible, closes the producer and
    /// creates another one.
    fn on_failure(&mut self, failure: TransactionFailure, now: Now, out: &mut Outbox) {
        let (transaction, may_abort, was_commit) = match self.phase {
            Phase::Open { transaction, .. } | Phase::Flushing { transaction, .. } => {
                (Some(transaction), !failure.is_fatal, false)
            }
            Phase::Ending(Ending { transaction, commit, was_commit, .. }) => {
                (Some(transaction), commit && !failure.is_fatal, was_commit)
            }
            _ => (None, false, false),
        };
        if let Some(transaction) = transaction.filter(|_| may_abort) {
            let (commit, error) = (false, Some(failure.error));
            self.end_by(Ending { transaction, commit, was_commit, error }, now, out);
            return;
        }
        self.close(now, out);
        if let Some(transaction) = transaction {
            let outcome = match was_commit {
                true => TransactionOutcome::Unknown,
                false => TransactionOutcome::GivenUp,
            };
            self.report_end(transaction, outcome, Some(failure.error), out);
        }
        let is_fenced = failure.error == ErrorCode::ProducerFenced;
        if is_fenced && self.transactions.ends_when_fenced {
            self.next = None;
            self.phase = Phase::Over;
        } else {
            self.replace(now, PAUSE_TIME, out);
        }
    }

    fn report_end(
        &self,
        transaction: u64,
        outcome: TransactionOutcome,
        error: Option<ErrorCode>,
        out: &mut Outbox,
    ) {
        let ended = ClientFact::TransactionEnded { transaction, outcome, error };
        out.observe(Fact::Client(ended));
    }

    /// Closes the producer at once, and reports the outcomes of its records.
    fn close(&mut self, now: Now, out: &mut Outbox) {
        self.producer.close_now(now, out);
        let acks = self.config.producer.acks.code();
        for event in self.producer.take_events() {
            super::producer::report(event, acks, out);
        }
    }

    /// Creates another producer, which begins after `pause`.
    fn replace(&mut self, now: Now, pause: Span, out: &mut Outbox) {
        self.replaced += 1;
        // Its random choices differ from those of the previous producer.
        let entropy = self.boot.entropy.wrapping_add(self.replaced);
        let boot = Boot { entropy, ..self.boot };
        let (config, bootstrap) = (&self.config.producer, &self.config.bootstrap);
        self.producer = Producer::new(config, self.rules, &boot, bootstrap);
        self.phase = Phase::Pausing;
        out.set_timer(PAUSE, now.mono + pause);
    }

    /// Handles the events of the producer.
    fn on_events(&mut self, now: Now, out: &mut Outbox) {
        while self.producer.has_events() {
            let events: Vec<_> = self.producer.take_events().collect();
            for event in events {
                match event {
                    ProducerEvent::CallReturned { call } => self.on_returned(call, out),
                    ProducerEvent::CallThrew { failure, .. } => self.on_failure(failure, now, out),
                    ProducerEvent::CallTimedOut { call } => {
                        self.timed_out += 1;
                        self.call(call, now, out);
                    }
                    ProducerEvent::Identified { producer_id, producer_epoch } => {
                        self.identity = (producer_id, producer_epoch);
                        super::producer::report(event, self.config.producer.acks.code(), out);
                    }
                    event => super::producer::report(event, self.config.producer.acks.code(), out),
                }
            }
        }
    }

    fn on_returned(&mut self, call: TransactionCall, out: &mut Outbox) {
        self.timed_out = 0;
        match (call, self.phase) {
            (TransactionCall::Init, Phase::Starting) => {
                let (producer_id, producer_epoch) = self.identity;
                if let Some(transactional_id) = self.config.producer.transactional_id.0.clone() {
                    out.observe(Fact::Client(ClientFact::TransactionsInitialized {
                        transactional_id,
                        producer_id,
                        producer_epoch,
                    }));
                }
                self.phase = Phase::Idle;
            }
            (TransactionCall::Commit | TransactionCall::Abort, Phase::Ending(ending)) => {
                let outcome = match ending.commit {
                    true => TransactionOutcome::Committed,
                    false => TransactionOutcome::Aborted,
                };
                self.report_end(ending.transaction, outcome, ending.error, out);
                self.phase = Phase::Idle;
            }
            (call, phase) => panic!("{call:?} returned in the phase {phase:?}"),
        }
    }

    /// Panics if the state of the producer contradicts itself.
    pub fn invariants(&self) {
        self.producer.invariants();
    }
}
