//! The fetcher's side of a fetch session with a broker (`FetchSessionHandler`; KIP-227).
//!
//! The first fetch names all partitions and requests a session. Later ones name only partitions
//! that are new, have another position, or are no longer fetched; the broker remembers the others.
//! Its responses omit partitions without changes. If the broker does not know the session, or
//! expects another epoch, a full fetch begins a new session.

use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::protocol::{FetchMetadata, FetchPartition, FetchResponse};
use std::collections::{BTreeMap, BTreeSet};

/// The client's side of a fetch session.
#[derive(Clone, Debug)]
pub(crate) struct FetchSessionHandler {
    /// The session id and epoch of the next fetch.
    next: FetchMetadata,
    /// The partitions of the session, each as it was last requested.
    partitions: BTreeMap<TopicPartition, FetchPartition>,
}

/// The partitions that a fetch has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionFetch {
    pub(crate) metadata: FetchMetadata,
    pub(crate) partitions: Vec<FetchPartition>,
    pub(crate) forgotten: Vec<TopicPartition>,
}

impl Default for FetchSessionHandler {
    fn default() -> Self {
        Self { next: FetchMetadata::INITIAL, partitions: BTreeMap::new() }
    }
}

impl FetchSessionHandler {
    /// Whether the next fetch has to name all partitions.
    pub(crate) fn is_full(&self) -> bool {
        self.next.is_full()
    }

    /// Whether there is no partition in the session.
    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// A partition as it was last requested in this session.
    pub(crate) fn requested(&self, partition: TopicPartition) -> Option<FetchPartition> {
        self.partitions.get(&partition).copied()
    }

    /// A fetch of exactly these partitions, in this order.
    pub(crate) fn build(&mut self, wanted: Vec<FetchPartition>) -> SessionFetch {
        if self.is_full() {
            self.partitions = wanted.iter().map(|read| (read.partition, *read)).collect();
            let (metadata, forgotten) = (self.next, Vec::new());
            return SessionFetch { metadata, partitions: wanted, forgotten };
        }
        let count = wanted.len();
        let mut fetch = self.change(wanted.iter().map(|read| (read.partition, Some(*read))));
        if self.partitions.len() > count {
            let wanted: BTreeSet<_> = wanted.iter().map(|read| read.partition).collect();
            let gone = self.partitions.keys().filter(|id| !wanted.contains(id));
            fetch.forgotten = gone.copied().collect();
            self.partitions.retain(|id, _| wanted.contains(id));
        }
        fetch
    }

    /// An incremental fetch that requests these partitions, or removes them (`None`).
    pub(crate) fn change(
        &mut self,
        changes: impl IntoIterator<Item = (TopicPartition, Option<FetchPartition>)>,
    ) -> SessionFetch {
        debug_assert!(!self.is_full(), "a full fetch names all partitions");
        let (mut partitions, mut forgotten) = (Vec::new(), Vec::new());
        for (id, read) in changes {
            match read {
                Some(read) => {
                    let known = self.partitions.get_mut(&id);
                    if known.as_deref() == Some(&read) {
                        continue;
                    }
                    match known {
                        Some(known) => *known = read,
                        None => drop(self.partitions.insert(id, read)),
                    }
                    partitions.push(read);
                }
                None if self.partitions.remove(&id).is_some() => forgotten.push(id),
                None => {}
            }
        }
        SessionFetch { metadata: self.next, partitions, forgotten }
    }

    /// Handles a response. Returns whether it can be used: it has no error, and its partitions are
    /// those of the session.
    pub(crate) fn on_response(&mut self, response: &FetchResponse) -> bool {
        if response.error != ErrorCode::None {
            self.next = match response.error {
                ErrorCode::FetchSessionIdNotFound => FetchMetadata::INITIAL,
                _ => self.next.anew(),
            };
            return false;
        }
        let (full, answers) = (self.next.is_full(), &response.partitions);
        let known = answers.iter().all(|answer| self.partitions.contains_key(&answer.partition));
        let complete = !full || answers.len() == self.partitions.len();
        if !known || !complete {
            self.next = if full { FetchMetadata::INITIAL } else { self.next.anew() };
            return false;
        }
        self.next = match response.session_id {
            FetchMetadata::NO_SESSION => FetchMetadata::INITIAL,
            session_id if full => FetchMetadata::first_of(session_id),
            _ => self.next.next(),
        };
        true
    }

