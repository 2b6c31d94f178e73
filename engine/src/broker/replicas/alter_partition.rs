//! Sends ISR proposals to the controller (`AlterPartitionManager`; KIP-497).
//!
//! One request with all pending proposals is in flight at a time, and is repeated until it gets a
//! response. A proposal is kept until then, because the controller may have applied a request whose
//! response was lost; the response to the repeated proposal shows whether it did.

use super::Partitions;
use super::partition::Resolution;
use crate::broker::context::Cx;
use crate::broker::controller_channel::ControllerChannel;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::protocol::{AlterPartition, AlterPartitionRequest, AlterPartitionResponse};
use crate::timer::{BrokerTimer, Channel, ReplicaTimer, Timer};
use machine::{Halt, Span};
use std::collections::BTreeMap;

/// How long to wait before proposals are sent again after an error, of the whole request or of one
/// partition.
const BACKOFF: Span = Span::millis(50);

/// The proposals.
#[derive(Clone, Debug)]
pub(in crate::broker) struct AlterPartitions {
    unanswered: BTreeMap<TopicPartition, AlterPartition>,
    in_flight: bool,
    /// The channel to the controller. A request's context is its proposals.
    pub(super) channel: ControllerChannel<Vec<AlterPartition>>,
}

impl AlterPartitions {
    pub(super) fn new(setup_timeout: Span) -> Self {
        let channel = ControllerChannel::new(Channel::AlterPartition, setup_timeout, Span::MAX);
        Self { unanswered: BTreeMap::new(), in_flight: false, channel }
    }

    /// Sends all proposals, if nothing is in flight.
    pub(super) fn send(&mut self, cx: &mut Cx<'_>) {
        if self.in_flight || self.unanswered.is_empty() {
            return;
        }
        let proposals: Vec<_> = self.unanswered.values().cloned().collect();
        let request = AlterPartitionRequest {
            broker: cx.context.id,
            broker_epoch: cx.context.broker_epoch,
            partitions: proposals.clone(),
        };
        self.in_flight = true;
        self.channel.send(request, proposals, cx);
    }

    fn send_later(&self, cx: &mut Cx<'_>) {
        let timer = Timer::Broker(BrokerTimer::Replica(ReplicaTimer::AlterPartition));
        cx.io.out.set_timer(timer, cx.io.now.mono + BACKOFF);
    }
}

impl Partitions {
    /// Queues the pending ISR proposal of a partition and sends it if no request is in flight. It
    /// replaces an earlier proposal for the partition, which newer metadata has invalidated.
    pub(super) fn submit_proposal(&mut self, id: TopicPartition, cx: &mut Cx<'_>) {
        if let Some(proposal) = self.hosted.get(&id).and_then(|p| p.proposal()) {
            self.alterations.unanswered.insert(id, proposal);
            self.alterations.send(cx);
        }
    }

    /// Handles the controller's response to the proposals `sent`.
    pub(super) fn on_altered(
        &mut self,
        sent: &[AlterPartition],
        response: &AlterPartitionResponse,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        self.alterations.in_flight = false;
        if response.error != ErrorCode::None {
            self.alterations.send_later(cx);
            return Ok(());
        }
        let mut again = false;
        for answer in &response.partitions {
            let Some(sent) = sent.iter().find(|sent| sent.partition == answer.partition) else {
                continue;
            };
            let id = answer.partition;
            let resolution = match self.hosted.get_mut(&id) {
                Some(partition) => partition.on_altered(sent, answer, cx.context, &mut cx.io),
                None => Resolution::Done(Default::default()),
            };
            match resolution {
                Resolution::Retry => again = true,
                Resolution::Done(changes) => {
                    if self.alterations.unanswered.get(&id) == Some(sent) {
                        self.alterations.unanswered.remove(&id);
                    }
                    self.react(id, changes, cx)?;
                }
            }
        }
        if again {
            self.alterations.send_later(cx);
        } else {
            self.alterations.send(cx);
        }
        Ok(())
    }
}
