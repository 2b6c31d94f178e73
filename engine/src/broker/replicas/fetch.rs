//! Fetch, ListOffsets and OffsetForLeaderEpoch requests (`ReplicaManager.fetchMessages`,
//! `DelayedFetch`; KIP-74).
//!
//! A fetch that finds less than `min_bytes` waits. It is answered when there is enough, when there
//! is anything else to say (an error, a divergence), or when its time is up.

use super::Partitions;
use super::partition::{Changes, FetchLimits, Reader, refused_fetch, refused_list};
use crate::broker::context::Cx;
use crate::broker::requests::Served;
use crate::broker::requests::{Delayed, Parked};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::TopicPartition;
use crate::protocol::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderEpochResult,
};
use machine::{ConnId, Halt};

/// What was read for a fetch.
struct Fetched {
    response: FetchResponse,
    bytes: u64,
    /// An error or a divergence: there is no point in waiting.
    urgent: bool,
    changes: Vec<(TopicPartition, Changes)>,
}

impl Partitions {
    /// Handles a fetch of a consumer or follower.
    pub(in crate::broker) fn on_fetch(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: FetchRequest,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let fetched = self.read_for(&request, true, cx)?;
        let served = if Self::is_enough(&request, &fetched, cx) || request.max_wait.0 == 0 {
            Served::Response(self.fetched(&request, fetched.response, cx).into())
        } else {
            let deadline = Some(cx.io.now.mono + request.max_wait);
            self.watch(conn, &request);
            let body = Delayed::Fetch(request);
            cx.requests.park(conn, Parked { correlation_id, deadline, body }, cx.io.out);
            Served::Parked
        };
        for (partition, changes) in fetched.changes {
            self.react(partition, changes, cx)?;
        }
        Ok(served)
    }

    fn watch(&mut self, conn: ConnId, request: &FetchRequest) {
        for read in &request.partitions {
            if let Some(partition) = self.hosted.get_mut(&read.partition) {
                partition.waiting.add_fetch(conn, request.replica.is_some());
            }
        }
    }

    fn is_enough(request: &FetchRequest, fetched: &Fetched, cx: &Cx<'_>) -> bool {
        let max_bytes = request.max_bytes.min(cx.context.config.fetch_max_bytes);
        fetched.urgent
            || request.partitions.is_empty()
            || fetched.bytes >= u64::from(request.min_bytes.min(max_bytes))
    }

    /// Reads every partition of a fetch within its limits. The first batch found is read whatever
    /// its size, or a reader would be stuck in front of it.
    fn read_for(
        &mut self,
        request: &FetchRequest,
        is_first: bool,
        cx: &mut Cx<'_>,
    ) -> Result<Fetched, Halt> {
        let reader = match request.replica {
            Some(replica) => Reader::Follower(replica),
            None => Reader::Consumer(request.isolation),
        };
        let max_bytes = u64::from(request.max_bytes.min(cx.context.config.fetch_max_bytes));
        let mut answers = Vec::with_capacity(request.partitions.len());
        let (mut bytes, mut urgent, mut changes) = (0, false, Vec::new());
        for read in &request.partitions {
            let limits = FetchLimits {
                max_bytes: max_bytes.saturating_sub(bytes),
                min_one_batch: bytes == 0,
            };
            let Some(partition) = self.hosted.get_mut(&read.partition) else {
                urgent = true;
                answers.push(refused_fetch(read, self.error_of(read.partition, cx)));
                continue;
            };
            let fetched = partition.fetch(reader, read, limits, is_first, cx.context, &mut cx.io);
            let fetched = match fetched {
                Ok(fetched) => fetched,
                Err(error) => {
                    urgent = true;
                    answers
                        .push(refused_fetch(read, self.storage_failed(read.partition, error, cx)));
                    continue;
                }
            };
            bytes += fetched.answer.records.size();
            urgent |= !fetched.answer.error.is_none() || fetched.answer.diverging_epoch.is_some();
            if fetched.changes != Changes::default() {
                changes.push((read.partition, fetched.changes));
            }
            answers.push(fetched.answer);
        }
        let response = FetchResponse { error: ErrorCode::None, partitions: answers };
        Ok(Fetched { response, bytes, urgent, changes })
    }

