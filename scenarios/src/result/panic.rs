//! A panic that ended a run, a defect of Faultline, and what led there. As with a violation,
//! what it says can be followed in the trace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A panic that ended a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Panic {
    /// Its message.
    pub message: String,
    /// Where in the source it began, as `file:line:column`; empty if that is not known.
    pub place: String,
    /// When, in nanoseconds since the start of the load; negative before it.
    pub at_ns: i64,
    /// What the run was at, such as `the load`.
    pub during: String,
    /// The node in whose process it happened; empty if it happened elsewhere.
    pub node: String,
    /// The last event of the trace: the beginning of what was being handled, if a process was
    /// handling something.
    pub event: u64,
    /// What was being handled: the message or timer, from which node, on which connection, and which
    /// event caused it. Like all that follows known only of a run with its trace.
    pub handling: String,
    /// All of that message or timer, where it is certain which it was.
    pub input: String,
    /// The events that led there, each the cause of the one after it.
    pub causes: Vec<String>,
    /// The last events of the node.
    pub of_node: Vec<String>,
    /// The last events of the connection.
    pub of_connection: Vec<String>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.place.as_str() {
            "" => Ok(()),
            place => write!(f, " ({place})"),
        }
    }
}
