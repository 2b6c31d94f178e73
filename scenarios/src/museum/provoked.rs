//! A defect of Faultline on demand: broker 1 panics in the middle of a run, so that the report of a
//! panic can be tested from the outside. It is in no list; `--provoke-panic` applies it.

use super::{Bug, Status};
use crate::node::{Node, NodeConfig};
use engine::{Input, Outbox};
use machine::{Boot, Disk, Halt, Mono, Now, Process, Span};

/// Its id, as a record of the run has it.
pub const ID: &str = "provoke-panic";

/// How long each life of the broker runs before it panics.
const LIVES: Span = Span::secs(1);

/// Its entry beside the museum.
pub(super) const BUG: Bug = Bug {
    id: ID,
    status: Status::NeverReleased,
    summary: "broker 1 panics when it has lived for a second",
    source: "no release: it shows the report of a defect of Faultline",
    rules: &[],
    masked_by: "",
    apply: |_| {},
    scenario: "no-faults",
    toml: include_str!("../../catalog/no-faults.toml"),
};

/// Whether a run with these bugs is to panic.
pub fn is_in(bugs: &[String]) -> bool {
    bugs.iter().any(|id| id.eq_ignore_ascii_case(ID))
}

/// A process that panics in time.
#[derive(Clone, Debug)]
pub struct Provoked {
    /// The broker until then.
    pub(crate) node: Node,
    until: Mono,
    /// Whether it panics at a timer; otherwise at a message.
    at_timer: bool,
}

impl Provoked {
    /// Boots the process. Whether it panics at a timer or at a message depends on the entropy of
    /// its life.
    pub(crate) fn boot(
        config: &NodeConfig,
        boot: Boot,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Self, Halt> {
        let (until, at_timer) = (boot.now.mono + LIVES, boot.entropy % 2 == 1);
        Ok(Self { node: Node::boot(config, boot, disk, out)?, until, at_timer })
    }

    /// Handles an input, or panics.
    pub(crate) fn handle(&mut self, now: Now, input: Input, disk: &mut dyn Disk, out: &mut Outbox) {
        let is_it = match input {
            Input::Message { .. } => !self.at_timer,
            Input::Timer(_) => self.at_timer,
            _ => false,
        };
        assert!(!(is_it && now.mono >= self.until), "a panic was asked for");
        self.node.handle(now, input, disk, out);
    }
}
