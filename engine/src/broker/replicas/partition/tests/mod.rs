//! One partition, driven with hand-made metadata and fetches.

mod following;
mod read_committed;
mod transactions;

use super::*;
use crate::Outbox;
use crate::config::BrokerConfig;
use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, TopicId};
use crate::log::testdisk::TestDisk;
use crate::metadata::{BrokerRegistrationChange, MetadataImage, MetadataRecord, RegisterBroker};
use crate::protocol::{
    AlteredPartition, FetchPartition, FetchedPartition, Isolation, LATEST_TIMESTAMP, ListOffset,
    ReplicaState,
};
use crate::record::BatchBuilder;
use crate::rules::Rulebook;
use bytes::Bytes;
use machine::{Lane, NodeId, Now, Span, Wall};

const ID: TopicPartition = TopicPartition::new(TopicId(7), 0);

/// A partition with the broker state, disk and outbox that its functions take.
struct Replica {
    context: Context,
    partition: Partition,
    disk: TestDisk,
    out: Outbox,
    now: Mono,
}

fn batch() -> Bytes {
    let mut batch = BatchBuilder::new();
    batch.append(1_000, None, Some(b"value"), &[]);
    batch.build()
}

fn state(leader: BrokerId, isr: &[BrokerId], epochs: (i32, i32)) -> PartitionRegistration {
    PartitionRegistration {
        replicas: vec![1, 2, 3],
        directories: Vec::new(),
        isr: isr.to_vec(),
        elr: vec![],
        last_known_leader: None,
        leader: Some(leader),
        leader_epoch: epochs.0,
        partition_epoch: epochs.1,
    }
}

impl Replica {
    /// A replica on broker `id` of three unfenced brokers, with broker epochs 11, 12 and 13.
    fn new(id: BrokerId, min_isr: u32) -> Self {
        let mut image = MetadataImage::new(TopicConfig::default());
        for broker in 1..=3 {
            let record = MetadataRecord::RegisterBroker(RegisterBroker {
                broker,
                incarnation: 1,
                broker_epoch: 10 + BrokerEpoch::from(broker),
                rack: None,
                fenced: false,
                in_controlled_shutdown: false,
                log_dirs: Vec::new(),
            });
            image.replay(image.offset() + 1, &record).unwrap();
        }
        let mut disk = TestDisk::default();
        let config = TopicConfig { min_insync_replicas: min_isr, ..TopicConfig::default() };
        let (log, _) = Log::open("t-0", &log_config(&config), &mut disk, true, 0, Wall(0)).unwrap();
        Self {
            context: Context {
                node: NodeId::new(0, id),
                id,
                config: BrokerConfig::default(),
                rules: Rulebook::kafka(),
                image,
                broker_epoch: 10 + BrokerEpoch::from(id),
                controller: None,
                serving: true,
                stopping: false,
            },
            partition: Partition::new(ID, "t".to_owned(), log, 0, config, Mono(0)),
            disk,
            out: Outbox::new(NodeId::new(0, id), 0),
            now: Mono(Span::secs(100).0),
        }
    }

    fn leader(isr: &[BrokerId], min_isr: u32) -> Self {
        let mut replica = Self::new(1, min_isr);
        replica.lead(&state(1, isr, (0, 0)));
        replica
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Partition, &Context, &mut Io<'_>) -> R) -> R {
        let now = Now { mono: self.now, wall: Wall(1_000) };
        let mut io = Io { now, lane: Lane::Request, disk: &mut self.disk, out: &mut self.out };
        let result = act(&mut self.partition, &self.context, &mut io);
        self.partition.invariants();
        result
    }

    fn lead(&mut self, state: &PartitionRegistration) -> Changes {
        self.with(|p, context, io| p.become_leader(state, context, io).unwrap())
    }

    fn append(&mut self, acks: i16) -> Result<Offset, ErrorCode> {
        self.with(|p, context, io| p.append_as_leader(&batch(), acks, None, context, io).unwrap())
            .map_err(|refused| refused.error)
            .map(|appended| appended.base_offset)
    }

    fn request(&self, offset: Offset) -> FetchPartition {
        FetchPartition {
            partition: ID,
            current_leader_epoch: Some(self.partition.leader_epoch),
            fetch_offset: offset,
            last_fetched_epoch: None,
            log_start_offset: 0,
            partition_max_bytes: 1 << 20,
            high_watermark: None,
        }
    }

