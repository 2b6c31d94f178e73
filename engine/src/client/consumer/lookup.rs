//! A consumer's requests for offsets (`OffsetFetcher`): of the start position, of the end of a
//! partition, of a timestamp, and to validate a position after a leader change (KIP-320).

use super::in_step::InStep;
use super::position::{Assigned, End, Position, State, Time};
use super::{Consumer, ConsumerError, ConsumerEvent, Context};
use crate::Outbox;
use crate::config::Reset;
use crate::error::ErrorCode;
use crate::fact::Positioning;
use crate::fact::{ClientFact, Fact};
use crate::ids::{LeaderEpoch, TopicPartition};
use crate::protocol::{
    EARLIEST_TIMESTAMP, EpochEndOffset, LATEST_TIMESTAMP, ListOffset, ListOffsetsRequest,
    ListOffsetsResponse, ListedOffset, OffsetForLeaderEpoch, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};
use machine::{Mono, NodeId};

/// The purpose of a request for an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To reset the position.
    Reset,
    /// The application requested the end offset.
    End,
    /// The application requested the offset of a timestamp.
    Time,
}

/// An offset that was requested.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    index: usize,
    partition: TopicPartition,
    stamp: u64,
    /// The leader epoch of the request.
    epoch: LeaderEpoch,
    timestamp: i64,
    purpose: Purpose,
    /// The number of the request.
    question: u64,
}

impl Consumer {
    /// Sends the requests that are due, one of each kind to a leader.
    pub(super) fn look_up(&mut self, now: Mono, out: &mut Outbox) {
        for index in self.places.questions(&self.partitions) {
            let assigned = &self.partitions[index];
            let Some((node, _)) = assigned.leader else { continue };
            let (offset, epoch) = (self.wanted_offset(now, index), self.is_to_validate(now, index));
            if (offset.is_some() || epoch) && self.can_send(now, node, out) {
                if offset.is_some() {
                    self.list_offsets(now, node, out);
                }
                if epoch {
                    self.ask_epochs(now, node, out);
                }
            }
        }
    }

    fn wanted_offset(&self, now: Mono, index: usize) -> Option<Asked> {
        let assigned = &self.partitions[index];
        if assigned.not_before > now {
            return None;
        }
        let (timestamp, purpose) = match (assigned.state, assigned.time) {
            (State::Resetting { to: Reset::Earliest, .. }, _) if !assigned.asked => {
                (EARLIEST_TIMESTAMP, Purpose::Reset)
            }
            (State::Resetting { .. }, _) if !assigned.asked => (LATEST_TIMESTAMP, Purpose::Reset),
            (State::Unresolved | State::Initializing, _) => return None,
            _ if assigned.end == End::Wanted => (LATEST_TIMESTAMP, Purpose::End),
            (_, Time::Wanted(timestamp)) => (timestamp, Purpose::Time),
            _ => return None,
        };
        let (_, epoch) = assigned.leader?;
        let (partition, stamp) = (assigned.partition, assigned.stamp);
        Some(Asked { index, partition, stamp, epoch, timestamp, purpose, question: 0 })
    }

    fn is_to_validate(&self, now: Mono, index: usize) -> bool {
        let assigned = &self.partitions[index];
        let validates = matches!(assigned.state, State::Validating { .. });
        validates && !assigned.asked && assigned.not_before <= now
    }

    fn list_offsets(&mut self, now: Mono, node: NodeId, out: &mut Outbox) {
        let mut all_asked = Vec::new();
        let mut partitions = Vec::new();
        let question = self.stamp();
        for index in self.places.questions(&self.partitions) {
            let Some(asked) = self.wanted_offset(now, index) else { continue };
            let asked = Asked { question, ..asked };
            let assigned = &mut self.partitions[index];
            if assigned.leader.is_none_or(|(leader, _)| leader != node) {
                continue;
            }
            match asked.purpose {
                Purpose::End => assigned.end = End::Asked,
                Purpose::Time => assigned.time = Time::Asked(asked.timestamp),
                Purpose::Reset => assigned.asked = true,
            }
            if asked.timestamp == LATEST_TIMESTAMP {
                let partition = asked.partition;
                out.observe(Fact::Client(ClientFact::EndAsked { partition, question }));
            }
            all_asked.push(asked);
            partitions.push(ListOffset {
                partition: assigned.partition,
                current_leader_epoch: Some(asked.epoch),
                timestamp: asked.timestamp,
            });
        }
        let isolation = self.isolation();
        let request = ListOffsetsRequest { replica: None, isolation, partitions };
        let timeout = self.config.request_timeout;
        self.channels.send(now, node, request, timeout, Context::ListOffsets(all_asked), out);
    }

    /// Handles returned offsets.
    pub(super) fn on_offsets(
        &mut self,
        now: Mono,
        node: NodeId,
        asked: &[Asked],
        response: &ListOffsetsResponse,
    ) {
        let mut results = InStep::new(&response.partitions);
        for asked in asked {
            if self.still(*asked).is_none() {
                continue;
            }
            match results.find(|result| result.partition == asked.partition) {
                Some(result) if result.error.is_none() && asked.purpose == Purpose::Time => {
                    self.on_time(node, *asked, result);
                }
                Some(result) if result.error.is_none() && result.offset >= 0 => {
                    self.on_offset(node, *asked, result);
                }
                result => {
                    let error = result.map_or(ErrorCode::UnknownServerError, |a| a.error);
                    self.on_retriable(error);
                    self.on_offsets_lost(now, &[*asked]);
                    if !error.is_retriable() {
                        self.error(asked.index, ConsumerError::Unexpected(error));
                    }
                }
            }
        }
    }

