//! The age of the bytes of a file, as far as the host's write-back depends on it.

use crate::SimTime;
use machine::Span;

/// The number of steps of the age.
const STEPS: u64 = 16;

/// The length of a file at earlier times: a mark for each step of the age at which a host writes
/// back, so that a file has few marks. A mark is as young as the youngest byte below its length.
#[derive(Clone, Debug, Default)]
pub(super) struct Age {
    /// (time, length), both growing.
    marks: Vec<(SimTime, u64)>,
}

impl Age {
    /// The file has grown to `length`.
    #[inline]
    pub(super) fn grows(&mut self, length: u64, now: SimTime, write_back: Span) {
        let step = write_back.0 / STEPS;
        // The last mark moves until it is a full step later than the mark before it.
        if let [.., (before, _), (last, reached)] = &mut self.marks[..]
            && now.since(*before).0 < step
        {
            (*last, *reached) = (now, length);
            return;
        }
        if self.marks.len() > STEPS as usize + 2 {
            // Both of the oldest two marks are old enough, and the second covers more bytes.
            self.marks.remove(0);
        }
        self.marks.push((now, length));
    }

    /// The file was cut to `length`.
    pub(super) fn cut(&mut self, length: u64) {
        for (_, reached) in &mut self.marks {
            *reached = (*reached).min(length);
        }
    }

    /// The number of bytes at the start of the file that were there at `at` already.
    pub(super) fn older_than(&self, at: SimTime) -> u64 {
        let old = self.marks.iter().rev().find(|(time, _)| *time <= at);
        old.map_or(0, |(_, length)| *length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE_BACK: Span = Span::secs(30);

    #[test]
    fn bytes_count_as_at_most_a_step_younger_than_they_are_and_never_older() {
        let mut age = Age::default();
        // A thousand bytes a second, in steps of 10 ms, for a minute.
        for step in 0..6_000u64 {
            age.grows((step + 1) * 10, SimTime::millis(step * 10), WRITE_BACK);
        }
        assert!(age.marks.len() < 20, "{}", age.marks.len());
        let old = age.older_than(SimTime::secs(60) - WRITE_BACK);
        assert!(old <= 30_010, "{old} bytes are not that old");
        assert!(old >= 25_000, "more than {old} bytes are old enough");
    }

    #[test]
    fn truncated_bytes_have_no_age() {
        let mut age = Age::default();
        age.grows(100, SimTime::secs(1), WRITE_BACK);
        age.cut(40);
        age.grows(90, SimTime::secs(50), WRITE_BACK);
        assert_eq!(age.older_than(SimTime::secs(20)), 40);
        assert_eq!(age.older_than(SimTime::secs(50)), 90);
    }
}
