//! Proposals of in-sync replicas on their way to the controller (`AlterPartitionManager`; KIP-497).
//!
//! One request is in flight at a time, with all proposals that there are. A proposal leaves only
//! when it has been answered: the controller may have applied what it did not answer, and says so
//! when it is asked again.

use super::Broker;
use super::context::Io;
use super::partition::Resolution;
use crate::error::ErrorCode;
use crate::ids::{TopicPartition, peer};
use crate::net::{ChannelConfig, Channels};
use crate::protocol::{AlterPartition, AlterPartitionRequest, AlterPartitionResponse};
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{Halt, Span};
use std::collections::BTreeMap;

/// How long to wait before a request is sent again.
const BACKOFF: Span = Span::millis(50);

/// The proposals.
#[derive(Clone, Debug)]
pub(super) struct AlterPartitions {
    unanswered: BTreeMap<TopicPartition, AlterPartition>,
    in_flight: bool,
    /// With the proposals of each request.
    pub(super) channels: Channels<Vec<AlterPartition>>,
}

impl AlterPartitions {
    pub(super) fn new(setup_timeout: Span) -> Self {
        let config = ChannelConfig { setup_timeout, ..ChannelConfig::default() };
        Self {
            unanswered: BTreeMap::new(),
            in_flight: false,
            channels: Channels::new(Channel::AlterPartition, config),
        }
    }
}

impl Broker {
    /// A leader has a proposal to send. It takes the place of an earlier one of the partition,
    /// which a newer leadership has made void.
    pub(super) fn submit_proposal(&mut self, id: TopicPartition, io: &mut Io<'_>) {
        if let Some(proposal) = self.partitions.get(&id).and_then(|p| p.proposal()) {
            self.alterations.unanswered.insert(id, proposal);
            self.send_proposals(io);
        }
    }

    /// Sends what there is to send, if the controller is known and nothing is in flight.
    pub(super) fn send_proposals(&mut self, io: &mut Io<'_>) {
        let now = io.now.mono;
        if self.alterations.in_flight || self.alterations.unanswered.is_empty() {
            return;
        }
        let controller = self.quorum.leader().map(|controller| peer(self.node, controller));
        let ready =
            controller.filter(|controller| self.alterations.channels.is_ready(now, *controller));
        let Some(controller) = ready else {
            self.send_proposals_later(io);
            return;
        };
        let proposals: Vec<_> = self.alterations.unanswered.values().cloned().collect();
        let request = AlterPartitionRequest {
            broker: self.context.id,
            broker_epoch: self.context.broker_epoch,
            partitions: proposals.clone(),
        };
        self.alterations.in_flight = true;
        let timeout = self.context.config.controller_request_timeout;
        self.alterations.channels.send(now, controller, request, timeout, proposals, io.out);
    }

    fn send_proposals_later(&self, io: &mut Io<'_>) {
        io.out.set_timer(Timer::Broker(BrokerTimer::AlterPartition), io.now.mono + BACKOFF);
    }

    /// The request could not be answered. Nothing is taken back.
    pub(super) fn on_proposals_failed(&mut self, io: &mut Io<'_>) {
        self.alterations.in_flight = false;
        self.send_proposals_later(io);
    }

    /// The controller answered the proposals `sent`.
    pub(super) fn on_altered(
        &mut self,
        sent: &[AlterPartition],
        response: &AlterPartitionResponse,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        self.alterations.in_flight = false;
        if response.error != ErrorCode::None {
            self.send_proposals_later(io);
            return Ok(());
        }
        let mut again = false;
        for answer in &response.partitions {
            let Some(sent) = sent.iter().find(|sent| sent.partition == answer.partition) else {
                continue;
            };
            let id = answer.partition;
            let resolution = match self.partitions.get_mut(&id) {
                Some(partition) => partition.on_altered(sent, answer, &self.context, io),
                None => Resolution::Done(Default::default()),
            };
            match resolution {
                Resolution::Retry => again = true,
                Resolution::Done(changes) => {
                    if self.alterations.unanswered.get(&id) == Some(sent) {
                        self.alterations.unanswered.remove(&id);
                    }
                    self.react(id, changes, io)?;
                }
            }
        }
        if again {
            self.send_proposals_later(io);
        } else {
            self.send_proposals(io);
        }
        Ok(())
    }
}
