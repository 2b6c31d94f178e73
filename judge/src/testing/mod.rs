//! Handmade histories, for tests of checks and of the verdict: brokers 1 to 3, controllers 101 to
//! 103, producer 1001, consumers from 1002 on, topic `orders` with two partitions.
//!
//! Each step reports the facts that nodes would report, and updates the logs on their disks. No
//! rule applies here: a history has exactly the steps of its test.

mod callbacks;
mod consumer_groups;
mod groups;
mod made;
mod transactions;

pub(crate) use groups::{GROUP, OFFSETS, offsets_of};
use made::keyed;
pub(crate) use made::{batch, fencing, numbers, registration, unfenced};
pub(crate) use transactions::{BOTH, ID, STATES, state_value};

use crate::Observer;
use crate::check::Findings;
use crate::evidence::Observed;
use crate::evidence::{Change, ControllerAtEnd, Disks, End, Fault, FaultKind, Missing, Moment};
use crate::evidence::{ProducerSetup, Setup, TopicSetup, View};
use crate::verdict::{Judgement, judge};
use bytes::Bytes;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact, Positioning, Truncation};
use engine::ids::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition};
use engine::metadata::{MetadataRecord, PartitionChange, PartitionRecord};
use engine::record::{Batch, BatchBuilder, stamp_producer};
use machine::{ClusterId, NodeId, Span};
use std::collections::{BTreeMap, BTreeSet};

/// The partition of most tests.
pub(crate) const ORDERS: TopicPartition = TopicPartition::new(TopicId(7), 0);
/// The other partition.
pub(crate) const OTHER: TopicPartition = TopicPartition::new(TopicId(7), 1);
/// The consumer that reads everything back.
pub(crate) const READER: u16 = 1099;
/// A process is killed between two handlers.
pub(crate) const CRASHED: Change = Change::Crashed { cut_short: false };
pub(crate) const METADATA: TopicPartition = TopicPartition::METADATA;

/// A history, and the disks at its end.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The configuration.
    pub setup: Setup,
    /// The observations.
    pub observed: Vec<Observed>,
    /// The batches on each disk.
    pub disks: BTreeMap<(u16, TopicPartition), Vec<Bytes>>,
    /// The snapshots of producers on each disk.
    pub snapshots: BTreeMap<(u16, TopicPartition), Vec<(Offset, Bytes)>>,
    /// The log directories of replicas, where there are several.
    pub dirs: BTreeMap<(u16, TopicPartition), String>,
    /// Replicas that have no directory at the end.
    pub without_log: Vec<(u16, TopicPartition)>,
    /// The controllers at the end.
    pub controllers: Vec<ControllerAtEnd>,
    /// The defects of the healed cluster.
    pub missing: Vec<Missing>,
    /// The livelock of the run, in words.
    pub livelock: Option<String>,
    /// The replicas of `orders-0`.
    replicas: Vec<u16>,
    positions: BTreeMap<(u16, TopicPartition), Offset>,
    /// The number of restarts of each node.
    lives: BTreeMap<u16, u16>,
    at: u64,
}

fn node(id: u16) -> NodeId {
    NodeId::new(0, id)
}

impl Disks for History {
    fn segments(&self, node: NodeId, id: TopicPartition, _: &str) -> Option<Vec<Vec<Bytes>>> {
        let is_there = !self.without_log.contains(&(node.node, id));
        is_there.then(|| vec![self.disks.get(&(node.node, id)).cloned().unwrap_or_default()])
    }

    fn snapshots(&self, node: NodeId, id: TopicPartition, _: &str) -> Vec<(Offset, Bytes)> {
        self.snapshots.get(&(node.node, id)).cloned().unwrap_or_default()
    }

    fn log_dir(&self, node: NodeId, id: TopicPartition, _: &str) -> Option<String> {
        self.dirs.get(&(node.node, id)).cloned()
    }
}

impl History {
    /// A running cluster, with this `min.insync.replicas` of the topic.
    pub(crate) fn new(min_insync_replicas: usize) -> Self {
        Self::of(min_insync_replicas, &[1, 2, 3])
    }

