//! Groups of the consumer protocol by the records of `__consumer_offsets`, read from their bytes
//! (`ConsumerGroupMetadataValue`, `ConsumerGroupCurrentMemberAssignmentValue` and their siblings;
//! KIP-848).

use super::log::text;
use crate::evidence::fields::Reader;
use engine::fact::{ConsumerGroupState, ConsumerMemberState};
use engine::ids::{TopicId, TopicPartition};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a record says of a group; `None`: it is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The group epoch; `None`: there is no such group any more.
    Epoch(Option<i32>),
    /// The epoch of the target assignment.
    TargetEpoch(Option<i32>),
    /// There is such a member, or none any more.
    Member(Arc<str>, Option<()>),
    /// What a member is to be assigned.
    Target(Arc<str>, Option<Vec<TopicPartition>>),
    /// What a member is assigned.
    Current(Arc<str>, Option<Current>),
    /// Something else, such as metadata of topics, which only tombstones are written of.
    Other,
}

/// What a member is assigned, and in which epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// Its epoch.
    pub epoch: i32,
    /// The epoch that it had before.
    pub previous_epoch: i32,
    /// What it is assigned, in order.
    pub assigned: Vec<TopicPartition>,
    /// What it has still to give up, in order.
    pub to_revoke: Vec<TopicPartition>,
}

/// The group of a record of this type, and what the record says.
pub(super) fn read(
    kind: i16,
    key: &mut Reader<'_>,
    value: Option<&[u8]>,
) -> Result<(String, Said), &'static str> {
    let group = text(key)?;
    let mut member = || text(key).map(Arc::from);
    let mut value = value.map(Reader::new);
    if let Some(value) = &mut value
        && value.short()? != 0
    {
        return Err("a record of the consumer protocol has an unknown version");
    }
    let said = match kind {
        3 => Said::Epoch(value.map(|mut it| it.int()).transpose()?),
        5 => Said::Member(member()?, value.map(|_| ())),
        6 => Said::TargetEpoch(value.map(|mut it| it.int()).transpose()?),
        7 => Said::Target(member()?, value.map(|mut it| assignment(&mut it)).transpose()?),
        8 => Said::Current(member()?, value.map(|mut it| current(&mut it)).transpose()?),
        _ => Said::Other,
    };
    Ok((group, said))
}

fn current(value: &mut Reader<'_>) -> Result<Current, &'static str> {
    let (epoch, previous_epoch) = (value.int()?, value.int()?);
    let _state = value.byte()?;
    let (assigned, to_revoke) = (assignment(value)?, assignment(value)?);
    Ok(Current { epoch, previous_epoch, assigned, to_revoke })
}

fn assignment(value: &mut Reader<'_>) -> Result<Vec<TopicPartition>, &'static str> {
    let mut partitions = Vec::new();
    for _ in 0..value.count(true)? {
        let topic = (u128::from(value.long()? as u64) << 64) | u128::from(value.long()? as u64);
        for _ in 0..value.count(true)? {
            partitions.push(TopicPartition::new(TopicId(topic), value.int()?));
        }
        value.tags()?;
    }
    partitions.sort_unstable();
    Ok(partitions)
}

/// A group that is being replayed.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// There is such a group.
    is_there: bool,
    epoch: i32,
    target_epoch: i32,
    members: BTreeMap<Arc<str>, Current>,
    targets: BTreeMap<Arc<str>, Vec<TopicPartition>>,
}

impl Replayed {
    /// Takes over what the next record says. A tombstone of what there is not says nothing.
    pub(super) fn take(&mut self, said: &Said) {
        use Said::{Current as Is, Epoch, Member, Other, Target, TargetEpoch};
        let is_tombstone = matches!(
            said,
            Epoch(None)
                | TargetEpoch(None)
                | Member(_, None)
                | Target(_, None)
                | Is(_, None)
                | Other
        );
        if is_tombstone && !self.is_there {
            return;
        }
        self.is_there = true;
        match said {
            Epoch(Some(epoch)) => self.epoch = *epoch,
            Epoch(None) => *self = Self::default(),
            TargetEpoch(epoch) => self.target_epoch = epoch.unwrap_or(-1),
            Target(member, Some(target)) => {
                self.targets.insert(member.clone(), target.clone());
            }
            Target(member, None) => {
                self.targets.remove(member);
            }
            Member(member, Some(())) => {
                self.members.entry(member.clone()).or_insert_with(none);
            }
            Member(member, None) => {
                self.members.remove(member);
            }
            Is(member, Some(current)) => {
                self.members.insert(member.clone(), current.clone());
            }
            Is(member, None) => {
                if let Some(current) = self.members.get_mut(member) {
                    *current = Current { epoch: -1, ..none() };
                }
            }
            Other => {}
        }
    }

    /// The members with what they are assigned; `None`: there is no such group.
    pub fn members(&self) -> Option<&BTreeMap<Arc<str>, Current>> {
        self.is_there.then_some(&self.members)
    }

    /// The group as a coordinator reports it.
    pub(super) fn state(&self) -> Option<ConsumerGroupState> {
        let member = |(id, it): (&Arc<str>, &Current)| ConsumerMemberState {
            member: id.clone(),
            epoch: it.epoch,
            previous_epoch: it.previous_epoch,
            assigned: it.assigned.clone(),
            to_revoke: it.to_revoke.clone(),
            target: self.targets.get(id).cloned().unwrap_or_default(),
        };
        self.is_there.then(|| ConsumerGroupState {
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            members: self.members.iter().map(member).collect(),
        })
    }
}

/// A member of which only the name is known.
fn none() -> Current {
    Current { epoch: 0, previous_epoch: -1, assigned: Vec::new(), to_revoke: Vec::new() }
}
