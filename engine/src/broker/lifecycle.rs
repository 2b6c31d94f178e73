//! The life cycle of a broker at the controller: registration, heartbeats, fencing, controlled
//! shutdown (`BrokerLifecycleManager`; KIP-631, KIP-841, KIP-966).
//!
//! A broker does not stop leading because it cannot reach the controller, nor because a heartbeat
//! response says that it is fenced: it stops when it has read the corresponding metadata.

use super::context::{Context, Cx};
use super::controller_channel::ControllerChannel;
use super::part::Part;
use crate::config::BrokerConfig;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerEpoch, DirectoryId};
use crate::protocol::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest,
    BrokerRegistrationResponse, Request, Response,
};
use crate::timer::{BrokerTimer, Channel, Timer};
use machine::{ConnId, Halt, Span};
use std::collections::BTreeMap;

/// How long a controlled shutdown may take (`KafkaBroker.shutdown`).
pub(super) const CONTROLLED_SHUTDOWN: Span = Span::secs(5 * 60);
/// The interval of heartbeats until the controller has seen that the broker has caught up.
const AFTER_CATCH_UP: Span = Span::millis(10);
/// The time from the first heartbeat of a controlled shutdown to the second, in case the shutdown
/// is quick.
const AFTER_SHUTDOWN_BEGAN: Span = Span::millis(50);

/// The state of a broker (`BrokerState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// The broker is not registered, or has not read its registration.
    Starting,
    /// The broker has read its registration, and waits to be unfenced.
    Recovery,
    /// The broker has been unfenced.
    Running,
    /// The controller moves its leaderships away.
    PendingControlledShutdown,
    /// The controller has allowed the shutdown, or has not done so in time.
    ShuttingDown,
}

/// The life cycle of one run of the broker process.
#[derive(Clone, Debug)]
pub(super) struct Lifecycle {
    state: State,
    /// A random id of this life, by which the controller recognizes it.
    incarnation: u128,
    /// The broker epoch in the clean-shutdown files, if all directories have one and they agree.
    previous_broker_epoch: Option<BrokerEpoch>,
    rack: Option<String>,
    /// The log directories that were online at the start.
    log_dirs: Vec<DirectoryId>,
    /// The directories that have failed since, and whether the controller knows.
    offline_dirs: BTreeMap<DirectoryId, bool>,
    registered: bool,
    /// The broker epoch; -1 before this life is registered.
    broker_epoch: BrokerEpoch,
    /// Whether the last response to a heartbeat said that the broker is fenced.
    fenced: bool,
    /// The replicas follow the metadata.
    ready_to_unfence: bool,
    in_flight: bool,
    /// The next request is sent as soon as the one in flight has a response.
    again: bool,
    /// A controlled shutdown has begun, and a heartbeat has had a response since.
    shutdown_answered: bool,
    /// The channel to the controller. The context of a request is the list of offline directories
    /// that it reports.
    channel: ControllerChannel<Vec<DirectoryId>>,
}

impl Lifecycle {
    pub(super) fn new(
        incarnation: u128,
        previous_broker_epoch: Option<BrokerEpoch>,
        rack: Option<String>,
        log_dirs: Vec<DirectoryId>,
        config: &BrokerConfig,
    ) -> Self {
        let (setup, interval) = (config.connection_setup_timeout, config.heartbeat_interval);
        Self {
            state: State::Starting,
            incarnation,
            previous_broker_epoch,
            rack,
            log_dirs,
            offline_dirs: BTreeMap::new(),
            registered: false,
            broker_epoch: -1,
            fenced: true,
            ready_to_unfence: false,
            in_flight: false,
            again: false,
            shutdown_answered: false,
            channel: ControllerChannel::new(Channel::Heartbeat, setup, interval),
        }
    }

