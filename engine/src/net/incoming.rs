//! Requests of one connection, one after another (`SocketServer`, `KafkaChannel.mute`).
//!
//! A server handles the requests of a connection strictly in order: from the moment that one is
//! received until its response has left, the connection is muted, and further requests are queued.
//! Brokers and controllers share this module; parking requests is their own matter.

use crate::protocol::Request;
use machine::ConnId;
use std::collections::{BTreeMap, VecDeque};

/// A request with its origin.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The connection that it came on.
    pub(crate) conn: ConnId,
    /// Its number on that connection.
    pub(crate) correlation_id: u32,
    /// The request.
    pub(crate) request: Request,
}

/// The connections on which requests have come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Incoming {
    connections: BTreeMap<ConnId, Turns>,
    /// How many connections are muted.
    muted: usize,
}

/// The requests of a connection.
#[derive(Clone, Debug, Default)]
struct Turns {
    /// Whether a request is being handled, whose response has not left.
    is_muted: bool,
    /// The requests that came after it.
    behind: VecDeque<Asked>,
}

impl Incoming {
    /// Receives a request. Returns it if its turn is now; otherwise it is queued.
    pub(crate) fn receive(&mut self, asked: Asked) -> Option<Asked> {
        let turns = self.connections.entry(asked.conn).or_default();
        if turns.is_muted {
            turns.behind.push_back(asked);
            return None;
        }
        turns.is_muted = true;
        self.muted += 1;
        Some(asked)
    }

    /// The response to the request being handled has left: returns the next request, or unmutes the
    /// connection if none is queued.
    pub(crate) fn next(&mut self, conn: ConnId) -> Option<Asked> {
        let turns = self.connections.get_mut(&conn)?;
        let next = turns.behind.pop_front();
        if next.is_none() && std::mem::take(&mut turns.is_muted) {
            self.muted -= 1;
        }
        next
    }

    /// The request that [`Incoming::next`] would return.
    pub(crate) fn peek(&self, conn: ConnId) -> Option<&Asked> {
        self.connections.get(&conn)?.behind.front()
    }

    /// Whether requests have queued behind the one in hand on `conn`; `None` if none is in hand.
    pub(crate) fn has_queued(&self, conn: ConnId) -> Option<bool> {
        let turns = self.connections.get(&conn).filter(|turns| turns.is_muted)?;
        Some(!turns.behind.is_empty())
    }

    /// Whether a request of `conn` is being handled.
    pub(crate) fn is_muted(&self, conn: ConnId) -> bool {
        self.connections.get(&conn).is_some_and(|turns| turns.is_muted)
    }

    /// The connection has ended: drops it with its queued requests.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        if self.connections.remove(&conn).is_some_and(|turns| turns.is_muted) {
            self.muted -= 1;
        }
    }

    /// The number of muted connections.
    pub(crate) fn len(&self) -> usize {
        self.muted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MetadataRequest;
    use machine::NodeId;

    fn asked(conn: ConnId, correlation_id: u32) -> Asked {
        Asked { conn, correlation_id, request: MetadataRequest { topics: None }.into() }
    }

    #[test]
    fn requests_of_one_connection_take_turns_and_other_connections_do_not_wait() {
        let [one, other] = [0, 1].map(|count| ConnId::new(NodeId::new(0, 1), 0, count));
        let mut incoming = Incoming::default();
        assert!(incoming.receive(asked(one, 1)).is_some());
        assert!(incoming.receive(asked(one, 2)).is_none());
        assert!(incoming.receive(asked(one, 3)).is_none());
        assert!(incoming.receive(asked(other, 1)).is_some());
        let turns = [(); 3].map(|()| incoming.next(one).map(|asked| asked.correlation_id));
        assert_eq!(turns, [Some(2), Some(3), None]);
        assert!(!incoming.is_muted(one) && incoming.is_muted(other));
        assert!(incoming.receive(asked(one, 4)).is_some());
        incoming.forget(one);
        assert!(incoming.next(one).is_none());
    }
}