    /// A running cluster with other replicas of `orders-0`, which 1 leads.
    pub(crate) fn of(min_insync_replicas: usize, replicas: &[u16]) -> Self {
        let topic = TopicSetup {
            cluster: ClusterId(0),
            name: "orders".to_owned(),
            min_insync_replicas,
            replication_factor: replicas.len(),
            unclean_leader_election: false,
            segment_bytes: 1 << 30,
            flush_messages: None,
            flush_ms: None,
            compacted: false,
            partitioned_by_key: true,
        };
        let setup = Setup {
            controllers: (101..=103).map(node).collect(),
            is_prompt: true,
            lag_time: Span::secs(30),
            fetch_back_off: Span::secs(1),
            fetch_wait: Span::millis(500),
            producer_id_expiration: Span::secs(24 * 3600),
            session_timeout: Span::secs(9),
            drift_ppm: 0,
            is_calm: false,
            disk_capacity: None,
            eligible_leader_replicas: true,
            groups: BTreeMap::new(),
            read_committed: BTreeSet::new(),
            state_log_min_isr: 2,
            offsets_min_isr: 2,
            offsets_unclean_election: false,
            group_setups: BTreeMap::new(),
            transaction_timeout: Span::secs(70),
            topics: vec![topic],
            producers: vec![ProducerSetup { max_in_flight: 5, ..ProducerSetup::default() }],
            pipelines: Vec::new(),
        };
        let mut history = Self {
            setup,
            observed: Vec::new(),
            disks: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            dirs: BTreeMap::new(),
            without_log: Vec::new(),
            controllers: Vec::new(),
            livelock: None,
            missing: Vec::new(),
            replicas: replicas.to_vec(),
            positions: BTreeMap::new(),
            lives: BTreeMap::new(),
            at: 0,
        };
        history.start();
        history
    }

    fn start(&mut self) {
        self.fact(101, Fact::QuorumLeader { epoch: 1, epoch_start: 0 });
        self.metadata(&[MetadataRecord::Topic { name: "orders".to_owned(), id: TopicId(7) }]);
        let orders = self.replicas.clone();
        for (partition, leader, replicas) in [(ORDERS, 1, orders), (OTHER, 2, vec![1, 2, 3])] {
            self.metadata(&[MetadataRecord::Partition(PartitionRecord {
                partition,
                replicas: replicas.clone(),
                directories: Vec::new(),
                isr: replicas,
                elr: vec![],
                last_known_leader: None,
                leader: Some(leader),
                leader_epoch: 0,
                partition_epoch: 0,
            })]);
            self.begin(partition, leader, 0);
        }
    }

    /// A node reports a fact.
    pub(crate) fn fact(&mut self, id: u16, fact: Fact) {
        let moment = self.moment(id);
        self.observed.push(Observed::Fact(moment, fact));
    }

    /// A node reports another fact at the time of the last step.
    pub(crate) fn at_once(&mut self, id: u16, fact: Fact) {
        let moment = Moment { at: self.at, ..self.moment(id) };
        self.at = moment.at;
        self.observed.push(Observed::Fact(moment, fact));
    }

    /// A client reports a fact.
    pub(crate) fn client(&mut self, id: u16, fact: ClientFact) {
        self.fact(id, Fact::Client(fact));
    }

    fn moment(&mut self, id: u16) -> Moment {
        self.at += 1_000_000;
        let incarnation = self.lives.get(&id).copied().unwrap_or(0);
        Moment { at: self.at, node: node(id), incarnation, event: self.at / 1_000_000 }
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, span: Span) {
        self.at += span.0;
    }

    /// The healed cluster lacks this at the end.
    pub(crate) fn lack(&mut self, about: Option<TopicPartition>, what: &str) {
        let about = about.map(|partition| (ClusterId(0), partition));
        let (at, what) = (self.at, what.to_owned());
        self.missing.push(Missing { at, what, about, group: None, held_by: None });
    }

    /// The time of the latest step, in nanoseconds.
    pub(crate) fn now(&self) -> u64 {
        self.at
    }

    /// A fault is applied to a node, or undone.
    pub(crate) fn fault(&mut self, id: u16, kind: FaultKind, applied: bool) {
        let moment = self.moment(id);
        let (nodes, what) = (vec![node(id)], format!("{kind:?} {id}"));
        self.observed.push(Observed::Fault(moment, Fault { kind, nodes, what, applied }));
    }

    /// A fault of the link of two nodes is injected.
    pub(crate) fn bad_link(&mut self, a: u16, b: u16) {
        let moment = self.moment(a);
        let (nodes, what) = (vec![node(a), node(b)], format!("link {a} {b}"));
        let fault = Fault { kind: FaultKind::Link, nodes, what, applied: true };
        self.observed.push(Observed::Fault(moment, fault));
    }

