//! The network between hosts: links with latency, loss and bandwidth, and TCP on top of them.
//!
//! A connection delivers messages in order and once, or not at all. The sender's kernel resends
//! lost packets, and later packets wait for them; so a partition delays messages rather than losing
//! them, even past the end of the process that sent them. Only time-outs (of the process), resets
//! and closes end a connection: the death of the other end behind a partition is not noticed.

mod connection;
mod link;
mod table;

pub(crate) use connection::{Connection, EndState, Packet, Segment, insert};
pub use link::{Latency, LinkProfile};
pub(crate) use link::{LinkShape, Links, Retransmission};
pub(crate) use table::Connections;
