//! The parts of a verdict in the published formats.

mod groups;
mod transactions;

pub use groups::GroupCounts;
pub use transactions::{Share, Sum, Transactions};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcomes of the records, each counted once over the whole run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Given to a producer.
    pub sent: u64,
    /// Due, but never given to a producer: their application was down, fenced, or had ended. Not
    /// counted where applications send messages again.
    #[serde(default)]
    pub never_sent: u64,
    /// Confirmed to a producer with acks 1 or all.
    pub acked: u64,
    /// Sent with acks=0, which confirms nothing.
    pub unconfirmed: u64,
    /// Refused for certain.
    pub failed: u64,
    /// Neither confirmed nor refused: they may have been written.
    pub unknown: u64,
    /// Confirmed, in transactions that are not committed, so that `read_committed` readers do not
    /// receive them.
    pub aborted: u64,
    /// Distinct records read back from the healed cluster.
    pub read: u64,
    /// Acknowledged and lost, permitted or not.
    pub lost: u64,
    /// Seen more than once by a reader.
    pub duplicated: u64,
    /// Seen by a reader in another order than sent.
    pub reordered: u64,
}

impl Counts {
    /// Each count with its name, in the order of a record's life.
    pub fn rows(&self) -> [(&'static str, u64); 11] {
        [
            ("sent", self.sent),
            ("never sent", self.never_sent),
            ("acked", self.acked),
            ("unconfirmed", self.unconfirmed),
            ("failed", self.failed),
            ("unknown", self.unknown),
            ("aborted", self.aborted),
            ("read", self.read),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
        ]
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.sent = self.sent.saturating_add(other.sent);
        self.never_sent = self.never_sent.saturating_add(other.never_sent);
        self.acked = self.acked.saturating_add(other.acked);
        self.unconfirmed = self.unconfirmed.saturating_add(other.unconfirmed);
        self.failed = self.failed.saturating_add(other.failed);
        self.unknown = self.unknown.saturating_add(other.unknown);
        self.aborted = self.aborted.saturating_add(other.aborted);
        self.read = self.read.saturating_add(other.read);
        self.lost = self.lost.saturating_add(other.lost);
        self.duplicated = self.duplicated.saturating_add(other.duplicated);
        self.reordered = self.reordered.saturating_add(other.reordered);
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// The check that found it.
    pub check: String,
    /// The same for all violations of the same kind, whatever the seed.
    pub signature: String,
    /// When, in nanoseconds of simulated time since the start of the load; negative before it.
    pub at_ns: i64,
    /// The partition, as `orders-0`; empty if the violation is not about one.
    pub partition: String,
    /// The offset, if the violation is about one.
    pub offset: Option<i64>,
    /// The finding in one line.
    pub summary: String,
    /// How it happened: which broker acknowledged which record, in which epoch, with which ISR, and
    /// which fault followed.
    pub explanation: Vec<String>,
    /// The event of the trace that each line of the explanation is about, 0 if it is about none.
    #[serde(default)]
    pub explanation_events: Vec<u64>,
    /// The numbers of the events in the trace that show it.
    pub events: Vec<u64>,
}

/// Anomalies that a setting allows after what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permitted {
    /// The row of the permission table.
    pub hazard: String,
    /// The number of records.
    pub count: u64,
    /// How many of these records are stored in order, and only had their callbacks out of order.
    #[serde(default)]
    pub callbacks: u64,
    /// The setting and the event that excuse them.
    pub because: String,
    /// The partition, as `orders-0`.
    pub partition: String,
    /// What happened, in one line.
    pub summary: String,
    /// How the first of them happened, if records are lost.
    #[serde(default)]
    pub explanation: Vec<String>,
    /// The event of the trace that each line of the explanation is about, 0 if it is about none.
    #[serde(default)]
    pub explanation_events: Vec<u64>,
    /// The numbers of the events in the trace that show it.
    pub events: Vec<u64>,
}
