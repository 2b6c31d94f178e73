//! Order between two whole-number properties, the form of most of Kafka's cross-checks.

use super::refusal::{Refusal, Set};

/// One property has to be at most, or below, another.
pub(super) struct Relation {
    pub(super) smaller: &'static str,
    pub(super) strictly: bool,
    pub(super) larger: &'static str,
}

impl Relation {
    /// `smaller` has to be at most `larger`.
    pub(super) const fn at_most(smaller: &'static str, larger: &'static str) -> Self {
        Self { smaller, strictly: false, larger }
    }

    /// `smaller` has to be below `larger`.
    pub(super) const fn below(smaller: &'static str, larger: &'static str) -> Self {
        Self { smaller, strictly: true, larger }
    }

    /// The refusal, if the two values break the rule.
    pub(super) fn check(&self, set: &Set<'_>, source: &'static str) -> Option<Refusal> {
        let Self { smaller, strictly, larger } = *self;
        // Kafka starts with its own defaults.
        if !set.is_set(smaller) && !set.is_set(larger) {
            return None;
        }
        let (left, right) = (set.whole(smaller)?, set.whole(larger)?);
        if left < right || (left == right && !strictly) {
            return None;
        }
        let relation = if strictly { "below" } else { "at most" };
        let rule = format!("`{smaller}` has to be {relation} `{larger}`");
        Some(set.refuse(&[smaller, larger], rule, source))
    }
}
