//! Reports the log directories of replicas to the controller (`AssignmentsManager`, KIP-858), so
//! that it knows which replicas the failure of a directory concerns.

use super::context::Cx;
use super::controller_channel::ControllerChannel;
use super::part::Part;
use crate::error::ErrorCode;
use crate::ids::{DirectoryId, TopicPartition};
use crate::protocol::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, Response};
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{ConnId, Halt, Span};
use std::collections::BTreeMap;

/// How long assignments wait for others in the same request, and the back-off after a first
/// failure, which doubles with every further one.
const DELAY: Span = Span::millis(100);
/// The longest back-off.
const DELAY_MAX: Span = Span::secs(10);
/// The largest number of assignments in one request.
const MAX_ASSIGNMENTS: usize = 2250;
/// How long a request to the controller is retried.
const RETRY_TIMEOUT: Span = Span::secs(60);

/// The directory of each partition.
type Placed = BTreeMap<TopicPartition, DirectoryId>;

/// The assignments that the controller does not know.
#[derive(Clone, Debug)]
pub(super) struct Assignments {
    ready: Placed,
    in_flight: bool,
    /// The number of failed requests in a row.
    failures: u32,
    /// The timer is set.
    scheduled: bool,
    channel: ControllerChannel<Placed>,
}

impl Assignments {
    pub(super) fn new(setup_timeout: Span) -> Self {
        Self {
            ready: Placed::new(),
            in_flight: false,
            failures: 0,
            scheduled: false,
            channel: ControllerChannel::new(Channel::Directories, setup_timeout, RETRY_TIMEOUT),
        }
    }

    /// Adds replicas in directories that differ from those in the metadata.
    pub(super) fn add(&mut self, placed: Vec<(TopicPartition, DirectoryId)>, cx: &mut Cx<'_>) {
        self.ready.extend(placed);
        self.schedule(cx);
    }

    fn schedule(&mut self, cx: &mut Cx<'_>) {
        if self.ready.is_empty() || self.scheduled || self.in_flight {
            return;
        }
        self.scheduled = true;
        let delay = match self.failures {
            0 if self.ready.len() > MAX_ASSIGNMENTS => Span::ZERO,
            0 => DELAY,
            failures => Span(DELAY.0 << (failures - 1).min(10)).min(DELAY_MAX),
        };
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Assignments), cx.io.now.mono + delay);
    }

    /// Sends the assignments that are still valid, when [`BrokerTimer::Assignments`] is due.
    pub(super) fn on_timer(&mut self, cx: &mut Cx<'_>) {
        self.scheduled = false;
        if self.in_flight {
            return;
        }
        let (image, own) = (&cx.context.image, cx.context.id);
        let mut sent = Placed::new();
        while sent.len() < MAX_ASSIGNMENTS
            && let Some((id, directory)) = self.ready.pop_first()
        {
            if image.partition(id).is_some_and(|state| state.is_replica(own)) {
                sent.insert(id, directory);
            }
        }
        if sent.is_empty() {
            return;
        }
        let mut by_directory = BTreeMap::<_, Vec<_>>::new();
        for (id, directory) in &sent {
            by_directory.entry(*directory).or_default().push(*id);
        }
        let request = AssignReplicasToDirsRequest {
            broker: own,
            broker_epoch: image.broker(own).map_or(-1, |broker| broker.epoch),
            directories: by_directory.into_iter().collect(),
        };
        self.in_flight = true;
        self.channel.send(request, sent, cx);
    }

    /// Handles the response of the controller: assignments that it refused are sent again.
    fn on_assigned(
        &mut self,
        mut sent: Placed,
        response: &AssignReplicasToDirsResponse,
        cx: &mut Cx<'_>,
    ) {
        if response.error != ErrorCode::None {
            return self.on_failed(sent, cx);
        }
        self.failures = 0;
        for (id, error) in response.directories.iter().flat_map(|(_, partitions)| partitions) {
            if error.is_none() {
                sent.remove(id);
            }
        }
        self.again(sent, cx);
    }

    fn on_failed(&mut self, sent: Placed, cx: &mut Cx<'_>) {
        self.failures += 1;
        self.again(sent, cx);
    }

    /// A newer assignment of the same partition counts.
    fn again(&mut self, sent: Placed, cx: &mut Cx<'_>) {
        self.in_flight = false;
        for (id, directory) in sent {
            self.ready.entry(id).or_insert(directory);
        }
        self.schedule(cx);
    }
}

impl Part for Assignments {
    fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channel.on_opened(conn)
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> bool {
        self.channel.on_closed(conn, cx)
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        if let Some((sent, Response::AssignReplicasToDirs(response))) =
            self.channel.on_response(conn, correlation_id, body, cx)
        {
            self.on_assigned(sent, &response, cx);
        }
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        self.channel.on_requests_timer(cx);
    }

    fn on_channel_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        for sent in self.channel.on_timer(cx) {
            self.on_failed(sent, cx);
        }
    }
}
