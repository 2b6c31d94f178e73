//! A broker's heartbeat and the broker's next state
//! (`BrokerHeartbeatManager.calculateNextBrokerState`,
//! `ReplicationControlManager.processBrokerHeartbeat`; KIP-631, KIP-841).

use super::cluster::{Cluster, Decision};
use super::heartbeats::Heartbeats;
use super::transition::Transition;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, BrokerId};
use crate::metadata::{BrokerRegistration, BrokerRegistrationChange, MetadataRecord};
use crate::protocol::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};
use crate::rules::fencing::RequestingLife;

/// The state of a broker at the controller (`BrokerControlState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlState {
    /// It may neither lead nor be in sync.
    Fenced,
    /// It may lead and be in sync.
    Unfenced,
    /// Its leaderships move to other brokers before it shuts down.
    ControlledShutdown,
    /// It may shut down.
    ShutdownNow,
}

/// The outcome of a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The next state of the broker.
    pub(super) state: ControlState,
    /// The response.
    pub(super) response: BrokerHeartbeatResponse,
}

impl Cluster<'_> {
    /// Decides about a heartbeat.
    ///
    /// # Errors
    ///
    /// `STALE_BROKER_EPOCH` if the broker epoch is not the registered one.
    pub(super) fn heartbeat(
        &self,
        request: &BrokerHeartbeatRequest,
        heartbeats: &Heartbeats,
        out: &mut Outbox,
    ) -> Result<Decision<Heard>, ErrorCode> {
        let registration = self.living(request.broker, request.broker_epoch, out)?;
        let is_caught_up = request.current_metadata_offset >= registration.registered_at;
        let present = present_state(registration, heartbeats);
        let state = self.next_state(present, request, is_caught_up, heartbeats);

        let mut records = Vec::new();
        if state != present {
            match state {
                ControlState::Fenced | ControlState::ShutdownNow => {
                    self.fence(request.broker, true, &mut records, out);
                }
                ControlState::Unfenced => self.unfence(request.broker, &mut records, out),
                ControlState::ControlledShutdown => {
                    self.begin_shutdown(registration, &mut records, out);
                }
            }
        }
        self.directories_offline(registration, &request.offline_log_dirs, &mut records, out);
        let response = BrokerHeartbeatResponse {
            error: ErrorCode::None,
            is_caught_up,
            is_fenced: matches!(state, ControlState::Fenced | ControlState::ShutdownNow),
            should_shut_down: state == ControlState::ShutdownNow,
        };
        Ok(Decision { records, response: Heard { state, response } })
    }

    /// Returns the registration of a broker, if `epoch` is its broker epoch.
    pub(super) fn living(
        &self,
        broker: BrokerId,
        epoch: BrokerEpoch,
        out: &mut Outbox,
    ) -> Result<&BrokerRegistration, ErrorCode> {
        let registration = self.image.broker(broker).ok_or(ErrorCode::StaleBrokerEpoch)?;
        let life = RequestingLife { requested: epoch, registered: registration.epoch };
        self.rules.check_broker_epoch(out, life).map(|()| registration)
    }

    fn next_state(
        &self,
        present: ControlState,
        request: &BrokerHeartbeatRequest,
        is_caught_up: bool,
        heartbeats: &Heartbeats,
    ) -> ControlState {
        let leads = || self.index.has_leaderships(request.broker);
        match present {
            ControlState::Fenced => {
                if request.want_shut_down {
                    ControlState::ShutdownNow
                } else if !request.want_fence && is_caught_up {
                    ControlState::Unfenced
                } else {
                    ControlState::Fenced
                }
            }
            ControlState::Unfenced => match (request.want_fence, request.want_shut_down) {
                (true, true) => ControlState::ShutdownNow,
                (true, false) => ControlState::Fenced,
                (false, true) if leads() => ControlState::ControlledShutdown,
                (false, true) => ControlState::ShutdownNow,
                (false, false) => ControlState::Unfenced,
            },
            ControlState::ControlledShutdown => {
                // The other brokers have to know the new leaders before this broker shuts down;
                // otherwise they would send clients back to it.
                let applied = heartbeats.lowest_active_offset();
                let wanted = heartbeats.shutdown_offset(request.broker);
                if !leads() && wanted.is_none_or(|wanted| wanted <= applied) {
                    ControlState::ShutdownNow
                } else {
                    ControlState::ControlledShutdown
                }
            }
            ControlState::ShutdownNow => ControlState::ShutdownNow,
        }
    }

    /// Adds the records that begin a controlled shutdown. The shutdown is recorded, so that the
    /// broker does not join any ISR again in this life (KIP-841).
    fn begin_shutdown(
        &self,
        registration: &BrokerRegistration,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        if !registration.in_controlled_shutdown {
            records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
                in_controlled_shutdown: Some(true),
                ..BrokerRegistrationChange::of(registration)
            }));
        }
        let partitions = self.index.in_isr(registration.id);
        self.update_partitions(Transition::Leaves(registration.id), partitions, records, out);
    }
}

fn present_state(registration: &BrokerRegistration, heartbeats: &Heartbeats) -> ControlState {
    if registration.fenced {
        ControlState::Fenced
    } else if heartbeats.shutdown_offset(registration.id).is_some() {
        ControlState::ControlledShutdown
    } else {
        ControlState::Unfenced
    }
}
