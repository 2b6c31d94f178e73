//! Replication: the leader's side and the follower's side of a fetch.

use super::role::Role;
use super::waiting::WaitingFetch;
use super::{FETCH_BYTES, FETCH_WAIT, Quorum, failed};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::{Fact, Truncation};
use crate::ids::{BrokerId, TopicPartition};
use crate::protocol::{
    EpochEndOffset, FetchMetadata, FetchPartition, FetchRequest, FetchResponse, FetchedPartition,
    Isolation, LeaderIdAndEpoch, Message, Records, ReplicaState,
};
use crate::rules::truncation::{self, Divergence};
use machine::{ConnId, Disk, Halt, Mono, Now};

impl Quorum {
    pub(super) fn fetch_request(&self) -> FetchRequest {
        FetchRequest {
            replica: Some(ReplicaState { id: self.config.id, epoch: -1 }),
            max_wait: FETCH_WAIT,
            min_bytes: 1,
            max_bytes: FETCH_BYTES,
            isolation: Isolation::ReadUncommitted,
            session: FetchMetadata::SESSIONLESS,
            partitions: vec![FetchPartition {
                partition: TopicPartition::METADATA,
                current_leader_epoch: Some(self.epoch),
                fetch_offset: self.log.end_offset(),
                last_fetched_epoch: self.log.latest_epoch(),
                log_start_offset: self.log.log_start(),
                partition_max_bytes: FETCH_BYTES,
                high_watermark: Some(self.high_watermark),
            }],
            forgotten: Vec::new(),
        }
    }

