//! Serves fetches of one partition, and records what a follower's fetch shows about the follower
//! (`Partition.fetchRecords`, `readRecords`, `updateFollowerFetchState`; KIP-74, KIP-320, KIP-595,
//! KIP-903).

use super::remote::FollowerFetch;
use super::{Changes, Context, Io, Partition, Role, StorageError, log_dir_failed};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch, Offset};
use crate::log::{LogError, Read};
use crate::protocol::{
    AbortedTransaction, EpochEndOffset, FetchPartition, FetchedPartition, Isolation, Records,
    ReplicaState,
};
use crate::reach::Reach;
use crate::rules::fencing::{FetchingLife, LeaderEpochs};
use crate::rules::read::{Answer, Position};
use crate::rules::truncation::Fetched;
use machine::Mono;

/// A reader of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum Reader {
    /// A consumer, which may read up to the high watermark or the last stable offset.
    Consumer(Isolation),
    /// A follower, which may read up to the log end.
    Follower(ReplicaState),
}

impl Reader {
    /// Whether it is a consumer that skips aborted transactions.
    fn wants_aborted(self) -> bool {
        self == Self::Consumer(Isolation::ReadCommitted)
    }
}

/// How much of a partition a fetch may return (KIP-74).
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) struct FetchLimits {
    pub(in crate::broker) max_bytes: u64,
    /// Returns at least one batch, whatever its size: no earlier partition of the request has
    /// returned records.
    pub(in crate::broker) min_one_batch: bool,
}

/// The bytes that a partition has for a fetch, which decide whether the fetch is parked.
///
/// Kafka's responses are cut exactly at the limit, so that one may end inside a batch, which its
/// reader ignores. The bytes of that part count as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::broker) struct Readable {
    /// The bytes of the response (`ReplicaManager.fetchMessages`).
    pub(in crate::broker) bytes: u64,
    /// The available bytes, up to the partition's limit, whatever the size of the first batch: they
    /// count once the fetch is parked (`DelayedFetch.tryComplete`, case G).
    pub(in crate::broker) while_parked: u64,
    /// Whether the reader is in an earlier segment than the end of the readable records. Then its
    /// fetch is not parked (case F).
    pub(in crate::broker) on_older_segment: bool,
}

impl Readable {
    fn new(read: &Read, max_bytes: u64, partition_max_bytes: u64) -> Self {
        let whole = if read.batches.is_empty() { 0 } else { read.size.max(max_bytes) };
        Self {
            bytes: if read.is_cut { whole } else { read.size },
            while_parked: match read.is_cut {
                true => partition_max_bytes,
                false => read.size.min(partition_max_bytes),
            },
            on_older_segment: false,
        }
    }
}

/// The result of a read.
#[derive(Clone, Debug, Default)]
struct Found {
    records: Records,
    readable: Readable,
    /// The aborted transactions that the reader has to skip; `None` if it reads uncommitted records
    /// too.
    aborted: Option<Vec<AbortedTransaction>>,
}

/// The result of a fetch of one partition.
#[derive(Clone, Debug)]
pub(in crate::broker) struct FetchResult {
    pub(in crate::broker) answer: FetchedPartition,
    pub(in crate::broker) readable: Readable,
    pub(in crate::broker) changes: Changes,
}