    fn on_offset(&mut self, node: NodeId, asked: Asked, result: &ListedOffset) {
        let partition = result.partition;
        if asked.timestamp == LATEST_TIMESTAMP {
            let (offset, broker, question) = (result.offset, node.node, asked.question);
            self.events.push(ConsumerEvent::EndShown { partition, offset, broker, question });
        }
        if asked.purpose == Purpose::End {
            let assigned = &mut self.partitions[asked.index];
            if assigned.end == End::Asked {
                assigned.end = End::NotWanted;
            }
            return;
        }
        let Some(assigned) = self.unmoved((asked.index, asked.stamp)) else { return };
        let State::Resetting { why, .. } = assigned.state else { return };
        let (offset, offset_epoch) = (result.offset, result.leader_epoch);
        let position = Position { offset, offset_epoch, leader_epoch: Some(asked.epoch) };
        self.move_to(asked.index, position, why);
    }

    /// Handles the offset of the first record with a timestamp or a later one; -1 if there is none.
    fn on_time(&mut self, node: NodeId, asked: Asked, result: &ListedOffset) {
        let (timestamp, partition, broker) = (asked.timestamp, result.partition, node.node);
        let offset = (result.offset >= 0).then_some(result.offset);
        let assigned = &mut self.partitions[asked.index];
        if assigned.time == Time::Asked(timestamp) {
            assigned.time = Time::NotWanted;
            self.events.push(ConsumerEvent::TimeShown { partition, timestamp, offset, broker });
        }
    }

    /// Handles the loss of a request for offsets.
    pub(super) fn on_offsets_lost(&mut self, now: Mono, asked: &[Asked]) {
        for asked in asked {
            let Some(assigned) = self.still(*asked) else { continue };
            match asked.purpose {
                Purpose::End if assigned.end == End::Asked => assigned.end = End::Wanted,
                Purpose::Time if assigned.time == Time::Asked(asked.timestamp) => {
                    assigned.time = Time::Wanted(asked.timestamp);
                }
                Purpose::Reset if assigned.stamp == asked.stamp => assigned.asked = false,
                _ => {}
            }
            self.places.ask(asked.index);
            self.back_off(now, asked.index);
        }
    }

    /// The partition of a request, unless the assignment has changed since.
    fn still(&mut self, asked: Asked) -> Option<&mut Assigned> {
        let assigned = self.partitions.get_mut(asked.index)?;
        (assigned.partition == asked.partition).then_some(assigned)
    }

    fn ask_epochs(&mut self, now: Mono, node: NodeId, out: &mut Outbox) {
        let mut asked = Vec::new();
        let mut partitions = Vec::new();
        for index in self.places.questions(&self.partitions) {
            if !self.is_to_validate(now, index) {
                continue;
            }
            let assigned = &mut self.partitions[index];
            let Some((_, epoch)) = assigned.leader.filter(|(leader, _)| *leader == node) else {
                continue;
            };
            let position = assigned.position.expect("a position is validated");
            assigned.asked = true;
            asked.push((index, assigned.stamp));
            partitions.push(OffsetForLeaderEpoch {
                partition: assigned.partition,
                current_leader_epoch: Some(epoch),
                leader_epoch: position.offset_epoch.expect("only a known epoch is validated"),
            });
        }
        let request = OffsetForLeaderEpochRequest { partitions };
        let timeout = self.config.request_timeout;
        self.channels.send(now, node, request, timeout, Context::Epochs(asked), out);
    }

    /// Handles returned end offsets of epochs.
    pub(super) fn on_epochs(
        &mut self,
        now: Mono,
        asked: &[(usize, u64)],
        response: &OffsetForLeaderEpochResponse,
    ) {
        let mut results = InStep::new(&response.partitions);
        for (index, stamp) in asked.iter().copied() {
            let Some(assigned) = self.unmoved((index, stamp)) else { continue };
            let partition = assigned.partition;
            match results.find(|result| result.partition == partition) {
                Some(result) if result.error.is_none() => self.on_end_of_epoch(index, result.end),
                result => {
                    let error = result.map_or(ErrorCode::UnknownServerError, |a| a.error);
                    self.on_retriable(error);
                    self.on_epochs_lost(now, &[(index, stamp)]);
                    if !error.is_retriable() {
                        self.error(index, ConsumerError::Unexpected(error));
                    }
                }
            }
        }
    }

    /// The leader returned the end offset of the position's epoch
    /// (`SubscriptionState.maybeCompleteValidation`).
    fn on_end_of_epoch(&mut self, index: usize, end: Option<EpochEndOffset>) {
        let assigned = &mut self.partitions[index];
        let State::Validating { under } = assigned.state else { return };
        let leader_epoch = Some(under);
        let position = assigned.position.as_mut().expect("a position was validated");
        let offset = position.offset;
        match end {
            Some(end) if end.end_offset >= offset => {
                position.leader_epoch = leader_epoch;
                assigned.turn(State::Reading, assigned.stamp);
                self.is_unadopted = true;
            }
            Some(end) if self.config.auto_offset_reset != Reset::None => {
                let offset_epoch = Some(end.epoch);
                let position = Position { offset: end.end_offset, offset_epoch, leader_epoch };
                self.move_to(index, position, Positioning::Truncated);
            }
            diverging => {
                let error = ConsumerError::LogTruncation { position: offset, diverging };
                self.reset(index, Positioning::Truncated, error);
            }
        }
    }

    /// Handles the loss of a request for end offsets of epochs.
    pub(super) fn on_epochs_lost(&mut self, now: Mono, asked: &[(usize, u64)]) {
        for (index, stamp) in asked.iter().copied() {
            if let Some(assigned) = self.unmoved((index, stamp)) {
                assigned.asked = false;
                self.places.ask(index);
                self.back_off(now, index);
            }
        }
    }
}
