//! The canary: no rule is wrong, and yet one seed in a hundred reports a violation. It shows that
//! whatever a check finds arrives: in the exit code, in JSON, in JUnit, in the annotations of a
//! pull request. The run itself is the same with and without it.

use judge::check::{Finding, Ground};

/// Its id.
pub(super) const ID: &str = "canary";

/// Whether it sings: once in every hundred seeds.
pub fn sings(bugs: &[String], seed: u64) -> bool {
    seed % 100 == 42 && bugs.iter().any(|id| id.eq_ignore_ascii_case(ID))
}

/// What it reports at the end of a run.
pub fn finding(at: u64) -> Finding {
    Finding {
        check: ID,
        what: "a false violation",
        at,
        event: 0,
        partition: None,
        offset: None,
        record: None,
        detail: "the canary sang: nothing is wrong but --bug canary".to_owned(),
        ground: Ground::Never,
    }
}
