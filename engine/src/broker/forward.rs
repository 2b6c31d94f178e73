//! Requests to the active controller over one channel: requests that it handles for clients
//! (`ForwardingManager`, KIP-590), blocks of producer ids (KIP-730), and the creation of internal
//! topics.
//!
//! Whatever time-out a request names, the broker waits for the controller until the channel gives
//! up. Until then the client's connection is muted.

use super::context::Cx;
use super::controller_channel::ControllerChannel;
use super::part::Part;
use super::producer_ids::ProducerIds;
use super::requests::{Delayed, Parked, Served};
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::protocol::{
    AllocateProducerIdsRequest, CreatableTopic, CreateTopicsRequest, InitProducerIdRequest,
    InitProducerIdResponse, Request, Response,
};
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use crate::timer::Channel;
use machine::{ConnId, Halt, Span};
use std::collections::BTreeSet;

/// How long a request to the controller is retried.
pub(super) const RETRY_TIMEOUT: Span = Span::secs(60);

/// The forwarded requests.
#[derive(Clone, Debug)]
pub(super) struct Forwards {
    pub(super) channel: ControllerChannel<Purpose>,
    producer_ids: ProducerIds,
    /// The internal topics whose creation has been requested.
    creating: BTreeSet<String>,
}

/// The purpose of a request to the controller.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// A client.
    Client(Forwarded),
    /// The next block of producer ids.
    ProducerIds,
    /// An internal topic of this name.
    InternalTopic(String),
}

/// A forwarded request of a client.
#[derive(Clone, Debug)]
pub(super) struct Forwarded {
    /// The client's connection, on which the request is parked unless the client has disconnected.
    conn: ConnId,
    correlation_id: u32,
    /// The response to the client if the controller does not respond.
    timed_out: Response,
}

impl Forwards {
    pub(super) fn new(setup_timeout: Span) -> Self {
        Self {
            channel: ControllerChannel::new(Channel::Forward, setup_timeout, RETRY_TIMEOUT),
            producer_ids: ProducerIds::default(),
            creating: BTreeSet::new(),
        }
    }

    /// Forwards a request to the controller.
    pub(super) fn forward(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        request: Request,
        cx: &mut Cx<'_>,
    ) -> Served {
        let timed_out = request.refused(ErrorCode::RequestTimedOut);
        let parked = Parked { correlation_id, deadline: None, body: Delayed::Forwarded };
        cx.requests.park(conn, parked, cx.io.out);
        let forwarded = Forwarded { conn, correlation_id, timed_out };
        self.channel.send(request, Purpose::Client(forwarded), cx);
        Served::Parked
    }

    /// Gives a new id to an idempotent producer, in epoch 0, whatever id it had before
    /// (`TransactionCoordinator.handleInitProducerId`).
    pub(super) fn init_producer_id(
        &mut self,
        request: &InitProducerIdRequest,
        cx: &mut Cx<'_>,
    ) -> InitProducerIdResponse {
        let refused = |error| InitProducerIdResponse {
            error,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
        };
        let has_id = request.producer_id != NO_PRODUCER_ID;
        if has_id != (request.producer_epoch != NO_PRODUCER_EPOCH) {
            return refused(ErrorCode::InvalidRequest);
        }
        match self.new_producer_id(cx) {
            Ok(producer_id) => {
                let error = ErrorCode::None;
                InitProducerIdResponse { error, producer_id, producer_epoch: 0 }
            }
            Err(error) => refused(error),
        }
    }

    /// A new producer id.
    ///
    /// # Errors
    ///
    /// A retriable error, until the controller has given a block of ids.
    pub(super) fn new_producer_id(&mut self, cx: &mut Cx<'_>) -> Result<i64, ErrorCode> {
        let generated = self.producer_ids.generate(cx.io.now.mono);
        if generated.ask {
            let (broker, broker_epoch) = (cx.context.id, cx.context.broker_epoch);
            let request = AllocateProducerIdsRequest { broker, broker_epoch };
            self.channel.send(request, Purpose::ProducerIds, cx);
        }
        let producer_id = generated.id?;
        cx.io.out.observe(Fact::ProducerIdIssued { producer_id });
        Ok(producer_id)
    }

    /// Requests the creation of an internal topic, unless a request is under way.
    pub(super) fn create_internal_topic(&mut self, topic: CreatableTopic, cx: &mut Cx<'_>) {
        if self.creating.insert(topic.name.clone()) {
            let purpose = Purpose::InternalTopic(topic.name.clone());
            let timeout = cx.context.config.request_timeout;
            self.channel.send(CreateTopicsRequest { topics: vec![topic], timeout }, purpose, cx);
        }
    }
}

/// Sends the response to the client, if it still waits.
fn finish(forwarded: &Forwarded, response: Response, cx: &mut Cx<'_>) {
    let Forwarded { conn, correlation_id, .. } = *forwarded;
    if cx.requests.take(conn).is_some() {
        cx.requests.finish(conn, correlation_id, Served::Response(response), &mut cx.io);
    }
}

impl Part for Forwards {
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
        match self.channel.on_response(conn, correlation_id, body, cx) {
            Some((Purpose::Client(forwarded), response)) => finish(&forwarded, response, cx),
            Some((Purpose::ProducerIds, Response::AllocateProducerIds(response))) => {
                self.producer_ids.on_allocated(cx.io.now.mono, &response);
            }
            Some((Purpose::InternalTopic(name), _)) => {
                self.creating.remove(&name);
            }
            Some((Purpose::ProducerIds, _)) | None => {}
        }
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        self.channel.on_requests_timer(cx);
    }

    fn on_channel_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        for purpose in self.channel.on_timer(cx) {
            match purpose {
                Purpose::Client(forwarded) => {
                    let response = forwarded.timed_out.clone();
                    finish(&forwarded, response, cx);
                }
                Purpose::ProducerIds => self.producer_ids.on_given_up(),
                Purpose::InternalTopic(name) => {
                    self.creating.remove(&name);
                }
            }
        }
    }
}
