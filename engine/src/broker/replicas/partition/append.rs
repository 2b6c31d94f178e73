//! Appending as the leader: batches of clients, and markers of coordinators
//! (`Partition.appendRecordsToLeader`).

use super::admit::Admitter;
use super::{Changes, Context, Io, Partition, Role, StorageError, log_dir_failed};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::Offset;
use crate::log::{Admission, AppendInfo, Known, Led, LogError, Unverified};
use crate::protocol::TxnMarker;
use crate::reach::Reach;
use crate::record::{
    Batch, EndTransactionMarker, Limits, NO_PRODUCER_EPOCH, NO_TIMESTAMP, validate_produce,
};
use crate::rules::sequence::ProducerEpochs;
use crate::rules::verification::Starting;
use bytes::Bytes;

/// A batch that a leader has appended, or had in its log already.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) struct Appended {
    pub(in crate::broker) base_offset: Offset,
    pub(in crate::broker) last_offset: Offset,
    pub(in crate::broker) append_time: i64,
    /// The batch was in the log already.
    pub(in crate::broker) is_duplicate: bool,
    pub(in crate::broker) changes: Changes,
}

/// A batch that a leader has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct Refused {
    pub(in crate::broker) error: ErrorCode,
    pub(in crate::broker) changes: Changes,
}

impl From<ErrorCode> for Refused {
    fn from(error: ErrorCode) -> Self {
        Self { error, changes: Changes::default() }
    }
}

