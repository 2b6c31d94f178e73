//! Steps of transactional producers and their coordinator. The coordinator of every transactional
//! id is broker 1, in the only partition of `__transaction_state`.

use super::{CRASHED, History, ORDERS, OTHER, unfenced};
use crate::evidence::{Change, HeldBy, Missing, Observed, State};
use bytes::{BufMut, Bytes, BytesMut};
use engine::fact::{ClientFact, Fact, TransactionOutcome};
use engine::ids::{LeaderEpoch, Offset, TopicId, TopicPartition};
use engine::metadata::{MetadataRecord, PartitionChange, PartitionRecord};
use engine::record::{Batch, BatchBuilder, EndTransactionMarker, NO_PRODUCER_ID};
use machine::{ClusterId, NodeId, Span};

/// The partition of `__transaction_state`.
pub(crate) const STATES: TopicPartition = TopicPartition::new(TopicId(9), 0);
/// The transactional id that most tests are about.
pub(crate) const ID: &str = "t";
/// Both partitions of `orders`, by name.
pub(crate) const BOTH: &[&str] = &["orders-0", "orders-1"];

impl History {
    /// A cluster with a coordinator, and with consumers 1002 and [`super::READER`], which read
    /// `read_committed`.
    pub(crate) fn transactional() -> Self {
        let mut history = Self::new(2);
        history.setup.producers[0].idempotence = true;
        history.setup.read_committed =
            [1002, super::READER].map(|id| NodeId::new(0, id)).into_iter().collect();
        history.setup.state_log_min_isr = 2;
        history.setup.transaction_timeout = Span::secs(20);
        let name = "__transaction_state".to_owned();
        history.metadata(&[MetadataRecord::Topic { name, id: STATES.topic }]);
        history.metadata(&[MetadataRecord::Partition(PartitionRecord {
            partition: STATES,
            replicas: vec![1, 2, 3],
            directories: Vec::new(),
            isr: vec![1, 2, 3],
            elr: vec![],
            last_known_leader: None,
            leader: Some(1),
            leader_epoch: 0,
            partition_epoch: 0,
        })]);
        history.begin(STATES, 1, 0);
        history
    }

    /// A producer initialises [`ID`], and its coordinator writes that.
    pub(crate) fn own(&mut self, client: u16, (producer_id, producer_epoch): (i64, i16)) {
        self.state((producer_id, producer_epoch), State::Empty, &[]);
        let transactional_id = ID.into();
        let fact =
            ClientFact::TransactionsInitialized { transactional_id, producer_id, producer_epoch };
        self.client(client, fact);
    }

    /// The coordinator writes a state of [`ID`], which is replicated.
    pub(crate) fn state(&mut self, of: (i64, i16), state: State, partitions: &[&str]) {
        self.state_alone(of, state, partitions);
        self.follow(2, 1, STATES);
        self.follow(3, 1, STATES);
        self.watermark(1, &[2, 3], STATES, 0);
    }

    /// The same, and it is not replicated.
    pub(crate) fn state_alone(&mut self, of: (i64, i16), state: State, partitions: &[&str]) {
        self.write_state(&state_value(of, state, partitions));
    }

    fn write_state(&mut self, value: &[u8]) {
        let mut key = BytesMut::new();
        key.put_i16(0);
        key.put_i16(ID.len() as i16);
        key.put_slice(ID.as_bytes());
        let mut builder = BatchBuilder::new().base_offset(self.end(1, STATES)).leader_epoch(0);
        builder.append(1_000, Some(&key), Some(value), &[]);
        self.append(1, STATES, true, 0, builder.build());
    }

    /// A coordinator aborts a transaction that has been open for longer than its time-out.
    pub(crate) fn time_out(&mut self, (producer_id, producer_epoch): (i64, i16), open_ms: i64) {
        let value = state_value((producer_id, producer_epoch), State::PrepareAbort, BOTH);
        let mut value = BytesMut::from(&value[..]);
        // The timestamps of the record and of the begin precede one tagged field.
        let at = value.len() - 5 - 16;
        value[at..at + 8].copy_from_slice(&(1_000 + open_ms).to_be_bytes());
        self.write_state(&value);
        let decided = Fact::TransactionDecided {
            transactional_id: ID.into(),
            producer_id,
            producer_epoch,
            committed: false,
            timed_out: true,
            coordinator_epoch: 0,
            partitions: vec![ORDERS, OTHER],
        };
        self.fact(1, decided);
    }

    /// A transaction begins.
    pub(crate) fn begin_transaction(&mut self, client: u16, transaction: u64) {
        self.client(client, ClientFact::TransactionBegun { transaction });
    }

