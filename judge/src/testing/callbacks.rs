//! Confirmations of leaders, and the callbacks of a producer.

use super::{History, ORDERS, node};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};
use engine::ids::{LeaderEpoch, Offset, TopicPartition};
use machine::ConnId;

impl History {
    /// The leader confirms records, and the producer's callbacks run.
    pub(crate) fn confirm(
        &mut self,
        leader: u16,
        partition: TopicPartition,
        base: Offset,
        of: &[u64],
        acks: i16,
    ) {
        let acknowledged = Fact::Acknowledged {
            partition,
            leader_epoch: 0,
            base_offset: base,
            last_offset: base + of.len() as i64 - 1,
            acks,
            high_watermark: base + of.len() as i64,
            isr: vec![1, 2, 3],
        };
        self.fact(leader, acknowledged);
        let (base_offset, records) = (Some(base), of.to_vec());
        self.client(1001, ClientFact::Confirmed { partition, base_offset, records, over: None });
    }

    /// The leader of `orders-0` in an epoch confirms records for acks=all, and the producer's
    /// callbacks run.
    pub(crate) fn confirm_in(
        &mut self,
        leader_epoch: LeaderEpoch,
        leader: u16,
        base: Offset,
        of: &[u64],
    ) {
        let acknowledged = Fact::Acknowledged {
            partition: ORDERS,
            leader_epoch,
            base_offset: base,
            last_offset: base + of.len() as i64 - 1,
            acks: -1,
            high_watermark: base + of.len() as i64,
            isr: vec![1, 2, 3],
        };
        self.fact(leader, acknowledged);
        self.confirm_over(1, Some(base), of);
    }

    /// The producer's callbacks run for records that it sent over its `over`-th connection; with
    /// acks=0 without a base offset.
    pub(crate) fn confirm_over(&mut self, over: u32, base_offset: Option<Offset>, of: &[u64]) {
        let (over, records) = (Some(ConnId::new(node(1001), 0, over)), of.to_vec());
        let partition = ORDERS;
        self.client(1001, ClientFact::Confirmed { partition, base_offset, records, over });
    }

    /// Records that the producer sent over its `over`-th connection finally fail with a refusal.
    pub(crate) fn refuse_over(&mut self, over: u32, of: &[u64]) {
        let refused = ClientFact::Failed {
            partition: Some(ORDERS),
            error: ErrorCode::RecordListTooLarge,
            maybe_written: false,
            records: of.to_vec(),
            over: Some(ConnId::new(node(1001), 0, over)),
        };
        self.client(1001, refused);
    }

    /// The producer gives up records that it sent over its `over`-th connection without a response.
    pub(crate) fn fail_over(&mut self, over: u32, of: &[u64]) {
        let failed = ClientFact::Failed {
            partition: Some(ORDERS),
            error: ErrorCode::RequestTimedOut,
            maybe_written: true,
            records: of.to_vec(),
            over: Some(ConnId::new(node(1001), 0, over)),
        };
        self.client(1001, failed);
    }
}
