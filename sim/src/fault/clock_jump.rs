//! A wall clock is set, as by an administrator or a faulty time daemon. The monotonic clock is not
//! affected.

use super::table::fault;
use super::{ActiveId, Harm, Inflict, Targets};
use crate::exercised::Effect;
use crate::{EventId, World};
use machine::{NodeId, Process, Span};

fault! {
    /// The wall clock of the host jumps, and jumps back when the fault ends. Time-outs are not
    /// affected; the timestamps of records are.
    ClockJump = "clock-jump" {
        /// The nodes whose clocks jump.
        target: Targets<W>,
        /// The size of the jump, rounded down to a millisecond.
        by: Span,
        /// Back instead of forward.
        back: bool,
    }
}

impl ClockJump<NodeId> {
    fn millis(&self) -> i64 {
        let millis = i64::try_from(self.by.as_millis()).unwrap_or(i64::MAX);
        if self.back { -millis } else { millis }
    }
}

impl Inflict for ClockJump<NodeId> {
    fn harm(&self) -> Harm {
        Harm::Slow
    }

    fn shown_by(&self) -> Option<Effect> {
        Some(Effect::ClockJumpSeen)
    }

    fn apply<P: Process>(&self, world: &mut World<P>, _id: ActiveId, _event: EventId) {
        for node in world.targets(&self.target) {
            world.jump_clock(node, self.millis());
        }
    }

    fn undo<P: Process>(&self, world: &mut World<P>, _id: ActiveId, _event: EventId) {
        for node in world.targets(&self.target) {
            world.jump_clock(node, self.millis().saturating_neg());
        }
    }
}