    fn fetch(&mut self, reader: Reader, request: &FetchPartition) -> (FetchedPartition, Changes) {
        let limits = FetchLimits { max_bytes: 1 << 20, min_one_batch: true };
        let fetched =
            self.with(|p, context, io| p.fetch(reader, request, limits, true, context, io));
        let fetched = fetched.unwrap();
        (fetched.answer, fetched.changes)
    }

    /// `id` fetches from `offset`, with its registered broker epoch.
    fn follower_fetch(&mut self, id: BrokerId, offset: Offset) -> (FetchedPartition, Changes) {
        let epoch = self.context.image.broker(id).unwrap().epoch;
        let request = self.request(offset);
        self.fetch(Reader::Follower(ReplicaState { id, epoch }), &request)
    }

    fn change_broker(&mut self, broker: BrokerId, fenced: bool, shutting_down: bool) {
        let record = MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
            broker,
            broker_epoch: self.context.image.broker(broker).unwrap().epoch,
            fenced: Some(fenced),
            in_controlled_shutdown: Some(shutting_down),
            log_dirs: None,
        });
        self.context.image.replay(self.context.image.offset() + 1, &record).unwrap();
    }

    fn answer(&mut self, error: ErrorCode, isr: &[BrokerId], partition_epoch: i32) -> Resolution {
        let sent = self.partition.proposal().expect("a proposal is pending");
        let answer = AlteredPartition {
            partition: ID,
            error,
            leader: Some(1),
            leader_epoch: sent.leader_epoch,
            isr: isr.to_vec(),
            partition_epoch,
        };
        self.with(|p, context, io| p.on_altered(&sent, &answer, context, io))
    }

    fn hw(&self) -> Offset {
        self.partition.high_watermark
    }
}

const MOVED: Resolution = Resolution::Done(Changes {
    high_watermark: true,
    appended: false,
    proposed: false,
    rolled: false,
    truncated: false,
    stale_epochs: false,
});

#[test]
fn the_high_watermark_waits_for_every_in_sync_replica() {
    let mut leader = Replica::leader(&[1, 2, 3], 2);
    assert_eq!(leader.append(-1), Ok(0));
    assert_eq!(leader.hw(), 0, "no follower has fetched yet");
    assert!(!leader.follower_fetch(2, 1).1.high_watermark, "broker 3 lacks it");
    assert!(leader.follower_fetch(3, 1).1.high_watermark);
    assert_eq!(leader.hw(), 1);
}

