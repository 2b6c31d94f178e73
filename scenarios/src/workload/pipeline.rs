//! The producing half of an application that reads, transforms and writes (consume-process-produce).
//!
//! With a `transactional.id`, the results of one poll and the offsets of its records are one transaction
//! (KIP-447): begin, send, `sendOffsetsToTransaction`, commit. After an error that an abort mends, the
//! records are read again; after any other, the application begins again with another producer and
//! another consumer. Without one, results are flushed before the offsets are committed.

mod calls;

use super::arrivals::{record_number, write_value};
use engine::client::{
    GroupMetadata, Polled, Producer, ProducerEvent, ProducerRecord, SendError, TransactionError,
};
use engine::config::ProducerConfig;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, MemberFact, TransactionOutcome};
use engine::ids::{BrokerId, GroupId, Offset, TopicPartition};
use engine::protocol::OffsetToCommit;
use engine::record;
use engine::rules::Rulebook;
use engine::{Input, Outbox};
use machine::{Boot, Now};
use sim::Sample;

/// The configuration of the producing half.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// The topic of the results.
    pub to: String,
    /// How many results a record has.
    pub results: u32,
    /// The share of transactions that the application aborts on purpose, in parts per million.
    pub aborted_ppm: u32,
    /// The seed of the run.
    pub seed: u64,
    /// The number of its producer in the application's first life, and by how much it grows with each
    /// life: records of all lives have numbers of their own.
    pub producer_number: (u16, u16),
    /// The producer's properties.
    pub producer: ProducerConfig,
}

/// A record that the application has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InputRecord {
    pub(super) partition: TopicPartition,
    pub(super) offset: Offset,
    /// Its number, which its value begins with.
    pub(super) number: u64,
}

/// The state of the producing half.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    config: Box<PipelineConfig>,
    producer: Producer,
    group: GroupId,
    /// The number of the producer in this life.
    number: u16,
    /// How many results it has sent.
    count: u64,
    step: Step,
    /// A result has failed since the records were polled.
    has_failed: bool,
    identity: (i64, i16),
    /// The partitions whose offsets are committed.
    offsets_of: Vec<TopicPartition>,
}

/// What the application's thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// `initTransactions`.
    Starting,
    /// Nothing.
    Idle,
    /// Nothing; a transaction is open, if there are transactions.
    Open { transaction: u64 },
    /// All results have an outcome; then a transaction is aborted on purpose. Records that are still at
    /// the producer at the abort would never reach a log.
    Flushing { transaction: u64 },
    /// `sendOffsetsToTransaction`, with this number.
    Offsets { transaction: u64, commit: u64 },
    /// `commitTransaction` or `abortTransaction`, after this error.
    Ending { transaction: u64, commit: bool, was_commit: bool, error: Option<ErrorCode> },
    /// The producer cannot be used any more.
    Broken,
}

/// What has come of the records of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// The application may begin to poll.
    Ready,
    /// The results are written, and committed if there are transactions.
    Committed,
    /// The records have to be read again.
    Again,
    /// The application has to begin again.
    Broken,
}

/// Offsets to commit, and who commits them.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    /// The number of the commit.
    pub(super) number: u64,
    /// The membership.
    pub(super) metadata: GroupMetadata,
    /// The offsets.
    pub(super) offsets: Vec<(TopicPartition, OffsetToCommit)>,
}

/// The records that a poll has returned of one partition.
pub(super) fn inputs(polled: &Polled) -> Vec<InputRecord> {
    let mut inputs = Vec::new();
    for batch in &polled.batches {
        let take = |record: record::RecordRef<'_>| {
            let is_returned = (polled.from..polled.to).contains(&record.offset);
            let number = record.value.and_then(|value| value.first_chunk());
            if let Some(number) = number.filter(|_| is_returned) {
                let (partition, offset) = (polled.partition, record.offset);
                let number = u64::from_be_bytes(*number);
                inputs.push(InputRecord { partition, offset, number });
            }
        };
        // A batch that cannot be read has not been returned.
        let _ = record::for_each(batch, take);
    }
    inputs
}

impl Pipeline {
    /// A new producer of the life that `boot` began; `count` results were sent before in this life.
    pub(super) fn new(
        config: &PipelineConfig,
        group: &GroupId,
        rules: Rulebook,
        boot: &Boot,
        bootstrap: &[BrokerId],
        count: u64,
    ) -> Self {
        let (first, by) = config.producer_number;
        let lives = boot.incarnation;
        Self {
            producer: Producer::new(&config.producer, rules, boot, bootstrap),
            config: Box::new(config.clone()),
            group: group.clone(),
            number: first.saturating_add(by.saturating_mul(lives)),
            count,
            step: Step::Idle,
            has_failed: false,
            identity: (-1, -1),
            offsets_of: Vec::new(),
        }
    }

    fn is_transactional(&self) -> bool {
        self.config.producer.transactional_id.0.is_some()
    }

    /// How many results it has sent.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Begins. Returns whether the application has to wait for [`Done::Ready`].
    pub(super) fn start(&mut self, now: Now, out: &mut Outbox) -> bool {
        if !self.is_transactional() {
            return false;
        }
        self.step = Step::Starting;
        if self.producer.init_transactions(now, out).is_err() {
            self.step = Step::Broken;
        }
        true
    }

    /// Handles an input of the process. Returns whether it was one of the producer.
    pub(super) fn on_input(&mut self, now: Now, input: &Input, out: &mut Outbox) -> bool {
        self.producer.on_input(now, input, out)
    }

