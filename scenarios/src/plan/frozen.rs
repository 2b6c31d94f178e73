//! A plan as an artefact: what a run came to, written down so that another run meets the same,
//! whatever families of faults and stories there are by then.

use spec::{Fault, Scenario};

/// A scenario with the faults that a run of it met ([`crate::run::RunOutcome::resolved`]) in place of
/// its own: nodes in place of roles, moments in place of conditions, and no swarm.
pub fn frozen(scenario: &Scenario, met: &[Fault]) -> Scenario {
    Scenario { swarm: None, faults: met.to_vec(), ..scenario.clone() }
}

/// Faults as entries of a scenario file.
pub fn to_toml(faults: &[Fault]) -> String {
    let entry = |fault: &Fault| {
        let keys = toml::to_string(fault).expect("a fault is a flat table");
        format!("[[faults]]\n{keys}")
    };
    faults.iter().map(entry).collect::<Vec<_>>().join("\n")
}
