//! The records of coordinators about each transactional id: the records of `__transaction_state`,
//! in the order in which they were first seen.

use super::state_log::{self, Read, State, StateValue};
use crate::evidence::observed::Moment;
use crate::evidence::view::View;
use bytes::Bytes;
use engine::fact::{EndTxnHandled, Fact};
use engine::ids::{Offset, TransactionalId};
use machine::{ClusterId, NodeId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of the topic in which coordinators keep their state.
pub(in crate::evidence) const STATE_TOPIC: &str = "__transaction_state";

/// A record about a transactional id.
#[derive(Clone, Debug)]
pub struct Transition {
    /// When the record was first seen, in nanoseconds.
    pub at: u64,
    /// The partition of `__transaction_state`, an index of [`View::partitions`].
    pub log: usize,
    /// The number of its batch in that partition.
    pub batch: u32,
    /// Its offset.
    pub offset: Offset,
    /// The state in the record; `None` for a tombstone: the id is forgotten.
    pub value: Option<StateValue>,
    /// The bytes of the value.
    pub raw: Option<Bytes>,
}

impl Transition {
    /// The state; `None`: the id is forgotten.
    pub fn state(&self) -> Option<State> {
        self.value.as_ref().map(|value| value.state)
    }
}

/// A coordinator was asked by a producer to end a transaction.
#[derive(Clone, Debug)]
pub struct EndRequest {
    /// When and at which broker.
    pub received: Moment,
    /// The node that asked.
    pub client: NodeId,
    /// The producer id in the request.
    pub producer_id: i64,
    /// The epoch in the request.
    pub epoch: i16,
    /// Whether it requested a commit, not an abort.
    pub commit: bool,
    /// The coordinator's decision.
    pub handled: EndTxnHandled,
}

/// A transactional id.
#[derive(Clone, Debug)]
pub struct Id {
    /// The id.
    pub name: Arc<str>,
    /// All records about the id, in the order first seen, including those that were lost since.
    pub transitions: Vec<Transition>,
}

/// All records of coordinators.
#[derive(Clone, Debug, Default)]
pub struct Coordinators {
    ids: Vec<Id>,
    by_name: BTreeMap<(ClusterId, String), usize>,
    /// The transactional id to which each producer id was last given.
    by_producer: BTreeMap<(ClusterId, i64), usize>,
    /// How many batches of each partition of `__transaction_state` have been read.
    read: BTreeMap<usize, usize>,
    /// The transitions that were read last: indexes of ids, and of [`Id::transitions`].
    fresh: Vec<(usize, usize)>,
    /// The requests of producers to end transactions, in order, by cluster and transactional id.
    ends: BTreeMap<(ClusterId, TransactionalId), Vec<EndRequest>>,
    /// Batches that could not be read: the partition, the base offset, and the error.
    unreadable: Vec<(usize, Offset, &'static str)>,
}

impl Coordinators {
    /// One transactional id.
    pub fn get(&self, id: usize) -> &Id {
        &self.ids[id]
    }

    /// All transactional ids.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// The index of the transactional id with this name.
    pub fn named(&self, cluster: ClusterId, name: &str) -> Option<usize> {
        self.by_name.get(&(cluster, name.to_owned())).copied()
    }

    /// The index of the transactional id to which a producer id was last given.
    pub fn of_producer(&self, cluster: ClusterId, producer_id: i64) -> Option<usize> {
        self.by_producer.get(&(cluster, producer_id)).copied()
    }

    /// The transitions that were read last: indexes of ids, and of [`Id::transitions`].
    pub fn fresh(&self) -> &[(usize, usize)] {
        &self.fresh
    }

    /// The requests to end transactions of a transactional id, in the order received.
    pub fn end_requests(&self, cluster: ClusterId, id: &str) -> &[EndRequest] {
        self.ends.get(&(cluster, id.into())).map_or(&[], Vec::as_slice)
    }

    /// A coordinator was asked to end a transaction.
    pub(in crate::evidence) fn asked(&mut self, received: &Moment, fact: &Fact) {
        let Fact::EndTxnReceived {
            client,
            transactional_id,
            producer_id,
            producer_epoch,
            commit,
            handled,
        } = fact
        else {
            return;
        };
        let key = (received.node.cluster, transactional_id.clone());
        self.ends.entry(key).or_default().push(EndRequest {
            received: *received,
            client: *client,
            producer_id: *producer_id,
            epoch: *producer_epoch,
            commit: *commit,
            handled: *handled,
        });
    }

    /// Batches that could not be read: the partition, the base offset, and the error.
    pub fn unreadable(&self) -> &[(usize, Offset, &'static str)] {
        &self.unreadable
    }
}

impl View {
    /// Reads the batches of a partition of `__transaction_state` that were first seen since the
    /// last call.
    pub(in crate::evidence) fn read_state_log(&mut self, log: usize) {
        let (partition, coordinators) = (&self.partitions[log], &mut self.coordinators);
        coordinators.fresh.clear();
        let read = coordinators.read.entry(log).or_default();
        let from = std::mem::replace(read, partition.batches.len());
        for batch in from..partition.batches.len() {
            let batch = batch as u32;
            let it = partition.batches.get(batch);
            if it.is_control {
                continue;
            }
            let Some(bytes) = partition.batches.bytes(batch) else { continue };
            match state_log::read(bytes) {
                Err(what) => coordinators.unreadable.push((log, it.base, what)),
                Ok(records) => {
                    for Read { offset, id, value, raw } in records {
                        let at = it.at;
                        let transition = Transition { at, log, batch, offset, value, raw };
                        coordinators.push(partition.cluster, id, transition);
                    }
                }
            }
        }
    }

    /// The transitions of a transactional id that are in the line of leaders, latest first.
    pub fn transitions(&self, id: usize) -> impl Iterator<Item = &Transition> {
        self.coordinators.ids[id].transitions.iter().rev().filter(|it| self.is_in_line(it))
    }

    /// Whether a transition is in the line of leaders.
    pub fn is_in_line(&self, transition: &Transition) -> bool {
        self.partitions[transition.log].is_in_line(transition.batch)
    }

    /// The partition of `__transaction_state` that has a transactional id.
    pub fn log_of(&self, id: usize) -> Option<usize> {
        self.coordinators.ids[id].transitions.first().map(|it| it.log)
    }
}

impl Coordinators {
    fn push(&mut self, cluster: ClusterId, name: String, transition: Transition) {
        let next = self.ids.len();
        let id = *self.by_name.entry((cluster, name.clone())).or_insert(next);
        if id == next {
            self.ids.push(Id { name: name.into(), transitions: Vec::new() });
        }
        if let Some(value) = &transition.value {
            self.by_producer.insert((cluster, value.producer_id), id);
        }
        let transitions = &mut self.ids[id].transitions;
        self.fresh.push((id, transitions.len()));
        transitions.push(transition);
    }
}