    fn fetched(
        &self,
        request: &FetchRequest,
        response: FetchResponse,
        cx: &mut Cx<'_>,
    ) -> FetchResponse {
        let replica = request.replica.map(|replica| replica.id);
        for refused in response.partitions.iter().filter(|answer| !answer.error.is_none()) {
            let (partition, error) = (refused.partition, refused.error);
            cx.io.out.observe(Fact::FetchRefused { partition, replica, error });
        }
        response
    }

    /// Looks at the fetches again that wait at `id`: there is something new for followers
    /// (`appended`), or for consumers (`committed`).
    pub(super) fn wake_fetches(
        &mut self,
        id: TopicPartition,
        appended: bool,
        committed: bool,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let mut woken = std::mem::take(&mut self.woken);
        if let Some(partition) = self.hosted.get_mut(&id) {
            if appended {
                partition.waiting.take_followers(&mut woken);
            }
            if committed {
                partition.waiting.take_consumers(&mut woken);
            }
        }
        for conn in woken.drain(..) {
            self.wake_fetch(conn, id, cx)?;
        }
        self.woken = woken;
        Ok(())
    }

    /// Looks at a fetch again that waits, since something happened to `id`.
    pub(super) fn wake_fetch(
        &mut self,
        conn: ConnId,
        id: TopicPartition,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Some(Parked { body: Delayed::Fetch(_), .. }) = cx.requests.get(conn) else {
            return Ok(());
        };
        let Some(parked) = cx.requests.take(conn) else { return Ok(()) };
        let Delayed::Fetch(request) = &parked.body else { return Ok(()) };
        let fetched = self.read_for(request, false, cx)?;
        if Self::is_enough(request, &fetched, cx) {
            let response = self.fetched(request, fetched.response, cx);
            let served = Served::Response(response.into());
            cx.requests.finish(conn, parked.correlation_id, served, &mut cx.io);
        } else {
            if request.partitions.iter().any(|read| read.partition == id)
                && let Some(partition) = self.hosted.get_mut(&id)
            {
                partition.waiting.add_fetch(conn, request.replica.is_some());
            }
            cx.requests.put_back(conn, parked);
        }
        Ok(())
    }

    /// A fetch has waited for long enough: it is answered with what there is.
    pub(in crate::broker) fn complete_fetch(
        &mut self,
        conn: ConnId,
        parked: Parked,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        if let Delayed::Fetch(request) = &parked.body {
            let fetched = self.read_for(request, false, cx)?;
            let response = self.fetched(request, fetched.response, cx);
            let served = Served::Response(response.into());
            cx.requests.finish(conn, parked.correlation_id, served, &mut cx.io);
        }
        Ok(())
    }

    /// Handles a ListOffsets.
    pub(in crate::broker) fn on_list_offsets(
        &mut self,
        request: &ListOffsetsRequest,
        cx: &mut Cx<'_>,
    ) -> Result<Served, Halt> {
        let is_follower = request.replica.is_some();
        let mut partitions = Vec::with_capacity(request.partitions.len());
        for listed in &request.partitions {
            partitions.push(match self.hosted.get(&listed.partition) {
                Some(partition) => {
                    let isolation = request.isolation;
                    partition
                        .list_offset(listed, isolation, is_follower, cx.context, &mut cx.io)
                        .unwrap_or_else(|error| {
                            refused_list(listed, self.storage_failed(listed.partition, error, cx))
                        })
                }
                None => refused_list(listed, self.error_of(listed.partition, cx)),
            });
        }
        Ok(Served::Response(ListOffsetsResponse { partitions }.into()))
    }

    /// Handles an OffsetForLeaderEpoch.
    pub(in crate::broker) fn on_offset_for_leader_epoch(
        &mut self,
        request: &OffsetForLeaderEpochRequest,
        cx: &mut Cx<'_>,
    ) -> Served {
        let results = request.partitions.iter().map(|asked| {
            let end = match self.hosted.get(&asked.partition) {
                Some(partition) => partition.end_offset_for(asked, cx.context, &mut cx.io),
                None => Err(self.error_of(asked.partition, cx)),
            };
            OffsetForLeaderEpochResult {
                partition: asked.partition,
                error: end.err().unwrap_or(ErrorCode::None),
                end: end.ok().flatten(),
            }
        });
        Served::Response(OffsetForLeaderEpochResponse { partitions: results.collect() }.into())
    }
}
