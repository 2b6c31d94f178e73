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
    /// Since when it is in force.
    pub since: SimTime,
    /// For how long, unless until everything is healed.
    pub lasts: Option<Span>,
    /// The fault.
    pub fault: Fault<NodeId>,
    /// How often what it does to disks or clocks had happened on its targets before.
    pub(crate) shown_before: u64,
}
