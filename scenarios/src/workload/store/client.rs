//! The connection of an application to its store: one request at a time.

use super::{Key, Part, Request, Response, key, message, partition, read};
use engine::ids::{Offset, TopicPartition};
use engine::timer::Timer;
use engine::{Input, Outbox};
use machine::{ConnId, NodeId, Now, Span};

/// A response is due after this time.
const TIMEOUT: Span = Span::secs(2);
/// The time-out of a request.
const LATE: Timer = Timer::Application(4);

/// A connection to a store.
#[derive(Clone, Debug)]
pub(in crate::workload) struct StoreClient {
    store: NodeId,
    conn: Option<ConnId>,
    /// The number of the last request, and whether its response is awaited.
    number: u64,
    is_waiting: bool,
}

/// What has come of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::workload) enum Answer {
    /// The epochs and positions of the claimed partitions.
    Claimed(Vec<(TopicPartition, u64, Option<Offset>)>),
    /// The transaction is committed.
    Committed,
    /// The transaction is refused: another application has claimed one of its partitions.
    Refused,
    /// The connection is lost, and the outcome unknown.
    Lost,
}

impl StoreClient {
    pub(in crate::workload) fn new(store: NodeId) -> Self {
        Self { store, conn: None, number: 0, is_waiting: false }
    }

    /// Takes partitions over.
    pub(in crate::workload) fn claim(
        &mut self,
        partitions: impl Iterator<Item = TopicPartition>,
        now: Now,
        out: &mut Outbox,
    ) {
        let keys: Vec<Key> = partitions.map(key).collect();
        self.send("StoreClaim", &Request::Claim(keys), now, out);
    }

    /// Commits a transaction.
    pub(in crate::workload) fn commit(&mut self, parts: Vec<Part>, now: Now, out: &mut Outbox) {
        self.send("StoreCommit", &Request::Commit(parts), now, out);
    }

    fn send(&mut self, name: &'static str, request: &Request, now: Now, out: &mut Outbox) {
        let conn = *self.conn.get_or_insert_with(|| out.connect(self.store));
        self.number += 1;
        self.is_waiting = true;
        out.send(conn, message(name, self.number, request));
        out.set_timer(LATE, now.mono + TIMEOUT);
    }

    /// Handles an input of the process. Returns what has come of the request, if this input decides it.
    pub(in crate::workload) fn on_input(
        &mut self,
        input: &Input,
        out: &mut Outbox,
    ) -> Option<Answer> {
        match input {
            Input::Message { conn, message, .. } if self.conn == Some(*conn) => {
                let (number, response) = read(message)?;
                if number != self.number || !std::mem::take(&mut self.is_waiting) {
                    return None;
                }
                out.cancel_timer(LATE);
                Some(match response {
                    Response::Claimed(all) => Answer::Claimed(
                        all.into_iter().map(|(of, epoch, at)| (partition(of), epoch, at)).collect(),
                    ),
                    Response::Committed => Answer::Committed,
                    Response::Refused => Answer::Refused,
                })
            }
            Input::Closed { conn, .. } if self.conn == Some(*conn) => {
                self.conn = None;
                out.cancel_timer(LATE);
                std::mem::take(&mut self.is_waiting).then_some(Answer::Lost)
            }
            Input::Timer(LATE) => {
                if let Some(conn) = self.conn.take() {
                    out.close(conn);
                }
                std::mem::take(&mut self.is_waiting).then_some(Answer::Lost)
            }
            _ => None,
        }
    }

    /// Closes the connection.
    pub(in crate::workload) fn close(&mut self, out: &mut Outbox) {
        if let Some(conn) = self.conn.take() {
            out.close(conn);
        }
        out.cancel_timer(LATE);
        self.is_waiting = false;
    }
}