impl Partition {
    /// Begins the verification of a batch, if it would open a transaction here. Returns the guard
    /// with which the batch may be appended later. `guard` is a value that no other verification of
    /// this broker has.
    pub(in crate::broker) fn begin_verification(
        &mut self,
        batch: Unverified,
        guard: u64,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Option<u64>, ErrorCode> {
        if !self.is_leader() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let known = self.log.producers().get(batch.producer_id);
        let known_epoch = known.map_or(NO_PRODUCER_EPOCH, |producer| producer.epoch);
        let epochs = ProducerEpochs { batch: batch.epoch, known: known_epoch };
        context.rules.check_producer_epoch(io.out, epochs)?;
        let starting = Starting {
            in_transaction: known.is_some_and(|producer| producer.is_in_transaction(batch.epoch)),
            adds_partition: batch.bumps_epoch,
            verifies: context.config.transaction_partition_verification,
        };
        if !context.rules.needs_verification(io.out, starting) {
            return Ok(None);
        }
        Ok(Some(self.log.begin_verification(batch, guard, io.now.wall)))
    }

    /// Appends a batch from a producer, if this replica leads and the batch is valid. `guard` is
    /// the guard of its verification, if there was one.
    ///
    /// The size of the ISR is checked before everything else, so even a retry of a batch in the log
    /// may be refused.
    pub(in crate::broker) fn append_as_leader(
        &mut self,
        batch: &Bytes,
        acks: i16,
        guard: Option<u64>,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Result<Appended, Refused>, StorageError> {
        if let Err(error) = self.check_may_append(acks, context, io) {
            return Ok(Err(error.into()));
        }
        if let Err(invalid) = validate_produce(batch, &Limits::from(&self.config), io.now.wall) {
            return Ok(Err(invalid.code().into()));
        }
        let verifies = context.config.transaction_partition_verification;
        let admitter = Admitter { rules: &context.rules, guard, verifies };
        let admit = |known: Known<'_>, batch: Batch<'_>, out: &mut Outbox| {
            admitter.batch(known, batch, out)
        };
        self.append(batch.clone(), admit, context, io)
    }

    /// Appends a batch of the group coordinator of this broker, whatever the size of the ISR.
    pub(in crate::broker) fn append_as_coordinator(
        &mut self,
        batch: &Bytes,
        guard: Option<u64>,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Result<Appended, Refused>, StorageError> {
        const LEADER: i16 = 1;
        if let Err(error) = self.check_may_append(LEADER, context, io) {
            return Ok(Err(error.into()));
        }
        if let Err(invalid) = validate_produce(batch, &Limits::from(&self.config), io.now.wall) {
            return Ok(Err(invalid.code().into()));
        }
        let verifies = context.config.transaction_partition_verification;
        let admitter = Admitter { rules: &context.rules, guard, verifies };
        let admit = |known: Known<'_>, batch: Batch<'_>, out: &mut Outbox| {
            admitter.of_coordinator(known, batch, out)
        };
        self.append(batch.clone(), admit, context, io)
    }

    /// Appends the marker that a coordinator sends, with acks=all (`AppendOrigin.COORDINATOR`).
    pub(in crate::broker) fn append_marker(
        &mut self,
        marker: &TxnMarker,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Result<Appended, Refused>, StorageError> {
        if let Err(error) = self.check_may_append(-1, context, io) {
            return Ok(Err(error.into()));
        }
        let TxnMarker {
            producer_id, producer_epoch, committed, coordinator_epoch, own_epoch, ..
        } = *marker;
        let batch = EndTransactionMarker { committed, coordinator_epoch }.batch(
            producer_id,
            producer_epoch,
            io.now.wall.0,
        );
        let admitter = Admitter { rules: &context.rules, guard: None, verifies: false };
        let admit = |known: Known<'_>, batch: Batch<'_>, out: &mut Outbox| {
            if known.producer.is_none_or(|it| it.current_txn_first_offset.is_none()) {
                out.observe(Fact::Reached(Reach::MarkerWithoutTransaction));
            }
            admitter.marker(known, batch, (coordinator_epoch, own_epoch), out)
        };
        self.append(batch, admit, context, io)
    }

    fn check_may_append(
        &self,
        acks: i16,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<(), ErrorCode> {
        let Role::Leader(leader) = &self.role else { return Err(ErrorCode::NotLeaderOrFollower) };
        let size = self.isr_size(leader.isr.committed.len());
        context.rules.check_in_sync_replicas(io.out, acks, size)
    }

    fn append(
        &mut self,
        batch: Bytes,
        admit: impl FnOnce(Known<'_>, Batch<'_>, &mut Outbox) -> Admission,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Result<Appended, Refused>, StorageError> {
        let out = &mut *io.out;
        let led = self.log.lead(
            batch,
            self.leader_epoch,
            io.now.wall,
            |known, batch| admit(known, batch, out),
            io.disk,
        );
        match led {
            Ok(Led::Appended(info)) => Ok(Ok(self.appended(info, context, io))),
            Ok(Led::Duplicate { batch, rolled }) => {
                io.out.observe(Fact::Reached(Reach::DuplicateFound));
                let high_watermark = self.maybe_advance_high_watermark(context, io);
                Ok(Ok(Appended {
                    base_offset: batch.first_offset(),
                    last_offset: batch.last_offset,
                    append_time: batch.timestamp,
                    is_duplicate: true,
                    changes: Changes { high_watermark, rolled, ..Changes::default() },
                }))
            }
            Ok(Led::Refused { error, rolled }) => {
                io.out.observe(Fact::Reached(match error {
                    ErrorCode::InvalidProducerEpoch => Reach::ProducerEpochOver,
                    ErrorCode::InvalidTxnState => Reach::TransactionNotOpen,
                    ErrorCode::TransactionCoordinatorFenced => Reach::CoordinatorFenced,
                    _ => Reach::SequenceOutOfOrder,
                }));
                let changes = Changes { rolled, ..Changes::default() };
                Ok(Err(Refused { error, changes }))
            }
            Err(error) => self.refusal(error).map(|error| Err(error.into())),
        }
    }

    fn appended(&mut self, info: AppendInfo, context: &Context, io: &mut Io<'_>) -> Appended {
        io.out.observe(Fact::Appended {
            partition: self.id,
            as_leader: true,
            leader_epoch: self.leader_epoch,
            batch: info.batch,
        });
        let high_watermark = self.maybe_advance_high_watermark(context, io);
        let changes =
            Changes { appended: true, high_watermark, rolled: info.rolled, ..Changes::default() };
        Appended {
            base_offset: info.base_offset,
            last_offset: info.last_offset,
            append_time: info.append_time.unwrap_or(NO_TIMESTAMP),
            is_duplicate: false,
            changes,
        }
    }

    /// The error code for a batch that the log refused, unless the log has failed.
    fn refusal(&self, error: LogError) -> Result<ErrorCode, StorageError> {
        match error {
            LogError::RecordListTooLarge if !self.log.is_offline() => {
                Ok(ErrorCode::RecordListTooLarge)
            }
            LogError::Corrupt(_) if !self.log.is_offline() => Ok(ErrorCode::CorruptMessage),
            error => Err(log_dir_failed(error)),
        }
    }
}