    /// Handles a fetch. Returns the response, or parks the fetch until there is something new.
    pub(super) fn on_fetch_request(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: &FetchRequest,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Option<FetchResponse>, Halt> {
        let Some(wanted) = request.partitions.first() else {
            return Ok(Some(self.refusal(ErrorCode::InvalidRequest)));
        };
        // The rulebook has rules for the epochs of partitions; the checks of the quorum are fixed.
        let epoch = wanted.current_leader_epoch.unwrap_or(-1);
        if epoch > self.epoch {
            return Ok(Some(self.refusal(ErrorCode::UnknownLeaderEpoch)));
        }
        if epoch < self.epoch {
            return Ok(Some(self.refusal(ErrorCode::FencedLeaderEpoch)));
        }
        if !self.is_leader() {
            return Ok(Some(self.refusal(ErrorCode::NotLeaderOrFollower)));
        }
        if let Some(diverging) = self.divergence(wanted) {
            let mut response = self.refusal(ErrorCode::None);
            response.partitions[0].diverging_epoch = Some(diverging);
            return Ok(Some(response));
        }
        if let Some(replica) = request.replica.filter(|r| self.config.voters.contains(&r.id)) {
            self.on_voter_fetched(replica.id, wanted.fetch_offset, now.mono, out);
            self.advance_high_watermark(disk, out)?;
        }
        let known = wanted.high_watermark.unwrap_or(i64::MAX);
        if wanted.fetch_offset < self.log.end_offset() || known < self.high_watermark {
            return self.records_from(wanted.fetch_offset, disk).map(Some);
        }
        let deadline = now.mono + request.max_wait;
        self.waiting.park(WaitingFetch { conn, correlation_id, wanted: *wanted, deadline }, out);
        Ok(None)
    }

    /// The epoch and offset at which the log of the fetching member diverges from this one, if it
    /// does.
    fn divergence(&self, wanted: &FetchPartition) -> Option<EpochEndOffset> {
        let log_end = EpochEndOffset { epoch: self.epoch, end_offset: self.log.end_offset() };
        let Some(last_fetched_epoch) = wanted.last_fetched_epoch else {
            return (wanted.fetch_offset > log_end.end_offset).then_some(log_end);
        };
        let end = self.log.end_offset_for(last_fetched_epoch).unwrap_or(log_end);
        let diverges = end.epoch < last_fetched_epoch || end.end_offset < wanted.fetch_offset;
        diverges.then_some(end)
    }

    /// A response without records. It names the leader and its epoch.
    pub(super) fn refusal(&self, error: ErrorCode) -> FetchResponse {
        FetchResponse {
            error: ErrorCode::None,
            session_id: FetchMetadata::NO_SESSION,
            partitions: vec![FetchedPartition {
                partition: TopicPartition::METADATA,
                error,
                high_watermark: self.high_watermark,
                last_stable_offset: -1,
                log_start_offset: self.log.log_start(),
                diverging_epoch: None,
                current_leader: Some(LeaderIdAndEpoch { leader: self.leader(), epoch: self.epoch }),
                aborted_transactions: None,
                preferred_read_replica: None,
                records: Records::default(),
            }],
        }
    }

    fn records_from(&self, offset: i64, disk: &mut dyn Disk) -> Result<FetchResponse, Halt> {
        let mut response = self.refusal(ErrorCode::None);
        if offset < self.log.end_offset() {
            let end = self.log.end_offset();
            let read =
                self.log.read(offset, FETCH_BYTES.into(), end, true, disk).map_err(failed)?;
            response.partitions[0].records = Records(read.batches);
        }
        Ok(response)
    }

    /// Completes the parked fetches for which there is something new.
    pub(super) fn complete_parked(
        &mut self,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let (end, high_watermark) = (self.log.end_offset(), self.high_watermark);
        let ready = self.waiting.take(|fetch| {
            fetch.wanted.fetch_offset < end
                || fetch.wanted.high_watermark.unwrap_or(i64::MAX) < high_watermark
        });
        self.complete(ready, disk, out)
    }

    /// Completes the parked fetches whose wait has ended.
    pub(super) fn on_waiting_timer(
        &mut self,
        now: Mono,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let overdue = self.waiting.take(|fetch| fetch.deadline <= now);
        self.waiting.rearm(out);
        self.complete(overdue, disk, out)
    }

    fn complete(
        &self,
        fetches: Vec<WaitingFetch>,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        for fetch in fetches {
            let body = self.records_from(fetch.wanted.fetch_offset, disk)?.into();
            out.send(fetch.conn, Message::Response { correlation_id: fetch.correlation_id, body });
        }
        Ok(())
    }

    /// Handles the response to a fetch. Returns its error.
    pub(super) fn on_fetch_response(
        &mut self,
        from: BrokerId,
        response: FetchResponse,
        now: Now,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<ErrorCode, Halt> {
        let Some(fetched) = response.partitions.into_iter().next() else {
            return Ok(response.error);
        };
        let asked_in = self.epoch;
        if let Some(current) = fetched.current_leader {
            self.learn(current.epoch, current.leader, now, disk, out)?;
        }
        let error = fetched.error;
        let Role::Follower { leader, has_fetched, fetch_expired } = &mut self.role else {
            return Ok(error);
        };
        if *leader != from || asked_in != self.epoch || !error.is_none() {
            return Ok(error);
        }
        *has_fetched = true;
        *fetch_expired = false;
        self.set_election_deadline(now.mono + self.config.fetch_timeout, out);
        // The records follow the log end: only one fetch is in flight, and a member that changed
        // its log as a leader in between no longer awaits the response.
        self.apply(fetched, disk, out)?;
        Ok(error)
    }

    /// Appends the records from the leader. A voter fsyncs them, since its next fetch acknowledges
    /// them.
    fn apply(
        &mut self,
        fetched: FetchedPartition,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        if let Some(diverging) = fetched.diverging_epoch {
            return self.truncate(diverging, disk, out);
        }
        let has_records = !fetched.records.is_empty();
        for batch in fetched.records.0 {
            let info = self.log.append_as_follower(batch, disk).map_err(failed)?;
            out.observe(Fact::Appended {
                partition: TopicPartition::METADATA,
                as_leader: false,
                leader_epoch: self.epoch,
                batch: info.batch,
            });
        }
        // An observer does not count in any majority (KAFKA-17332).
        if has_records && self.is_voter() {
            self.log.flush(disk).map_err(failed)?;
        }
        self.commit(fetched.high_watermark.min(self.log.end_offset()), out);
        Ok(())
    }

    /// Cuts what diverges from the leader's log. What is committed is never cut: a leader that asks
    /// for it has forgotten it, and the process ends (`KafkaRaftClient.handleFetchResponse`, whose
    /// exception reaches the fatal fault handler). Cutting down to the high watermark instead would
    /// draw the same response again and again.
    fn truncate(
        &mut self,
        leader: EpochEndOffset,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), Halt> {
        let high_watermark = self.high_watermark;
        let forgotten = |offset| {
            Err(Halt::Failed(format!(
                "the leader of the quorum requested truncation to offset {offset}, below the high \
                 watermark {high_watermark}"
            )))
        };
        if leader.end_offset < high_watermark {
            return forgotten(leader.end_offset);
        }
        let from = self.log.end_offset();
        let own = self.log.end_offset_for(leader.epoch);
        let to = truncation::truncate_to(Divergence { leader, own, log_end: from, high_watermark });
        if to < high_watermark {
            return forgotten(to);
        }
        self.log.truncate_to(to, disk).map_err(failed)?;
        self.log.flush_epochs(disk).map_err(failed)?;
        out.observe(Fact::Truncated {
            partition: TopicPartition::METADATA,
            leader_epoch: self.epoch,
            from,
            to,
            high_watermark,
            why: Truncation::Diverged { leader_end: leader },
        });
        Ok(())
    }
}
