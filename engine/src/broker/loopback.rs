//! Connections of a broker to itself. If the leader of a partition or the coordinator of a
//! transaction is on the same broker, a part sends its request to its own broker over such a
//! connection. The host has connections between different nodes only.
//!
//! Messages of a handler to such a connection are removed from its outputs, and return as separate
//! inputs after [`LATENCY`]: [`BrokerTimer::Loopback`].

use crate::protocol::Message;
use crate::timer::{BrokerTimer, Timer};
use crate::{Input, Outbox};
use machine::{CloseReason, ConnId, Mono, NodeId, Output, Span};
use std::collections::{BTreeMap, VecDeque};

/// The time from one end of such a connection to the other: the default latency of links between
/// nodes. It alone slows down a broker that repeats a request to itself without a back-off, as a
/// coordinator does with a marker that the leader refuses.
const LATENCY: Span = Span::micros(100);

/// The open connections, each with its queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Loopback {
    connections: BTreeMap<ConnId, Queue>,
}

/// The queue of one connection, each element with the time at which it arrives.
#[derive(Clone, Debug, Default)]
struct Queue {
    passing: VecDeque<(Mono, Passing)>,
    /// The timer for the first element is set.
    armed: bool,
}

/// An element of the queue.
#[derive(Clone, Debug)]
enum Passing {
    Opened,
    Message(Message),
    Closed,
}

impl Loopback {
    /// Moves outputs to the broker itself into the queues.
    pub(super) fn take(&mut self, now: Mono, out: &mut Outbox) {
        let own = out.node();
        if !out.outputs().iter().any(|output| self.concerns(own, output)) {
            return;
        }
        let (arrives, mut woken) = (now + LATENCY, Vec::new());
        out.retain(|output| {
            let (conn, passing) = match output {
                output if !self.concerns(own, output) => return true,
                Output::Connect { conn, .. } => (*conn, Passing::Opened),
                Output::Send { conn, message } => (*conn, Passing::Message(message.clone())),
                Output::Close { conn } => (*conn, Passing::Closed),
                _ => return true,
            };
            let queue = self.connections.entry(conn).or_default();
            queue.passing.push_back((arrives, passing));
            if !std::mem::replace(&mut queue.armed, true) {
                woken.push(conn);
            }
            false
        });
        for conn in woken {
            out.set_timer(Timer::Broker(BrokerTimer::Loopback(conn)), arrives);
        }
    }

    fn concerns(&self, own: NodeId, output: &Output<crate::Kafka>) -> bool {
        match output {
            Output::Connect { peer, .. } => *peer == own,
            Output::Send { conn, .. } | Output::Close { conn } => {
                !self.connections.is_empty() && self.connections.contains_key(conn)
            }
            _ => false,
        }
    }

    /// The next element on a connection, if it is a message.
    pub(super) fn peek(&self, conn: ConnId) -> Option<&Message> {
        match self.connections.get(&conn)?.passing.front()? {
            (_, Passing::Message(message)) => Some(message),
            (_, Passing::Opened | Passing::Closed) => None,
        }
    }

    /// Takes the next element on a connection as an input, and sets the timer for the one after it.
    pub(super) fn next(&mut self, conn: ConnId, out: &mut Outbox) -> Option<Input> {
        let queue = self.connections.get_mut(&conn)?;
        let (_, next) = queue.passing.pop_front()?;
        queue.armed = false;
        if let Some((arrives, _)) = queue.passing.front() {
            queue.armed = true;
            out.set_timer(Timer::Broker(BrokerTimer::Loopback(conn)), *arrives);
        }
        let from = out.node();
        Some(match next {
            Passing::Opened => Input::Opened { conn, peer: from },
            Passing::Message(message) => Input::Message { conn, from, message },
            Passing::Closed => {
                self.connections.remove(&conn);
                Input::Closed { conn, peer: from, reason: CloseReason::Closed }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ApiVersionsRequest, Request};

    fn request(correlation_id: u32) -> Message {
        Message::Request { correlation_id, body: Request::from(ApiVersionsRequest) }
    }

    #[test]
    fn requests_to_the_own_broker_arrive_in_order_and_the_others_are_sent() {
        let own = NodeId::new(0, 1);
        let mut out = Outbox::new(own, 1);
        let mut loopback = Loopback::default();
        let (mine, other) = (out.connect(own), out.connect(NodeId::new(0, 2)));
        out.send(mine, request(1));
        out.send(other, request(2));
        loopback.take(Mono(7), &mut out);
        let left: Vec<_> = out.drain().collect();
        let is_timer = |output: &Output<_>| {
            matches!(
                output,
                Output::SetTimer { timer: Timer::Broker(BrokerTimer::Loopback(conn)), at }
                    if (*conn, *at) == (mine, Mono(7) + LATENCY)
            )
        };
        assert!(matches!(left[0], Output::Connect { conn, .. } if conn == other));
        assert!(matches!(left[1], Output::Send { conn, .. } if conn == other));
        assert!(left.len() == 3 && is_timer(&left[2]), "one timer: {left:?}");

        assert_eq!(loopback.peek(mine), None, "it opens first");
        assert!(matches!(loopback.next(mine, &mut out), Some(Input::Opened { .. })));
        let again: Vec<_> = out.drain().collect();
        assert!(again.len() == 1 && is_timer(&again[0]));
        assert_eq!(loopback.peek(mine), Some(&request(1)));
        assert!(matches!(loopback.next(mine, &mut out), Some(Input::Message { .. })));
        assert_eq!(out.drain().count(), 0, "nothing more comes");

        out.close(mine);
        loopback.take(Mono(8), &mut out);
        out.send(mine, request(3));
        loopback.take(Mono(8), &mut out);
        assert_eq!(out.drain().count(), 1);
        assert!(matches!(loopback.next(mine, &mut out), Some(Input::Closed { .. })));
        assert!(loopback.next(mine, &mut out).is_none(), "it is closed");
    }
}
