//! Faults in force.

use super::Fault;
use crate::SimTime;
use machine::{NodeId, Span};

/// A fault that was applied, numbered in the order of being applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActiveId(pub u32);

/// A fault in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveFault {
    /// Its number.
    pub id: ActiveId,
    /// The time at which it was applied.
    pub since: SimTime,
    /// How long it lasts; `None`: until everything is healed.
    pub lasts: Option<Span>,
    /// The fault.
    pub fault: Fault<NodeId>,
    /// How often its effect on disks or clocks had occurred on its targets before.
    pub(crate) shown_before: u64,
}
