//! The registration of a broker (`ClusterControlManager.registerBroker`; KIP-631, KIP-966).

use super::cluster::{Cluster, Decision};
use super::transition::Transition;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::Offset;
use crate::metadata::{BrokerRegistration, MetadataRecord, RegisterBroker};
use crate::protocol::{BrokerRegistrationRequest, BrokerRegistrationResponse};
use crate::rules::election::LastLife;

impl Cluster<'_> {
    /// Registers a broker. `next_offset` is the offset of the first record of the decision, and
    /// becomes the broker's epoch; `has_session` says whether the existing registration has sent a
    /// heartbeat within the session time-out.
    ///
    /// # Errors
    ///
    /// `DUPLICATE_BROKER_REGISTRATION` if another incarnation of that broker has a session, even if
    /// that incarnation was shut down cleanly: only the end of the session frees the id.
    /// `INVALID_REGISTRATION` for impossible log directories.
    pub(super) fn register(
        &self,
        request: &BrokerRegistrationRequest,
        next_offset: Offset,
        has_session: bool,
        out: &mut Outbox,
    ) -> Result<Decision<BrokerRegistrationResponse>, ErrorCode> {
        let existing = self.image.broker(request.broker);
        let is_same_life =
            |existing: &BrokerRegistration| existing.incarnation == request.incarnation;
        if has_session && !existing.is_some_and(is_same_life) {
            return Err(ErrorCode::DuplicateBrokerRegistration);
        }
        self.check_log_dirs(request)?;
        if let Some(existing) = existing.filter(|existing| is_same_life(existing)) {
            return Ok(repeat(existing, request));
        }
        let record = RegisterBroker {
            broker: request.broker,
            incarnation: request.incarnation,
            broker_epoch: next_offset,
            rack: request.rack.clone(),
            fenced: true,
            in_controlled_shutdown: false,
            log_dirs: request.log_dirs.clone(),
        };
        // The end of the last life is recorded first, in the same batch.
        let mut records = Vec::new();
        if let Some(existing) = existing {
            let transition = self.end_of(existing, request, out);
            self.clean_up(transition, &mut records, out);
        }
        records.push(MetadataRecord::RegisterBroker(record));
        let response =
            BrokerRegistrationResponse { error: ErrorCode::None, broker_epoch: next_offset };
        Ok(Decision { records, response })
    }

    /// How the last life ended. Without ELRs an unclean end is treated as a clean one, and the last
    /// member of an ISR leads again even if it has lost records (KIP-966).
    fn end_of(
        &self,
        last: &BrokerRegistration,
        request: &BrokerRegistrationRequest,
        out: &mut Outbox,
    ) -> Transition {
        let life = LastLife {
            in_clean_shutdown_file: request.previous_broker_epoch,
            registered: last.epoch,
        };
        if self.keeps_eligible_leaders() && self.rules.ended_uncleanly(out, life) {
            Transition::EndedUncleanly(last.id)
        } else {
            Transition::Leaves(last.id)
        }
    }
}

/// The same life registers again: its epoch and its state stay the same (KAFKA-16952).
fn repeat(
    existing: &BrokerRegistration,
    request: &BrokerRegistrationRequest,
) -> Decision<BrokerRegistrationResponse> {
    let record = RegisterBroker {
        broker: existing.id,
        incarnation: existing.incarnation,
        broker_epoch: existing.epoch,
        rack: request.rack.clone(),
        fenced: existing.fenced,
        in_controlled_shutdown: existing.in_controlled_shutdown,
        log_dirs: request.log_dirs.clone(),
    };
    Decision {
        records: vec![MetadataRecord::RegisterBroker(record)],
        response: BrokerRegistrationResponse {
            error: ErrorCode::None,
            broker_epoch: existing.epoch,
        },
    }
}
