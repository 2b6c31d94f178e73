//! True time, which no node can see.

use machine::Span;
use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A true time, in nanoseconds since the beginning of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(pub u64);

impl SimTime {
    /// The beginning of the world.
    pub const ZERO: Self = Self(0);
    /// Later than any event of a run.
    pub const MAX: Self = Self(u64::MAX);

    /// `n` milliseconds after the beginning.
    pub const fn millis(n: u64) -> Self {
        Self(Span::millis(n).0)
    }

    /// `n` seconds after the beginning.
    pub const fn secs(n: u64) -> Self {
        Self(Span::secs(n).0)
    }

    /// The time since `earlier`, or zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for SimTime {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for SimTime {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for SimTime {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// As a [`Span`] since the beginning: `3.2s`.
impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.0).fmt(f)
    }
}
