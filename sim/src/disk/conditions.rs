//! The conditions that active faults impose on a device.

use crate::SimTime;
use crate::fault::{ActiveId, DiskOperation};

/// The kind of an operation, for faults that fail some kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Append,
    Sync,
    Metadata,
}

/// The number of operations yet to fail; `u32::MAX`: all.
#[derive(Clone, Debug)]
pub(crate) struct FailingOperations {
    pub(crate) fault: ActiveId,
    pub(crate) on: DiskOperation,
    pub(crate) remaining: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    /// The faults that make it hang: no operation completes.
    pub(super) hung_by: Vec<ActiveId>,
    /// The time since which it hangs.
    pub(super) hung_since: SimTime,
    /// The factor by which operations take longer, per fault.
    pub(crate) slow: Vec<(ActiveId, u32)>,
    /// The most bytes that may be in use, per fault.
    pub(super) limits: Vec<(ActiveId, u64)>,
    /// Operations to fail, per fault.
    pub(crate) failing: Vec<FailingOperations>,
}

impl Conditions {
    #[inline]
    pub(super) fn hangs(&self) -> bool {
        !self.hung_by.is_empty()
    }

    pub(super) fn limit(&self) -> u64 {
        self.limits.iter().map(|(_, limit)| *limit).min().unwrap_or(u64::MAX)
    }

    /// The factor by which operations take longer, at least 1.
    #[inline]
    pub(super) fn slowness(&self) -> u64 {
        self.slow.iter().map(|(_, factor)| u64::from(*factor)).max().unwrap_or(1).max(1)
    }

    /// Whether every operation fails.
    pub(super) fn is_lost(&self) -> bool {
        let all = |f: &FailingOperations| f.on == DiskOperation::Any && f.remaining == u32::MAX;
        self.failing.iter().any(all)
    }

    /// Whether an operation fails; counts the failure.
    #[inline]
    pub(super) fn fails(&mut self, kind: Kind) -> bool {
        if self.failing.is_empty() {
            return false;
        }
        let concerned = |on: DiskOperation| match on {
            DiskOperation::Any => true,
            DiskOperation::Read => kind == Kind::Read,
            DiskOperation::Append => kind == Kind::Append,
            DiskOperation::Sync => kind == Kind::Sync,
            DiskOperation::Write => kind != Kind::Read,
        };
        let found = self.failing.iter_mut().find(|f| f.remaining > 0 && concerned(f.on));
        let Some(failing) = found else { return false };
        if failing.remaining != u32::MAX {
            failing.remaining -= 1;
        }
        true
    }
}
