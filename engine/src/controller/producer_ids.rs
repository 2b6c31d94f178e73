//! Blocks of producer ids (`ProducerIdControlManager`; KIP-730).

use super::cluster::{Cluster, Decision};
use crate::Outbox;
use crate::error::ErrorCode;
use crate::metadata::MetadataRecord;
use crate::protocol::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};

/// How many ids a block has (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
const BLOCK: i32 = 1000;

impl Cluster<'_> {
    /// Allocates the next block of ids to a broker. The response is sent when the record of the
    /// block is committed.
    ///
    /// # Errors
    ///
    /// `STALE_BROKER_EPOCH` if the request does not come from the registered life of the broker,
    /// `UNKNOWN_SERVER_ERROR` if there are no more ids.
    pub(super) fn allocate_producer_ids(
        &self,
        request: &AllocateProducerIdsRequest,
        out: &mut Outbox,
    ) -> Result<Decision<AllocateProducerIdsResponse>, ErrorCode> {
        self.living(request.broker, request.broker_epoch, out)?;
        let first = self.rules.first_of_block(out, self.image.next_producer_id());
        let next_producer_id =
            first.checked_add(i64::from(BLOCK)).ok_or(ErrorCode::UnknownServerError)?;
        let record = MetadataRecord::ProducerIds {
            broker: request.broker,
            broker_epoch: request.broker_epoch,
            next_producer_id,
        };
        let response = AllocateProducerIdsResponse {
            error: ErrorCode::None,
            first_producer_id: first,
            count: BLOCK,
        };
        Ok(Decision { records: vec![record], response })
    }
}
