//! What is drawn for swarms with transactional producers.
//!
//! `transaction.version` is not drawn. Under version 1 all transactions of a producer have one epoch,
//! and the coordinator compares nothing else (`TransactionCoordinator.endTransaction`), so an EndTxn
//! request that arrives late decides the transaction that is open by then (KAFKA-17754). Any fault that
//! breaks a connection lets a client repeat the request while the first one is under way, so no draw of
//! settings rules it out, and `all-or-nothing` would report what is already known. `late-end-txn` shows
//! it. A swarm with `--set transaction.version=1` searches under that version.

use super::Matrix;
use sim::Sample;
use spec::{Share, Transactions};

/// How many transactions a producer has at most where each may take seconds, so that all of them end
/// before the deadline.
const FEW: u64 = 20;

impl Matrix {
    /// Producers that send in transactions, abort some and leave others open; consumers that read what
    /// is committed; a log of the coordinators that fits the number of brokers, and coordinators that
    /// soon send a marker again. Where the file has transactions, or other settings rule them out,
    /// nothing is drawn.
    pub(super) fn transactions(&mut self) {
        let is_drawn = self.draw.chance(800_000);
        let records = self.number(500_000, 1, 24);
        let aborted = self.one_of(700_000, &[(2, 100_000), (1, 400_000)]);
        let abandoned = self.one_of(400_000, &[(2, 20_000), (1, 100_000)]);
        let timeout = self.one_of(1_000_000, &[(1, 1_500_u64), (2, 4_000), (1, 10_000)]);
        let shared_id = self.draw.chance(100_000);
        let isolation = self.one_of(750_000, &[(1, "read_committed")]);
        let partitions = self.one_of(1_000_000, &[(1, 1_u16), (2, 3)]);
        let factor = self.one_of(200_000, &[(1, 1_u16), (2, 2)]);
        let in_sync = self.one_of(200_000, &[(1, 1_u16)]);
        let request = self.one_of(300_000, &[(1, 300_u64), (1, 1_000)]);
        let mut configs = self.scenario.producers.iter().map(|it| it.config());
        if !is_drawn || configs.any(|it| !it.is_idempotent() || it.transactional_id.0.is_some()) {
            return;
        }
        let before = (self.scenario.clone(), self.drawn.len());
        // A log with more replicas than there are brokers is refused together with transactions.
        self.state_log(factor, in_sync);
        self.set("transactional.id", Some("orders"));
        self.set("transaction.timeout.ms", timeout);
        self.set("transaction.state.log.num.partitions", partitions);
        self.set("transaction.abort.timed.out.transaction.cleanup.interval.ms", Some(1_000));
        let drawn = Transactions {
            records: records.unwrap_or(4),
            aborted: Share(aborted.unwrap_or(0)),
            abandoned: Share(abandoned.unwrap_or(0)),
            shared_id,
            ..Transactions::default()
        };
        // While followers wait for more bytes, each write waits, and a transaction has six, one after
        // the other. Producers of one id fence each other, and pause for a second.
        let brokers = self.scenario.clusters.iter().map(|it| it.broker.config());
        let is_slow = shared_id || brokers.map(|it| it.replica_fetch_min_bytes).any(|it| it > 1);
        for group in &mut self.scenario.producers {
            let few = FEW * u64::from(group.count) * drawn.records;
            group.records = if is_slow { group.records.min(few) } else { group.records };
            group.transactions = group.config().transactional_id.0.map(|_| drawn.clone());
        }
        if self.scenario.impossible().is_some() {
            self.scenario = before.0;
            self.drawn.truncate(before.1);
            return;
        }
        let Transactions { records, aborted, abandoned, .. } = &drawn;
        let shared = if shared_id { ", one id for all" } else { "" };
        self.drawn.push(format!(
            "transactions: {records} records each, {aborted} aborted, {abandoned} abandoned{shared}"
        ));
        self.set("isolation.level", isolation);
        self.soon_again(request.filter(|_| !is_slow));
    }

    /// How long brokers wait for each other with markers and questions about transactions, and not
    /// the clients, whose property has the same name.
    fn soon_again(&mut self, request: Option<u64>) {
        const NAME: &str = "request.timeout.ms";
        let Some(request) = request.filter(|_| !self.is_fixed(NAME)) else { return };
        for cluster in &mut self.scenario.clusters {
            let set = cluster.broker.set(NAME, &request.to_string());
            debug_assert!(set.is_ok(), "{request} is a number of milliseconds");
        }
        self.drawn.push(format!("{NAME} of brokers={request}"));
    }

    /// Replicas of `__transaction_state`: no more than there are brokers, and no more in sync than
    /// there are replicas. Otherwise nothing could be written to it.
    fn state_log(&mut self, factor: Option<u16>, in_sync: Option<u16>) {
        let cluster = &self.scenario.clusters[0];
        let (brokers, config) = (u32::from(cluster.brokers), cluster.broker.config());
        let has = config.transaction_log_replication_factor;
        let factor = factor.map_or(has, u32::from).min(brokers);
        self.set("transaction.state.log.replication.factor", Some(factor).filter(|it| *it != has));
        let has = config.transaction_log_min_isr;
        let in_sync = in_sync.map_or(has, u32::from).min(factor);
        self.set("transaction.state.log.min.isr", Some(in_sync).filter(|it| *it != has));
    }
}
