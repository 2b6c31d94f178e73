//! Settings of swarms with transactional producers.
//!
//! `transaction.version` is not drawn. With version 1 all transactions of a producer have one
//! epoch, and the coordinator compares only epochs (`TransactionCoordinator.endTransaction`), so
//! that a late EndTxn ends whichever transaction is open at that time (KAFKA-17754). After any
//! fault that breaks a connection, a client can repeat the request while the first copy is in
//! flight. So no settings exclude this, and `all-or-nothing` would report a known defect, which
//! `late-end-txn` shows. A swarm with `--set transaction.version=1` searches under that version.

use super::Matrix;
use sim::Sample;
use spec::{Share, Transactions};

/// The largest number of transactions of a producer if each may take seconds, so that all of them
/// end before the deadline.
const FEW: u64 = 20;

impl Matrix {
    /// Producers that send in transactions, of which they abort some and leave others open;
    /// consumers with `isolation.level=read_committed`; a replication factor of
    /// `__transaction_state` that fits the number of brokers; coordinators that soon send markers
    /// again. If the file has transactions, or other settings exclude them, none of these is set.
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
        // With transactions, more replicas of `__transaction_state` than brokers would be refused.
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
        // If followers wait for more bytes, each write waits, and a transaction has six writes, one
        // after another. Producers with one id fence each other, and pause for a second.
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

    /// The time-out of requests between brokers about transactions. Clients have a property of the
    /// same name, which is not set here.
    fn soon_again(&mut self, request: Option<u64>) {
        const NAME: &str = "request.timeout.ms";
        let Some(request) = request.filter(|_| !self.is_fixed(NAME)) else { return };
        for cluster in &mut self.scenario.clusters {
            let set = cluster.broker.set(NAME, &request.to_string());
            debug_assert!(set.is_ok(), "{request} is a number of milliseconds");
        }
        self.drawn.push(format!("{NAME} of brokers={request}"));
    }

    /// The replication factor of `__transaction_state`, at most the number of brokers, and its
    /// minimum of in-sync replicas, at most that factor. Otherwise no record could be written to
    /// it.
    pub(super) fn state_log(&mut self, factor: Option<u16>, in_sync: Option<u16>) {
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
