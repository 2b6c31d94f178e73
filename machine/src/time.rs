//! Time as a node sees it. Only the simulator knows the true time.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A duration in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any run.
    pub const MAX: Self = Self(u64::MAX);

    /// `n` microseconds.
    pub const fn micros(n: u64) -> Self {
        Self(n.saturating_mul(1_000))
    }

    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000))
    }

    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000_000))
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The sum, or [`Span::MAX`] if the sum is longer.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Printed in the largest unit that does not exceed it, from `s` to `ns`, and truncated to a
/// microsecond if the unit is `s`: `3.2s`, `500ms`, `40us`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            n if n >= 1_000_000_000 => (1_000_000_000, "s"),
            n if n >= 1_000_000 => (1_000_000, "ms"),
            n if n >= 1_000 => (1_000, "us"),
            _ => (1, "ns"),
        };
        let (whole, rest) = (self.0 / unit, self.0 % unit);
        if rest == 0 {
            return write!(f, "{whole}{name}");
        }
        let digits = unit.ilog10() as usize;
        let fraction = format!("{rest:0digits$}");
        let fraction = fraction.trim_end_matches('0');
        write!(f, "{whole}.{fraction}{name}")
    }
}

/// A time on a node's monotonic clock, in nanoseconds since the node's host was switched on. The
/// clock runs at the node's own rate and never goes back. Times of two nodes are not comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// Later than any event of a run.
    pub const MAX: Self = Self(u64::MAX);

    /// The time since `earlier`, or zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Mono {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Mono {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Mono {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// A time on a node's wall clock, in milliseconds since the Unix epoch, as in record timestamps.
/// The clock has skew and drift, and may jump in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

/// The two clocks of a node at the start of a handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For timestamps only.
    pub wall: Wall,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No digit that matters is left out, and none is missing behind the point.
    #[test]
    fn a_span_is_written_exactly_in_its_largest_unit() {
        for (nanos, expected) in [
            (0, "0ns"),
            (1_000_000_000, "1s"),
            (1_000_000_100, "1.0000001s"),
            (1_500_000_000, "1.5s"),
            (1_000_001, "1.000001ms"),
            (1_250, "1.25us"),
            (999, "999ns"),
        ] {
            assert_eq!(Span(nanos).to_string(), expected);
        }
    }
}
