//! A panic that ended a run, which is a defect of Faultline, and the events that led to it. Like a
//! violation it can be followed in the trace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A panic that ended a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Panic {
    /// Its message.
    pub message: String,
    /// Its place in the source, as `file:line:column`; empty if unknown.
    pub place: String,
    /// The time in nanoseconds since the start of the load; negative before it.
    pub at_ns: i64,
    /// The phase of the run, such as `the load`.
    pub during: String,
    /// The node in whose process it happened; empty if it happened elsewhere.
    pub node: String,
    /// The last event of the trace: if a process was handling an input, the event of that input.
    pub event: u64,
    /// The input that was being handled: the message or timer, its sender, its connection, and the
    /// event that caused it. This and all following fields are known only for a run with its trace.
    pub handling: String,
    /// The complete message or timer, if it is certain which it was.
    pub input: String,
    /// The events that led to the panic, each the cause of the next.
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
