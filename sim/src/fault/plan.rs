//! Plans: which fault, when, and for how long.

use super::Fault;
use crate::{SimTime, text};
use machine::Span;
use serde::{Deserialize, Serialize};

/// When an entry of a plan is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// At a moment.
    At(#[serde(with = "text::sim_time")] SimTime),
    /// When whoever runs the world says so, for reasons of the given number.
    External(u32),
}

/// One entry of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it is applied.
    pub trigger: Trigger,
    /// For how long, if not until everything is healed.
    #[serde(with = "text::optional_span", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// The fault.
    pub fault: Fault,
}

/// A list of faults with their times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In any order.
    pub entries: Vec<Entry>,
}

/// An entry of the plan of a world, by its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryId(pub u32);

/// A fault that was applied, numbered in the order of being applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActiveId(pub u32);

/// A fault in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveFault {
    /// Its number.
    pub id: ActiveId,
    /// The entry of the plan that it comes from, if any.
    pub entry: Option<EntryId>,
    /// Since when it is in force.
    pub since: SimTime,
    /// The fault.
    pub fault: Fault,
    /// How often what it does to a disk or clock had happened there before.
    pub(crate) shown_before: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{DiskIoError, DiskOperation, Partition, PowerLoss};
    use machine::NodeId;

    #[test]
    fn a_plan_reads_back_as_written() {
        let entries = vec![
            Entry {
                trigger: Trigger::At(SimTime::millis(1_500)),
                lasts: Some(Span::secs(2)),
                fault: PowerLoss { node: NodeId::new(0, 3) }.into(),
            },
            Entry {
                trigger: Trigger::External(7),
                lasts: None,
                fault: Partition {
                    groups: vec![vec![NodeId::new(0, 1)], vec![NodeId::new(1, 2)]],
                    one_way: true,
                }
                .into(),
            },
            Entry {
                trigger: Trigger::At(SimTime(1)),
                lasts: None,
                fault: DiskIoError { node: NodeId::new(0, 1), on: DiskOperation::Sync, times: 1 }
                    .into(),
            },
        ];
        let plan = Plan { entries };
        let text = serde_json::to_string(&plan).expect("a plan is plain data");
        assert!(text.contains(
            r#"{"trigger":{"at":"1500ms"},"lasts":"2s","fault":{"kind":"power_loss","node":"3"}}"#
        ));
        assert!(text.contains(r#""groups":[["1"],["1/2"]],"one_way":true"#), "{text}");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("it was just written"), plan);
    }
}