    fn log(&mut self, id: u16, partition: TopicPartition) -> &mut Vec<Bytes> {
        self.disks.entry((id, partition)).or_default()
    }

    /// The log end offset of a replica.
    pub(crate) fn end(&self, id: u16, partition: TopicPartition) -> Offset {
        let last = self.disks.get(&(id, partition)).and_then(|log| log.last());
        last.map_or(0, |batch| Batch::new(batch).unwrap().next_offset())
    }

    /// Metadata is written and committed.
    pub(crate) fn metadata(&mut self, of: &[MetadataRecord]) {
        self.write_metadata(of, &[101, 102, 103]);
        self.commit_metadata();
    }

    /// Metadata is written by 101 and replicated to some of the voters, 101 included.
    pub(crate) fn write_metadata(&mut self, of: &[MetadataRecord], voters: &[u16]) {
        let mut builder = BatchBuilder::new().base_offset(self.end(101, METADATA)).leader_epoch(1);
        for record in of {
            builder.append(1_000, None, Some(&record.encode()), &[]);
        }
        let bytes = builder.build();
        for voter in voters {
            self.append(*voter, METADATA, *voter == 101, 1, bytes.clone());
        }
    }

    /// The metadata in the log of 101 is committed.
    pub(crate) fn commit_metadata(&mut self) {
        let offset = self.end(101, METADATA);
        let fact =
            Fact::HighWatermark { partition: METADATA, as_leader: true, leader_epoch: 1, offset };
        self.fact(101, fact);
    }

    /// The controller commits a change of `orders-0`.
    pub(crate) fn change(
        &mut self,
        leader: Option<Option<BrokerId>>,
        isr: &[BrokerId],
        elr: &[BrokerId],
    ) {
        self.metadata(&[MetadataRecord::PartitionChange(PartitionChange {
            isr: Some(isr.to_vec()),
            elr: Some(elr.to_vec()),
            leader,
            ..PartitionChange::of(ORDERS)
        })]);
    }

    /// The controller elects `leader` for `orders-0`, and it begins to lead.
    pub(crate) fn elect(
        &mut self,
        leader: BrokerId,
        epoch: LeaderEpoch,
        isr: &[BrokerId],
        elr: &[BrokerId],
    ) {
        self.change(Some(Some(leader)), isr, elr);
        self.begin(ORDERS, leader, epoch);
    }

    /// A broker begins to lead.
    pub(crate) fn begin(
        &mut self,
        partition: TopicPartition,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
    ) {
        let epoch_start = self.end(leader, partition);
        let fact = Fact::BecameLeader {
            partition,
            leader_epoch,
            partition_epoch: 0,
            epoch_start,
            high_watermark: 0,
            isr: vec![],
        };
        self.fact(leader, fact);
    }

    /// A broker is registered again, and unfenced.
    pub(crate) fn register(&mut self, broker: BrokerId, broker_epoch: i64) {
        self.metadata(&[unfenced(broker, broker_epoch)]);
        self.fact(broker, Fact::Registered { broker_epoch, clean: false });
    }

    /// Brokers are registered, and have a session.
    pub(crate) fn unfence(&mut self, brokers: &[BrokerId]) {
        for broker in brokers {
            self.metadata(&[registration(*broker, 10)]);
            self.fence(*broker, false);
        }
    }

    /// The controller fences a broker, or unfences it.
    pub(crate) fn fence(&mut self, broker: BrokerId, fenced: bool) {
        self.metadata(&[fencing(broker, fenced)]);
    }

    /// A broker is registered again after an unclean end: with the registration the controller
    /// removes it from ISR and ELR.
    pub(crate) fn come_back(&mut self, broker: BrokerId, broker_epoch: i64, elr: &[BrokerId]) {
        let registration = unfenced(broker, broker_epoch);
        let change = PartitionChange { elr: Some(elr.to_vec()), ..PartitionChange::of(ORDERS) };
        self.metadata(&[registration, MetadataRecord::PartitionChange(change)]);
        self.fact(broker, Fact::Registered { broker_epoch, clean: false });
    }

    /// Records are given to the producer.
    pub(crate) fn send(&mut self, partition: TopicPartition, of: &[u64], acks: i16) {
        for record in of {
            self.client(1001, ClientFact::Sent { record: *record, partition, acks });
        }
    }

    /// A batch is appended to a log.
    pub(crate) fn append(
        &mut self,
        id: u16,
        partition: TopicPartition,
        as_leader: bool,
        leader_epoch: LeaderEpoch,
        batch: Bytes,
    ) {
        self.log(id, partition).push(batch.clone());
        self.fact(id, Fact::Appended { partition, as_leader, leader_epoch, batch });
    }

