//! A broker's life as the controller counts it: registration, heartbeats, fencing, controlled
//! shutdown (`BrokerLifecycleManager`; KIP-631, KIP-841, KIP-966).
//!
//! A broker does not stop leading because it cannot reach the controller, nor because it is told
//! that it is fenced: it stops when it has read the metadata that says so.

use super::Broker;
use super::context::Io;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerEpoch, peer};
use crate::net::{ChannelConfig, Channels};
use crate::protocol::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest,
    BrokerRegistrationResponse, Request,
};
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{Halt, Mono, Span};

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
    /// The controller has seen that this broker has read its own registration.
    caught_up: bool,
    pub(super) fenced: bool,
    stopping: bool,
    /// How many requests in a row have failed.
    failures: u32,
    in_flight: bool,
    /// There is news to tell as soon as the request in flight is answered.
    again: bool,
    pub(super) channels: Channels<()>,
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

    /// Whether a controlled shutdown has begun.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }
}

impl Broker {
    /// [`BrokerTimer::Heartbeat`] is due: registers, or says that it lives.
    pub(super) fn on_heartbeat_timer(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let now = io.now.mono;
        let patience = self.context.config.initial_registration_timeout;
        if !self.lifecycle.registered && now.since(self.lifecycle.started) >= patience {
            return Err(Halt::Failed("no controller has registered the broker".to_owned()));
        }
        if self.lifecycle.in_flight {
            self.lifecycle.again = true;
            return Ok(());
        }
        let controller = self.quorum.leader().map(|controller| peer(self.node, controller));
        let Some(controller) = controller else {
            self.heartbeat_at(now + NO_CONTROLLER, io);
            return Ok(());
        };
        if !self.lifecycle.channels.is_ready(now, controller) {
            let at = self.lifecycle.channels.not_before(controller);
            self.heartbeat_at(at.max(now + Span::millis(1)), io);
            return Ok(());
        }
        let request = self.next_lifecycle_request();
        let timeout = self.context.config.controller_request_timeout;
        self.lifecycle.in_flight = true;
        self.lifecycle.again = false;
        self.lifecycle.channels.send(now, controller, request, timeout, (), io.out);
        Ok(())
    }

    fn next_lifecycle_request(&self) -> Request {
        let lifecycle = &self.lifecycle;
        if !lifecycle.registered {
            return Request::from(BrokerRegistrationRequest {
                broker: self.context.id,
                incarnation: lifecycle.incarnation,
                rack: lifecycle.rack.clone(),
                previous_broker_epoch: lifecycle.previous_broker_epoch,
            });
        }
        Request::from(BrokerHeartbeatRequest {
            broker: self.context.id,
            broker_epoch: self.context.broker_epoch,
            current_metadata_offset: self.context.image.offset(),
            want_fence: !self.is_serving(),
            want_shut_down: lifecycle.stopping,
        })
    }

    fn heartbeat_at(&self, at: Mono, io: &mut Io<'_>) {
        io.out.set_timer(Timer::Broker(BrokerTimer::Heartbeat), at);
    }

    /// Something has changed that the controller waits for.
    pub(super) fn heartbeat_soon(&self, io: &mut Io<'_>) {
        self.heartbeat_at(io.now.mono, io);
    }

    /// The controller refused, or could not be reached.
    pub(super) fn on_lifecycle_failed(&mut self, io: &mut Io<'_>) {
        self.lifecycle.in_flight = false;
        let doubled = Span(BACKOFF.0 << self.lifecycle.failures.min(10));
        let most = Span(self.context.config.heartbeat_interval.0.saturating_mul(4));
        self.lifecycle.failures += 1;
        self.heartbeat_at(io.now.mono + doubled.min(most), io);
    }

    /// The controller answered a registration.
    pub(super) fn on_registered(&mut self, response: &BrokerRegistrationResponse, io: &mut Io<'_>) {
        self.lifecycle.in_flight = false;
        match response.error {
            ErrorCode::None => {
                self.lifecycle.registered = true;
                self.lifecycle.failures = 0;
                self.context.broker_epoch = response.broker_epoch;
                io.out.observe(Fact::Registered {
                    broker_epoch: response.broker_epoch,
                    clean: self.lifecycle.previous_broker_epoch.is_some(),
                });
                self.heartbeat_soon(io);
            }
            ErrorCode::NotController => self.heartbeat_at(io.now.mono + NO_CONTROLLER, io),
            _ => self.on_lifecycle_failed(io),
        }
    }

    /// The controller answered a heartbeat.
    pub(super) fn on_heartbeat(
        &mut self,
        response: &BrokerHeartbeatResponse,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        self.lifecycle.in_flight = false;
        match response.error {
            ErrorCode::None => {}
            ErrorCode::NotController => {
                self.heartbeat_at(io.now.mono + NO_CONTROLLER, io);
                return Ok(());
            }
            _ => {
                self.on_lifecycle_failed(io);
                return Ok(());
            }
        }
        self.lifecycle.failures = 0;
        if response.is_fenced != self.lifecycle.fenced {
            self.lifecycle.fenced = response.is_fenced;
            io.out.observe(Fact::FencedChanged { fenced: response.is_fenced });
        }
        if self.lifecycle.stopping && response.should_shut_down {
            self.shut_down_at(io.now.mono, io);
            return Ok(());
        }
        let after =
            if self.lifecycle.again { Span::ZERO } else { self.context.config.heartbeat_interval };
        self.heartbeat_at(io.now.mono + after, io);
        self.lifecycle.caught_up |= response.is_caught_up;
        self.maybe_publish_first(io)
    }

    /// SIGTERM: asks the controller to move leaderships away first, if it knows this broker as
    /// running, and shuts down in any case after `controlled.shutdown.timeout.ms`.
    pub(super) fn on_stop(&mut self, io: &mut Io<'_>) {
        if self.lifecycle.stopping {
            return;
        }
        self.lifecycle.stopping = true;
        if self.lifecycle.fenced {
            return self.shut_down_at(io.now.mono, io);
        }
        self.shut_down_at(io.now.mono + self.context.config.controlled_shutdown_timeout, io);
        self.heartbeat_soon(io);
    }

    /// As an input of its own: it waits for those that work on a partition.
    fn shut_down_at(&self, at: Mono, io: &mut Io<'_>) {
        io.out.set_timer(Timer::Broker(BrokerTimer::Shutdown), at);
    }

    /// Closes everything and ends. The mark of the clean shutdown comes last: what it vouches for
    /// has to be on disk.
    pub(super) fn shut_down(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        for partition in self.partitions.values_mut() {
            partition.close(io)?;
        }
        self.checkpoint_recovery_points(io)?;
        self.checkpoint_high_watermarks(io)?;
        self.mark_clean_shutdown(io)?;
        io.out.halt(Halt::Clean);
        Ok(())
    }
}
