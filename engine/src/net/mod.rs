//! Connections: the ones that a process opens, with its requests in flight (`channels.rs`), and the
//! ones that others open to it, with their requests (`incoming.rs`).

mod channels;
mod incoming;

pub use channels::{ChannelConfig, Channels, Disconnected};
pub(crate) use incoming::{Asked, Incoming};
