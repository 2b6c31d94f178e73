//! A transactional id has one owner: when `initTransactions` has returned, the transaction of the
//! previous producer has ended, and nothing that the previous producer begins to commit later is
//! committed (KIP-98).
//!
//! That a producer is fenced by another one which shares its id is permitted, and named.

use super::{Check, Findings, Ground};
use crate::evidence::transaction::Session;
use crate::evidence::{ClientTransaction, End, Moment, View, records};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct OneOwner {
    /// When producers were fenced in a transaction, and their sessions.
    fenced: Vec<(Moment, usize)>,
}

impl OneOwner {
    pub(super) const NAME: &'static str = "one-owner";
}

impl Check for OneOwner {
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        if let Fact::Client(ClientFact::TransactionEnded {
            error: Some(ErrorCode::ProducerFenced),
            ..
        }) = fact
        {
            self.fenced.extend(view.transactions.session_of(at.node).map(|own| (*at, own)));
        }
        let Fact::Client(ClientFact::TransactionsInitialized {
            producer_id, producer_epoch, ..
        }) = fact
        else {
            return;
        };
        let own = at.node.cluster;
        let partitions = view.partitions.iter().enumerate();
        for (index, partition) in partitions.filter(|(_, it)| it.cluster == own) {
            let is_its = |producer: &i64| producer == producer_id;
            let open = partition.transactions.open().find(|(producer, _)| is_its(producer));
            let batches = open.map_or(&[][..], |(_, batches)| batches);
            let epoch = |batch: &u32| partition.batches.get(*batch).sequence().map(|it| it.epoch);
            let older = batches.iter().find(|it| epoch(it).is_some_and(|it| it < *producer_epoch));
            let Some(batch) = older else { continue };
            let what = "a transaction was still open after its producer had been replaced";
            out.add(Self::NAME, what, at, index, view.ground_of(index, *producer_id))
                .offset(partition.batches.get(*batch).base)
                .detail(format!("producer {producer_id} begins with epoch {producer_epoch}"));
        }
    }

    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for (at, own) in &self.fenced {
            shared(view, at, *own, out);
        }
        for (it, tally) in view.transactions.all().iter().zip(&end.tallies) {
            let Some(stored) = tally.committed.1 else { continue };
            let Some((later, called)) = replaced(view, it) else { continue };
            let partition = stored.partition;
            let what = "a transaction is committed although its producer had been replaced";
            out.add(
                Self::NAME,
                what,
                &called,
                partition,
                view.ground_of(partition, later.producer_id),
            )
            .offset(stored.offset)
            .record(stored.record)
            .detail(format!(
                "client {} took {} at {}, and client {} began to commit {} after that",
                later.begun.node,
                later.id,
                view.time(later.begun.at),
                called.node,
                records::name(it.number),
            ));
        }
    }
}

/// A producer was fenced: names the client that has its transactional id, if it is another one.
fn shared(view: &View, at: &Moment, own: usize, out: &mut Findings) {
    let sessions = view.transactions.sessions();
    let Session { id, begun, .. } = &sessions[own];
    let takes_over = |other: &&Session| {
        let is_another =
            other.begun.node != begun.node && other.begun.node.cluster == begun.node.cluster;
        is_another && other.id == *id && follows(view, &sessions[own], other)
    };
    let Some(other) = sessions.iter().find(takes_over) else { return };
    let known = view.coordinators.named(begun.node.cluster, id);
    let Some(log) = known.and_then(|id| view.log_of(id)) else { return };
    let what = "a producer was fenced by another one with its transactional id";
    let ground = Ground::Fenced { by: other.begun.node, at: other.begun.at };
    out.add(OneOwner::NAME, what, at, log, ground)
        .detail(format!("client {} has {id} after client {}", other.begun.node, begun.node));
}

/// The session that had replaced a transaction's producer before `commitTransaction` was called,
/// and the moment of that call.
fn replaced<'v>(view: &'v View, it: &ClientTransaction) -> Option<(&'v Session, Moment)> {
    let called = it.commit_called?;
    let sessions = view.transactions.sessions();
    let own = it.session?;
    let id = &sessions[own].id;
    let cluster = sessions[own].begun.node.cluster;
    let later = sessions.iter().enumerate().find(|(index, other)| {
        let is_known = other.begun.at < called.at && other.begun.node.cluster == cluster;
        *index != own && other.id == *id && is_known && follows(view, &sessions[own], other)
    });
    later.map(|(_, session)| (session, called))
}

/// Whether the coordinator began session `other` after `own`: by the epoch, or by its records if
/// the producer ids differ.
fn follows(view: &View, own: &Session, other: &Session) -> bool {
    if own.producer_id == other.producer_id {
        return other.epoch > own.epoch;
    }
    let id = view.coordinators.named(own.begun.node.cluster, &own.id);
    let Some(id) = id.map(|id| view.coordinators.get(id)) else { return false };
    let first = |producer: i64| {
        let of = |value: &crate::evidence::StateValue| value.producer_id == producer;
        id.transitions.iter().position(|it| it.value.as_ref().is_some_and(of))
    };
    first(own.producer_id).zip(first(other.producer_id)).is_some_and(|(own, other)| own < other)
}
