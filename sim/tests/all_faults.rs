//! Every fault has a test of its own among these, so that none can do nothing unnoticed.

use sim::Kind;
use std::fs;
use std::path::Path;

#[test]
fn every_fault_is_applied_by_some_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |name: &str| fs::read_to_string(tests.join(name)).expect("it is there");
    let sources = ["disks.rs", "life.rs", "network.rs"].map(read).concat();
    for kind in Kind::ALL {
        let applied = [format!("{kind:?} {{"), format!("{kind:?} }}")];
        let is_applied = applied.iter().any(|it| sources.contains(it));
        assert!(is_applied, "no test applies {}", kind.name());
    }
}
