//! Connections: those that a process opens, with the requests that it has in flight on them
//! (`channels.rs`), and those that others open to it, with the requests that they send
//! (`incoming.rs`).

mod channels;
mod incoming;

pub use channels::{ChannelConfig, Channels, Disconnected};
pub(crate) use incoming::{Asked, Incoming};
