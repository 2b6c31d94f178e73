//! What faults do to a disk while they last.

use crate::fault::{ActiveId, DiskOperation};

/// The kind of an operation, in the eyes of a device that fails some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Append,
    Sync,
    Metadata,
}

/// So many operations yet to fail.
#[derive(Clone, Debug)]
pub(crate) struct FailingOperations {
    pub(crate) fault: ActiveId,
    pub(crate) on: DiskOperation,
    pub(crate) remaining: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    /// No operation completes.
    pub(crate) hangs: bool,
    /// How long operations take, in percent of what they would, per fault.
    pub(crate) slow: Vec<(ActiveId, u32)>,
    /// Never more than so many bytes in use, per fault.
    pub(crate) limits: Vec<(ActiveId, u64)>,
    /// Operations to fail, per fault.
    pub(crate) failing: Vec<FailingOperations>,
}

impl Conditions {
    pub(super) fn limit(&self) -> u64 {
        self.limits.iter().map(|(_, limit)| *limit).min().unwrap_or(u64::MAX)
    }

    #[inline]
    pub(super) fn slow_percent(&self) -> u64 {
        self.slow.iter().map(|(_, percent)| u64::from(*percent)).max().unwrap_or(100)
    }

    /// Whether an operation is to fail; counts it.
    #[inline]
    pub(super) fn fails(&mut self, kind: Kind) -> bool {
        if self.failing.is_empty() {
            return false;
        }
        let concerned = |on: DiskOperation| match on {
            DiskOperation::Read => kind == Kind::Read,
            DiskOperation::Append => kind == Kind::Append,
            DiskOperation::Sync => kind == Kind::Sync,
            DiskOperation::Write => kind != Kind::Read,
        };
        let found = self.failing.iter_mut().find(|f| f.remaining > 0 && concerned(f.on));
        found.map(|failing| failing.remaining -= 1).is_some()
    }
}
