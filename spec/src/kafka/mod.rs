//! What Kafka 4.1 itself says about its properties: names, types, defaults and ranges
//! (`properties.tsv`), and the sets of values with which it refuses to start.
//!
//! Nothing here knows what Faultline models.

mod client;
mod fact;
mod refusal;
mod relation;
mod server;
mod valid;
mod value;

pub use fact::{Fact, Scope, fact, facts};
pub use refusal::{Refusal, refusal};
pub use value::Type;