    /// Whether a `send` waits, and the application with it.
    pub(super) fn is_blocked(&self) -> bool {
        self.producer.is_blocked()
    }

    /// Sends the results of the records of a poll, within a new transaction if there are transactions.
    pub(super) fn send(&mut self, inputs: &[InputRecord], now: Now, out: &mut Outbox) {
        self.has_failed = false;
        let transaction = record_number(self.number, self.count);
        if self.is_transactional() {
            if self.producer.begin_transaction().is_err() {
                self.step = Step::Broken;
                return;
            }
            out.observe(Fact::Client(ClientFact::TransactionBegun { transaction }));
        }
        self.step = Step::Open { transaction };
        for input in inputs {
            for result in 0..self.config.results {
                self.send_result(*input, result, now, out);
            }
        }
        self.report(out);
    }

    fn send_result(&mut self, input: InputRecord, result: u32, now: Now, out: &mut Outbox) {
        const SIZE: u32 = 100;
        let record = record_number(self.number, self.count);
        self.count += 1;
        let mut value = Vec::new();
        write_value(record, SIZE, &mut value);
        // The result names its input, for readers of the bytes.
        value[8..16].copy_from_slice(&input.number.to_be_bytes());
        let derived = MemberFact::Derived {
            group: self.group.clone(),
            partition: input.partition,
            offset: input.offset,
            record,
        };
        out.observe(Fact::Client(ClientFact::Member(derived)));
        let key = input.number.wrapping_add(u64::from(result)).to_be_bytes();
        let given = ProducerRecord {
            topic: &self.config.to,
            partition: None,
            key: Some(&key),
            value: Some(&value),
            headers: &[],
            timestamp: None,
        };
        let Err(error) = self.producer.send(now, given, record, out) else { return };
        let error = match error {
            SendError::Transaction(TransactionError::Failed(failure)) => failure.error,
            SendError::Transaction(_) => ErrorCode::UnknownServerError,
            SendError::TooLarge { .. } | SendError::InvalidPartition => ErrorCode::MessageTooLarge,
        };
        self.has_failed = true;
        let (partition, maybe_written, over) = (None, false, None);
        let records = vec![record];
        let failed = ClientFact::Failed { partition, error, maybe_written, records, over };
        out.observe(Fact::Client(failed));
    }

    /// The records are processed: commits their offsets with the results, or waits until all results
    /// are written.
    pub(super) fn finish(&mut self, commit: Commit, now: Now, out: &mut Outbox) {
        let Step::Open { transaction } = self.step else { return };
        if !self.is_transactional() {
            self.producer.flush(now, out);
            self.step = Step::Flushing { transaction };
            return;
        }
        let drawn = sim::stream(self.config.seed, "transactions", transaction).below(1_000_000);
        if drawn < u64::from(self.config.aborted_ppm) {
            self.producer.flush(now, out);
            self.step = Step::Flushing { transaction };
            return;
        }
        let Commit { number, metadata, offsets } = commit;
        let (producer_id, producer_epoch) = self.identity;
        let asked = MemberFact::CommitAsked {
            group: self.group.clone(),
            commit: number,
            member: metadata.member.clone(),
            generation: metadata.generation,
            offsets: offsets.iter().map(|(partition, it)| (*partition, it.offset)).collect(),
            kind: engine::fact::CommitKind::InTransaction {
                producer_id,
                producer_epoch,
                transaction,
            },
        };
        out.observe(Fact::Client(ClientFact::Member(asked)));
        self.step = Step::Offsets { transaction, commit: number };
        self.offsets_of = offsets.iter().map(|(partition, _)| *partition).collect();
        let offsets = offsets.into_iter().map(|(_, offset)| offset).collect();
        let sent = self.producer.send_offsets_to_transaction(now, offsets, metadata, out);
        if let Err(error) = sent {
            self.on_thrown(error, now, out);
        }
    }

    fn report(&mut self, out: &mut Outbox) {
        let events: Vec<_> = self.producer.take_events().collect();
        events.into_iter().for_each(|event| self.report_event(event, out));
    }

    fn report_event(&mut self, event: ProducerEvent, out: &mut Outbox) {
        match event {
            ProducerEvent::Identified { producer_id, producer_epoch } => {
                self.identity = (producer_id, producer_epoch);
            }
            ProducerEvent::Failed { .. } => self.has_failed = true,
            _ => {}
        }
        super::producer::report(event, self.config.producer.acks.code(), out);
    }

    /// Closes the producer at once. A transaction that is open ends when its time is over, or when
    /// another producer begins.
    pub(super) fn close(&mut self, now: Now, out: &mut Outbox) {
        self.producer.close_now(now, out);
        self.report(out);
        match self.step {
            Step::Open { transaction }
            | Step::Flushing { transaction }
            | Step::Offsets { transaction, .. }
                if self.is_transactional() =>
            {
                self.report_end(transaction, TransactionOutcome::GivenUp, None, out);
            }
            Step::Ending { transaction, was_commit, .. } => {
                let outcome = match was_commit {
                    true => TransactionOutcome::Unknown,
                    false => TransactionOutcome::GivenUp,
                };
                self.report_end(transaction, outcome, None, out);
            }
            _ => {}
        }
        self.step = Step::Broken;
    }

    /// Panics if the state of the producer contradicts itself.
    pub(super) fn invariants(&self) {
        self.producer.invariants();
    }
}