    /// Schedules the registration.
    pub(super) fn start(&mut self, cx: &mut Cx<'_>) {
        let patience = cx.context.config.initial_registration_timeout;
        let timer = Timer::Broker(BrokerTimer::RegistrationTimeout);
        cx.io.out.set_timer(timer, cx.io.now.mono + patience);
        self.schedule(Span::ZERO, cx);
    }

    /// Whether the controller has seen that this broker has read its own registration.
    pub(super) fn is_caught_up(&self) -> bool {
        self.state >= State::Recovery
    }

    /// Whether the broker has been unfenced once, so that its ports are open.
    pub(super) fn is_open(&self) -> bool {
        self.state >= State::Running
    }

    /// Whether the broker is fenced, as far as it knows.
    pub(super) fn is_fenced(&self) -> bool {
        self.fenced
    }

    /// Whether the controller has registered this life.
    pub(super) fn is_registered(&self) -> bool {
        self.registered
    }

    /// The broker epoch; -1 before this life is registered.
    pub(super) fn broker_epoch(&self) -> BrokerEpoch {
        self.broker_epoch
    }

    /// Whether a controlled shutdown has begun.
    pub(super) fn is_stopping(&self) -> bool {
        self.state >= State::PendingControlledShutdown
    }

    /// The replicas follow the metadata: the broker may be unfenced.
    pub(super) fn set_ready_to_unfence(&mut self, cx: &mut Cx<'_>) {
        if !self.ready_to_unfence {
            self.ready_to_unfence = true;
            self.schedule(Span::ZERO, cx);
        }
    }

    /// Reports a failed log directory with a heartbeat that is sent at once. If no heartbeat with
    /// the report succeeds within `log.dir.failure.timeout.ms`, the broker stops.
    pub(super) fn report_offline(&mut self, dir: DirectoryId, cx: &mut Cx<'_>) {
        self.offline_dirs.insert(dir, false);
        let timer = Timer::Broker(BrokerTimer::LogDirUnreported(dir));
        let patience = cx.context.config.log_dir_failure_timeout;
        cx.io.out.set_timer(timer, cx.io.now.mono + patience);
        if self.registered {
            self.schedule(Span::ZERO, cx);
        }
    }

    /// Stops the broker if the failure of a directory is still unreported, when
    /// [`BrokerTimer::LogDirUnreported`] is due.
    pub(super) fn on_unreported(&mut self, dir: DirectoryId, cx: &mut Cx<'_>) {
        if self.offline_dirs.get(&dir) == Some(&false) {
            self.on_stop(cx);
        }
    }

    /// Sends a registration or a heartbeat, when [`BrokerTimer::Heartbeat`] is due.
    pub(super) fn on_heartbeat_timer(&mut self, cx: &mut Cx<'_>) {
        if self.in_flight {
            self.again = true;
            return;
        }
        self.in_flight = true;
        let request = self.next_request(cx.context);
        let offline = self.offline_dirs.keys().copied().collect();
        self.channel.send(request, offline, cx);
    }

    fn next_request(&self, context: &Context) -> Request {
        if !self.registered {
            return Request::from(BrokerRegistrationRequest {
                broker: context.id,
                incarnation: self.incarnation,
                rack: self.rack.clone(),
                log_dirs: self.log_dirs.clone(),
                previous_broker_epoch: self.previous_broker_epoch,
            });
        }
        Request::from(BrokerHeartbeatRequest {
            broker: context.id,
            broker_epoch: self.broker_epoch,
            current_metadata_offset: context.image.offset(),
            want_fence: !self.ready_to_unfence,
            want_shut_down: self.state == State::PendingControlledShutdown,
            offline_log_dirs: self.offline_dirs.keys().copied().collect(),
        })
    }

