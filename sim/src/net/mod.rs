//! The network between hosts: links with latency, loss and bandwidth, and what TCP makes of them.
//!
//! A connection delivers what was sent in order and once, or not at all. What the network loses
//! the sender's kernel sends again, and what comes later waits for it; so a partition delays
//! messages rather than losing them, even past the end of the process that sent them. Only
//! time-outs (the process's business), resets and closes end a connection: the death of the other
//! end behind a partition is not noticed.

mod connection;
mod link;
mod table;

pub(crate) use connection::{Connection, EndState, Packet, Segment, insert};
pub use link::{Latency, LinkProfile};
pub(crate) use link::{LinkShape, Links, Retransmission};
pub(crate) use table::Connections;