    /// Records of a transaction are written, replicated and confirmed.
    pub(crate) fn produce_in(
        &mut self,
        client: u16,
        partition: TopicPartition,
        producer: (i64, i16, i32),
        of: &[u64],
    ) {
        for record in of {
            self.client(client, ClientFact::Sent { record: *record, partition, acks: -1 });
        }
        let leader = leader_of(partition);
        let base = self.end(leader, partition);
        self.write_in(partition, producer, of);
        self.replicate(partition);
        self.confirm(leader, partition, base, of, -1);
    }

    /// A leader appends a transactional batch.
    pub(crate) fn write_in(
        &mut self,
        partition: TopicPartition,
        (id, epoch, sequence): (i64, i16, i32),
        of: &[u64],
    ) {
        let leader = leader_of(partition);
        let mut builder = BatchBuilder::new()
            .base_offset(self.end(leader, partition))
            .leader_epoch(0)
            .producer(id, epoch, sequence)
            .transactional(true);
        for number in of {
            builder.append(1_000, None, Some(&number.to_be_bytes()), &[]);
        }
        self.append(leader, partition, true, 0, builder.build());
    }

    /// A leader appends a marker, which is replicated.
    pub(crate) fn marker(
        &mut self,
        partition: TopicPartition,
        (id, epoch): (i64, i16),
        committed: bool,
        coordinator_epoch: i32,
    ) {
        self.marker_alone(partition, (id, epoch), committed, coordinator_epoch);
        self.replicate(partition);
    }

    /// The same, and it is not replicated.
    pub(crate) fn marker_alone(
        &mut self,
        partition: TopicPartition,
        (id, epoch): (i64, i16),
        committed: bool,
        coordinator_epoch: i32,
    ) {
        let leader = (leader_of(partition), self.epoch_of(partition));
        self.marker_by(leader, partition, (id, epoch), committed, coordinator_epoch);
    }

