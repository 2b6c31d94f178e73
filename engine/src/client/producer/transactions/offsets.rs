//! Offsets of a group in a transaction (`TransactionManager.sendOffsetsToTransaction`,
//! `AddOffsetsToTxnHandler`, `TxnOffsetCommitHandler`; KIP-447).
//!
//! In the first protocol the coordinator of the transaction hears of the group first; in the second the
//! coordinator of the group adds its partition by itself.

use super::class::{self, Class};
use super::{Queued, Request, TransactionCall, TransactionError, TransactionState, Transactions};
use crate::client::group::GroupMetadata;
use crate::error::ErrorCode;
use crate::protocol::{NamedPartition, OffsetToCommit};
use std::sync::Arc;

/// Offsets to commit, and the membership in whose name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client::producer) struct Offsets {
    /// The membership.
    pub(in crate::client::producer) metadata: GroupMetadata,
    /// The offsets.
    pub(in crate::client::producer) offsets: Vec<OffsetToCommit>,
}

impl Transactions {
    /// Calls `sendOffsetsToTransaction`.
    pub(in crate::client::producer) fn send_offsets(
        &mut self,
        offsets: Offsets,
    ) -> Result<(), TransactionError> {
        self.refuse_while_pending()?;
        self.refuse_after_error()?;
        if self.state != TransactionState::InTransaction {
            return Err(TransactionError::IllegalState(self.state));
        }
        let call = TransactionCall::SendOffsets;
        let (identity, offsets) = (self.identity, Arc::new(offsets));
        if self.is_v2 {
            self.is_started = true;
            self.enqueue(Request::CommitOffsets { identity, offsets, is_v2: true }, Some(call));
        } else {
            self.enqueue(Request::AddOffsets { identity, offsets }, Some(call));
        }
        self.pending = Some(super::Pending { call, is_awaited: true, result: None });
        Ok(())
    }

    /// The coordinator of the transaction has responded about the group.
    pub(super) fn on_offsets_added(&mut self, queued: Queued, error: ErrorCode) {
        let Request::AddOffsets { identity, offsets } = &queued.request else { return };
        let (identity, offsets) = (*identity, Arc::clone(offsets));
        if let Some(call) = self.settle(queued, class::of_add_offsets(error)) {
            self.is_started = true;
            self.enqueue(Request::CommitOffsets { identity, offsets, is_v2: false }, call);
        }
    }

    /// The coordinator of the group has responded. Partitions with an error that may pass are sent
    /// again.
    pub(super) fn on_offsets_committed(
        &mut self,
        mut queued: Queued,
        results: &[(NamedPartition, ErrorCode)],
    ) {
        let classes = || results.iter().map(|(_, error)| class::of_commit_offsets(*error));
        let is_passing =
            |class: &Class| matches!(class, Class::Fine | Class::Retry | Class::FindCoordinator);
        if let Some(class) = classes().find(|class| !is_passing(class)) {
            self.settle(queued, class);
            return;
        }
        if let Request::CommitOffsets { offsets, .. } = &mut queued.request {
            let is_done = |it: &OffsetToCommit| {
                let mut own = results.iter().filter(|(partition, _)| *partition == it.partition);
                own.any(|(_, error)| error.is_none())
            };
            Arc::make_mut(offsets).offsets.retain(|it| !is_done(it));
        }
        let class = match classes().find(|class| *class == Class::FindCoordinator) {
            Some(class) => class,
            None => classes().find(|class| *class == Class::Retry).unwrap_or(Class::Fine),
        };
        if let Some(call) = self.settle(queued, class) {
            self.finish(call, Ok(()));
        }
    }
}
