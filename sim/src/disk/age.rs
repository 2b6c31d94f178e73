//! How old the bytes of a file are, as far as the host's own writing back depends on it.

use crate::SimTime;
use machine::Span;

/// In how many steps the age of bytes is known.
const STEPS: u64 = 16;

/// Up to which length a file had grown when: a mark for each step of the age at which a host writes
/// back, so that a file has few. A mark is as young as the youngest byte below its length.
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
        // The last but one mark has a full step to itself once the last one has begun another.
        if let [.., (before, _), (last, reached)] = &mut self.marks[..]
            && now.since(*before).0 < step
        {
            (*last, *reached) = (now, length);
            return;
        }
        if self.marks.len() > STEPS as usize + 2 {
            // Both of the oldest two are old enough, and the second says more.
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

    /// How many bytes at its start were there at `at` already.
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
    fn bytes_are_never_taken_for_older_than_they_are_and_little_younger() {
        let mut age = Age::default();
        // A thousand bytes a second, in steps of 10 ms, for a minute.
        for step in 0..6_000u64 {
            age.grows((step + 1) * 10, SimTime::millis(step * 10), WRITE_BACK);
        }
        assert!(age.marks.len() < 20, "{}", age.marks.len());
        let old = age.older_than(SimTime::secs(60) - WRITE_BACK);
        assert!(old <= 30_010, "{old} bytes are not that old");
        assert!(old >= 25_000, "{old} bytes, and more are old enough");
    }

    #[test]
    fn what_was_cut_is_not_there_any_more() {
        let mut age = Age::default();
        age.grows(100, SimTime::secs(1), WRITE_BACK);
        age.cut(40);
        age.grows(90, SimTime::secs(50), WRITE_BACK);
        assert_eq!(age.older_than(SimTime::secs(20)), 40);
        assert_eq!(age.older_than(SimTime::secs(50)), 90);
    }
}
