//! Every fault has a test, so that a fault without effect is noticed.

use sim::Kind;

const TESTS: [&str; 3] =
    [include_str!("disks.rs"), include_str!("life.rs"), include_str!("network.rs")];

#[test]
fn every_fault_is_applied_by_some_test() {
    for kind in Kind::ALL {
        let is_applied = TESTS.iter().any(|source| applies(source, &format!("{kind:?}")));
        assert!(is_applied, "no test applies {}", kind.name());
    }
}

/// Whether a source constructs a value of the type `name`, not only of a type whose name ends like
/// it.
fn applies(source: &str, name: &str) -> bool {
    let is_whole = |at: usize| !source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    source.match_indices(&format!("{name} {{")).any(|(at, _)| is_whole(at))
}

#[test]
fn a_fault_is_not_mistaken_for_one_whose_name_ends_like_it() {
    let source = "world.apply(sim::OneWayPartition { from, to });";
    assert!(applies(source, "OneWayPartition") && !applies(source, "Partition"));
}
