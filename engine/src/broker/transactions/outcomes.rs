//! The reactions to the outcome of a record: responses, markers, or another attempt.

use super::Transactions;
use super::decide::Decider;
use super::markers::Completion;
use super::state::TransactionMetadata;
use super::writes::{Decided, Then};
use crate::broker::context::Cx;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{LeaderEpoch, TopicPartition, TransactionalId};
use crate::protocol::{
    AddOffsetsToTxnResponse, EndTxnResponse, InitProducerIdResponse, TransactionState,
};
use crate::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};

impl Transactions {
    /// Reacts to the outcome of an append of this coordinator epoch.
    pub(super) fn follow(
        &mut self,
        (partition, coordinator_epoch): (TopicPartition, LeaderEpoch),
        id: &TransactionalId,
        next: &TransactionMetadata,
        then: Then,
        outcome: Result<(), ErrorCode>,
        cx: &mut Cx<'_>,
    ) {
        match then {
            Then::Initialized(reply) => {
                if outcome.is_ok() {
                    cx.io.out.observe(Fact::TransactionalIdInitialized {
                        transactional_id: id.clone(),
                        producer_id: next.producer_id,
                        producer_epoch: next.producer_epoch,
                        coordinator_epoch,
                    });
                }
                reply.send(initialized(outcome.map(|()| next)), cx);
            }
            Then::Added(reply, place) => self.on_added(reply, place, outcome, cx),
            Then::OffsetsAdded(reply) => {
                let error = outcome.err().unwrap_or(ErrorCode::None);
                reply.send(AddOffsetsToTxnResponse { error }, cx);
            }
            Then::Decided(decided) => {
                self.on_decided(partition, id, next, decided, outcome, cx);
            }
            Then::Completed((producer_id, producer_epoch)) => match outcome {
                Ok(()) => cx.io.out.observe(Fact::TransactionCompleted {
                    transactional_id: id.clone(),
                    producer_id,
                    producer_epoch,
                    committed: next.state == TransactionState::CompleteCommit,
                    coordinator_epoch,
                }),
                Err(ErrorCode::CoordinatorNotAvailable) => {
                    let producer = (producer_id, producer_epoch);
                    let completion = Completion { coordinator_epoch, producer, next: next.clone() };
                    // It will be dropped if another coordinator epoch begins.
                    self.markers.retry_completion(partition.partition, id, completion);
                    self.arm_markers(cx);
                }
                // Another coordinator takes over.
                Err(_) => {}
            },
        }
    }

    /// Responds after a decision is committed or has failed; if it is committed, sends its markers.
    fn on_decided(
        &mut self,
        partition: TopicPartition,
        id: &TransactionalId,
        next: &TransactionMetadata,
        decided: Decided,
        outcome: Result<(), ErrorCode>,
        cx: &mut Cx<'_>,
    ) {
        let error = outcome.err();
        if error.is_some()
            && !matches!(decided, Decided::ByProducer { .. })
            && let Ok(Some(entry)) = self.shards.entry_in(partition.partition, id, |_| true)
        {
            let own_epoch = cx.context.rules.bumps_epoch_at_end(cx.io.out, next.client_version);
            entry.fence_failed |=
                !own_epoch && entry.metadata.producer_epoch == next.producer_epoch;
        }
        let timed_out = matches!(decided, Decided::ForTime);
        match decided {
            Decided::ByProducer { reply, own_epoch } => {
                let (mut producer_id, mut producer_epoch) = (NO_PRODUCER_ID, NO_PRODUCER_EPOCH);
                if error.is_none() && own_epoch {
                    let rules = &cx.context.rules;
                    let now_ms = cx.io.now.wall.0;
                    let mut decider = Decider { rules, out: cx.io.out, now_ms, level: 0 };
                    let over = decider.complete(next);
                    (producer_id, producer_epoch) = (over.producer_id, over.producer_epoch);
                }
                let error = error.unwrap_or(ErrorCode::None);
                reply.send(EndTxnResponse { error, producer_id, producer_epoch }, cx);
            }
            Decided::ForNext(reply) => {
                let error = error.unwrap_or(ErrorCode::ConcurrentTransactions);
                reply.send(initialized(Err(error)), cx);
            }
            Decided::ForTime => {}
        }
        if error.is_none() {
            self.observe_decision(partition, id, (next, timed_out), cx);
            self.send_markers_of(partition.partition, id, cx);
        }
    }

    fn observe_decision(
        &mut self,
        partition: TopicPartition,
        id: &TransactionalId,
        (next, timed_out): (&TransactionMetadata, bool),
        cx: &mut Cx<'_>,
    ) {
        let image = &cx.context.image;
        let known = next.partitions.iter().flat_map(|(topic, indexes)| {
            let topic = image.topic_by_name(topic).map(|topic| topic.id);
            let all = indexes.iter().map(move |index| Some(TopicPartition::new(topic?, *index)));
            all.flatten()
        });
        let partitions = known.collect();
        cx.io.out.observe(Fact::TransactionDecided {
            transactional_id: id.clone(),
            producer_id: next.producer_id,
            producer_epoch: next.producer_epoch,
            committed: next.state == TransactionState::PrepareCommit,
            timed_out,
            coordinator_epoch: self.shards.epoch(partition.partition).unwrap_or(-1),
            partitions,
        });
    }
}

/// The response to an InitProducerId request.
pub(super) fn initialized(
    outcome: Result<&TransactionMetadata, ErrorCode>,
) -> InitProducerIdResponse {
    match outcome {
        Ok(metadata) => InitProducerIdResponse {
            error: ErrorCode::None,
            producer_id: metadata.producer_id,
            producer_epoch: metadata.producer_epoch,
        },
        Err(error) => InitProducerIdResponse {
            error,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
        },
    }
}
