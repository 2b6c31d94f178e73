//! A broker's life as the controller counts it: registration, heartbeats, fencing, controlled
//! shutdown (`BrokerLifecycleManager`; KIP-631, KIP-841, KIP-966).
//!
//! A broker does not stop leading because it cannot reach the controller, nor because it is told
//! that it is fenced: it stops when it has read the metadata that says so.

use super::context::{Context, Cx};
use super::part::Part;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerEpoch, DirectoryId};
use crate::net::{ChannelConfig, Channels};
use crate::protocol::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest,
    BrokerRegistrationResponse, Request, Response,
};
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{ConnId, Halt, Mono, Span};

/// How long to wait before the controller is looked for again.
const NO_CONTROLLER: Span = Span::millis(100);
/// How long to wait after a first refusal; it doubles with each.
const BACKOFF: Span = Span::millis(100);

/// What a broker knows of its own life.
#[derive(Clone, Debug)]
pub(super) struct Lifecycle {
    /// Chosen at random at start, so that the controller can tell lives apart.
    incarnation: u128,
    /// From the clean-shutdown file, if there was one.
    previous_broker_epoch: Option<BrokerEpoch>,
    rack: Option<String>,
    started: Mono,
    registered: bool,
    /// The number of this life; -1 before it is registered.
    broker_epoch: BrokerEpoch,
    /// The controller has seen that this broker has read its own registration.
    caught_up: bool,
    fenced: bool,
    stopping: bool,
    /// How many requests in a row have failed.
    failures: u32,
    in_flight: bool,
    /// There is news to tell as soon as the request in flight is answered.
    again: bool,
    channels: Channels<()>,
}

impl Lifecycle {
    pub(super) fn new(
        incarnation: u128,
        previous_broker_epoch: Option<BrokerEpoch>,
        rack: Option<String>,
        started: Mono,
        setup_timeout: Span,
    ) -> Self {
        let config = ChannelConfig { setup_timeout, ..ChannelConfig::default() };
        Self {
            incarnation,
            previous_broker_epoch,
            rack,
            started,
            registered: false,
            broker_epoch: -1,
            caught_up: false,
            fenced: true,
            stopping: false,
            failures: 0,
            in_flight: false,
            again: false,
            channels: Channels::new(Channel::Heartbeat, config),
        }
    }

    /// Whether the controller has seen that this broker has read its own registration.
    pub(super) fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// Whether the broker is fenced, as far as it knows.
    pub(super) fn is_fenced(&self) -> bool {
        self.fenced
    }

    /// The number of this life; -1 before it is registered.
    pub(super) fn broker_epoch(&self) -> BrokerEpoch {
        self.broker_epoch
    }

    /// Whether a controlled shutdown has begun.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }
}

impl Lifecycle {
    /// [`BrokerTimer::Heartbeat`] is due: registers, or says that it lives.
    pub(super) fn on_heartbeat_timer(&mut self, cx: &mut Cx<'_>) -> Result<(), Halt> {
        let now = cx.io.now.mono;
        let patience = cx.context.config.initial_registration_timeout;
        if !self.registered && now.since(self.started) >= patience {
            return Err(Halt::Failed("no controller has registered the broker".to_owned()));
        }
        if self.in_flight {
            self.again = true;
            return Ok(());
        }
        let Some(controller) = cx.context.controller else {
            self.heartbeat_at(now + NO_CONTROLLER, cx);
            return Ok(());
        };
        if !self.channels.is_ready(now, controller) {
            let at = self.channels.not_before(controller);
            self.heartbeat_at(at.max(now + Span::millis(1)), cx);
            return Ok(());
        }
        let request = self.next_request(cx.context);
        let timeout = cx.context.config.controller_request_timeout;
        self.in_flight = true;
        self.again = false;
        self.channels.send(now, controller, request, timeout, (), cx.io.out);
        Ok(())
    }

