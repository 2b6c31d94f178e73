//! Axes: the position of a value, and the values that are written along the axis.

/// How values are laid out along an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scale {
    /// Evenly from 0 to `top`, with marks every `step`.
    Linear {
        /// The end of the axis.
        top: f64,
        /// The distance between two marks.
        step: f64,
    },
    /// By powers of ten from 10^`low` to 10^`high`. With `zero`, 0 has a place before the powers.
    Log {
        /// The exponent of the smallest power.
        low: i32,
        /// The exponent of the largest power.
        high: i32,
        /// Whether 0 has a place.
        zero: bool,
    },
}

/// The part of a logarithmic axis that is reserved for 0.
const ZERO_PART: f64 = 0.1;

impl Scale {
    /// From 0 to at least `largest`, in about five round steps.
    pub(super) fn linear(largest: f64) -> Self {
        let largest = if largest > 0.0 { largest } else { 1.0 };
        let power = 10_f64.powi((largest / 4.0).log10().floor() as i32);
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
        let step = steps.into_iter().find(|step| largest / step <= 5.0).unwrap_or(10.0 * power);
        Self::Linear { top: (largest / step).ceil() * step, step }
    }

    /// Powers of ten around all positive values.
    pub(super) fn log(values: impl IntoIterator<Item = f64>, zero: bool) -> Self {
        let positive = values.into_iter().filter(|value| *value > 0.0);
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in positive {
            (least, most) = (least.min(value), most.max(value));
        }
        if most == 0.0 {
            return Self::Log { low: 0, high: 3, zero };
        }
        let low = least.log10().floor() as i32;
        Self::Log { low, high: (most.log10().ceil() as i32).max(low + 1), zero }
    }

    /// The position of a value, from 0 (start) to 1 (end). Values out of range are at the ends.
    pub(super) fn place(&self, value: f64) -> f64 {
        match *self {
            Self::Linear { top, .. } => (value / top).clamp(0.0, 1.0),
            Self::Log { .. } if value <= 0.0 => 0.0,
            Self::Log { low, high, zero } => {
                let start = if zero { ZERO_PART } else { 0.0 };
                let part = (value.log10() - f64::from(low)) / f64::from(high - low);
                (start + part * (1.0 - start)).clamp(start, 1.0)
            }
        }
    }

    /// The position of the break in the axis, halfway between 0 and the smallest power, if 0 has a
    /// place of its own.
    pub(super) fn gap(&self) -> Option<f64> {
        matches!(self, Self::Log { zero: true, .. }).then_some(ZERO_PART / 2.0)
    }

    /// The values that are written along the axis.
    pub(super) fn marks(&self) -> Vec<f64> {
        match *self {
            Self::Linear { top, step } => {
                (0..=(top / step).round() as u32).map(|i| f64::from(i) * step).collect()
            }
            Self::Log { low, high, zero } => {
                // At most about seven, or they overlap on a phone.
                let every = (high - low + 6) / 7;
                let powers = (low..=high).step_by(every.max(1) as usize);
                zero.then_some(0.0).into_iter().chain(powers.map(|e| 10_f64.powi(e))).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_has_round_marks() {
        assert_eq!(Scale::linear(0.43).marks().len(), 6);
        assert_eq!(Scale::linear(10.0), Scale::Linear { top: 10.0, step: 2.0 });
        assert_eq!(Scale::linear(0.0), Scale::linear(1.0));
        assert_eq!(Scale::linear(10.0).place(5.0), 0.5);
        assert_eq!(Scale::linear(10.0).place(99.0), 1.0);
    }

    #[test]
    fn a_logarithmic_axis_has_a_place_for_zero() {
        let scale = Scale::log([0.0, 0.4, 3_000.0], true);
        assert_eq!(scale, Scale::Log { low: -1, high: 4, zero: true });
        assert_eq!(scale.place(0.0), 0.0);
        assert_eq!(scale.place(0.1), 0.1);
        assert_eq!(scale.place(10_000.0), 1.0);
        assert_eq!(scale.marks()[..3], [0.0, 0.1, 1.0]);
        assert_eq!(Scale::log([], false), Scale::Log { low: 0, high: 3, zero: false });
    }
}
