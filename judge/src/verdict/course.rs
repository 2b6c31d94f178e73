//! The course of the transaction that a finding is about, in lines: the client, the requests to its
//! coordinator, the decision, the markers, and the outcome at the application.

use super::explain::Line;
use crate::check::{Finding, Ground};
use crate::evidence::transaction::{EndRequest, Session, Transition};
use crate::evidence::{ClientTransaction, Moment, NONE, View, records};
use engine::error::ErrorCode;
use engine::fact::{EndTxnHandled, TransactionOutcome};

/// The largest number of EndTxn requests that are named.
const REQUESTS: usize = 6;

/// The course of a transaction.
#[derive(Default)]
pub(super) struct Course {
    /// The identity of the transaction, and the Kafka bug that explains the finding, if there is
    /// one.
    pub(super) head: Vec<String>,
    /// Its steps. Of what is known from logs alone the event is not known.
    pub(super) steps: Vec<Line>,
}

/// A step that is an event of the trace. Its time is put before the text in the end.
fn step(moment: &Moment, text: String) -> Line {
    Line { at: moment.at, event: moment.event, text }
}

/// The course of the transaction that a finding is about; `None` if it is about none, or the
/// transaction is not known.
pub(super) fn of(view: &View, finding: &Finding) -> Option<Course> {
    let producer_id = match finding.ground {
        Ground::Transaction { producer_id, .. } | Ground::AfterPending { producer_id, .. } => {
            Some(producer_id)
        }
        Ground::Uncommitted { .. } => None,
        _ if finding.check == crate::check::ATOMIC => None,
        _ => return None,
    };
    let index = by_record(view, finding).or_else(|| by_producer(view, finding, producer_id?))?;
    let it = view.transactions.get(index)?;
    let known = Known { view, index, it, session: view.transactions.sessions().get(it.session?)? };
    Some(known.course(finding))
}

/// The transaction of the finding's record, or of the batch or marker at its offset.
fn by_record(view: &View, finding: &Finding) -> Option<u32> {
    let transaction = |number: u64| {
        let of = view.records.get(number)?.transaction;
        (of != NONE).then_some(of)
    };
    if let Some(record) = finding.record {
        return transaction(record);
    }
    let (offset, partition) = (finding.offset?, &view.partitions[finding.partition?]);
    let batches = &partition.batches;
    let batch = batches.covering(offset).filter(|it| batches.get(*it).at <= finding.at).last()?;
    if batches.get(batch).marker.is_none() {
        return transaction(batches.number_at(batch, offset));
    }
    // A marker: the transaction that it ended.
    let ended = partition.line.iter().find(|it| batches.get(**it).ended_by == batch)?;
    transaction(batches.number_at(*ended, batches.get(*ended).base))
}

/// The last transaction that a producer began.
fn by_producer(view: &View, finding: &Finding, producer_id: i64) -> Option<u32> {
    let sessions = view.transactions.sessions();
    let is_its = |it: &ClientTransaction| {
        let session = it.session.and_then(|session| sessions.get(session));
        it.begun.at <= finding.at && session.is_some_and(|it| it.producer_id == producer_id)
    };
    view.transactions.all().iter().rposition(is_its).and_then(|index| u32::try_from(index).ok())
}

/// A transaction whose session is known.
struct Known<'v> {
    view: &'v View,
    index: u32,
    it: &'v ClientTransaction,
    session: &'v Session,
}

/// A marker of a transaction.
#[derive(Debug)]
struct Marked {
    at: u64,
    place: String,
    epoch: i16,
    committed: bool,
}

impl<'v> Known<'v> {
    fn course(&self, finding: &Finding) -> Course {
        let own = self.session;
        let (epoch, markers) = self.in_logs(finding.at);
        let mut head = vec![format!(
            "the transaction that begins with {}: transactional id {}, producer {} in epoch {}, \
             client {}",
            records::name(self.it.number),
            own.id,
            own.producer_id,
            epoch.unwrap_or(own.epoch),
            self.it.begun.node
        )];
        let ended = self.it.ended.map(|(moment, _)| moment.at);
        let over = ended.max(markers.last().map(|it| it.at)).unwrap_or(finding.at);
        let mut steps = self.of_application();
        steps.extend(self.asked(over));
        steps.extend(grouped(&markers));
        if let Some((first, decision)) =
            markers.first().and_then(|it| Some((it, self.decision(it)?)))
        {
            let request = self.request_behind(decision, first);
            let text = self.decided(decision, first, request);
            steps.push(Line { at: decision.at, event: 0, text });
            head.extend(request.and_then(|it| self.kafka_17754(it, first)));
        }
        steps.retain(|step| step.at <= finding.at);
        for step in &mut steps {
            step.text = format!("{}  {}", self.view.time(step.at), step.text);
        }
        Course { head, steps }
    }

