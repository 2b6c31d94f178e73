//! Kafka 4.1's own rules for its properties: names, types, defaults and ranges (`properties.tsv`),
//! and the sets of values with which it refuses to start.
//!
//! This module does not depend on what Faultline models.

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
