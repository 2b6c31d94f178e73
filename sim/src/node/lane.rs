//! The lanes of a node: threads, each of which handles one input at a time.

use crate::{EventId, SimTime};
use machine::{Input, Lane, Output, Vocabulary};
use std::collections::VecDeque;

/// The boot of a process is a handler on a lane of its own; while it is in progress, inputs wait.
pub(crate) const BOOT: usize = Lane::ALL.len();
pub(crate) const LANES: usize = BOOT + 1;

/// An input that waits for its lane.
#[derive(Clone, Debug)]
pub(crate) struct Queued<V: Vocabulary> {
    pub(crate) input: Input<V>,
    pub(crate) cause: EventId,
    /// The slot of the connection of the input, and the end that received it.
    pub(crate) connection: Option<(u32, u8)>,
}

/// A handler whose disk operations are in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    /// The event that it handles.
    pub(crate) event: EventId,
    /// When its disk operations complete.
    pub(crate) completes: SimTime,
    pub(crate) operations: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct LaneState<V: Vocabulary> {
    pub(crate) queue: VecDeque<Queued<V>>,
    pub(crate) running: Option<Running>,
    /// The outputs of the running handler, which are performed when its disk operations have
    /// completed.
    pub(crate) outputs: Vec<Output<V>>,
    /// Distinguishes the completion of the running handler from those of earlier handlers.
    pub(crate) generation: u32,
}

impl<V: Vocabulary> Default for LaneState<V> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), running: None, outputs: Vec::new(), generation: 0 }
    }
}

impl<V: Vocabulary> LaneState<V> {
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.outputs.clear();
        self.running = None;
        self.generation = self.generation.wrapping_add(1);
    }
}
