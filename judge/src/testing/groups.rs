//! Steps of a group of consumers and its coordinator, which is broker 1 in the only partition of
//! `__consumer_offsets`.

use super::{History, ORDERS};
use bytes::{BufMut, Bytes, BytesMut};
use engine::error::ErrorCode;
use engine::fact::{
    AssignedMember, ClientFact, CommitKind, Fact, GroupFact, GroupState, MemberFact, MemberRemoval,
    Positioning, Revocation,
};
use engine::ids::{Offset, TopicId, TopicPartition};
use engine::metadata::{MetadataRecord, PartitionRecord};
use engine::protocol::NamedPartition;
use engine::record::BatchBuilder;
use machine::NodeId;

/// The partition of `__consumer_offsets`.
pub(crate) const OFFSETS: TopicPartition = TopicPartition::new(TopicId(10), 0);
/// The group.
pub(crate) const GROUP: &str = "g";

/// The id of a member: it is that of its client.
pub(super) fn id(client: u16) -> String {
    format!("m{client}")
}

/// `orders-0` with an offset.
pub(crate) fn offsets_of(of: &[(i32, Option<Offset>)]) -> Vec<(NamedPartition, Option<Offset>)> {
    of.iter().map(|(index, offset)| (("orders".into(), *index), *offset)).collect()
}

impl History {
    /// A cluster with a coordinator, and a group that commits after it has processed.
    pub(crate) fn grouped() -> Self {
        let mut history = Self::new(2);
        let name = "__consumer_offsets".to_owned();
        history.setup.offsets_min_isr = 2;
        let key = (machine::ClusterId(0), GROUP.into());
        history.setup.group_setups.insert(key, crate::evidence::setup::GroupSetup::default());
        for client in [1002, 1003] {
            history.setup.groups.insert(NodeId::new(0, client), GROUP.into());
        }
        history.metadata(&[MetadataRecord::Topic { name, id: OFFSETS.topic }]);
        history.metadata(&[MetadataRecord::Partition(PartitionRecord {
            partition: OFFSETS,
            replicas: vec![1, 2, 3],
            directories: Vec::new(),
            isr: vec![1, 2, 3],
            elr: vec![],
            last_known_leader: None,
            leader: Some(1),
            leader_epoch: 0,
            partition_epoch: 0,
        })]);
        history.begin(OFFSETS, 1, 0);
        history
    }

    /// The coordinator begins, with what these groups are.
    pub(crate) fn load_groups(&mut self, groups: Vec<GroupState>) {
        let to = self.end(1, OFFSETS);
        let partition = OFFSETS;
        let fact = GroupFact::Loaded { partition, coordinator_epoch: 0, to, groups };
        self.fact(1, Fact::Group(fact));
    }

    /// The coordinator writes a record, which is replicated.
    pub(super) fn write_group(&mut self, key: &[u8], value: Option<&[u8]>, replicated: bool) {
        let mut builder = BatchBuilder::new().base_offset(self.end(1, OFFSETS)).leader_epoch(0);
        builder.append(1_000, Some(key), value, &[]);
        self.append(1, OFFSETS, true, 0, builder.build());
        if replicated {
            self.replicate_groups();
        }
    }

    /// The followers have what the coordinator has written.
    pub(crate) fn replicate_groups(&mut self) {
        self.follow(2, 1, OFFSETS);
        self.follow(3, 1, OFFSETS);
        self.watermark(1, &[2, 3], OFFSETS, 0);
    }

    /// All brokers lose their power, and what `__consumer_offsets` holds from an offset on.
    pub(crate) fn lose_offsets(&mut self, from: Offset) {
        self.lose_internal(OFFSETS, from);
    }

    /// A generation is completed: the members with their partitions of `orders`.
    pub(crate) fn generation(&mut self, generation: i32, members: &[(u16, &[i32])]) {
        let ids: Vec<String> = members.iter().map(|(client, _)| id(*client)).collect();
        self.write_group(&group_key(), Some(&generation_value(generation, &ids)), true);
        self.complete(generation, members);
    }

    /// A coordinator reports a generation.
    pub(crate) fn complete(&mut self, generation: i32, members: &[(u16, &[i32])]) {
        let assigned = members.iter().map(|(client, partitions)| AssignedMember {
            member: id(*client).into(),
            instance: None,
            host: "".into(),
            partitions: Some(partitions.iter().map(|it| ("orders".into(), *it)).collect()),
        });
        let fact = GroupFact::GenerationComplete {
            group: GROUP.into(),
            generation,
            protocol: (!members.is_empty()).then(|| "range".into()),
            leader: members.first().map(|(client, _)| id(*client).into()),
            members: assigned.collect(),
        };
        self.fact(1, Fact::Group(fact));
    }

    /// A member is removed.
    pub(crate) fn remove_member(&mut self, client: u16, generation: i32, why: MemberRemoval) {
        let fact = GroupFact::MemberRemoved {
            group: GROUP.into(),
            generation,
            member: id(client).into(),
            instance: None,
            why,
        };
        self.fact(1, Fact::Group(fact));
    }

    /// What a member reports.
    pub(crate) fn member(&mut self, client: u16, fact: MemberFact) {
        self.client(client, ClientFact::Member(fact));
    }

    /// A member has its assignment.
    pub(crate) fn join(&mut self, client: u16, generation: i32, partitions: &[TopicPartition]) {
        let fact = MemberFact::Joined {
            group: GROUP.into(),
            member: id(client).into(),
            instance: None,
            generation,
            protocol: "range".into(),
            partitions: partitions.to_vec(),
        };
        self.member(client, fact);
    }

