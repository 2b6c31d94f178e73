//! The fates of the entries of a plan.

use machine::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spec::Fault;

/// A fault of the plan and its fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedFault {
    /// The fault.
    pub fault: Fault,
    /// Whether the seed has drawn it; the scenario lists the others.
    pub generated: bool,
    /// Its fate.
    pub fate: Fate,
}

impl Fate {
    /// Whether a part of it took effect.
    pub fn took_effect(&self) -> bool {
        match self {
            Self::Fired { injected, without_effect, .. } => without_effect.len() < injected.len(),
            _ => false,
        }
    }

    /// Why no part of it took effect, as an addition to its name; empty if a part did.
    pub fn why_not(&self) -> String {
        match self {
            _ if self.took_effect() => String::new(),
            Self::Fired { without_effect, .. } => {
                format!(", which was injected without effect: {}", without_effect.join("; "))
            }
            Self::Suppressed { because, .. } => format!(", left out: {}", because.join("; ")),
            Self::NoTarget { because, .. } => match because.as_slice() {
                [] => ", for which no node matched".to_owned(),
                because => format!(": {}", because.join("; ")),
            },
            Self::NeverFired { because } => format!(": {because}"),
        }
    }
}

/// Why an injected fault has had no effect, if no other fault prevented it.
pub(super) fn why_idle(fault: &sim::Fault<NodeId>) -> &'static str {
    use sim::{Crash, Fault, PowerLoss};
    match fault {
        Fault::Crash(Crash { at_disk_operation: Some(_), .. })
        | Fault::PowerLoss(PowerLoss { at_disk_operation: Some(_), .. }) => {
            "no handler came to that operation"
        }
        Fault::Crash(_) | Fault::Pause(_) | Fault::Restart(_) => "its process did not run",
        Fault::PowerLoss(_) => "its host was off",
        Fault::Partition(_) | Fault::OneWayPartition(_) => "nothing was sent that it could stop",
        Fault::SlowLink(_) | Fault::LossyLink(_) | Fault::DelayMetadata(_) => {
            "nothing that was sent met it"
        }
        Fault::FullDisk(_) => "nothing was written that did not fit",
        Fault::HungDisk(_) | Fault::SlowDisk(_) | Fault::DiskError(_) => "no disk operation met it",
        Fault::LostDisk(_) => "there was no such disk",
        Fault::CorruptDisk(_) => "there was no such file",
        Fault::ClockJump(_) => "no process read the clock meanwhile",
    }
}

/// The fate of a planned fault. Times are nanoseconds since the load began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was injected.
    Fired {
        /// The time of the injection.
        at_ns: u64,
        /// The injected faults, with nodes in place of targets.
        injected: Vec<String>,
        /// The parts that were left out, and why.
        suppressed: Vec<String>,
        /// The injected faults without an effect: for example because the process was down already,
        /// or no message was sent that could have been lost.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        without_effect: Vec<String>,
    },
    /// It was not injected.
    Suppressed {
        /// When it would have been injected.
        at_ns: u64,
        /// The reasons.
        because: Vec<String>,
    },
    /// It would have affected no node or no link: for example, there was no leader.
    NoTarget {
        /// When it would have been injected.
        at_ns: u64,
        /// The targets that matched no node, or why there was no link.
        #[serde(default)]
        because: Vec<String>,
    },
    /// It did not fire before the load ended.
    NeverFired {
        /// The reason.
        #[serde(default)]
        because: String,
    },
}
