//! Every fault has a test of its own, so that none can do nothing unnoticed.

use sim::Kind;

const TESTS: [&str; 3] =
    [include_str!("disks.rs"), include_str!("life.rs"), include_str!("network.rs")];

#[test]
fn every_fault_is_applied_by_some_test() {
    for kind in Kind::ALL {
        let applied = format!("{kind:?} {{");
        let is_applied = TESTS.iter().any(|source| source.contains(&applied));
        assert!(is_applied, "no test applies {}", kind.name());
    }
}