    /// A leader appends records.
    pub(crate) fn write(
        &mut self,
        leader: u16,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        of: &[u64],
    ) {
        let bytes = batch(self.end(leader, partition), epoch, of);
        self.append(leader, partition, true, epoch, bytes);
    }

    /// A leader appends records of an idempotent producer: its id, its epoch and the first
    /// sequence.
    pub(crate) fn write_as(
        &mut self,
        leader: u16,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        (id, producer_epoch, first): (i64, i16, i32),
        of: &[u64],
    ) {
        let bytes = batch(self.end(leader, partition), epoch, of);
        let bytes = stamp_producer(bytes, id, producer_epoch, first);
        self.append(leader, partition, true, epoch, bytes);
    }

    /// A leader appends records with keys.
    pub(crate) fn write_keyed(
        &mut self,
        leader: u16,
        partition: TopicPartition,
        of: &[(u64, Option<&[u8]>)],
    ) {
        let bytes = keyed(self.end(leader, partition), 0, of);
        self.append(leader, partition, true, 0, bytes);
    }

    /// A follower appends the batches of the leader's log that it lacks.
    pub(crate) fn follow(&mut self, follower: u16, leader: u16, partition: TopicPartition) {
        let end = self.end(follower, partition);
        for bytes in self.log(leader, partition).clone() {
            let (base, epoch) = {
                let view = Batch::new(&bytes).unwrap();
                (view.base_offset(), view.leader_epoch())
            };
            if base >= end {
                self.append(follower, partition, false, epoch, bytes);
            }
        }
    }

    /// The leader's high watermark is at its end, and so are the followers'.
    pub(crate) fn watermark(
        &mut self,
        leader: u16,
        followers: &[u16],
        partition: TopicPartition,
        epoch: LeaderEpoch,
    ) {
        let offset = self.end(leader, partition);
        for id in std::iter::once(&leader).chain(followers) {
            let as_leader = *id == leader;
            let offset = offset.min(self.end(*id, partition));
            self.fact(
                *id,
                Fact::HighWatermark { partition, as_leader, leader_epoch: epoch, offset },
            );
        }
    }

    /// Records are sent with acks=all, written by 1 in epoch 0, replicated to all, committed and
    /// confirmed.
    pub(crate) fn produce(&mut self, of: &[u64]) {
        let base = self.end(1, ORDERS);
        self.send(ORDERS, of, -1);
        self.write(1, ORDERS, 0, of);
        self.follow(2, 1, ORDERS);
        self.follow(3, 1, ORDERS);
        self.watermark(1, &[2, 3], ORDERS, 0);
        self.confirm(1, ORDERS, base, of, -1);
    }

    /// A batch is sent again.
    pub(crate) fn retry(&mut self, partition: TopicPartition, of: &[u64]) {
        self.retry_after(ErrorCode::NetworkException, partition, of);
    }

    /// The producer sends a batch again, after this error.
    pub(crate) fn retry_after(&mut self, error: ErrorCode, partition: TopicPartition, of: &[u64]) {
        self.client(1001, ClientFact::Retried { partition, error, records: of.to_vec() });
    }

    /// The position of a consumer, which is at the start if it has none.
    fn position(&mut self, consumer: u16, partition: TopicPartition) -> Offset {
        let from = self.positions.get(&(consumer, partition)).copied();
        if from.is_none() {
            let why = Positioning::Start;
            self.client(consumer, ClientFact::Positioned { partition, from, to: 0, why });
        }
        from.unwrap_or(0)
    }

    /// A consumer moves to another position.
    fn moves(&mut self, consumer: u16, partition: TopicPartition, to: Offset) {
        self.positions.insert((consumer, partition), to);
    }

    /// A consumer receives the records of a broker up to an offset.
    pub(crate) fn deliver(
        &mut self,
        consumer: u16,
        broker: u16,
        partition: TopicPartition,
        to: Offset,
    ) {
        let from = self.position(consumer, partition);
        self.deliver_from(consumer, broker, partition, (from, to));
    }

