//! From JSON to requests to the coordinators of transactions.

use super::requests::{NotModelled, list, long, partitions, text};
use super::topics::Topics;
use crate::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, CoordinatorType, EndTxnRequest,
    FindCoordinatorRequest, InitProducerIdRequest, ListTransactionsRequest, Request,
    TransactionState, TxnMarker, WriteTxnMarkersRequest,
};
use machine::Span;
use serde_json::Value;

pub(super) fn find_coordinator(body: &Value) -> Result<Vec<Request>, NotModelled> {
    let key_type = match body["keyType"].as_i64() {
        Some(1) => CoordinatorType::Transaction,
        Some(0) | None => CoordinatorType::Group,
        Some(_) => return Err("types of coordinators are those that exist"),
    };
    let ask = |key: &str| Request::from(FindCoordinatorRequest { key_type, key: key.into() });
    Ok(match body.get("coordinatorKeys") {
        Some(keys) => list(keys).map(|key| ask(text(key))).collect(),
        None => vec![ask(text(&body["key"]))],
    })
}

pub(super) fn init_producer_id(body: &Value) -> Request {
    InitProducerIdRequest {
        transactional_id: body["transactionalId"].as_str().map(Into::into),
        // A negative value is as wrong as 0.
        transaction_timeout: Span::millis(body["transactionTimeoutMs"].as_u64().unwrap_or(0)),
        producer_id: long(&body["producerId"]),
        producer_epoch: long(&body["producerEpoch"]) as i16,
    }
    .into()
}

pub(super) fn add_partitions(
    topics: &mut Topics,
    version: i16,
    body: &Value,
) -> AddPartitionsToTxnRequest {
    let mut all = Vec::new();
    if version <= AddPartitionsToTxnRequest::OF_CLIENTS {
        all.push(AddPartitionsToTxn {
            transactional_id: text(&body["v3AndBelowTransactionalId"]).into(),
            producer_id: long(&body["v3AndBelowProducerId"]),
            producer_epoch: long(&body["v3AndBelowProducerEpoch"]) as i16,
            verify_only: false,
            partitions: partitions(topics, &body["v3AndBelowTopics"], "name", "partitions"),
        });
    }
    for it in list(&body["transactions"]) {
        all.push(AddPartitionsToTxn {
            transactional_id: text(&it["transactionalId"]).into(),
            producer_id: long(&it["producerId"]),
            producer_epoch: long(&it["producerEpoch"]) as i16,
            verify_only: it["verifyOnly"].as_bool().unwrap_or(false),
            partitions: partitions(topics, &it["topics"], "name", "partitions"),
        });
    }
    AddPartitionsToTxnRequest { version, transactions: all }
}

pub(super) fn end_txn(version: i16, body: &Value) -> EndTxnRequest {
    EndTxnRequest {
        version,
        transactional_id: text(&body["transactionalId"]).into(),
        producer_id: long(&body["producerId"]),
        producer_epoch: long(&body["producerEpoch"]) as i16,
        committed: body["committed"].as_bool().unwrap_or(false),
    }
}

pub(super) fn write_markers(topics: &mut Topics, body: &Value) -> WriteTxnMarkersRequest {
    let mut markers = Vec::new();
    for marker in list(&body["markers"]) {
        markers.push(TxnMarker {
            producer_id: long(&marker["producerId"]),
            producer_epoch: long(&marker["producerEpoch"]) as i16,
            committed: marker["transactionResult"].as_bool().unwrap_or(false),
            coordinator_epoch: long(&marker["coordinatorEpoch"]) as i32,
            own_epoch: false,
            partitions: partitions(topics, &marker["topics"], "name", "partitionIndexes"),
        });
    }
    WriteTxnMarkersRequest { markers }
}

pub(super) fn list_transactions(body: &Value) -> ListTransactionsRequest {
    let named = list(&body["stateFilters"]);
    let known = |name: &Value| TransactionState::ALL.into_iter().find(|it| *name == it.name());
    let mut states: Vec<TransactionState> = named.filter_map(known).collect();
    if states.is_empty() && list(&body["stateFilters"]).next().is_some() {
        // No existing transactional id was requested; none is ever in this state.
        states.push(TransactionState::PrepareEpochFence);
    }
    ListTransactionsRequest {
        states,
        producer_ids: list(&body["producerIdFilters"]).map(long).collect(),
        duration_ms: long(&body["durationFilter"]),
    }
}