    /// A member gives partitions up in a rebalance.
    pub(crate) fn revoke(&mut self, client: u16, generation: i32, partitions: &[TopicPartition]) {
        let fact = MemberFact::Revoked {
            group: GROUP.into(),
            member: id(client).into(),
            generation,
            partitions: partitions.to_vec(),
            why: Revocation::Rebalance,
        };
        self.member(client, fact);
    }

    /// A member requests a commit for `orders-0`.
    pub(crate) fn ask_commit(&mut self, client: u16, commit: u64, generation: i32, offset: Offset) {
        let fact = MemberFact::CommitAsked {
            group: GROUP.into(),
            commit,
            member: id(client).into(),
            generation,
            offsets: vec![(ORDERS, offset)],
            kind: CommitKind::Sync,
        };
        self.member(client, fact);
    }

    /// The coordinator writes an offset of `orders-0`.
    pub(crate) fn write_offset(&mut self, offset: Option<Offset>, replicated: bool) {
        let value = offset.map(offset_value);
        self.write_group(&offset_key(), value.as_deref(), replicated);
    }

    /// A commit is answered.
    pub(crate) fn answer_commit(&mut self, client: u16, commit: u64, error: ErrorCode) {
        let results = vec![(ORDERS, error)];
        self.member(client, MemberFact::CommitAnswered { group: GROUP.into(), commit, results });
    }

    /// A member commits an offset of `orders-0`, and its commit is acknowledged.
    pub(crate) fn commit(&mut self, client: u16, commit: u64, generation: i32, offset: Offset) {
        self.ask_commit(client, commit, generation, offset);
        self.write_offset(Some(offset), true);
        self.answer_commit(client, commit, ErrorCode::None);
    }

    /// A member asks for the committed offset of `orders-0`.
    pub(crate) fn ask_offset(&mut self, client: u16, question: u64) {
        let partitions = vec![ORDERS];
        let group = GROUP.into();
        self.member(client, MemberFact::CommittedAsked { group, question, partitions });
    }

    /// The coordinator serves an offset of `orders-0`, which the member gets.
    pub(crate) fn show_offset(&mut self, client: u16, question: u64, offset: Option<Offset>) {
        let served = GroupFact::OffsetsServed {
            partition: OFFSETS,
            coordinator_epoch: 0,
            group: GROUP.into(),
            to: self.end(1, OFFSETS),
            offsets: offsets_of(&[(0, offset)]),
        };
        self.fact(1, Fact::Group(served));
        let group = GROUP.into();
        let offsets = vec![(ORDERS, offset)];
        let shown = MemberFact::CommittedShown { group, question, coordinator: 1, offsets };
        self.member(client, shown);
    }

    /// A member begins at an offset of `orders-0`: at the committed one, if `why` says so.
    pub(crate) fn start_at(&mut self, client: u16, to: Offset, why: Positioning) {
        self.positions.insert((client, ORDERS), to);
        self.client(client, ClientFact::Positioned { partition: ORDERS, from: None, to, why });
    }

    /// A member gets a generation with `orders-0`, and begins where the group has committed.
    pub(crate) fn take(&mut self, client: u16, generation: i32, offset: Option<Offset>) {
        self.join(client, generation, &[ORDERS]);
        self.ask_offset(client, generation.unsigned_abs().into());
        self.show_offset(client, generation.unsigned_abs().into(), offset);
        let why = if offset.is_some() { Positioning::Committed } else { Positioning::Start };
        self.start_at(client, offset.unwrap_or(0), why);
    }

    /// A member is given records up to an offset, and its application finishes with them.
    pub(crate) fn process(&mut self, client: u16, to: Offset) {
        let from = self.position(client, ORDERS);
        self.deliver(client, 1, ORDERS, to);
        self.member(
            client,
            MemberFact::Processed { group: GROUP.into(), partition: ORDERS, from, to },
        );
    }
}

pub(super) fn put_text(to: &mut BytesMut, text: &str) {
    to.put_i16(text.len() as i16);
    to.put_slice(text.as_bytes());
}

fn offset_key() -> Bytes {
    let mut key = BytesMut::new();
    key.put_i16(1);
    put_text(&mut key, GROUP);
    put_text(&mut key, "orders");
    key.put_i32(0);
    key.freeze()
}

fn group_key() -> Bytes {
    let mut key = BytesMut::new();
    key.put_i16(2);
    put_text(&mut key, GROUP);
    key.freeze()
}

/// Version 4.
fn offset_value(offset: Offset) -> Bytes {
    let mut value = BytesMut::new();
    value.put_i16(4);
    value.put_i64(offset);
    value.put_i32(0);
    // No metadata; the time of the commit; no tagged fields.
    value.put_u8(1);
    value.put_i64(1_000);
    value.put_u8(0);
    value.freeze()
}

/// Version 3.
fn generation_value(generation: i32, members: &[String]) -> Bytes {
    let mut value = BytesMut::new();
    value.put_i16(3);
    put_text(&mut value, "consumer");
    value.put_i32(generation);
    match members.first() {
        None => {
            value.put_i16(-1);
            value.put_i16(-1);
        }
        Some(leader) => {
            put_text(&mut value, "range");
            put_text(&mut value, leader);
        }
    }
    value.put_i64(1_000);
    value.put_i32(members.len() as i32);
    for member in members {
        put_text(&mut value, member);
        value.put_i16(-1);
        put_text(&mut value, "client");
        put_text(&mut value, "/host");
        value.put_i32(60_000);
        value.put_i32(45_000);
        value.put_i32(0);
        value.put_i32(0);
    }
    value.freeze()
}
