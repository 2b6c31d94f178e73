//! The statistics of reports. They use floats, on which no run depends.

pub mod bootstrap;
pub mod histogram;
pub mod share;
pub mod sign;

use schemars::JsonSchema;
use serde::Serialize;

/// With fewer seeds than this intervals over seeds mean little.
pub const FEW_SEEDS: u64 = 20;

/// The number of seeds with a loss or a difference from which its rate has an interval. A
/// percentile bootstrap over fewer seeds is far too narrow: it draws the same few seeds again and
/// does not know the worse seeds that were not run.
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

/// The rate of a rare event, with its 95 % interval if it was seen in at least [`FEWEST`] seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// The value.
    pub value: f64,
    /// The number of seeds with the event.
    pub seeds: u64,
    /// The lower end of the interval.
    pub low: Option<f64>,
    /// The upper end of the interval.
    pub high: Option<f64>,
}

impl Rate {
    /// The rate of an event that was seen in `seeds` seeds.
    pub fn new(estimate: Estimate, seeds: u64) -> Self {
        let Estimate { value, low, high } = estimate;
        let enough = seeds >= FEWEST;
        Self { value, seeds, low: enough.then_some(low), high: enough.then_some(high) }
    }

    /// The rate with its interval, if it has an interval.
    pub fn estimate(self) -> Option<Estimate> {
        let Self { value, low, high, .. } = self;
        low.zip(high).map(|(low, high)| Estimate { value, low, high })
    }
}

impl Estimate {
    /// The estimate multiplied by `factor`, which changes its unit.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, low: self.low * factor, high: self.high * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_an_event_in_few_seeds_has_no_interval() {
        let estimate = Estimate { value: 3.0, low: 1.0, high: 5.0 };
        assert_eq!(Rate::new(estimate, FEWEST).estimate(), Some(estimate));
        let few = Rate::new(estimate, FEWEST - 1);
        assert_eq!((few.value, few.estimate()), (3.0, None));
    }
}
