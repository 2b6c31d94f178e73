//! The two clocks of a host, and the other properties that differ between hosts.

use crate::SimTime;
use machine::{Mono, Now, Span, Wall};

/// The wall clock of a host without skew at the beginning of the world: 2025-01-01 00:00 UTC.
const EPOCH_MILLIS: i64 = 1_735_689_600_000;

/// The properties of one host.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// How far the wall clock is ahead at the beginning, in milliseconds.
    pub wall_skew_millis: i64,
    /// How much faster the wall clock runs, in parts per million; from -500,000 to 500,000.
    pub wall_drift_ppm: i32,
    /// How much faster the monotonic clock runs, in parts per million; from -500,000 to 500,000.
    pub mono_drift_ppm: i32,
    /// The longest time that a thread takes to wake up for a message or timer; uniform from zero.
    pub wake_up: Span,
    /// The disk, if it is not the world's default.
    pub disk: Option<crate::DiskProfile>,
    /// Directories that have a device of their own, as several log directories have. Each device is
    /// as fast and as large as the disk.
    pub directories: Vec<String>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            wall_skew_millis: 0,
            wall_drift_ppm: 0,
            mono_drift_ppm: 0,
            wake_up: Span::micros(20),
            disk: None,
            directories: Vec::new(),
        }
    }
}

/// The clocks of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostClock {
    wall_offset_millis: i64,
    wall_drift_ppm: i64,
    mono_drift_ppm: i64,
    switched_on: SimTime,
}

impl HostClock {
    pub(crate) fn new(config: &HostConfig) -> Self {
        let bounds = -500_000..=500_000;
        assert!(bounds.contains(&config.wall_drift_ppm), "no clock drifts that much");
        assert!(bounds.contains(&config.mono_drift_ppm), "no clock drifts that much");
        Self {
            wall_offset_millis: EPOCH_MILLIS + config.wall_skew_millis,
            wall_drift_ppm: config.wall_drift_ppm.into(),
            mono_drift_ppm: config.mono_drift_ppm.into(),
            switched_on: SimTime::ZERO,
        }
    }

    /// The host was switched on: its monotonic clock starts from zero.
    pub(crate) fn switch_on(&mut self, now: SimTime) {
        self.switched_on = now;
    }

    /// Sets the wall clock forward, or back if `millis` is negative.
    pub(crate) fn jump(&mut self, millis: i64) {
        self.wall_offset_millis = self.wall_offset_millis.saturating_add(millis);
    }

    #[inline]
    pub(crate) fn now(&self, at: SimTime) -> Now {
        let wall = scale(at.0, self.wall_drift_ppm) / 1_000_000;
        Now { mono: self.mono(at), wall: Wall(self.wall_offset_millis + wall as i64) }
    }

    #[inline]
    pub(crate) fn mono(&self, at: SimTime) -> Mono {
        Mono(scale(at.since(self.switched_on).0, self.mono_drift_ppm))
    }

    /// The earliest true time at which the monotonic clock shows `mono` or more.
    #[inline]
    pub(crate) fn when(&self, mono: Mono) -> SimTime {
        if self.mono_drift_ppm == 0 || mono.0 > u64::MAX / 4 {
            return SimTime(self.switched_on.0.saturating_add(mono.0));
        }
        // The smallest n for which `scale`, which is n * rate / 1,000,000 rounded down, reaches
        // `mono`.
        let rate = (1_000_000 + self.mono_drift_ppm) as u64;
        let elapsed = match mono.0.checked_mul(1_000_000) {
            Some(product) => product.div_ceil(rate),
            None => (u128::from(mono.0) * 1_000_000).div_ceil(rate.into()) as u64,
        };
        self.switched_on + Span(elapsed)
    }
}

/// `nanos` on a clock that is `ppm` faster than true time, rounded down.
#[inline]
fn scale(nanos: u64, ppm: i64) -> u64 {
    if ppm == 0 {
        return nanos;
    }
    let (millions, rest) = ((nanos / 1_000_000) as i64, (nanos % 1_000_000) as i64);
    nanos.saturating_add_signed(millions * ppm + (rest * ppm).div_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(mono_drift_ppm: i32, wall_drift_ppm: i32) -> HostClock {
        HostClock::new(&HostConfig { mono_drift_ppm, wall_drift_ppm, ..HostConfig::default() })
    }

    #[test]
    fn a_deadline_is_met_at_the_earliest_time_that_the_clock_shows_it() {
        for ppm in [-400_000, -250, -1, 0, 1, 333, 400_000] {
            let mut clock = clock(ppm, 0);
            clock.switch_on(SimTime(12_345));
            for mono in [0, 1, 999_999, 1_000_001, 30_000_000_017] {
                let at = clock.when(Mono(mono));
                assert!(clock.mono(at).0 >= mono, "{ppm} ppm: {at:?} is too early for {mono}");
                if at > SimTime(12_345) {
                    let before = clock.mono(SimTime(at.0 - 1)).0;
                    assert!(before < mono, "{ppm} ppm: {at:?} is too late for {mono}");
                }
            }
        }
    }

    #[test]
    fn clocks_drift_apart_and_the_wall_clock_jumps() {
        let mut clock = clock(100, -1_000);
        let hour = SimTime::secs(3_600);
        assert_eq!(clock.mono(hour), Mono(3_600_360_000_000));
        assert_eq!(clock.now(hour).wall, Wall(EPOCH_MILLIS + 3_600_000 - 3_600));
        clock.jump(-5_000);
        assert_eq!(clock.now(hour).wall, Wall(EPOCH_MILLIS + 3_600_000 - 3_600 - 5_000));
        assert_eq!(clock.mono(hour), Mono(3_600_360_000_000), "a jump affects only the wall clock");
    }
}
