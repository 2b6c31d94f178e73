//! The compared settings: when a producer considers a record written, how many replicas must be in
//! sync for that, and whether leaders recognise records that are sent again.

use super::study::Run;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which acknowledgement a producer waits for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Acks {
    /// No acknowledgement.
    #[serde(rename = "0")]
    None,
    /// The leader alone.
    #[serde(rename = "1")]
    Leader,
    /// All in-sync replicas.
    #[serde(rename = "all")]
    All,
}

impl Acks {
    /// All values, from the weakest.
    pub const EACH: [Self; 3] = [Self::None, Self::Leader, Self::All];

    /// The value of the property `acks`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Leader => "1",
            Self::All => "all",
        }
    }
}

/// One of the settings that are compared.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// `acks` of the producers.
    pub acks: Acks,
    /// `min.insync.replicas` of the topic.
    #[serde(rename = "min.insync.replicas")]
    pub min_isr: u16,
    /// `enable.idempotence` of the producers. It is true by default; Kafka itself turns it off for acks 0
    /// and 1.
    #[serde(rename = "enable.idempotence")]
    pub idempotence: bool,
}

impl Setting {
    /// For people, as in `acks=all, min ISR 2`; with `, not idempotent` where idempotence was turned off.
    pub fn label(self) -> String {
        let off = if self.idempotence { "" } else { ", not idempotent" };
        format!("acks={}, min ISR {}{off}", self.acks.name(), self.min_isr)
    }

    /// Whether producers are idempotent.
    pub const fn is_idempotent(self) -> bool {
        self.idempotence && matches!(self.acks, Acks::All)
    }

    /// The event that has to come about in a run before the run says anything about the setting.
    pub const fn subject(self) -> &'static str {
        match self.acks {
            Acks::None | Acks::Leader => "was a leader replaced",
            Acks::All => "did the in-sync replicas shrink",
        }
    }

    /// Whether the event of [`Self::subject`] came about in a run.
    pub(super) const fn is_tested_by(self, run: &Run) -> bool {
        match self.acks {
            Acks::None | Acks::Leader => run.leader_replaced,
            Acks::All => run.isr_shrunk,
        }
    }

    /// For the names of files and fragments, as in `acks-all-min-isr-2`.
    pub fn id(self) -> String {
        let off = if self.idempotence { "" } else { "-not-idempotent" };
        format!("acks-{}-min-isr-{}{off}", self.acks.name(), self.min_isr)
    }
}