    /// Schedules the next request after `span`, or at once if an immediate one was requested
    /// meanwhile.
    fn schedule(&mut self, span: Span, cx: &mut Cx<'_>) {
        let after = if std::mem::take(&mut self.again) { Span::ZERO } else { span };
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Heartbeat), cx.io.now.mono + after);
    }

    /// Schedules the next request after `broker.heartbeat.interval.ms`; the back-off does not grow.
    fn schedule_after_failure(&mut self, cx: &mut Cx<'_>) {
        self.again = false;
        self.schedule(cx.context.config.heartbeat_interval, cx);
    }

    fn on_registered(&mut self, response: &BrokerRegistrationResponse, cx: &mut Cx<'_>) {
        if response.error != ErrorCode::None {
            return self.schedule_after_failure(cx);
        }
        self.registered = true;
        self.broker_epoch = response.broker_epoch;
        let clean = self.previous_broker_epoch.is_some();
        cx.io.out.observe(Fact::Registered { broker_epoch: response.broker_epoch, clean });
        self.schedule(Span::ZERO, cx);
    }

    fn on_heartbeat(
        &mut self,
        response: &BrokerHeartbeatResponse,
        offline: &[DirectoryId],
        cx: &mut Cx<'_>,
    ) {
        if response.error != ErrorCode::None {
            // A delayed request of an earlier life has replaced the registration. Kafka's broker
            // repeats its heartbeat forever.
            self.registered &= response.error != ErrorCode::StaleBrokerEpoch;
            return self.schedule_after_failure(cx);
        }
        self.offline_dirs.extend(offline.iter().map(|dir| (*dir, true)));
        if response.is_fenced != self.fenced {
            self.fenced = response.is_fenced;
            cx.io.out.observe(Fact::FencedChanged { fenced: response.is_fenced });
        }
        let interval = cx.context.config.heartbeat_interval;
        let next = match self.state {
            State::Starting => {
                if response.is_caught_up {
                    self.state = State::Recovery;
                }
                AFTER_CATCH_UP
            }
            State::Recovery => {
                if !response.is_fenced {
                    self.state = State::Running;
                }
                interval
            }
            State::Running => interval,
            State::PendingControlledShutdown if response.should_shut_down => {
                return self.shut_down_after(Span::ZERO, cx);
            }
            State::PendingControlledShutdown => {
                let is_first = !std::mem::replace(&mut self.shutdown_answered, true);
                if is_first { AFTER_SHUTDOWN_BEGAN } else { interval }
            }
            State::ShuttingDown => return,
        };
        self.schedule(next, cx);
    }

    /// SIGTERM. A running broker asks the controller to move its leaderships away, and waits for
    /// five minutes at most. A broker that is still starting ends at once, as its shutdown hook
    /// finds nothing to shut down (`BrokerServer.maybeChangeStatus`).
    pub(super) fn on_stop(&mut self, cx: &mut Cx<'_>) {
        match self.state {
            State::Starting | State::Recovery => cx.io.out.halt(Halt::Clean),
            State::Running => {
                self.state = State::PendingControlledShutdown;
                self.shut_down_after(CONTROLLED_SHUTDOWN, cx);
                self.schedule(Span::ZERO, cx);
            }
            State::PendingControlledShutdown | State::ShuttingDown => {}
        }
    }

    /// Sets the timer that shuts the broker down. It is a separate input, which waits for handlers
    /// that work on partitions.
    fn shut_down_after(&mut self, span: Span, cx: &mut Cx<'_>) {
        if span == Span::ZERO {
            self.state = State::ShuttingDown;
        }
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Shutdown), cx.io.now.mono + span);
    }
}

impl Part for Lifecycle {
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
        let Some((offline, body)) = self.channel.on_response(conn, correlation_id, body, cx) else {
            return Ok(());
        };
        self.in_flight = false;
        match body {
            Response::BrokerRegistration(response) => self.on_registered(&response, cx),
            Response::BrokerHeartbeat(response) => self.on_heartbeat(&response, &offline, cx),
            _ => {}
        }
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        self.channel.on_requests_timer(cx);
    }

    /// A request that was given up counts as failed.
    fn on_channel_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        if !self.channel.on_timer(cx).is_empty() {
            self.in_flight = false;
            self.schedule_after_failure(cx);
        }
    }
}