    /// The calls of the application, and the outcome that it learned.
    fn of_application(&self) -> Vec<Line> {
        let it = self.it;
        let client = it.begun.node;
        let mut steps = vec![step(&it.begun, format!("client {client} began it"))];
        for (called, call) in
            [(it.commit_called, "commitTransaction"), (it.abort_called, "abortTransaction")]
        {
            steps.extend(
                called.map(|called| step(&called, format!("client {client} called {call}"))),
            );
        }
        if let Some((moment, outcome)) = it.ended {
            steps.push(step(&moment, format!("client {client} {}", learned(outcome, it.error))));
        }
        steps
    }

    /// The EndTxn requests that the coordinator received since the application ended the previous
    /// transaction, up to `over`.
    fn asked(&self, over: u64) -> Vec<Line> {
        let (client, mut steps) = (self.it.begun.node, Vec::new());
        let (mut since, before) = (self.it.begun.at, self.before());
        if let Some(before) = before
            && let Some(called) = before.commit_called.or(before.abort_called)
        {
            let is_commit = before.commit_called.is_some();
            let call = if is_commit { "commitTransaction" } else { "abortTransaction" };
            let number = records::name(before.number);
            since = called.at;
            let text = format!(
                "client {client} called {call} for its previous transaction, which begins with {number}"
            );
            steps.push(step(&called, text));
        }
        let near = self.requests().iter().filter(|it| (since..=over).contains(&it.received.at));
        steps.extend(near.take(REQUESTS).map(|it| step(&it.received, received(self.view, it))));
        steps
    }

