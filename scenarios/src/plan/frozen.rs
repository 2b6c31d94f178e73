//! A plan as an artefact: what a run came to, written down so that another run meets the same,
//! whatever families of faults and stories there are by then.

use super::settings;
use spec::{Fault, Resolved, Scenario};

/// The scenario of a run with the faults that it met ([`crate::run::RunOutcome::resolved`]) in place
/// of its own, and the settings that its seed drew: nodes in place of roles, moments in place of
/// conditions, and no swarm.
pub fn frozen(run: &Resolved, met: &[Fault]) -> Scenario {
    let (scenario, _) = settings::drawn(&run.scenario, run.seed);
    Scenario { swarm: None, faults: met.to_vec(), ..scenario }
}

/// Faults as entries of a scenario file.
pub fn to_toml(faults: &[Fault]) -> String {
    let entry = |fault: &Fault| {
        let keys = toml::to_string(fault).expect("a fault is a flat table");
        format!("[[faults]]\n{keys}")
    };
    faults.iter().map(entry).collect::<Vec<_>>().join("\n")
}
