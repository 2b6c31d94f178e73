//! The canary: no rule is wrong, and yet one seed in a hundred reports a violation. It shows that
//! whatever a check finds arrives: in the exit code, in JSON, in JUnit, in the annotations of a
//! pull request. The run itself is the same with and without it.

use judge::check::{Findings, Ground};

/// Its id.
pub(super) const ID: &str = "canary";

/// Whether it sings: once in every hundred seeds.
pub fn sings(bugs: &[String], seed: u64) -> bool {
    seed % 100 == 42 && bugs.iter().any(|id| id.eq_ignore_ascii_case(ID))
}

/// Adds what it reports at the end of a run.
pub fn sing(at: u64, out: &mut Findings) {
    out.add_without_partition(ID, "a false violation", (at, 0), Ground::Never)
        .detail("the canary sang: nothing is wrong but --bug canary".to_owned());
}
