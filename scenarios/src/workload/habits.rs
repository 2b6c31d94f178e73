//! How a member of a group works, as its scenario file says.

use super::seeking::next_time;
use machine::{Mono, Span};
use spec::{Commit, CommitKind, Consumers, OnRevoke};

/// The habits of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habits {
    /// When it commits.
    pub commit: Commit,
    /// How it commits.
    pub kind: CommitKind,
    /// It commits one of this many polls.
    pub commit_every: u32,
    /// Its listener.
    pub on_revoke: OnRevoke,
    /// How long it takes to process one record.
    pub process_time: Span,
    /// When its next records take longer.
    pub stalls: Vec<Absence>,
    /// When it pauses what it owns.
    pub pauses: Vec<Absence>,
    /// When it leaves.
    pub leaves: Vec<Absence>,
    /// The length of the load, after which it does neither.
    pub load: Span,
}

/// Times at which one member is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The first time, after the load has begun.
    pub at: Span,
    /// How long it is away.
    pub lasts: Span,
    /// The interval at which it goes again.
    pub every: Option<Span>,
}

impl Habits {
    /// The habits of the member at place `index` of its table.
    pub fn new(consumers: &Consumers, index: u16, load: Span) -> Self {
        let own = |absences: &[spec::Absence]| {
            absences.iter().filter_map(|absence| Absence::new(absence, index)).collect()
        };
        Self {
            commit: consumers.commit(),
            kind: consumers.commit_kind,
            commit_every: consumers.commit_every.max(1),
            on_revoke: consumers.on_revoke(),
            process_time: consumers.process_time.0,
            stalls: own(&consumers.stalls),
            pauses: own(&consumers.pauses),
            leaves: own(&consumers.leaves),
            load,
        }
    }

    /// Whether the poll of this number, from 1, is one after which it commits.
    pub(super) fn commits_after(&self, poll: u64) -> bool {
        poll.is_multiple_of(u64::from(self.commit_every))
    }

    /// The time that it takes for this many records.
    pub(super) fn processing(&self, records: u32) -> Span {
        Span(self.process_time.0.saturating_mul(u64::from(records)))
    }
}

impl Absence {
    fn new(absence: &spec::Absence, index: u16) -> Option<Self> {
        if absence.members.is_some_and(|members| index >= members) {
            return None;
        }
        let late = absence.stagger.map_or(0, |by| by.nanos().saturating_mul(u64::from(index)));
        let at = absence.at.0.saturating_add(Span(late));
        Some(Self { at, lasts: absence.lasts.0, every: absence.every.map(|every| every.0) })
    }

    /// The first time at or after `now`, within the load.
    pub(super) fn next(&self, began: Mono, load: Span, now: Mono) -> Option<Mono> {
        next_time(began + self.at, self.every, now).filter(|at| *at < began + load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spec::Time;

    #[test]
    fn members_go_one_after_the_other_and_come_back() {
        let absence = spec::Absence {
            at: Time::secs(2),
            lasts: Time::secs(1),
            every: Some(Time::secs(10)),
            members: Some(2),
            stagger: Some(Time::secs(3)),
        };
        let consumers = Consumers { leaves: vec![absence], ..Consumers::default() };
        let next = |index, after| {
            let habits = Habits::new(&consumers, index, Span::secs(30));
            let absence = habits.leaves.first()?.clone();
            absence.next(Mono(0), habits.load, Mono(0) + Span::secs(after))
        };
        assert_eq!(next(0, 0), Some(Mono(0) + Span::secs(2)));
        assert_eq!(next(1, 0), Some(Mono(0) + Span::secs(5)));
        assert_eq!(next(1, 6), Some(Mono(0) + Span::secs(15)));
        assert_eq!(next(1, 26), None, "the load has ended");
        assert_eq!(next(2, 0), None, "two members go");
    }
}