    /// A consumer receives the records of a broker between two offsets, whatever its position.
    pub(crate) fn deliver_from(
        &mut self,
        consumer: u16,
        broker: u16,
        partition: TopicPartition,
        (from, to): (Offset, Offset),
    ) {
        let within = |batch: &&Bytes| {
            let batch = Batch::new(batch).unwrap();
            batch.next_offset() > from && batch.base_offset() < to
        };
        let batches = self.log(broker, partition).iter().filter(within).cloned().collect();
        self.moves(consumer, partition, to);
        self.client(consumer, ClientFact::Delivered { partition, from, to, batches });
    }

    /// Everything is read back from a broker.
    pub(crate) fn read_back(&mut self, broker: u16, partition: TopicPartition) {
        let end = self.end(broker, partition);
        self.deliver(READER, broker, partition, end);
        self.client(READER, ClientFact::ReadBack { partition, end });
    }

    /// A replica truncates its log.
    pub(crate) fn cut(
        &mut self,
        id: u16,
        partition: TopicPartition,
        to: Offset,
        high_watermark: Offset,
    ) {
        let from = self.end(id, partition);
        self.log(id, partition).retain(|batch| Batch::new(batch).unwrap().next_offset() <= to);
        let why = Truncation::Following;
        let fact = Fact::Truncated { partition, leader_epoch: 0, from, to, high_watermark, why };
        self.fact(id, fact);
    }

    /// A node starts, ends or loses data.
    pub(crate) fn node(&mut self, id: u16, change: Change) {
        if change == Change::Started {
            *self.lives.entry(id).or_default() += 1;
        }
        let moment = self.moment(id);
        self.observed.push(Observed::Node(moment, change));
    }

    /// A broker crashes and keeps its log.
    pub(crate) fn crash(&mut self, id: u16) {
        self.node(id, CRASHED);
    }

    /// A disk of a node is lost, with these replicas on it.
    pub(crate) fn lose_disk(&mut self, id: u16, of: &[TopicPartition]) {
        let emptied = of.iter().map(|partition| match *partition {
            METADATA => METADATA.to_string(),
            partition => format!("d1/orders-{}", partition.partition),
        });
        let emptied = emptied.collect();
        self.node(id, Change::DiskLost { bytes: 1_000, emptied });
        of.iter().for_each(|partition| self.log(id, *partition).clear());
    }

    /// A sector of the first segment of a replica is corrupted, at byte `at`.
    pub(crate) fn spoil_sector(&mut self, id: u16, partition: TopicPartition, at: u64) {
        let index = partition.partition;
        let file = format!("orders-{index}/00000000000000000000.log");
        self.node(id, Change::SectorCorrupted { file, at });
    }

    /// A broker loses its power, and all records of `orders-0` from an offset onwards. It restarts.
    pub(crate) fn lose_power(&mut self, id: u16, from: Offset) {
        self.node(id, CRASHED);
        self.node(id, Change::PowerLost { bytes: 100 });
        self.log(id, ORDERS).retain(|batch| Batch::new(batch).unwrap().next_offset() <= from);
        self.node(id, Change::Started);
        self.load(id, ORDERS, self.end(id, ORDERS));
    }

    /// A broker that started has loaded a log, which ends at an offset.
    pub(crate) fn load(&mut self, id: u16, partition: TopicPartition, log_end: Offset) {
        self.load_as(id, partition, log_end, false);
    }

    /// A broker has loaded a log, which ends at an offset; `clean`: after a clean shutdown.
    pub(crate) fn load_as(
        &mut self,
        id: u16,
        partition: TopicPartition,
        log_end: Offset,
        clean: bool,
    ) {
        let fact = Fact::Loaded {
            partition,
            log_start: 0,
            log_end,
            high_watermark: 0,
            clean,
            cut_bytes: 0,
        };
        self.fact(id, fact);
    }

    /// Runs all checks on the history.
    pub(crate) fn run(&self) -> (View, End, Findings) {
        let mut observer = Observer::new(self.setup.clone());
        self.observed.iter().for_each(|observed| observer.on(observed));
        if let Some(busy) = &self.livelock {
            observer.livelocked(busy.clone());
        }
        observer.finish(self.at + 1, self, self.controllers.clone(), self.missing.clone())
    }

    /// The findings: check, partition and offset of each.
    pub(crate) fn findings(&self) -> Vec<(&'static str, String, Option<Offset>)> {
        let (view, _, findings) = self.run();
        let found = findings.0.iter();
        found.map(|it| (it.check, view.name(it.partition).to_owned(), it.offset)).collect()
    }

    /// The verdict on the history.
    pub(crate) fn judge(&self) -> Judgement {
        let (view, end, findings) = self.run();
        judge(&view, &end, &findings)
    }
}