    /// Handles the loss of a fetch. The next one ends the session and begins another.
    pub(crate) fn on_error(&mut self) {
        self.next = self.next.anew();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TopicId;
    use crate::protocol::{FetchedPartition, Records};

    fn read(index: i32, fetch_offset: i64) -> FetchPartition {
        FetchPartition {
            partition: TopicPartition::new(TopicId(7), index),
            current_leader_epoch: Some(0),
            fetch_offset,
            last_fetched_epoch: None,
            log_start_offset: -1,
            partition_max_bytes: 1,
            high_watermark: None,
        }
    }

    fn answer(index: i32) -> FetchedPartition {
        FetchedPartition {
            partition: TopicPartition::new(TopicId(7), index),
            error: ErrorCode::None,
            high_watermark: 0,
            last_stable_offset: 0,
            log_start_offset: 0,
            diverging_epoch: None,
            current_leader: None,
            aborted_transactions: None,
            preferred_read_replica: None,
            records: Records::default(),
        }
    }

    fn response(error: ErrorCode, session_id: i32) -> FetchResponse {
        FetchResponse { error, session_id, partitions: Vec::new() }
    }

    /// A handler with a session of partitions 0 and 1.
    fn in_session() -> FetchSessionHandler {
        let mut handler = FetchSessionHandler::default();
        let fetch = handler.build(vec![read(0, 0), read(1, 0)]);
        assert_eq!((fetch.metadata, fetch.partitions.len()), (FetchMetadata::INITIAL, 2));
        let partitions = vec![answer(0), answer(1)];
        let full = FetchResponse { error: ErrorCode::None, session_id: 9, partitions };
        assert!(handler.on_response(&full));
        handler
    }

    #[test]
    fn a_session_names_only_what_has_changed() {
        let mut handler = in_session();
        let fetch = handler.build(vec![read(1, 5), read(2, 0), read(0, 0)]);
        assert_eq!(fetch.metadata, FetchMetadata { session_id: 9, epoch: 1 });
        assert_eq!((fetch.partitions, fetch.forgotten), (vec![read(1, 5), read(2, 0)], vec![]));
        assert!(handler.on_response(&response(ErrorCode::None, 9)), "nothing new");
        let fetch = handler.build(vec![read(1, 5)]);
        assert_eq!(fetch.metadata, FetchMetadata { session_id: 9, epoch: 2 });
        assert!(fetch.partitions.is_empty());
        assert_eq!(fetch.forgotten, [read(0, 0).partition, read(2, 0).partition]);
    }

    #[test]
    fn after_a_lost_session_a_full_fetch_begins_another() {
        let mut handler = in_session();
        assert!(!handler.on_response(&response(ErrorCode::FetchSessionIdNotFound, 0)));
        assert_eq!(handler.build(vec![read(0, 0)]).metadata, FetchMetadata::INITIAL);

        let mut handler = in_session();
        assert!(!handler.on_response(&response(ErrorCode::InvalidFetchSessionEpoch, 9)));
        let anew = FetchMetadata { session_id: 9, epoch: 0 };
        let fetch = handler.build(vec![read(0, 0)]);
        assert_eq!((fetch.metadata, fetch.partitions.len()), (anew, 1), "ends the old one");

        let mut handler = in_session();
        handler.on_error();
        assert_eq!(handler.build(vec![read(0, 0)]).metadata, anew);
    }

    #[test]
    fn a_broker_may_end_a_session_or_grant_none() {
        let mut handler = in_session();
        assert!(handler.on_response(&response(ErrorCode::None, 0)));
        assert!(handler.is_full());
    }

    #[test]
    fn a_full_response_has_to_name_every_partition() {
        let mut handler = FetchSessionHandler::default();
        let _ = handler.build(vec![read(0, 0)]);
        assert!(!handler.on_response(&response(ErrorCode::None, 9)));
        assert!(handler.is_full());
    }

    #[test]
    fn epochs_go_round() {
        let last = FetchMetadata { session_id: 9, epoch: i32::MAX };
        assert_eq!(last.next(), FetchMetadata::first_of(9));
        assert_eq!(FetchMetadata::SESSIONLESS.next(), FetchMetadata::SESSIONLESS);
    }
}
