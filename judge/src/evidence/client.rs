//! The history of client applications: what they sent and what they received.

use super::batch::NONE;
use super::observed::Moment;
use super::reader::{Piece, Question};
use super::records::{Carries, Outcome, Retry};
use super::view::{Effect, View};
use bytes::Bytes;
use engine::fact::{ClientFact, Positioning};
use engine::ids::Offset;

impl View {
    pub(super) fn on_client(&mut self, moment: &Moment, fact: &ClientFact) -> Effect {
        let cluster = moment.node.cluster;
        match fact {
            ClientFact::Sent { record, partition, acks } => {
                let index = self.partition(cluster, *partition);
                let transaction = self.transactions.sent(moment.node);
                self.records.sent(*record, (index as u32, transaction), *acks, moment);
                Effect::Nothing
            }
            ClientFact::Message { record, message, again } => {
                self.records.carry(*record, Carries { message: *message, again: *again });
                Effect::Nothing
            }
            ClientFact::Confirmed { base_offset, records, over, .. } => {
                let outcome =
                    if base_offset.is_some() { Outcome::Acked } else { Outcome::Unconfirmed };
                for (place, record) in (0..).zip(records) {
                    let offset = base_offset.map_or(-1, |base| base.saturating_add(place));
                    self.settle(moment, *record, outcome, offset);
                    if let Some(record) = self.records.get_mut(*record) {
                        record.over = *over;
                    }
                }
                Effect::Nothing
            }
            ClientFact::Failed { maybe_written, records, over, .. } => {
                let outcome = if *maybe_written { Outcome::Unknown } else { Outcome::Failed };
                for record in records {
                    self.settle(moment, *record, outcome, -1);
                    if let Some(record) = self.records.get_mut(*record) {
                        record.over = *over;
                    }
                }
                Effect::Nothing
            }
            ClientFact::Retried { partition, error, records } => {
                let index = self.partition(cluster, *partition);
                let retry = Retry { at: moment.at, event: moment.event, error: *error };
                for record in records {
                    self.records.retried(*record, index, retry);
                }
                Effect::Nothing
            }
            ClientFact::Identified { .. }
            | ClientFact::Paused { .. }
            | ClientFact::Resumed { .. } => Effect::Nothing,
            ClientFact::Member(fact) => {
                self.on_member(moment, fact);
                Effect::Nothing
            }
            ClientFact::Store(fact) => {
                self.on_store(moment, fact);
                Effect::Nothing
            }
            ClientFact::TransactionsInitialized { .. }
            | ClientFact::TransactionBegun { .. }
            | ClientFact::TransactionEnding { .. }
            | ClientFact::TransactionEnded { .. } => {
                self.transactions.on_client(moment, fact);
                Effect::Nothing
            }
            ClientFact::Renumbered { records, .. } => {
                for record in records {
                    self.records.renumbered(*record, moment.at);
                }
                Effect::Nothing
            }
            ClientFact::Delivered { partition, from, to, batches } => {
                let index = self.partition(cluster, *partition);
                self.delivered(moment, index, *from, *to, batches)
            }
            ClientFact::Positioned { partition, to, why, .. } => {
                self.on_member_moved(moment, fact);
                let index = self.partition(cluster, *partition);
                let reader = self.reader(moment, index);
                let it = &mut self.readers[reader];
                let before = it.position.replace(*to);
                it.is_moved = true;
                let was_asked = it.is_asked;
                it.is_asked = *why == Positioning::Seek && *to > it.shown;
                Effect::Moved { reader, before, was_asked }
            }
            ClientFact::EndAsked { partition, question } => {
                let index = self.partition(cluster, *partition);
                let reader = self.reader(moment, index);
                let shown = self.readers[reader].shown;
                let known = self.shown_to_all(reader);
                let (number, at) = (*question, moment.at);
                let asked = Question { number, at, shown, known };
                self.readers[reader].asked.push(asked);
                Effect::Nothing
            }
            ClientFact::EndShown { partition, offset, question, .. } => {
                let index = self.partition(cluster, *partition);
                let reader = self.reader(moment, index);
                let it = &mut self.readers[reader];
                let place = it.asked.iter().position(|asked| asked.number == *question);
                let asked = place.map(|place| it.asked.swap_remove(place));
                it.known = asked.map(|asked| asked.known);
                it.asked_at = asked.map(|asked| asked.at);
                it.shown_last = *offset;
                let shown = asked.map_or(it.shown, |asked| asked.shown);
                it.shown = it.shown.max(*offset);
                Effect::ReaderEnd(reader, shown)
            }
            ClientFact::Threw { .. } => Effect::Nothing,
            ClientFact::TimeShown { partition, .. } => {
                Effect::Time(self.partition(cluster, *partition))
            }
            ClientFact::ReadBack { partition, end } => {
                let index = self.partition(cluster, *partition);
                let reader = self.reader(moment, index);
                self.readers[reader].read_back = Some(*end);
                self.readers[reader].asked_at = None;
                Effect::ReaderEnd(reader, self.readers[reader].shown)
            }
        }
    }

    fn settle(&mut self, moment: &Moment, record: u64, outcome: Outcome, offset: Offset) {
        if let Some(record) = self.records.get_mut(record) {
            record.outcome = outcome;
            record.offset = offset;
            record.settled = moment.event;
        } else if outcome == Outcome::Failed {
            self.records.unplaced += 1;
        }
    }

    fn delivered(
        &mut self,
        moment: &Moment,
        index: usize,
        from: Offset,
        to: Offset,
        batches: &[Bytes],
    ) -> Effect {
        let reader = self.reader(moment, index);
        self.pieces.clear();
        for bytes in batches {
            let known = &mut self.partitions[index].batches;
            // A batch may be read although a crash has prevented its leader from reporting it.
            let Some((batch, fresh)) = known.intern(bytes, NONE, moment.at) else { continue };
            if fresh {
                self.partitions[index].note_marker(batch);
            }
            let it = self.partitions[index].batches.get_mut(batch);
            let piece = Piece { batch, from: it.base.max(from), to: it.next.min(to) };
            if piece.from < piece.to {
                it.delivered_to = it.delivered_to.max(piece.to);
                self.pieces.push(piece);
            }
        }
        let it = &mut self.readers[reader];
        let before = it.position.replace(to);
        let last = it.seen.last().copied().filter(|_| !it.is_moved);
        it.is_asked = false;
        // Markers and aborted records do not show in which log they were read.
        it.is_moved &= self.pieces.is_empty();
        it.shown = it.shown.max(to);
        it.seen.extend_from_slice(&self.pieces);
        Effect::Delivered { reader, before, last }
    }
}
