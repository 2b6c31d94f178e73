//! The committed offsets from which a member begins with its partitions
//! (`ConsumerCoordinator.initWithCommittedOffsetsIfNeeded`). A partition without one begins where
//! `auto.offset.reset` says.

use super::GroupConsumer;
use super::join::Join;
use super::state::Context;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::MemberFact;
use crate::ids::BrokerId;
use crate::protocol::{FetchedOffset, NamedPartition, OffsetFetchRequest, OffsetFetchResponse};
use machine::{Mono, Now};
use std::sync::Arc;

/// The progress of fetching committed offsets.
#[derive(Clone, Debug, Default)]
pub(super) struct Committed {
    /// The number of the question in flight, and the generation of the partitions in it.
    in_flight: Option<(u64, i32)>,
    next_question: u64,
    failures: u32,
    /// The next question is not asked before this.
    pub(super) not_before: Mono,
}

impl GroupConsumer {
    /// Asks for the committed offsets of partitions that have no position. Transactions that have
    /// offsets of them have to end first (KIP-447). A member that has to join again does so first
    /// (`updateAssignmentMetadataIfNeeded`).
    pub(super) fn fetch_committed(&mut self, now: Mono, out: &mut Outbox) {
        let joins =
            self.membership.is_none() && (self.needs_rejoin || !matches!(self.join, Join::None));
        let may_ask = self.is_polling && !joins && self.committed.in_flight.is_none();
        if !may_ask || now < self.committed.not_before {
            return;
        }
        let partitions = self.consumer.awaiting_committed();
        let Some(node) = self.coordinator.filter(|_| !partitions.is_empty()) else { return };
        if !self.is_ready(now, node, out) {
            return;
        }
        let question = self.committed.next_question;
        self.committed.next_question += 1;
        self.committed.in_flight = Some((question, self.owned_in.id));
        let asked = MemberFact::CommittedAsked {
            group: Arc::clone(&self.group),
            question,
            partitions: self.ids(&partitions),
        };
        self.observe(asked, out);
        let group = Arc::clone(&self.group);
        let names_member = self.membership.is_some() && self.generation.is_member();
        let request = OffsetFetchRequest {
            group,
            partitions: Some(partitions),
            member: names_member.then(|| Arc::clone(&self.generation.member)),
            epoch: if names_member { self.generation.id } else { -1 },
            require_stable: true,
        };
        let timeout = self.config.request_timeout;
        self.send(now, node, request, timeout, Context::Fetch(question), out);
    }

    /// Committed offsets were returned.
    pub(super) fn on_committed_shown(
        &mut self,
        now: Now,
        coordinator: BrokerId,
        question: u64,
        response: &OffsetFetchResponse,
        out: &mut Outbox,
    ) {
        let asked = self.committed.in_flight.take();
        if let Some(error) = first_error(response) {
            self.on_fetch_refused(now.mono, error, out);
            return;
        }
        self.committed.failures = 0;
        let offset = |it: &FetchedOffset| (it.offset >= 0).then_some(it.offset);
        let shown = MemberFact::CommittedShown {
            group: Arc::clone(&self.group),
            question,
            coordinator,
            offsets: response
                .offsets
                .iter()
                .filter_map(|it| Some((self.consumer.id_of(&it.partition)?, offset(it))))
                .collect(),
        };
        self.observe(shown, out);
        if asked != Some((question, self.owned_in.id)) {
            // The partitions have been assigned anew: they are asked for again.
            return;
        }
        let waiting: Vec<NamedPartition> = self.consumer.awaiting_committed();
        for it in response.offsets.iter().filter(|it| waiting.contains(&it.partition)) {
            let epoch = (it.leader_epoch >= 0).then_some(it.leader_epoch);
            let position = offset(it).map(|offset| (offset, epoch));
            self.consumer.set_committed(now, &it.partition, position, out);
        }
    }

    fn on_fetch_refused(&mut self, now: Mono, error: ErrorCode, out: &mut Outbox) {
        match error {
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
                self.forget_coordinator(now, out);
                self.on_committed_lost(now);
            }
            // The epoch has risen since: the request is repeated with the present one.
            ErrorCode::StaleMemberEpoch if self.generation.is_member() => {
                self.on_committed_lost(now);
            }
            // `UNKNOWN_TOPIC_OR_PARTITION` may be repeated elsewhere; here it throws.
            ErrorCode::UnknownTopicOrPartition => self.fail(error),
            _ if error.is_retriable() => self.on_committed_lost(now),
            _ => self.fail(error),
        }
    }

    /// Committed offsets will not be returned: they are asked for again after a back-off.
    pub(super) fn on_committed_lost(&mut self, now: Mono) {
        self.committed.in_flight = None;
        self.committed.failures += 1;
        let wait = self.backoff.after(self.committed.failures, &mut self.random);
        self.committed.not_before = now + wait;
    }
}

/// The error of the response, or of one of its partitions: then none of them is used.
fn first_error(response: &OffsetFetchResponse) -> Option<ErrorCode> {
    let of_partitions = response.offsets.iter().map(|it| it.error);
    std::iter::once(response.error).chain(of_partitions).find(|error| !error.is_none())
}