    /// The same, by a leader in an epoch of its own.
    pub(crate) fn marker_by(
        &mut self,
        (leader, leader_epoch): (u16, LeaderEpoch),
        partition: TopicPartition,
        (id, epoch): (i64, i16),
        committed: bool,
        coordinator_epoch: i32,
    ) {
        let marker = EndTransactionMarker { committed, coordinator_epoch };
        let mut bytes = BytesMut::from(&marker.batch(id, epoch, 1_000)[..]);
        bytes[..8].copy_from_slice(&self.end(leader, partition).to_be_bytes());
        bytes[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
        self.append(leader, partition, true, leader_epoch, bytes.freeze());
    }

    /// The epoch of the last leader of a partition.
    fn epoch_of(&self, partition: TopicPartition) -> LeaderEpoch {
        let epoch = |observed: &Observed| match observed {
            Observed::Fact(_, Fact::BecameLeader { partition: of, leader_epoch, .. })
                if *of == partition =>
            {
                Some(*leader_epoch)
            }
            _ => None,
        };
        self.observed.iter().rev().find_map(epoch).unwrap_or(0)
    }

    /// The followers fetch the leader's batches, and the high watermark advances.
    pub(crate) fn replicate(&mut self, partition: TopicPartition) {
        let leader = leader_of(partition);
        let followers: Vec<u16> = (1..=3).filter(|id| *id != leader).collect();
        for follower in &followers {
            self.follow(*follower, leader, partition);
        }
        self.watermark(leader, &followers, partition, 0);
    }

    /// The application calls `commitTransaction` or `abortTransaction`.
    pub(crate) fn ending(&mut self, client: u16, transaction: u64, commit: bool) {
        self.client(client, ClientFact::TransactionEnding { transaction, commit });
    }

    /// The application has completed a transaction.
    pub(crate) fn ended(&mut self, client: u16, transaction: u64, outcome: TransactionOutcome) {
        let error = None;
        self.client(client, ClientFact::TransactionEnded { transaction, outcome, error });
    }

    /// The coordinator decides, writes the markers and completes. `of`: the producer as it is after
    /// that.
    pub(crate) fn decide(&mut self, of: (i64, i16), committed: bool) {
        let (prepare, complete) = match committed {
            true => (State::PrepareCommit, State::CompleteCommit),
            false => (State::PrepareAbort, State::CompleteAbort),
        };
        self.state(of, prepare, BOTH);
        self.marker(ORDERS, of, committed, 0);
        self.marker(OTHER, of, committed, 0);
        self.state(of, complete, &[]);
    }

    /// One record to each partition, in a transaction that its application ends in this way. The
    /// records are `number` and the next; the epoch is that of the data.
    pub(crate) fn transaction(&mut self, number: u64, (id, epoch): (i64, i16), committed: bool) {
        self.begin_transaction(1001, number);
        self.state((id, epoch), State::Ongoing, BOTH);
        self.produce_in(1001, ORDERS, (id, epoch, 0), &[number]);
        self.produce_in(1001, OTHER, (id, epoch, 0), &[number + 1]);
        self.ending(1001, number, committed);
        self.decide((id, epoch + 1), committed);
        let outcome = match committed {
            true => TransactionOutcome::Committed,
            false => TransactionOutcome::Aborted,
        };
        self.ended(1001, number, outcome);
    }

    /// A consumer reads a log up to an offset: all batches except markers and those that begin at
    /// `hidden`.
    pub(crate) fn deliver_without(
        &mut self,
        consumer: u16,
        partition: TopicPartition,
        to: Offset,
        hidden: &[Offset],
    ) {
        let from = self.position(consumer, partition);
        let is_given = |bytes: &&Bytes| {
            let batch = Batch::new(bytes).unwrap();
            let is_hidden = batch.is_control() || hidden.contains(&batch.base_offset());
            !is_hidden && batch.next_offset() > from && batch.base_offset() < to
        };
        let log = self.disks.get(&(leader_of(partition), partition)).cloned().unwrap_or_default();
        let batches = log.iter().filter(is_given).cloned().collect();
        self.moves(consumer, partition, to);
        self.client(consumer, ClientFact::Delivered { partition, from, to, batches });
    }

    /// All brokers lose power, and the records of `__transaction_state` from an offset onwards.
    /// Broker 1 is the coordinator again.
    pub(crate) fn lose_states(&mut self, from: Offset) {
        self.lose_internal(STATES, from);
    }

    /// The same for another internal topic.
    pub(super) fn lose_internal(&mut self, of: TopicPartition, from: Offset) {
        let is_kept = |batch: &Bytes| Batch::new(batch).unwrap().next_offset() <= from;
        for id in [1, 2, 3] {
            self.node(id, CRASHED);
            self.node(id, Change::PowerLost { bytes: 100 });
            self.disks.entry((id, of)).or_default().retain(is_kept);
            self.node(id, Change::Started);
            for partition in [ORDERS, OTHER, of] {
                self.load(id, partition, self.end(id, partition));
            }
        }
        let none = PartitionChange::of(of);
        let change = |it: PartitionChange| MetadataRecord::PartitionChange(it);
        let (isr, elr) = (Some(Vec::new()), Some(vec![1, 2, 3]));
        self.metadata(&[change(PartitionChange { leader: Some(None), isr, elr, ..none.clone() })]);
        for (id, elr) in [(1, vec![2, 3]), (2, vec![3]), (3, vec![])] {
            let broker_epoch = 50 + i64::from(id);
            let elr = PartitionChange { elr: Some(elr), ..none.clone() };
            self.metadata(&[unfenced(id, broker_epoch), change(elr)]);
            self.fact(id, Fact::Registered { broker_epoch, clean: false });
        }
        let isr = Some(vec![1]);
        self.metadata(&[change(PartitionChange { leader: Some(Some(1)), isr, ..none })]);
        self.begin(of, 1, 2);
    }

    /// Records are missing at the end because of a transaction.
    pub(crate) fn lack_behind(&mut self, partition: TopicPartition, producer_id: i64) {
        let index = self.run().0.index_of(ClusterId(0), partition).unwrap();
        let held_by = Some(HeldBy { partition: index, producer_id });
        let what = "a consumer is behind".to_owned();
        self.missing.push(Missing { at: self.now(), what, about: None, group: None, held_by });
    }

    /// Both partitions are read back, without the batches that begin at `hidden` in each.
    pub(crate) fn read_back_without(&mut self, hidden: [&[Offset]; 2]) {
        for (partition, hidden) in [ORDERS, OTHER].into_iter().zip(hidden) {
            let end = self.end(leader_of(partition), partition);
            self.deliver_without(super::READER, partition, end, hidden);
            self.client(super::READER, ClientFact::ReadBack { partition, end });
        }
    }
}

fn leader_of(partition: TopicPartition) -> u16 {
    if partition == OTHER { 2 } else { 1 }
}

/// The value of a record of `__transaction_state`, version 1.
pub(crate) fn state_value((id, epoch): (i64, i16), state: State, partitions: &[&str]) -> Bytes {
    let mut value = BytesMut::new();
    value.put_i16(1);
    value.put_i64(id);
    value.put_i16(epoch);
    value.put_i32(10_000);
    value.put_u8(state as u8);
    let indices = partitions.iter().map(|name| name.rsplit_once('-').unwrap().1);
    match partitions {
        [] if state == State::Empty => value.put_u8(0),
        [] => value.put_u8(1),
        _ => {
            value.put_u8(2);
            value.put_u8(7);
            value.put_slice(b"orders");
            value.put_u8(partitions.len() as u8 + 1);
            indices.for_each(|index| value.put_i32(index.parse().unwrap()));
            value.put_u8(0);
        }
    }
    value.put_i64(1_000);
    value.put_i64(if id == NO_PRODUCER_ID { -1 } else { 1_000 });
    // One tagged field: the client's transaction version.
    value.put_slice(&[1, 2, 2, 0, 2]);
    value.freeze()
}
