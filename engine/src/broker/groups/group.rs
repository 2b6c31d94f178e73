//! A group of either protocol.

use super::classic::{CONSUMER, ClassicGroup};
use super::consumer::ConsumerGroup;
use crate::protocol::{GroupState, GroupType};
use std::sync::Arc;

/// A group.
#[derive(Clone, Debug)]
pub(in crate::broker) enum Group {
    /// Its members take turns in a barrier, and one of them assigns.
    Classic(ClassicGroup),
    /// The coordinator assigns (KIP-848).
    Consumer(ConsumerGroup),
}

impl Group {
    pub(super) fn group_type(&self) -> GroupType {
        match self {
            Self::Classic(_) => GroupType::Classic,
            Self::Consumer(_) => GroupType::Consumer,
        }
    }

    pub(super) fn state(&self) -> GroupState {
        match self {
            Self::Classic(group) => group.state(),
            Self::Consumer(group) => group.state(),
        }
    }

    /// The kind of protocols.
    pub(super) fn protocol_type(&self) -> Option<Arc<str>> {
        match self {
            Self::Classic(group) => group.protocol_type().cloned(),
            Self::Consumer(_) => Some(CONSUMER.into()),
        }
    }

    /// Whether a member is, or may be, subscribed to a topic.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
            Self::Consumer(group) => group.is_subscribed_to(topic),
        }
    }

    /// Whether offsets of topics without a subscriber may be deleted.
    pub(super) fn allows_deletion_of_offsets(&self) -> bool {
        match self {
            Self::Classic(group) => group.state() == GroupState::Empty || group.is_of_consumers(),
            Self::Consumer(_) => true,
        }
    }

    /// The group of the classic protocol, if it is one.
    pub(super) fn as_classic(&mut self) -> Option<&mut ClassicGroup> {
        match self {
            Self::Classic(group) => Some(group),
            Self::Consumer(_) => None,
        }
    }

    /// Panics if it contradicts itself.
    pub(super) fn invariants(&self) {
        match self {
            Self::Classic(group) => group.invariants(),
            Self::Consumer(group) => group.invariants(),
        }
    }
}
