//! Periodic work of coordinators: aborting transactions that are open for too long, and forgetting
//! unused ids (`abortTimedOutTransactions`, `removeExpiredTransactionalIds`).

use super::writes::Decided;
use super::{Services, Transactions, now_ms};
use crate::broker::context::Cx;
use crate::fact::Fact;
use crate::ids::TransactionalId;
use crate::protocol::TransactionState;
use crate::reach::Reach;
use crate::rules::transaction::{Open, Unused};
use crate::timer::{BrokerTimer, Timer, TransactionTimer};
use machine::{Halt, Span};

/// The largest number of ids in one batch of tombstones.
const TOMBSTONES: usize = 1000;

impl Transactions {
    /// Sets the periodic timers, when the first partition is taken over.
    pub(super) fn start_periodic(&mut self, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.periodic, true) {
            schedule(TransactionTimer::TimedOut, cx);
            schedule(TransactionTimer::ExpiredIds, cx);
        }
    }

    /// Aborts the transactions that are open for too long, except those with a record on its way.
    pub(super) fn abort_timed_out(
        &mut self,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        schedule(TransactionTimer::TimedOut, cx);
        let now_ms = now_ms(cx);
        let mut overdue = Vec::new();
        for (_, shard) in self.shards.all() {
            for (id, entry) in &shard.entries {
                let metadata = &entry.metadata;
                let (start_ms, timeout_ms) = (metadata.start_ms, metadata.timeout_ms);
                if metadata.state == TransactionState::Ongoing
                    && entry.pending.is_none()
                    && cx
                        .context
                        .rules
                        .is_timed_out(cx.io.out, Open { start_ms, timeout_ms, now_ms })
                {
                    overdue.push((shard.partition, id.clone()));
                }
            }
        }
        for (partition, id) in overdue {
            cx.io.out.observe(Fact::Reached(Reach::TransactionTimedOut));
            self.abort(partition, &id, Decided::ForTime, services, cx)?;
        }
        Ok(())
    }

    /// Writes tombstones for the ids that have not been used for `transactional.id.expiration.ms`.
    pub(super) fn expire_ids(
        &mut self,
        services: &mut Services<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        schedule(TransactionTimer::ExpiredIds, cx);
        let now_ms = now_ms(cx);
        let expiration_ms = cx.context.config.transactional_id_expiration.as_millis();
        let expiration_ms = i64::try_from(expiration_ms).unwrap_or(i64::MAX);
        for index in self.shards.indexes() {
            let Ok(shard) = self.shards.get_mut(index) else { continue };
            let (partition, epoch) = (shard.partition, shard.epoch);
            let mut expired: Vec<(TransactionalId, i16)> = Vec::new();
            for (id, entry) in &mut shard.entries {
                let metadata = &entry.metadata;
                let unused_ms = now_ms.saturating_sub(metadata.last_update_ms);
                let unused = Unused { state: metadata.state, unused_ms, expiration_ms };
                if entry.pending.is_none() && cx.context.rules.is_id_expired(cx.io.out, unused) {
                    expired.push((id.clone(), metadata.producer_epoch));
                    entry.pending = Some(TransactionState::Dead);
                }
            }
            for ids in expired.chunks(TOMBSTONES) {
                cx.io.out.observe(Fact::Reached(Reach::TransactionalIdExpired));
                self.write_tombstones(partition, epoch, ids.to_vec(), services, cx)?;
            }
        }
        Ok(())
    }
}

fn schedule(timer: TransactionTimer, cx: &mut Cx<'_>) {
    let config = &cx.context.config;
    let interval: Span = match timer {
        TransactionTimer::TimedOut => config.transaction_abort_interval,
        _ => config.transactional_id_expiration_check,
    };
    cx.io.out.set_timer(Timer::Broker(BrokerTimer::Transaction(timer)), cx.io.now.mono + interval);
}
