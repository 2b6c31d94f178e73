//! The transactions of applications: their calls, and the outcomes reported to them.

use crate::evidence::observed::Moment;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, TransactionOutcome};
use machine::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One transaction of an application.
#[derive(Clone, Debug)]
pub struct ClientTransaction {
    /// The number that the application gave to the transaction: that of its first record.
    pub number: u64,
    /// When and where the transaction began.
    pub begun: Moment,
    /// The session of its producer, an index of [`ClientTransactions::sessions`]; `None` if the
    /// producer never initialized its transactional id.
    pub session: Option<usize>,
    /// When `commitTransaction` was called first.
    pub commit_called: Option<Moment>,
    /// When `abortTransaction` was called first.
    pub abort_called: Option<Moment>,
    /// The time at which the application completed the transaction, and its outcome. `None` if the
    /// application was killed, or the run ended.
    pub ended: Option<(Moment, TransactionOutcome)>,
    /// The error that prevented the commit; `None` if there was none.
    pub error: Option<ErrorCode>,
    /// The number of records in the transaction.
    pub records: u32,
}

/// The promise for a transaction; see the module [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// All records are committed.
    Committed,
    /// No record is committed.
    Aborted,
    /// All records are committed, or none.
    Either,
}

impl ClientTransaction {
    /// The promise for this transaction.
    pub fn promise(&self) -> Promise {
        match self.ended.map(|(_, outcome)| outcome) {
            Some(TransactionOutcome::Committed) => Promise::Committed,
            Some(TransactionOutcome::Aborted) => Promise::Aborted,
            Some(TransactionOutcome::GivenUp | TransactionOutcome::Unknown) | None => {
                match self.commit_called {
                    Some(_) => Promise::Either,
                    None => Promise::Aborted,
                }
            }
        }
    }

    /// The transaction with its outcome, in words.
    pub fn in_words(&self) -> &'static str {
        match (self.ended.map(|(_, outcome)| outcome), self.commit_called) {
            (Some(TransactionOutcome::Committed), _) => "a committed transaction",
            (Some(TransactionOutcome::Aborted), _) => "an aborted transaction",
            (_, None) => "a transaction without a call to commit",
            (_, Some(_)) => "a transaction of unknown outcome",
        }
    }
}

/// The time from `initTransactions` onwards, in which a producer owns its transactional id.
#[derive(Clone, Debug)]
pub struct Session {
    /// The transactional id.
    pub id: Arc<str>,
    /// The producer id.
    pub producer_id: i64,
    /// The epoch.
    pub epoch: i16,
    /// When and where `initTransactions` returned.
    pub begun: Moment,
}

/// All transactions of all applications.
#[derive(Clone, Debug, Default)]
pub struct ClientTransactions {
    all: Vec<ClientTransaction>,
    sessions: Vec<Session>,
    ids: BTreeMap<String, Arc<str>>,
    /// The present transaction of each application.
    open: BTreeMap<NodeId, usize>,
    /// The last session of each node.
    owners: BTreeMap<NodeId, usize>,
}

impl ClientTransactions {
    /// All transactions, in the order in which they began.
    pub fn all(&self) -> &[ClientTransaction] {
        &self.all
    }

    /// All sessions, in the order in which they began.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// The present session of a client, an index of [`Self::sessions`].
    pub fn session_of(&self, node: NodeId) -> Option<usize> {
        self.owners.get(&node).copied()
    }

    /// Whether a running client has an open transaction with a transactional id.
    pub fn is_open(&self, id: &str) -> bool {
        let its = |node: &NodeId| self.owners.get(node).map(|session| &self.sessions[*session]);
        self.open.keys().filter_map(its).any(|session| *session.id == *id)
    }

    /// One transaction, by [`super::super::Record::transaction`].
    pub fn get(&self, transaction: u32) -> Option<&ClientTransaction> {
        self.all.get(transaction as usize)
    }

    /// Counts a record that an application gives to its producer. Returns the index of its
    /// transaction, if it belongs to one.
    #[inline]
    pub(in crate::evidence) fn sent(&mut self, node: NodeId) -> Option<u32> {
        if self.open.is_empty() {
            return None;
        }
        let index = *self.open.get(&node)?;
        self.all[index].records += 1;
        Some(index as u32)
    }

    pub(in crate::evidence) fn on_client(&mut self, moment: &Moment, fact: &ClientFact) {
        match fact {
            ClientFact::TransactionsInitialized {
                transactional_id,
                producer_id,
                producer_epoch,
            } => {
                let ids = self.ids.entry(transactional_id.to_string());
                let id = Arc::clone(ids.or_insert_with(|| Arc::from(&**transactional_id)));
                self.owners.insert(moment.node, self.sessions.len());
                let (producer_id, epoch) = (*producer_id, *producer_epoch);
                self.sessions.push(Session { id, producer_id, epoch, begun: *moment });
            }
            ClientFact::TransactionBegun { transaction } => {
                self.open.insert(moment.node, self.all.len());
                self.all.push(ClientTransaction {
                    number: *transaction,
                    begun: *moment,
                    session: self.owners.get(&moment.node).copied(),
                    commit_called: None,
                    abort_called: None,
                    ended: None,
                    error: None,
                    records: 0,
                });
            }
            ClientFact::TransactionEnding { transaction, commit } => {
                let Some(it) = self.of(moment.node, *transaction) else { return };
                let called = if *commit { &mut it.commit_called } else { &mut it.abort_called };
                called.get_or_insert(*moment);
            }
            ClientFact::TransactionEnded { transaction, outcome, error } => {
                if let Some(it) = self.of(moment.node, *transaction) {
                    it.ended = Some((*moment, *outcome));
                    it.error = *error;
                }
                self.open.remove(&moment.node);
            }
            _ => {}
        }
    }

    fn of(&mut self, node: NodeId, number: u64) -> Option<&mut ClientTransaction> {
        let index = *self.open.get(&node)?;
        self.all.get_mut(index).filter(|it| it.number == number)
    }

    /// Ends the session and transaction of an application whose process has ended.
    pub(in crate::evidence) fn abandon(&mut self, node: NodeId) {
        self.open.remove(&node);
        self.owners.remove(&node);
    }
}
