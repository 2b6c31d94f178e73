//! A broker's heartbeat, and what it asks for (`BrokerHeartbeatManager.calculateNextBrokerState`,
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

/// What a broker is, in the eyes of the controller (`BrokerControlState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlState {
    /// It may neither lead nor be in sync.
    Fenced,
    /// It takes part.
    Unfenced,
    /// It hands its leaderships over.
    ControlledShutdown,
    /// It may end.
    ShutdownNow,
}

/// The answer to a heartbeat, and the state that it leaves the broker in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The state.
    pub(super) state: ControlState,
    /// The answer.
    pub(super) response: BrokerHeartbeatResponse,
}

impl Cluster<'_> {
    /// Decides about a heartbeat.
    ///
    /// # Errors
    ///
    /// `STALE_BROKER_EPOCH` if it is not of the registered life.
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
                    self.fence(request.broker, &mut records, out);
                }
                ControlState::Unfenced => self.unfence(request.broker, &mut records, out),
                ControlState::ControlledShutdown => {
                    self.begin_shutdown(registration, &mut records, out);
                }
            }
        }
        let response = BrokerHeartbeatResponse {
            error: ErrorCode::None,
            is_caught_up,
            is_fenced: matches!(state, ControlState::Fenced | ControlState::ShutdownNow),
            should_shut_down: state == ControlState::ShutdownNow,
        };
        Ok(Decision { records, response: Heard { state, response } })
    }

    /// The registration of a broker, if `epoch` is the life that it is of.
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
        let leads = || self.has_leaderships(request.broker);
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
                // Others must know the new leaders before this one goes, or clients would be
                // sent back to it.
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

    /// The shutdown is written down, so that the broker joins no ISR again in this life (KIP-841).
    fn begin_shutdown(
        &self,
        registration: &BrokerRegistration,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        if !registration.in_controlled_shutdown {
            records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
                broker: registration.id,
                broker_epoch: registration.epoch,
                fenced: None,
                in_controlled_shutdown: Some(true),
            }));
        }
        self.update_partitions(Transition::Leaves(registration.id), records, out);
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
