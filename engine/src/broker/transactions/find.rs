//! FindCoordinator, and the internal topic that it creates (`KafkaApis.getCoordinator`,
//! `DefaultAutoTopicCreationManager`).

use super::place::{TRANSACTION_STATE, coordinator_of};
use crate::broker::context::Cx;
use crate::broker::forward::Forwards;
use crate::error::ErrorCode;
use crate::protocol::{
    CoordinatorType, CreatableTopic, FindCoordinatorRequest, FindCoordinatorResponse,
};

/// The coordinator of a transactional id, as far as this broker knows. If `__transaction_state`
/// does not exist, the controller is asked to create it, and the client has to retry.
pub(in crate::broker) fn find_coordinator(
    request: &FindCoordinatorRequest,
    forwards: &mut Forwards,
    cx: &mut Cx<'_>,
) -> FindCoordinatorResponse {
    let refused = |error| FindCoordinatorResponse { error, node: None };
    if request.key_type != CoordinatorType::Transaction {
        return refused(ErrorCode::InvalidRequest);
    }
    let image = &cx.context.image;
    if image.topic_by_name(TRANSACTION_STATE).is_none() {
        let topic = transaction_state(cx);
        forwards.create_internal_topic(topic, cx);
        return refused(ErrorCode::CoordinatorNotAvailable);
    }
    match coordinator_of(image, &request.key) {
        Some((node, _)) => FindCoordinatorResponse { error: ErrorCode::None, node: Some(node) },
        None => refused(ErrorCode::CoordinatorNotAvailable),
    }
}

/// The settings of `__transaction_state`. Kafka's `cleanup.policy=compact` is left out, because
/// logs are not compacted here.
fn transaction_state(cx: &Cx<'_>) -> CreatableTopic {
    let config = &cx.context.config;
    let configs = [
        ("unclean.leader.election.enable", "false".to_owned()),
        ("min.insync.replicas", config.transaction_log_min_isr.to_string()),
        ("segment.bytes", config.transaction_log_segment_bytes.to_string()),
    ];
    CreatableTopic {
        name: TRANSACTION_STATE.to_owned(),
        num_partitions: i32::try_from(config.transaction_log_partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(config.transaction_log_replication_factor)
            .unwrap_or(i16::MAX),
        assignments: Vec::new(),
        configs: configs.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}