#[test]
fn below_min_isr_no_record_is_committed_with_any_acks() {
    let mut leader = Replica::leader(&[1], 2);
    assert_eq!(leader.append(-1), Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(leader.append(1), Ok(0));
    assert_eq!(leader.hw(), 0, "KAFKA-15583");
    let mut alone = Replica::leader(&[1], 1);
    assert_eq!(alone.append(1), Ok(0));
    assert_eq!(alone.hw(), 1, "an ISR of one commits on append");
}

#[test]
fn a_new_leader_keeps_its_high_watermark_until_its_own_epoch_begins() {
    let mut replica = Replica::leader(&[1, 2, 3], 1);
    replica.append(1).unwrap();
    replica.with(|p, _, io| p.become_follower(&state(2, &[1, 2, 3], (1, 1)), io));
    replica.lead(&state(1, &[1, 2, 3], (2, 2)));
    assert_eq!(replica.hw(), 0);
    let latest = |replica: &mut Replica| {
        let list = ListOffset {
            partition: ID,
            current_leader_epoch: Some(2),
            timestamp: LATEST_TIMESTAMP,
        };
        let isolation = Isolation::ReadUncommitted;
        replica.with(|p, context, io| p.list_offset(&list, isolation, false, context, io).unwrap())
    };
    assert_eq!(latest(&mut replica).error, ErrorCode::OffsetNotAvailable, "KIP-207");
    replica.follower_fetch(2, 1);
    replica.follower_fetch(3, 1);
    assert_eq!((latest(&mut replica).offset, replica.hw()), (1, 1));
    assert_eq!(replica.partition.log.end_offset_for(2).unwrap().end_offset, 1, "KAFKA-7415");
}

#[test]
fn a_leader_that_missed_an_epoch_waits_for_the_next_fetch_of_each_follower() {
    let leader_with_one_record = || {
        let mut leader = Replica::leader(&[1, 2, 3], 2);
        leader.append(-1).unwrap();
        leader.follower_fetch(2, 1);
        leader.follower_fetch(3, 0);
        assert_eq!(leader.hw(), 0, "broker 3 lacks the record");
        leader
    };
    // Broker 3 led epoch 1, of which this leader knows nothing, and broker 2 has truncated.
    let mut leader = leader_with_one_record();
    leader.lead(&state(1, &[1, 2], (2, 2)));
    assert_eq!(leader.hw(), 0, "FL-1");
    leader.follower_fetch(2, 0);
    assert_eq!(leader.hw(), 0);
    leader.follower_fetch(2, 1);
    assert_eq!(leader.hw(), 1);

    let mut leader = leader_with_one_record();
    leader.lead(&state(1, &[1, 2], (1, 1)));
    assert_eq!(leader.hw(), 1, "no other replica led in between");
}

#[test]
fn a_follower_joins_at_the_epoch_start_not_at_the_high_watermark() {
    let mut leader = Replica::new(1, 1);
    leader.lead(&state(1, &[1, 2], (0, 0)));
    leader.append(1).unwrap();
    leader.with(|p, _, io| p.become_follower(&state(2, &[1, 2], (1, 1)), io));
    leader.lead(&state(1, &[1, 2], (2, 2)));
    assert_eq!((leader.hw(), leader.partition.log.end_offset()), (0, 1));
    assert!(!leader.follower_fetch(3, 0).1.proposed, "KAFKA-7128");
    assert!(leader.follower_fetch(3, 1).1.proposed);
    let proposal = leader.partition.proposal().unwrap();
    let lives: Vec<_> = proposal.new_isr.iter().map(|state| (state.id, state.epoch)).collect();
    assert_eq!(lives, [(1, 11), (2, -1), (3, 13)], "KIP-903");
    assert!(!leader.follower_fetch(3, 1).1.proposed, "one proposal at a time");
}

#[test]
fn a_proposed_member_counts_at_once_and_a_leaving_one_until_it_has_left() {
    let mut leader = Replica::leader(&[1, 2], 1);
    leader.follower_fetch(2, 0);
    assert!(leader.follower_fetch(3, 0).1.proposed);
    leader.append(1).unwrap();
    leader.follower_fetch(2, 1);
    assert_eq!(leader.hw(), 0, "the joiner may be in the ISR by now");
    let done = Resolution::Done(Changes::default());
    assert_eq!(leader.answer(ErrorCode::None, &[1, 2, 3], 1), done);

    leader.now += Span::secs(31);
    assert!(leader.with(|p, context, io| p.maybe_shrink_isr(context, io)), "3 lags, 2 does not");
    assert_eq!(leader.hw(), 0, "the controller may elect 3 yet");
    assert_eq!(leader.answer(ErrorCode::None, &[1, 2], 2), MOVED, "KAFKA-13091");
    assert_eq!(leader.hw(), 1);
}

#[test]
fn a_replica_that_is_about_to_join_holds_the_high_watermark_and_one_that_cannot_does_not() {
    let mut leader = Replica::leader(&[1, 2], 1);
    leader.follower_fetch(2, 0);
    leader.change_broker(3, false, true);
    assert!(!leader.follower_fetch(3, 0).1.proposed, "KIP-841");
    leader.change_broker(3, false, false);
    leader.append(1).unwrap();
    leader.follower_fetch(2, 1);
    assert_eq!(leader.hw(), 0, "3 was caught up a moment ago");
    leader.change_broker(3, true, false);
    leader.append(1).unwrap();
    leader.follower_fetch(2, 2);
    assert_eq!(leader.hw(), 2, "KAFKA-15021");
}

#[test]
fn each_error_keeps_repeats_or_withdraws_the_proposal() {
    use ErrorCode as E;
    let stays = [
        E::UnknownTopicOrPartition,
        E::UnknownTopicId,
        E::FencedLeaderEpoch,
        E::InvalidRequest,
        E::InvalidUpdateVersion,
        E::NewLeaderElected,
    ];
    for error in stays {
        let mut leader = Replica::leader(&[1, 2], 1);
        leader.follower_fetch(3, 0);
        assert_eq!(leader.answer(error, &[], 0), Resolution::Done(Changes::default()), "{error}");
        assert!(leader.partition.has_pending_isr(), "{error}");
        leader.lead(&state(1, &[1, 2], (0, 1)));
        assert!(!leader.partition.has_pending_isr(), "newer metadata settles it");
    }
    let mut leader = Replica::leader(&[1, 2], 1);
    leader.follower_fetch(3, 0);
    for error in [E::NotController, E::UnknownServerError, E::RequestTimedOut] {
        assert_eq!(leader.answer(error, &[], 0), Resolution::Retry, "{error}");
        assert!(leader.partition.has_pending_isr());
    }
    leader.answer(E::IneligibleReplica, &[], 0);
    assert!(!leader.partition.has_pending_isr(), "nothing was changed");
    assert!(leader.follower_fetch(3, 0).1.proposed, "and it may try again");
    // A no-op is an answer too (KAFKA-12751).
    leader.answer(E::None, &[1, 2], 0);
    assert!(!leader.partition.has_pending_isr());
}

#[test]
fn older_metadata_does_not_replace_the_controllers_response() {
    let mut leader = Replica::leader(&[1, 2], 1);
    leader.follower_fetch(3, 0);
    leader.answer(ErrorCode::None, &[1, 2, 3], 5);
    leader.lead(&state(1, &[1, 2], (0, 4)));
    assert_eq!(leader.partition.committed_isr(), [1, 2, 3], "KAFKA-12686");
}

#[test]
fn metadata_of_a_known_partition_epoch_does_not_withdraw_a_proposal() {
    let mut leader = Replica::leader(&[1, 2], 1);
    leader.append(1).unwrap();
    leader.follower_fetch(2, 1);
    leader.append(1).unwrap();
    // The answer to a first proposal overtakes the record that it is about.
    leader.now += Span::secs(31);
    leader.follower_fetch(3, 1);
    leader.answer(ErrorCode::None, &[1, 2], 1);
    assert!(leader.follower_fetch(3, 1).1.proposed);
    leader.lead(&state(1, &[1, 2], (0, 1)));
    assert!(leader.partition.has_pending_isr());
    leader.follower_fetch(2, 2);
    assert_eq!(leader.hw(), 1, "3 was never caught up, but may be in the ISR by now");
    leader.answer(ErrorCode::None, &[1, 2, 3], 2);
    assert_eq!(leader.partition.committed_isr(), [1, 2, 3]);
}

#[test]
fn a_lookup_by_time_is_refused_only_for_offsets_returned_before() {
    let mut leader = Replica::leader(&[1, 2], 1);
    leader.append(1).unwrap();
    leader.follower_fetch(2, 1);
    leader.append(1).unwrap();
    leader.with(|p, _, io| p.become_follower(&state(2, &[1, 2], (1, 1)), io));
    leader.lead(&state(1, &[1, 2], (2, 2)));
    assert_eq!((leader.hw(), leader.partition.log.end_offset()), (1, 2));
    let mut at = |timestamp| {
        let list = ListOffset { partition: ID, current_leader_epoch: Some(2), timestamp };
        let isolation = Isolation::ReadUncommitted;
        let answer = leader
            .with(|p, context, io| p.list_offset(&list, isolation, false, context, io).unwrap());
        (answer.error, answer.offset)
    };
    assert_eq!(at(LATEST_TIMESTAMP), (ErrorCode::OffsetNotAvailable, -1), "KIP-207");
    assert_eq!(at(1_000), (ErrorCode::None, 0), "a record below the high watermark is found");
    assert_eq!(at(9_000), (ErrorCode::None, -1), "no record is that new");
    let mut late = BatchBuilder::new();
    late.append(5_000, None, Some(b"late"), &[]);
    let late = late.build();
    leader.with(|p, context, io| p.append_as_leader(&late, 1, None, context, io).unwrap().unwrap());
    let list = ListOffset { partition: ID, current_leader_epoch: Some(2), timestamp: 5_000 };
    let isolation = Isolation::ReadUncommitted;
    let mut late = || {
        leader.with(|p, context, io| p.list_offset(&list, isolation, false, context, io).unwrap())
    };
    assert_eq!(late().error, ErrorCode::OffsetNotAvailable, "it is there");
    leader.follower_fetch(2, 2);
    let answer =
        leader.with(|p, context, io| p.list_offset(&list, isolation, false, context, io).unwrap());
    assert_eq!((answer.error, answer.offset), (ErrorCode::None, -1), "not committed yet");
}

#[test]
fn a_fetch_of_another_epoch_or_life_leaves_no_trace() {
    let mut leader = Replica::leader(&[1, 2, 3], 1);
    leader.lead(&state(1, &[1, 2, 3], (1, 1)));
    leader.append(1).unwrap();
    let before = leader.partition.leader().unwrap().remotes.clone();
    let fetch = |leader: &mut Replica, epoch, life| {
        let request = FetchPartition { current_leader_epoch: Some(epoch), ..leader.request(1) };
        leader.fetch(Reader::Follower(ReplicaState { id: 2, epoch: life }), &request).0.error
    };
    assert_eq!(fetch(&mut leader, 0, 12), ErrorCode::FencedLeaderEpoch, "KAFKA-7395");
    assert_eq!(fetch(&mut leader, 2, 12), ErrorCode::UnknownLeaderEpoch);
    assert_eq!(fetch(&mut leader, 1, 11), ErrorCode::NotLeaderOrFollower, "KIP-903");
    assert_eq!(leader.partition.leader().unwrap().remotes, before);
    assert_eq!(fetch(&mut leader, 1, 12), ErrorCode::None);
    assert_ne!(leader.partition.leader().unwrap().remotes, before);
}

#[test]
fn a_follower_one_fetch_behind_a_busy_leader_stays_in_sync_and_a_silent_one_does_not() {
    let mut leader = Replica::leader(&[1, 2, 3], 1);
    for end in 0..7 {
        // Its end is always where the leader's was at its last fetch.
        leader.follower_fetch(2, (end - 1).max(0));
        leader.append(1).unwrap();
        leader.now += Span::secs(10);
    }
    assert!(leader.with(|p, context, io| p.maybe_shrink_isr(context, io)));
    let isr: Vec<_> = leader.partition.proposal().unwrap().new_isr.iter().map(|s| s.id).collect();
    assert_eq!(isr, [1, 2]);
    let mut idle = Replica::leader(&[1, 2, 3], 1);
    idle.follower_fetch(2, 0);
    idle.follower_fetch(3, 0);
    idle.now += Span::secs(300);
    assert!(!idle.with(|p, context, io| p.maybe_shrink_isr(context, io)), "they lack nothing");
}

#[test]
fn consumers_read_committed_records_and_offsets_up_to_the_end_are_in_range() {
    let mut leader = Replica::leader(&[1, 2], 1);
    for _ in 0..3 {
        leader.append(1).unwrap();
    }
    leader.follower_fetch(2, 1);
    leader.with(|p, context, io| p.maybe_advance_high_watermark(context, io));
    let consumer = Reader::Consumer(Isolation::ReadUncommitted);
    let read = |leader: &mut Replica, from| {
        let request = leader.request(from);
        let answer = leader.fetch(consumer, &request).0;
        (answer.error, answer.records.0.len())
    };
    assert_eq!(leader.hw(), 1);
    assert_eq!(read(&mut leader, 0), (ErrorCode::None, 1));
    assert_eq!(read(&mut leader, 2), (ErrorCode::None, 0));
    assert_eq!(read(&mut leader, 3), (ErrorCode::None, 0));
    assert_eq!(read(&mut leader, 4), (ErrorCode::OffsetOutOfRange, 0));
}

#[test]
fn a_parked_produce_request_fails_when_the_isr_became_too_small() {
    let mut leader = Replica::leader(&[1, 2], 2);
    leader.append(-1).unwrap();
    let outcome =
        |leader: &mut Replica| leader.with(|p, context, io| p.outcome_of_produce(1, context, io));
    assert_eq!(outcome(&mut leader), None);
    leader.follower_fetch(2, 1);
    assert_eq!(outcome(&mut leader), Some(ErrorCode::None));
    leader.lead(&state(1, &[1], (0, 1)));
    assert_eq!(outcome(&mut leader), Some(ErrorCode::NotEnoughReplicasAfterAppend));
    leader.with(|p, _, io| p.become_follower(&state(2, &[2], (1, 2)), io));
    assert_eq!(outcome(&mut leader), Some(ErrorCode::NotLeaderOrFollower));
}