impl Partition {
    /// Refuses a request whose leader epoch is not this replica's. Has to be called before anything
    /// else, so that a refused request changes nothing.
    fn check_epoch(
        &self,
        requested: Option<LeaderEpoch>,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<(), ErrorCode> {
        let epochs = LeaderEpochs { requested, local: self.leader_epoch };
        let checked = context.rules.check_leader_epoch(io.out, epochs);
        if checked == Err(ErrorCode::UnknownLeaderEpoch) && self.is_leader() {
            io.out.observe(Fact::Reached(Reach::StaleLeaderAsked));
        }
        checked
    }

    /// Refuses a request unless this replica leads in the requested leader epoch.
    pub(super) fn check_leads(
        &self,
        requested: Option<LeaderEpoch>,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<(), ErrorCode> {
        self.check_epoch(requested, context, io)?;
        if self.is_leader() { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    /// One partition of a fetch response. With `is_first`, a follower's position is recorded; a
    /// parked fetch that is checked again has no new position.
    pub(in crate::broker) fn fetch(
        &mut self,
        reader: Reader,
        request: &FetchPartition,
        limits: FetchLimits,
        is_first: bool,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<FetchResult, StorageError> {
        let leader_end = self.log.end_offset();
        let mut changes = Changes::default();
        let (answer, readable) = match self.read(reader, request, limits, context, io)? {
            Ok(read) => read,
            Err(error) => return Ok(self.refused_fetch(request, error, context)),
        };
        if let Reader::Follower(follower) = reader
            && is_first
            && answer.diverging_epoch.is_none()
        {
            let fetch = FollowerFetch {
                fetch_offset: request.fetch_offset,
                log_start: request.log_start_offset,
                broker_epoch: follower.epoch,
                leader_end,
            };
            match self.on_follower_fetch(follower.id, fetch, context, io) {
                Ok(by_fetch) => changes = by_fetch,
                Err(error) => return Ok(self.refused_fetch(request, error, context)),
            }
        }
        Ok(FetchResult { answer, readable, changes })
    }

    fn refused_fetch(
        &self,
        request: &FetchPartition,
        error: ErrorCode,
        context: &Context,
    ) -> FetchResult {
        let mut answer = refused_fetch(request, error);
        if error.is_invalid_metadata() {
            answer.current_leader = Some(self.current_leader(context.id));
        }
        FetchResult { answer, readable: Readable::default(), changes: Changes::default() }
    }

    fn read(
        &self,
        reader: Reader,
        request: &FetchPartition,
        limits: FetchLimits,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Result<(FetchedPartition, Readable), ErrorCode>, StorageError> {
        if let Err(error) = self.check_reader(reader, request, context, io) {
            return Ok(Err(error));
        }
        let diverging_epoch = match self.divergence(request, context, io) {
            Ok(diverging_epoch) => diverging_epoch,
            Err(error) => return Ok(Err(error)),
        };
        let Found { records, readable, aborted } = if diverging_epoch.is_some() {
            io.out.observe(Fact::Reached(Reach::Divergence));
            Found::default()
        } else {
            match self.read_records(reader, request, limits, context, io)? {
                Ok(read) => read,
                Err(error) => return Ok(Err(error)),
            }
        };
        let answer = FetchedPartition {
            partition: self.id,
            error: ErrorCode::None,
            high_watermark: self.high_watermark,
            last_stable_offset: self.last_stable_offset(context, io.out),
            log_start_offset: self.log.log_start(),
            diverging_epoch,
            current_leader: None,
            aborted_transactions: aborted,
            preferred_read_replica: None,
            records,
        };
        Ok(Ok((answer, readable)))
    }

    /// A consumer may read from any replica (KIP-392), a follower only from the leader, which has
    /// to know the follower.
    fn check_reader(
        &self,
        reader: Reader,
        request: &FetchPartition,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<(), ErrorCode> {
        let epoch = request.current_leader_epoch;
        let Reader::Follower(follower) = reader else {
            self.check_epoch(epoch, context, io)?;
            let is_replica = !matches!(self.role, Role::None);
            return if is_replica { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) };
        };
        self.check_leads(epoch, context, io)?;
        let known = self
            .leader()
            .is_some_and(|leader| leader.remotes.iter().any(|remote| remote.id == follower.id));
        match (known, epoch) {
            (true, _) => Ok(()),
            // The follower may know a newer assignment than this leader.
            (false, Some(_)) => Err(ErrorCode::UnknownLeaderEpoch),
            (false, None) => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// The diverging epoch to return, if the reader's log differs from this one below its fetch
    /// offset: the largest epoch here that is not above the reader's last one, and its end offset.
    fn divergence(
        &self,
        request: &FetchPartition,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Option<EpochEndOffset>, ErrorCode> {
        let Some(last_fetched_epoch) = request.last_fetched_epoch else { return Ok(None) };
        let end = self.log.end_offset_for(last_fetched_epoch);
        let end = end.ok_or(ErrorCode::OffsetOutOfRange)?;
        if request.fetch_offset < self.log.log_start() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let fetched = Fetched {
            fetch_offset: request.fetch_offset,
            last_fetched_epoch,
            current_leader_epoch: request.current_leader_epoch,
            leader_epoch: self.leader_epoch,
        };
        let diverges = context.rules.diverges(io.out, fetched, end);
        Ok(diverges.then_some(end))
    }

    fn read_records(
        &self,
        reader: Reader,
        request: &FetchPartition,
        limits: FetchLimits,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Result<Found, ErrorCode>, StorageError> {
        let bound = self.bound(reader, context, io.out);
        let position = Position {
            fetch_offset: request.fetch_offset,
            log_start: self.log.log_start(),
            bound,
            log_end: self.log.end_offset(),
        };
        match context.rules.read_position(io.out, position) {
            Answer::OutOfRange => return Ok(Err(ErrorCode::OffsetOutOfRange)),
            Answer::Nothing => {
                let aborted = reader.wants_aborted().then(Vec::new);
                return Ok(Ok(Found { aborted, ..Found::default() }));
            }
            Answer::Records => {}
        }
        let of_partition = u64::from(request.partition_max_bytes);
        let max_bytes = limits.max_bytes.min(of_partition);
        let from = request.fetch_offset;
        match self.log.read(from, max_bytes, bound, limits.min_one_batch, io.disk) {
            Ok(read) => {
                let on_older_segment = self.log.is_on_older_segment(from, bound);
                let readable =
                    Readable { on_older_segment, ..Readable::new(&read, max_bytes, of_partition) };
                let aborted = reader
                    .wants_aborted()
                    .then(|| self.log.aborted_transactions(from, &read, max_bytes));
                Ok(Ok(Found { records: Records(read.batches), readable, aborted }))
            }
            Err(LogError::OutOfRange { .. }) => Ok(Err(ErrorCode::OffsetOutOfRange)),
            Err(LogError::Corrupt(_)) => Ok(Err(ErrorCode::CorruptMessage)),
            Err(error) => Err(log_dir_failed(error)),
        }
    }

    /// Whether a fetch at `offset` would return nothing and change nothing here: the reader has
    /// everything that it may read, and is a consumer or a follower in the ISR.
    pub(in crate::broker) fn has_nothing_for(
        &self,
        reader: Reader,
        offset: Offset,
        context: &Context,
        out: &mut Outbox,
    ) -> bool {
        let in_sync = match reader {
            Reader::Consumer(_) => true,
            Reader::Follower(follower) => self.committed_isr().contains(&follower.id),
        };
        in_sync && offset == self.bound(reader, context, out)
    }

    /// Records that `follower` fetched at `at` and was caught up, while this partition was at rest
    /// in its fetch session.
    pub(in crate::broker) fn rested_until(&mut self, follower: BrokerId, at: Mono) {
        let remotes = self.leader_mut().map(|leader| leader.remotes.iter_mut());
        if let Some(remote) = remotes.into_iter().flatten().find(|remote| remote.id == follower) {
            remote.rested_until(at);
        }
    }

    /// The offset below which a reader may read.
    fn bound(&self, reader: Reader, context: &Context, out: &mut Outbox) -> Offset {
        match reader {
            Reader::Consumer(Isolation::ReadUncommitted) => self.high_watermark,
            Reader::Consumer(Isolation::ReadCommitted) => self.last_stable_offset(context, out),
            Reader::Follower(_) => self.log.end_offset(),
        }
    }

    /// Records a follower's fetch: its position, whether it may join the ISR now, and
    /// whether the high watermark may move (`Partition.updateFollowerFetchState`).
    fn on_follower_fetch(
        &mut self,
        follower: BrokerId,
        fetch: FollowerFetch,
        context: &Context,
        io: &mut Io<'_>,
    ) -> Result<Changes, ErrorCode> {
        let registered = context.image.broker(follower).filter(|broker| !broker.fenced);
        let registered = registered.map(|broker| broker.epoch);
        let life = FetchingLife { fetched: fetch.broker_epoch, registered };
        if !context.rules.is_present_life(io.out, life) {
            io.out.observe(Fact::Reached(Reach::FetchOfEarlierLife));
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let Some(leader) = self.leader_mut() else { return Err(ErrorCode::NotLeaderOrFollower) };
        let Some(remote) = leader.remotes.iter_mut().find(|remote| remote.id == follower) else {
            return Err(ErrorCode::UnknownLeaderEpoch);
        };
        let before = remote.log_end;
        remote.on_fetch(io.now.mono, fetch);
        let proposed = self.maybe_expand_isr(follower, context, io);
        let high_watermark =
            before != fetch.fetch_offset && self.maybe_advance_high_watermark(context, io);
        Ok(Changes { proposed, high_watermark, ..Changes::default() })
    }
}

/// The response to a fetch of a partition that could not be read.
pub(in crate::broker) fn refused_fetch(
    request: &FetchPartition,
    error: ErrorCode,
) -> FetchedPartition {
    FetchedPartition {
        partition: request.partition,
        error,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        diverging_epoch: None,
        current_leader: None,
        aborted_transactions: None,
        preferred_read_replica: None,
        records: Records::default(),
    }
}