    /// All requests to end transactions of its transactional id.
    fn requests(&self) -> &'v [EndRequest] {
        self.view.coordinators.end_requests(self.it.begun.node.cluster, &self.session.id)
    }

    /// The previous transaction of the same producer, if there is one.
    fn before(&self) -> Option<&'v ClientTransaction> {
        let earlier = &self.view.transactions.all()[..self.index as usize];
        earlier.iter().rev().find(|other| other.session == self.it.session)
    }

    /// The producer epoch of its batches, and its markers in the lines of leaders, in order of
    /// time.
    fn in_logs(&self, until: u64) -> (Option<i16>, Vec<Marked>) {
        let (mut epoch, mut markers) = (None, Vec::new());
        let view = self.view;
        for partition in view.partitions.iter().filter(|it| it.transactions.any()) {
            let batches = &partition.batches;
            let is_its = |batch: &&u32| {
                let it = batches.get(**batch);
                let mut numbers = batches.numbers(**batch, it.base, it.next).iter();
                let of = |number| view.records.get(number).map(|record| record.transaction);
                !it.is_control && numbers.any(|number| of(*number) == Some(self.index))
            };
            let Some(first) = partition.line.iter().find(is_its) else { continue };
            let first = batches.get(*first);
            epoch = epoch.or(first.sequence().map(|it| it.epoch));
            if first.ended_by == NONE {
                continue;
            }
            let marker = batches.get(first.ended_by);
            let (Some(end), Some(of)) = (marker.marker, marker.sequence()) else { continue };
            markers.push(Marked {
                at: marker.at,
                place: format!("{}@{}", partition.name, marker.base),
                epoch: of.epoch,
                committed: end.committed,
            });
        }
        markers.retain(|it| it.at <= until);
        markers.sort_by_key(|it| it.at);
        (epoch, markers)
    }

    /// The decision behind a marker.
    fn decision(&self, marker: &Marked) -> Option<&'v Transition> {
        let cluster = self.it.begun.node.cluster;
        let id = self.view.coordinators.named(cluster, &self.session.id)?;
        let mut transitions = self.view.coordinators.get(id).transitions.iter().rev();
        transitions.find(|it| {
            it.at <= marker.at
                && it.value.as_ref().is_some_and(|value| {
                    let of = (value.producer_id, value.epoch);
                    value.state.decision() == Some(marker.committed)
                        && of == (self.session.producer_id, marker.epoch)
                })
        })
    }

    /// The request that led to a decision; `None` if the coordinator itself decided. With
    /// transaction.version=2 the epoch of the decision is one above that of the request.
    fn request_behind(&self, decision: &Transition, marker: &Marked) -> Option<&'v EndRequest> {
        self.requests().iter().rev().find(|it| {
            it.handled == EndTxnHandled::Decides
                && it.received.at <= decision.at
                && it.received.at >= self.it.begun.at
                && it.commit == marker.committed
                && (it.epoch == marker.epoch || it.epoch.checked_add(1) == Some(marker.epoch))
        })
    }

    fn decided(
        &self,
        decision: &Transition,
        marker: &Marked,
        request: Option<&EndRequest>,
    ) -> String {
        let log = &self.view.partitions[decision.log];
        let led = log.states.iter().rev().find(|state| state.at <= decision.at);
        let leader = led.and_then(|state| state.leader).map(|leader| log.replicas[leader].node);
        let who = leader.map_or_else(
            || "its coordinator".to_owned(),
            |it| format!("broker {it}, its coordinator,"),
        );
        let alone = if request.is_some() { "" } else { " without a request of the producer" };
        format!(
            "{who} decided {}{alone}, in epoch {} ({}@{})",
            result(marker.committed),
            marker.epoch,
            log.name,
            decision.offset
        )
    }

    /// KAFKA-17754: a late request for an earlier transaction ended this one, which has the same
    /// epoch, before the application had called for that. A request does not name its transaction.
    fn kafka_17754(&self, request: &EndRequest, marker: &Marked) -> Option<String> {
        let called = |it: &ClientTransaction| match request.commit {
            true => it.commit_called,
            false => it.abort_called,
        };
        let is_own = called(self.it).is_some_and(|it| it.at <= request.received.at);
        if is_own || request.epoch != marker.epoch {
            return None;
        }
        let earlier = &self.view.transactions.all()[..self.index as usize];
        let mut earlier = earlier.iter().rev().filter(|it| it.session == self.it.session);
        let (of, sent) = earlier.find_map(|it| Some((it.number, called(it)?)))?;
        let (client, result) = (request.client, result(request.commit));
        let call = if request.commit { "commitTransaction" } else { "abortTransaction" };
        Some(format!(
            "this is KAFKA-17754: client {client} had not called {call} when {} received EndTxn ({result}) \
             at {}. That was a late request for an earlier transaction, the one of {} (called at {}) or \
             one before, and it ended this one, which has the same epoch {}; with \
             transaction.version=2 each transaction has an epoch of its own, and such a request is \
             refused",
            self.view.setup.name(request.received.node),
            self.view.time(request.received.at),
            records::name(of),
            self.view.time(sent.at),
            request.epoch
        ))
    }
}

/// Markers in one line, at the time of the first.
fn grouped(markers: &[Marked]) -> Vec<Line> {
    let of = |committed: bool| {
        let same = || markers.iter().filter(move |it| it.committed == committed);
        let places: Vec<&str> = same().map(|it| it.place.as_str()).collect();
        let first = same().next()?;
        let s = if places.len() == 1 { "" } else { "s" };
        let result = result(committed);
        let text = format!("{result} marker{s} written: {}", places.join(", "));
        Some(Line { at: first.at, event: 0, text })
    };
    [true, false].into_iter().filter_map(of).collect()
}

fn result(committed: bool) -> &'static str {
    if committed { "COMMIT" } else { "ABORT" }
}

/// The outcome that an application learned.
fn learned(outcome: TransactionOutcome, error: Option<ErrorCode>) -> String {
    let error = error.map_or(String::new(), |error| format!(" ({error})"));
    match outcome {
        TransactionOutcome::Committed => "learned that it is committed".to_owned(),
        TransactionOutcome::Aborted => format!("learned that it is aborted{error}"),
        TransactionOutcome::GivenUp => format!("gave it up{error}"),
        TransactionOutcome::Unknown => format!("did not learn whether it is committed{error}"),
    }
}

fn received(view: &View, it: &EndRequest) -> String {
    let handled = match it.handled {
        EndTxnHandled::Decides => "accepted".to_owned(),
        EndTxnHandled::Repeated => "success, because it had ended that way before".to_owned(),
        EndTxnHandled::Refused(error) => format!("refused with {error}"),
    };
    format!(
        "{} received EndTxn ({}) of producer {} in epoch {} from client {}: {handled}",
        view.setup.name(it.received.node),
        result(it.commit),
        it.producer_id,
        it.epoch,
        it.client
    )
}
