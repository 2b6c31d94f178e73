//! Requests that describe transactional ids: DescribeTransactions, ListTransactions (KIP-664).

use super::state::TransactionMetadata;
use super::{Transactions, now_ms};
use crate::broker::context::Cx;
use crate::broker::internal_topics::Internal;
use crate::error::ErrorCode;
use crate::ids::{TopicPartition, TransactionalId};
use crate::protocol::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, DescribedTransaction,
    ListTransactionsRequest, ListTransactionsResponse, ListedTransaction,
};

impl Transactions {
    /// The state of transactional ids.
    pub(in crate::broker) fn describe(
        &self,
        request: &DescribeTransactionsRequest,
        cx: &Cx<'_>,
    ) -> DescribeTransactionsResponse {
        let ids = request.transactional_ids.iter();
        let described = ids.map(|id| match self.describe_id(id, cx) {
            Ok(described) => described,
            Err(error) => DescribedTransaction::refused(id.clone(), error),
        });
        DescribeTransactionsResponse { transactions: described.collect() }
    }

    fn describe_id(
        &self,
        id: &TransactionalId,
        cx: &Cx<'_>,
    ) -> Result<DescribedTransaction, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let image = &cx.context.image;
        let partition = Internal::TransactionState.partition_of(image, id);
        let partition = partition.ok_or(ErrorCode::NotCoordinator)?;
        let shard = self.shards.get(partition.partition)?;
        let entry = shard.entries.get(id).ok_or(ErrorCode::TransactionalIdNotFound)?;
        let metadata = &entry.metadata;
        let partitions = metadata.partitions.iter().flat_map(|(topic, indexes)| {
            let topic = image.topic_by_name(topic).map(|topic| topic.id);
            let all = indexes.iter().map(move |index| Some(TopicPartition::new(topic?, *index)));
            all.flatten()
        });
        Ok(DescribedTransaction {
            error: ErrorCode::None,
            transactional_id: id.clone(),
            state: Some(metadata.state),
            timeout_ms: metadata.timeout_ms,
            start_ms: metadata.start_ms,
            producer_id: metadata.producer_id,
            producer_epoch: metadata.producer_epoch,
            partitions: partitions.collect(),
        })
    }

    /// The transactional ids that this broker coordinates, filtered by the request.
    pub(in crate::broker) fn list(
        &self,
        request: &ListTransactionsRequest,
        cx: &Cx<'_>,
    ) -> ListTransactionsResponse {
        if !self.shards.loading.is_empty() {
            let error = ErrorCode::CoordinatorLoadInProgress;
            return ListTransactionsResponse { error, transactions: Vec::new() };
        }
        let entries = self.shards.all().flat_map(|(_, shard)| &shard.entries);
        let wanted = entries.filter(|(_, entry)| is_wanted(&entry.metadata, request, now_ms(cx)));
        let listed = wanted.map(|(id, entry)| ListedTransaction {
            transactional_id: id.clone(),
            producer_id: entry.metadata.producer_id,
            state: entry.metadata.state,
        });
        ListTransactionsResponse { error: ErrorCode::None, transactions: listed.collect() }
    }
}

fn is_wanted(
    metadata: &TransactionMetadata,
    request: &ListTransactionsRequest,
    now_ms: i64,
) -> bool {
    let ListTransactionsRequest { states, producer_ids, duration_ms } = request;
    (states.is_empty() || states.contains(&metadata.state))
        && (producer_ids.is_empty() || producer_ids.contains(&metadata.producer_id))
        && (*duration_ms < 0 || now_ms - metadata.start_ms > *duration_ms)
}
