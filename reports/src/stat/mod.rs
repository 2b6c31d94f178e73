//! The statistics of reports. Floats are allowed here, and nowhere before: they decide nothing.

pub mod bootstrap;
pub mod histogram;
pub mod share;
pub mod sign;

use schemars::JsonSchema;
use serde::Serialize;

/// With fewer seeds than this intervals over seeds mean little.
pub const FEW_SEEDS: u64 = 20;

/// Seeds with something in them (a loss, a difference) that an interval of its rate needs. A
/// percentile bootstrap over fewer is far too narrow: it draws again what few seeds there are and
/// knows nothing of the worse ones that were not met.
pub const FEWEST: u64 = 10;

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// A rate of something rare, with its 95 % interval if it was seen in at least [`FEWEST`] seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// The value.
    pub value: f64,
    /// In how many seeds there was any.
    pub seeds: u64,
    /// The lower end of the interval.
    pub low: Option<f64>,
    /// The upper end of the interval.
    pub high: Option<f64>,
}

impl Rate {
    /// An estimate of something that was seen in `seeds` seeds.
    pub fn new(estimate: Estimate, seeds: u64) -> Self {
        let Estimate { value, low, high } = estimate;
        let enough = seeds >= FEWEST;
        Self { value, seeds, low: enough.then_some(low), high: enough.then_some(high) }
    }

    /// With its interval, if it has one.
    pub fn estimate(self) -> Option<Estimate> {
        let Self { value, low, high, .. } = self;
        low.zip(high).map(|(low, high)| Estimate { value, low, high })
    }
}

impl Estimate {
    /// The same in another unit.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, low: self.low * factor, high: self.high * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_what_few_seeds_have_is_without_an_interval() {
        let estimate = Estimate { value: 3.0, low: 1.0, high: 5.0 };
        assert_eq!(Rate::new(estimate, FEWEST).estimate(), Some(estimate));
        let few = Rate::new(estimate, FEWEST - 1);
        assert_eq!((few.value, few.estimate()), (3.0, None));
    }
}