    fn next_request(&self, context: &Context) -> Request {
        if !self.registered {
            return Request::from(BrokerRegistrationRequest {
                broker: context.id,
                incarnation: self.incarnation,
                rack: self.rack.clone(),
                log_dirs: vec![DirectoryId::of_broker(context.id)],
                previous_broker_epoch: self.previous_broker_epoch,
            });
        }
        Request::from(BrokerHeartbeatRequest {
            broker: context.id,
            broker_epoch: self.broker_epoch,
            current_metadata_offset: context.image.offset(),
            want_fence: !context.serving,
            want_shut_down: self.stopping,
            offline_log_dirs: Vec::new(),
        })
    }

    fn heartbeat_at(&self, at: Mono, cx: &mut Cx<'_>) {
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Heartbeat), at);
    }

    /// Something has changed that the controller waits for.
    pub(super) fn heartbeat_soon(&self, cx: &mut Cx<'_>) {
        self.heartbeat_at(cx.io.now.mono, cx);
    }

    /// The controller refused, or could not be reached.
    fn on_failed(&mut self, cx: &mut Cx<'_>) {
        self.in_flight = false;
        let doubled = Span(BACKOFF.0 << self.failures.min(10));
        let most = Span(cx.context.config.heartbeat_interval.0.saturating_mul(4));
        self.failures += 1;
        self.heartbeat_at(cx.io.now.mono + doubled.min(most), cx);
    }

    /// The controller answered a registration.
    fn on_registered(&mut self, response: &BrokerRegistrationResponse, cx: &mut Cx<'_>) {
        self.in_flight = false;
        match response.error {
            ErrorCode::None => {
                self.registered = true;
                self.failures = 0;
                self.broker_epoch = response.broker_epoch;
                cx.io.out.observe(Fact::Registered {
                    broker_epoch: response.broker_epoch,
                    clean: self.previous_broker_epoch.is_some(),
                });
                self.heartbeat_soon(cx);
            }
            ErrorCode::NotController => self.heartbeat_at(cx.io.now.mono + NO_CONTROLLER, cx),
            _ => self.on_failed(cx),
        }
    }

    /// The controller answered a heartbeat.
    fn on_heartbeat(&mut self, response: &BrokerHeartbeatResponse, cx: &mut Cx<'_>) {
        self.in_flight = false;
        match response.error {
            ErrorCode::None => {}
            ErrorCode::NotController => {
                return self.heartbeat_at(cx.io.now.mono + NO_CONTROLLER, cx);
            }
            _ => return self.on_failed(cx),
        }
        self.failures = 0;
        if response.is_fenced != self.fenced {
            self.fenced = response.is_fenced;
            cx.io.out.observe(Fact::FencedChanged { fenced: response.is_fenced });
        }
        if self.stopping && response.should_shut_down {
            return self.shut_down_at(cx.io.now.mono, cx);
        }
        let after = if self.again { Span::ZERO } else { cx.context.config.heartbeat_interval };
        self.heartbeat_at(cx.io.now.mono + after, cx);
        self.caught_up |= response.is_caught_up;
    }

    /// SIGTERM: asks the controller to move leaderships away first, if it knows this broker as
    /// running, and shuts down in any case after `controlled.shutdown.timeout.ms`.
    pub(super) fn on_stop(&mut self, cx: &mut Cx<'_>) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        if self.fenced {
            return self.shut_down_at(cx.io.now.mono, cx);
        }
        self.shut_down_at(cx.io.now.mono + cx.context.config.controlled_shutdown_timeout, cx);
        self.heartbeat_soon(cx);
    }

    /// As an input of its own: it waits for those that work on a partition.
    fn shut_down_at(&self, at: Mono, cx: &mut Cx<'_>) {
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Shutdown), at);
    }
}

impl Part for Lifecycle {
    fn on_opened(&mut self, conn: ConnId) -> bool {
        self.channels.on_opened(conn).is_some()
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> Result<bool, Halt> {
        let closed = self.channels.on_closed(cx.io.now.mono, conn).is_some();
        if closed {
            self.on_failed(cx);
        }
        Ok(closed)
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        if self.channels.on_response(conn, correlation_id).is_some() {
            match body {
                Response::BrokerRegistration(response) => self.on_registered(&response, cx),
                Response::BrokerHeartbeat(response) => self.on_heartbeat(&response, cx),
                _ => {}
            }
        }
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        for _ in self.channels.on_timer(cx.io.now.mono, cx.io.out) {
            self.on_failed(cx);
        }
    }
}
