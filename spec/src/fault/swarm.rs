//! `[swarm]`: a mix of faults that the seed chooses.

use super::Family;
use crate::{Share, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mix of faults that the seed chooses, correlated in time, within a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Swarm {
    /// How many faults.
    pub faults: u32,
    /// The families to choose from; each seed leaves out some.
    pub families: Vec<Family>,
    /// The earliest moment when a fault fires.
    pub from: Time,
    /// The latest moment when a fault fires.
    pub until: Time,
    /// The shortest duration of a fault.
    pub lasts_at_least: Time,
    /// The longest duration of a fault.
    pub lasts_at_most: Time,
    /// The share of faults that follow shortly after the previous one instead of at a moment of
    /// their own.
    pub correlated: Share,
    /// How many brokers of a cluster may be down or cut off at the same time.
    pub brokers_at_once: u16,
    /// How many controllers of a cluster may be down or cut off at the same time.
    pub controllers_at_once: u16,
    /// The share of sequences in which a leader is left alone in sync and then loses power, which
    /// is the case that min.insync.replicas guards against. In a mix of all faults it is rare.
    #[serde(skip_serializing_if = "is_none")]
    pub lone_leaders: Share,
    /// Settings, as for `--set`, of the reference run with which all runs of a seed are paired. The
    /// faults are those of the reference run, within its budget: the same nodes at the same
    /// moments, whether or not the settings of this run promise to survive them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paired_with: Vec<String>,
    /// Draws the settings and the shape of the load from the seed as well: numbers of nodes and
    /// replicas, acks and min.insync.replicas, time-outs, segments, sizes of batches and fetches.
    /// The summary and run.json list the drawn settings.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub draw_settings: bool,
    /// Names of settings that are not drawn; settings given by `--set` are added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
}

impl Default for Swarm {
    fn default() -> Self {
        Self {
            faults: 6,
            families: Family::all().collect(),
            from: Time::secs(1),
            until: Time::secs(24),
            lasts_at_least: Time::millis(100),
            lasts_at_most: Time::secs(5),
            correlated: Share(600_000),
            brokers_at_once: 1,
            controllers_at_once: 1,
            lone_leaders: Share(0),
            paired_with: Vec::new(),
            draw_settings: false,
            fixed: Vec::new(),
        }
    }
}

fn is_none(share: &Share) -> bool {
    *share == Share(0)
}
