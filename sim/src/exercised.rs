//! The effects on nodes and messages that a run has exercised. Scheduling a fault is not an effect.

use std::collections::BTreeMap;

macro_rules! effects {
    ($($(#[doc = $doc:literal])* $effect:ident = $name:literal,)*) => {
        /// Something that has happened to a node or a message. Each is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Effect {
            $($(#[doc = $doc])* $effect,)*
        }

        impl Effect {
            /// All effects.
            pub const ALL: &'static [Self] = &[$(Self::$effect,)*];

            /// Its name in results.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$effect => $name,)*
                }
            }

            /// Its description in one line.
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$effect => concat!($($doc),*).trim_ascii(),)*
                }
            }
        }
    };
}

effects! {
    /// A message was handled.
    MessageDelivered = "message_delivered",
    /// A message was lost because a fault had cut the link, or its receiver was without power.
    MessageCut = "message_cut",
    /// A message was lost at random, and resent after a time-out.
    MessageLost = "message_lost",
    /// A message arrived twice; the receiver's kernel dropped the copy.
    MessageDuplicated = "message_duplicated",
    /// A message was overtaken by others of the same link.
    MessageReordered = "message_reordered",
    /// A fault delayed a message.
    MessageDelayed = "message_delayed",
    /// A message was resent after its link had healed.
    MessageRetransmitted = "message_retransmitted",
    /// A message was delivered after its sender had closed the connection or died.
    MessageOutlivedSender = "message_outlived_sender",
    /// A message reached a host that no longer knew the connection.
    MessageUnexpected = "message_unexpected",
    /// A connection was refused: no process listened.
    ConnectionRefused = "connection_refused",
    /// An open connection was reset.
    ConnectionReset = "connection_reset",
    /// One end of a connection died and the other did not learn of it.
    ConnectionHalfOpen = "connection_half_open",
    /// An attempt to connect got no response.
    ConnectionUnanswered = "connection_unanswered",
    /// A process was killed.
    ProcessKilled = "process_killed",
    /// A connection was open when a process was killed or its host lost power.
    ConnectionCutShort = "connection_cut_short",
    /// An input was waiting when a process was killed or its host lost power.
    InputLost = "input_lost",
    /// A handler was cut short while its disk operations were in progress.
    HandlerCutShort = "handler_cut_short",
    /// A handler opened a connection and still waited for its disk.
    ConnectionAwaitsDisk = "connection_awaits_disk",
    /// A disk operation had not completed when the process died, and never happened.
    DiskOperationUndone = "disk_operation_undone",
    /// A process ended itself cleanly.
    ProcessStopped = "process_stopped",
    /// A process ended itself because it could not continue.
    ProcessFailed = "process_failed",
    /// A process started again.
    ProcessRestarted = "process_restarted",
    /// A clean shutdown took too long and became a kill.
    StopTimedOut = "stop_timed_out",
    /// A host lost power.
    PowerLost = "power_lost",
    /// An unsynced byte was lost with the power.
    ByteLost = "byte_lost",
    /// An unsynced creation, removal or renaming of a file was lost with the power.
    NameLost = "name_lost",
    /// Only part of a write in progress survived a power loss or the death of its process.
    WriteTorn = "write_torn",
    /// A truncation was lost with the power.
    TruncationLost = "truncation_lost",
    /// A process was paused.
    ProcessPaused = "process_paused",
    /// An input had to wait for a paused process.
    InputHeldByPause = "input_held_by_pause",
    /// A handler's outputs had to wait for a paused process.
    OutputHeldByPause = "output_held_by_pause",
    /// An input waited for a lock.
    LockContended = "lock_contended",
    /// An input waited for a handler of its lane to complete.
    LaneContended = "lane_contended",
    /// A handler ran on a wall clock that a fault had set.
    ClockJumpSeen = "clock_jump_seen",
    /// A disk operation failed for lack of space.
    DiskWasFull = "disk_was_full",
    /// A disk operation failed.
    DiskOperationFailed = "disk_operation_failed",
    /// A disk operation began on a disk that hung.
    DiskOperationHung = "disk_operation_hung",
    /// A disk operation was slowed by a fault.
    DiskOperationSlowed = "disk_operation_slowed",
    /// A disk was lost with everything on it.
    DiskLost = "disk_lost",
    /// A sector of a file was corrupted.
    SectorCorrupted = "sector_corrupted",
}

const EFFECTS: usize = Effect::ALL.len();

/// How often each [`Effect`] occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exercised {
    counts: [u64; EFFECTS],
    any: bool,
}

impl Default for Exercised {
    fn default() -> Self {
        Self { counts: [0; EFFECTS], any: false }
    }
}

impl Exercised {
    /// How often `effect` occurred.
    pub fn of(&self, effect: Effect) -> u64 {
        self.counts[effect as usize]
    }

    /// The counts of the effects that occurred, by name.
    pub fn by_name(&self) -> BTreeMap<&'static str, u64> {
        let counts = Effect::ALL.iter().map(|effect| (effect.name(), self.of(*effect)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    #[inline]
    pub(crate) fn count(&mut self, effect: Effect) {
        self.add(effect, 1);
    }

    #[inline]
    pub(crate) fn add(&mut self, effect: Effect, count: u64) {
        self.counts[effect as usize] += count;
        self.any |= count > 0;
    }

    /// Takes the counts, if any effect was counted.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Self> {
        self.any.then(|| std::mem::take(self))
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.any |= other.any;
    }
}
